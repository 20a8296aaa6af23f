"""Who is there and which rooms they are in: kept in the file, held whole in memory, written through."""

from __future__ import annotations

import hashlib
import json
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from sqlmodel import Session

from bot.platforms.web.settings import BOT_ID, OfficerCard, Role, RoomSeed, UserSeed, officer_id
from bot.platforms.web.store import change, row, rows
from storage.writer import Writer

LONGEST_NAME = 20


@dataclass(frozen=True, slots=True)
class Person:
    """An account of the web chat. `badge` is set for officers who sign in; `persona` for the sample people."""

    id: str
    name: str
    role: Role
    title: str = ""
    badge: str | None = None
    persona: bool = False
    met: bool = False  # has opened the private chat with the bot


@dataclass(frozen=True, slots=True)
class Room:
    """A group, or the private chat of `owner` with the bot."""

    id: str
    name: str
    kind: Literal["group", "private"]
    labels: tuple[str, ...] = ()
    officers_only: bool = False
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Membership:
    """`since`: what lies at or before this seq is not shown to this member. `read`: the last seq they have seen."""

    since: int = 0
    read: int = 0


def clean_name(raw: str) -> str:
    """A name as it may be shown: no control, format or bidi characters, single spaces, at most 20 characters."""
    return clean_title(unicodedata.normalize("NFKC", raw[:200]))


def clean_title(raw: str) -> str:
    """What stands beside a name, in its own punctuation; otherwise as a name."""
    seen = (" " if mark.isspace() else mark for mark in raw[:200])
    kept = (mark for mark in seen if unicodedata.category(mark)[0] not in "CM" or mark == "\ufe0f")
    return " ".join("".join(kept).split())[:LONGEST_NAME].strip()


def hashed(token: str) -> str:
    """What is stored of a token: enough to know it again, useless to whoever reads the file."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def private_room(person: str) -> str:
    """The id of this person's private chat with the bot."""
    return f"private-{person}"


