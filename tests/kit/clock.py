"""Clocks for tests."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta

from bot.clock import Clock


class ShiftedClock(Clock):
    """The running time, moved to another hour; can be moved on. For tests in which a browser and its own time take part."""

    def __init__(self, start: datetime) -> None:
        super().__init__()
        self._shift = start - super().__call__()
        self._waiting: set[asyncio.Event] = set()

    def __call__(self) -> datetime:
        return super().__call__() + self._shift

    def advance(self, by: timedelta) -> None:
        """Move on and let everybody who waits look again."""
        self._shift += by
        for event in self._waiting:
            event.set()

    async def wait(self, until: datetime | None, wake: asyncio.Event) -> None:
        moved = asyncio.Event()
        self._waiting.add(moved)
        try:
            while not wake.is_set() and (until is None or self() < until):
                moved.clear()
                rest = None if until is None else (until - self()).total_seconds()
                waits = [asyncio.ensure_future(moved.wait()), asyncio.ensure_future(wake.wait())]
                await asyncio.wait(waits, timeout=rest, return_when=asyncio.FIRST_COMPLETED)
                for task in waits:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
        finally:
            self._waiting.discard(moved)
