"""What is handed over about a tip: to its source, to officers, between two officers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from storage.tables import Tip


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the source gets once: the receipt in groups of four digits, and the name under which staff know the tip."""

    digits: str
    designation: str

    @property
    def shown(self) -> str:
        return " ".join(self.digits[start : start + 4] for start in range(0, len(self.digits), 4))


@dataclass(frozen=True, slots=True)
class Held:
    """A tip in the hands of its source: with the key that the receipt opened."""

    tip: Tip
    key: bytes


@dataclass(frozen=True, slots=True)
class Line:
    """One message of the dialogue, opened, and how many pictures came with it."""

    author: str
    text: str
    at: datetime
    pictures: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """What the source may know: answers, how many officers have read, who asked or was allowed to see who they are."""

    state: str
    answers: tuple[Line, ...]
    readers: int
    identity_given: bool
    asked: int
    allowed: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A tip's key sealed to an officer's `public` key, before that officer has it."""

    sealed: bytes
    public: bytes


@dataclass(frozen=True, slots=True)
class Listed:
    """A tip in an officer's list."""

    designation: str
    state: str
    created_on: datetime
    days_left: int
