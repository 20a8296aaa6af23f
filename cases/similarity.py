"""The same thing again: how much a new report resembles an open one, with the reasons.

Category, place, words, time and picture each say something; none of them alone is enough. Nothing is decided here: an officer, or
the desk's own line, does. `open_alike(session, case)` is the whole of it for a caller.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from cases.lifecycle import OPEN_STATES
from content.gazetteer import normalised, numbers
from storage.tables import Attachment, Case

WINDOW = timedelta(days=21)
ALIKE = 0.6  # from here on two reports are worth showing as perhaps the same
MOST_COMPARED = 400  # open cases that one new report is compared with, newest first: bounds the time of its transaction
NEAR_METRES, FAR_METRES = 50.0, 300.0  # pins of one thing lie within the first; beyond the second it is another place
_PICTURE_BITS = 10  # differing bits of 64 up to which two perceptual hashes show the same thing
_EARTH_METRES = 6_371_000.0


@dataclass(frozen=True, slots=True)
class Report:
    """What is compared of a report: category code, place texts as read, the words, UTC time, grid, perceptual hashes of 64 bits
    of its photos, and the point (degrees WGS 84: latitude, longitude) where one is known."""

    category: str
    places: tuple[str, ...]
    text: str
    at: datetime
    grid: int | None = None
    pictures: tuple[int, ...] = ()
    point: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike, 0 to 1, and why."""

    score: float
    reasons: tuple[str, ...]

    @property
    def alike(self) -> bool:
        """Whether the two are worth showing together."""
        return self.score >= ALIKE


def open_alike(session: Session, case: Case, most: int = 3) -> list[tuple[Case, Likeness]]:
    """Other open cases that this one may be a repetition of, most alike first; empty when none reaches `ALIKE`.

    Compared are open cases of the same kind and the last 21 days, the reporter's own among them. The photos of `case` have to be
    attached before. Costs two queries, of `MOST_COMPARED` rows at most.
    """
    others = session.exec(
        select(Case)
        .where(
            Case.id != case.id,
            Case.kind == case.kind,
            Case.created_at >= case.created_at - WINDOW,
            col(Case.state).in_(OPEN_STATES),
        )
        .order_by(col(Case.id).desc())
        .limit(MOST_COMPARED)
    ).all()
    pictures = _pictures(session, [case, *others]) if others else {}
    new = report_of(case, pictures.get(case.id, ()))
    found = [(other, likeness(new, report_of(other, pictures.get(other.id, ())))) for other in others]
    alike = sorted((pair for pair in found if pair[1].alike), key=lambda pair: -pair[1].score)
    return alike[:most]


def report_of(case: Case, pictures: tuple[int, ...] = ()) -> Report:
    """What is compared of a case; `pictures` are the hashes of its photos."""
    places = tuple(part for part in case.place.split("、") if part)
    point = None if case.latitude is None or case.longitude is None else (case.latitude, case.longitude)
    return Report(case.category, places, case.text, case.created_at, case.grid_id, pictures, point)


def likeness(new: Report, old: Report) -> Likeness:
    """How much the new report resembles the old one; 0 outside the window of 21 days, and in another grid unless a picture is the
    same."""
    gap = abs(new.at - old.at)
    if gap > WINDOW:
        return Likeness(0.0, ())
    if any((one ^ other).bit_count() <= _PICTURE_BITS for one in new.pictures for other in old.pictures):
        return Likeness(0.95, ("same picture",))
    if new.grid is not None and old.grid is not None and new.grid != old.grid:
        return Likeness(0.0, ())
    score, reasons = 0.0, []
    if new.category == old.category:
        score += 0.3
        reasons.append(f"category {new.category}")
    else:
        score -= 0.1
    place, why = _same_place(new, old)
    score += 0.4 * place if place > 0 else 0.25 * place
    if why:
        reasons.append(why)
    words = _overlap(_without(new), _without(old))  # the place has been counted
    score += 0.3 * words
    reasons.append(f"words {words:.2f}")
    fresh = 1 - gap / WINDOW
    score += 0.1 * fresh
    reasons.append(f"{gap.days} days apart")
    return Likeness(round(min(1.0, max(0.0, score)), 3), tuple(reasons))


def metres_between(one: tuple[float, float], other: tuple[float, float]) -> float:
    """The distance of two points (latitude, longitude in degrees) on the ground, by the haversine formula."""
    latitudes = math.radians(one[0]), math.radians(other[0])
    north, east = latitudes[1] - latitudes[0], math.radians(other[1] - one[1])
    part = math.sin(north / 2) ** 2 + math.cos(latitudes[0]) * math.cos(latitudes[1]) * math.sin(east / 2) ** 2
    return 2 * _EARTH_METRES * math.asin(math.sqrt(part))


def _same_place(new: Report, old: Report) -> tuple[float, str]:
    """From -1 (two places) over 0 (nothing known) to 1 (one place), and why. What both were told as a point decides."""
    pairs = [(a, b) for a in new.places for b in old.places if not _differ(a, b)]
    named = max((_overlap(normalised(a), normalised(b)) for a, b in pairs), default=0.0)
    if new.point is not None and old.point is not None:
        metres = metres_between(new.point, old.point)
        if metres > FAR_METRES:
            return -1.0, "different places"
        near = min(1.0, max(0.0, 1 - (metres - NEAR_METRES) / (FAR_METRES - NEAR_METRES)))
        if near > named:
            return near, f"{metres:.0f} m apart"
    if named >= 0.5:
        return named, f"place {named:.2f}"
    if new.places and old.places:
        return -1.0, "different places"
    return 0.0, ""


def _pictures(session: Session, cases: Iterable[Case]) -> dict[int | None, tuple[int, ...]]:
    """The perceptual hashes of the photos of these cases."""
    wanted = [case.id for case in cases]
    rows = session.exec(
        select(Attachment.case_id, Attachment.fingerprint).where(
            col(Attachment.case_id).in_(wanted), col(Attachment.fingerprint).is_not(None)
        )
    ).all()
    found: dict[int | None, tuple[int, ...]] = {}
    for case_id, fingerprint in rows:
        if fingerprint is not None:
            found[case_id] = (*found.get(case_id, ()), int(fingerprint, 16))
    return found


def _differ(one: str, other: str) -> bool:
    """Whether two places name different numbers of the same kind of thing: "3号楼" and "5号楼", however alike the rest is."""
    first, second = numbers(one), numbers(other)
    return any(first[unit] != second[unit] for unit in first.keys() & second.keys())


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
