"""The sample district that the demonstration starts with: `content/demo/district.toml`, laid into an empty roster only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field
from sqlmodel import Session, select

from bot.errors import ConfigError
from bot.permissions import Role
from bot.platforms.web.people import private_room
from bot.platforms.web.settings import ACCOUNT, RoomSeed, TrySeed, UserSeed, officer_id
from content.files import BrokenFile, Strict, read_text
from content.labels import label_problem
from content.toml import KeyPath, TomlMistakes, line_of, read_toml
from storage.tables import Duty, Grid, Group, Officer, OfficerAccount, OfficerRole, Unit

PLATFORM = "web"
PRIVATE = "private"
WORK = "工作"

Texts = Annotated[tuple[str, ...], Field(strict=False)]


class UnitRow(Strict):
    """单位."""

    code: str
    name: str
    kind: str
    phone: str = ""


class GridRow(Strict):
    """网格; `parent` is the code of the grid around it."""

    code: str
    name: str
    police_code: str = ""
    parent: str = ""
    unit: str
    boundary: Annotated[tuple[Annotated[tuple[float, float], Field(strict=False)], ...], Field(strict=False)] = ()
    """Its corners: longitude, latitude."""

    @property
    def geojson(self) -> str | None:
        """The boundary as it is stored."""
        ring = [*self.boundary, *self.boundary[:1]]
        return json.dumps({"type": "Polygon", "coordinates": [ring]}) if self.boundary else None


class OfficerRow(Strict):
    """民警/网格员; a role is "role", "role grid:CODE" or "role unit:CODE"."""

    badge: str
    name: str
    title: str
    unit: str
    roles: Texts


class DutyRow(Strict):
    """Who is on duty; without a grid for the district."""

    officer: str
    grid: str = ""


class ResidentRow(Strict):
    """A person of the demonstration."""

    id: str
    name: str
    about: str = ""


class GroupRow(Strict):
    """群; `members` are residents' ids and officers' badges."""

    id: str
    name: str
    grid: str = ""
    class_label: str = Field(alias="class")
    board: str = ""
    industry: str = ""
    members: Texts

    @property
    def labels(self) -> tuple[str, ...]:
        """As people see them: class, board, industry."""
        return tuple(label for label in (self.class_label, self.board, self.industry) if label)


class TryRow(Strict):
    """One suggestion of the guided list."""

    title: str
    text: str
    persona: str
    room: str


class District(Strict):
    """All of it."""

    units: Annotated[tuple[UnitRow, ...], Field(strict=False)]
    grids: Annotated[tuple[GridRow, ...], Field(strict=False)]
    officers: Annotated[tuple[OfficerRow, ...], Field(strict=False)]
    duty: Annotated[tuple[DutyRow, ...], Field(strict=False)]
    residents: Annotated[tuple[ResidentRow, ...], Field(strict=False)]
    groups: Annotated[tuple[GroupRow, ...], Field(strict=False)]
    tries: Annotated[tuple[TryRow, ...], Field(strict=False, alias="try")]

    def web_id(self, person: str) -> str:
        """The web account of a resident's id or an officer's badge."""
        return officer_id(person) if any(officer.badge == person for officer in self.officers) else person

    def web_users(self) -> tuple[UserSeed, ...]:
        """Everybody who can be played, residents first."""
        residents = [UserSeed(row.id, row.name, "resident", row.about) for row in self.residents]
        return (*residents, *(UserSeed(officer_id(row.badge), row.name, "officer", row.title) for row in self.officers))

    def web_rooms(self) -> tuple[RoomSeed, ...]:
        """The groups as rooms of the web chat."""
        return tuple(
            RoomSeed(row.id, row.name, row.labels, tuple(map(self.web_id, row.members)), officers_only=row.class_label == WORK)
            for row in self.groups
        )

    def web_tries(self) -> tuple[TrySeed, ...]:
        """The guided list for the web chat."""
        seeds = []
        for row in self.tries:
            person = self.web_id(row.persona)
            seeds.append(TrySeed(row.title, row.text, person, private_room(person) if row.room == PRIVATE else row.room))
        return tuple(seeds)


def load_district(path: Path) -> District:
    """Read the file. Raises ConfigError with the line of everything that is wrong or points nowhere."""
    text = read_text(path)
    if isinstance(text, BrokenFile):
        raise ConfigError(str(text))
    try:
        district = read_toml(text, District)
    except TomlMistakes as error:
        raise ConfigError("\n".join(f"{path}:{mistake.line}: {mistake.problem}" for mistake in error.mistakes)) from error
    problems = [f"{path}:{line_of(text, place)}: {problem}" for place, problem in _dangling(district)]
    if problems:
        raise ConfigError("\n".join(problems))
    return district


def seed(session: Session, district: District, now: datetime) -> bool:
    """Lay the district into the database when there is no roster yet; true when it did. Runs in the caller's transaction."""
    if session.exec(select(Officer.id).limit(1)).first() is not None:
        return False
    units: dict[str, int] = {}
    for unit in district.units:
        units[unit.code] = _add(session, Unit(code=unit.code, name=unit.name, kind=unit.kind, phone=unit.phone))
    grids: dict[str, int] = {}
    for grid in district.grids:
        grids[grid.code] = _add(
            session,
            Grid(
                code=grid.code,
                name=grid.name,
                police_code=grid.police_code,
                parent_id=grids.get(grid.parent),
                unit_id=units[grid.unit],
                boundary=grid.geojson,
            ),
        )
    officers = _seed_officers(session, district, units, grids, now)
    for duty in district.duty:
        session.add(Duty(officer_id=officers[duty.officer], grid_id=grids.get(duty.grid), starts_at=now))
    for group in district.groups:
        session.add(
            Group(
                platform=PLATFORM,
                account=ACCOUNT,
                chat=group.id,
                name=group.name,
                grid_id=grids.get(group.grid),
                class_label=group.class_label,
                board=group.board,
                industry=group.industry,
                members=len(group.members),
                introduced_at=now,
            )
        )
    session.flush()
    return True


