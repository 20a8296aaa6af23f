"""What people do in the rooms: say, take back, press, read. Each is stored, shown to everybody there, and told to the bot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from bot.errors import RefusedInput
from bot.messages import Choice, Location
from bot.platforms.web.handover import REST_SECONDS, Handover
from bot.platforms.web.hub import Hub, Line
from bot.platforms.web.people import Membership, People, Person, Room, private_room
from bot.platforms.web.rooms import Book, NotTheirs, TooLate, UnknownPhoto
from bot.platforms.web.said import Event, Kept, NewMessage, Said
from bot.platforms.web.settings import BOT_ID, WebSettings
from bot.platforms.web.wire import Json, Older, Painter, Read, Recall, Say, Tap, dump, moment
from bot.platforms.web.wire import room as room_frame

T = TypeVar("T")

MOST_MEMBERS = 200


class Talk:
    """The rooms at work. Methods for people raise RefusedInput with the phrase that tells them why."""

    def __init__(
        self,
        settings: WebSettings,
        people: People,
        book: Book,
        hub: Hub,
        handover: Handover,
        painter: Painter,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._people = people
        self._book = book
        self._hub = hub
        self._handover = handover
        self._painter = painter
        self._clock = clock
        self._running: set[asyncio.Task[Any]] = set()
        self._meeting: set[str] = set()

    # --- people -------------------------------------------------------------------------------------------------------

    async def say(self, who: Person, frame: Say) -> dict[str, Json]:
        """Store what was said, show it, tell the bot; the frame `ack`."""
        self._check(who, frame)
        if frame.room == private_room(who.id):
            await self._meet(who)
        pin = frame.location
        new = NewMessage(
            room=frame.room,
            person=who.id,
            text=frame.text,
            photos=frame.photos,
            reply_to=frame.reply_to,
            mentions=self._present(frame),
            cid=frame.cid,
            location=None if pin is None else Location(pin.latitude, pin.longitude),
        )
        try:
            kept = await self._steady(self._say(new, tell_bot=True))
        except UnknownPhoto:
            raise RefusedInput("say.photo_gone") from None
        if kept.owed and not await self._handover.give(kept.said.id):
            raise RefusedInput("say.not_taken")
        return _ack(frame.cid, kept.said.id, kept.said.seq, kept.said.at)

    async def recall(self, who: Person, frame: Recall) -> None:
        """Take an own message back, within two minutes; everybody and the bot are told."""
        self._member(who, frame.room)
        at = self._clock()
        not_before = at - timedelta(seconds=self._settings.recall_seconds)
        try:
            done = await self._steady(self._recall(frame.room, frame.message, who.id, at, not_before))
        except TooLate:
            raise RefusedInput("take_back.too_late") from None
        except NotTheirs:
            raise RefusedInput("take_back.not_yours") from None
        if done:
            # what the bot does not take now, it is given again; nobody has to wait for that
            await self._handover.give(f"recall:{frame.message}")

    async def tap(self, who: Person, frame: Tap) -> dict[str, Json]:
        """Press a button, once; the frame `ack`."""
        self._member(who, frame.room)
        at = self._clock()
        try:
            event, seq, counted, owed = await self._book.tap(frame.room, frame.message, who.id, frame.value, frame.cid, at)
        except NotTheirs:
            raise RefusedInput("tap.gone") from None
        for line in self._hub.of(who.id):
            line.post({"t": "taken", "room": frame.room, "message": frame.message, "value": counted})
        if owed and not await self._handover.give(event):
            raise RefusedInput("say.not_taken")
        if counted != frame.value:
            raise RefusedInput("tap.other", value=counted)
        return _ack(frame.cid, frame.message, seq, at)

    async def read(self, who: Person, frame: Read) -> None:
        """Move the read mark, in the other tabs, too. Opening the private chat for the first time is told to the bot."""
        self._member(who, frame.room)
        if frame.room == private_room(who.id):
            await self._meet(who)
        if await self._people.read_up_to(frame.room, who.id, frame.seq):
            for line in self._hub.of(who.id):
                line.post({"t": "read", "room": frame.room, "seq": frame.seq})

    async def older(self, who: Person, frame: Older) -> dict[str, Json]:
        """A page of earlier messages; the frame `messages`."""
        since = self._member(who, frame.room).since
        said, more = await self._book.older(frame.room, who.id, frame.before, since)
        return self._painter.messages(frame.room, said, who.id, more)

    async def greet(self, who: Person, line: Line, since: dict[str, int]) -> None:
        """Welcome a browser and bring it up to date. The line must be in the hub already, so that nothing falls between."""
        rooms = self._people.rooms_of(who.id)
        frames = [await self.room_for(who, room) for room in rooms]
        line.post({"t": "welcome", "me": self._me(who), "rooms": [frame for _, frame in frames], "demo": self._settings.demo})
        for room, (head, _) in zip(rooms, frames, strict=True):
            known = since.get(room.id)
            if known is None or known > head:
                line.start_at(room.id, head)
            else:
                after = max(known, self._member(who, room.id).since)
                line.start_at(room.id, after)
                if after < head and not await self._catch_up(who, line, room.id, after):
                    return
        line.caught_up()

    async def room_for(self, who: Person, room: Room) -> tuple[int, dict[str, Json]]:
        """(last seq, `Room` of the protocol) for this person."""
        membership = self._member(who, room.id)
        head, unread, last = await self._book.overview(room.id, who.id, membership.since, membership.read)
        frame = room_frame(
            room,
            self._shown_members(who, room),
            seq=head,
            read=membership.read,
            unread=unread,
            last=self._painter.message(last, who.id) if last else None,
            can_post=self._may_post(who, room),
        )
        return head, frame

    # --- the bot and the house ----------------------------------------------------------------------------------------

    async def say_as_bot(self, new: NewMessage) -> Said:
        """What the bot says; the same key in the same room says it once."""
        return (await self._steady(self._say(new, tell_bot=False))).said

    async def change_as_bot(self, room: str, message: str, text: str, choices: tuple[Choice, ...]) -> bool:
        """Let a message of the bot say something else; false when it is not there (any more) or not the bot's."""

        async def change() -> bool:
            done = await self._book.change(room, message, BOT_ID, text, choices)
            if done is not None:
                self._tell(done.changed or done.seq, done)
            return done is not None

        return await self._steady(change())

    async def recall_as_bot(self, room: str, message: str) -> bool:
        """Take a message of the bot back; false when it is not there or not the bot's."""
        try:
            await self._steady(self._recall(room, message, BOT_ID, self._clock(), None))
        except NotTheirs:
            return False
        return True

    async def show_room(self, room: Room) -> None:
        """Tell everybody in a room that it appeared or changed."""
        for person in self._people.members(room.id):
            lines = self._hub.of(person.id)
            if lines:
                _, frame = await self.room_for(person, room)
                for line in lines:
                    line.post({"t": "room", "room": frame})

    def tell_settled(self, event: Event) -> None:
        """What the bot did not take at first was taken now: the sender may stop worrying."""
        if event.cid is not None:
            for line in self._hub.of(event.person):
                line.post(_ack(event.cid, event.message, event.seq, event.at))

    async def rest(self) -> None:
        """Wait for what is being stored."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=REST_SECONDS)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _check(self, who: Person, frame: Say) -> None:
        self._member(who, frame.room)
        room = self._people.room(frame.room)
        if room is None or not self._may_post(who, room):
            raise RefusedInput("say.read_only")
        if not frame.text and not frame.photos and frame.location is None:
            raise RefusedInput("say.empty")
        if len(frame.text) > self._settings.max_text:
            raise RefusedInput("say.too_long", most=self._settings.max_text)
        if len(frame.photos) > self._settings.max_photos:
            raise RefusedInput("say.too_many_photos", most=self._settings.max_photos)

    def _member(self, who: Person, room: str) -> Membership:
        membership = self._people.membership(room, who.id)
        if membership is None:
            raise RefusedInput("say.no_room")
        return membership

    def _present(self, frame: Say) -> tuple[str, ...]:
        """Only people in the room can be called."""
        return tuple(who for who in frame.mentions if who == BOT_ID or self._people.membership(frame.room, who) is not None)

    def _shown_members(self, who: Person, room: Room) -> list[Person]:
        """Whom to list: in a large room the bot, the officers, oneself, and some of the others."""
        members = self._people.members(room.id)
        if len(members) > MOST_MEMBERS:
            members.sort(key=lambda person: (person.role == "resident", person.id != who.id))
        return members[:MOST_MEMBERS]

    @staticmethod
    def _may_post(who: Person, room: Room) -> bool:
        return not room.officers_only or who.role != "resident"

    @staticmethod
    def _me(who: Person) -> dict[str, Json]:
        return {"id": who.id, "name": who.name, "role": who.role, "title": who.title}

    async def _meet(self, who: Person) -> None:
        known = self._people.person(who.id)
        if known is None or known.met or who.id in self._meeting:
            return
        self._meeting.add(who.id)
        try:
            event = await self._book.meet(private_room(who.id), who.id, self._clock())
            await self._people.mark_met(who.id)
        finally:
            self._meeting.discard(who.id)
        await self._handover.give(event)

    async def _catch_up(self, who: Person, line: Line, room: str, after: int) -> bool:
        """Send what was missed, page by page; false when the connection ended meanwhile."""
        following: int | None = after
        while following is not None:
            page, following = await self._book.missed(room, who.id, following)
            for seq, said in page:
                line.pass_on(room, seq, self._paint(seq, said, who.id))
            if not await line.space():
                return False
        return True

    def _paint(self, seq: int, said: Said, viewer: str) -> str:
        if seq == said.recalled:
            return dump(self._painter.recalled(said))
        if seq != said.seq:
            return dump(self._painter.changed(said, viewer))
        return dump({"t": "message", "room": said.room, "message": self._painter.message(said, viewer)})

    async def _say(self, new: NewMessage, *, tell_bot: bool) -> Kept:
        kept = await self._book.say(new, self._clock(), tell_bot=tell_bot)
        if kept.fresh:
            # no await between the commit and this: frames leave in the order of their numbers
            self._tell(kept.said.seq, kept.said)
        return kept

    async def _recall(self, room: str, message: str, who: str, at: datetime, not_before: datetime | None) -> bool:
        done = await self._book.recall(room, message, who, at, not_before)
        if done is None:
            return False
        self._tell(done.recalled or done.seq, done)
        return True

    def _tell(self, seq: int, said: Said) -> None:
        for_others = self._paint(seq, said, "")
        self._hub.tell(
            [person.id for person in self._people.members(said.room)],
            said.room,
            seq,
            lambda person: self._paint(seq, said, person) if person == said.person else for_others,
        )

    async def _steady(self, work: Coroutine[Any, Any, T]) -> T:
        """Let `work` finish even when the connection that asked for it goes away: stored, but shown to nobody, must not be."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that nothing complains when the asker has gone


def _ack(cid: str, message: str, seq: int, at: datetime) -> dict[str, Json]:
    return {"t": "ack", "cid": cid, "id": message, "seq": seq, "at": moment(at)}
