"""The frames of docs/web-protocol.md: what a browser sends, checked, and what it is sent, as JSON text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.platforms.web.people import Person, Room
from bot.platforms.web.said import Said

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

MOST_FRAME_BYTES = 65_536
MOST_SEQ = 2**53 - 1

# control characters, and those that turn the direction of what follows: neither belongs into what a person says
_UNSAYABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_ID = re.compile(r"[A-Za-z0-9_.:\-]{1,64}")


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame: who (None: by cookie) and what was seen already."""

    token: str | None
    since: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Say:
    """Say something; `cid` stays the same over retries."""

    cid: str
    room: str
    text: str
    photos: tuple[str, ...]
    reply_to: str | None
    mentions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tap:
    """Press a button."""

    cid: str
    room: str
    message: str
    value: str


@dataclass(frozen=True, slots=True)
class Recall:
    """Take an own message back."""

    room: str
    message: str


@dataclass(frozen=True, slots=True)
class Read:
    """Everything up to `seq` was seen."""

    room: str
    seq: int


@dataclass(frozen=True, slots=True)
class Older:
    """Earlier messages, please."""

    room: str
    before: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Alive."""


Frame = Hello | Say | Tap | Recall | Read | Older | Ping


class BadFrame(Exception):
    """Not a frame of the protocol. `cid` when it could be read."""

    def __init__(self, cid: str | None = None) -> None:
        super().__init__("bad frame")
        self.cid = cid


def parse(raw: str) -> Frame:
    """A frame from a browser. Raises BadFrame for whatever is not one."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadFrame from None
    if not isinstance(found, dict):
        raise BadFrame
    fields = Fields(found)
    try:
        return _frame(fields)
    except BadFrame:
        raise BadFrame(fields.cid_or_none()) from None


def _frame(fields: Fields) -> Frame:
    match fields.text("t"):
        case "hello":
            return Hello(fields.text_or_none("token"), fields.numbers("since"))
        case "say":
            return Say(
                fields.id("cid"),
                fields.id("room"),
                sayable(fields.text("text")),
                fields.ids("photos"),
                fields.id_or_none("reply_to"),
                fields.ids("mentions"),
            )
        case "tap":
            return Tap(fields.id("cid"), fields.id("room"), fields.id("message"), fields.text("value")[:200])
        case "recall":
            return Recall(fields.id("room"), fields.id("message"))
        case "read":
            return Read(fields.id("room"), fields.number("seq"))
        case "older":
            return Older(fields.id("room"), fields.number("before"))
        case "ping":
            return Ping()
        case _:
            raise BadFrame


class Fields:
    """The fields of a JSON object that somebody sent, each asked for by the kind of value it must have."""

    def __init__(self, found: Mapping[str, Json]) -> None:
        self._found = found

    def text(self, name: str) -> str:
        """A string."""
        value = self._found.get(name)
        if not isinstance(value, str):
            raise BadFrame
        return value

    def text_or_none(self, name: str) -> str | None:
        """A string, null or nothing."""
        return None if self._found.get(name) is None else self.text(name)

    def id(self, name: str) -> str:
        """An id: 1 to 64 letters, digits and -_.: of ASCII."""
        value = self.text(name)
        if not _ID.fullmatch(value):
            raise BadFrame
        return value

    def id_or_none(self, name: str) -> str | None:
        """An id, null or nothing."""
        return None if self._found.get(name) is None else self.id(name)

    def ids(self, name: str) -> tuple[str, ...]:
        """At most 50 ids, each once, in order; nothing is an empty list."""
        value = self._found.get(name)
        if value is None or value == []:
            return ()
        if not isinstance(value, list) or len(value) > 50:
            raise BadFrame
        for one in value:
            if not isinstance(one, str) or not _ID.fullmatch(one):
                raise BadFrame
        return tuple(dict.fromkeys(str(one) for one in value))

    def number(self, name: str) -> int:
        """A whole number from 0."""
        value = self._found.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_SEQ:
            raise BadFrame
        return value

    def numbers(self, name: str) -> dict[str, int]:
        """Whole numbers by id; nothing is none."""
        value = self._found.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict) or len(value) > 2000:
            raise BadFrame
        return {room: Fields(value).number(room) for room in value}

    def cid_or_none(self) -> str | None:
        """The cid, if there is a proper one."""
        try:
            return self.id("cid")
        except BadFrame:
            return None


def sayable(text: str) -> str:
    """Text without control and direction-turning characters, ends trimmed; line breaks and tabs stay."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNSAYABLE.sub("", text).strip()


# --- to the browser ---------------------------------------------------------------------------------------------------


def dump(frame: Mapping[str, Json]) -> str:
    """A frame as JSON text."""
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"))


def user(person: Person) -> dict[str, Json]:
    """`User` of the protocol."""
    return {"id": person.id, "name": person.name, "role": person.role, "title": person.title}


def moment(at: datetime) -> str:
    """A time as ISO 8601 UTC with milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Painter:
    """Turns what is stored into `Message` and `Room` of the protocol; it needs to know who people are."""

    def __init__(self, person: Callable[[str], Person | None], unknown: str, recalled: str) -> None:
        """`unknown` stands for the name of somebody who is gone, `recalled` for the text of a quoted message taken back."""
        self._person = person
        self._unknown = unknown
        self._recalled = recalled

    def who(self, person: str) -> Person:
        """The person, or a stand-in for one who is gone."""
        return self._person(person) or Person(person, self._unknown, "resident")

    def message(self, said: Said, viewer: str) -> dict[str, Json]:
        """`Message` as `viewer` sees it: only its author sees the `cid`."""
        reply: Json = None
        if said.reply is not None and said.recalled is None:
            text = self._recalled if said.reply.recalled else said.reply.text
            reply = {"id": said.reply.id, "name": self.who(said.reply.person).name, "text": text}
        photos: list[Json] = [{"id": photo.id, "width": photo.width, "height": photo.height} for photo in said.photos]
        return {
            "id": said.id,
            "seq": said.seq,
            "room": said.room,
            "from": user(self.who(said.person)),
            "at": moment(said.at),
            "text": said.text,
            "photos": photos,
            "reply": reply,
            "choices": [{"label": choice.label, "value": choice.value} for choice in said.choices],
            "mentions": list(said.mentions),
            "recalled": said.recalled is not None,
            "cid": said.cid if viewer == said.person else None,
        }

    def recalled(self, said: Said) -> dict[str, Json]:
        """The frame `recalled`."""
        by = user(self.who(said.recalled_by or said.person))
        return {"t": "recalled", "room": said.room, "message": said.id, "by": by, "seq": said.recalled or 0}

    def messages(self, room: str, said: Sequence[Said], viewer: str, more: bool) -> dict[str, Json]:
        """The frame `messages`."""
        return {"t": "messages", "room": room, "messages": [self.message(one, viewer) for one in said], "more": more}


def room(
    place: Room, members: Iterable[Person], *, seq: int, read: int, unread: int, last: Json, can_post: bool
) -> dict[str, Json]:
    """`Room` of the protocol."""
    return {
        "id": place.id,
        "name": place.name,
        "kind": place.kind,
        "labels": list(place.labels),
        "members": [user(person) for person in members],
        "last": last,
        "seq": seq,
        "read": read,
        "unread": unread,
        "can_post": can_post,
    }
