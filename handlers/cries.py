"""What whoever has just cried for help says next: more about it, or another matter."""

from __future__ import annotations

import re

from bot.router import named_number, split_command
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
# what is written below a photo of the scene, or of whoever is looked for; the model hears small talk in most of it
_SHOWN = (
    "火(?![锅车鸡腿龙热])|烟(?!花|酒)|(?<!红)烧(?!烤|饼)|熏|焦|炸(?!鸡|酱)|淹|漏|煤气|燃气|电线|触电|断电|[出流]血|血迹|受?伤|晕|昏|[倒躺摔砸]|呼吸|刀|打[人架]|骗|转账|消防|救|警"
    "|现场|这里|这儿|那里|那儿|那边|楼|[一二三四五六七八九十\\d]层|单元|门|窗|锁|撬|屋里|家里|里面|位置|困|[出进]不[来去了]|卡住|塌|裂|没气|全是水|[进积]水|水里|水[好很太]?大|河"
    "|长这样|这个?样子|穿|戴|衣服|外套|[红黄蓝绿白黑灰紫]色|身高|头发|走失|走丢|最后|照片|就是(?:他|她|它|这)|[他她]叫|\\d岁|^(?:这是)?我(?:家|的)?(?:老?[爸妈公婆伴]|外?[公婆]|奶奶|爷爷|外婆|姥|[哥姐弟妹]|儿|女|孙)"
    "|奶奶|爷爷|老人|孩子|小孩|女儿|儿子|快来|聊天记录|对方|车牌|快看|你们看|大家看|给.{0,4}看"
)
# what nobody writes below a photo of danger, unless with a word of it
_TALK = (
    "打折|促销|优惠|特价|团购|拼团|接龙|转让|新[到开]的?|花[都又全]{0,2}开|好吃|好喝|[早午晚]饭|[早中下晚][上午]?好(?![大多])|晚安|大家好|广场舞|好看|真乖|天气真|爬山|哈哈|饺子|红烧"
    "|(?:今天|昨天|周末|上午|下午)带(?:孩子|娃|宝宝|老人|爸妈|家人|狗).{0,2}(?:去|来|逛|玩)|得奖|祝贺|恭喜"
)
_GRAVE = (
    "火(?![锅车鸡腿龙热])|烟(?!花|酒)|伤|血|[晕昏倒摔砸淹困塌救]|刀|走[失丢散]|不见"
    "|没[了回]|骗|转账|穿|照片|样子|[出进]不[来去了]|最后|找"
)
NO_TALK = f"^(?:(?=[\\s\\S]*(?:{_GRAVE}))|(?![\\s\\S]*(?:{_TALK})))"
MAY_SHOW = f"{NO_TALK}[\\s\\S]*(?:{_SHOWN})"
_NO_TALK = re.compile(NO_TALK)
_MAY_SHOW = re.compile(MAY_SHOW)
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


def follows_command(text: str, menu: Menu) -> bool:
    """Whether it is what follows a command, whose case or tip it then belongs to; "/救命" is none."""
    called = split_command(text)
    return called is not None and any(called[0].startswith((one.name, one.alias)) for one in menu.commands)


def shows_scene(text: str, meaning: Meaning, danger: Danger) -> bool:
    """Whether words with a photo are about the emergency, and not whatever else somebody shows in a group."""
    plain = simplified(text.strip())
    return (
        _MAY_SHOW.search(plain) is not None
        or _SCENE.search(plain) is not None
        or is_address(text)
        or (meaning.intent is Intent.HAZARD and is_kin(meaning.category or "", danger))
    )


def is_no_talk(text: str) -> bool:
    """Whether it is not plainly small talk."""
    return _NO_TALK.search(simplified(text.strip())) is not None


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
        own = bool(meaning.places) and meaning.confidence >= PLAINLY and not is_kin(meaning.category or "", danger)
        return own and _SCENE.search(plain) is None
    if meaning.intent in (Intent.CHAT, Intent.EMERGENCY):
        return False
    return meaning.confidence >= PLAINLY and _SCENE.search(plain) is None


def is_kin(category: str, danger: Danger) -> bool:
    """Whether a report of this category may be about that danger."""
    mine, its = category.partition(".")[0], CATEGORY[danger].partition(".")[0]
    return mine == its or (mine in KINDRED and its in KINDRED)
