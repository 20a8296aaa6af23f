"""Mediation of a dispute: an appointment, a record, and the question later on whether what was agreed is kept."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from cases.desk import CaseDesk, Gate
from cases.lifecycle import OPEN_STATES
from content.refusal import Refusal
from storage.tables import Case, Mediation, Officer, OfficerRole, Unit

REMIND_BEFORE = timedelta(hours=2)
RECORD_AFTER = timedelta(hours=3)
FOLLOW_UP_AFTER = timedelta(days=7)
MEDIATORS = "mediation"  # the kind of unit whose officers are the mediators' roster


class Mediations:
    """Appointments, inside the caller's transaction."""

    def __init__(self, session: Session, gate: Gate, desk: CaseDesk, now: datetime) -> None:
        self._session = session
        self._gate = gate
        self._desk = desk
        self._now = now

    def arrange(self, case: Case, at: datetime, place: str, parties: str, mediator_name: str) -> Mediation:
        """Set or move the appointment. Without a name the officer who arranges it mediates."""
        officer = self._allowed("mediation.arrange", case)
        if case.kind != "dispute" or case.state not in OPEN_STATES:
            raise Refusal("mediation.no_dispute", number=case.number)
        if at <= self._now:
            raise Refusal("mediation.past")
        mediator = self._mediator(mediator_name) if mediator_name else officer
        held = self.arranged(case) or Mediation(case_id=case.id or 0, at=at, place=place, mediator_id=mediator.id or 0)
        held.at, held.place, held.parties, held.mediator_id = at, place, parties, mediator.id or 0
        self._session.add(held)
        self._desk.mediate(case, mediator)
        self._session.flush()
        return held

    def arranged(self, case: Case) -> Mediation | None:
        """The appointment that has no record yet."""
        return self._session.exec(select(Mediation).where(Mediation.case_id == case.id, Mediation.state == "arranged")).first()

    def get(self, mediation_id: int) -> tuple[Mediation, Case, Officer] | None:
        """The appointment with its case and mediator."""
        held = self._session.get(Mediation, mediation_id)
        case = self._session.get(Case, held.case_id) if held else None
        mediator = self._session.get(Officer, held.mediator_id) if held else None
        return None if held is None or case is None or mediator is None else (held, case, mediator)

    def record(self, case: Case, text: str, *, agreed: bool, by: Officer) -> Mediation:
        """What came of it; written down by the mediator, wherever his own scope is, or by whoever has the case."""
        held = self.arranged(case)
        if held is None or held.mediator_id != by.id:
            self._allowed("mediation.record", case)
        if held is None:
            raise Refusal("mediation.none_arranged", number=case.number)
        held.state, held.record = ("agreed" if agreed else "failed"), text
        self._session.add(held)
        return held

    def roster(self) -> list[Officer]:
        """The mediators: officers of the mediation units."""
        return list(
            self._session.exec(
                select(Officer)
                .join(Unit, col(Unit.id) == col(Officer.unit_id))
                .where(Unit.kind == MEDIATORS, col(Officer.active))
                .order_by(col(Officer.id))
            ).all()
        )

    def _mediator(self, name: str) -> Officer:
        named = self._session.exec(select(Officer).where(Officer.name == name, col(Officer.active))).all()
        working = [
            one
            for one in named
            if self._session.exec(select(OfficerRole.id).where(OfficerRole.officer_id == one.id).limit(1)).first() is not None
        ]
        if len(working) != 1:
            raise Refusal("mediation.no_mediator", name=name[:20], known="、".join(one.name for one in self.roster()) or "没有")
        return working[0]

    def _allowed(self, action: str, case: Case) -> Officer:
        return self._gate.require(action, grid_id=case.grid_id, unit_ids=self._desk.units(case), target=case.number)
