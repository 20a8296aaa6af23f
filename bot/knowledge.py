"""What questions are answered from, as it is now: our answers, and laws that were imported under a running bot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Protocol

import structlog

from bot.messages import Address
from bot.turn import Answered
from bot.understanding.answers import Answers
from bot.understanding.laws import Laws
from content.answers import Answer
from content.laws import FILE, load_laws

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 1.0  # for laws that are being read; then the question is answered without them
HINTS = 2  # the next best answers, and articles of law, that an officer is shown beside a question


class Kept(Protocol):
    """The answers that officers have let us keep, in storage."""

    async def version(self, address: Address) -> tuple[int, int | None]:
        """A number that changes with the answers, and the grid of the group at this address."""

    async def answers(self) -> tuple[Answer, ...]:
        """All that may be given now."""


class Knowledge:
    """Searches what there is; takes in what officers have let us keep, and imported laws, as soon as they change."""

    def __init__(self, answers: Answers, kept: Kept, data: Path, today: Callable[[], date]) -> None:
        self._own = answers
        self._kept = kept
        self._answers = answers
        self._version = 0
        self._data = data
        self._today = today
        self._laws: Laws | None = None
        self._seen: tuple[int, date] | None = None
        self._turn = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None
        self.patience = PATIENCE_SECONDS

    async def search(self, question: str, address: Address) -> Answered:
        """The best answers to a question that was asked there, best first, and articles of law that may belong to it."""
        version, grid = await self._kept.version(address)
        if version != self._version:
            async with self._turn:
                if version != self._version:
                    more = await self._kept.answers()
                    self._answers = await asyncio.to_thread(self._own.joined, more) if more else self._own
                    self._version = version
        today = self._today()
        hits = [hit for hit in self._answers.search(question, grid=grid) if hit.answer.why_not(today) is None]
        laws = await self._read_laws(today)
        # a large collection is searched in 15 to 25 ms: not on the loop
        found = await asyncio.to_thread(laws.search, question, HINTS) if laws is not None else []
        return Answered(tuple(hits), tuple(found))

    async def warm(self) -> None:
        """Read at the start what takes long, so that the first who asks does not wait for it."""
        await self._read_laws(self._today())

    async def close(self) -> None:
        """Give up reading laws."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read_laws(self, today: date) -> Laws | None:
        """The laws in force today. A large collection takes seconds to read: nobody waits longer than a moment for that."""
        try:
            seen = ((self._data / FILE).stat().st_mtime_ns, today)
        except OSError:
            self._laws, self._seen = None, None
            return None
        if seen != self._seen:
            self._seen = seen
            self._reading = asyncio.create_task(self._renew(today))
        if self._reading is not None and not self._reading.done():
            await asyncio.wait((self._reading,), timeout=self.patience)
        return self._laws

    async def _renew(self, today: date) -> None:
        try:
            self._laws = await asyncio.to_thread(_build, self._data, today)
        except (OSError, ValueError) as problem:
            log.error("laws_unreadable", file=str(self._data / FILE), problem=type(problem).__name__)
            self._laws = None


def _build(data: Path, today: date) -> Laws | None:
    articles = load_laws(data, today)
    return Laws(articles) if articles else None
