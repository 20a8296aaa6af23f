"""The officers' day: the cards in their own groups when a working day begins and when it ends, and who hands over to whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, delete, func, or_, select

from cases.dispatch import grid_chain
from cases.lifecycle import ABOUT, State, StateType
from cases.workdays import WorkCalendar
from content.refusal import Refusal
from storage.tables import Case, CaseClock, Duty, Group, Officer, OfficerRole, Timer

TIMER = "desk.card"
MORNING, EVENING = "morning", "evening"
WORK_CLASS = "工作"
TOO_LATE = timedelta(hours=3)  # a card of this morning is no use in the afternoon
MOST_LISTED = 6
UNTAKEN = (State.SUBMITTED, State.ACCEPTED, State.DISPATCHED)
AT_WORK = tuple(state for state, about in ABOUT.items() if about.type in (StateType.OPEN, StateType.PAUSED))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A case as a card lists it; `due_at` is when it has to be resolved (None: its clock stands still)."""

    case: Case
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class ShiftCount:
    """Numbers of one area: since the last card, and as things stand. `listed` are the most pressing cases."""

    reported: int
    confirmed: int
    untaken: int
    at_work: int
    due_today: int
    missed: int
    listed: tuple[Waiting, ...]


def next_card(calendar: WorkCalendar, kind: str, now: datetime) -> datetime:
    """When the next card of that kind is due: at the beginning or the end of a working day, later than `now`."""
    at = calendar.after(now, timedelta(microseconds=1))
    day = at.astimezone(calendar.zone).date()
    for _ in range(400):
        time = calendar.opens if kind == MORNING else calendar.closes
        due = datetime.combine(day, time, calendar.zone).astimezone(now.tzinfo)
        if calendar.works(day) and due > now:
            return due
        day += timedelta(days=1)
    raise ValueError("no working day is known for more than a year")


def arm_cards(session: Session, calendar: WorkCalendar, now: datetime, *, wanted: bool) -> None:
    """See to it that the next cards have their timers, or that there are none when they are not wanted."""
    if not wanted:
        session.exec(delete(Timer).where(col(Timer.kind) == TIMER))
        return
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    for kind in (MORNING, EVENING):
        row = {"kind": TIMER, "key": kind, "due_at": next_card(calendar, kind, now), "data": "{}", "tries": 0}
        session.execute(dialect.insert(Timer).values(**row).on_conflict_do_nothing())


def work_groups(session: Session) -> list[Group]:
    """The officers' own groups."""
    wanted = select(Group).where(Group.class_label == WORK_CLASS, col(Group.active)).order_by(col(Group.id))
    return list(session.exec(wanted).all())


def count_shift(session: Session, group: Group, since: datetime, until: datetime) -> ShiftCount:
    """What happened in the group's area since then, and what is due before `until`. A group without a grid has the district."""
    mine = [case for case in session.exec(select(Case).where(_recent(since))).all() if _inside(session, case, group)]
    due: dict[int | None, datetime | None] = dict(
        session.exec(
            select(CaseClock.case_id, func.min(CaseClock.due_at))
            .where(CaseClock.name == "resolve", col(CaseClock.stopped_at).is_(None))
            .group_by(col(CaseClock.case_id))
        ).all()
    )
    working = [case for case in mine if case.state in AT_WORK]
    waiting = sorted(
        (Waiting(case, due.get(case.id)) for case in working),
        key=lambda one: (one.due_at is None, one.due_at or one.case.created_at),
    )
    return ShiftCount(
        reported=sum(case.created_at >= since for case in mine),
        confirmed=sum(case.state == State.CLOSED_CONFIRMED and (case.closed_at or since) > since for case in mine),
        untaken=sum(case.state in UNTAKEN for case in working),
        at_work=len(working),
        due_today=sum(one.due_at is not None and since < one.due_at <= until for one in waiting),
        missed=sum(one.due_at is not None and one.due_at <= since for one in waiting),
        listed=tuple(waiting[:MOST_LISTED]),
    )


def hand_over(session: Session, officer: Officer, successor: Officer, now: datetime) -> list[Duty]:
    """The duties that `officer` has now go to `successor` from now on; Refusal when there are none, or he may not have them."""
    running = select(Duty).where(
        Duty.officer_id == officer.id, Duty.starts_at <= now, or_(col(Duty.ends_at).is_(None), col(Duty.ends_at) > now)
    )
    duties = list(session.exec(running).all())
    if not duties:
        raise Refusal("duty.none")
    if (
        successor.id == officer.id
        or session.exec(select(OfficerRole).where(OfficerRole.officer_id == successor.id)).first() is None
    ):
        raise Refusal("duty.not_him", name=successor.name)
    passed = []
    for duty in duties:
        taken = Duty(officer_id=successor.id or 0, grid_id=duty.grid_id, starts_at=now, ends_at=duty.ends_at)
        duty.ends_at = now
        session.add(duty)
        session.add(taken)
        passed.append(taken)
    session.flush()
    return passed


def _recent(since: datetime) -> ColumnElement[bool]:
    return or_(col(Case.state).in_(AT_WORK), col(Case.created_at) >= since, col(Case.closed_at) >= since)


def _inside(session: Session, case: Case, group: Group) -> bool:
    return group.grid_id is None or group.grid_id in (grid.id for grid in grid_chain(session, case.grid_id))
