"""From a raw Bot API update to our own message. Pure: no network, no objects of a library, no clock of its own.

A mistake in an update is a `Malformed`; the caller puts it into quarantine and goes on. What is none of our business (stickers
in a channel, commands for another bot, changes of somebody else's rights) is None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.messages import Address, Attachment, Inbound, Kind, Location, Quote, Sender, Standing
from bot.platforms.telegram.fields import Fields, Malformed

PLATFORM = "telegram"
ANONYMOUS_ADMIN = 1087968824  # every anonymous administrator of every group writes as this account
CHANNEL = 136817688  # whoever writes in the name of a channel
SERVICE = 777000  # what a linked channel posts into its discussion group

_GROUPS = ("group", "supergroup")
_TO_ONE_BOT = re.compile(r"\s*[/／][^\s@/／]{1,64}@([A-Za-z]\w{3,31})(?!\w)")
_START = re.compile(r"\s*/start(?:@\w+)?(?:\s|$)")
_BLANKS = " \u2005\u3000\n\t,，:："
_FORWARDED = ("forward_origin", "forward_date", "forward_from", "forward_from_chat", "forward_sender_name", "via_bot")


@dataclass(frozen=True, slots=True)
class Me:
    """Our own account, as getMe tells it. `account` is its name in an `Address`; `sees_all` is false while privacy mode hides
    what is not said to us."""

    id: int
    username: str
    account: str
    sees_all: bool = True


@dataclass(frozen=True, slots=True)
class Heard:
    """An event for the bot. `callback` is the id of a tapped button, which wants an answer; `rank` is our new standing in the
    group ("administrator", "member", …) when that is what changed."""

    event: Inbound
    callback: str = ""
    rank: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """A group became a supergroup: what was chat `old` is chat `new` from now on."""

    old: str
    new: str


Parsed = Heard | Moved | None


def parse_update(raw: object, me: Me, now: datetime) -> Parsed:
    """What an update means for us. Raises Malformed. `now` (UTC) stands in where Telegram gives no time."""
    update = Fields(raw, "update")
    number = update.whole("update_id")
    try:
        if (message := update.maybe("message")) is not None:
            return _message(number, message, me, Kind.MESSAGE)
        if (message := update.maybe("edited_message")) is not None:
            return _message(number, message, me, Kind.EDIT)
        if (query := update.maybe("callback_query")) is not None:
            return _tap(number, query, me, now)
        if (change := update.maybe("my_chat_member")) is not None:
            return _membership(number, change, me)
    except (OverflowError, OSError) as problem:
        raise Malformed(f"update: {type(problem).__name__}") from None
    return None


def order_key(raw: object) -> tuple[object, object]:
    """Whose order an update belongs to: (chat, sender), as far as it can be told without trusting the update."""
    if not isinstance(raw, dict):
        return None, None
    for kind in ("message", "edited_message", "callback_query", "my_chat_member"):
        body = raw.get(kind)
        if isinstance(body, dict):
            where = body.get("message") if kind == "callback_query" else body
            chat = where.get("chat") if isinstance(where, dict) else None
            sender = body.get("from")
            return (
                chat.get("id") if isinstance(chat, dict) and isinstance(chat.get("id"), int) else None,
                sender.get("id") if isinstance(sender, dict) and isinstance(sender.get("id"), int) else None,
            )
    return None, None


def _message(number: int, message: Fields, me: Me, kind: Kind) -> Parsed:
    chat = message.inner("chat")
    sort = chat.text("type")
    if moved := _moved(message, chat):
        return moved
    if sort not in (*_GROUPS, "private"):
        return None
    if kind is Kind.MESSAGE and (happened := _service(number, message, chat, me)):
        return happened
    text, mentions_me = _words(message, me)
    if text is None:
        return None
    attachments = _attachments(message, private=sort == "private")
    location = _location(message)
    if kind is Kind.EDIT and not (text or attachments):
        return None  # a live location that moves on
    if kind is Kind.MESSAGE and not (text or attachments or location or mentions_me):
        return None  # a sticker, a poll, somebody joined
    if sort == "private" and kind is Kind.MESSAGE and _START.match(text):
        kind, text = Kind.MET, ""
    message_id = message.whole("message_id")
    at = message.whole_or("edit_date", 0) if kind is Kind.EDIT else 0
    event = Inbound(
        event_id=f"{number}:{chat.whole('id')}:{message_id}" + (f":{at}" if at else ""),
        address=_address(message, chat, me),
        sender=_sender(message, chat),
        at=_time(at or message.whole("date")),
        kind=kind,
        message_id=str(message_id),
        text=text,
        attachments=attachments,
        quote=_quote(message, me),
        location=location,
        mentions_me=mentions_me,
        album=message.text("media_group_id") or None,
        copied=any(message.has(key) for key in _FORWARDED) or message.flag("is_automatic_forward"),
        group_name="" if sort == "private" else chat.text("title"),
    )
    return Heard(event)


def _moved(message: Fields, chat: Fields) -> Moved | None:
    if message.has("migrate_to_chat_id"):
        return Moved(str(chat.whole("id")), str(message.whole("migrate_to_chat_id")))
    if message.has("migrate_from_chat_id"):
        return Moved(str(message.whole("migrate_from_chat_id")), str(chat.whole("id")))
    return None


def _service(number: int, message: Fields, chat: Fields, me: Me) -> Heard | None:
    """We were added or removed, told by the group itself: some servers say it only so."""
    if chat.text("type") not in _GROUPS:
        return None
    added = message.each("new_chat_members")
    left = message.maybe("left_chat_member")
    if any(member.whole("id") == me.id for member in added):
        kind = Kind.JOINED
    elif left is not None and left.whole("id") == me.id:
        kind = Kind.LEFT
    else:
        return None
    message_id = message.whole("message_id")
    return Heard(
        Inbound(
            event_id=f"{number}:{chat.whole('id')}:{message_id}",
            address=Address(PLATFORM, me.account, str(chat.whole("id"))),
            sender=_sender(message, chat),
            at=_time(message.whole("date")),
            kind=kind,
            message_id="",
            group_name=chat.text("title"),
        )
    )


def _membership(number: int, change: Fields, me: Me) -> Heard | None:
    chat = change.inner("chat")
    if chat.text("type") not in _GROUPS:
        return None  # who blocks the bot is noticed at the next message to them
    before, after = change.inner("old_chat_member"), change.inner("new_chat_member")
    was, stays = _is_in(before), _is_in(after)
    if was == stays and not stays:
        return None
    kind = Kind.LEFT if not stays else Kind.JOINED
    event = Inbound(
        event_id=f"{number}:{chat.whole('id')}:member",
        address=Address(PLATFORM, me.account, str(chat.whole("id"))),
        sender=_person(change.inner("from")),
        at=_time(change.whole("date")),
        kind=kind,
        group_name=chat.text("title"),
        standing=standing_of(after.text("status"), after.flag("can_send_messages"), me) if stays else None,
    )
    return Heard(event, rank=after.text("status"))


def standing_of(status: str, can_send: bool, me: Me) -> Standing:
    """What a membership of this status lets us do. `can_send` counts only where members are restricted."""
    return Standing(hears_all=me.sees_all or status in ("creator", "administrator"), may_write=status != "restricted" or can_send)


def _is_in(member: Fields) -> bool:
    status = member.text("status")
    return status in ("creator", "administrator", "member") or (status == "restricted" and member.flag("is_member"))


def _tap(number: int, query: Fields, me: Me, now: datetime) -> Heard | None:
    message = query.maybe("message")
    value = query.text("data")
    if message is None or not value:
        return None  # a game, or a button under a message that was sent in the name of somebody else
    chat = message.inner("chat")
    message_id = str(message.whole("message_id"))
    event = Inbound(
        event_id=f"{number}:tap:{query.text('id')}",
        address=_address(message, chat, me),
        sender=_person(query.inner("from")),
        at=now,
        kind=Kind.TAP,
        message_id=message_id,
        text=value,
        quote=Quote(message_id, message.text("text") or message.text("caption"), mine=True),
        group_name="" if chat.text("type") == "private" else chat.text("title"),
    )
    return Heard(event, callback=query.text("id"))


def _address(message: Fields, chat: Fields, me: Me) -> Address:
    # a thread id without is_topic_message is only the first message of a chain of replies
    topic = message.flag("is_topic_message") and message.has("message_thread_id")
    thread = str(message.whole("message_thread_id")) if topic else None
    return Address(PLATFORM, me.account, str(chat.whole("id")), chat.text("type") == "private", thread)


def _sender(message: Fields, chat: Fields) -> Sender:
    """The person; for anonymous administrators and channels the identity that several people share."""
    behind = message.maybe("sender_chat")
    if behind is not None:
        return Sender(str(behind.whole("id")), behind.text("title") or chat.text("title"), personal=False)
    if not message.has("from"):
        return Sender(str(chat.whole("id")), chat.text("title"), personal=False)
    return _person(message.inner("from"))


def _person(user: Fields) -> Sender:
    number = user.whole("id")
    name = " ".join(part for part in (user.text("first_name"), user.text("last_name")) if part) or user.text("username")
    shared = number in (ANONYMOUS_ADMIN, CHANNEL, SERVICE) or user.flag("is_bot")
    return Sender(str(number), name, personal=not shared)


def _words(message: Fields, me: Me) -> tuple[str | None, bool]:
    """The text without our name, and whether we were named; None when it is a command for another bot."""
    key = "text" if message.has("text") else "caption"
    text = message.text(key)
    if (command := _TO_ONE_BOT.match(text)) is not None:
        if command[1].lower() != me.username.lower():
            return None, False
        start, end = command.span(1)
        return (text[: start - 1] + text[end:]).strip(), True
    for entity in message.each("entities" if key == "text" else "caption_entities"):
        sort, found = entity.text("type"), _slice(text, entity)
        if sort == "mention" and me.username and found.lower() == f"@{me.username.lower()}":
            return _without(text, entity), True
        if sort == "text_mention" and entity.inner("user").whole("id") == me.id:
            return _without(text, entity), True
    return text, False


def _slice(text: str, entity: Fields) -> str:
    """The words of an entity; Telegram counts in UTF-16 code units."""
    units = text.encode("utf-16-le")
    start, length = entity.whole("offset"), entity.whole("length")
    if start < 0 or length < 0:
        raise Malformed("entity outside its text")
    return units[2 * start : 2 * (start + length)].decode("utf-16-le", "replace")


def _without(text: str, entity: Fields) -> str:
    units = text.encode("utf-16-le")
    start, end = 2 * entity.whole("offset"), 2 * (entity.whole("offset") + entity.whole("length"))
    return (units[:start] + " ".encode("utf-16-le") + units[end:]).decode("utf-16-le", "replace").strip(_BLANKS)


def _quote(message: Fields, me: Me) -> Quote | None:
    part = message.maybe("quote")
    said = part.text("text") if part is not None else ""
    answered = message.maybe("reply_to_message")
    if answered is None:
        return Quote("", said) if said else None
    message_id = answered.whole("message_id")
    if message.flag("is_topic_message") and message_id == message.whole_or("message_thread_id", 0):
        return None  # everything in a topic "answers" the message that opened it
    author = answered.maybe("from")
    mine = author is not None and author.whole("id") == me.id
    return Quote(str(message_id), said or answered.text("text") or answered.text("caption"), mine)


def _attachments(message: Fields, *, private: bool) -> tuple[Attachment, ...]:
    sizes = message.each("photo")
    if sizes:
        best = max(
            sizes, key=lambda size: (size.whole_or("width", 0) * size.whole_or("height", 0), size.whole_or("file_size", 0))
        )
        return (Attachment(_file_id(best), "photo", "image/jpeg", best.whole_or("file_size", 0)),)
    # a voice in a group is talk among neighbours; said to us alone it deserves a word
    for key in ("document", "video", *(("voice", "audio", "video_note") if private else ())):
        file = message.maybe(key)
        if file is None or message.has("animation"):
            continue
        mime = file.text("mime_type")
        kind = "photo" if key == "document" and mime.startswith("image/") else "file"
        return (Attachment(_file_id(file), kind, mime, file.whole_or("file_size", 0)),)
    return ()


def _file_id(file: Fields) -> str:
    found = file.text("file_id")
    if not found:
        raise Malformed("file without file_id")
    return found


def _location(message: Fields) -> Location | None:
    venue = message.maybe("venue")
    place = venue.maybe("location") if venue is not None else message.maybe("location")
    if place is None:
        return None
    name = " ".join(part for part in (venue.text("title"), venue.text("address")) if part) if venue is not None else ""
    latitude, longitude = place.number("latitude"), place.number("longitude")
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise Malformed("location outside the earth")
    return Location(latitude, longitude, name)


def _time(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except ValueError:
        raise Malformed("date out of range") from None
