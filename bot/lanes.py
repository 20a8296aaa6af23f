"""One lane per (address, sender), round-robin over groups, emergencies first.

What one person says is handled in order; nobody waits because somebody else talks much: whoever does is late (`bot.flood`).
The number of waiting messages is bounded: when it is reached, intake waits, and with it the platform.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from msgspec import Struct

from bot.messages import Address

T = TypeVar("T")

LATE_SHARE = 16  # one turn in so many belongs to those who have to wait
MOST_LATE = 200_000


class LaneKey(Struct, frozen=True):
    """Whose messages have to stay in order."""

    address: Address
    sender: str


class _Rotation:
    """Lanes that have something to do and are not busy, chat after chat and in each chat person after person."""

    def __init__(self) -> None:
        self._chats: dict[str, deque[LaneKey]] = {}
        self._turns: deque[str] = deque()

    def __bool__(self) -> bool:
        return bool(self._turns)

    def put(self, key: LaneKey) -> None:
        chat = key.address.chat
        if chat in self._chats:
            self._chats[chat].append(key)
        else:
            self._chats[chat] = deque([key])
            self._turns.append(chat)

    def take(self) -> LaneKey:
        chat = self._turns.popleft()
        lanes = self._chats[chat]
        key = lanes.popleft()
        if lanes:
            self._turns.append(chat)
        else:
            del self._chats[chat]
        return key


class Lanes(Generic[T]):
    """Hands waiting items to `work`, several at a time, never two of one lane at once."""

    def __init__(
        self, work: Callable[[T], Awaitable[None]], *, workers: int = 8, urgent_workers: int = 2, most_waiting: int = 20_000
    ) -> None:
        self._work = work
        self._workers = workers
        self._urgent_workers = urgent_workers
        self._urgent: asyncio.Queue[T] = asyncio.Queue()
        self._lanes: dict[LaneKey, deque[tuple[T, bool]]] = {}
        self._prompt, self._late = _Rotation(), _Rotation()
        self._late_keys: set[LaneKey] = set()  # whose waiting items come after everybody else's
        self._taken = 0
        self._busy: set[LaneKey] = set()
        self._ready_lanes = asyncio.Semaphore(0)
        self._room = asyncio.Semaphore(most_waiting)
        self._late_room = asyncio.Semaphore(MOST_LATE)  # of its own: who floods us must not keep the others out
        self._open = 0  # queued or being worked on
        self._idle = asyncio.Event()
        self._idle.set()

    async def put(self, key: LaneKey, item: T, *, urgent: bool = False, late: bool = False) -> None:
        """Queue an item; waits while too much is queued already. Urgent items have workers of their own and wait for nothing.

        A lane with a late item waits behind all others, but for one turn in `LATE_SHARE`.
        """
        self._open += 1
        self._idle.clear()
        if urgent:
            self._urgent.put_nowait(item)
            return
        await (self._late_room if late else self._room).acquire()
        lane = self._lanes.setdefault(key, deque())
        lane.append((item, late))
        if late:
            self._late_keys.add(key)
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
                    self._late_keys.discard(key)
                self._done()

    async def _live_urgent(self) -> None:
        while True:
            item = await self._urgent.get()
            try:
                await self._work(item)
            finally:
                self._done()

    def _take(self) -> tuple[LaneKey, T]:
        self._taken += 1
        late_first = self._taken % LATE_SHARE == 0
        first, second = (self._late, self._prompt) if late_first else (self._prompt, self._late)
        key = (first if first else second).take()
        self._busy.add(key)
        item, late = self._lanes[key].popleft()
        (self._late_room if late else self._room).release()
        return key, item

    def _ready(self, key: LaneKey) -> None:
        (self._late if key in self._late_keys else self._prompt).put(key)
        self._ready_lanes.release()

    def _done(self) -> None:
        self._open -= 1
        if not self._open:
            self._idle.set()
