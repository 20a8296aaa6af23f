"""The time, and waiting for it; one object, so that a test can move it."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta


class Clock:
    """The system's time in UTC."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)

    async def wait(self, until: datetime | None, wake: asyncio.Event) -> None:
        """Return when it is `until` (None: never) or when `wake` is set, whichever comes first."""
        if until is None:
            await wake.wait()
            return
        seconds = (until - self()).total_seconds()
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), seconds)


class ManualClock(Clock):
    """A clock that stands still until it is moved; for tests and rehearsals."""

    def __init__(self, start: datetime) -> None:
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
