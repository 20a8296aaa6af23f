"""What travels through the house: frozen, platform-neutral messages.

Adapters translate a platform's events into `Inbound` and `Outbound` into the platform's calls; nothing behind them
knows which platform it talks to. `Inbound`, `Address` and `Sender` are made for every line of small talk, so they are msgspec
Structs, which are built and hashed in a tenth of a dataclass's time and are their own JSON; change a copy with
`msgspec.structs.replace`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

_ONLY_POINTS = re.compile(
    r"\s*(?:(?:这|就)(?:就是|些是|张是|是)?(?:照片|图片|图|相片)|照片|图片|[见看如]图|(?:你们?|您|大家)?[快来先]?看{1,2}(?:一下|下)?"
    r"(?:这个|这里|这张|图|照片)?|就是这个|这个)[吧呀啊]?[。.!！~，,\s]*"
)


class Address(Struct, frozen=True, omit_defaults=True):
    """Where something was said or is to be said: one chat of one of our accounts on one platform.

    `chat` is the platform's own id of the group, or of the person when `private`. `thread` is a topic inside a group.
    """

    platform: str
    account: str
    chat: str
    private: bool = False
    thread: str | None = None


class Sender(Struct, frozen=True, omit_defaults=True):
    """Who spoke, by the platform's account id. The name is what the platform shows; no right ever follows from it.

    `personal` is false for anonymous administrators, channels and other identities that several people can share.
    """

    id: str
    name: str
    personal: bool = True


@dataclass(frozen=True, slots=True)
class Attachment:
    """A reference to a file on the platform. The bytes are fetched only when a case needs them.

    `point` is where the photo was taken (degrees WGS 84), when the platform took that out of the bytes that it gives.
    """

    id: str
    kind: str  # "photo" | "file"
    mime: str = ""
    size: int = 0
    point: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """The message that this one answers. `mine` is true when the bot itself had said it."""

    message_id: str
    text: str = ""
    mine: bool = False


@dataclass(frozen=True, slots=True)
class Location:
    """A place that the sender pinned: degrees WGS 84, and the name the platform gives it."""

    latitude: float
    longitude: float
    name: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the bot can do in a group: hear everything that is said (else only what is said to it), and write."""

    hears_all: bool = True
    may_write: bool = True


class Kind(StrEnum):
    """What happened in the chat."""

    MESSAGE = "message"
    EDIT = "edit"
    RECALL = "recall"
    TAP = "tap"  # a button of ours was pressed; `text` is the button's value, `quote` the message it hung on
    JOINED = "joined"  # the bot was added to the group, or what it may do there changed
    LEFT = "left"  # the bot was removed from the group
    MET = "met"  # a person opened the private chat for the first time


class Inbound(Struct, frozen=True, omit_defaults=True):
    """One event from a platform. `event_id` is unique within (platform, account) and names it for ever.

    `message_id` is the message that was written, edited, recalled, or tapped on. `copied` is true for anything that is not a
    person's own fresh words: forwarded, via another bot, out of a chat-history card. Times are UTC.
    """

    event_id: str
    address: Address
    sender: Sender
    at: datetime
    kind: Kind = Kind.MESSAGE
    message_id: str = ""
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    quote: Quote | None = None
    location: Location | None = None
    mentions_me: bool = False
    album: str | None = None
    copied: bool = False
    group_name: str = ""
    standing: Standing | None = None  # with JOINED: what the bot can do there, where the platform tells

    @property
    def addressed(self) -> bool:
        """Whether it was said to us: in the private chat, by calling our name, or as an answer to our own message."""
        return self.address.private or self.mentions_me or (self.quote is not None and self.quote.mine)

    @property
    def lone_photo(self) -> bool:
        """A photo or a pin without words of its own that answers nothing of ours: it may belong to a report.

        Words that only point at the photo, 这是照片, 你看看, are none.
        """
        wordless = not self.text.strip() or (bool(self.attachments) and _ONLY_POINTS.fullmatch(self.text) is not None)
        shown = bool(self.attachments) or self.location is not None
        return shown and wordless and not (self.quote is not None and self.quote.mine)

    @property
    def bare_call(self) -> bool:
        """Our name alone: where a photo has no words of its own, this is how one calls us to it; in private 你看看."""
        if self.attachments or self.location or self.quote:
            return False
        if self.address.private:
            return _ONLY_POINTS.fullmatch(self.text) is not None
        return self.mentions_me and not self.text.strip()


@dataclass(frozen=True, slots=True)
class Choice:
    """A button under a message. Typing `value` is always an equal way to choose it."""

    label: str
    value: str


class Outbound(Struct, frozen=True):
    """One message to a chat. `text` is plain; the adapter escapes it. `photo` is a path below the data directory.

    `key` is unique for this notice: a platform that knows client message ids gets it, so that a repeat is recognised.
    """

    key: str
    text: str
    reply_to: str | None = None
    photo: str | None = None
    choices: tuple[Choice, ...] = ()
    mention: str | None = None  # the platform id of a person to be called by name
    secret: bool = False  # shown once: a platform with a record of its own does not keep it


class Receipt(Struct, frozen=True):
    """The platform's word that a message is in the chat."""

    message_id: str
    at: datetime
