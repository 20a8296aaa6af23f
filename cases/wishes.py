"""Wishes that neighbours can fulfil: a card without name and door number, one helper at a time, for a limited time.

The three classes are those of Beihai's 解忧超市 (docs/coverage.md row 13): what the government does, what one pays for, what
neighbours give.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session, col, func, select

from cases.desk import CaseDesk, Gate
from cases.lifecycle import OPEN_STATES
from content.refusal import Refusal
from storage.tables import Case, WishCard, WishClaim

CLAIM_LASTS = timedelta(hours=72)  # for so long a helper has the wish; then somebody else may
MOST_CLAIMS = 2  # open claims of one helper
LIVE = ("asked", "approved")

# a door number, a telephone number, an identity number: whoever reads a card in the group must not find the door by it
_N = "[0-9０-９一二三四五六七八九十]+"
_PRIVATE = re.compile(rf"{_N}\s*(?:[号栋幢]楼?|单元|室|弄)|1\d{{10}}|\d{{17}}[\dXx]|\d{{3,4}}-?\d{{7,8}}")


class WishClass(StrEnum):
    """Who fulfils it."""

    GOVERNMENT = "government"
    MARKET = "market"
    CHARITY = "charity"


CLASS_WORDS: Mapping[str, WishClass] = {
    "政务": WishClass.GOVERNMENT,
    "市场": WishClass.MARKET,
    "公益": WishClass.CHARITY,
}


class Wishes:
    """Cards and claims, inside the caller's transaction."""

    def __init__(self, session: Session, gate: Gate, desk: CaseDesk, now: datetime) -> None:
        self._session = session
        self._gate = gate
        self._desk = desk
        self._now = now

    def publish(self, case: Case, wish_class: WishClass, text: str) -> WishCard:
        """Put the wish of a case on a card that neighbours may read. Raises Refusal for words that lead to somebody's door."""
        self._allowed("wish.publish", case)
        self._open_wish(case)
        if _PRIVATE.search(text):
            raise Refusal("wishes.private_words")
        card = self.card(case) or WishCard(case_id=case.id or 0, wish_class=wish_class, text=text, published_at=self._now)
        card.wish_class, card.text, card.group_id, card.published_at = wish_class, text, case.group_id, self._now
        self._session.add(card)
        return card

    def card(self, case: Case) -> WishCard | None:
        return self._session.exec(select(WishCard).where(WishCard.case_id == case.id)).first()

    def claim(self, case: Case, platform: str, account: str, user_id: str, name: str) -> WishClaim:
        """A neighbour wants to help; an officer has to agree before he learns where."""
        self._open_wish(case)
        if self.card(case) is None:
            raise Refusal("wishes.no_card", number=case.number)
        if (case.platform, case.reporter) == (platform, user_id):
            raise Refusal("wishes.own")
        if (claimed := self.live_claim(case)) is not None:
            mine = (claimed.platform, claimed.user_id) == (platform, user_id)
            raise Refusal("wishes.yours_already" if mine else "wishes.taken", number=case.number)
        open_claims = self._session.exec(
            select(func.count())
            .select_from(WishClaim)
            .where(WishClaim.platform == platform, WishClaim.user_id == user_id, col(WishClaim.state).in_(LIVE))
        ).one()
        if open_claims >= MOST_CLAIMS:
            raise Refusal("wishes.enough", most=MOST_CLAIMS)
        claim = WishClaim(
            case_id=case.id or 0, platform=platform, account=account, user_id=user_id, name=name, asked_at=self._now
        )
        self._session.add(claim)
        self._session.flush()
        return claim

    def live_claim(self, case: Case) -> WishClaim | None:
        """The claim that holds the wish now."""
        return self._session.exec(select(WishClaim).where(WishClaim.case_id == case.id, col(WishClaim.state).in_(LIVE))).first()

    def decide(self, case: Case, *, agree: bool) -> WishClaim:
        """An officer lets the neighbour help, or does not."""
        self._allowed("wish.decide", case)
        claim = self.live_claim(case)
        if claim is None or claim.state != "asked":
            raise Refusal("wishes.nobody_asked", number=case.number)
        claim.state = "approved" if agree else "declined"
        claim.due_at = self._now + CLAIM_LASTS if agree else None
        self._session.add(claim)
        return claim

    def give_up(self, case: Case, platform: str, user_id: str) -> WishClaim:
        """The helper steps back."""
        claim = self._own_claim(case, platform, user_id)
        claim.state = "released"
        self._session.add(claim)
        return claim

    def helped(self, case: Case, platform: str, user_id: str, text: str) -> WishClaim:
        """The helper says that it is done; the resident decides whether it is."""
        claim = self._own_claim(case, platform, user_id)
        if claim.state != "approved":
            raise Refusal("wishes.not_agreed_yet", number=case.number)
        claim.state = "done"
        self._session.add(claim)
        self._desk.helped(case, text)
        return claim

    def expire(self, claim_id: int) -> tuple[Case, WishClaim] | None:
        """The helper's time is over and nothing was said; None when the claim has ended otherwise."""
        claim = self._session.get(WishClaim, claim_id)
        case = self._session.get(Case, claim.case_id) if claim else None
        if claim is None or case is None or claim.state != "approved":
            return None
        claim.state = "expired"
        self._session.add(claim)
        return case, claim

    def _own_claim(self, case: Case, platform: str, user_id: str) -> WishClaim:
        claim = self.live_claim(case)
        if claim is None or (claim.platform, claim.user_id) != (platform, user_id):
            raise Refusal("wishes.not_yours", number=case.number)
        return claim

    def _open_wish(self, case: Case) -> None:
        if case.kind != "wish" or case.state not in OPEN_STATES:
            raise Refusal("wishes.no_wish", number=case.number)

    def _allowed(self, action: str, case: Case) -> None:
        self._gate.require(action, grid_id=case.grid_id, unit_ids=self._desk.units(case), target=case.number)


def helper_of(session: Session, case: Case) -> WishClaim | None:
    """The neighbour who has fulfilled the wish of a case."""
    return session.exec(
        select(WishClaim).where(WishClaim.case_id == case.id, WishClaim.state == "done").order_by(col(WishClaim.id).desc())
    ).first()
