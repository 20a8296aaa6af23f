"""Somebody says that who is looked for is found, or that it was not so: whoever searches hears it, and no search is forgotten."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlmodel import Session, and_, col, or_, select

from bot.campaigns.missing import Chain, missing_of
from bot.campaigns.steps import officers_for
from bot.dialogs import DialogKey, Dialogs, Pending
from bot.messages import Address, Inbound
from bot.notices import Lane
from bot.permissions import Rights
from bot.router import Router
from bot.say import Say
from bot.timers import Due, Timers
from bot.turn import Effects, NotMine, Rules
from bot.understanding.meaning import Danger
from cases.alarms import BEFORE_A_CRY, OPEN_FOR, Alarms
from cases.desk import CaseDesk
from cases.dispatch import handlers_of
from cases.lifecycle import ABOUT, State
from content.refusal import Refusal
from handlers.cards import tell_holder
from handlers.hearing import NO_CRY, NOT_FOUND, says_not_found, says_without_cry
from handlers.reports import author_of
from handlers.shown import listen
from storage.tables import Alarm, Campaign, Case, CaseEntry, Group, Missing, Officer

router = Router("found")

SAID_FOUND, SAID_NOT_FOUND = "found", "not_found"  # kinds of the history's lines
UNFOUND = "unfound"
LONGEST_FOUND = 100
TOLD_AGAIN_AFTER = timedelta(minutes=10)
REMINDED_AFTER = timedelta(minutes=10)  # so long the family takes to be called
UNVERIFIED, UNANSWERED = "missing.unverified", "missing.said_found"
ASK_AGAIN_AFTER = timedelta(minutes=3)


def said_found(case: Case, desk: CaseDesk) -> str | None:
    """The first words that said that the person is found, since anybody last said that it was not so."""
    lines = _found_lines(case, desk)
    return lines[0].text if lines else None


def _found_lines(case: Case, desk: CaseDesk) -> list[CaseEntry]:
    """Who has said that the person is found, since anybody last said that it was not so."""
    lines: list[CaseEntry] = []
    for line in desk.history(case):
        if line.kind == SAID_NOT_FOUND:
            lines = []
        elif line.kind == SAID_FOUND:
            lines.append(line)
    return lines


def _unanswered_lines(missing: Missing, case: Case, desk: CaseDesk, session: Session) -> list[CaseEntry]:
    """The same without what was overruled when the search was sent out."""
    alert = session.get(Campaign, missing.campaign_id) if missing.campaign_id is not None else None
    out = alert.approved_at if alert is not None else None
    return [line for line in _found_lines(case, desk) if out is None or line.at >= out]


def _is_known(missing: Missing, case: Case, desk: CaseDesk) -> bool:
    """Whether it was said already that it was not so, and nothing came after it: no "找到了", and no officer who ended it."""
    if said_found(case, desk) is not None:
        return False
    ended = missing.ended_at if missing.state not in (Chain.PENDING, Chain.ACTIVE) else None
    return ended is None or any(line.kind == SAID_NOT_FOUND and line.at >= ended for line in desk.history(case))


def _was_just_denied(case: Case, desk: CaseDesk) -> bool:
    return any(line.kind == SAID_NOT_FOUND and desk.now - line.at < TOLD_AGAIN_AFTER for line in desk.history(case))


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
    told = any(desk.now - line.at < TOLD_AGAIN_AFTER for line in _unanswered_lines(missing, case, desk, session))
    desk.note_from_reporter(case, SAID_FOUND, message.text[:LONGEST_FOUND])
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


def listen_for_not_found(message: Inbound, cases: Iterable[Case], dialogs: Dialogs, alarm: Alarm | None) -> None:
    """Whoever said that somebody is found, and whoever cried, may say that it was not so."""
    data = {"case": ",".join(dict.fromkeys(str(case.id) for case in cases)), "alarm": str(alarm.id) if alarm is not None else ""}
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
    lines = _unanswered_lines(missing, case, desk, session)
    if lines:
        say.to_officers(
            _searchers(missing, case, desk, session),
            "missing.said_found_again",
            case=case,
            number=case.number,
            where=due.data["where"],
            text=lines[0].text,
            minutes=int((desk.now - lines[0].at).total_seconds() // 60),
            pending=missing.state == Chain.PENDING,
        )


@router.dialog(UNFOUND, hears=NOT_FOUND, calm=NO_CRY)
def not_found_after_all(
    message: Inbound,
    group: Group | None,
    pending: Pending,
    alarms: Alarms,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    timers: Timers,
    effects: Effects,
    rules: Rules,
    session: Session,
) -> None:
    """It was somebody else: the search goes on, as does the emergency that was taken for over."""
    if message.copied or message.attachments or not says_not_found(message.text):
        raise NotMine
    alarm = alarms.get(int(pending.data["alarm"])) if pending.data["alarm"] else None
    where = group.name if group is not None else say.word("missing.privately")
    if alarm is not None:
        where = alarms.group_name(alarm)
    cases = [case for key in pending.data["case"].split(",") if (case := desk.get(int(key))) is not None]
    open_again = alarm is not None and alarm.safe_at is not None and alarm.case_id in [case.id for case in cases]
    late = alarm is not None and open_again and not alarms.is_recent(alarm)
    told: set[int | None] = set()
    taken = over = False
    calm = says_without_cry(message.text)
    for case in cases:
        missing = missing_of(session, case.id)
        if missing is not None and _is_known(missing, case, desk):
            taken = taken or (calm and _was_just_denied(case, desk))  # that is known, and no new cry
            continue
        if missing is not None and missing.state in (Chain.PENDING, Chain.ACTIVE):
            told.update(take_up(missing, case, message.text, where, desk, say, timers, session))
        elif missing is not None:
            told.update(_doubt_the_end(missing, case, message.text, where, desk, say, session))
            over = True
        elif ABOUT[State(case.state)].open:
            desk.add(case, message.text, (), author_of(message, case, desk), message.message_id)
            tell_holder(case, "desk.addition", say, session, text=message.text, photos=0)
        elif not open_again:
            continue
        taken = True
    if not taken:
        raise NotMine
    if alarm is not None and open_again:
        if not late:
            alarms.goes_on(alarm)
            there = Address(alarm.platform, alarm.account, alarm.chat, private=alarm.private, thread=alarm.thread)
            effects.alarms[there] = alarm.id
            listen(alarm, dialogs, desk.now, DialogKey.of(there, alarm.sender))
        officers = [officer for officer in alarms.concerned(alarm) if officer.id not in told]
        say.to_officers(
            officers, "emergency.open_again", lane=Lane.ALARM, place=where, text=message.text[:LONGEST_FOUND].rstrip(" 。.!！")
        )
    if effects.cries and not calm:
        return  # it may be another who is missing, so the advice is said
    if late or (over and (alarm is None or alarm.safe_at is not None)):
        say.reply(rules.advice(Danger.MISSING, message.text), lane=Lane.ALARM)
    elif message.address.private or (alarm is not None and message.sender.id == alarm.sender):
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
) -> list[int | None]:
    """A search of which somebody said that it is over goes on: what is not out yet is asked about as if just written.

    `by`: the officer who says so, who need not be told. Returns who is told.
    """
    if missing.state not in (Chain.PENDING, Chain.ACTIVE):
        raise Refusal("missing.over", number=case.number)
    desk.note_from_reporter(case, SAID_NOT_FOUND, words[:LONGEST_FOUND])
    timers.cancel(UNANSWERED, str(case.id))
    if missing.state == Chain.PENDING:
        timers.after(ASK_AGAIN_AFTER, UNVERIFIED, str(case.id), round="1")
    who = f"{by.title}{by.name}" if by is not None else ""
    officers = [officer for officer in _searchers(missing, case, desk, session) if by is None or officer.id != by.id]
    say.to_officers(
        officers,
        "missing.said_not_found_card",
        case=case,
        number=case.number,
        resident=by is None,
        where=where or who,
        text=words[:LONGEST_FOUND],
        pending=missing.state == Chain.PENDING,
    )
    return [officer.id for officer in officers]


def _doubt_the_end(
    missing: Missing, case: Case, words: str, where: str, desk: CaseDesk, say: Say, session: Session
) -> list[int | None]:
    """An officer has ended the search, and now it was somebody else: only an officer can begin it anew. Returns who is told."""
    desk.note_from_reporter(case, SAID_NOT_FOUND, words[:LONGEST_FOUND])
    officers = _searchers(missing, case, desk, session, all_who_verify=True)
    values = {"number": case.number, "where": where, "text": words[:LONGEST_FOUND]}
    say.to_officers(officers, "missing.said_not_found_over", case=case, lane=Lane.ALARM, **values)
    return [officer.id for officer in officers]


def _searchers(missing: Missing, case: Case, desk: CaseDesk, session: Session, *, all_who_verify: bool = False) -> list[Officer]:
    """Whoever wrote it down, stands for it or has the case; before it is out everybody who could stand for it."""
    known = dict.fromkeys((missing.officer_id, missing.verified_by, case.officer_id))
    officers = {key: officer for key in known if key is not None and (officer := session.get(Officer, key)) is not None}
    if all_who_verify or missing.state == Chain.PENDING:
        officers |= {officer.id: officer for officer in verifiers(session, case, desk.now) if officer.id is not None}
    return list(officers.values())
