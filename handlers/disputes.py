"""Disputes: a mediation is arranged, held, written down, and asked about a week later."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TypedDict
from zoneinfo import ZoneInfo

from sqlmodel import Session

from bot.dialogs import DialogKey, Dialogs, Pending
from bot.messages import Address, Choice, Inbound
from bot.permissions import Rights, Role
from bot.router import CaseNumber, Router, Words
from bot.say import Say
from bot.timers import Due, Timers
from bot.turn import NotMine
from cases.desk import CaseDesk
from cases.lifecycle import State
from cases.mediation import FOLLOW_UP_AFTER, RECORD_AFTER, REMIND_BEFORE, Mediations
from cases.times import when_in
from content.refusal import Refusal
from content.spelling import named
from handlers.callback import ask_reporter
from storage.tables import Case, Officer

router = Router("disputes")

HANDLERS = (Role.OFFICER, Role.GRID_WORKER, Role.DISPATCHER)
ARRANGE_USAGE = "号 时间 地点或链接（可加：调解员某某；参加人某某）"
RECORD_USAGE = "号 达成（或没达成） 内容"
FOLLOW_WAIT = timedelta(days=3)
KEPT, BROKEN = "做到了", "没做到"
_MEDIATOR = re.compile(r"[;；,，\s]*调解员[:：\s]*(\S{2,8}?)(?=[;；,，\s]|$)")
_PARTIES = re.compile(r"[;；,，\s]*参加人[:：\s]*([^;；]+)")
ABSENT = (
    r"(?s)(?=.{2,80}$).{0,40}?(?:[来去]不了|[不没](?:能|法)[来去]|不[来去]了|赶不[上到]|没空|没时间|不方便|改(?:天|个?时间|期|到|约)"
    r"|换(?:个|一个)?(?:时间|日子|地方)).*"
)
_ABSENT = re.compile(ABSENT)


class Appointment(TypedDict):
    """The values of the phrases that name an appointment."""

    number: str
    at: str
    place: str
    mediator: str


@router.command("调解", "mediate", usage=ARRANGE_USAGE, about="约一次调解", needs=HANDLERS, aside=True)
def arrange(
    number: CaseNumber,
    words: Words,
    desk: CaseDesk,
    mediations: Mediations,
    dialogs: Dialogs,
    timers: Timers,
    say: Say,
    now: datetime,
    zone: ZoneInfo,
) -> None:
    """`/调解 2611-0009 12月1日19:00 社区调解室 调解员周小琴`."""
    mediator, parties = _MEDIATOR.search(words), _PARTIES.search(words)
    rest = _PARTIES.sub("", _MEDIATOR.sub("", words))
    when = when_in(rest, now, zone)
    if when is None or len(when.rest) < 2:
        raise Refusal("refusal.usage", command="调解", usage=ARRANGE_USAGE)
    case = desk.find(number)
    held = mediations.arrange(
        case, when.at, when.rest[:120], parties[1].strip()[:120] if parties else "", mediator[1] if mediator else ""
    )
    timers.after(max(held.at - REMIND_BEFORE - now, timedelta(0)), "mediation.remind", str(held.id))
    timers.after(held.at + RECORD_AFTER - now, "mediation.record", str(held.id))
    found = mediations.get(held.id or 0)
    name = found[2].name if found else ""
    said = Appointment(number=case.number, at=_told(held.at, zone), place=held.place, mediator=name)
    say.reply("mediation.arranged", case=case, **said)
    say.to_reporter_alone(case, "mediation.invited", **said)
    if case.reporter is not None:
        data = {"id": str(held.id)}
        dialogs.ask("mediation.coming", wait=held.at - now, case_id=case.id, data=data, of=_alone(case))
    if found is not None:
        say.to_officers([found[2]], "mediation.card", case=case, text=case.text, parties=held.parties, **said)


@router.dialog("mediation.coming", hears=ABSENT)
def cannot_come(message: Inbound, pending: Pending, desk: CaseDesk, mediations: Mediations, dialogs: Dialogs, say: Say) -> None:
    """Who was asked to say so in time says that he cannot come: the mediator hears it."""
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    found = mediations.get(int(pending.data["id"]))
    if case is None or found is None or found[0].state != "arranged":
        dialogs.end()
        raise NotMine
    text = message.text.strip()
    if message.copied or message.attachments or _ABSENT.fullmatch(text) is None:
        raise NotMine
    desk.add(case, text, (), "reporter", message.message_id)
    say.reply("mediation.absent", case=case, number=case.number)
    say.to_officers([found[2]], "mediation.absent_card", case=case, number=case.number, said=text)


@router.timer("mediation.remind")
def remind(due: Due, mediations: Mediations, say: Say, zone: ZoneInfo) -> None:
    """Two hours before: the reporter and the mediator."""
    found = mediations.get(int(due.key))
    if found is None or found[0].state != "arranged":
        return
    held, case, mediator = found
    said = Appointment(number=case.number, at=_told(held.at, zone), place=held.place, mediator=mediator.name)
    say.to_reporter_alone(case, "mediation.soon", **said)
    say.to_officers([mediator], "mediation.soon", case=case, **said)


@router.timer("mediation.record")
def ask_for_record(due: Due, mediations: Mediations, say: Say) -> None:
    """Afterwards: what came of it?"""
    found = mediations.get(int(due.key))
    if found is not None and found[0].state == "arranged":
        say.to_officers([found[2]], "mediation.what_came", case=found[1], number=found[1].number)


@router.command("调解记录", "mediated", usage=RECORD_USAGE, about="记下调解的结果", needs=HANDLERS, aside=True)
def record(
    number: CaseNumber,
    words: Words,
    officer: Officer,
    rights: Rights,
    desk: CaseDesk,
    mediations: Mediations,
    dialogs: Dialogs,
    timers: Timers,
    say: Say,
    session: Session,
) -> None:
    """Agreed: the reporter is asked, and a week later once more. Not agreed: what else there is."""
    word, _, text = words.partition(" ")
    word = named(word)
    if word not in ("达成", "没达成", "未达成") or len(text.strip()) < 2:
        raise Refusal("refusal.usage", command="调解记录", usage=RECORD_USAGE)
    case = desk.find(number)
    held = mediations.record(case, text.strip(), agreed=word == "达成", by=officer)
    rights.audit("mediation.record", target=case.number, allowed=True)
    timers.cancel("mediation.remind", str(held.id))
    timers.cancel("mediation.record", str(held.id))
    if word != "达成":
        say.reply("mediation.failed", case=case, number=case.number)
        say.to_reporter_alone(case, "mediation.other_ways", number=case.number, text=text.strip())
        return
    desk.helped(case, say.word("mediation.result", text=text.strip()))
    say.reply("mediation.agreed", case=case, number=case.number, days=FOLLOW_UP_AFTER.days)
    timers.after(FOLLOW_UP_AFTER, "mediation.follow", str(held.id))
    ask_reporter(case, desk, dialogs, timers, say, session)


@router.timer("mediation.follow")
def follow_up(due: Due, mediations: Mediations, dialogs: Dialogs, say: Say) -> None:
    """A week later, in private: is it kept?"""
    found = mediations.get(int(due.key))
    if found is None or found[1].reporter is None or found[1].state not in (State.CLOSED_CONFIRMED, State.VERIFYING):
        return
    held, case, _ = found
    say.to_reporter_alone(
        case, "mediation.kept", number=case.number, result=held.record, choices=(Choice(KEPT, KEPT), Choice(BROKEN, BROKEN))
    )
    dialogs.ask("mediation.kept", wait=FOLLOW_WAIT, case_id=case.id, data={"id": str(held.id)}, of=_alone(case))


@router.dialog("mediation.kept", hears=rf"\s*(?:{KEPT}|{BROKEN}).*")
def kept_or_not(message: Inbound, pending: Pending, desk: CaseDesk, mediations: Mediations, dialogs: Dialogs, say: Say) -> None:
    """Kept: thanks. Broken: the mediator takes it up again."""
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    found = mediations.get(int(pending.data["id"]))
    text = message.text.strip()
    if case is None or found is None or not text.startswith((KEPT, BROKEN)):
        raise NotMine
    dialogs.end()
    if text.startswith(KEPT):
        say.reply("mediation.good", case=case, number=case.number)
        return
    desk.deny(case, text)
    say.reply("mediation.again", case=case, number=case.number)
    say.to_officers([found[2]], "mediation.broken", case=case, number=case.number, said=text, result=found[0].record)


def _alone(case: Case) -> DialogKey:
    private = Address(case.platform, case.account, case.reporter or "", private=True)
    return DialogKey.of(private, case.reporter or "")


def _told(at: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    return f"{local.month}月{local.day}日{local:%H:%M}"
