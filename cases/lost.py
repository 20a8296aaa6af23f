"""Lost and found: what fits together, and the detail by which an owner is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from rapidfuzz import fuzz
from sqlmodel import Session, col, select

from cases.desk import CaseDesk, Gate
from cases.lifecycle import OPEN_STATES
from content.refusal import Refusal
from content.things import Things
from storage.tables import Case, LostItem

MATCH_WITHIN = timedelta(days=30)
ENOUGH = 0.5  # below it two reports are not shown to an officer as perhaps the same thing
MOST_SHOWN = 3
# how much each agreement counts; the kind of thing alone is enough, alike words alone are not
_THING, _WORDS, _GRID = 0.5, 0.3, 0.2


@dataclass(frozen=True, slots=True)
class Match:
    """An open report of the other side that may be about the same thing. `score` 0 to 1, `why` in words for the officer."""

    case: Case
    item: LostItem
    score: float
    why: str


class LostAndFound:
    """Lost and found things, inside the caller's transaction."""

    def __init__(self, session: Session, gate: Gate, desk: CaseDesk, things: Things, now: datetime) -> None:
        self._session = session
        self._gate = gate
        self._desk = desk
        self._things = things
        self._now = now

    def note(self, case: Case) -> LostItem:
        """Remember what a new case is about."""
        side = "found" if case.category == "found" else "lost"
        item = LostItem(case_id=case.id or 0, side=side, things=" ".join(sorted(self._things.kinds(case.text))))
        self._session.add(item)
        self._session.flush()
        return item

    def item(self, case: Case) -> LostItem | None:
        return self._session.exec(select(LostItem).where(LostItem.case_id == case.id)).first()

    def tell(self, item: LostItem, detail: str) -> None:
        """The detail that only the owner can know."""
        item.detail = detail
        self._session.add(item)

    def matches(self, case: Case, item: LostItem) -> list[Match]:
        """Open reports of the other side of the last 30 days that may be the same thing, likeliest first."""
        rows = self._session.exec(
            select(Case, LostItem)
            .join(LostItem, col(LostItem.case_id) == col(Case.id))
            .where(
                LostItem.side != item.side,
                col(LostItem.matched_case_id).is_(None),
                col(Case.state).in_(OPEN_STATES),
                Case.created_at > self._now - MATCH_WITHIN,
            )
        ).all()
        found = [_match(case, item, other, theirs) for other, theirs in rows]
        return sorted((one for one in found if one.score >= ENOUGH), key=lambda one: -one.score)[:MOST_SHOWN]

    def give_back(self, lost: Case, found: Case) -> None:
        """An officer has compared the details: it is the same thing, and its owner gets it."""
        self._gate.require("lost.give_back", grid_id=found.grid_id, unit_ids=self._desk.units(found), target=found.number)
        mine, theirs = self.item(lost), self.item(found)
        if mine is None or theirs is None or {mine.side, theirs.side} != {"lost", "found"}:
            raise Refusal("lost.not_a_pair")
        mine.matched_case_id, theirs.matched_case_id = found.id, lost.id
        self._session.add(mine)
        self._session.add(theirs)


def _match(case: Case, item: LostItem, other: Case, theirs: LostItem) -> Match:
    same = sorted(set(item.things.split()) & set(theirs.things.split()))
    words = fuzz.token_set_ratio(" ".join(case.text), " ".join(other.text)) / 100
    grid = case.grid_id is not None and case.grid_id == other.grid_id
    score = (_THING if same else 0.0) + _WORDS * words + (_GRID if grid else 0.0)
    if item.things and theirs.things and not same:
        score = 0.0  # a purse is no umbrella, however alike the sentences are
    why = "、".join(filter(None, ("都是" + "、".join(same) if same else "", "同一网格" if grid else "")))
    return Match(other, theirs, round(min(score, 1.0), 2), why)
