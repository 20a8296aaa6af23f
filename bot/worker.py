"""From a kept event to a finished turn: what is slow before the transaction, the transaction, what the memory learns after it."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import structlog
from sqlmodel import Session

from bot.clock import Clock
from bot.errors import RefusedInput, RetryLater
from bot.inbox import Job, Mind, failed
from bot.lanes import LaneKey
from bot.messages import Attachment, Inbound, Kind
from bot.photos import MOST_BYTES, PhotoWorker
from bot.platforms.base import Adapter
from bot.router import split_command
from bot.timers import Due
from bot.turn import Answered, Effects, House, Reading, StoredPhoto, Turn
from bot.understanding.answers import Answers
from bot.understanding.meaning import Intent, Meaning
from bot.understanding.understanding import Understanding
from storage.failpoints import failpoint
from storage.writer import StorageUnavailable, Writer

log = structlog.get_logger(__name__)

MOST_TRIES = 3
MOST_PHOTOS = 9
FETCH_SECONDS = 15.0
NOTHING = Meaning(Intent.CHAT, 0.0)


class Worker:
    """Works on one job or timer at a time per call; the lanes call it from several tasks."""

    def __init__(
        self,
        writer: Writer,
        house: House,
        mind: Mind,
        understanding: Understanding,
        answers: Answers,
        adapters: Mapping[tuple[str, str], Adapter],
        photos: PhotoWorker,
        media: Path,
        clock: Clock,
        after_commit: Callable[[Effects], None],
    ) -> None:
        self._writer = writer
        self._house = house
        self._mind = mind
        self._understanding = understanding
        self._answers = answers
        self._adapters = adapters
        self._photos = photos
        self._media = media
        self._clock = clock
        self._after_commit = after_commit

    async def work(self, job: Job) -> None:
        """Handle a job for good: storage trouble is waited out, three other failures put it into quarantine."""
        wait = 0.2
        while True:
            try:
                await self._once(job)
                return
            except StorageUnavailable as problem:
                log.warning("storage_unavailable", problem=str(problem)[:120])
                await asyncio.sleep(wait)
                wait = min(wait * 2, 10.0)
            except Exception as problem:
                log.error("turn_failed", problem=type(problem).__name__, exc_info=problem)
                if await self._count_failure(job, type(problem).__name__):
                    return
                await asyncio.sleep(wait)

    def run_timer(self, session: Session, due: Due) -> Callable[[], None]:
        """The work of a due timer, for `TimerLoop`."""
        turn = Turn(self._house, session, self._clock(), None, None, due)
        effects = turn.run_timer()
        return lambda: self._learn(effects, None)

    async def _once(self, job: Job) -> None:
        failpoint("inbox.confirmed")
        event = job.event
        key = LaneKey(event.address, event.sender.id)
        now = self._clock()
        if job.waiting and not self._wanted(job, key, now):
            self._mind.photos.setdefault(key, []).append((now, event))
            return
        waited = () if job.waiting else self._pick_up(key, now, job)
        reading = await self._read(job, waited)

        def transaction(session: Session) -> Effects:
            effects = Turn(self._house, session, now, job, reading, None).run()
            failpoint("work.handled")
            return effects

        effects = await self._writer.run(transaction)
        failpoint("work.committed")
        if effects.kept_waiting:
            self._mind.photos.setdefault(key, []).append((now, event))
        elif waited:
            self._forget_photos(key, waited)
        self._learn(effects, key)

    def _learn(self, effects: Effects, key: LaneKey | None) -> None:
        if effects.reported is not None:
            effects.reported += self._house.photo_wait
        effects.apply(self._mind, key)
        self._after_commit(effects)

    def _wanted(self, job: Job, key: LaneKey, now: datetime) -> bool:
        """Whether a lone photo belongs to something: a report just made, or a question that waits."""
        return self._mind.just_reported(key, now) or self._mind.expects(job.event, now)

    def _pick_up(self, key: LaneKey, now: datetime, job: Job) -> tuple[Inbound, ...]:
        """Photos that this person sent shortly before these words; only words that make or continue a case take them."""
        waiting = self._mind.photos.get(key)
        if not waiting or job.told_as_tip or not (job.hint.report or job.addressed or self._mind.expects(job.event, now)):
            return ()
        return tuple(event for at, event in waiting if now - at <= self._house.photo_wait)

    def _forget_photos(self, key: LaneKey, taken: tuple[Inbound, ...]) -> None:
        left = [entry for entry in self._mind.photos.get(key, ()) if entry[1] not in taken]
        if left:
            self._mind.photos[key] = left
        else:
            self._mind.photos.pop(key, None)

    async def _read(self, job: Job, waited: tuple[Inbound, ...]) -> Reading:
        event = job.event
        meaning = NOTHING
        if job.told_as_tip:
            meaning = Meaning(Intent.TIP, 1.0, tier="TT")
        elif event.text and event.kind in (Kind.MESSAGE, Kind.TAP):
            quoted = event.quote.text if event.quote else ""
            meaning = self._understanding.read(event.text, quoted=quoted, has_photo=bool(event.attachments))
        hits = self._answers.search(self._question(event)) if self._asks(job, meaning) else []
        if job.hint.danger is not None and not event.copied:
            # nothing slow stands before the sentence that may save a life
            return Reading(meaning, Answered(tuple(hits)))
        wanted = [attachment for photo in waited for attachment in photo.attachments] + list(event.attachments)
        photos, lost = await self._fetch_all(event, wanted[:MOST_PHOTOS])
        return Reading(meaning, Answered(tuple(hits)), photos, lost, waited)

    @staticmethod
    def _question(event: Inbound) -> str:
        command = split_command(event.text)
        return command[1] if command else event.text

    @staticmethod
    def _asks(job: Job, meaning: Meaning) -> bool:
        return bool(job.event.text) and (job.addressed or job.hint.question or meaning.intent is Intent.QUESTION)

    async def _fetch_all(self, event: Inbound, wanted: list[Attachment]) -> tuple[tuple[StoredPhoto, ...], int]:
        adapter = self._adapters.get((event.address.platform, event.address.account))
        if adapter is None or not wanted:
            return (), len(wanted)
        found = [await self._fetch(adapter, attachment) for attachment in wanted if attachment.kind == "photo"]
        stored = tuple(photo for photo in found if photo is not None)
        return stored, len(found) - len(stored)

    async def _fetch(self, adapter: Adapter, attachment: Attachment) -> StoredPhoto | None:
        for attempt in range(MOST_TRIES):
            try:
                raw = await asyncio.wait_for(adapter.fetch(attachment, MOST_BYTES), FETCH_SECONDS)
                failpoint("photo.fetched")
                photo = await self._photos.normalise(raw)
                break
            except RefusedInput:
                return None
            except (RetryLater, TimeoutError):
                await asyncio.sleep(0.3 * (attempt + 1))
        else:
            return None
        stored = await asyncio.to_thread(_store, self._media, photo.jpeg, photo.width, photo.height)
        failpoint("photo.stored")
        return stored

    async def _count_failure(self, job: Job, problem: str) -> bool:
        """True when the event is quarantined now; then the sender and the operator have been told."""

        def count(session: Session) -> bool:
            given_up = failed(session, job.event, problem, MOST_TRIES)
            if given_up and job.addressed:
                turn = Turn(self._house, session, self._clock(), job, None, None)
                turn.say.reply("help.failed")
            return given_up

        try:
            given_up = await self._writer.run(count)
        except StorageUnavailable:
            return False
        if given_up:
            self._after_commit(Effects())
        return given_up


def _store(media: Path, jpeg: bytes, width: int, height: int) -> StoredPhoto:
    """Write the photo durably under its hash before any row knows of it; the same photo is one file."""
    digest = hashlib.sha256(jpeg).hexdigest()
    folder = media / digest[:2]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{digest}.jpg"
    if not path.exists():
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(jpeg)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return StoredPhoto(f"{media.name}/{digest[:2]}/{digest}.jpg", digest, width, height, len(jpeg))