class People:
    """The directory. Reading is immediate and from memory; whatever changes is durable before it is seen."""

    def __init__(self, writer: Writer, bot_name: str) -> None:
        self._writer = writer
        self.bot = Person(BOT_ID, bot_name, "bot")
        self._people: dict[str, Person] = {}
        self._rooms: dict[str, Room] = {}
        self._members: dict[str, dict[str, Membership]] = {}
        self._rooms_of: dict[str, list[str]] = {}

    # --- reading ------------------------------------------------------------------------------------------------------

    def person(self, who: str) -> Person | None:
        """The person with this id, the bot among them."""
        return self.bot if who == BOT_ID else self._people.get(who)

    def room(self, room: str) -> Room | None:
        """The room with this id."""
        return self._rooms.get(room)

    def membership(self, room: str, who: str) -> Membership | None:
        """This person's membership, or None."""
        return self._members.get(room, {}).get(who)

    def members(self, room: str) -> list[Person]:
        """Everybody in the room, the bot first."""
        return [self.bot, *(self._people[who] for who in self._members.get(room, {}) if who in self._people)]

    def rooms_of(self, who: str) -> list[Room]:
        """This person's rooms, in the order in which they came into them."""
        return [self._rooms[room] for room in self._rooms_of.get(who, []) if room in self._rooms]

    def rooms(self) -> list[Room]:
        """Every room."""
        return list(self._rooms.values())

    def personas(self) -> list[Person]:
        """The sample people of the demonstration."""
        return [person for person in self._people.values() if person.persona]

    def name_is_taken(self, name: str) -> bool:
        """Whether a newcomer may not call themselves that, because the bot or an officer is called so."""
        plain = name.casefold().replace(" ", "")
        return any(
            plain == other.name.casefold().replace(" ", "")
            for other in (self.bot, *self._people.values())
            if other.role != "resident"
        )

    # --- changing -----------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Read everything from the file anew."""

        def work(session: Session) -> tuple[list[Person], list[Room], list[tuple[str, str, Membership]]]:
            people = [
                Person(found[0], found[1], cast(Role, found[2]), found[3], found[4], bool(found[5]), bool(found[6]))
                for found in rows(session, "SELECT id, name, role, title, badge, persona, met FROM person ORDER BY rowid")
            ]
            places = [
                Room(found[0], found[1], found[2], tuple(json.loads(found[3])), bool(found[4]), found[5])
                for found in rows(session, "SELECT id, name, kind, labels, officers_only, owner FROM room ORDER BY rowid")
            ]
            members = [
                (found[0], found[1], Membership(found[2], found[3]))
                for found in rows(session, "SELECT room, person, since, read FROM member")
            ]
            return people, places, members

        people, places, members = await self._writer.read(work)
        self._people = {person.id: person for person in people}
        self._rooms = {room.id: room for room in places}
        self._members = {room.id: {} for room in places}
        self._rooms_of = {}
        order = {room.id: place for place, room in enumerate(places)}
        for room_id, who, membership in sorted(members, key=lambda found: order.get(found[0], 0)):
            if room_id in self._members:
                self._members[room_id][who] = membership
                self._rooms_of.setdefault(who, []).append(room_id)

    async def seed(self, seeded: Sequence[RoomSeed], users: Sequence[UserSeed], *, personas: bool) -> None:
        """Make sure that these people and rooms exist; what is there already is brought up to the seed, nothing is removed."""

        def work(session: Session) -> None:
            for seed in seeded:
                _put_room(session, Room(seed.id, clean_name(seed.name), "group", seed.labels, seed.officers_only))
            for user in users:
                person = Person(user.id, clean_name(user.name), user.role, clean_title(user.title), user.badge, personas)
                self._put_person(session, person)
            for seed in seeded:
                for who in seed.members:
                    change(session, "INSERT OR IGNORE INTO member VALUES (?, ?, 0, 0)", seed.id, who)

        await self._writer.run(work)
        await self.load()

    async def add_resident(self, name: str) -> Person:
        """A new resident with a private chat of their own. The name must be clean."""
        person = Person(f"u{secrets.token_hex(8)}", name, "resident")
        return await self._add(person)

    async def add_officer(self, card: OfficerCard) -> Person:
        """The account of this officer, made or brought up to the card."""
        made = Person(officer_id(card.badge), clean_name(card.name), "officer", clean_title(card.title), card.badge)
        known = self._people.get(made.id)
        return await self._add(replace(made, met=known.met if known else False))

    async def join(self, room: str, who: str, since: int) -> None:
        """Bring a person into a room; a second time changes nothing."""
        await self._writer.run(lambda s: change(s, "INSERT OR IGNORE INTO member VALUES (?, ?, ?, ?)", room, who, since, since))
        if self.membership(room, who) is None:
            self._enter(room, who, Membership(since, since))

    async def leave(self, room: str, who: str) -> None:
        """Take a person out of a room."""
        await self._writer.run(lambda s: change(s, "DELETE FROM member WHERE room = ? AND person = ?", room, who))
        self._members.get(room, {}).pop(who, None)
        if room in self._rooms_of.get(who, []):
            self._rooms_of[who].remove(room)

    async def read_up_to(self, room: str, who: str, seq: int) -> bool:
        """Move a read mark forward; true when it moved."""
        known = self.membership(room, who)
        if known is None or seq <= known.read:
            return False
        self._members[room][who] = replace(known, read=seq)
        await self._writer.run(
            lambda s: change(s, "UPDATE member SET read = max(read, ?) WHERE room = ? AND person = ?", seq, room, who)
        )
        return True

    async def mark_met(self, who: str) -> None:
        """Remember that this person has opened the private chat."""
        await self._writer.run(lambda s: change(s, "UPDATE person SET met = 1 WHERE id = ?", who))
        if who in self._people:
            self._people[who] = replace(self._people[who], met=True)

    # --- invitations and passwords ------------------------------------------------------------------------------------

    async def make_invite(self, room: str, until: int) -> str:
        """A token that lets people into `room` until `until` (milliseconds)."""
        token = secrets.token_urlsafe(18)
        await self._writer.run(lambda s: change(s, "INSERT INTO invite VALUES (?, ?, ?)", hashed(token), room, until))
        return token

    async def revoke_invites(self, room: str) -> int:
        """End every invitation to `room`; how many there were."""
        return await self._writer.run(lambda s: change(s, "DELETE FROM invite WHERE room = ?", room))

    async def invited_to(self, token: str, now: int) -> str | None:
        """The room that this invitation opens now (milliseconds)."""
        found = await self._writer.read(
            lambda s: row(s, "SELECT room FROM invite WHERE hash = ? AND until > ?", hashed(token), now)
        )
        return None if found is None else str(found[0])

    async def password(self, badge: str) -> str | None:
        """The stored hash of this badge's password."""
        found = await self._writer.read(lambda s: row(s, "SELECT hash FROM password WHERE badge = ?", badge))
        return None if found is None else str(found[0])

    async def set_password(self, badge: str, argon2: str) -> None:
        """Store the hash of a password."""
        await self._writer.run(lambda s: change(s, "INSERT OR REPLACE INTO password VALUES (?, ?)", badge, argon2))

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _add(self, person: Person) -> Person:
        await self._writer.run(lambda s: self._put_person(s, person))
        self._people[person.id] = person
        room = self._private(person)
        if room.id not in self._rooms:
            self._rooms[room.id] = room
            self._members[room.id] = {}
            self._enter(room.id, person.id, Membership())
        return person

    def _private(self, person: Person) -> Room:
        return Room(private_room(person.id), self.bot.name, "private", owner=person.id)

    def _put_person(self, session: Session, person: Person) -> None:
        change(
            session,
            "INSERT INTO person (id, name, role, title, badge, persona) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, role = excluded.role, title = excluded.title,"
            " badge = coalesce(excluded.badge, badge), persona = excluded.persona",
            *(person.id, person.name, person.role, person.title, person.badge, int(person.persona)),
        )
        room = self._private(person)
        _put_room(session, room)
        change(session, "INSERT OR IGNORE INTO member VALUES (?, ?, 0, 0)", room.id, person.id)

    def _enter(self, room: str, who: str, membership: Membership) -> None:
        self._members.setdefault(room, {})[who] = membership
        self._rooms_of.setdefault(who, []).append(room)


def _put_room(session: Session, room: Room) -> None:
    change(
        session,
        "INSERT INTO room (id, name, kind, labels, officers_only, owner) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " name = excluded.name, labels = excluded.labels, officers_only = excluded.officers_only",
        *(room.id, room.name, room.kind, json.dumps(room.labels, ensure_ascii=False), int(room.officers_only), room.owner),
    )
