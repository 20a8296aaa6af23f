"""Blocking: somebody's messages are not worked on for some days; emergencies always are (decision 0192).

Whom a block concerns lies there as a keyed fingerprint of the platform account: no list of names, nothing to join.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from content.refusal import Refusal
from storage.sealing import mix
from storage.tables import Block, Case, Officer, OfficerAccount

MOST_DAYS = 90
SHORTEST_REASON = 4  # characters
TOLD_EVERY = timedelta(hours=24)


class Blocks:
    """Blocks inside the caller's transaction."""

    def __init__(self, session: Session, key: bytes, now: datetime) -> None:
        """`key` makes the fingerprints."""
        self._session = session
        self._key = key
        self._now = now

    def active(self, platform: str, user_id: str) -> Block | None:
        """The block of this account that counts now."""
        return self._of(self._person(platform, user_id))

    def block(self, case: Case, officer: Officer, reason: str, days: int) -> Block:
        """Block whoever brought this case. Refusal without a person, without a reason, for an officer, or for too long."""
        if case.reporter is None:
            raise Refusal("blocks.nobody", number=case.number)
        if len(reason) < SHORTEST_REASON or not 1 <= days <= MOST_DAYS:
            raise Refusal("blocks.usage", most=MOST_DAYS, number=case.number)
        bound = select(OfficerAccount.id).where(OfficerAccount.platform == case.platform, OfficerAccount.user_id == case.reporter)
        if self._session.exec(bound).first() is not None:
            raise Refusal("blocks.officer")
        person = self._person(case.platform, case.reporter)
        known = self._of(person)
        if known is not None:
            self._lift(known, officer)  # the new one takes its place
        row = Block(
            person=person,
            case_id=case.id,
            grid_id=case.grid_id,
            officer_id=officer.id or 0,
            reason=reason,
            at=self._now,
            until=self._now + timedelta(days=days),
        )
        self._session.add(row)
        self._session.flush()
        return row

    def of(self, case: Case) -> Block | None:
        """The block that counts now of whoever brought this case, or that was made because of it."""
        if case.reporter is not None and (found := self.active(case.platform, case.reporter)) is not None:
            return found
        return next((row for row in self.running() if row.case_id == case.id), None)

    def lift(self, row: Block, officer: Officer) -> None:
        """Take it back before its end."""
        self._lift(row, officer)

    def running(self) -> Sequence[Block]:
        """Every block that counts now, the oldest first."""
        return self._session.exec(
            select(Block).where(Block.until > self._now, col(Block.lifted_at).is_(None)).order_by(col(Block.id))
        ).all()

    def tell(self, row: Block) -> bool:
        """Whether the person is told of it now: once a day at most."""
        if row.told_at is not None and row.told_at + TOLD_EVERY > self._now:
            return False
        row.told_at = self._now
        self._session.add(row)
        return True

    def _of(self, person: str) -> Block | None:
        wanted = select(Block).where(Block.person == person, Block.until > self._now, col(Block.lifted_at).is_(None))
        return self._session.exec(wanted.order_by(col(Block.id).desc())).first()

    def _lift(self, row: Block, officer: Officer) -> None:
        row.lifted_at, row.lifted_by = self._now, officer.id
        self._session.add(row)
        self._session.flush()

    def _person(self, platform: str, user_id: str) -> str:
        return mix(self._key, f"block\0{platform}\0{user_id}".encode()).hex()
