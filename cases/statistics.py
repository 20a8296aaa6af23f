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
from content.small_numbers import LEAST, hidden, shown
from storage.tables import Case, CaseClock, CaseReview, Grid


@dataclass(frozen=True, slots=True)
class MonthCount:
    """Numbers of cases brought in one month (docs/decisions/0200). What concerns few people is not told: `rated` is -1 and
    `stars` None when fewer than the threshold rated; a kind counts -1 when it is too small to be told and None when it
    would give such a one back. `kinds` is empty when nothing of it can be told."""

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
    kinds: tuple[tuple[str, int | None], ...]
    grids: tuple[tuple[str, int], ...] = ()  # cases of the kinds that are told exactly, by grid; empty when there is only one


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
# in these a case is a person's trouble: a neighbour who reads "1" knows whose (docs/decisions/0200)
SENSITIVE_KINDS = frozenset({"dispute", "scam", "missing", "wish"})


MOST_TRENDS = 3


def count(
    session: Session, now: datetime, zone: ZoneInfo, mine: Callable[[Case], bool], least: int = LEAST, *, before: bool = False
) -> MonthCount:
    """The local month in which `now` falls, or the one before it, over the cases for which `mine` is true. Numbers of people, and
    of cases of a sensitive kind, below `least` are not told."""
    local = now.astimezone(zone)
    start = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = start if before else local + timedelta(seconds=1)
    if before:
        start = (start - timedelta(days=1)).replace(day=1)
    here = select(Case).where(Case.created_at >= start, Case.created_at < end)
    cases = [case for case in session.exec(here).all() if mine(case)]
    states = [State(case.state) for case in cases]
    earlier = (start - timedelta(days=1)).replace(day=1)
    then = [c for c in session.exec(select(Case).where(Case.created_at >= earlier, Case.created_at < start)).all() if mine(c)]
    ids = {case.id for case in cases}
    answered = session.exec(select(CaseReview).where(col(CaseReview.answered_at).is_not(None))).all()
    reviews = [review for review in answered if review.case_id in ids]
    stars = [case.rating for case in cases if case.rating is not None]
    kinds = Counter(case.kind for case in cases).most_common()
    told = _told(kinds, least)
    untold = {kind for kind, number in told if number is None or number < 0} if told else {kind for kind, _ in kinds}
    return MonthCount(
        month=start.strftime("%Y年%m月"),
        total=len(cases),
        open=sum(ABOUT[state].open for state in states),
        confirmed=states.count(State.CLOSED_CONFIRMED),
        unreached=states.count(State.CLOSED_UNREACHED),
        rejected=states.count(State.REJECTED),
        reopened=sum(case.reopened for case in cases),
        rated=shown(len(stars), least),
        stars=sum(stars) / len(stars) if len(stars) >= least else None,
        merged=states.count(State.DUPLICATE),
        missed=_missed(session, ids),
        reviewed=len(reviews),
        overturned=sum(review.agreed is False for review in reviews),
        trends=_trends([case for case in cases if case.kind not in untold], then, least),
        kinds=tuple((KIND_NAMES.get(kind, kind), number) for kind, number in told),
        grids=_by_grid(session, cases, {kind for kind, number in told if number is not None and kind not in SENSITIVE_KINDS}),
    )


def _by_grid(session: Session, cases: Sequence[Case], kinds: set[str]) -> tuple[tuple[str, int], ...]:
    """Where they lie, the most first: only of kinds whose exact number is told, so that no difference gives another one back."""
    counts = Counter(case.grid_id for case in cases if case.kind in kinds and case.grid_id is not None)
    if len(counts) < 2:
        return ()
    names = {grid.id: grid.name for grid in session.exec(select(Grid).where(col(Grid.id).in_(list(counts)))).all()}
    return tuple((names[grid], number) for grid, number in counts.most_common() if grid in names)


def _told(kinds: Sequence[tuple[str, int]], least: int) -> tuple[tuple[str, int | None], ...]:
    """The kinds with what may be told of each beside the exact total."""
    sensitive = {at for at, (kind, _) in enumerate(kinds) if kind in SENSITIVE_KINDS}
    left_out = hidden([number for _, number in kinds], sensitive, least)
    if left_out is None:
        return ()
    return tuple(
        (kind, number if at not in left_out else -1 if at in sensitive and number < least else None)
        for at, (kind, number) in enumerate(kinds)
    )


def _missed(session: Session, ids: set[int | None]) -> tuple[tuple[str, int], ...]:
    """How many of these cases missed each clock; a case that missed one twice counts once."""
    rows = session.exec(select(CaseClock.name, CaseClock.case_id).where(col(CaseClock.missed_at).is_not(None)).distinct()).all()
    counts = dict.fromkeys(CLOCKS, 0)
    for name, case_id in rows:
        if case_id in ids:
            counts[name] = counts.get(name, 0) + 1
    return tuple((name, number) for name, number in counts.items() if number)


def _trends(cases: Sequence[Case], before: Sequence[Case], least: int) -> tuple[tuple[str, int, int], ...]:
    """What is reported most, beside the month before (-1: too few to be told); what was merged is one matter and counts once."""
    now, then = (Counter(case.category for case in some if case.state != State.DUPLICATE) for some in (cases, before))
    private = {case.category for case in (*cases, *before) if case.kind in SENSITIVE_KINDS}
    frequent = [(code, number) for code, number in now.most_common() if code not in private or number >= least]
    return tuple(
        (code, number, shown(then[code], least) if code in private else then[code]) for code, number in frequent[:MOST_TRENDS]
    )
