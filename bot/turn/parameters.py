"""What a handler may name of a turn: what was found out before it, the rules of the district, what has to happen after it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bot.dialogs import Awaited, DialogKey
from bot.lanes import LaneKey
from bot.messages import Address, Location
from bot.mind import Mind
from bot.router import Command
from bot.understanding.answers import Hit
from bot.understanding.laws import LawHit
from bot.understanding.meaning import Danger, Scam
from content.small_numbers import LEAST


class NotMine(Exception):
    """Raised by the handler of a dialog, keyword, number or intent that does not want the message: the router goes on looking."""


@dataclass(frozen=True, slots=True)
class Photos:
    """The photos that came with a message or waited for it, stored already: ids of attachments.

    `lost` could not be had; `why` is the phrase that says what is wrong with one of them, empty when nobody knows. `point` is
    where the first of them that says so was taken (latitude, longitude).
    """

    ids: tuple[int, ...] = ()
    lost: int = 0
    why: str = ""
    point: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class LoosePhotos:
    """The same photos for a handler that keeps their keys itself: on disk, sealed, known to no row. `lost` and `why` as above."""

    photos: tuple[StoredPhoto, ...] = ()
    lost: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Pins:
    """The places that the sender pinned: with this message, or shortly before it."""

    pins: tuple[Location, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A photo on disk that no row knows of yet."""

    path: str
    sha256: str
    width: int
    height: int
    size: int
    fingerprint: str = ""  # as in bot.photos.Photo
    point: tuple[float, float] | None = None
    seal: str = ""  # the name of its key, and the key, which becomes a row together with the photo's
    key: bytes = b""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the library knows about the message's question, best first; empty when nothing was asked of it.

    `laws` are articles of the imported laws; only one that the question names is an answer, the others are hints for an officer.
    """

    hits: tuple[Hit, ...] = ()
    laws: tuple[LawHit, ...] = ()


class Verdict(StrEnum):
    """What is said to something that was brought to be judged; the names are those of content/phrases/scams.toml."""

    BAIT = "answer"
    UNSURE = "unsure"
    NO_TEXT = "no_text"  # pictures in which nothing could be read
    BUSY = "busy"
    CANNOT_LOOK = "cannot_look"


@dataclass(frozen=True, slots=True)
class Brought:
    """What was brought to us to be judged: the message itself, the one that it quotes, pictures.

    `verdict` None: nothing is said about it. `scam` is the worst of all that was read. `doubted`: the person asks whether it is
    true. `codes`: QR codes that were found.
    """

    verdict: Verdict | None = None
    scam: Scam = field(default_factory=Scam)
    doubted: bool = False
    codes: int = 0


@dataclass(frozen=True, slots=True)
class Menu:
    """The commands that this person may use here, for help."""

    commands: tuple[Command, ...]


def own_advice(danger: Danger, _text: str) -> str:
    """The words of the danger itself, whatever the text shows besides."""
    return f"emergency.{danger.value}"


@dataclass(frozen=True, slots=True)
class Rules:
    """The district's own settings that handlers go by."""

    station: str
    bot_name: str
    alarm_repeat: timedelta = timedelta(minutes=2)
    auto_dispatch: bool = True  # the bot accepts and dispatches routine categories by the routing table
    review_share: float = 0.05  # of confirmed cases, asked about once more by another unit
    least_shown: int = LEAST  # smaller numbers of people are not told in statistics
    tip_pages: str = ""  # where an officer's browser finds the pictures of tips; empty: nowhere
    rooms_keep_days: int = 7  # how long our own web rooms keep their messages
    talk_quiet: timedelta = timedelta(minutes=15)  # silence after which a conversation with an officer is over
    vague_places: frozenset[str] = frozenset()  # words for a place to which nobody can be sent
    advice: Callable[[Danger, str], str] = own_advice  # which phrase says what to do first in a danger heard in a text
    scam_now: re.Pattern[str] = re.compile("(?!)")  # what is said of somebody who is being defrauded at this moment


@dataclass(slots=True)
class Effects:
    """What the memory has to learn after the commit."""

    dialogs: dict[DialogKey, tuple[Awaited, ...]] = field(default_factory=dict)
    alarms: dict[Address, int | None] = field(default_factory=dict)
    reported: datetime | None = None
    timers: bool = False
    campaigns: bool = False  # campaigns were looked at, and may have changed
    kept_waiting: bool = False
    cries: bool = False  # it is taken for a call for help, and answered as one besides whatever else it is
    forgotten: bool = False  # the sender is to be forgotten by the platform, too
    unsay: bool = False  # what was said must not stay in a record of ours either

    def apply(self, mind: Mind, key: LaneKey | None, now: datetime) -> None:
        for dialog, awaited in self.dialogs.items():
            mind.ask(dialog, awaited, now)
        for address, alarm in self.alarms.items():
            if alarm is None:
                mind.alarms.pop(address, None)
            else:
                mind.alarms[address] = alarm
        if self.reported is not None and key is not None:
            mind.report(key, self.reported, now)
