"""One lane per (address, sender), round-robin over groups, emergencies first.

What one person says is handled in order; nobody waits because somebody else talks much. The number of waiting messages
is bounded: when it is reached, intake waits, and with it the platform.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from bot.messages import Address

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LaneKey:
    """Whose messages have to stay in order."""

    address: Address
    sender: str


class Lanes(Generic[T]):
    """Hands waiting items to `work`, several at a time, never two of one lane at once."""

    def __init__(
        self, work: Callable[[T], Awaitable[None]], *, workers: int = 8, urgent_workers: int = 2, most_waiting: int = 20_000
    ) -> None:
        self._work = work
        self._workers = workers
        self._urgent_workers = urgent_workers
        self._urgent: asyncio.Queue[T] = asyncio.Queue()
        self._lanes: dict[LaneKey, deque[T]] = {}
        self._chats: dict[str, deque[LaneKey]] = {}  # chat -> its lanes that have something to do and are not busy
        self._turns: deque[str] = deque()  # chats in round-robin order
        self._busy: set[LaneKey] = set()
        self._ready_lanes = asyncio.Semaphore(0)
        self._room = asyncio.Semaphore(most_waiting)
        self._open = 0  # queued or being worked on
        self._idle = asyncio.Event()
        self._idle.set()

    async def put(self, key: LaneKey, item: T, *, urgent: bool = False) -> None:
        """Queue an item; waits while too much is queued already. Urgent items have workers of their own and wait for nothing."""
        self._open += 1
        self._idle.clear()
        if urgent:
            self._urgent.put_nowait(item)
            return
        await self._room.acquire()
        lane = self._lanes.setdefault(key, deque())
        lane.append(item)
        if len(lane) == 1 and key not in self._busy:
            self._ready(key)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(self._workers):
                workers.create_task(self._live())
            for _ in range(self._urgent_workers):
                workers.create_task(self._live_urgent())

    async def drained(self) -> None:
        """Return when nothing waits and nothing is being worked on."""
        await self._idle.wait()

    async def _live(self) -> None:
        while True:
            await self._ready_lanes.acquire()
            key, item = self._take()
            try:
                await self._work(item)
            finally:
                self._busy.discard(key)
                if self._lanes[key]:
                    self._ready(key)
                else:
                    del self._lanes[key]
                self._done()

    async def _live_urgent(self) -> None:
        while True:
            item = await self._urgent.get()
            try:
                await self._work(item)
            finally:
                self._done()

    def _take(self) -> tuple[LaneKey, T]:
        chat = self._turns.popleft()
        lanes = self._chats[chat]
        key = lanes.popleft()
        if lanes:
            self._turns.append(chat)
        else:
            del self._chats[chat]
        self._busy.add(key)
        self._room.release()
        return key, self._lanes[key].popleft()

    def _ready(self, key: LaneKey) -> None:
        chat = key.address.chat
        if chat in self._chats:
            self._chats[chat].append(key)
        else:
            self._chats[chat] = deque([key])
            self._turns.append(chat)
        self._ready_lanes.release()

    def _done(self) -> None:
        self._open -= 1
        if not self._open:
            self._idle.set()
