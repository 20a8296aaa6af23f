"""What questions are answered from, as it is now: our answers, and laws that were imported under a running bot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from pathlib import Path

import structlog

from bot.turn import Answered
from bot.understanding.answers import Answers
from bot.understanding.laws import Laws
from content.laws import FILE, load_laws

log = structlog.get_logger(__name__)

HINTS = 2  # the next best answers, and articles of law, that an officer is shown beside a question


class Knowledge:
    """Searches what there is; reads the imported laws anew when their file has changed."""

    def __init__(self, answers: Answers, data: Path, today: Callable[[], date]) -> None:
        self.answers = answers
        self._data = data
        self._today = today
        self._laws: Laws | None = None
        self._seen: tuple[int, date] | None = None
        self._turn = asyncio.Lock()

    async def search(self, question: str) -> Answered:
        """The best answers to a question, best first, and articles of law that may belong to it."""
        hits = tuple(self.answers.search(question))
        laws = await self._read_laws()
        return Answered(hits, tuple(laws.search(question, HINTS)) if laws is not None else ())

    async def _read_laws(self) -> Laws | None:
        """The laws in force today. A large collection takes seconds to read: that happens in a thread, once, and nobody waits twice."""
        path, today = self._data / FILE, self._today()
        try:
            seen = (path.stat().st_mtime_ns, today)
        except OSError:
            self._laws, self._seen = None, None
            return None
        if seen != self._seen:
            async with self._turn:
                if seen != self._seen:
                    try:
                        self._laws = await asyncio.to_thread(_build, self._data, today)
                    except (OSError, ValueError) as problem:
                        log.error("laws_unreadable", file=str(path), problem=type(problem).__name__)
                        self._laws = None
                    self._seen = seen
        return self._laws


def _build(data: Path, today: date) -> Laws | None:
    articles = load_laws(data, today)
    return Laws(articles) if articles else None