def _seed_officers(
    session: Session, district: District, units: dict[str, int], grids: dict[str, int], now: datetime
) -> dict[str, int]:
    officers: dict[str, int] = {}
    for row in district.officers:
        added = _add(session, Officer(badge=row.badge, name=row.name, title=row.title, unit_id=units[row.unit]))
        officers[row.badge] = added
        for role in row.roles:
            name, kind, code = split_role(role)
            scope = {"grid": grids, "unit": units}.get(kind, {}).get(code)
            session.add(OfficerRole(officer_id=added, role=name, scope_kind=kind, scope_id=scope))
        session.add(OfficerAccount(officer_id=added, platform=PLATFORM, user_id=officer_id(row.badge), bound_at=now))
    return officers


def split_role(text: str) -> tuple[str, str, str]:
    """("officer", "grid", "GX01") for "officer grid:GX01"; a role without a scope is the district's. Raises ValueError."""
    name, _, scope = text.strip().partition(" ")
    if name not in set(Role):
        raise ValueError(f"{name!r} is no role; there are {', '.join(Role)}")
    if scope in ("", "district"):
        return name, "district", ""
    kind, colon, code = scope.partition(":")
    if kind not in ("grid", "unit") or not colon or not code:
        raise ValueError(f"{text!r}: a scope is written grid:CODE or unit:CODE, or left out for the whole district")
    return name, kind, code


def _add(session: Session, row: Unit | Grid | Officer) -> int:
    session.add(row)
    session.flush()
    if row.id is None:
        raise ValueError("the row got no key")
    return row.id


def _dangling(district: District) -> Iterator[tuple[KeyPath, str]]:
    """References to what does not exist, and names that are given twice."""
    units = {row.code for row in district.units}
    grids = {row.code for row in district.grids}
    badges = {row.badge for row in district.officers}
    people = {row.id for row in district.residents}
    rooms = {row.id for row in district.groups}
    yield from _twice("units", "code", [row.code for row in district.units])
    yield from _twice("grids", "code", [row.code for row in district.grids])
    yield from _twice("officers", "badge", [row.badge for row in district.officers])
    yield from _twice("residents", "id", [row.id for row in district.residents])
    yield from _twice("groups", "id", [row.id for row in district.groups])
    before: set[str] = set()
    for n, grid in enumerate(district.grids):
        if grid.unit not in units:
            yield ("grids", n, "unit"), f"there is no unit {grid.unit!r}"
        if grid.parent and grid.parent not in before:
            yield ("grids", n, "parent"), f"there is no grid {grid.parent!r} above this one"
        before.add(grid.code)
    for n, officer in enumerate(district.officers):
        if officer.unit not in units:
            yield ("officers", n, "unit"), f"there is no unit {officer.unit!r}"
        for wrong in _role_problems(officer, units, grids):
            yield ("officers", n, "roles"), wrong
    for n, duty in enumerate(district.duty):
        if duty.officer not in badges:
            yield ("duty", n, "officer"), f"there is no officer {duty.officer!r}"
        if duty.grid and duty.grid not in grids:
            yield ("duty", n, "grid"), f"there is no grid {duty.grid!r}"
    yield from _dangling_groups(district, grids, people | badges)
    for n, suggestion in enumerate(district.tries):
        if suggestion.persona not in people | badges:
            yield ("try", n, "persona"), f"there is nobody with the id or badge {suggestion.persona!r}"
        if suggestion.room != PRIVATE and suggestion.room not in rooms:
            yield ("try", n, "room"), f"there is no group {suggestion.room!r}"


def _dangling_groups(district: District, grids: set[str], everybody: set[str]) -> Iterator[tuple[KeyPath, str]]:
    for n, group in enumerate(district.groups):
        if group.grid and group.grid not in grids:
            yield ("groups", n, "grid"), f"there is no grid {group.grid!r}"
        if problem := label_problem(f"class:{group.class_label}"):
            yield ("groups", n, "class"), problem
        for member in group.members:
            if member not in everybody:
                yield ("groups", n, "members"), f"there is nobody with the id or badge {member!r}"


def _role_problems(officer: OfficerRow, units: set[str], grids: set[str]) -> Iterator[str]:
    for role in officer.roles:
        try:
            _, kind, code = split_role(role)
        except ValueError as error:
            yield str(error)
            continue
        if kind != "district" and code not in {"unit": units, "grid": grids}[kind]:
            yield f"there is no {kind} {code!r}"


def _twice(table: str, key: str, values: Iterable[str]) -> Iterator[tuple[KeyPath, str]]:
    seen: set[str] = set()
    for n, value in enumerate(values):
        if value in seen:
            yield (table, n, key), f"{value!r} is there twice"
        seen.add(value)
