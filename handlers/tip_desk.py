"""Confidential tips, as custodians and the officers they let in work on them: `/线索`, `/回线索`, `/办线索` and the passphrase.

Whom a tip is sealed to decides who may read it; the roster only decides who may hold such access at all.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.permissions import Rights, Role
from bot.router import Router, Words
from bot.say import Say
from bot.turn import Effects, Rules
from cases.roster import Roster
from cases.tips import STATE_NAMES, Prepared, Tips, TipState
from content.refusal import Refusal
from content.spelling import named
from handlers.asking import Act, Confirmations
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
    confirmations: Confirmations


@router.command(
    "线索", "tips", usage="代号", about="看线索（只在私聊里；每次查看都有记录）", needs=READERS, private=True, names=True
)
def show_tips(words: Words, tips: Tips, rights: Rights, say: Say, zone: ZoneInfo, effects: Effects, rules: Rules) -> None:
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
        ("来源" if line.author == "source" else "我们", line.at.astimezone(zone).strftime("%m月%d日"), line.text, line.pictures)
        for line in tips.read(tip, officer)
    ]
    effects.unsay = True
    tokens = tips.links(tip, officer)
    say.secretly(
        "tips.dialogue",
        name=tip.designation,
        lines=lines,
        state=STATE_NAMES[TipState(tip.state)],
        pictures=len(tokens),
        links=[rules.tip_pages + token for token in tokens] if rules.tip_pages else [],
    )


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
    name = named(name)
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
def work_on_tip(words: Words, tips: Tips, rights: Rights, roster: Roster, confirmations: Confirmations, say: Say) -> None:
    """`/办线索 青松123 授权 3201`: one step, written down whether it was allowed or not."""
    name, _, rest = words.partition(" ")
    verb, _, more = rest.strip().partition(" ")
    name, verb = named(name), named(verb)
    if verb not in VERBS:
        raise Refusal("tips.verbs", name=name[:20], verbs="、".join(VERBS))
    action, do = VERBS[verb]
    officer = rights.require_anywhere(action, target=name[:20])
    tip = tips.find(name, officer)
    do(Work(tip, officer, more.strip(), tips, rights, roster, say, confirmations))


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
    if work.confirmations.enabled:
        _wait(work, "tip.grant", other, work.tips.prepare(work.tip, work.officer, other))
        return
    work.tips.grant(work.tip, work.officer, other)
    work.say.reply("tips.granted", name=work.tip.designation, who=other.name, quote=False)
    work.say.to_officers([other], "tips.card_granted", name=work.tip.designation)


def carry_out_grant(act: Act) -> None:
    """The custodian's delay is over: the other officer may read it."""
    tip, other = _of(act, "tip.grant")
    act.tips.hand_over(tip, other, _prepared(act))
    act.say.to_officers([other], "tips.card_granted", name=tip.designation)


def _revoke(work: Work) -> None:
    other = _colleague(work)
    work.tips.revoke(work.tip, other)
    work.say.reply("tips.revoked", name=work.tip.designation, who=other.name, quote=False)


def _transfer(work: Work) -> None:
    other = _reader(work)
    if work.confirmations.enabled:
        _wait(work, "tip.transfer", other, work.tips.prepare(work.tip, work.officer, other))
        return
    work.tips.transfer(work.tip, work.officer, other)
    work.say.reply("tips.transferred", name=work.tip.designation, who=other.name, quote=False)
    work.say.to_officers([other], "tips.card_granted", name=work.tip.designation)


def carry_out_transfer(act: Act) -> None:
    """The same for giving it away."""
    tip, other = _of(act, "tip.grant")
    act.tips.transfer(tip, act.officer, other, _prepared(act))
    act.say.to_officers([other], "tips.card_granted", name=tip.designation)


