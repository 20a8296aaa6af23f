"""Who handles what: from category and grid to a unit, and from a case to the officers who should know of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam
from sqlmodel import Session, col, or_, select

from content.taxonomy import Category
from storage.tables import Case, Duty, Grid, Officer, OfficerRole, Unit

_WITH_ROLE = (
    select(Officer)
    .join(OfficerRole, col(OfficerRole.officer_id) == col(Officer.id))
    .where(col(Officer.active), col(OfficerRole.role).in_(bindparam("roles", expanding=True)))
    .distinct()
    .order_by(col(Officer.id))
)
_OF_DISTRICT = _WITH_ROLE.where(OfficerRole.scope_kind == "district")
_IN_SCOPES = _WITH_ROLE.where(
    OfficerRole.scope_kind == bindparam("kind"), col(OfficerRole.scope_id).in_(bindparam("scopes", expanding=True))
)
_OF_KIND = select(Unit).where(Unit.kind == bindparam("kind")).order_by(col(Unit.id))


def grid_chain(session: Session, grid_id: int | None) -> list[Grid]:
    """The grid and the grids around it, innermost first."""
    chain: list[Grid] = []
    while grid_id is not None and len(chain) < 8:
        grid = session.get(Grid, grid_id)
        if grid is None or grid in chain:
            break
        chain.append(grid)
        grid_id = grid.parent_id
    return chain


def grid_codes(session: Session, grid_id: int | None) -> tuple[str, str]:
    """The civic grid's number and the police grid's; of the nearest grid around it that has one."""
    chain = grid_chain(session, grid_id)
    return (chain[0].code if chain else "", next((grid.police_code for grid in chain if grid.police_code), ""))


def unit_for(session: Session, category: Category, grid_id: int | None) -> Unit | None:
    """The first unit of the category's route that exists; the grid's own unit is preferred among several of one kind."""
    own = {grid.unit_id for grid in grid_chain(session, grid_id)}
    for kind in category.route:
        units = session.exec(_OF_KIND, params={"kind": kind}).all()
        if units:
            return next((unit for unit in units if unit.id in own), units[0])
    return None


def find_unit(session: Session, words: str) -> Unit | None:
    """The unit an officer means: exact code or name, else the only one whose name contains the words."""
    words = words.strip()
    exact = session.exec(select(Unit).where(or_(Unit.code == words, Unit.name == words))).first()
    if exact or not words:
        return exact
    similar = [unit for unit in session.exec(select(Unit)).all() if words in unit.name]
    return similar[0] if len(similar) == 1 else None


def on_duty(session: Session, grid_id: int | None, now: datetime) -> list[Officer]:
    """Who is on duty now for the grid, else for the grids around it, else for the district; active officers only."""
    running = select(Duty).where(Duty.starts_at <= now, or_(col(Duty.ends_at).is_(None), col(Duty.ends_at) > now))
    duties = session.exec(running).all()
    for wanted in [*(grid.id for grid in grid_chain(session, grid_id)), None]:
        found = [session.get(Officer, duty.officer_id) for duty in duties if duty.grid_id == wanted]
        active = [officer for officer in found if officer is not None and officer.active]
        if active:
            return active
    return []


def officers_with(session: Session, roles: tuple[str, ...], scope_kind: str, scope_ids: tuple[int | None, ...]) -> list[Officer]:
    """Active officers who hold one of the roles in one of the scopes."""
    if scope_kind == "district":
        return list(session.exec(_OF_DISTRICT, params={"roles": roles}).all())
    return list(session.exec(_IN_SCOPES, params={"roles": roles, "kind": scope_kind, "scopes": scope_ids}).all())


def dispatchers(session: Session, grid_id: int | None) -> list[Officer]:
    """Who decides about a case that nobody has yet: dispatchers of the grid, else of the district, else supervisors."""
    around = tuple(grid.id for grid in grid_chain(session, grid_id))
    return (
        officers_with(session, ("dispatcher",), "grid", around)
        or officers_with(session, ("dispatcher",), "district", ())
        or officers_with(session, ("supervisor",), "district", ())
    )


def supervisors(session: Session, grid_id: int | None, unit_ids: tuple[int, ...]) -> list[Officer]:
    """Who answers for a case that is late: supervisors of its units or of the grid and those around it, else the district's."""
    around = tuple(grid.id for grid in grid_chain(session, grid_id))
    near = [
        *officers_with(session, ("supervisor",), "unit", unit_ids),
        *officers_with(session, ("supervisor",), "grid", around),
    ]
    return list({officer.id: officer for officer in near}.values()) or commanders(session)


def commanders(session: Session) -> list[Officer]:
    """The last to be told that something is late: the district's supervisors."""
    return officers_with(session, ("supervisor",), "district", ())


def on_duty_or_dispatchers(session: Session, grid_id: int | None, now: datetime) -> list[Officer]:
    """Who looks at what is no case: whoever is on duty for the grid, else the dispatchers."""
    return on_duty(session, grid_id, now) or dispatchers(session, grid_id)


def handlers_of(session: Session, case: Case) -> list[Officer]:
    """Who is told that a case waits to be taken: the lead unit's officers, else the grid's, else the dispatchers."""
    if case.unit_id is not None:
        unit = officers_with(session, ("officer", "grid_worker"), "unit", (case.unit_id,))
        if unit:
            return unit
    around = tuple(grid.id for grid in grid_chain(session, case.grid_id))
    return officers_with(session, ("officer", "grid_worker"), "grid", around) or dispatchers(session, case.grid_id)
