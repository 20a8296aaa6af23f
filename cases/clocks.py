"""The clocks of a case: what has to happen by when. A clock runs, stands still, is kept or is missed, once.

Marks on the way are half the time, four fifths, a quarter of an hour before the end, the end, and half as long again after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy.orm import SessionTransaction
from sqlmodel import Session, col, select

from cases.workdays import WorkCalendar
from content.desk import DeskRules, Length
from storage.tables import Case, CaseClock

TIMER = "desk.clock"
HALF, MOST, SOON, MISSED, LONG_MISSED = 50, 80, 95, 100, 200
MARKS = (HALF, MOST, SOON, MISSED, LONG_MISSED)
LAST_MINUTES = timedelta(minutes=15)
LEAST_BEYOND = timedelta(minutes=30)  # a commander is not called earlier after a miss


class Waker(Protocol):
    """Sets and forgets timers of the bot."""

    def after(self, wait: timedelta, kind: str, key: str, /, **data: str) -> None: ...

    def cancel(self, kind: str, key: str) -> None: ...


class NoWaker:
    """Nobody is to be woken: for looking only."""

    def after(self, wait: timedelta, kind: str, key: str, /, **data: str) -> None:
        """Nothing."""

    def cancel(self, kind: str, key: str) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Strike:
    """A mark that a clock has reached: HALF, MOST, SOON, MISSED or LONG_MISSED."""

    clock: str
    mark: int
    due_at: datetime


class Clocks:
    """The clocks inside one transaction, which read those of a case once: nothing else changes them (decision 0220)."""

    def __init__(self, session: Session, rules: DeskRules, calendar: WorkCalendar, now: datetime, waker: Waker) -> None:
        self.rules = rules
        self.calendar = calendar
        self._session = session
        self._now = now
        self._waker = waker
        self._read: dict[int | None, list[CaseClock]] = {}  # every clock of a case, oldest first, as they are …
        self._within: SessionTransaction | None = None  # … in this savepoint; one that is taken back takes them along

    def opened(self, case: Case) -> None:
        """The case is new: it has no clocks yet."""
        self._known()[case.id] = []

    # --- what a step of the case does to them ---

    def start(self, case: Case, name: str) -> None:
        """Start a new round of that clock, if the case's tier has one; an earlier one still running is stopped."""
        length = self.rules.length(case.tier, case.kind, name)
        self.stop(case, name)
        if length is None:
            return
        unit, limit = self._measure(length)
        clocks = self._of(case)
        clock = CaseClock(
            case_id=case.id or 0,
            name=name,
            round=sum(clock.name == name for clock in clocks) + 1,
            unit=unit,
            limit_seconds=int(limit.total_seconds()),
            left_seconds=int(limit.total_seconds()),
            started_at=self._now,
        )
        self._run(clock)
        self._session.add(clock)
        clocks.append(clock)

    def stop(self, case: Case, *names: str) -> None:
        """These clocks (none named: all) are no longer waited for."""
        for clock in self.running(case):
            if not names or clock.name in names:
                clock.stopped_at = self._now
                self._session.add(clock)

    def pause(self, case: Case) -> None:
        """All clocks stand still; what is left stays left."""
        for clock in self.running(case):
            if clock.running_since is not None:
                clock.left_seconds = max(0, clock.left_seconds - int(self._passed(clock).total_seconds()))
                clock.running_since, clock.due_at = None, None
                self._session.add(clock)

    def resume(self, case: Case) -> None:
        """What stood still goes on."""
        for clock in self.running(case):
            if clock.running_since is None:
                self._run(clock)
                self._session.add(clock)

    def replied(self, case: Case) -> None:
        """The reporter has heard something: from now on the next word is due."""
        self.stop(case, "first_reply")
        self.start(case, "next_reply")

    def heard(self, case: Case) -> None:
        """The reporter has said something to a case in hand: an answer is due, unless one is already."""
        if not any(clock.name in ("first_reply", "next_reply") for clock in self.running(case)):
            self.start(case, "next_reply")

    # --- looking ---

    def running(self, case: Case) -> list[CaseClock]:
        """Clocks that are not stopped, paused ones too."""
        return [clock for clock in self._of(case) if clock.stopped_at is None]

    def all(self, case: Case) -> list[CaseClock]:
        """Every clock that the case ever had."""
        return list(self._of(case))

    def due(self, case: Case, name: str = "resolve") -> datetime | None:
        """When that clock ends; None when it stands still or there is none."""
        return next((clock.due_at for clock in self.running(case) if clock.name == name), None)

    def missed(self, case: Case, name: str = "resolve") -> bool:
        """Whether the clock that runs now is past its end."""
        return any(clock.name == name and clock.missed_at is not None for clock in self.running(case))

    # --- time passes ---

    def strike(self, case: Case) -> list[Strike]:
        """The marks reached since the last time, one for each clock: the latest. A miss is written down once."""
        strikes = []
        for clock in self.running(case):
            reached = [mark for mark in MARKS if mark > clock.warned and (at := self._at(clock, mark)) and at <= self._now]
            if not reached or clock.due_at is None:
                continue
            if MISSED in reached:
                clock.missed_at = self._now
                reached = [mark for mark in reached if mark <= MISSED]
            clock.warned = reached[-1]
            self._session.add(clock)
            strikes.append(Strike(clock.name, clock.warned, clock.due_at))
        self._session.flush()
        return strikes

    def wind(self, case: Case) -> None:
        """Set the timer to the next mark of the case, or forget it."""
        times = [
            at
            for clock in self.running(case)
            for mark in MARKS
            if mark > clock.warned and (at := self._at(clock, mark)) is not None
        ]
        if times:
            self._waker.after(max(timedelta(0), min(times) - self._now), TIMER, str(case.id))
        else:
            self._waker.cancel(TIMER, str(case.id))

    def _of(self, case: Case) -> list[CaseClock]:
        known = self._known()
        if case.id not in known:
            wanted = select(CaseClock).where(CaseClock.case_id == case.id).order_by(col(CaseClock.id))
            known[case.id] = list(self._session.exec(wanted).all())
        return known[case.id]

    def _known(self) -> dict[int | None, list[CaseClock]]:
        within = self._session.get_nested_transaction()
        if within is not self._within:
            self._read.clear()
            self._within = within
        return self._read

    def _at(self, clock: CaseClock, mark: int) -> datetime | None:
        """When a running clock reaches a mark; None when it stands still or does not have that mark."""
        if clock.running_since is None or clock.due_at is None:
            return None
        limit, left = timedelta(seconds=clock.limit_seconds), timedelta(seconds=clock.left_seconds)
        match mark:
            case 50 | 80:
                return self._after(clock, left - limit * (1 - mark / 100))
            case 95:
                if limit <= 4 * LAST_MINUTES:
                    return None
                return self._after(clock, left - LAST_MINUTES)
            case 100:
                return clock.due_at
            case _:
                if clock.missed_at is None:
                    return None
                beyond = max(LEAST_BEYOND, limit / 2)
                return self.calendar.after(clock.due_at, beyond) if clock.unit == "work" else clock.due_at + beyond

    def _after(self, clock: CaseClock, passed: timedelta) -> datetime:
        since = clock.running_since or self._now
        if passed <= timedelta(0):
            return since
        return self.calendar.after(since, passed) if clock.unit == "work" else since + passed

    def _run(self, clock: CaseClock) -> None:
        left = timedelta(seconds=clock.left_seconds)
        clock.running_since = self._now
        if clock.unit == "work":
            clock.due_at = self.calendar.after(self._now, left)
        else:
            ends = self._now + left
            clock.due_at = self.calendar.not_before_work(ends) if clock.unit == "days" else ends

    def _passed(self, clock: CaseClock) -> timedelta:
        if clock.running_since is None:
            return timedelta(0)
        if clock.unit == "work":
            return self.calendar.between(clock.running_since, self._now)
        return self._now - clock.running_since

    def _measure(self, length: Length) -> tuple[str, timedelta]:
        match length.unit:
            case "wh":
                return "work", timedelta(hours=length.amount)
            case "wd":
                return "work", self.calendar.day * length.amount
            case "d":
                return "days", length.plain
            case _:
                return "wall", length.plain
