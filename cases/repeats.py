"""How many reports of one matter came, however few were worked on."""

from __future__ import annotations

from rapidfuzz import fuzz
from sqlmodel import Session, col, select

from storage.repeats import mark_of, times
from storage.tables import Case, CaseEntry

SAME_WORDS = 88  # of 100, rapidfuzz: the same sentence sent again, perhaps with a word more


class Repeats:
    """Counts reports inside the caller's transaction."""

    def __init__(self, session: Session, key: bytes) -> None:
        """`key` makes the fingerprints of `storage.repeats`."""
        self._session = session
        self._key = key

    def reports(self, case: Case) -> int:
        """How many messages reported it: the first, those of whoever joined it, and the same again from each of them."""
        family = self._family(case)
        marks = [mark_of(self._key, one.platform, one.reporter, one.text) for one in family if one.reporter is not None]
        return len(family) + times(self._session, marks) + sum(self._again(one) for one in family)

    def _family(self, case: Case) -> list[Case]:
        found, edge = [case], [case.id]
        while edge:
            followers = self._session.exec(select(Case).where(col(Case.merged_into).in_(edge))).all()
            edge = [one.id for one in followers]
            found += followers
        return found

    def _again(self, case: Case) -> int:
        """What the reporter said again in nearly the same words; it stands in the case as an addition."""
        added = self._session.exec(
            select(CaseEntry).where(
                CaseEntry.case_id == case.id, CaseEntry.kind == "addition", col(CaseEntry.author).in_(("reporter", "resident"))
            )
        ).all()
        return sum(fuzz.ratio(case.text, line.text) >= SAME_WORDS for line in added)
