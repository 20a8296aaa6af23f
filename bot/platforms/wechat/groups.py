"""The groups that an account is in: of which the bot has been told, which of our accounts speaks there, how fresh names are.

A look at all of them is one call for the list and then one call a group, few at a time and with a rest after each, because every
one of them may be a question to WeChat's own servers. What is known is kept in our tables, not in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from bot.messages import Inbound
from bot.platforms import base
from bot.platforms.owners import Owners
from bot.platforms.wechat import parse
from bot.platforms.wechat.book import Book
from bot.platforms.wechat.client import CallFailed, Puppet, Room
from bot.platforms.wechat.parse import Change, Me
from bot.platforms.wechat.settings import WechatSettings
from storage.writer import StorageUnavailable

log = structlog.get_logger(__name__)

REST_SECONDS = 0.5  # after each call of a look at all groups
KEPT_AT_ONCE = 64  # descriptions in one transaction


class Groups:
    """`current` gives the connection, `me` who we are; None while there is none."""

    def __init__(
        self,
        book: Book,
        owners: Owners,
        settings: WechatSettings,
        current: Callable[[], Puppet | None],
        me: Callable[[], Me | None],
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._book = book
        self._owners = owners
        self._settings = settings
        self._current = current
        self._me = me
        self._clock = clock
        self._sleep = sleep
        self._told: set[str] = set()  # ids of groups, as many as the account is in
        self._telling: dict[str, asyncio.Lock] = {}
        self.listed = 0

    async def load(self) -> None:
        """Remember of which groups the bot has been told."""
        self._told = await self._book.announced()

    async def ours(self, room: str, *, tell: bool = True) -> bool:
        """Whether this account speaks and listens in a group; with several accounts in it, one does."""
        if tell and room not in self._told:
            await self._book.see_rooms([room], self._clock())
        return await self._owners.mine(room, anew=not tell)

    async def entered(self, room: str) -> None:
        """We came into a group."""
        self._told.discard(room)
        self._owners.forget(room)
        await self._book.see_rooms([room], self._clock())

    async def gone(self, room: str) -> None:
        """We are not in a group any more."""
        self._told.discard(room)
        self._owners.forget(room)
        await self._book.set_room(room, present=False, announced=False)

    async def name(self, room: str) -> str:
        """What a group is called, asked for now if nobody knows it; empty when it cannot be learnt."""
        if topic := await self._book.topic(room):
            return topic
        puppet = self._current()
        try:
            if puppet is not None:
                found = await puppet.room(room)
                await self._book.keep_rooms([found], self._clock())
                return found.topic
        except CallFailed as problem:
            log.info("wechat.group_not_asked", why=str(problem))
        return ""

    async def tell(self, feed: base.Feed, event: Inbound) -> None:
        """Before its first message the bot hears that it is in a group, whether or not the service said so."""
        room = event.address.chat
        if room in self._told:
            return
        async with self._telling.setdefault(room, asyncio.Lock()):
            if room not in self._told:
                await self._announce(feed, room, event.at)
        self._telling.pop(room, None)

    async def enlist(self, joined: Inbound) -> None:
        """Before anything is kept of a group it has its row, so that what is said next has its group."""
        await self._owners.enlist(joined.address.chat, joined.group_name)

    async def told(self, room: str) -> None:
        """The bot knows of this group now."""
        self._told.add(room)
        await self._book.set_room(room, announced=True)

    async def stale(self, room: str) -> None:
        """The service says that a group changed."""
        await self._book.set_room(room, stale=True)

    async def look(self) -> int:
        """Look at the groups: new ones are noted, old descriptions fetched anew. Returns how many groups there are."""
        puppet = self._current()
        if puppet is None:
            return 0
        chats = await puppet.rooms()
        self.listed = len(chats)
        await self._book.see_rooms(chats, self._clock())
        line = iter(await self._book.stale_rooms(self._clock() - timedelta(seconds=self._settings.room_fresh_seconds)))

        found: list[Room] = []

        async def keep(least: int) -> None:
            if len(found) >= least:
                rooms, found[:] = list(found), []
                await self._book.keep_rooms(rooms, self._clock())

        async def ask() -> None:
            for room in line:
                puppet = self._current()
                if puppet is None:
                    return
                try:
                    found.append(await puppet.room(room))
                except CallFailed as problem:
                    log.info("wechat.group_not_asked", why=str(problem))
                await keep(KEPT_AT_ONCE)
                await self._sleep(REST_SECONDS)

        async with asyncio.TaskGroup() as asking:
            for _ in range(self._settings.room_calls):
                asking.create_task(ask())
        await keep(1)
        return len(chats)

    async def introduce(self, feed: base.Feed) -> None:
        """Tell the bot of the groups in which nobody has spoken yet, slowly: it says hello in each of them."""
        if not self._settings.introductions_per_hour:
            return
        for room in await self._book.unannounced():
            if room not in self._told and await self._owners.mine(room):
                await self._announce(feed, room, self._clock())
            await self._sleep(3600.0 / self._settings.introductions_per_hour)

    async def _announce(self, feed: base.Feed, room: str, at: datetime) -> None:
        me = self._me()
        if me is None:
            return
        joined = parse.joined(Change(room, (me.id,), "", at), me, await self.name(room))
        try:
            await self.enlist(joined)
            await feed.take(joined)
        except StorageUnavailable:
            return  # at the next message
        await self.told(room)
