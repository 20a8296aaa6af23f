"""Where a case is: from the words, a pin, a photo's own place, the group. The result is a place, a grid, and how sure.

A grid's boundary (GeoJSON, `grid.boundary`) decides for a point; the gazetteer for a name; else it is the group's grid.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from sqlmodel import Session, func, select

from cases.similarity import metres_between
from content.gazetteer import Gazetteer, Known
from storage.tables import Counter, Grid

BOUNDARIES = "boundaries"  # the counter that grows with every change of a boundary, so that a running bot sees it
_VERSION = select(
    select(Counter.value).where(Counter.name == BOUNDARIES).scalar_subquery(), select(func.max(Grid.id)).scalar_subquery()
)
NEAR_METRES = 120.0  # a pin that lies so near to a known place is told by its name
# How sure the grid is, 0 to 1; by judgement, for people to read. A pin can be set wrong, a name can mean another one.
SURE = {"pin": 0.95, "gazetteer": 0.9, "photo": 0.8, "near": 0.7, "group": 0.5, "": 0.0}


@dataclass(frozen=True, slots=True)
class Point:
    """Degrees WGS 84. `name` is what a platform calls it; `by` is "pin" or "photo"."""

    latitude: float
    longitude: float
    name: str = ""
    by: str = "pin"


@dataclass(frozen=True, slots=True)
class Where:
    """A place as officers read it (empty: nobody said), its grid (None: unknown), what told the grid, how sure (0 to 1)."""

    place: str
    grid_id: int | None
    by: str
    sure: float
    point: Point | None = None


class BadBoundary(ValueError):
    """A boundary cannot be used; the text says why and what to mend."""


class Atlas:
    """The district's ground: boundaries of its grids and known places. One for the process, used by one thread at a time."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        self.gazetteer = gazetteer
        self._seen: tuple[int, int] | None = None
        self._codes: dict[str, int] = {}
        self._parents: dict[int, int | None] = {}
        self._grids: list[int] = []
        self._tree = shapely.STRtree([])
        self._areas: list[float] = []

    def locate(
        self, session: Session, text: str, places: Sequence[str], points: Sequence[Point], group_grid: int | None
    ) -> Where:
        """Where something is. `text` is what was said, `places` the spans that were found in it, `points` the best one first.

        A pin goes before a known name, that before a photo's own place, that before the group's grid; in words a place stays as
        the person said it, with the name of the gazetteer in the place of an alias.
        """
        self._refresh(session)
        named = self._named(text, group_grid)
        point = points[0] if points else None
        said = self._said(places, named) or (self._called(point) if point is not None else "")
        within = {p: self._grid_at(p) for p in points}
        pinned = next((p for p in points if p.by == "pin" and within[p] is not None), None)
        photo = next((p for p in points if p.by == "photo" and within[p] is not None), None)
        if pinned is not None:
            return Where(said, within[pinned], "pin", SURE["pin"], pinned)
        if named is not None and (grid := self._codes.get(named.grid)) is not None:
            return Where(said, grid, "gazetteer", SURE["gazetteer"], point or _point_of(named))
        if photo is not None:
            return Where(said, within[photo], "photo", SURE["photo"], photo)
        near = self._near(point) if point is not None else None
        if near is not None and (grid := self._codes.get(near.grid)) is not None:
            return Where(said, grid, "gazetteer", SURE["near"], point)
        by = "group" if group_grid is not None else ""
        return Where(said, group_grid, by, SURE[by], point)

    def _named(self, text: str, group_grid: int | None) -> Known | None:
        """The known place that a text names: of several with one name the one in the group's grid, else none."""
        for mention in sorted(self.gazetteer.find(text), key=lambda found: -len(found.wording)):
            if len(mention.places) == 1:
                return mention.places[0]
            own = [place for place in mention.places if self._inside(self._codes.get(place.grid), group_grid)]
            if len(own) == 1:
                return own[0]
        return None

    def _said(self, places: Sequence[str], named: Known | None) -> str:
        words = dict.fromkeys(unicodedata.normalize("NFKC", place).replace(" ", "") for place in places)
        if named is None:
            return "、".join(words)
        full = []
        for word in words:
            mention = next((found for found in self.gazetteer.find(word) if named in found.places), None)
            if mention is None or named.name in word:
                full.append(word)
            else:
                full.append(word[: mention.start] + named.name + word[mention.end :])
        return "、".join(dict.fromkeys(full)) or named.name

    def _called(self, point: Point) -> str:
        """A point in words: the platform's name, the known place that is near, else degrees."""
        if point.name:
            return point.name
        near = self._near(point)
        return f"{near.name}附近" if near is not None else f"{point.latitude:.5f},{point.longitude:.5f}"

    def _near(self, point: Point) -> Known | None:
        spot = (point.latitude, point.longitude)
        known = [(metres_between(spot, place.point), place) for place in self.gazetteer.places if place.point is not None]
        metres, place = min(known, key=lambda pair: pair[0], default=(NEAR_METRES + 1, None))
        return place if metres <= NEAR_METRES else None

    def _grid_at(self, point: Point) -> int | None:
        """The smallest grid whose boundary holds the point: of nested grids the inner one."""
        found = self._tree.query(shapely.Point(point.longitude, point.latitude), predicate="intersects")
        return min(((self._areas[n], self._grids[n]) for n in found), default=(0.0, None))[1]

    def _inside(self, grid: int | None, around: int | None) -> bool:
        """Whether a grid is, or lies in, another."""
        for _ in range(8):
            if grid is None or around is None:
                return False
            if grid == around:
                return True
            grid = self._parents.get(grid)
        return False

    def _refresh(self, session: Session) -> None:
        """Read the boundaries anew when one has changed or a grid was added."""
        version, newest = session.exec(_VERSION).one()
        if self._seen == (version or 0, newest or 0):
            return
        rows = session.exec(select(Grid.id, Grid.code, Grid.parent_id, Grid.boundary)).all()
        self._codes = {code: number for number, code, _, _ in rows if number is not None}
        self._parents = {number: parent for number, _, parent, _ in rows if number is not None}
        drawn = [(number, read_boundary(text)) for number, _, _, text in rows if number is not None and text]
        self._grids = [number for number, _ in drawn]
        self._areas = [ground.area for _, ground in drawn]
        self._tree = shapely.STRtree([ground for _, ground in drawn])
        self._seen = (version or 0, newest or 0)


