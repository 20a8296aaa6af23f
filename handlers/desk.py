"""The officers' desk in the chat: look, accept, dispatch, take, ask, answer, resolve."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session, select

from bot.dialogs import Dialogs
from bot.errors import NotAllowed
from bot.messages import Inbound
from bot.permissions import Rights, Role
from bot.router import CaseNumber, Router, Words
from bot.say import Say
from bot.turn import Photos
from cases.desk import CaseDesk
from cases.dispatch import find_unit, handlers_of
from cases.lifecycle import ABOUT, State
from cases.queue import queue_of
from cases.statistics import count
from content.refusal import Refusal
from handlers.callback import ask_reporter
from handlers.cards import case_card, trouble_with
from storage.tables import Case, CaseEntry, Officer, Unit

router = Router("desk")

HANDLERS = (Role.OFFICER, Role.GRID_WORKER)
DESK = (Role.OFFICER, Role.GRID_WORKER, Role.DISPATCHER, Role.SUPERVISOR)
SHORTEST_RESULT = 4  # characters: "已处理" says nothing to the person who has to confirm it
MOST_SHOWN = 12
PHOTO_WAIT = timedelta(minutes=10)
_UNITS = re.compile(r"[\s、,，+＋]+")


@router.command("待办", "queue", about="看等您处理的事", needs=DESK)
def queue(message: Inbound, officer: Officer, rights: Rights, desk: CaseDesk, say: Say, session: Session) -> None:
    """Open cases of the officer's own scope, most urgent and oldest first."""
    cases = [case for case in queue_of(session) if rights.covers("case.queue", case.grid_id, desk.units(case))]
    own = [case for case in cases if case.officer_id == officer.id]
    rest = [case for case in cases if case.officer_id is None]
    shown = [(case_card(case, desk, session), case in own) for case in [*own, *rest][:MOST_SHOWN]]
    rights.audit("case.queue", target="", allowed=True)
    more = max(0, len(own) + len(rest) - MOST_SHOWN)
    out_of_the_group(message, say, "desk.queue", cases=shown, more=more)


@router.command("查", "show", usage="号", about="看一件事办到哪一步了；不写号就看您最近反映的")
def show(
    message: Inbound,
    number: CaseNumber | None,
    words: Words,
    rights: Rights,
    desk: CaseDesk,
    say: Say,
    session: Session,
    zone: ZoneInfo,
) -> None:
    """A resident sees his own cases; an officer sees those of his scope, with the history, in private only."""
    if number is None and words:
        raise Refusal("desk.no_such", number=f"“{words[:20]}”")
    if number is None:
        mine = desk.of_reporter(message.address.platform, message.sender.id)
        rows = [case_card(case, desk, session) for case in mine]
        out_of_the_group(message, say, "desk.mine" if rows else "desk.none_of_mine", cases=rows)
        return
    case = desk.find(number)
    if case.reporter == message.sender.id and case.platform == message.address.platform:
        if case.private:
            out_of_the_group(message, say, "desk.status", case=case, result=case.result, **case_card(case, desk, session))
        else:
            say.reply("desk.status", case=case, result=case.result, **case_card(case, desk, session))
        return
    if rights.officer is not None and not rights.covers("case.view", case.grid_id, desk.units(case)):
        raise NotAllowed("desk.no_such", action="case.view", target=number, number=number)
    if rights.officer is None or not rights.covers("case.view", case.grid_id, desk.units(case)):
        # a number that is not yours looks exactly like one that never existed
        raise Refusal("desk.no_such", number=number)
    desk.look(case)
    history = [
        (line.at.astimezone(zone).strftime("%m-%d %H:%M"), say.word(f"desk.line.{line.kind}"), _told(line))
        for line in desk.history(case)
    ]
    out_of_the_group(message, say, "desk.full", case=case, history=history[-12:], **case_card(case, desk, session))


def _told(line: CaseEntry) -> str:
    """What a line of the history says; of a step where it led, too."""
    state = ABOUT[State(line.state)].name if line.state else ""
    return "，".join(part for part in (state, line.text) if part)


@router.command("受理", "accept", usage="号", about="受理一件事", needs=(Role.DISPATCHER,))
def accept(number: CaseNumber, desk: CaseDesk, say: Say) -> None:
    """Within remit."""
    case = desk.find(number)
    desk.accept(case)
    say.reply("desk.accepted", case=case, number=case.number)
    say.to_reporter_alone(case, "progress.accepted", number=case.number)


@router.command("不受理", "reject", usage="号 理由和该找谁", about="不受理，要写理由和该找谁", needs=(Role.DISPATCHER,))
def reject(number: CaseNumber, words: Words, desk: CaseDesk, say: Say) -> None:
    """With the reason and the right channel."""
    if len(words) < SHORTEST_RESULT:
        raise Refusal("refusal.usage", command="不受理", usage="号 理由和该找谁")
    case = desk.find(number)
    desk.reject(case, words)
    say.reply("desk.rejected", case=case, number=case.number)
    say.to_reporter(case, "progress.rejected", number=case.number, reason=words)


