"""The daily round that ends what is over: rows in one transaction, then the write-ahead log, then files that no row names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog
from sqlmodel import Session

from bot.clock import Clock
from storage import media, plain_photos
from storage.private import tighten
from storage.writer import StorageUnavailable, Writer

log = structlog.get_logger(__name__)

ROUND = timedelta(hours=6)
LOOSE_FILES = timedelta(hours=48)  # a file is written before its row; what is of an earlier day and has none belongs to no one


class Outcome(Protocol):
    """What a round ended: how many of what, and the photo files to remove."""

    @property
    def files(self) -> list[str]: ...


class Keeper(Protocol):
    """The clocks of one transaction; see `cases.retention`."""

    def run(self) -> Outcome: ...

    def known_files(self) -> set[str]: ...


class Tidy:
    """Runs the retention clocks at the start and every six hours; each round `remind` says what an operator has to do in time."""

    def __init__(
        self,
        writer: Writer,
        clock: Clock,
        data_dir: Path,
        keeper: Callable[[Session, datetime], Keeper],
        remind: Callable[[], None] = lambda: None,
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._data_dir = data_dir
        self._keeper = keeper
        self._remind = remind

    async def run(self) -> None:
        """Round after round until cancelled."""
        while True:
            self._remind()
            try:
                await self.round()
                await self.seal_photos()
            except StorageUnavailable as problem:
                log.warning("not_tidied", problem=type(problem).__name__)
            await self._clock.wait(self._clock() + ROUND, asyncio.Event())

    async def round(self) -> Outcome:
        """One round; what it ended."""
        now = self._clock()

        def work(session: Session) -> tuple[Outcome, set[str]]:
            keeper = self._keeper(session, now)
            return keeper.run(), keeper.known_files()

        outcome, known = await self._writer.run(work)
        await asyncio.to_thread(self._sweep, outcome.files, known, now)
        return outcome

    async def seal_photos(self) -> int:
        """Seal what lies open from before photos were sealed, one after the other beside everything else; how many there were."""
        sealed, last = 0, 0
        while found := await self._writer.read(partial(plain_photos.find, after=last)):
            for photo in found:
                sealed += await self._seal(photo)
                last = photo.id
        if sealed:
            log.info("photos_sealed", number=sealed)
        return sealed

    async def _seal(self, photo: plain_photos.PlainPhoto) -> bool:
        copy = await asyncio.to_thread(plain_photos.copy_sealed, self._data_dir, photo)
        if copy is None:
            log.warning("photo_missing", row=photo.id)
            return False
        if not await self._writer.run(lambda session: plain_photos.take_over(session, photo, copy)):
            await asyncio.to_thread(media.drop, self._data_dir, copy.path)
            return False
        if not await self._writer.read(lambda session: plain_photos.is_named(session, photo.path)):
            await asyncio.to_thread(media.drop, self._data_dir, photo.path)
        return True

    def _sweep(self, files: list[str], known: set[str], now: datetime) -> None:
        self._writer.empty_log()
        left = sum(not self._handle(media.drop, path) for path in files)
        before = (now - LOOSE_FILES).timestamp()
        for path in media.files_before(self._data_dir / "media", before):
            left += not self._handle(_tighten if path in known else media.drop, path)
        if left:
            log.warning("photos_not_swept", number=left)

    def _handle(self, work: Callable[[Path, str], None], path: str) -> bool:
        """One file that cannot be removed keeps none of the others; it is tried again each round."""
        try:
            work(self._data_dir, path)
        except OSError:
            return False
        return True


def _tighten(data_dir: Path, path: str) -> None:
    tighten(data_dir / path)
