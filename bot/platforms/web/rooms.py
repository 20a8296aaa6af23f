"""What was said in the rooms: stored once, numbered, given out in order, taken back, and owed to the bot until it took note."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlmodel import Session

from bot.messages import Choice, Kind
from bot.platforms.web.said import (
    Event,
    Kept,
    NewMessage,
    Said,
    find_known,
    load,
    load_event,
    owe,
    point_text,
    without_tapped,
)
from bot.platforms.web.settings import BOT_ID
from bot.platforms.web.store import change, forget, millis, next_seq, row, rows
from storage.writer import Writer

PAGE = 50


class UnknownPhoto(Exception):
    """A photo that the sender has not uploaded, or that is gone."""


class TooLate(Exception):
    """The time in which a message may be taken back is over."""


class NotTheirs(Exception):
    """No such message of this person in this room."""


class Book:
    """The book of everything said. Every change is durable when its method returns."""

    def __init__(self, writer: Writer, first_seq: int = 0) -> None:
        """`first_seq` is where rooms begin to count: memory that is lost must not count from the same place again."""
        self._writer = writer
        self._first_seq = first_seq

    async def open_rooms(self, room_ids: Iterable[str]) -> None:
        """Let these rooms count. Again and again is fine."""
        wanted = list(room_ids)

        def work(session: Session) -> None:
            for room in wanted:
                change(session, "INSERT OR IGNORE INTO head VALUES (?, ?)", room, self._first_seq)

        await self._writer.run(work)

    async def say(self, new: NewMessage, at: datetime, *, tell_bot: bool) -> Kept:
        """Store a message, once per (author, cid) or (room, key). Raises UnknownPhoto."""

        def work(session: Session) -> Kept:
            known = find_known(session, new)
            if known is not None:
                owed = row(session, "SELECT 1 FROM event WHERE id = ?", known.id) is not None
                return Kept(known, fresh=False, owed=owed)
            message = f"m{secrets.token_hex(10)}"
            reply_to = new.reply_to
            if reply_to and row(session, "SELECT 1 FROM message WHERE id = ? AND room = ?", reply_to, new.room) is None:
                reply_to = None  # purged, or of another room: the answer stands without its quote
            text = "" if new.secret else new.text
            choices = json.dumps([[choice.label, choice.value] for choice in new.choices], ensure_ascii=False)
            pin = new.location and point_text((new.location.latitude, new.location.longitude))
            change(
                session,
                "INSERT INTO message (id, room, seq, person, at, text, reply_to, mentions, choices, cid, key, location)"
                " VALUES (?, ?, ?, ?, ?, sealed(?), ?, ?, ?, ?, ?, sealed(?))",
                *(message, new.room, next_seq(session, new.room), new.person, millis(at), text, reply_to),
                *(json.dumps(new.mentions), choices, new.cid, new.key, pin),
            )
            for place, photo in enumerate(new.photos):
                if row(session, "SELECT 1 FROM photo WHERE id = ? AND person = ?", photo, new.person) is None:
                    raise UnknownPhoto(photo)
                change(session, "INSERT INTO shown VALUES (?, ?, ?)", message, place, photo)
            if tell_bot:
                owe(session, message, Kind.MESSAGE, new.room, new.person, message, "", new.cid, at)
            said = load(session, "id = ?", message)[0]
            return Kept(replace(said, text=new.text) if new.secret else said, fresh=True, owed=tell_bot)

        return await self._writer.run(work)

    async def unsay(self, message: str) -> None:
        """Remove the words and photos of a message that told something in confidence; that there was one stays."""

        def work(session: Session) -> None:
            change(session, "UPDATE message SET text = sealed(''), mentions = '[]', location = NULL WHERE id = ?", message)
            for (photo,) in rows(session, "SELECT photo FROM shown WHERE message = ?", message):
                change(session, "DELETE FROM shown WHERE message = ? AND photo = ?", message, photo)
                change(session, "DELETE FROM photo WHERE id = ? AND id NOT IN (SELECT photo FROM shown)", photo)

        await self._writer.run(work)

    async def forget_person(self, person: str, private: str) -> None:
        """Remove the words and photos of everything that a person said, and of their private chat."""

        def work(session: Session) -> None:
            change(
                session,
                "UPDATE message SET text = sealed(''), mentions = '[]', choices = '[]', location = NULL"
                " WHERE person = ? OR room = ?",
                *(person, private),
            )
            change(session, "DELETE FROM shown WHERE message IN (SELECT id FROM message WHERE person = ?)", person)
            change(session, "DELETE FROM photo WHERE person = ? AND id NOT IN (SELECT photo FROM shown)", person)

        await self._writer.run(work)

    async def recall(self, room: str, message: str, who: str, at: datetime, not_before: datetime | None) -> Said | None:
        """Take a message of `who` back; None when it was taken back before. Raises NotTheirs, and TooLate for one said before
        `not_before`."""

        def work(session: Session) -> Said | None:
            found = row(session, "SELECT at, recalled FROM message WHERE id = ? AND room = ? AND person = ?", message, room, who)
            if found is None:
                raise NotTheirs(message)
            if found[1] is not None:
                return None
            if not_before is not None and found[0] < millis(not_before):
                raise TooLate(message)
            change(
                session,
                "UPDATE message SET text = sealed(''), mentions = '[]', choices = '[]', location = NULL, recalled = ?,"
                " recalled_by = ? WHERE id = ?",
                *(next_seq(session, room), who, message),
            )
            for (photo,) in rows(session, "SELECT photo FROM shown WHERE message = ?", message):
                change(session, "DELETE FROM shown WHERE message = ? AND photo = ?", message, photo)
                change(session, "DELETE FROM photo WHERE id = ? AND id NOT IN (SELECT photo FROM shown)", photo)
            if who != BOT_ID:
                change(session, "DELETE FROM event WHERE id = ?", message)
                owe(session, f"recall:{message}", Kind.RECALL, room, who, message, "", None, at)
            return load(session, "id = ?", message)[0]

        return await self._writer.run(work)

    async def change(self, room: str, message: str, who: str, text: str, choices: tuple[Choice, ...]) -> Said | None:
        """Put other words into a message of `who`; None when it is not there, not theirs or taken back."""
        buttons = json.dumps([[choice.label, choice.value] for choice in choices], ensure_ascii=False)

        def work(session: Session) -> Said | None:
            mine = "id = ? AND room = ? AND person = ? AND recalled IS NULL"
            found = load(session, mine, message, room, who)
            if not found:
                return None
            if (found[0].text, found[0].choices) != (text, choices):
                change(
                    session,
                    "UPDATE message SET text = sealed(?), choices = ?, changed = ? WHERE id = ?",
                    *(text, buttons, next_seq(session, room), message),
                )
            return load(session, "id = ?", message)[0]

        return await self._writer.run(work)

    async def tap(self, room: str, message: str, who: str, value: str, cid: str, at: datetime) -> tuple[str, int, str, bool]:
        """Press a button, once per person and message: (event id, seq of the message, the value that counts, still owed).
        Raises NotTheirs when the message has no such button."""

        def work(session: Session) -> tuple[str, int, str, bool]:
            found = row(session, "SELECT seq, choices FROM message WHERE id = ? AND room = ?", message, room)
            if found is None or value not in (choice[1] for choice in json.loads(found[1])):
                raise NotTheirs(message)
            known = row(session, "SELECT id, value FROM tap WHERE message = ? AND person = ?", message, who)
            if known is None:
                event = f"tap:{secrets.token_hex(10)}"
                change(session, "INSERT INTO tap VALUES (?, ?, ?, ?, ?, ?)", event, message, who, value, cid, millis(at))
                owe(session, event, Kind.TAP, room, who, message, value, cid, at)
                return event, found[0], value, True
            owed = row(session, "SELECT 1 FROM event WHERE id = ?", known[0]) is not None
            return known[0], found[0], known[1], owed

        return await self._writer.run(work)

    async def meet(self, room: str, who: str, at: datetime) -> str:
        """Note that a person opened the private chat for the first time; the event's id."""
        event = f"met:{who}"
        await self._writer.run(lambda s: owe(s, event, Kind.MET, room, who, "", "", None, at))
        return event

    async def events(self) -> list[str]:
        """Ids of everything still owed to the bot, in order."""
        return await self._writer.read(lambda s: [found[0] for found in rows(s, "SELECT id FROM event ORDER BY n")])

    async def event(self, event: str) -> Event | None:
        """One thing owed to the bot, or None when it is settled."""
        return await self._writer.read(lambda s: load_event(s, event))

    async def settle(self, event: str) -> None:
        """The bot has taken note."""
        await self._writer.append("DELETE FROM event WHERE id = ?", (event,))

    async def overview(self, room: str, who: str, since: int, read: int) -> tuple[int, int, Said | None]:
        """(last seq, how many unread messages of others, last message) of a room for one person."""

        def work(session: Session) -> tuple[int, int, Said | None]:
            head = row(session, "SELECT seq FROM head WHERE room = ?", room)
            unread = row(
                session,
                "SELECT count(*) FROM message WHERE room = ? AND seq > ? AND person <> ? AND recalled IS NULL",
                *(room, max(since, read), who),
            )
            last = load(session, "room = ? AND seq > ? ORDER BY seq DESC LIMIT 1", room, since)
            return int(head[0]) if head else 0, int(unread[0]) if unread else 0, last[0] if last else None

        return await self._writer.read(work)

    async def head(self, room: str) -> int:
        """The last number given in this room."""
        found = await self._writer.read(lambda s: row(s, "SELECT seq FROM head WHERE room = ?", room))
        return int(found[0]) if found else 0

    async def missed(self, room: str, who: str, after: int) -> tuple[list[tuple[int, Said]], int | None]:
        """Messages, recalls and changes numbered above `after`, in order, one page of them, and where the next page starts (None:
        no more). A pair whose number is not the message's own `seq` is a recall or a change."""

        def work(session: Session) -> tuple[list[tuple[int, Said]], int | None]:
            said = load(session, "room = ? AND seq > ? ORDER BY seq LIMIT ?", room, after, PAGE + 1)
            taken = load(
                session, "room = ? AND recalled > ? AND seq <= ? ORDER BY recalled LIMIT ?", room, after, after, PAGE + 1
            )
            other = load(
                session,
                "room = ? AND changed > ? AND seq <= ? AND recalled IS NULL ORDER BY changed LIMIT ?",
                *(room, after, after, PAGE + 1),
            )
            found = [(one.seq, one) for one in said] + [(one.recalled or 0, one) for one in taken]
            found += [(one.changed or 0, one) for one in other]
            found.sort(key=lambda pair: pair[0])
            page = found[:PAGE]
            fresh = iter(without_tapped(session, [one for _, one in page], who))
            return [(seq, next(fresh)) for seq, _ in page], page[-1][0] if len(found) > PAGE else None

        return await self._writer.read(work)

    async def older(self, room: str, who: str, before: int, since: int) -> tuple[list[Said], bool]:
        """Up to 50 messages before `before` and after `since`, oldest first, and whether there are still earlier ones."""

        def work(session: Session) -> tuple[list[Said], bool]:
            found = load(session, "room = ? AND seq < ? AND seq > ? ORDER BY seq DESC LIMIT ?", room, before, since, PAGE + 1)
            return without_tapped(session, found[PAGE - 1 :: -1] if len(found) > PAGE else found[::-1], who), len(found) > PAGE

        return await self._writer.read(work)

    async def forget(self, before: datetime, loose_before: datetime) -> int:
        """Remove what is older than `before`, and photos nobody sent older than `loose_before`; how many messages went."""
        return await self._writer.run(lambda s: forget(s, millis(before), millis(loose_before)))
