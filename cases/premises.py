"""Premises and their colour: computed from open hazards and the age of the last inspection, never from people.

Five colours as in Changshu's 安居超市 (docs/coverage.md row 19). A colour decays by itself until somebody has looked again,
and it explains itself. Nothing about anybody who lives or works there goes into it, and there is no column for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session, col, select

from cases.desk import CaseDesk, Gate, NewCase, Origin
from cases.lifecycle import OPEN_STATES
from content.refusal import Refusal
from storage.tables import Case, Inspection, Officer, Premises, Visit

FRESH = timedelta(days=30)
STALE = timedelta(days=90)
LONG_AGO = timedelta(days=180)
MANY = 3  # open hazards
URGENT = frozenset({"T0", "T1"})


class Colour(StrEnum):
    """From best to worst."""

    GREEN = "green"
    BLUE = "blue"
    YELLOW = "yellow"
    ORANGE = "orange"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Shade:
    """A colour and the phrase key of the reason for it."""

    colour: Colour
    why: str
    count: int = 0


def shade_of(tiers: Sequence[str], last: datetime | None, now: datetime) -> Shade:
    """The colour of premises with open hazards of these tiers, last inspected at `last` (None: never)."""
    age = None if last is None else now - last
    if any(tier in URGENT for tier in tiers):
        return Shade(Colour.RED, "urgent", len(tiers))
    if len(tiers) >= MANY:
        return Shade(Colour.RED, "many", len(tiers))
    if "T2" in tiers:
        return Shade(Colour.ORANGE, "hazards", len(tiers))
    if age is None or age > LONG_AGO:
        return Shade(Colour.ORANGE, "never" if age is None else "long_ago")
    if tiers:
        return Shade(Colour.YELLOW, "hazards", len(tiers))
    if age > STALE:
        return Shade(Colour.YELLOW, "stale", age.days)
    return Shade(Colour.GREEN if age <= FRESH else Colour.BLUE, "fine", age.days)


@dataclass(frozen=True, slots=True)
class Seen:
    """Premises with their colour today."""

    premises: Premises
    shade: Shade


class Places:
    """Premises, inspections and visits, inside the caller's transaction."""

    def __init__(self, session: Session, gate: Gate, desk: CaseDesk, now: datetime) -> None:
        self._session = session
        self._gate = gate
        self._desk = desk
        self._now = now

    def add(self, name: str, address: str, use: str, grid_id: int | None) -> Premises:
        """Put premises on the list of a grid."""
        self._gate.require("premises.add", grid_id=grid_id, target=name[:20])
        premises = Premises(name=name, address=address, use=use, grid_id=grid_id)
        self._session.add(premises)
        self._session.flush()
        return premises

    def find(self, number: int) -> Premises:
        """The premises of that number; Refusal when there are none."""
        premises = self._session.get(Premises, number)
        if premises is None or not premises.active:
            raise Refusal("premises.no_such", number=number)
        return premises

    def inspect(
        self, premises: Premises, problem: str, category: str, tier: str, origin: Origin
    ) -> tuple[Inspection, Case | None]:
        """Somebody has looked: passed when there is no problem, else a hazard case that hangs on the premises."""
        officer = self._gate.require("premises.inspect", grid_id=premises.grid_id, target=str(premises.id))
        case = self._case(problem, premises.address, category, tier, origin) if problem else None
        done = Inspection(
            premises_id=premises.id or 0,
            officer_id=officer.id or 0,
            at=self._now,
            passed=case is None,
            text=problem,
            case_id=case.id if case else None,
        )
        self._session.add(done)
        self._session.flush()
        return done, case

    def shade(self, premises: Premises) -> Shade:
        """Its colour now."""
        rows = self._session.exec(
            select(Inspection.at, Inspection.case_id).where(Inspection.premises_id == premises.id).order_by(col(Inspection.at))
        ).all()
        cases = [case_id for _, case_id in rows if case_id is not None]
        tiers = self._session.exec(select(Case.tier).where(col(Case.id).in_(cases), col(Case.state).in_(OPEN_STATES))).all()
        return shade_of(tiers, rows[-1][0] if rows else None, self._now)

    def worst(self, grid_ids: Sequence[int], most: int) -> list[Seen]:
        """The premises of these grids, the worst first."""
        found = self._session.exec(
            select(Premises).where(col(Premises.active), col(Premises.grid_id).in_(grid_ids)).order_by(col(Premises.id))
        ).all()
        order = list(Colour)
        seen = [Seen(one, self.shade(one)) for one in found]
        return sorted(seen, key=lambda one: -order.index(one.shade.colour))[:most]

    def visit(self, place: str, text: str, problem: str, category: str, tier: str, origin: Origin) -> tuple[Visit, Case | None]:
        """Log a visit; a problem found becomes a case whose reporter is the officer, so that he looks again before it closes."""
        officer: Officer = self._gate.require("visit.log", grid_id=origin.grid_id, target=place[:20])
        case = self._case(problem, place, category, tier, origin) if problem else None
        visit = Visit(
            officer_id=officer.id or 0,
            grid_id=origin.grid_id,
            place=place,
            text=text,
            at=self._now,
            case_id=case.id if case else None,
        )
        self._session.add(visit)
        self._session.flush()
        return visit, case

    def visits_of(self, officer: Officer, since: datetime) -> list[Visit]:
        """What this officer has logged since then, the newest first."""
        return list(
            self._session.exec(
                select(Visit).where(Visit.officer_id == officer.id, Visit.at >= since).order_by(col(Visit.at).desc())
            ).all()
        )

    def _case(self, problem: str, place: str, category: str, tier: str, origin: Origin) -> Case:
        return self._desk.open(NewCase("hazard", category, tier, problem, place, origin))
