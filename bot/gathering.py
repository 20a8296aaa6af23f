"""The parts of one album are one message: they are held until no more come.

Some platforms send an album of n photos as n events with one album id and no word that it is over. Every part is kept before it
comes here, so a crash loses none, and the platform is not kept waiting; the parts are put together only on their way to the lane.
What tells of a danger never waits here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bot.clock import Clock
from bot.lanes import LaneKey
from bot.messages import Kind

if TYPE_CHECKING:
    from bot.jobs import Job

QUIET = timedelta(seconds=2.5)  # after the last part
LONGEST = timedelta(seconds=10)  # after the first


@dataclass(slots=True)
class _Album:
    began: datetime
    last: datetime
    jobs: list[Job] = field(default_factory=list)

    @property
    def until(self) -> datetime:
        return min(self.last + QUIET, self.began + LONGEST)


class Gathering:
    """Holds albums. `put` takes what is ready, in the order in which each person said it."""

    def __init__(self, put: Callable[[Job], Awaitable[None]], clock: Clock) -> None:
        self._put = put
        self._clock = clock
        self._albums: dict[tuple[LaneKey, str], _Album] = {}
        self._woken = asyncio.Event()

    def is_apart(self, job: Job) -> bool:
        """Whether no album is held and this is no part of one: then there is nothing to do here."""
        return not self._albums and album_of(job) is None

    async def take(self, job: Job) -> None:
        """Hold a part of an album, hand on everything else; whatever else a person says ends that person's album."""
        event = job.event
        if job.hint.danger is not None:
            await self._put(job)
            # its photos wait no longer either: they may belong to it
            await self._end([one for one in self._albums if one[0] == LaneKey(event.address, event.sender.id)])
            return
        if self.is_apart(job):
            await self._put(job)
            return
        album = album_of(job)
        key = LaneKey(event.address, event.sender.id)
        await self._end([one for one in self._albums if one[0] == key and one[1] != album])
        if album is None:
            await self._put(job)
            return
        now = self._clock()
        held = self._albums.setdefault((key, album), _Album(now, now))
        held.last = now
        held.jobs.append(job)
        self._woken.set()

    async def run(self) -> None:
        """Hand on what is complete, until cancelled."""
        while True:
            self._woken.clear()
            now = self._clock()
            await self._end([key for key, album in self._albums.items() if album.until <= now])
            await self._clock.wait(min((album.until for album in self._albums.values()), default=None), self._woken)

    async def flush(self) -> None:
        """Hand on everything now; for tests and the command line."""
        await self._end(list(self._albums))

    async def _end(self, keys: list[tuple[LaneKey, str]]) -> None:
        for key in keys:
            album = self._albums.pop(key, None)
            if album is not None:
                await self._put(whole(album.jobs))


def album_of(job: Job) -> str | None:
    """The album that this job's event is a part of, if it has to wait for the others."""
    event = job.event
    return event.album if event.attachments and event.kind is Kind.MESSAGE and job.hint.danger is None else None


def whole(jobs: list[Job]) -> Job:
    """One job of the parts: the one with words leads, the others come with it."""
    lead = next((job for job in jobs if job.event.text.strip()), jobs[0])
    return replace(lead, parts=tuple(job.event for job in jobs if job is not lead))
