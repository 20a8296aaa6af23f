"""From the ids of the event stream to the bot: fetched by several at a time, handed over in the order of each chat and sender.

The service keeps nothing for us: what we have been told of and cannot take now stays in memory and is tried again, and
costs the others nothing. What cannot be fetched or parsed is put into quarantine, so that an officer can see that it came.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import structlog
from msgspec.structs import replace
from wechaty_grpc.wechaty.puppet import EventType

from bot.messages import Inbound, Kind, Quote
from bot.platforms.base import Feed
from bot.platforms.wechat import parse
from bot.platforms.wechat.book import Book
from bot.platforms.wechat.client import CallFailed, Payload, Puppet, Refused, Told
from bot.platforms.wechat.duplicates import Duplicates, fingerprint
from bot.platforms.wechat.groups import Groups
from bot.platforms.wechat.names import Names
from bot.platforms.wechat.parse import PLATFORM, Malformed, Me
from bot.platforms.wechat.wire import MessageSort
from storage.writer import StorageUnavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")

MOST_WAITING = 20_000  # events told of and not taken yet; beyond that the stream is read no further
IN_WORK = 256
ORDER_SECONDS = 1.0  # how long a slow payload holds up what was said after it
FETCH_TRIES = 4
FETCH_SECONDS = 60.0  # how long a payload is tried for over reconnects
MOST_TRIES = 3
FIRST_WAIT, LONGEST_WAIT = 0.2, 10.0


@dataclass(frozen=True, slots=True)
class Source:
    """What the intake asks. `current` is the connection, None while there is none; `me` who we are, None before the login."""

    current: Callable[[], Puppet | None]
    me: Callable[[], Me | None]
    clock: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[object]]


@dataclass(slots=True)
class Slot:
    """The place of one event in the line. `at` is the loop's time; a `late` one has left the line before it was done."""

    told: Told
    at: float
    event: Inbound | None = None
    done: bool = False
    late: bool = False


