"""The same thing again: how much a new report resembles an open one, with the reasons.

Category, place, words, time and picture each say something; none of them alone is enough. Nothing is decided here: an officer, or
the desk's own line, does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(days=21)
ALIKE = 0.6  # from here on two reports are worth showing as perhaps the same
_PICTURE_BITS = 10  # differing bits of 64 up to which two perceptual hashes show the same thing


@dataclass(frozen=True, slots=True)
class Report:
    """What is compared of a report: category code, place texts as read, the words, UTC time, grid, perceptual hash of 64 bits."""

    category: str
    places: tuple[str, ...]
    text: str
    at: datetime
    grid: str = ""
    picture: int | None = None


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike, 0 to 1, and why."""

    score: float
    reasons: tuple[str, ...]

    @property
    def alike(self) -> bool:
        """Whether the two are worth showing together."""
        return self.score >= ALIKE


def likeness(new: Report, old: Report) -> Likeness:
    """How much the new report resembles the old one; 0 outside the window of 21 days or in another grid."""
    gap = abs(new.at - old.at)
    if gap > WINDOW or (new.grid and old.grid and new.grid != old.grid):
        return Likeness(0.0, ())
    if new.picture is not None and old.picture is not None and (new.picture ^ old.picture).bit_count() <= _PICTURE_BITS:
        return Likeness(0.95, ("same picture",))
    score, reasons = 0.0, []
    if new.category == old.category:
        score += 0.3
        reasons.append(f"category {new.category}")
    else:
        score -= 0.1
    place = max((_overlap(a, b) for a in new.places for b in old.places), default=0.0)
    if place >= 0.5:
        score += 0.4 * place
        reasons.append(f"place {place:.2f}")
    elif new.places and old.places:
        score -= 0.25
        reasons.append("different places")
    words = _overlap(_without(new), _without(old))  # the place has been counted
    score += 0.3 * words
    reasons.append(f"words {words:.2f}")
    fresh = 1 - gap / WINDOW
    score += 0.1 * fresh
    reasons.append(f"{gap.days} days apart")
    return Likeness(round(min(1.0, max(0.0, score)), 3), tuple(reasons))


def _without(report: Report) -> str:
    """The words of a report without its places."""
    text = report.text
    for place in report.places:
        text = text.replace(place, " ")
    return text


def _overlap(one: str, other: str) -> float:
    """Shared pairs of characters, as a part of the shorter text's."""
    first, second = _pairs(one), _pairs(other)
    if not first or not second:
        return 0.0
    return len(first & second) / min(len(first), len(second))


def _pairs(text: str) -> set[str]:
    letters = "".join(char for char in text if char.isalnum())
    return {letters[i : i + 2] for i in range(len(letters) - 1)} or set(letters)
