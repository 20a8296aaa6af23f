"""Work on kept events where several nodes do: claim what has its turn, hand it to the worker, claim again.

The rows are the queue: nothing waits in memory but what is being worked on, so a node that dies leaves only that behind.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from dataclasses import replace as changed
from datetime import datetime

import structlog
from msgspec.structs import replace
from sqlmodel import Session

from bot.clock import Clock
from bot.gathering import LONGEST, QUIET, album_of, whole
from bot.inbox import Inbox
from bot.jobs import Job
from bot.lanes import LATE_SHARE
from storage import intake as rows
from storage.writer import StorageUnavailable, Writer

log = structlog.get_logger(__name__)

PATROL_SECONDS = 2.0  # a claim of a dead node becomes free without a signal
AFTER_TROUBLE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Share:
    """Which events this node works on: those of `platform` only (`same`), all but them, or, without a platform, all."""

    platform: str = ""
    same: bool = True


class Intake:
    """Claims events for `work`. `alive` says whether the other nodes still count this one in."""

    def __init__(
        self,
        traffic: Writer,
        inbox: Inbox,
        work: Callable[[Job], Awaitable[None]],
        *,
        owner: str,
        alive: Callable[[], bool],
        share: Share,
        clock: Clock,
        workers: int = 8,
        urgent_workers: int = 2,
    ) -> None:
        self._traffic = traffic
        self._inbox = inbox
        self._work = work
        self._owner = owner
        self._alive = alive
        self._share = share
        self._clock = clock
        self._gathering: dict[int, asyncio.Event] = {}  # albums that wait for their other parts
        self._hurry = False
        self._workers = workers
        self._urgent_workers = urgent_workers
        self._at_work: dict[int, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._turn = asyncio.Lock()
        self._claims = 0

    def wake(self) -> None:
        """There may be something to claim."""
        self._woken.set()
        for woken in self._gathering.values():
            woken.set()

    async def run(self) -> None:
        """Work until cancelled; what is under way then is left to whoever claims it next."""
        try:
            while True:
                self._woken.clear()
                wait = PATROL_SECONDS
                try:
                    await self._round()
                except StorageUnavailable:
                    wait = AFTER_TROUBLE_SECONDS
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._woken.wait()
        finally:
            await self._leave()

    async def drained(self) -> None:
        """Return when nothing can be claimed here and nothing is being worked on; albums are taken for complete."""
        self._hurry = True
        try:
            while True:
                self.wake()
                await self._round()
                if not self._at_work:
                    return
                await asyncio.wait(self._at_work.values(), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hurry = False

    async def _round(self) -> None:
        async with self._turn:  # what one round claims, another must not take for forgotten
            await self._claim()

    async def _claim(self) -> None:
        room = self._workers - len(set(self._at_work.values())) + len(self._gathering)
        urgent_only = room <= 0
        if urgent_only:
            room += self._urgent_workers
        if room <= 0 or not self._alive():
            return
        known = list(self._at_work)
        self._claims += 1
        late_last = self._claims % LATE_SHARE != 0

        def work(session: Session) -> list[rows.Claimed]:
            connection = session.connection()
            rows.give_back(connection, self._owner, known)
            share = self._share
            return rows.claim(
                connection,
                self._owner,
                room=room,
                urgent_only=urgent_only,
                platform=share.platform,
                same=share.same,
                late_last=late_last,
            )

        for claimed in await self._traffic.run(work):
            task = asyncio.create_task(self._one(claimed), name=f"event {claimed.claim.id}")
            self._at_work[claimed.claim.id] = task

    async def _one(self, claimed: rows.Claimed) -> None:
        claim = claimed.claim
        try:
            job = await self._inbox.read(claim.id, claimed.state, claimed.body, claim, late=claimed.late)
            if job is not None and album_of(job) is not None:
                job = await self._whole_album(job, claim)
            if job is not None:
                await self._work(job)
        except StorageUnavailable:
            log.warning("event_put_back", row=claim.id)  # the next round gives it back
        finally:
            ours = asyncio.current_task()
            for row in [row for row, task in self._at_work.items() if task is ours]:
                del self._at_work[row]
            self._woken.set()

    async def _whole_album(self, first: Job, claim: rows.EventClaim) -> Job:
        """Wait for the other parts as `bot.gathering` does for one process, and take them under this claim."""
        album, began = album_of(first), self._clock()
        self._gathering[claim.id] = woken = asyncio.Event()
        try:
            while True:
                woken.clear()
                # asked before the rows are read: what comes while they are read belongs to the next round, and is waited for
                hurry, now = self._hurry, self._clock()
                parts, ended = await self._parts(claim, album)
                last = max((at for _, _, at in parts), default=began)
                until = min(last + QUIET, began + LONGEST)
                if ended or hurry or now >= until:
                    break
                await self._clock.wait(until, woken)
        finally:
            del self._gathering[claim.id]
        if not parts:
            return first
        task = asyncio.current_task()
        ids = tuple(row for row, _, _ in parts)
        self._at_work.update({row: task for row in ids if task is not None})
        await self._traffic.run(lambda session: rows.adopt(session.connection(), claim, ids))
        jobs = {claim.id: first} | {row: job for row, job, _ in parts}
        job = whole(list(jobs.values()))
        lead = next(row for row, one in jobs.items() if one.event is job.event)
        return replace(job, claim=changed(claim, id=lead, parts=tuple(row for row in jobs if row != lead)))

    async def _parts(self, claim: rows.EventClaim, album: str | None) -> tuple[list[tuple[int, Job, datetime]], bool]:
        """The parts that are there, and whether the same person has said something else since."""
        found: list[tuple[int, Job, datetime]] = []
        for row, body, at in await self._traffic.read(lambda session: rows.behind(session.connection(), claim)):
            job = await self._inbox.read(row, "kept", body)
            if job is None:
                continue
            if album_of(job) != album:
                return found, True
            found.append((row, job, at))
        return found, False

    async def _leave(self) -> None:
        tasks = list(self._at_work.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(StorageUnavailable):
            await self._traffic.run(lambda session: rows.give_back(session.connection(), self._owner, []))
