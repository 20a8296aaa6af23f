"""One resident with accounts on several platforms: two identities until their owner links them with a code."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlmodel import Session, col, select

from cases.codes import code_hash, new_code
from content.refusal import Refusal
from storage.tables import Case, LinkCode, LinkedAccount

CODE_LIVES = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Account:
    """One account of a person on a platform."""

    platform: str
    user_id: str


class Identities:
    """Links between accounts, inside the caller's transaction."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._session = session
        self._now = now

    def new_link_code(self, platform: str, account: str, user_id: str) -> str:
        """A code to be typed on the other platform; an earlier one of this account stops working."""
        self._session.execute(
            delete(LinkCode).where(
                ((col(LinkCode.platform) == platform) & (col(LinkCode.user_id) == user_id))
                | (col(LinkCode.expires_at) <= self._now)
            )
        )
        code = new_code()
        until = self._now + CODE_LIVES
        self._session.add(
            LinkCode(code_hash=code_hash(code), platform=platform, account=account, user_id=user_id, expires_at=until)
        )
        return code

    def spoil(self, code: str) -> None:
        """A code that was shown to others must not work any more."""
        self._session.execute(delete(LinkCode).where(col(LinkCode.code_hash) == code_hash(code)))

    def link(self, code: str, platform: str, user_id: str) -> LinkCode:
        """Link this account with the one that has the code, which works once; returns whose it was.

        Refusal `identity.bad_code` when there is none, `identity.same_account` when it is this account's own.
        """
        given = self._session.get(LinkCode, code_hash(code))
        if given is None or given.expires_at <= self._now:
            raise Refusal("identity.bad_code")
        if (given.platform, given.user_id) == (platform, user_id):
            raise Refusal("identity.same_account")
        first, second = self._row(given.platform, given.user_id), self._row(platform, user_id)
        absorbed, second.person = second.person, first.person
        for row in self._session.exec(select(LinkedAccount).where(LinkedAccount.person == absorbed)).all():
            row.person = first.person
            self._session.add(row)
        self._session.add(first)
        self._session.add(second)
        self._session.delete(given)
        self._session.flush()
        return given

    def unlink(self, platform: str, user_id: str) -> bool:
        """This account is its own again; false when it was linked with none."""
        row = self._find(platform, user_id)
        if row is None:
            return False
        others = self._session.exec(
            select(LinkedAccount).where(LinkedAccount.person == row.person, col(LinkedAccount.id) != row.id)
        ).all()
        self._session.delete(row)
        if len(others) == 1:  # an account that is linked with nobody has no row
            self._session.delete(others[0])
        self._session.flush()
        return True

    def accounts(self, platform: str, user_id: str) -> list[Account]:
        """All accounts of this person, this one first."""
        own = Account(platform, user_id)
        row = self._find(platform, user_id)
        if row is None:
            return [own]
        rows = self._session.exec(
            select(LinkedAccount).where(LinkedAccount.person == row.person).order_by(col(LinkedAccount.id))
        ).all()
        return [own, *(account for one in rows if (account := Account(one.platform, one.user_id)) != own)]

    def brought(self, case: Case, platform: str, user_id: str) -> bool:
        """Whether this person brought the case, from whichever account."""
        if case.reporter is None:
            return False
        if (case.platform, case.reporter) == (platform, user_id):
            return True
        return Account(case.platform, case.reporter) in self.accounts(platform, user_id)

    def _find(self, platform: str, user_id: str) -> LinkedAccount | None:
        return self._session.exec(
            select(LinkedAccount).where(LinkedAccount.platform == platform, LinkedAccount.user_id == user_id)
        ).first()

    def _row(self, platform: str, user_id: str) -> LinkedAccount:
        found = self._find(platform, user_id)
        return found or LinkedAccount(platform=platform, user_id=user_id, person=secrets.token_hex(8), linked_at=self._now)
