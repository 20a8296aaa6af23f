"""The same thing again: how much a new report resembles an open one, with the reasons.

Category, place, words, time and picture each say something; none of them alone is enough. Nothing is decided here: an officer, or
the desk's own line, does. `open_alike(session, case)` is the whole of it for a caller.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import add

from sqlalchemy import bindparam
from sqlalchemy import case as either
from sqlmodel import Session, col, or_, select

from cases.lifecycle import OPEN_STATES
from content.gazetteer import counted, normalised
from storage.tables import Attachment, Case
from storage.tables.columns import as_stored, open_stored

WINDOW = timedelta(days=21)
ALIKE = 0.6  # from here on two reports are worth showing as perhaps the same
MOST_COMPARED = 400  # open cases that one new report is compared with, newest first: bounds the time of its transaction
NEAR_METRES, FAR_METRES = 50.0, 300.0  # pins of one thing lie within the first; beyond the second it is another place
WORDS_WEIGH = 0.3  # what the same words add at most
_PICTURES = select(Attachment.case_id, Attachment.fingerprint).where(
    col(Attachment.case_id).in_(bindparam("cases", expanding=True)), col(Attachment.fingerprint).is_not(None)
)
_OTHERS = (
    select(
        Case.id,
        Case.category,
        as_stored(Case.place),
        as_stored(Case.text),
        Case.created_at,
        Case.grid_id,
        Case.latitude,
        Case.longitude,
    )  # type: ignore[call-overload]
    .where(
        Case.id != bindparam("own"),
        Case.kind == bindparam("kind"),
        Case.created_at >= bindparam("since"),
        col(Case.state).in_(OPEN_STATES),
    )
    .limit(MOST_COMPARED)
)
_HERE = or_(col(Case.grid_id) == bindparam("grid"), col(Case.grid_id).is_(None))
_OTHERS_HERE = _OTHERS.where(_HERE).order_by(col(Case.id).desc())
_OTHERS_ANYWHERE = _OTHERS.order_by(either((_HERE, 0), else_=1), col(Case.id).desc())
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

    Compared are open cases of the same kind and the last 21 days, the reporter's own among them; of another grid only those with
    pictures, when this one has some. The photos of `case` have to be attached before. Costs two queries of `MOST_COMPARED` rows
    at most; the words of a case are opened only where everything else leaves it possible that the two are alike.
    """
    shown = _pictures(session, [case.id]).get(case.id, ())
    # those of its own grid first, the newest first
    wanted = {"own": case.id, "kind": case.kind, "since": case.created_at - WINDOW, "grid": case.grid_id}
    rows = session.exec(_OTHERS_ANYWHERE if shown or case.grid_id is None else _OTHERS_HERE, params=wanted).all()
    pictures = _pictures(session, [row[0] for row in rows]) if shown and rows else {}
    new = _Compared(report_of(case, shown), tuple(map(_Place.of, _places(case.place))))
    found: list[tuple[int, Likeness]] = []
    for number, category, stored_place, stored_text, at, grid, latitude, longitude in rows:
        places = _places(open_stored(session, stored_place))
        point = None if latitude is None or longitude is None else (latitude, longitude)
        old = Report(category, places, "", at, grid, pictures.get(number, ()), point)
        like = _compare(new, old, lambda stored=stored_text: open_stored(session, stored))  # type: ignore[misc]
        if like.alike and number is not None:
            found.append((number, like))
    found.sort(key=lambda pair: -pair[1].score)
    return [(other, like) for number, like in found[:most] if (other := session.get(Case, number)) is not None]


def report_of(case: Case, pictures: tuple[int, ...] = ()) -> Report:
    """What is compared of a case; `pictures` are the hashes of its photos."""
    point = None if case.latitude is None or case.longitude is None else (case.latitude, case.longitude)
    return Report(case.category, _places(case.place), case.text, case.created_at, case.grid_id, pictures, point)


