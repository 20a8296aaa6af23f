"""Residents propose, discuss, decide, act and rate (民提、民议、民决、民办、民评; docs/coverage.md row 10)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from cases.desk import Gate
from content.refusal import Refusal
from storage.tables import Group, Proposal, ProposalVoice

VOTES = ("赞成", "反对", "弃权")
RATINGS = ("满意", "基本满意", "不满意")
OPEN_DAYS = 7
MOST_COMMENTS = 200  # of one proposal; what comes on top is answered and not kept
_NEXT = {
    "discussing": ("proposed",),
    "voting": ("proposed", "discussing"),
    "decided": ("discussing", "voting"),
    "done": ("decided",),
    "declined": ("proposed", "discussing"),
}


class Proposals:
    """Proposals of a group, inside the caller's transaction."""

    def __init__(self, session: Session, gate: Gate, now: datetime) -> None:
        self._session = session
        self._gate = gate
        self._now = now

    def propose(self, group: Group, text: str, platform: str, account: str, user_id: str) -> Proposal:
        """A resident has an idea for everybody."""
        proposal = Proposal(
            group_id=group.id or 0, text=text, platform=platform, account=account, user_id=user_id, created_at=self._now
        )
        self._session.add(proposal)
        self._session.flush()
        return proposal

    def find(self, number: int, group: Group | None) -> Proposal:
        """The proposal of that number; in a group only its own."""
        proposal = self._session.get(Proposal, number)
        if proposal is None or (group is not None and proposal.group_id != group.id):
            raise Refusal("proposals.no_such", number=number)
        return proposal

    def group(self, proposal: Proposal) -> Group:
        group = self._session.get(Group, proposal.group_id)
        if group is None:
            raise Refusal("proposals.no_such", number=proposal.id)
        return group

    def of_group(self, group: Group) -> list[Proposal]:
        """What has been proposed here, the newest first."""
        wanted = select(Proposal).where(Proposal.group_id == group.id, Proposal.state != "declined")
        return list(self._session.exec(wanted.order_by(col(Proposal.id).desc()).limit(10)).all())

    def move(self, proposal: Proposal, state: str, outcome: str = "") -> None:
        """An officer leads it on: to discussion, to the vote, to the decision, to its end."""
        self._gate.require("proposal.lead", grid_id=self.group(proposal).grid_id, target=str(proposal.id))
        if proposal.state not in _NEXT[state]:
            raise Refusal("proposals.not_now", number=proposal.id)
        proposal.state = state
        proposal.outcome = outcome or proposal.outcome
        proposal.closes_at = self._now + timedelta(days=OPEN_DAYS) if state in ("discussing", "voting") else None
        self._session.add(proposal)

    def comment(self, proposal: Proposal, platform: str, user_id: str, text: str) -> bool:
        """What somebody thinks of it, while it is discussed; false when there are too many already."""
        if proposal.state != "discussing":
            raise Refusal("proposals.not_discussed", number=proposal.id)
        if len(self._voices(proposal, "comment")) >= MOST_COMMENTS:
            return False
        self._say(proposal, "comment", platform, user_id, text)
        return True

    def vote(self, proposal: Proposal, platform: str, user_id: str, word: str) -> bool:
        """One account, one vote; it may be changed while the vote is open. False when it is the same as before."""
        if proposal.state == "done" and word in RATINGS:
            return self._once(proposal, "rating", platform, user_id, word)
        if proposal.state != "voting" or word not in VOTES or (proposal.closes_at or self._now) < self._now:
            raise Refusal("proposals.not_voting", number=proposal.id)
        return self._once(proposal, "vote", platform, user_id, word)

    def count(self, proposal: Proposal, kind: str) -> Mapping[str, int]:
        """How many said what."""
        return Counter(voice.text for voice in self._voices(proposal, kind))

    def comments(self, proposal: Proposal) -> list[str]:
        return [voice.text for voice in self._voices(proposal, "comment")]

    def _once(self, proposal: Proposal, kind: str, platform: str, user_id: str, word: str) -> bool:
        known = next(
            (voice for voice in self._voices(proposal, kind) if (voice.platform, voice.user_id) == (platform, user_id)), None
        )
        if known is None:
            self._say(proposal, kind, platform, user_id, word)
            return True
        changed, known.text = known.text != word, word
        self._session.add(known)
        return changed

    def _say(self, proposal: Proposal, kind: str, platform: str, user_id: str, text: str) -> None:
        self._session.add(
            ProposalVoice(proposal_id=proposal.id or 0, kind=kind, platform=platform, user_id=user_id, text=text, at=self._now)
        )
        self._session.flush()

    def _voices(self, proposal: Proposal, kind: str) -> list[ProposalVoice]:
        return list(
            self._session.exec(
                select(ProposalVoice)
                .where(ProposalVoice.proposal_id == proposal.id, ProposalVoice.kind == kind)
                .order_by(col(ProposalVoice.id))
            ).all()
        )
