"""Work on kept events where several nodes do: claim what has its turn, hand it to the worker, claim again.

The rows are the queue: nothing waits in memory but what is being worked on, so a node that dies leaves only that behind.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from sqlmodel import Session

from bot.inbox import Inbox, Job
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
        workers: int = 8,
        urgent_workers: int = 2,
    ) -> None:
        self._traffic = traffic
        self._inbox = inbox
        self._work = work
        self._owner = owner
        self._alive = alive
        self._share = share
        self._workers = workers
        self._urgent_workers = urgent_workers
        self._at_work: dict[int, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._turn = asyncio.Lock()

    def wake(self) -> None:
        """There may be something to claim."""
        self._woken.set()

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
        """Return when nothing can be claimed here and nothing is being worked on."""
        while True:
            await self._round()
            if not self._at_work:
                return
            await asyncio.wait(self._at_work.values(), return_when=asyncio.FIRST_COMPLETED)

    async def _round(self) -> None:
        async with self._turn:  # what one round claims, another must not take for forgotten
            await self._claim()

    async def _claim(self) -> None:
        room = self._workers - len(self._at_work)
        urgent_only = room <= 0
        if urgent_only:
            room += self._urgent_workers
        if room <= 0 or not self._alive():
            return
        known = list(self._at_work)

        def work(session: Session) -> list[rows.Claimed]:
            connection = session.connection()
            rows.give_back(connection, self._owner, known)
            share = self._share
            return rows.claim(
                connection, self._owner, room=room, urgent_only=urgent_only, platform=share.platform, same=share.same
            )

        for claimed in await self._traffic.run(work):
            task = asyncio.create_task(self._one(claimed), name=f"event {claimed.claim.id}")
            self._at_work[claimed.claim.id] = task

    async def _one(self, claimed: rows.Claimed) -> None:
        claim = claimed.claim
        try:
            job = await self._inbox.read(claim.id, claimed.state, claimed.body, claim)
            if job is not None:
                await self._work(job)
        except StorageUnavailable:
            log.warning("event_put_back", row=claim.id)  # the next round gives it back
        finally:
            self._at_work.pop(claim.id, None)
            self._woken.set()

    async def _leave(self) -> None:
        tasks = list(self._at_work.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(StorageUnavailable):
            await self._traffic.run(lambda session: rows.give_back(session.connection(), self._owner, []))
