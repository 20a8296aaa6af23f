"""What whoever has just cried for help says next: more about it, or another matter."""

from __future__ import annotations

import re

from bot.router import named_number
from bot.turn import Menu
from bot.understanding.meaning import CATEGORY, Danger, Intent, Meaning
from content.spelling import simplified
from handlers.hearing import ADDRESS, PROGRESS, RECEIPT, SURELY, WHO

PLAINLY = 0.5  # of a report: below it 我在3号楼顶上 is one
KINDRED = ("fire", "gas", "elec")  # families of categories that are one danger
TROUBLED = (Danger.VIOLENCE, Danger.SELF_HARM)  # what somebody quarrels about may be why

_ADDRESS = re.compile(ADDRESS)
_OURS = re.compile(f"{RECEIPT}|{WHO}")
# the way to the scene, and out of it
_SCENE = re.compile(
    "(?:消防|救护|警)车|救援|[进出]不[来去了]|(?:被困|困在|堵住|着火|起火|冒烟|火势|大火|救命)|帮帮我|救救?我|^(?:我|我们|人|他|她)(?:现在)?(?:还|就)?在"
)
_COMING = re.compile(
    r"(?:你们|警察|民警|消防|救护车|120|119|110|人)?(?:怎么|什么时候|多久|几时|还要多久|为什么|啥时候)?(?:还|都)?(?:没有?|不|能|快|要|才)?"
    r"(?:人)?(?:到|来)(?:了|啊|呀|呢|吗|没有?|么|哪里?|人|得及){0,3}[\s?？!！。.…~]{0,4}"
)
_OPINION = re.compile("投诉|表扬|[好差]评|评价|点赞|建议")
# who is there and how they are, in which the model hears a tip
_PEOPLE = re.compile(
    r"(?:.{0,6}?(?:里面?|里头|楼上|楼下|屋里?|家里?|上面|下面|车上))?(?:还|只|就)?(?:有|剩)(?:[一二两三四五六七八九十\d几好多]{0,3}(?:个|位|名)?)"
    r"(?:老人|老太太|老头|大爷|大妈|奶奶|爷爷|孩子|小孩|婴儿|宝宝|孕妇|病人|残疾人|人|呼吸|心跳|意识)"
    r"(?:[，,]?(?:还?在(?:里面?|里头|屋里?|家里?|房间里?|楼上|上面|下面|车[里上])|[没不]?(?:跑|逃|走|爬|下|出)(?:不|得)?[出下动来]{1,2}"
    r"|(?:被|受|昏|晕|躺|没有?|不)(?:困|伤|住|倒|着|呼吸|动|醒|意识|心跳|行|会动|说话){1,3}))?[了啊呀呢]?[。.!！~]{0,3}"
)


def is_address(text: str) -> bool:
    """Whether it is an address and no more."""
    return _ADDRESS.fullmatch(text) is not None


def calls_ours(text: str, menu: Menu) -> bool:
    """Whether it names something of ours: a case, a command, the receipt of a tip, the bot itself."""
    word = simplified(text).strip().lower()
    named = any(word in (command.name, command.alias) for command in menu.commands)
    return named or named_number(text) is not None or _OURS.search(text) is not None


def is_another_matter(text: str, meaning: Meaning, danger: Danger) -> bool:
    """Whether words after a cry are plainly about something else: a question, a tip, a report with a place of its own."""
    plain = simplified(text.strip())
    if meaning.intent is Intent.FEEDBACK:
        return _OPINION.search(plain) is not None
    if meaning.intent is Intent.TIP:
        return _PEOPLE.fullmatch(plain) is None
    if meaning.intent is Intent.QUESTION:
        coming = _COMING.fullmatch(plain) or re.fullmatch(PROGRESS, plain)
        return meaning.confidence >= SURELY and not coming
    if meaning.intent is Intent.SCAM_REPORT:
        return danger is not Danger.MONEY
    if meaning.intent is Intent.DISPUTE:
        return danger not in TROUBLED and meaning.confidence >= PLAINLY and _SCENE.search(plain) is None
    if meaning.intent is Intent.HAZARD:
        own = bool(meaning.places) and meaning.confidence >= PLAINLY and not _kindred(meaning.category or "", danger)
        return own and _SCENE.search(plain) is None
    if meaning.intent in (Intent.CHAT, Intent.EMERGENCY):
        return False
    return meaning.confidence >= PLAINLY and _SCENE.search(plain) is None


def _kindred(category: str, danger: Danger) -> bool:
    mine, its = category.partition(".")[0], CATEGORY[danger].partition(".")[0]
    return mine == its or (mine in KINDRED and its in KINDRED)
