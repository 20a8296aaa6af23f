"""A message as stored, an event as owed to the bot, and how both are read out of the file inside a unit of work."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace as changed
from sqlmodel import Session

from bot.messages import Attachment, Choice, Kind, Location, Quote
from bot.platforms.web.settings import BOT_ID
from bot.platforms.web.store import SEAL_BYTES, Row, change, millis, row, rows

PREVIEW = 120  # characters of a quoted message that its answer carries along


@dataclass(frozen=True, slots=True)
class Picture:
    """A photo in a message: its id and the size of the full picture in pixels."""

    id: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Quoted:
    """The message that another one answers, shortened; `text` is empty when it was recalled."""

    id: str
    person: str
    text: str
    recalled: bool


@dataclass(frozen=True, slots=True)
class Said:
    """A message as stored. `recalled` is the number of its recall in the room, None while it stands; `changed` that of the
    last time that the bot put other words into it."""

    id: str
    room: str
    seq: int
    person: str
    at: datetime
    text: str
    photos: tuple[Picture, ...] = ()
    reply: Quoted | None = None
    mentions: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    cid: str | None = None
    recalled: int | None = None
    recalled_by: str | None = None
    changed: int | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """What somebody wants to say. `cid` comes from a browser, `key` from the bot; each is unique for its author."""

    room: str
    person: str
    text: str
    photos: tuple[str, ...] = ()
    reply_to: str | None = None
    mentions: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    cid: str | None = None
    key: str | None = None
    secret: bool = False  # shown once, never stored
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of it: the message, whether it is new, and whether it is still owed to the bot."""

    said: Said
    fresh: bool
    owed: bool


class Event(Struct, frozen=True):
    """Something that the bot has not yet taken note of, with all that it is told about it."""

    id: str
    kind: Kind
    room: str
    person: str
    message: str
    text: str
    cid: str | None
    at: datetime
    seq: int = 0
    mentions: tuple[str, ...] = ()
    quote: Quote | None = None
    attachments: tuple[Attachment, ...] = ()
    location: Location | None = None


# --- inside a unit of work --------------------------------------------------------------------------------------------

_COLUMNS = (
    "id, room, seq, person, at, opened(text), reply_to, mentions, choices, cid, recalled, recalled_by, changed, opened(location)"
)


def owe(
    session: Session, event: str, kind: Kind, room: str, who: str, message: str, text: str, cid: str | None, at: datetime
) -> None:
    change(
        session,
        "INSERT OR IGNORE INTO event (id, kind, room, person, message, text, cid, at) VALUES (?, ?, ?, ?, ?, sealed(?), ?, ?)",
        *(event, kind.value, room, who, message, text, cid, millis(at)),
    )


def find_known(session: Session, new: NewMessage) -> Said | None:
    """The message that was stored for this cid or key before."""
    if new.cid is not None:
        found = load(session, "person = ? AND cid = ?", new.person, new.cid)
    elif new.key is not None:
        found = load(session, "room = ? AND key = ?", new.room, new.key)
    else:
        found = []
    return found[0] if found else None


def load(session: Session, where: str, *values: object) -> list[Said]:
    """Messages with their photos and quotes. `where` is one of our own constants."""
    found = rows(session, f"SELECT {_COLUMNS} FROM message WHERE {where}", *values)  # noqa: S608
    photos = _photos(session, [one[0] for one in found])
    quotes = _quotes(session, {one[6] for one in found if one[6]})
    return [_said(one, photos.get(one[0], ()), quotes.get(one[6])) for one in found]


def _said(one: Row, photos: tuple[Picture, ...], reply: Quoted | None) -> Said:
    return Said(
        id=one[0],
        room=one[1],
        seq=one[2],
        person=one[3],
        at=_moment(one[4]),
        text=one[5],
        photos=photos,
        reply=reply,
        mentions=tuple(json.loads(one[7])),
        choices=tuple(Choice(label, value) for label, value in json.loads(one[8])),
        cid=one[9],
        recalled=one[10],
        recalled_by=one[11],
        changed=one[12],
        location=_location(one[13]),
    )


