"""Confidential tips, as custodians and the officers they let in work on them: `/线索`, `/回线索`, `/办线索` and the passphrase.

Whom a tip is sealed to decides who may read it; the roster only decides who may hold such access at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.permissions import Rights, Role
from bot.router import Router, Words
from bot.say import Say
from bot.turn import Effects
from cases.roster import Roster
from cases.tips import STATE_NAMES, Tips, TipState
from content.refusal import Refusal
from storage.tables import Officer, Tip

router = Router("tip_desk")

READERS = (Role.CUSTODIAN, Role.OFFICER)


@dataclass(frozen=True, slots=True)
class Work:
    """One step of an officer on one tip."""

    tip: Tip
    officer: Officer
    words: str
    tips: Tips
    rights: Rights
    roster: Roster
    say: Say


@router.command("线索", "tips", usage="代号", about="看线索（只在私聊里；每次查看都有记录）", needs=READERS, private=True)
def show_tips(words: Words, tips: Tips, rights: Rights, say: Say, zone: ZoneInfo, effects: Effects) -> None:
    """Without a name the list; with a name the words, and every message read is written down."""
    if not words:
        officer = rights.require_anywhere("tip.list")
        rows = [
            (one.designation, STATE_NAMES[TipState(one.state)], one.created_on.strftime("%m月%d日"), one.days_left)
            for one in tips.listed(officer)
        ]
        say.reply("tips.list", tips=rows, own_key=tips.has_passphrase(officer), quote=False)
        return
    officer = rights.require_anywhere("tip.read", target=words[:20])
    tip = tips.find(words, officer)
    lines = [
        ("来源" if line.author == "source" else "我们", line.at.astimezone(zone).strftime("%m月%d日"), line.text)
        for line in tips.read(tip, officer)
    ]
    effects.unsay = True
    say.secretly("tips.dialogue", name=tip.designation, lines=lines, state=STATE_NAMES[TipState(tip.state)])


@router.command(
    "回线索",
    "answertip",
    usage="代号 要说的话",
    about="回复线索的来源（对方凭回执码看到）",
    needs=READERS,
    private=True,
    confidential=True,
)
def answer_tip(words: Words, tips: Tips, rights: Rights, say: Say) -> None:
    """`/回线索 青松123 …`."""
    name, _, text = words.partition(" ")
    if not text.strip():
        raise Refusal("refusal.usage", command="回线索", usage="代号 要说的话")
    officer = rights.require_anywhere("tip.answer", target=name[:20])
    tip = tips.find(name, officer)
    tips.answer(tip, officer, text.strip())
    say.reply("tips.answered", name=tip.designation, quote=False)


@router.command(
    "办线索",
    "worktip",
    usage="代号 动作",
    about="推进一条线索：办理、授权、延期、封存、身份",
    needs=READERS,
    private=True,
    confidential=True,
)
def work_on_tip(words: Words, tips: Tips, rights: Rights, roster: Roster, say: Say) -> None:
    """`/办线索 青松123 授权 3201`: one step, written down whether it was allowed or not."""
    name, _, rest = words.partition(" ")
    verb, _, more = rest.strip().partition(" ")
    if verb not in VERBS:
        raise Refusal("tips.verbs", name=name[:20], verbs="、".join(VERBS))
    action, do = VERBS[verb]
    officer = rights.require_anywhere(action, target=name[:20])
    tip = tips.find(name, officer)
    do(Work(tip, officer, more.strip(), tips, rights, roster, say))


@router.command(
    "解锁", "unlock", usage="口令", about="用口令打开自己的线索钥匙（10分钟）", needs=READERS, private=True, confidential=True
)
def unlock(words: Words, tips: Tips, rights: Rights, say: Say) -> None:
    """The key lies open in memory for ten minutes after its last use."""
    if not words:
        raise Refusal("refusal.usage", command="解锁", usage="口令")
    tips.unlock(rights.require_anywhere("tip.key"), words)
    say.reply("tips.unlocked", quote=False)


@router.command("上锁", "lock", about="马上锁上自己的线索钥匙", needs=READERS, private=True)
def lock(tips: Tips, rights: Rights, say: Say) -> None:
    """Not to wait for the ten minutes."""
    tips.lock(rights.require_anywhere("tip.key"))
    say.reply("tips.locked_now", quote=False)


@router.command(
    "设口令",
    "passphrase",
    usage="新口令",
    about="给自己的线索钥匙设口令（只有您能打开）",
    needs=READERS,
    private=True,
    confidential=True,
)
def set_passphrase(words: Words, tips: Tips, rights: Rights, say: Say) -> None:
    """From then on neither the server nor a backup opens what is sealed to this officer."""
    if not words:
        raise Refusal("refusal.usage", command="设口令", usage="新口令")
    lost = tips.set_passphrase(rights.require_anywhere("tip.key"), words)
    say.reply("tips.passphrase_set", lost=lost, quote=False)


# --- the verbs of /办线索 -------------------------------------------------------------------------------------------------


def _step(action: str) -> Callable[[Work], None]:
    def do(work: Work) -> None:
        work.tips.move(work.tip, action)
        work.say.reply("tips.moved", name=work.tip.designation, state=STATE_NAMES[TipState(work.tip.state)], quote=False)

    return do


def _postpone(work: Work) -> None:
    if not work.words.isdecimal():
        raise Refusal("tips.bad_days", most=365)
    until: datetime = work.tips.postpone(work.tip, int(work.words[:6]))
    work.say.reply("tips.postponed", name=work.tip.designation, until=until.strftime("%Y年%m月%d日"), quote=False)


def _colleague(work: Work) -> Officer:
    badge = work.words.split(" ")[0]
    other = work.roster.by_badge(badge) if badge else None
    if other is None:
        raise Refusal("officers.unknown", badge=badge[:20])
    return other


def _reader(work: Work) -> Officer:
    other = _colleague(work)
    if not any(row.role in (Role.CUSTODIAN, Role.OFFICER, Role.SUPERVISOR) for row in work.roster.roles(other)):
        raise Refusal("tips.not_a_reader", badge=other.badge)
    return other


def _grant(work: Work) -> None:
    other = _reader(work)
    work.tips.grant(work.tip, work.officer, other)
    work.say.reply("tips.granted", name=work.tip.designation, who=other.name, quote=False)
    work.say.to_officers([other], "tips.card_granted", name=work.tip.designation)


def _revoke(work: Work) -> None:
    other = _colleague(work)
    work.tips.revoke(work.tip, other)
    work.say.reply("tips.revoked", name=work.tip.designation, who=other.name, quote=False)


def _transfer(work: Work) -> None:
    other = _reader(work)
    work.tips.transfer(work.tip, work.officer, other)
    work.say.reply("tips.transferred", name=work.tip.designation, who=other.name, quote=False)
    work.say.to_officers([other], "tips.card_granted", name=work.tip.designation)


def _ask_identity(work: Work) -> None:
    if not work.words:
        raise Refusal("tips.reason_needed", name=work.tip.designation)
    deciders = work.tips.ask_identity(work.tip, work.officer, work.words)
    work.say.reply("tips.identity_asked", name=work.tip.designation, quote=False)
    work.say.to_officers(deciders, "tips.card_asked", name=work.tip.designation, who=work.officer.name, badge=work.officer.badge)


def _decide(allow: bool) -> Callable[[Work], None]:
    def do(work: Work) -> None:
        asker = _colleague(work)
        work.tips.decide_identity(work.tip, work.officer, asker, allow=allow)
        work.say.reply("tips.decided", name=work.tip.designation, who=asker.name, allow=allow, quote=False)
        work.say.to_officers([asker], "tips.card_decided", name=work.tip.designation, allow=allow)

    return do


def _requests(work: Work) -> None:
    rows = [(who.name, who.badge, reason) for who, reason in work.tips.requests(work.tip, work.officer)]
    work.say.secretly("tips.requests", name=work.tip.designation, rows=rows)


def _identity(work: Work) -> None:
    words = work.tips.identity(work.tip, work.officer)
    work.say.secretly("tips.identity", name=work.tip.designation, words=words)


def _destroy(work: Work) -> None:
    work.tips.destroy(work.tip)
    work.say.reply("tips.destroyed", name=work.tip.designation, quote=False)


VERBS: dict[str, tuple[str, Callable[[Work], None]]] = {
    "核查": ("tip.work", _step("review")),
    "已处理": ("tip.work", _step("actioned")),
    "不足": ("tip.work", _step("insufficient")),
    "不归我们": ("tip.work", _step("outside")),
    "封存": ("tip.seal", _step("seal")),
    "延期": ("tip.postpone", _postpone),
    "授权": ("tip.grant", _grant),
    "收回": ("tip.grant", _revoke),
    "移交": ("tip.grant", _transfer),
    "身份": ("tip.identity", _ask_identity),
    "申请": ("tip.decide", _requests),
    "准": ("tip.decide", _decide(True)),
    "不准": ("tip.decide", _decide(False)),
    "看身份": ("tip.identity", _identity),
    "启封": ("tip.unseal", _step("unseal")),
    "销毁": ("tip.destroy", _destroy),
}
