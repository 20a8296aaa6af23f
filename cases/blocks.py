"""Blocking: somebody's messages are not worked on for some days; emergencies always are (decision 0192).

Whom a block concerns lies there as a keyed fingerprint of the platform account: no list of names, nothing to join. Somebody
who has linked several accounts has a row for each (decision 0238): those of one decision have the same case, officer and moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from cases.identities import Account, Identities
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
        accounts = Identities(self._session, self._now).accounts(case.platform, case.reporter)
        if any(self._is_officers(account) for account in accounts):
            raise Refusal("blocks.not_possible", number=case.number)  # not why: who brought it stays unsaid
        until = self._now + timedelta(days=days)
        for row in self._rows(self._persons(accounts)):
            self._lift(row, officer)  # the new one takes its place
        rows = [
            Block(
                person=person,
                case_id=case.id,
                grid_id=case.grid_id,
                officer_id=officer.id or 0,
                reason=reason,
                at=self._now,
                until=until,
            )
            for person in self._persons(accounts)
        ]
        self._session.add_all(rows)
        self._session.flush()
        return rows[0]

    def share(self, platform: str, user_id: str) -> None:
        """This account was linked with others: what counts for one of them counts for all, and goes on after they are parted."""
        persons = self._persons(Identities(self._session, self._now).accounts(platform, user_id))
        rows = self._rows(persons)
        decisions = {_decision(row): row for row in rows}
        known = {(row.person, _decision(row)) for row in rows}
        for decision, row in decisions.items():
            for person in persons:
                if (person, decision) not in known:
                    copy = row.model_dump(exclude={"id", "told_at"})
                    self._session.add(Block(**copy | {"person": person}))
        self._session.flush()

    def of(self, case: Case) -> Block | None:
        """The block that counts now of whoever brought this case, or that was made because of it."""
        if case.reporter is not None and (found := self.active(case.platform, case.reporter)) is not None:
            return found
        return next((row for row in self.running() if row.case_id == case.id), None)

    def lift(self, row: Block, officer: Officer) -> None:
        """Take it back before its end, with everything else that counts for this person."""
        persons = {one.person for one in self._counting() if _decision(one) == _decision(row)}
        decisions = {_decision(one) for one in self._rows(persons)}
        for one in self._counting():
            if _decision(one) in decisions:
                self._lift(one, officer)

    def running(self) -> Sequence[Block]:
        """Every decision that counts now, the oldest first: one row of each."""
        return list({_decision(row): row for row in reversed(self._counting())}.values())[::-1]

    def tell(self, row: Block) -> bool:
        """Whether the person is told of it now: once a day at most."""
        if row.told_at is not None and row.told_at + TOLD_EVERY > self._now:
            return False
        row.told_at = self._now
        self._session.add(row)
        return True

    def _of(self, person: str) -> Block | None:
        return max(self._rows({person}), key=lambda row: row.until, default=None)

    def _rows(self, persons: Iterable[str]) -> Sequence[Block]:
        return self._counting(col(Block.person).in_(list(persons)))

    def _counting(self, *where: ColumnElement[bool]) -> Sequence[Block]:
        counts = (col(Block.until) > self._now, col(Block.lifted_at).is_(None), *where)
        return self._session.exec(select(Block).where(*counts).order_by(col(Block.id))).all()

    def _is_officers(self, account: Account) -> bool:
        bound = (OfficerAccount.platform == account.platform, OfficerAccount.user_id == account.user_id)
        return self._session.exec(select(OfficerAccount.id).where(*bound)).first() is not None

    def _persons(self, accounts: Iterable[Account]) -> list[str]:
        return [self._person(one.platform, one.user_id) for one in accounts]

    def _lift(self, row: Block, officer: Officer) -> None:
        row.lifted_at, row.lifted_by = self._now, officer.id
        self._session.add(row)
        self._session.flush()

    def _person(self, platform: str, user_id: str) -> str:
        return mix(self._key, f"block\0{platform}\0{user_id}".encode()).hex()


def _decision(row: Block) -> tuple[int | None, int, datetime]:
    """What the rows of one person's accounts have in common."""
    return row.case_id, row.officer_id, row.at