@router.command("派单", "dispatch", usage="号 单位（可以写几个，第一个牵头）", about="派给单位", needs=(Role.DISPATCHER,))
def dispatch(number: CaseNumber, words: Words, desk: CaseDesk, say: Say, session: Session) -> None:
    """To one lead unit and, if named, assisting ones."""
    names = [name for name in _UNITS.split(words) if name]
    if not names:
        raise Refusal("refusal.usage", command="派单", usage="号 单位")
    units: list[Unit] = []
    for name in names:
        unit = find_unit(session, name)
        if unit is None:
            raise Refusal("desk.no_unit", name=name[:20], known="、".join(known_units(session)))
        units.append(unit)
    case = desk.find(number)
    desk.dispatch(case, units)
    listed = "、".join(unit.name for unit in units)
    say.reply("desk.dispatched_by_you", case=case, number=case.number, units=listed)
    say.to_reporter_alone(case, "progress.dispatched", number=case.number, units=listed)
    say.to_officers(handlers_of(session, case), "desk.dispatched", case=case, **case_card(case, desk, session))


@router.command("接单", "take", usage="号", about="接下一件事", needs=HANDLERS)
def take(number: CaseNumber, desk: CaseDesk, say: Say, session: Session) -> None:
    """The first one has it."""
    case = desk.find(number)
    officer = desk.take(case)
    say.reply("desk.taken_by_you", case=case, **case_card(case, desk, session))
    say.to_reporter_alone(case, "progress.taken", number=case.number, unit=signing_unit(case, officer, desk, session))


@router.command("联系", "contact", usage="号 联系情况", about="记下已经联系过反映人", needs=HANDLERS)
def contact(number: CaseNumber, words: Words, desk: CaseDesk, say: Say) -> None:
    """Talked to the reporter; in progress from now on."""
    case = desk.find(number)
    desk.contact(case, words)
    say.reply("desk.contacted", case=case, number=case.number)


@router.command("追问", "request", usage="号 要问的话", about="请反映人补充情况", needs=DESK)
def request(number: CaseNumber, words: Words, desk: CaseDesk, say: Say) -> None:
    """Ask the reporter; the answer, quoted or with the number, comes back into the case."""
    if not words:
        raise Refusal("refusal.usage", command="追问", usage="号 要问的话")
    case = desk.find(number)
    desk.request(case, words)
    say.reply("desk.requested", case=case, number=case.number)
    say.to_reporter(case, "progress.request", number=case.number, text=words)


@router.command("办结", "resolve", usage="号 处理结果", about="报处理结果，随后由机器人回访", needs=HANDLERS)
def resolve(
    message: Inbound,
    number: CaseNumber,
    words: Words,
    photos: Photos,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    session: Session,
) -> None:
    """With a result that the reporter can judge; a photo of it may come along or follow."""
    if len(words) < SHORTEST_RESULT:
        raise Refusal("desk.needs_result", number=number)
    case = desk.find(number)
    officer = desk.resolve(case, words)
    desk.attach(case, photos.ids, "officer", message_id=message.message_id, officer_id=officer.id)
    say.reply("desk.resolved", case=case, number=case.number, trouble=trouble_with(photos, say))
    dialogs.ask("result.photo", wait=PHOTO_WAIT, case_id=case.id)
    photo = desk.photos(case)[-1].path if photos.ids else None
    unit = signing_unit(case, officer, desk, session)
    ask_reporter(case, "callback.ask", desk, dialogs, say, photo=photo, result=case.result, unit=unit)


@router.command("回复", "reply", usage="号 答复", about="答复居民的咨询", needs=DESK)
def reply(number: CaseNumber, words: Words, desk: CaseDesk, dialogs: Dialogs, say: Say, session: Session) -> None:
    """A question is answered and asked back about; in any other case the words go to the reporter."""
    if not words:
        raise Refusal("refusal.usage", command="回复", usage="号 答复")
    case = desk.find(number)
    if case.kind != "question":
        officer = desk.look(case)
        desk.note(case, words)
        unit = signing_unit(case, officer, desk, session)
        say.to_reporter(case, "progress.message", number=case.number, unit=unit, text=words)
        say.reply("desk.passed_on", case=case, number=case.number)
        return
    officer = desk.resolve(case, words, action="answer")
    unit = signing_unit(case, officer, desk, session)
    say.reply("desk.answered", case=case, number=case.number)
    ask_reporter(case, "question.reply", desk, dialogs, say, question=case.text[:60], unit=unit, text=words)


@router.command("统计", "stats", about="看本月的件数和办结情况", needs=(*DESK, Role.AUDITOR))
def stats(message: Inbound, rights: Rights, desk: CaseDesk, say: Say, session: Session) -> None:
    """This month in the officer's scope; what could not be confirmed is counted apart."""
    rights.audit("stats.view", target="", allowed=True)
    table = count(session, desk.now, desk.zone, lambda case: rights.covers("stats.view", case.grid_id, desk.units(case)))
    out_of_the_group(message, say, "desk.stats", table=table)


def out_of_the_group(message: Inbound, say: Say, phrase: str, **values: Any) -> None:
    """What is not for everybody's eyes goes to the private chat, and the group hears only that."""
    if not message.address.private:
        say.reply("help.sent_privately")
    say.privately(phrase, **values)


def known_units(session: Session) -> list[str]:
    """The names of all units, for a refusal that helps."""
    return [unit.name for unit in session.exec(select(Unit)).all()]


def signing_unit(case: Case, officer: Officer, desk: CaseDesk, session: Session) -> str:
    """The unit signs, not the person."""
    if name := desk.unit_name(case):
        return name
    unit = session.get(Unit, officer.unit_id) if officer.unit_id else None
    return unit.name if unit else officer.title
