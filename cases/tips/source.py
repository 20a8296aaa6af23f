"""Who the source is: sealed apart from the words, and shown only when another custodian allows it."""

from __future__ import annotations

from sqlmodel import select

from cases.tips.access import IDENTITY, WORDS, id_of
from cases.tips.dialogue import Dialogue
from cases.tips.records import Prepared
from content.refusal import Refusal
from storage.tables import Officer, Tip, TipMessage, TipRequest


class Source(Dialogue):
    """The asking for an identity, and the deciding."""

    def ask_identity(self, tip: Tip, officer: Officer, reason: str) -> list[Officer]:
        """Ask to see who the source is; returns the custodians who may decide. Refusal when the source has not said it."""
        if self._identity(tip) is None:
            raise Refusal("tips.no_identity")
        deciders = [other for other in self._custodians() if other.id != officer.id and self._access(tip, other, IDENTITY)]
        if not deciders:
            raise Refusal("tips.no_decider")
        key = self._key_of(tip, officer, WORDS)
        known = self._request(tip, officer)
        request = known or TipRequest(tip_id=id_of(tip), officer_id=id_of(officer), reason=b"", at=self._now)
        request.reason, request.state, request.decided_by = self._seal(tip, key, reason), "asked", None
        request.at = self._now
        self._session.add(request)
        return deciders

    def requests(self, tip: Tip, officer: Officer) -> list[tuple[Officer, str]]:
        """Who waits for a decision, and why."""
        rows = self._session.exec(select(TipRequest).where(TipRequest.tip_id == tip.id, TipRequest.state == "asked")).all()
        if not rows:
            return []
        key = self._key_of(tip, officer, WORDS)
        found = [(self._session.get(Officer, row.officer_id), self._open(tip, key, row.reason)) for row in rows]
        return [(who, reason) for who, reason in found if who is not None]

    def prepare_identity(self, tip: Tip, custodian: Officer, asker: Officer) -> Prepared | None:
        """What would let the asker see who the source is; None when they have it already. Nobody decides for themselves."""
        self._open_request(tip, custodian, asker)
        return None if self._row(tip, asker, IDENTITY) is not None else self.prepare(tip, custodian, asker, IDENTITY)

    def decide_identity(
        self, tip: Tip, custodian: Officer, asker: Officer, *, allow: bool, prepared: Prepared | None = None
    ) -> None:
        """A custodian lets another officer see who the source is, or does not. Nobody decides for themselves."""
        request = self._open_request(tip, custodian, asker)
        request.state, request.decided_by = "allowed" if allow else "refused", custodian.id
        self._session.add(request)
        if allow and self._row(tip, asker, IDENTITY) is None:
            self.hand_over(tip, asker, prepared or self.prepare(tip, custodian, asker, IDENTITY), IDENTITY)

    def _open_request(self, tip: Tip, custodian: Officer, asker: Officer) -> TipRequest:
        request = self._request(tip, asker)
        if request is None or request.state != "asked":
            raise Refusal("tips.no_request", badge=asker.badge)
        if custodian.id == asker.id:
            raise Refusal("tips.own_request")
        return request

    def identity(self, tip: Tip, officer: Officer) -> str:
        """Who the source says to be, for an officer who was allowed; that it was read is written down."""
        message, request = self._identity(tip), self._request(tip, officer)
        if message is None:
            raise Refusal("tips.no_identity")
        if request is None or request.state != "allowed":
            raise Refusal("tips.ask_first")
        self._note_read(tip, message.id or 0, officer)
        return self._open(tip, self._key_of(tip, officer, IDENTITY), message.sealed)

    def _identity(self, tip: Tip) -> TipMessage | None:
        return self._session.exec(select(TipMessage).where(TipMessage.tip_id == tip.id, TipMessage.author == IDENTITY)).first()

    def _request(self, tip: Tip, officer: Officer) -> TipRequest | None:
        return self._session.exec(
            select(TipRequest).where(TipRequest.tip_id == tip.id, TipRequest.officer_id == officer.id)
        ).first()
