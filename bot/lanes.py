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
LATE_AT_ONCE = 2  # of the workers: whoever is prompt finds one free, and hardly anything before him in the writer's batch
MOST_LATE = 200_000


class LaneKey(Struct, frozen=True):
    """Whose messages have to stay in order."""

    address: Address
    sender: str


class _Lane(Generic[T]):
    """What one person has said in one chat and nobody has worked on yet."""

    __slots__ = ("busy", "items", "key", "late")

    def __init__(self, key: LaneKey) -> None:
        self.key = key
        self.items: deque[tuple[T, bool]] = deque()  # an item, and whether it is late
        self.busy = False
        self.late = False  # it waits behind all others


class _Rotation(Generic[T]):
    """Lanes that have something to do and are not busy, chat after chat and in each chat person after person."""

    def __init__(self) -> None:
        self._chats: dict[str, deque[_Lane[T]]] = {}
        self.turns: deque[str] = deque()

    def put(self, lane: _Lane[T]) -> None:
        chat = lane.key.address.chat
        if chat in self._chats:
            self._chats[chat].append(lane)
        else:
            self._chats[chat] = deque([lane])
            self.turns.append(chat)

    def take(self) -> _Lane[T]:
        chat = self.turns.popleft()
        lanes = self._chats[chat]
        lane = lanes.popleft()
        if lanes:
            self.turns.append(chat)
        else:
            del self._chats[chat]
        return lane


class _Room(Generic[T]):
    """So many items may wait; who comes when there is no room waits outside, in order."""

    __slots__ = ("free", "outside")

    def __init__(self, most: int) -> None:
        self.free = most
        self.outside: deque[tuple[asyncio.Future[None], LaneKey, T]] = deque()


class Lanes(Generic[T]):
    """Hands waiting items to `work`, several at a time, never two of one lane at once."""

    def __init__(
        self, work: Callable[[T], Awaitable[None]], *, workers: int = 8, urgent_workers: int = 2, most_waiting: int = 20_000
    ) -> None:
        self._work = work
        self._workers = workers
        self._urgent_workers = urgent_workers
        self._urgent: asyncio.Queue[T] = asyncio.Queue()
        self._lanes: dict[LaneKey, _Lane[T]] = {}
        self._prompt: _Rotation[T] = _Rotation()
        self._late: _Rotation[T] = _Rotation()
        self._taken = 0
        self._late_under_way = 0
        self._resting: deque[asyncio.Future[None]] = deque()  # workers with nothing to do
        self._room: _Room[T] = _Room(most_waiting)
        self._late_room: _Room[T] = _Room(MOST_LATE)  # of its own: who floods us must not keep the others out
        self._open = 0  # queued or being worked on
        self._watching: list[asyncio.Future[None]] = []  # who waits until nothing is

    def offer(self, key: LaneKey, item: T, *, late: bool = False) -> bool:
        """Queue an item that is not urgent if there is room for it; else false, and `put` waits until there is.

        A lane with a late item waits behind all others, but for one turn in `LATE_SHARE`.
        """
        room = self._late_room if late else self._room
        if room.free <= 0 or room.outside:
            return False
        room.free -= 1
        self._open += 1
        self._enter(key, item, late)
        return True

    async def put(self, key: LaneKey, item: T, *, urgent: bool = False, late: bool = False) -> None:
        """Queue an item; waits while too much is queued already. Urgent items have workers of their own and wait for nothing."""
        if urgent:
            self._open += 1
            self._urgent.put_nowait(item)
            return
        if self.offer(key, item, late=late):
            return
        self._open += 1
        let_in: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._late_room if late else self._room).outside.append((let_in, key, item))
        try:
            await let_in
        except asyncio.CancelledError:
            if let_in.cancelled():
                self._done()  # it was not let in
            raise

    def has(self, key: LaneKey) -> bool:
        """Whether something of this lane waits or is being worked on, urgent items apart."""
        return key in self._lanes

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(self._workers):
                workers.create_task(self._live())
            for _ in range(self._urgent_workers):
                workers.create_task(self._live_urgent())

    async def drained(self) -> None:
        """Return when nothing waits and nothing is being worked on."""
        while self._open:
            watching: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._watching.append(watching)
            await watching

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not (self._prompt.turns or (self._late.turns and self._late_under_way < LATE_AT_ONCE)):
                resting = loop.create_future()
                self._resting.append(resting)
                await resting
            lane, item, counted = self._take()
            try:
                await self._work(item)
            finally:
                lane.busy = False
                self._late_under_way -= counted
                if lane.items:
                    self._ready(lane)
                else:
                    del self._lanes[lane.key]
                self._done()

    async def _live_urgent(self) -> None:
        while True:
            item = await self._urgent.get()
            try:
                await self._work(item)
            finally:
                self._done()

    def _take(self) -> tuple[_Lane[T], T, bool]:
        """A lane, its first item, and whether it counts as late. A lane may become late while it is worked on."""
        self._taken += 1
        some_late = bool(self._late.turns) and self._late_under_way < LATE_AT_ONCE
        late_first = some_late and self._taken % LATE_SHARE == 0
        lane = (self._late if late_first or not self._prompt.turns else self._prompt).take()
        lane.busy = True
        counted = lane.late
        self._late_under_way += counted
        item, late = lane.items.popleft()
        self._leave(self._late_room if late else self._room, late)
        return lane, item, counted

    def _leave(self, room: _Room[T], late: bool) -> None:
        """There is room for one more: for whoever waits outside, else for whoever comes next."""
        while room.outside:
            let_in, key, item = room.outside.popleft()
            if not let_in.done():
                let_in.set_result(None)
                self._enter(key, item, late)
                return
        room.free += 1

    def _enter(self, key: LaneKey, item: T, late: bool) -> None:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(key)
        lane.items.append((item, late))
        if late:
            lane.late = True
        if len(lane.items) == 1 and not lane.busy:
            self._ready(lane)

    def _ready(self, lane: _Lane[T]) -> None:
        (self._late if lane.late else self._prompt).put(lane)
        while self._resting:
            resting = self._resting.popleft()
            if not resting.done():
                resting.set_result(None)
                return

    def _done(self) -> None:
        self._open -= 1
        if not self._open:
            for watching in self._watching:
                if not watching.done():
                    watching.set_result(None)
            self._watching.clear()
