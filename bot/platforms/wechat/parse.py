"""From what the puppet service tells to our own message. Pure: no calls, no clock of its own.

A mistake in an event is a `Malformed`; the caller puts it into quarantine and goes on. What is none of our business (stickers,
red packets, official accounts, what we said ourselves) is None.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec.structs import replace

from bot.messages import Address, Attachment, Inbound, Kind, Location, Quote, Sender
from bot.platforms.wechat.client import Payload
from bot.platforms.wechat.places import to_wgs84
from bot.platforms.wechat.wire import LocationPayload, MessageSort

PLATFORM = "wechat"
MOST_PASSED_ON = 2000  # characters of a card that are read

_SYSTEM = frozenset({"weixin", "fmessage", "filehelper", "newsapp", "medianote", "floatbottle", "qmessage"})
_PHOTO_NAMES = (".jpg", ".jpeg", ".png", ".webp", ".heic")
_BLANKS = " \u2005\u3000\n\t,，:："
# how WeChat writes an answer to a message: 「张阿姨：原文」, a line of dashes, the answer
_QUOTED = re.compile(r"\A[「\"](?P<who>[^\n]{1,64}?)[：:](?P<said>.*?)[」\"]\n(?:- ){5,}-?\s*\n(?P<answer>.*)\Z", re.DOTALL)
_CALLED = re.compile(r"@[^@\u2005\n]{1,64}\u2005")
_TAGS = re.compile(r"<(title|des|url)>(?:<!\[CDATA\[(.*?)\]\]>|(.*?))</\1>", re.DOTALL)
_RECALLED = re.compile(r"<(?:newmsgid|msgid)>\s*(\d+)\s*</")


class Malformed(ValueError):
    """An event that is not what the protocol promises. Its text names the field, never what was in it."""


@dataclass(frozen=True, slots=True)
class Me:
    """Our own account: `id` is WeChat's, `account` our name for it, `name` what it is called."""

    id: str
    account: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Somebody came into a group, or left it, or it was renamed. `people` are ids; `topic` is set only for a new name."""

    room: str
    people: tuple[str, ...]
    by: str
    at: datetime
    topic: str = ""


def read_json(data: str) -> Mapping[str, object]:
    """The JSON object of an event. Raises Malformed."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise Malformed("event is no JSON") from None
    if not isinstance(value, dict):
        raise Malformed("event is no object")
    return value


# what is no longer as it was told (wechaty-puppet, DirtyType); of a member it names the group
DIRTY_CONTACT, DIRTY_ROOM, DIRTY_MEMBER = 2, 3, 4


def text_of(event: Mapping[str, object], key: str) -> str:
    """A text field that has to be there. Raises Malformed."""
    value = event.get(key)
    if not isinstance(value, str) or not value:
        raise Malformed(f"event without {key}")
    return value


def change_of(event: Mapping[str, object], people: str, by: str, now: datetime) -> Change:
    """A change of a group; `people` and `by` are the names of its fields. Raises Malformed."""
    given = event.get(people, [])
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise Malformed(f"event with a wrong {people}")
    who = event.get(by)
    stamp = event.get("timestamp")
    topic = event.get("newTopic", "")
    return Change(
        text_of(event, "roomId"),
        tuple(given),
        who if isinstance(who, str) else "",
        _time(int(stamp), now) if isinstance(stamp, int | float) else now,
        topic if isinstance(topic, str) else "",
    )


def joined(change: Change, me: Me, name: str) -> Inbound:
    """We came into a group."""
    return _moved(change, me, Kind.JOINED, name)


def left(change: Change, me: Me) -> Inbound:
    """We were taken out of a group, or it is no more."""
    return _moved(change, me, Kind.LEFT, "")


def _moved(change: Change, me: Me, kind: Kind, name: str) -> Inbound:
    return Inbound(
        event_id=f"{kind.value}:{change.room}:{int(change.at.timestamp() * 1000)}",
        address=Address(PLATFORM, me.account, change.room),
        sender=Sender(change.by or change.room, "", personal=bool(change.by)),
        at=change.at,
        kind=kind,
        group_name=name,
    )


def met(contact: str, event_id: str, me: Me, now: datetime) -> Inbound:
    """A person became our friend: the private chat is open."""
    return Inbound(
        event_id=f"met:{event_id}",
        address=Address(PLATFORM, me.account, contact, private=True),
        sender=Sender(contact, ""),
        at=now,
        kind=Kind.MET,
    )


