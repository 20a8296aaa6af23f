"""Giving the bot what it is owed: each event once at a time, settled only after the bot has taken note."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from bot.messages import Address, Inbound, Kind, Sender
from bot.platforms.base import Feed
from bot.platforms.web.people import People, Room
from bot.platforms.web.rooms import Book
from bot.platforms.web.said import Event
from bot.platforms.web.settings import ACCOUNT, BOT_ID

log = structlog.get_logger(__name__)

REST_SECONDS = 5.0


def address_of(room: Room) -> Address:
    """How the bot calls a room."""
    if room.kind == "private" and room.owner is not None:
        return Address("web", ACCOUNT, room.owner, private=True)
    return Address("web", ACCOUNT, room.id)


class Handover:
    """Between the book and the bot's feed."""

    def __init__(self, people: People, book: Book, clock: Callable[[], datetime]) -> None:
        self.feed: Feed | None = None
        self.last_inbound: datetime | None = None
        self.last_error = ""
        self._people = people
        self._book = book
        self._clock = clock
        self._busy: dict[str, asyncio.Task[Event | None]] = {}
        self._addresses: dict[str, Address] = {}  # by room; what they are made of never changes

    async def give(self, event: str) -> bool:
        """Give this event to the bot; true once it is settled. Two callers of one event share one attempt. Cancelling the
        caller does not cancel the attempt: it would leave open whether the bot has it."""
        task = self._busy.get(event)
        if task is None:
            task = asyncio.create_task(self._give(event))
            self._busy[event] = task
            task.add_done_callback(lambda done: self._finished(event, done))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            raise
        except Exception as problem:
            # told apart by kind only: the text of an error may quote the message
            self.last_error = type(problem).__name__
            log.warning("web.not_taken", event_id=event, problem=type(problem).__name__)
            return False
        return True

    async def give_all(self, told: Callable[[Event], None]) -> int:
        """Give everything owed, in order; `told` hears of each that got settled. How many are still owed.

        After a failure whatever else the same person said in the same room waits for the next round, so that it stays in order.
        """
        left = 0
        waiting: set[tuple[str, str]] = set()
        for event in await self._book.events():
            owed = await self._book.event(event)
            if owed is None or event in self._busy:
                continue
            if (owed.room, owed.person) not in waiting and await self.give(event):
                told(owed)
            else:
                waiting.add((owed.room, owed.person))
                left += 1
        return left

    async def rest(self) -> None:
        """Wait for the attempts that are under way, but not for ever: what is cut off here is given again at the next start."""
        tasks = set(self._busy.values())
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=REST_SECONDS)
            for task in pending:
                task.cancel()

    def _finished(self, event: str, task: asyncio.Task[Event | None]) -> None:
        self._busy.pop(event, None)
        if not task.cancelled():
            task.exception()  # looked at, so that nothing complains when the asker has gone

    async def _give(self, event: str) -> Event | None:
        owed = await self._book.event(event)
        if owed is None:
            # settled before, or recalled before the bot heard of it
            return None
        if self.feed is None:
            raise ConnectionError("nobody listens")
        heard = self._inbound(owed)
        if heard is not None:
            await self.feed.take(heard)
            self.last_inbound = self._clock()
        await self._book.settle(event)
        return owed

    def _inbound(self, owed: Event) -> Inbound | None:
        room, person = self._people.room(owed.room), self._people.person(owed.person)
        if room is None or person is None:
            return None
        address = self._addresses.get(room.id)
        if address is None:
            address = self._addresses[room.id] = address_of(room)
        message = owed.kind is Kind.MESSAGE
        return Inbound(
            event_id=owed.id,
            address=address,
            sender=Sender(person.id, person.name),
            at=owed.at,
            kind=owed.kind,
            message_id=owed.message,
            text=owed.text,
            quote=owed.quote,
            attachments=owed.attachments if message else (),
            location=owed.location,
            mentions_me=message and self._called(owed),
            group_name=room.name if room.kind == "group" else "",
        )

    def _called(self, owed: Event) -> bool:
        """Whether the message calls the bot, by a mention or by its name as people type it."""
        if BOT_ID in owed.mentions:
            return True
        # nearly nothing that is said has the sign, and one search for it is cheaper than two for the name
        if "@" not in owed.text and "＠" not in owed.text:
            return False
        name = self._people.bot.name
        return f"@{name}" in owed.text or f"＠{name}" in owed.text
