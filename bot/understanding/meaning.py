"""What a message means, with the reasons."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct


class Intent(StrEnum):
    """What somebody wants with a message; the names are those of `qianshao classify`."""

    HAZARD = "hazard"
    TIP = "tip"
    QUESTION = "question"
    DISPUTE = "dispute"
    MISSING = "missing"
    LOST_FOUND = "lost_found"
    SCAM_REPORT = "scam_report"
    EMERGENCY = "emergency"
    WISH = "wish"
    FEEDBACK = "feedback"
    CHAT = "chat"


class Danger(StrEnum):
    """The kinds of tier T0: life is at stake, or money is leaving, now."""

    FIRE = "fire"
    GAS = "gas"
    ELECTRIC = "electric"
    VIOLENCE = "violence"
    INTRUDER = "intruder"
    MEDICAL = "medical"
    DROWNING = "drowning"
    COLLAPSE = "collapse"
    SELF_HARM = "self_harm"
    MISSING = "missing"
    MONEY = "money"


CATEGORY = {  # the case that a danger becomes
    Danger.FIRE: "fire.active",
    Danger.GAS: "gas.leak",
    Danger.ELECTRIC: "elec.shock",
    Danger.VIOLENCE: "violence",
    Danger.INTRUDER: "intruder",
    Danger.MEDICAL: "medical",
    Danger.DROWNING: "drowning",
    Danger.COLLAPSE: "collapse",
    Danger.SELF_HARM: "mental",
    Danger.MISSING: "missing.elder",
    Danger.MONEY: "scam.paid",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A place named in the text: characters start (inclusive) to end (exclusive) of the original text."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Scam:
    """Whether the text itself is a scam's bait, how sure (0 to 1), and which of our types (taxonomy `scam.*`)."""

    is_scam: bool = False
    score: float = 0.0
    type: str | None = None


class Hint(Struct, frozen=True, eq=False):
    """What the glance sees in microseconds, before anything is kept. All false: small talk, to be forgotten.

    A Struct of msgspec, because one is made for every line: it takes a tenth of the time of a frozen dataclass.
    """

    danger: Danger | None = None
    report: bool = False  # like a hazard, dispute, missing, lost, scam or wish
    tip: bool = False
    question: bool = False
    safe: bool = False  # somebody says that the people are safe
    bait: bool = False  # certainly a scam's own words: rules and model agree, and nobody asks or tells about it
    sighting: bool = False  # it sounded like danger, and somebody is looked for: it says where that person was seen
    sight: object | None = None  # what the reading of the same text need not do again; no part of what was seen, and never shown

    def _seen(self) -> tuple[Danger | None, bool, bool, bool, bool, bool]:
        return self.danger, self.report, self.tip, self.question, self.safe, self.bait

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hint) and self._seen() == other._seen()

    def __hash__(self) -> int:
        return hash(self._seen())

    def __repr__(self) -> str:
        return f"Hint{self._seen()}"


@dataclass(frozen=True, slots=True)
class Meaning:
    """The whole reading. `reasons` say which words and rules led to it, for an officer and a developer."""

    intent: Intent
    confidence: float
    tier: str | None = None  # T0 … T4, TQ, TT
    category: str | None = None  # a code of content/taxonomy.toml
    danger: Danger | None = None
    places: tuple[Place, ...] = ()
    scam: Scam = Scam()
    reasons: tuple[str, ...] = ()

    @property
    def matter(self) -> Intent:
        """What the message is to us: pasted bait is a matter of fraud although nobody says a word about it."""
        return Intent.SCAM_REPORT if self.intent is Intent.CHAT and self.scam.is_scam else self.intent