def read_boundary(text: str) -> BaseGeometry:
    """A boundary as stored: GeoJSON geometry, Feature, or a collection with one feature. Raises `BadBoundary`."""
    try:
        plain = json.loads(text)
    except ValueError as problem:
        raise BadBoundary(f"this is not JSON: {problem}") from problem
    return ground_of(plain)


def ground_of(plain: Any) -> BaseGeometry:
    """The ground that a GeoJSON object draws (RFC 7946: longitude first). Raises `BadBoundary`."""
    if isinstance(plain, dict) and plain.get("type") == "FeatureCollection":
        features = plain.get("features")
        if not isinstance(features, list) or len(features) != 1:
            raise BadBoundary("a collection with one feature is needed here; qianshao grid boundaries reads many at once")
        plain = features[0]
    if isinstance(plain, dict) and plain.get("type") == "Feature":
        plain = plain.get("geometry")
    if not isinstance(plain, dict) or plain.get("type") not in ("Polygon", "MultiPolygon"):
        raise BadBoundary("a GeoJSON Polygon or MultiPolygon is needed")
    try:
        ground = shape(plain)
    except Exception as problem:  # whatever stands in the file, shapely has its own word for each
        raise BadBoundary(f"the coordinates cannot be read: {problem}") from problem
    if ground.is_empty:
        raise BadBoundary("the boundary is empty")
    if not ground.is_valid:
        raise BadBoundary(f"the boundary crosses itself or is open: {shapely.is_valid_reason(ground)}")
    west, south, east, north = ground.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise BadBoundary("degrees are needed, longitude before latitude, as GeoJSON wants them (WGS 84)")
    return ground


def boundary_changed(session: Session) -> None:
    """Tell running bots that a boundary is new; in the transaction that changed it."""
    counter = session.get(Counter, BOUNDARIES) or Counter(name=BOUNDARIES, value=0)
    counter.value += 1
    session.add(counter)


def _point_of(known: Known) -> Point | None:
    return None if known.point is None else Point(known.point[0], known.point[1], known.name, "gazetteer")