class Intake:
    """Takes what the stream tells. `on_own` gets our own messages as they come back, `on_heard` everything that was taken."""

    def __init__(
        self,
        feed: Feed,
        source: Source,
        book: Book,
        groups: Groups,
        names: Names,
        duplicates: Duplicates,
        on_own: Callable[[Payload], None],
        on_heard: Callable[[Inbound], None],
        order_seconds: float = ORDER_SECONDS,
    ) -> None:
        self._feed = feed
        self._source = source
        self._book = book
        self._groups = groups
        self._names = names
        self._duplicates = duplicates
        self._on_own = on_own
        self._on_heard = on_heard
        self._order_seconds = order_seconds
        self._room = asyncio.Semaphore(MOST_WAITING)
        self._line: deque[Slot] = deque()  # in the order in which they were told of
        self._todo: deque[Slot] = deque()  # those nobody has begun with
        self._working = 0
        self._lanes: dict[tuple[str, str], deque[Inbound]] = {}
        self._tasks: set[asyncio.Task[object]] = set()

    @property
    def waiting(self) -> int:
        """Events that are told of and not taken yet."""
        return MOST_WAITING - self._room._value

    async def put(self, told: Told) -> None:
        """One event that may be for the bot; returns at once unless very many wait."""
        await self._room.acquire()
        slot = Slot(told, asyncio.get_running_loop().time())
        self._line.append(slot)
        self._todo.append(slot)
        if self._working < IN_WORK:
            self._working += 1
            self._keep(asyncio.create_task(self._work()))

    async def take(self, event: Inbound) -> None:
        """An event that is ready already."""
        await self._room.acquire()
        self._queue(event)

    async def run(self) -> None:
        """Let nobody wait for a slow payload for longer than `order_seconds`; until cancelled."""
        while True:
            await asyncio.sleep(self._order_seconds / 4)
            late = asyncio.get_running_loop().time() - self._order_seconds
            while self._line and self._line[0].at < late and not self._line[0].done:
                self._line.popleft().late = True  # it comes when it comes, the others go on
                self._go_on()

    def _go_on(self) -> None:
        """Hand over what is ready, up to the first that is not."""
        while self._line and self._line[0].done:
            self._hand(self._line.popleft().event)

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- one event ----------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        """One of those who fetch: one event after the other, as long as there are any."""
        try:
            while self._todo:
                slot = self._todo.popleft()
                slot.event = await self._prepare(slot.told)
                slot.done = True
                if slot.late:
                    self._hand(slot.event)
                else:
                    self._go_on()
        finally:
            self._working -= 1

    async def _prepare(self, told: Told) -> Inbound | None:
        try:
            return await self._read(told)
        except Malformed as problem:
            await self._put_away(told.data, str(problem))
        except CallFailed as problem:
            await self._put_away(told.data, f"could not be fetched: {problem}")
        except Exception as problem:
            log.error("wechat.not_read", problem=type(problem).__name__, exc_info=problem)
            await self._put_away(told.data, type(problem).__name__)
        return None

    async def _read(self, told: Told) -> Inbound | None:
        event = parse.read_json(told.data)
        match told.sort:
            case EventType.EVENT_TYPE_MESSAGE:
                return await self._message(parse.text_of(event, "messageId"))
            case EventType.EVENT_TYPE_ROOM_JOIN:
                return await self._joined(parse.change_of(event, "inviteeIdList", "inviterId", self._source.clock()))
            case EventType.EVENT_TYPE_ROOM_LEAVE:
                return await self._left(parse.change_of(event, "removeeIdList", "removerId", self._source.clock()))
            case EventType.EVENT_TYPE_ROOM_TOPIC:
                change = parse.change_of(event, "-", "changerId", self._source.clock())
                await self._book.rename(change.room, change.topic)
        return None

    async def _message(self, message_id: str) -> Inbound | None:
        payload = await self._fetch(message_id)
        me = await self._who()
        if payload.talker == me.id:
            self._on_own(payload)
            return None
        known = self._names.fresh(payload.room, payload.talker)
        event = parse.parse_message(payload, me, self._source.clock(), known or "")
        if event is None or (payload.room and not await self._groups.ours(payload.room)):
            return None
        if payload.sort == MessageSort.LOCATION:
            event = parse.at_place(event, await self._asked(lambda puppet: puppet.location(message_id)))
        if event.quote is not None:
            ours = await self._book.find_sent(event.address.chat, event.quote.text)
            event = replace(event, quote=Quote(ours or "", event.quote.text, mine=ours is not None))
        if known is not None:
            return event
        name = await self._names.of(payload.room, payload.talker)
        return replace(event, sender=replace(event.sender, name=name)) if name else event

    async def _joined(self, change: parse.Change) -> Inbound | None:
        me = await self._who()
        if me.id not in change.people:
            return None
        await self._groups.entered(change.room)
        if not await self._groups.ours(change.room, tell=False):
            return None
        return parse.joined(change, me, await self._groups.name(change.room))

    async def _left(self, change: parse.Change) -> Inbound | None:
        me = await self._who()
        if me.id not in change.people:
            return None
        await self._groups.gone(change.room)
        return parse.left(change, me)

    async def _fetch(self, message_id: str) -> Payload:
        """The payload. A service may tell of a message a moment before it knows it; a connection may break meanwhile."""
        return await self._asked(lambda puppet: puppet.message(message_id))

    async def _asked(self, call: Callable[[Puppet], Awaitable[T]]) -> T:
        waited, wait, refused = 0.0, FIRST_WAIT, 0
        while True:
            puppet = self._source.current()
            try:
                if puppet is None:
                    raise CallFailed("no connection")
                return await call(puppet)
            except CallFailed as problem:
                refused += isinstance(problem, Refused)
                if refused >= FETCH_TRIES or waited >= FETCH_SECONDS:
                    raise
            await self._source.sleep(wait)
            waited, wait = waited + wait, min(2.0, wait * 2)

    async def _who(self) -> Me:
        wait = 0.0
        while (me := self._source.me()) is None:
            if wait > FETCH_SECONDS:
                raise Malformed("told before the account was logged in")
            wait += FIRST_WAIT
            await self._source.sleep(FIRST_WAIT)
        return me

    # --- handing over -------------------------------------------------------------------------------------------------

    def _hand(self, event: Inbound | None) -> None:
        if event is None:
            self._room.release()
        else:
            self._queue(event)

    def _queue(self, event: Inbound) -> None:
        key = (event.address.chat, event.sender.id)
        lane = self._lanes.get(key)
        if lane is not None:
            lane.append(event)
            return
        self._lanes[key] = deque([event])
        self._keep(asyncio.create_task(self._take_all(key)))

    async def _take_all(self, key: tuple[str, str]) -> None:
        """What one person said in one chat, one after the other."""
        lane = self._lanes[key]
        try:
            while lane:
                event = lane.popleft()
                try:
                    mark = fingerprint(event)
                    if not self._duplicates.is_repeat(event, mark):
                        await self._take(event, mark)
                finally:
                    self._room.release()
        finally:
            del self._lanes[key]

    async def _take(self, event: Inbound, mark: bytes) -> None:
        """Hand one event over for good: while the storage is away it waits here, three other failures put it into quarantine."""
        if event.kind is Kind.MESSAGE and not event.address.private:
            await self._groups.tell(self._feed, event)
        wait, tries = FIRST_WAIT, 0
        while True:
            try:
                if event.kind is Kind.JOINED:
                    await self._groups.enlist(event)
                await self._feed.take(event)
            except StorageUnavailable:
                pass
            except Exception as problem:
                log.error("wechat.not_taken", problem=type(problem).__name__, exc_info=problem)
                tries += 1
                if tries >= MOST_TRIES:
                    await self._put_away(f'{{"messageId": "{event.event_id}"}}', type(problem).__name__)
                    return
            else:
                self._duplicates.took(event, mark)
                if event.kind is Kind.JOINED:
                    await self._groups.told(event.address.chat)
                self._on_heard(event)
                return
            await self._source.sleep(wait)
            wait = min(LONGEST_WAIT, wait * 2)

    async def _put_away(self, data: str, why: str) -> None:
        me = self._source.me()
        name = hashlib.sha256(data.encode()).hexdigest()[:24]
        wait = FIRST_WAIT
        while True:
            try:
                await self._feed.quarantine(PLATFORM, me.account if me else "", name, data.encode(), why)
                return
            except StorageUnavailable:
                await self._source.sleep(wait)
                wait = min(LONGEST_WAIT, wait * 2)
            except Exception as problem:
                log.error("wechat.not_quarantined", problem=type(problem).__name__, exc_info=problem)
                return

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
