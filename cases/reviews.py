"""抽查回访: some confirmed cases are asked about once more, by another unit than the one that handled them."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from cases.dispatch import grid_chain, officers_with
from storage.tables import Case, CaseReview, Officer

ROLES = ("officer", "grid_worker", "dispatcher")


class Reviews:
    """Second call-backs inside one transaction."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._session = session
        self._now = now

    def ask(self, case: Case) -> list[Officer]:
        """Write it down and return who does it: officers of another unit that knows the place; [] when there is none."""
        around = tuple(grid.id for grid in grid_chain(self._session, case.grid_id))
        near = officers_with(self._session, ROLES, "grid", around) + officers_with(self._session, ROLES, "district", ())
        others = [officer for officer in near if not self.own(case, officer)]
        if not others:
            return []
        unit_id = others[0].unit_id
        self._session.add(CaseReview(case_id=case.id or 0, unit_id=unit_id, asked_at=self._now))
        self._session.flush()
        return list({officer.id: officer for officer in others if officer.unit_id == unit_id}.values())

    def open(self, case: Case) -> CaseReview | None:
        """The second call-back that waits for its answer."""
        return self._session.exec(
            select(CaseReview).where(CaseReview.case_id == case.id, col(CaseReview.answered_at).is_(None))
        ).first()

    def own(self, case: Case, officer: Officer) -> bool:
        """Whether that officer handled it, or his unit did."""
        resolver = self._session.get(Officer, case.resolved_by) if case.resolved_by else None
        concerned = {case.unit_id, resolver.unit_id if resolver else None} - {None}
        return officer.id in (case.officer_id, case.resolved_by) or officer.unit_id in concerned

    def answer(self, review: CaseReview, officer: Officer, agreed: bool, note: str) -> None:
        """What was heard."""
        review.officer_id, review.answered_at, review.agreed, review.note = officer.id, self._now, agreed, note
        self._session.add(review)
