"""Counts of a month. "Could not be reached" stands apart and never counts as satisfied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from cases.lifecycle import ABOUT, State
from content.desk import CLOCKS
from storage.tables import Case, CaseClock, CaseReview


@dataclass(frozen=True, slots=True)
class MonthCount:
    """Numbers of cases brought in one month. `stars` is the mean rating or None when nobody rated."""

    month: str
    total: int
    open: int
    confirmed: int
    unreached: int
    rejected: int
    reopened: int
    rated: int
    stars: float | None
    merged: int
    missed: tuple[tuple[str, int], ...]  # clock and how many cases missed it at least once
    reviewed: int  # second call-backs that were answered
    overturned: int
    trends: tuple[tuple[str, int, int], ...]  # category code, this month, the month before; the most frequent first
    kinds: tuple[tuple[str, int], ...]


KIND_NAMES = {
    "hazard": "隐患",
    "dispute": "纠纷",
    "wish": "心愿",
    "question": "咨询",
    "missing": "寻人",
    "lost_found": "失物",
    "scam": "涉诈",
    "feedback": "评价",
}


MOST_TRENDS = 3


def count(session: Session, now: datetime, zone: ZoneInfo, mine: Callable[[Case], bool]) -> MonthCount:
    """The local month in which `now` falls, over the cases for which `mine` is true."""
    local = now.astimezone(zone)
    start = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    cases = [case for case in session.exec(select(Case).where(Case.created_at >= start)).all() if mine(case)]
    states = [State(case.state) for case in cases]
    earlier = (start - timedelta(days=1)).replace(day=1)
    before = [c for c in session.exec(select(Case).where(Case.created_at >= earlier, Case.created_at < start)).all() if mine(c)]
    ids = {case.id for case in cases}
    answered = session.exec(select(CaseReview).where(col(CaseReview.answered_at).is_not(None))).all()
    reviews = [review for review in answered if review.case_id in ids]
    stars = [case.rating for case in cases if case.rating is not None]
    kinds: dict[str, int] = {}
    for case in cases:
        kinds[KIND_NAMES.get(case.kind, case.kind)] = kinds.get(KIND_NAMES.get(case.kind, case.kind), 0) + 1
    return MonthCount(
        month=local.strftime("%Y年%m月"),
        total=len(cases),
        open=sum(ABOUT[state].open for state in states),
        confirmed=states.count(State.CLOSED_CONFIRMED),
        unreached=states.count(State.CLOSED_UNREACHED),
        rejected=states.count(State.REJECTED),
        reopened=sum(case.reopened for case in cases),
        rated=len(stars),
        stars=sum(stars) / len(stars) if stars else None,
        merged=states.count(State.DUPLICATE),
        missed=_missed(session, ids),
        reviewed=len(reviews),
        overturned=sum(review.agreed is False for review in reviews),
        trends=_trends(cases, before),
        kinds=tuple(sorted(kinds.items(), key=lambda item: -item[1])),
    )


def _missed(session: Session, ids: set[int | None]) -> tuple[tuple[str, int], ...]:
    """How many of these cases missed each clock; a case that missed one twice counts once."""
    rows = session.exec(select(CaseClock.name, CaseClock.case_id).where(col(CaseClock.missed_at).is_not(None)).distinct()).all()
    counts = dict.fromkeys(CLOCKS, 0)
    for name, case_id in rows:
        if case_id in ids:
            counts[name] = counts.get(name, 0) + 1
    return tuple((name, number) for name, number in counts.items() if number)


def _trends(cases: Sequence[Case], before: Sequence[Case]) -> tuple[tuple[str, int, int], ...]:
    """What is reported most, beside the month before; what was merged is one matter and counts once."""
    now, then = (Counter(case.category for case in some if case.state != State.DUPLICATE) for some in (cases, before))
    return tuple((code, number, then[code]) for code, number in now.most_common(MOST_TRENDS))