def parse_message(payload: Payload, me: Me, now: datetime, name: str = "") -> Inbound | None:
    """What a message means for us, without what has to be asked for apart (the place, and `name` as long as nobody knows it).
    Raises Malformed."""
    if not payload.id:
        raise Malformed("message without id")
    if payload.talker == me.id or payload.talker in _SYSTEM or payload.talker.startswith("gh_"):
        return None
    if not payload.talker:
        if payload.room:
            return None  # the group's own small print: who invited whom
        raise Malformed("message without talker")
    private = not payload.room
    event = Inbound(
        event_id=payload.id,
        address=Address(PLATFORM, me.account, payload.room or payload.talker, private),
        sender=Sender(payload.talker, name),
        at=_time(payload.stamp, now),
        message_id=payload.id,
    )
    sort = payload.sort
    if sort == MessageSort.TEXT:
        return _text(event, payload, me)
    if sort == MessageSort.RECALLED:
        return _recalled(event, payload.text)
    if sort == MessageSort.LOCATION:
        return event  # the place is asked for apart
    if sort in (MessageSort.IMAGE, MessageSort.ATTACHMENT, MessageSort.VIDEO, MessageSort.AUDIO):
        return _file(event, payload, private)
    if sort in (MessageSort.CHAT_HISTORY, MessageSort.URL, MessageSort.MINI_PROGRAM):
        words = passed_on(payload.text)
        return replace(event, text=words, copied=True) if words else None
    return None


def at_place(event: Inbound, place: LocationPayload) -> Inbound:
    """The event with the place that it pins. WeChat counts in GCJ-02, we in WGS 84. Raises Malformed."""
    if not (-90 <= place.latitude <= 90 and -180 <= place.longitude <= 180) or (place.latitude, place.longitude) == (0, 0):
        raise Malformed("location outside the earth")
    latitude, longitude = to_wgs84(place.latitude, place.longitude)
    name = " ".join(part for part in (place.name, place.address) if part and part != "[位置]")
    return replace(event, location=Location(latitude, longitude, name[:200]))


def passed_on(text: str) -> str:
    """The words of a card: a link, a mini program, a chat history. Written as XML by most puppets, plainly by some."""
    if "<" not in text:
        return text.strip()[:MOST_PASSED_ON]
    found = {tag: html.unescape(cdata or plain).strip() for tag, cdata, plain in _TAGS.findall(text)}
    return "\n".join(found[tag] for tag in ("title", "des", "url") if found.get(tag))[:MOST_PASSED_ON]


def _text(event: Inbound, payload: Payload, me: Me) -> Inbound:
    text, quote = payload.text, None
    if (found := _QUOTED.match(text)) is not None:
        text, quote = found["answer"].strip(), Quote("", found["said"].strip())
    mentions_me = me.id in payload.mentions
    if mentions_me:
        text = _without_name(text, me.name, alone=len(payload.mentions) == 1)
    return replace(event, text=text, quote=quote, mentions_me=mentions_me)


def _without_name(text: str, name: str, *, alone: bool) -> str:
    """The text without the call to us; WeChat writes "@name" and a narrow blank, and the name may be the group's own for us."""
    if name and f"@{name}" in text:
        text = text.replace(f"@{name}", " ", 1)
    elif alone:
        text = _CALLED.sub(" ", text, count=1)
    return text.strip(_BLANKS)


def _recalled(event: Inbound, said: str) -> Inbound | None:
    """`said` is the id of the message that was taken back, or XML that names it."""
    if "<" in said:
        found = _RECALLED.search(said)
        said = found[1] if found else ""
    said = said.strip()
    return replace(event, kind=Kind.RECALL, message_id=said) if said and len(said) <= 128 else None


def _file(event: Inbound, payload: Payload, private: bool) -> Inbound | None:
    sort = payload.sort
    if sort == MessageSort.AUDIO and not private:
        return None  # a voice in a group is talk among neighbours; said to us alone it deserves a word
    image = sort == MessageSort.IMAGE
    photo = image or (sort == MessageSort.ATTACHMENT and payload.filename.lower().endswith(_PHOTO_NAMES))
    attachment = Attachment(f"{'image' if image else 'file'}:{payload.id}", "photo" if photo else "file")
    return replace(event, attachments=(attachment,))


def _time(stamp: int, now: datetime) -> datetime:
    """Milliseconds or seconds, as the puppet likes; what cannot be a time is now."""
    seconds = stamp / 1000 if stamp > 100_000_000_000 else stamp
    try:
        found = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return now
    return found if found.year >= 2000 and found <= now.replace(year=now.year + 1) else now