def _wait(work: Work, kind: str, other: Officer, prepared: Prepared | None) -> None:
    """What reaches far waits; the key was open now, so what it takes lies ready, sealed to the other officer."""
    about = work.say.word(f"confirm.about_{kind.replace('.', '_')}", name=work.tip.designation, who=other.name, badge=other.badge)
    payload: dict[str, str | int] = {"tip": work.tip.designation, "officer": other.id or 0}
    if prepared is not None:
        payload |= {"sealed": b64encode(prepared.sealed).decode(), "public": b64encode(prepared.public).decode()}
    work.confirmations.ask(kind, work.officer, about=about, payload=payload)


def _of(act: Act, action: str) -> tuple[Tip, Officer]:
    """The tip and the other officer of a pending action, if all three are still there."""
    name = act.text("tip")
    act.rights.require_anywhere(action, target=name)
    other = act.roster.get(act.number("officer"))
    if other is None or not other.active:
        raise Refusal("officers.has_left")
    return act.tips.find(name, act.officer), other


def _prepared(act: Act) -> Prepared:
    return Prepared(b64decode(act.text("sealed")), b64decode(act.text("public")))


def _ask_identity(work: Work) -> None:
    if not work.words:
        raise Refusal("tips.reason_needed", name=work.tip.designation)
    deciders = work.tips.ask_identity(work.tip, work.officer, work.words)
    work.say.reply("tips.identity_asked", name=work.tip.designation, quote=False)
    work.say.to_officers(deciders, "tips.card_asked", name=work.tip.designation, who=work.officer.name, badge=work.officer.badge)


def _allow(work: Work) -> None:
    asker = _colleague(work)
    if work.confirmations.enabled:
        _wait(work, "tip.decide", asker, work.tips.prepare_identity(work.tip, work.officer, asker))
        return
    work.tips.decide_identity(work.tip, work.officer, asker, allow=True)
    work.say.reply("tips.decided", name=work.tip.designation, who=asker.name, allow=True, quote=False)
    work.say.to_officers([asker], "tips.card_decided", name=work.tip.designation, allow=True)


def carry_out_identity(act: Act) -> None:
    """The custodian's delay is over: the asker may see who the source is."""
    tip, asker = _of(act, "tip.decide")
    prepared = _prepared(act) if "sealed" in act.payload else None
    act.tips.decide_identity(tip, act.officer, asker, allow=True, prepared=prepared)
    act.say.to_officers([asker], "tips.card_decided", name=tip.designation, allow=True)


def _refuse(work: Work) -> None:
    asker = _colleague(work)
    work.tips.decide_identity(work.tip, work.officer, asker, allow=False)
    work.say.reply("tips.decided", name=work.tip.designation, who=asker.name, allow=False, quote=False)
    work.say.to_officers([asker], "tips.card_decided", name=work.tip.designation, allow=False)


def _requests(work: Work) -> None:
    rows = [(who.name, who.badge, reason) for who, reason in work.tips.requests(work.tip, work.officer)]
    work.say.secretly("tips.requests", name=work.tip.designation, rows=rows)


def _identity(work: Work) -> None:
    words = work.tips.identity(work.tip, work.officer)
    work.say.secretly("tips.identity", name=work.tip.designation, words=words)


def _unseal(work: Work) -> None:
    if work.confirmations.enabled:
        _wait(work, "tip.unseal", work.officer, None)
        return
    _step("unseal")(work)


def _destroy(work: Work) -> None:
    if work.confirmations.enabled:
        _wait(work, "tip.destroy", work.officer, None)
        return
    work.tips.destroy(work.tip)
    work.say.reply("tips.destroyed", name=work.tip.designation, quote=False)


def carry_out_step(act: Act) -> None:
    """The custodian's delay is over: what was sealed is opened, or what was to go is gone."""
    tip, _ = _of(act, act.row.kind)
    if act.row.kind == "tip.destroy":
        act.tips.destroy(tip)
    else:
        act.tips.move(tip, "unseal")


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
    "准": ("tip.decide", _allow),
    "不准": ("tip.decide", _refuse),
    "看身份": ("tip.identity", _identity),
    "启封": ("tip.unseal", _unseal),
    "销毁": ("tip.destroy", _destroy),
}