def likeness(new: Report, old: Report) -> Likeness:
    """How much the new report resembles the old one; 0 outside the window of 21 days, and in another grid unless a picture is the
    same."""
    return _compare(_Compared(new, tuple(map(_Place.of, new.places))), old, lambda: old.text, ends_early=False)


@dataclass(frozen=True, slots=True)
class _Place:
    """A place as it is compared: normalised, its numbers by what they count, its pairs of characters."""

    numbers: Mapping[str, int]
    pairs: frozenset[str]

    @classmethod
    def of(cls, words: str) -> _Place:
        plain = normalised(words)
        return cls(counted(plain), _pairs(plain))


@dataclass(frozen=True, slots=True)
class _Compared:
    """The new report with its places read, once for all that it is compared with."""

    report: Report
    places: tuple[_Place, ...]


def _compare(of: _Compared, old: Report, words_of: Callable[[], str], *, ends_early: bool = True) -> Likeness:
    """`likeness`; `words_of` gives the words of the old one, not asked when (`ends_early`) no words could make the two alike."""
    new = of.report
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
    place, why = _same_place(of, old)
    score += 0.4 * place if place > 0 else 0.25 * place
    if why:
        reasons.append(why)
    score += 0.1 * (1 - gap / WINDOW)
    if ends_early and score + WORDS_WEIGH < ALIKE - 0.001:  # a hair's breadth for rounding
        return Likeness(0.0, ())
    words = _overlap(_pairs(_without(new.text, new.places)), _pairs(_without(words_of(), old.places)))  # the place is counted
    score += WORDS_WEIGH * words
    reasons += [f"words {words:.2f}", f"{gap.days} days apart"]
    return Likeness(round(min(1.0, max(0.0, score)), 3), tuple(reasons))


def metres_between(one: tuple[float, float], other: tuple[float, float]) -> float:
    """The distance of two points (latitude, longitude in degrees) on the ground, by the haversine formula."""
    latitudes = math.radians(one[0]), math.radians(other[0])
    north, east = latitudes[1] - latitudes[0], math.radians(other[1] - one[1])
    part = math.sin(north / 2) ** 2 + math.cos(latitudes[0]) * math.cos(latitudes[1]) * math.sin(east / 2) ** 2
    return 2 * _EARTH_METRES * math.asin(math.sqrt(part))


def _same_place(of: _Compared, old: Report) -> tuple[float, str]:
    """From -1 (two places) over 0 (nothing known) to 1 (one place), and why. What both were told as a point decides."""
    new, named = of.report, 0.0
    for other in map(_Place.of, old.places) if of.places else ():
        named = max([named, *(_overlap(one.pairs, other.pairs) for one in of.places if not _differ(one, other))])
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


def _places(place: str) -> tuple[str, ...]:
    return tuple(part for part in place.split("、") if part)


def _pictures(session: Session, wanted: Sequence[int | None]) -> dict[int | None, tuple[int, ...]]:
    """The perceptual hashes of the photos of these cases."""
    rows = session.exec(_PICTURES, params={"cases": wanted}).all()
    found: dict[int | None, tuple[int, ...]] = {}
    for case_id, fingerprint in rows:
        if fingerprint is not None:
            found[case_id] = (*found.get(case_id, ()), int(fingerprint, 16))
    return found


def _differ(one: _Place, other: _Place) -> bool:
    """Whether two places name different numbers of the same kind of thing: "3号楼" and "5号楼", however alike the rest is."""
    return any(one.numbers[unit] != other.numbers[unit] for unit in one.numbers.keys() & other.numbers.keys())


def _without(text: str, places: tuple[str, ...]) -> str:
    """The words of a report without its places."""
    for place in places:
        text = text.replace(place, " ")
    return text


def _overlap(first: frozenset[str], second: frozenset[str]) -> float:
    """Shared pairs of characters, as a part of the shorter text's."""
    if not first or not second:
        return 0.0
    return len(first & second) / min(len(first), len(second))


def _pairs(text: str) -> frozenset[str]:
    letters = text if text.isalnum() else "".join(filter(str.isalnum, text))
    return frozenset(map(add, letters, letters[1:])) or frozenset(letters)