def _photos(session: Session, messages: Sequence[str]) -> dict[str, tuple[Picture, ...]]:
    by_message: dict[str, tuple[Picture, ...]] = {}
    shown = rows(
        session,
        "SELECT s.message, p.id, p.width, p.height FROM shown s JOIN photo p ON p.id = s.photo WHERE s.message IN"  # noqa: S608
        f" ({_marks(messages)}) ORDER BY s.message, s.place",
        *messages,
    )
    for one in shown:
        by_message[one[0]] = (*by_message.get(one[0], ()), Picture(one[1], one[2], one[3]))
    return by_message


def _quotes(session: Session, messages: set[str]) -> dict[str, Quoted]:
    wanted = sorted(messages)
    found = rows(
        session,
        f"SELECT id, person, substr(opened(text), 1, {PREVIEW}), recalled FROM message WHERE id IN ({_marks(wanted)})",  # noqa: S608
        *wanted,
    )
    return {one[0]: Quoted(one[0], one[1], one[2], one[3] is not None) for one in found}


def without_tapped(session: Session, said: Sequence[Said], who: str) -> list[Said]:
    """The same messages, without the buttons of those on which this person has already pressed one."""
    with_buttons = [one.id for one in said if one.choices]
    pressed = {
        one[0]
        for one in rows(
            session,
            f"SELECT message FROM tap WHERE person = ? AND message IN ({_marks(with_buttons)})",  # noqa: S608
            *(who, *with_buttons),
        )
    }
    return [replace(one, choices=()) if one.id in pressed else one for one in said]


def load_event(session: Session, event: str) -> Event | None:
    found = row(session, "SELECT kind, room, person, message, opened(text), cid, at FROM event WHERE id = ?", event)
    if found is None:
        return None
    kind, room, person, message, text, cid, at = found
    owed = Event(event, Kind(kind), room, person, message, text, cid, _moment(at))
    if owed.kind is Kind.TAP:
        return changed(owed, quote=_quote(session, message), seq=_seq(session, message))
    if owed.kind is not Kind.MESSAGE:
        return owed
    said = row(session, "SELECT opened(text), reply_to, mentions, seq, opened(location) FROM message WHERE id = ?", message)
    if said is None:
        return None
    attachments = tuple(
        Attachment(one[0], "photo", "image/jpeg", one[1], point_from(one[2]))
        for one in rows(
            session,
            "SELECT p.id, length(p.full) - ?, opened(p.point) FROM shown s JOIN photo p ON p.id = s.photo"
            " WHERE s.message = ? ORDER BY s.place",
            *(SEAL_BYTES, message),
        )
    )
    quote = _quote(session, said[1]) if said[1] else None
    return changed(
        owed,
        text=said[0],
        mentions=tuple(json.loads(said[2])),
        seq=said[3],
        quote=quote,
        attachments=attachments,
        location=_location(said[4]),
    )


def point_text(point: tuple[float, float]) -> str:
    """A point as stored: latitude and longitude in degrees, with the seven decimals that a centimetre needs."""
    return f"{point[0]:.7f} {point[1]:.7f}"


def point_from(stored: str | None) -> tuple[float, float] | None:
    """A point out of the file; None when there was none, or the key that sealed it is gone."""
    if not stored:
        return None
    latitude, longitude = stored.split()
    return float(latitude), float(longitude)


def _location(stored: str | None) -> Location | None:
    point = point_from(stored)
    return None if point is None else Location(*point)


def _quote(session: Session, message: str) -> Quote | None:
    found = row(session, "SELECT opened(text), person FROM message WHERE id = ?", message)
    return None if found is None else Quote(message, found[0], mine=found[1] == BOT_ID)


def _seq(session: Session, message: str) -> int:
    found = row(session, "SELECT seq FROM message WHERE id = ?", message)
    return int(found[0]) if found else 0


def _moment(stored: int) -> datetime:
    return datetime.fromtimestamp(stored / 1000, UTC)


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
