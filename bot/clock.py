"""The time, and waiting for it; one object, so that a test can move it.

APScheduler is the alarm clock and nothing more: it holds no schedule and no memory. What is due stands in rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta

from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger


class Clock:
    """The system's time in UTC."""

    def __init__(self) -> None:
        self._alarms: AsyncIOScheduler | None = None

    def __call__(self) -> datetime:
        return datetime.now(UTC)

    async def wait(self, until: datetime | None, wake: asyncio.Event) -> None:
        """Return when it is `until` (None: never) or when `wake` is set, whichever comes first."""
        if until is None:
            await wake.wait()
            return
        if until <= self():
            return
        rung = asyncio.Event()

        async def ring() -> None:
            rung.set()

        # its default would drop an alarm that comes a second late
        alarm = self._running().add_job(ring, DateTrigger(until), misfire_grace_time=None)
        waits = [asyncio.ensure_future(rung.wait()), asyncio.ensure_future(wake.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
            with contextlib.suppress(JobLookupError):
                alarm.remove()

    def close(self) -> None:
        """No alarm rings any more."""
        if self._alarms is not None:
            self._alarms.shutdown(wait=False)
            self._alarms = None

    def _running(self) -> AsyncIOScheduler:
        if self._alarms is None:
            self._alarms = AsyncIOScheduler(timezone=UTC)
            self._alarms.start()
        return self._alarms


class SharedClock(Clock):
    """The database's time, so that nodes whose own clocks are wrong agree with one another; the system's until it was told."""

    def __init__(self) -> None:
        super().__init__()
        self._wall = Clock()
        self._told: tuple[datetime, float] | None = None  # the database's time at a monotonic time

    def __call__(self) -> datetime:
        return self._wall() if self._told is None else self._at(self._told, time.monotonic())

    def tell(self, there: datetime, asked: float, answered: float) -> None:
        """The database said `there` between two monotonic times; believed only as far as its answer was quick."""
        middle, doubt = (asked + answered) / 2, timedelta(seconds=answered - asked)
        if self._told is None or abs(self._at(self._told, middle) - there) > doubt:
            self._told = there, middle

    async def wait(self, until: datetime | None, wake: asyncio.Event) -> None:
        await self._wall.wait(None if until is None else until - (self() - self._wall()), wake)

    def close(self) -> None:
        self._wall.close()

    @staticmethod
    def _at(told: tuple[datetime, float], moment: float) -> datetime:
        return told[0] + timedelta(seconds=moment - told[1])


class ManualClock(Clock):
    """A clock that stands still until it is moved; for tests and rehearsals."""

    def __init__(self, start: datetime) -> None:
        super().__init__()
        self._now = start.astimezone(UTC)
        self._moved: set[asyncio.Event] = set()

    def __call__(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move on and wake whoever waits."""
        self._now += by
        for event in list(self._moved):
            event.set()

    async def wait(self, until: datetime | None, wake: asyncio.Event) -> None:
        moved = asyncio.Event()
        self._moved.add(moved)
        try:
            while not wake.is_set() and (until is None or self() < until):
                waits = [asyncio.ensure_future(moved.wait()), asyncio.ensure_future(wake.wait())]
                try:
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in waits:
                        task.cancel()
                moved.clear()
        finally:
            self._moved.discard(moved)
