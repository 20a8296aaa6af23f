"""The routing table: which units handle a category in a grid. Rows of the district win over the taxonomy's kinds of unit."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, bindparam
from sqlmodel import Session, col, func, select

from cases.dispatch import grid_chain, unit_for
from cases.lifecycle import ABOUT, StateType
from content.taxonomy import Category
from storage.tables import Case, Route, Unit

EVERYTHING = "*"
_ROUTES = (
    select(Route).where(col(Route.category).in_(bindparam("patterns", expanding=True))).order_by(col(Route.rank), col(Route.id))
)
AT_WORK = tuple(state for state, about in ABOUT.items() if about.type in (StateType.OPEN, StateType.PAUSED))


def patterns(category: str) -> list[str]:
    """What may stand in the table for a category, the nearest first: "ebike.charging", "ebike.*", "*"."""
    parts = category.split(".")
    return [category, *(".".join(parts[:length]) + ".*" for length in range(len(parts) - 1, 0, -1)), EVERYTHING]


def choose_units(session: Session, category: Category, grid_id: int | None) -> list[Unit]:
    """The lead unit and the assisting ones; [] when nobody is known for it.

    A row for the innermost grid counts before one for a grid around it, and that before one for everywhere; within a grid the row
    that names the category itself counts before "ebike.*" and "*". Without a row the taxonomy's kinds of unit decide.
    """
    wanted = patterns(category.code)
    rows = session.exec(_ROUTES, params={"patterns": wanted}).all()
    for place in [*(grid.id for grid in grid_chain(session, grid_id)), None]:
        for pattern in wanted:
            found = [session.get(Unit, row.unit_id) for row in rows if row.grid_id == place and row.category == pattern]
            if units := [unit for unit in found if unit is not None]:
                return units
    unit = unit_for(session, category, grid_id)
    return [unit] if unit is not None else []


def experts_on(session: Session, subject: str, grid_id: int | None) -> list[Unit]:
    """The units that know about a subject of questions ("labour"), as the table says for the grid, those around it or everywhere;
    [] where it says nothing: then the grid's own officers answer."""
    rows = session.exec(_ROUTES, params={"patterns": [question_about(subject)]}).all()
    for place in [*(grid.id for grid in grid_chain(session, grid_id)), None]:
        found = [session.get(Unit, row.unit_id) for row in rows if row.grid_id == place]
        if units := [unit for unit in found if unit is not None]:
            return units
    return []


def question_about(subject: str) -> str:
    """What stands in the table for questions about a subject."""
    return f"question.{subject}"


def set_route(session: Session, category: str, grid_id: int | None, units: Iterable[Unit]) -> None:
    """These units, the lead first, handle the category there from now on; none: the row goes."""
    for old in session.exec(select(Route).where(Route.category == category, _in_grid(grid_id))).all():
        session.delete(old)
    session.flush()
    for rank, unit in enumerate(units):
        session.add(Route(category=category, grid_id=grid_id, unit_id=unit.id or 0, rank=rank))
    session.flush()


def all_units(session: Session) -> list[Unit]:
    """Every unit, in the order in which they were added."""
    return list(session.exec(select(Unit).order_by(col(Unit.id))).all())


def load(session: Session, units: Iterable[Unit]) -> dict[str, int]:
    """How many cases each unit has at work now, by name, in the given order."""
    at_work = select(Case.unit_id, func.count()).where(col(Case.state).in_(AT_WORK)).group_by(col(Case.unit_id))
    counts = dict(session.exec(at_work).all())
    return {unit.name: counts.get(unit.id, 0) for unit in units}


def _in_grid(grid_id: int | None) -> ColumnElement[bool]:
    return col(Route.grid_id).is_(None) if grid_id is None else col(Route.grid_id) == grid_id
