"""Somebody says that who is looked for is found, or that it was not so: whoever searches hears it, and no search is forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session, and_, col, or_, select

from bot.campaigns.missing import Chain, missing_of
from bot.campaigns.steps import officers_for
from bot.dialogs import DialogKey, Dialogs, Pending
from bot.messages import Address, Inbound
from bot.permissions import Rights
from bot.router import Router
from bot.say import Say
from bot.timers import Due, Timers
from bot.turn import Effects, NotMine
from bot.understanding.meaning import Meaning
from cases.alarms import OPEN_FOR, Alarms
from cases.desk import CaseDesk
from cases.dispatch import handlers_of
from cases.lifecycle import ABOUT, State
from content.refusal import Refusal
from handlers.cards import tell_holder
from handlers.hearing import NO_CRY, NOT_FOUND, says_not_found, says_without_cry
from handlers.reports import author_of
from storage.tables import Alarm, Case, Missing, Officer

router = Router("found")

SAID_FOUND, SAID_NOT_FOUND = "found", "not_found"  # kinds of the history's lines
UNFOUND = "unfound"
LONGEST_FOUND = 100
TOLD_AGAIN_AFTER = timedelta(minutes=10)
REMINDED_AFTER = timedelta(minutes=10)  # so long the family takes to be called
BEFORE_A_CRY = timedelta(hours=2)  # a search that was written down before the cry may be about the same person
UNVERIFIED, UNANSWERED = "missing.unverified", "missing.said_found"
ASK_AGAIN_AFTER = timedelta(minutes=3)


def said_found(case: Case, desk: CaseDesk) -> str | None:
    """The first words that said that the person is found, since anybody last said that it was not so."""
    words: str | None = None
    for line in desk.history(case):
        if line.kind == SAID_NOT_FOUND:
            words = None
        elif line.kind == SAID_FOUND and words is None:
            words = line.text
    return words


def verifiers(session: Session, case: Case, now: datetime) -> list[Officer]:
    """Who can stand for it: the officers of that place, and whoever approves for the district."""
    units = (case.unit_id,) if case.unit_id is not None else ()
    near = [
        officer
        for officer in handlers_of(session, case)
        if officer.active and Rights(session, officer, case.platform, now).covers("missing.verify", case.grid_id, units)
    ]
    known = {officer.id: officer for officer in (*near, *officers_for(session, "missing.verify"))}
    return list(known.values())


def searches_for(session: Session, alarm: Alarm, grid_id: int | None) -> list[tuple[Missing, Case]]:
    """The searches that a cry for somebody who is missing may have led to, and that are not over: of its chat, of its grid, or
    written by whoever took it over."""
    of_it = [and_(col(Case.platform) == alarm.platform, col(Case.chat) == alarm.chat)]
    of_it += [col(Case.grid_id) == grid_id] if grid_id is not None else []
    of_it += [col(Missing.officer_id) == alarm.officer_id] if alarm.officer_id is not None else []
    wanted = (
        select(Missing, Case)
        .join(Case, col(Case.id) == col(Missing.case_id))
        .where(col(Missing.state).in_((Chain.PENDING, Chain.ACTIVE)), Missing.created_at >= alarm.started_at - BEFORE_A_CRY)
        .where(or_(*of_it))
    )
    return list(session.exec(wanted.order_by(col(Missing.id))).all())


def tell_found(
    message: Inbound,
    missing: Missing,
    case: Case,
    where: str,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    timers: Timers,
    session: Session,
    *,
    alarm: Alarm | None = None,
) -> None:
    """Somebody says that the person is found: whoever searches hears it, and ends it or goes on; once more when nothing is done.

    `alarm`: the cry for the person; whoever cried is believed more.
    """
    own = alarm is not None and message.sender.id == alarm.sender
    told = any(line.kind == SAID_FOUND and desk.now - line.at < TOLD_AGAIN_AFTER for line in desk.history(case))
    desk.note_from_reporter(case, SAID_FOUND, message.text[:LONGEST_FOUND])
    listen_for_not_found(message, case, dialogs, alarm)
    if told and not own:
        return  # a group repeats good news
    timers.after(REMINDED_AFTER, UNANSWERED, str(case.id), where=where)
    say.to_officers(
        _searchers(missing, case, desk, session),
        "missing.said_found_card",
        case=case,
        number=case.number,
        where=where,
        own=own,
        text=message.text[:LONGEST_FOUND],
        pending=missing.state == Chain.PENDING,
    )


def listen_for_not_found(message: Inbound, case: Case, dialogs: Dialogs, alarm: Alarm | None) -> None:
    """Whoever said that somebody is found, and whoever cried, may say that it was not so."""
    data = {"case": str(case.id), "alarm": str(alarm.id) if alarm is not None else ""}
    dialogs.listen(UNFOUND, wait=OPEN_FOR, data=data)
    if alarm is not None and alarm.sender != message.sender.id:
        where = Address(alarm.platform, alarm.account, alarm.chat, private=alarm.private, thread=alarm.thread)
        dialogs.listen(UNFOUND, wait=OPEN_FOR, data=data, of=DialogKey.of(where, alarm.sender))


@router.timer(UNANSWERED)
def remind(due: Due, desk: CaseDesk, say: Say, session: Session) -> None:
    """It was said that the person is found, and nobody has ended the search or gone on with it: once."""
    case = desk.get(int(due.key))
    missing = missing_of(session, case.id) if case is not None else None
    if case is None or missing is None or missing.state not in (Chain.PENDING, Chain.ACTIVE):
        return
    words = said_found(case, desk)
    if words is not None:
        say.to_officers(
            _searchers(missing, case, desk, session),
            "missing.said_found_again",
            case=case,
            number=case.number,
            where=due.data["where"],
            text=words,
            pending=missing.state == Chain.PENDING,
        )


@router.dialog(UNFOUND, hears=NOT_FOUND, calm=NO_CRY)
def not_found_after_all(
    message: Inbound,
    meaning: Meaning,
    pending: Pending,
    alarms: Alarms,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    timers: Timers,
    effects: Effects,
    session: Session,
) -> None:
    """It was somebody else: the search goes on, as does the emergency that was taken for over."""
    case = desk.get(int(pending.data["case"]))
    if case is None or not ABOUT[State(case.state)].open:
        dialogs.end()
        raise NotMine
    if message.copied or message.attachments or not says_not_found(message.text):
        raise NotMine
    alarm = alarms.get(int(pending.data["alarm"])) if pending.data["alarm"] else None
    missing = missing_of(session, case.id)
    if missing is None:
        desk.add(case, message.text, (), author_of(message, case, desk), message.message_id)
        tell_holder(case, "desk.addition", say, session, text=message.text, photos=0)
    elif said_found(case, desk) is None:
        raise NotMine  # that is known
    else:
        where = alarms.group_name(alarm) if alarm is not None else ""
        take_up(missing, case, message.text, where, desk, say, timers, session)
    if alarm is not None and alarm.safe_at is not None and alarm.case_id == case.id:
        alarms.goes_on(alarm)
        effects.alarms[message.address] = alarm.id
    if meaning.danger is not None and not says_without_cry(message.text):
        return  # it may be another who is missing, so the advice is said
    if message.address.private or (alarm is not None and message.sender.id == alarm.sender):
        say.reply("missing.goes_on")


def take_up(
    missing: Missing,
    case: Case,
    words: str,
    where: str,
    desk: CaseDesk,
    say: Say,
    timers: Timers,
    session: Session,
    *,
    by: Officer | None = None,
) -> None:
    """A search of which somebody said that it is over goes on: what is not out yet is asked about as if just written.

    `by`: the officer who says so, who need not be told.
    """
    if missing.state not in (Chain.PENDING, Chain.ACTIVE):
        raise Refusal("missing.over", number=case.number)
    desk.note_from_reporter(case, SAID_NOT_FOUND, words[:LONGEST_FOUND])
    timers.cancel(UNANSWERED, str(case.id))
    if missing.state == Chain.PENDING:
        timers.after(ASK_AGAIN_AFTER, UNVERIFIED, str(case.id), round="1")
    who = f"{by.title}{by.name}" if by is not None else ""
    say.to_officers(
        [officer for officer in _searchers(missing, case, desk, session) if by is None or officer.id != by.id],
        "missing.said_not_found_card",
        case=case,
        number=case.number,
        where=where or who,
        text=words[:LONGEST_FOUND],
        pending=missing.state == Chain.PENDING,
    )


def _searchers(missing: Missing, case: Case, desk: CaseDesk, session: Session) -> list[Officer]:
    """Whoever wrote it down, stands for it or has the case; before it is out everybody who could stand for it."""
    known = dict.fromkeys((missing.officer_id, missing.verified_by, case.officer_id))
    officers = {key: officer for key in known if key is not None and (officer := session.get(Officer, key)) is not None}
    if missing.state == Chain.PENDING:
        officers |= {officer.id: officer for officer in verifiers(session, case, desk.now) if officer.id is not None}
    return list(officers.values())
