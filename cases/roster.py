"""The roster: who is an officer, which account is his, who is on duty."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from cases.codes import DIGITS, code_hash, new_code
from cases.dispatch import on_duty
from content.refusal import Refusal
from storage.tables import BindCode, Officer, OfficerAccount, OfficerRole


@dataclass(frozen=True, slots=True)
class RoleScope:
    """Where a role counts: `kind` is "grid", "unit" or "district"; a district has no `id`."""

    kind: str
    id: int | None


CODE_LIVES = timedelta(hours=24)
CODE_DIGITS = DIGITS


class Roster:
    """The officers, inside the caller's transaction."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._session = session
        self._now = now

    def new_code(self, officer: Officer) -> str:
        """A one-time code for binding an account; an earlier unused one stops working."""
        if officer.id is None:
            raise ValueError("the officer has to be stored first")
        for old in self._session.exec(
            select(BindCode).where(BindCode.officer_id == officer.id, col(BindCode.used_at).is_(None))
        ).all():
            self._session.delete(old)
        self._session.flush()
        code = new_code()
        self._session.add(BindCode(code_hash=code_hash(code), officer_id=officer.id, expires_at=self._now + CODE_LIVES))
        return code

    def use_code(self, code: str, badge: str | None = None) -> Officer:
        """Whose code it is; it works once. With `badge` it must be that officer's."""
        row = self._session.get(BindCode, code_hash(code))
        if row is None or row.used_at is not None or row.expires_at <= self._now:
            raise Refusal("officers.bad_code")
        officer = self._session.get(Officer, row.officer_id)
        if officer is None or not officer.active or (badge is not None and officer.badge != badge):
            raise Refusal("officers.bad_code")
        row.used_at = self._now
        self._session.add(row)
        return officer

    def spoil_code(self, code: str) -> None:
        """A code that was shown to others must not work any more."""
        row = self._session.get(BindCode, code_hash(code))
        if row is not None and row.used_at is None:
            row.used_at = self._now
            self._session.add(row)

    def bind(self, officer: Officer, platform: str, user_id: str) -> None:
        """This platform account acts as that officer from now on; it can belong to one officer only."""
        if officer.id is None:
            raise ValueError("the officer has to be stored first")
        known = self._session.exec(
            select(OfficerAccount).where(OfficerAccount.platform == platform, OfficerAccount.user_id == user_id)
        ).first()
        account = known or OfficerAccount(officer_id=officer.id, platform=platform, user_id=user_id, bound_at=self._now)
        account.officer_id, account.bound_at = officer.id, self._now
        self._session.add(account)

    def is_bound(self, officer: Officer) -> bool:
        """Whether any account acts as that officer."""
        return self._session.exec(select(OfficerAccount.id).where(OfficerAccount.officer_id == officer.id)).first() is not None

    def by_badge(self, badge: str) -> Officer | None:
        """The active officer with this 工号."""
        return self._session.exec(select(Officer).where(Officer.badge == badge.strip().upper(), col(Officer.active))).first()

    def get(self, officer_id: int | None) -> Officer | None:
        return self._session.get(Officer, officer_id) if officer_id is not None else None

    def on_duty(self, grid_id: int | None) -> list[Officer]:
        return on_duty(self._session, grid_id, self._now)

    def with_role(self, role: str) -> list[Officer]:
        """Active officers who hold a role in any scope."""
        return list(
            self._session.exec(
                select(Officer)
                .join(OfficerRole, col(OfficerRole.officer_id) == col(Officer.id))
                .where(col(Officer.active), OfficerRole.role == role)
                .distinct()
            ).all()
        )

    def roles(self, officer: Officer) -> list[OfficerRole]:
        held = select(OfficerRole).where(OfficerRole.officer_id == officer.id)
        return list(self._session.exec(held.order_by(col(OfficerRole.id))).all())

    def has_role(self, officer: Officer, role: str, scope: RoleScope) -> bool:
        """Whether the roster gives exactly this role in exactly this scope."""
        return self._role(officer, role, scope) is not None

    def give_role(self, officer: Officer, role: str, scope: RoleScope) -> None:
        """One more role."""
        self._session.add(OfficerRole(officer_id=officer.id or 0, role=role, scope_kind=scope.kind, scope_id=scope.id))
        self._session.flush()

    def take_role(self, officer: Officer, role: str, scope: RoleScope) -> bool:
        """One role less; false when there was none such."""
        row = self._role(officer, role, scope)
        if row is None:
            return False
        self._session.delete(row)
        self._session.flush()
        return True

    def _role(self, officer: Officer, role: str, scope: RoleScope) -> OfficerRole | None:
        return self._session.exec(
            select(OfficerRole).where(
                OfficerRole.officer_id == officer.id,
                OfficerRole.role == role,
                OfficerRole.scope_kind == scope.kind,
                OfficerRole.scope_id == scope.id,
            )
        ).first()
