"""The frames of docs/web-protocol.md: what a browser sends, checked, and what it is sent, as JSON text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, TypeVar

from msgspec import DecodeError, Meta, Struct, ValidationError, convert, field
from msgspec.json import Decoder
from msgspec.structs import force_setattr

from bot.platforms.web.people import Person, Room
from bot.platforms.web.said import Said

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

MOST_FRAME_BYTES = 65_536
MOST_SEQ = 2**53 - 1

# control characters, and those that turn the direction of what follows: neither belongs into what a person says
_UNSAYABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

# a room is looked up among those in memory and nowhere else, so that it need not be looked at letter by letter
RoomId = Annotated[str, Meta(min_length=1, max_length=64)]
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\A[A-Za-z0-9_.:\-]*\Z")]
Ids = Annotated[tuple[Id, ...], Meta(max_length=50)]
Seq = Annotated[int, Meta(ge=0, le=MOST_SEQ)]
Since = Annotated[dict[str, Seq], Meta(max_length=2000)]


class Hello(Struct, frozen=True, tag="hello", tag_field="t"):
    """The first frame: who (None: by cookie) and what was seen already."""

    token: str | None = None
    since: Since = field(default_factory=dict)


class Pin(Struct, frozen=True):
    """A place that the sender shows: degrees WGS 84."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]


class Say(Struct, frozen=True, tag="say", tag_field="t"):
    """Say something; `cid` stays the same over retries. What cannot be said is gone from `text`; a photo counts once."""

    cid: Id
    room: RoomId
    text: str
    photos: Ids = ()
    reply_to: Id | None = None
    mentions: Ids = ()
    location: Pin | None = None

    def __post_init__(self) -> None:
        force_setattr(self, "text", sayable(self.text))
        if len(self.photos) > 1:
            force_setattr(self, "photos", tuple(dict.fromkeys(self.photos)))


class Tap(Struct, frozen=True, tag="tap", tag_field="t"):
    """Press a button."""

    cid: Id
    room: RoomId
    message: Id
    value: str

    def __post_init__(self) -> None:
        force_setattr(self, "value", self.value[:200])


class Recall(Struct, frozen=True, tag="recall", tag_field="t"):
    """Take an own message back."""

    room: RoomId
    message: Id


class Read(Struct, frozen=True, tag="read", tag_field="t"):
    """Everything up to `seq` was seen."""

    room: RoomId
    seq: Seq


class Older(Struct, frozen=True, tag="older", tag_field="t"):
    """Earlier messages, please."""

    room: RoomId
    before: Seq


class Ping(Struct, frozen=True, tag="ping", tag_field="t"):
    """Alive."""


Frame = Hello | Say | Tap | Recall | Read | Older | Ping
T = TypeVar("T")

_FRAME: Decoder[Frame] = Decoder(Frame)


class _Cid(Struct):
    cid: Id


class PersonaAsked(Struct, frozen=True):
    """`POST /api/persona`: be this sample person."""

    user: Id


class JoinAsked(Struct, frozen=True):
    """`POST /api/join`: the invitation, and a name from somebody new."""

    invite: str
    name: str | None = None


class SignInAsked(Struct, frozen=True):
    """`POST /api/signin`."""

    badge: str
    password: str


class FirstSignInAsked(SignInAsked, frozen=True):
    """`POST /api/firstsignin`: with the one-time code, choosing the password."""

    code: str


class BadFrame(Exception):
    """Not a frame of the protocol. `cid` when it could be read."""

    def __init__(self, cid: str | None = None) -> None:
        super().__init__("bad frame")
        self.cid = cid


def parse(raw: str) -> Frame:
    """A frame from a browser. Raises BadFrame for whatever is not one."""
    try:
        return _FRAME.decode(raw)
    except (DecodeError, ValueError, RecursionError):
        return _patiently(raw)


def _patiently(raw: str) -> Frame:
    """The same for JSON that holds half a surrogate pair, as when an emoji was cut in two: legal, and not to be refused."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadFrame from None
    try:
        frame: Frame = convert(found, Frame)
    except (ValidationError, UnicodeError, RecursionError):
        raise BadFrame(_cid(found)) from None
    return frame


def _cid(found: object) -> str | None:
    try:
        return convert(found, _Cid).cid
    except (ValidationError, UnicodeError, RecursionError):
        return None


def body(raw: bytes, kind: type[T]) -> T:
    """The JSON object of a request as a `kind` of Struct. Raises BadFrame."""
    try:
        return Decoder(kind).decode(raw)
    except (DecodeError, ValueError, RecursionError):
        raise BadFrame from None


def sayable(text: str) -> str:
    """Text without control and direction-turning characters, ends trimmed; line breaks and tabs stay."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    # most of what people say has neither, and the test is a tenth of the search's time
    return (text if text.isprintable() else _UNSAYABLE.sub("", text)).strip()


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

    def __init__(self, person: Callable[[str], Person | None], unknown: str, recalled: str, unsaid: str = "") -> None:
        """`unknown` stands for the name of somebody who is gone, `recalled` for the text of a quoted message taken back, `unsaid`
        for what was said or shown in confidence and is not kept."""
        self._person = person
        self._unknown = unknown
        self._recalled = recalled
        self._unsaid = unsaid

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
        pin = said.location
        place: Json = None if pin is None else {"latitude": pin.latitude, "longitude": pin.longitude}
        return {
            "id": said.id,
            "seq": said.seq,
            "room": said.room,
            "from": user(self.who(said.person)),
            "at": moment(said.at),
            "text": said.text or ("" if photos or place or said.recalled is not None else self._unsaid),
            "photos": photos,
            "location": place,
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

    def changed(self, said: Said, viewer: str) -> dict[str, Json]:
        """The frame `changed`."""
        message = self.message(said, viewer)
        about: dict[str, Json] = {"t": "changed", "room": said.room, "message": said.id, "seq": said.changed or 0}
        return {**about, "text": message["text"], "choices": message["choices"]}

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
