"""The contract between the bot and a platform."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.messages import Address, Attachment, Inbound, Outbound, Receipt


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a platform can do; the caller asks this, never which platform it is."""

    recall: bool = False
    edit: bool = False
    choices: bool = False
    mention: bool = False
    exactly_once: bool = False  # a notice sent twice with one key appears once
    one_connection: bool = False  # what is sent goes over the connection that listens: one node does both
    max_text: int = 4096  # characters in one message
    max_photo_bytes: int = 10_000_000


@dataclass(frozen=True, slots=True)
class Health:
    """How an adapter is doing. `listening` is true only while traffic could arrive now."""

    listening: bool
    last_inbound: datetime | None = None
    last_error: str = ""


class Feed(Protocol):
    """Where an adapter puts what it hears."""

    async def take(self, event: Inbound) -> None:
        """Return once the event is kept durably or let go. Confirm to the platform only after that; never when it raises."""
        ...

    async def quarantine(self, platform: str, account: str, event_id: str, raw: bytes, why: str) -> None:
        """Keep what could not be parsed, so that it blocks nobody and an officer can see that it came."""
        ...


class Adapter(Protocol):
    """One account on one platform.

    An implementation must confirm an event to the platform only after `Feed.take` returned, must be able to deliver an
    unconfirmed event again after a restart, and must not give any right to a display name.
    """

    @property
    def name(self) -> str:
        """The platform: "web", "telegram", "wechat"."""
        ...

    @property
    def account(self) -> str:
        """Which of our accounts on it."""
        ...

    @property
    def can(self) -> Capabilities: ...

    async def listen(self, feed: Feed) -> None:
        """Hear events until cancelled. Returning or raising is a failure; the supervisor starts it again."""
        ...

    async def send(self, to: Address, what: Outbound) -> Receipt:
        """Say it. Raises RetryLater, NeverDelivered or AnswerLost (bot.errors) and nothing else on purpose."""
        ...

    async def edit(self, to: Address, message_id: str, what: Outbound) -> bool:
        """Let one of our own messages say `what.text` with `what.choices` from now on; safe to repeat.

        False when the platform cannot, or not any more (too old, deleted). Raises like `send`. Asked only where `can.edit`.
        """
        ...

    async def recall(self, to: Address, message_id: str) -> bool:
        """Take one of our own messages back; false when the platform cannot or will not."""
        ...

    async def fetch(self, attachment: Attachment, limit: int) -> bytes:
        """The file's bytes, at most `limit` of them; RefusedInput when it is larger, RetryLater when it cannot be had now."""
        ...

    def health(self) -> Health: ...


class Forgetful(Protocol):
    """An adapter with a record of its own that can forget what somebody said to us, so that a tip stays nowhere."""

    async def unsay(self, event_id: str) -> None:
        """Remove the words of this event for good; fine when they are gone already."""
        ...

    async def forget_person(self, person: str) -> None:
        """Remove everything that this person has said, here and in private."""
        ...
