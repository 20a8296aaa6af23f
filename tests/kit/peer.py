"""The other side of a platform: people who write, chats in which the bot's words stand, and what can go wrong between.

A scenario speaks to its peer in its own ids ("zhang", "gx01", "in7"), whatever the platform calls them. `FakePlatform` is adapter
and peer in one; the peers of real platforms translate: what a person does becomes an event of the platform's own server, and what
the bot's real adapter sends there becomes an `Arrival`.

A new peer derives from `Peer`, implements what is abstract there, appends to `arrived`, `edited` and `recalled` what the platform
was told, and lists itself in tests/kit/cells.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bot.clock import Clock
from bot.config import Settings
from bot.messages import Address, Attachment, Inbound, Kind, Outbound, Quote, Sender
from bot.platforms.base import Adapter
from storage.writer import Writer

if TYPE_CHECKING:
    from bot.app import App


@dataclass(frozen=True, slots=True)
class Lost:
    """The answer to a send is lost; `delivered` says whether the message arrived all the same."""

    delivered: bool


@dataclass(frozen=True, slots=True)
class Hang:
    """The send never ends. `delivered` as with Lost."""

    delivered: bool = False


Fault = Exception | Lost | Hang


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message that is in a chat now."""

    to: Address
    what: Outbound
    message_id: str
    at: datetime


class Peer(ABC):
    """What a test says to a platform and sees there. Everything is public on purpose."""

    name: str  # the platform, as in Address
    account: str
    clock: Callable[[], datetime]
    buttons = True  # a message can offer answers to press
    captions = True  # a picture and its words are one message
    edits = True  # whoever wrote a message can change it, and the bot hears of it
    changes = True  # the bot can change what it said
    recalls = True  # and take it back

    def __init__(self, name: str, account: str, clock: Callable[[], datetime]) -> None:
        self.name = name
        self.account = account
        self.clock = clock
        self.arrived: list[Arrival] = []
        self.edited: list[Arrival] = []  # what a message that is in a chat was changed to
        self.recalled: list[tuple[Address, str]] = []
        self.heard: dict[str, Inbound] = {}  # every event by its id
        self.photos: MutableMapping[str, bytes] = {}

    # --- its life -----------------------------------------------------------------------------------------------------

    @abstractmethod
    async def open(self) -> None:
        """Start whatever has to run; once, before the bot starts."""

    @abstractmethod
    async def move_in(self, people: dict[str, str], groups: dict[str, str]) -> None:
        """Everybody of the district (id to name) has opened the private chat, and the bot is in its groups; after `open`."""

    @abstractmethod
    async def close(self) -> None:
        """Stop it; once, after the bot has stopped."""

    @abstractmethod
    def environ(self) -> dict[str, str]:
        """The bot's settings for this platform; asked after `open`."""

    @abstractmethod
    def adapter(self, settings: Settings, writer: Writer, clock: Clock, house: list[App]) -> Adapter:
        """The bot's side, new at every start of the bot. `house` holds the bot once it is built."""

    async def leave(self, adapter: Adapter) -> None:
        """The bot has stopped: give back what the adapter holds."""
        close = getattr(adapter, "close", None)
        if close is not None:
            await close()

    # --- ids ----------------------------------------------------------------------------------------------------------

    @abstractmethod
    def user_id(self, person: str) -> str:
        """The platform's own id of somebody whom the scenario calls `person`; the same one in every scenario."""

    @abstractmethod
    def chat_id(self, chat: str) -> str:
        """The platform's own id of a group that the scenario calls `chat`; the same one in every scenario."""

    # --- what people do -----------------------------------------------------------------------------------------------

    def say(
        self,
        who: str | Sender,
        chat: str | Address,
        text: str = "",
        *,
        photo: bytes | None = None,
        at: datetime | None = None,
        event_id: str | None = None,
        **more: Any,
    ) -> Inbound:
        """Someone writes. `who` may be a name, then the account id is the name too; `more` are further fields of Inbound."""
        sender = Sender(who, who) if isinstance(who, str) else who
        address = Address(self.name, self.account, chat) if isinstance(chat, str) else chat
        number = len(self.heard) + 1
        attachments: tuple[Attachment, ...] = more.pop("attachments", ())
        if photo is not None:
            attachments += (self.keep_photo(f"photo-{number}", photo),)
        event = Inbound(
            event_id=event_id or f"e{number}",
            address=address,
            sender=sender,
            at=at or self.clock(),
            text=text,
            attachments=attachments,
            **{"message_id": f"in{number}", **more},
        )
        self.inject(event)
        return event

    def tap(self, who: str | Sender, arrival: Arrival, value: str) -> Inbound:
        """Someone presses a button under one of our messages."""
        return self.say(
            who,
            arrival.to,
            value,
            kind=Kind.TAP,
            message_id=arrival.message_id,
            quote=Quote(arrival.message_id, arrival.what.text, mine=True),
        )

    def keep_photo(self, photo_id: str, data: bytes, mime: str = "image/jpeg") -> Attachment:
        """Make bytes available to `fetch`."""
        self.photos[photo_id] = data
        return Attachment(photo_id, "photo", mime, len(data))

    @abstractmethod
    def inject(self, event: Inbound) -> None:
        """Any event; the same event id a second time is a second delivery."""

    # --- what goes wrong, and what came of it -------------------------------------------------------------------------

    @abstractmethod
    def fail(self, *faults: Fault, chat: str | None = None) -> None:
        """The next sends (to `chat`, or to any chat) meet these faults, one each; "edit:gx01" scripts changes in gx01."""

    @property
    @abstractmethod
    def confirmed(self) -> list[str]:
        """The ids of the events of which the platform knows that we have them."""

    @abstractmethod
    async def all_confirmed(self) -> None:
        """Wait until everything that was said is confirmed."""

    def texts(self, chat: str | None = None) -> list[str]:
        """What arrived, in order, duplicates included."""
        return [arrival.what.text for arrival in self.arrived if chat is None or arrival.to.chat == chat]
