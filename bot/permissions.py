"""Rights: role x scope, decided at the action from the roster, every decision audited.

An officer is found by the platform account that was bound with a one-time code, never by a name. A role counts in its scope
only: a grid (with the grids inside it), a unit, or the district.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from bot.errors import NotAllowed
from bot.messages import Inbound, Kind
from content.masking import mask
from storage import audit
from storage.tables import Grid, Officer, OfficerAccount, OfficerRole


class Role(StrEnum):
    """What an officer may do, in one of the scopes grid, unit and district."""

    GRID_WORKER = "grid_worker"
    OFFICER = "officer"
    DISPATCHER = "dispatcher"
    SUPERVISOR = "supervisor"
    EDITOR = "editor"
    APPROVER = "approver"
    CUSTODIAN = "custodian"
    AUDITOR = "auditor"
    ADMIN = "admin"


# who holds the left role may do what the right ones may
IMPLIES: dict[Role, frozenset[Role]] = {
    Role.SUPERVISOR: frozenset({Role.DISPATCHER, Role.OFFICER, Role.GRID_WORKER}),
    Role.OFFICER: frozenset({Role.GRID_WORKER}),
}

ROLE_NAMES: dict[Role, str] = {
    Role.GRID_WORKER: "网格员",
    Role.OFFICER: "民警",
    Role.DISPATCHER: "调度员",
    Role.SUPERVISOR: "值班领导",
    Role.EDITOR: "推送编辑",
    Role.APPROVER: "推送审批",
    Role.CUSTODIAN: "线索保管员",
    Role.AUDITOR: "审计员",
    Role.ADMIN: "管理员",
}


_HANDLERS = (Role.OFFICER, Role.GRID_WORKER)
_DESK = (Role.OFFICER, Role.GRID_WORKER, Role.DISPATCHER)

_RESPONSIBLE = (Role.SUPERVISOR, Role.EDITOR, Role.APPROVER, Role.CUSTODIAN, Role.ADMIN)  # of actions that reach far

# every action that needs a right, and which roles may do it in the scope concerned; what is not listed here cannot be done
ACTIONS: dict[str, tuple[Role, ...]] = {
    "case.queue": _DESK,
    "case.view": _DESK,
    "case.accept": (Role.DISPATCHER,),
    "case.reject": (Role.DISPATCHER,),
    "case.dispatch": (Role.DISPATCHER,),
    "case.take": _HANDLERS,
    "case.contact": _HANDLERS,
    "case.request": _DESK,
    "case.resolve": _HANDLERS,
    "case.answer": _DESK,
    "answer.keep": (*_DESK, Role.EDITOR),
    "case.return": _HANDLERS,
    "case.extend": _HANDLERS,
    "case.hold": (Role.SUPERVISOR,),
    "case.refer": _DESK,
    "case.merge": (Role.DISPATCHER,),
    "case.unreached": (Role.SUPERVISOR,),
    "case.review": _DESK,
    "case.talk": _HANDLERS,
    "duty.hand_over": _DESK,
    "alarm.acknowledge": _DESK,
    "duty.view": _DESK,
    "stats.view": (Role.OFFICER, Role.GRID_WORKER, Role.DISPATCHER, Role.AUDITOR),
    # which tip an officer may read follows from whom it is sealed to (cases.tips); these say who can hold such access at all
    "tip.list": (Role.CUSTODIAN, Role.OFFICER),
    "tip.read": (Role.CUSTODIAN, Role.OFFICER),
    "tip.answer": (Role.CUSTODIAN, Role.OFFICER),
    "tip.work": (Role.CUSTODIAN, Role.OFFICER),
    "tip.identity": (Role.CUSTODIAN, Role.OFFICER),
    "tip.key": (Role.CUSTODIAN, Role.OFFICER),
    "tip.seal": (Role.CUSTODIAN,),
    "tip.unseal": (Role.CUSTODIAN,),
    "tip.postpone": (Role.CUSTODIAN,),
    "tip.grant": (Role.CUSTODIAN,),
    "tip.decide": (Role.CUSTODIAN,),
    "tip.destroy": (Role.CUSTODIAN,),
    "pending.confirm": _RESPONSIBLE,
    "pending.cancel": (Role.APPROVER, Role.SUPERVISOR, Role.CUSTODIAN, Role.ADMIN),
    "totp.enrol": _RESPONSIBLE,
    "roster.role": (Role.ADMIN,),
    "person.block": (Role.OFFICER,),
    "group.assign": (Role.DISPATCHER, Role.ADMIN),
    "wish.publish": _DESK,
    "wish.decide": _DESK,
    "lost.give_back": _HANDLERS,
    "mediation.arrange": _DESK,
    "mediation.record": _DESK,
    "activity.publish": _DESK,
    "activity.view": _DESK,
    "activity.finish": _DESK,
    "proposal.lead": _DESK,
    "deed.decide": _HANDLERS,
    "visit.log": _HANDLERS,
    "premises.add": _HANDLERS,
    "premises.view": _DESK,
    "premises.inspect": _HANDLERS,
    "post.preview": (Role.EDITOR, Role.APPROVER, Role.SUPERVISOR),
    "post.send": (Role.EDITOR,),
    "post.approve": (Role.APPROVER, Role.SUPERVISOR),
    "post.stop": (Role.EDITOR, Role.APPROVER, Role.SUPERVISOR),
    "post.correct": (Role.EDITOR, Role.SUPERVISOR),
    "post.export": (Role.EDITOR, Role.APPROVER, Role.SUPERVISOR),
    "post.mute": (Role.OFFICER, Role.GRID_WORKER, Role.EDITOR),
    "missing.write": _DESK,
    "missing.withdraw": (*_DESK, Role.APPROVER),  # whoever is asked to verify it may say no
    "missing.verify": (Role.OFFICER, Role.APPROVER),
    "missing.found": _DESK,
    "appeal.write": (*_DESK, Role.EDITOR),
    "appeal.verify": (Role.APPROVER, Role.SUPERVISOR),
    "appeal.end": (Role.DISPATCHER, Role.EDITOR, Role.APPROVER, Role.SUPERVISOR),
}


@dataclass(frozen=True, slots=True)
class Grant:
    """One role in one scope."""

    role: Role
    scope_kind: str
    scope_id: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """What an action touches: the grid and the units (lead and assisting) whose matter it is."""

    grid_id: int | None = None
    unit_ids: tuple[int, ...] = ()


class Rights:
    """The rights of whoever sent one message, or of nobody."""

    def __init__(self, session: Session, officer: Officer | None, platform: str, now: datetime) -> None:
        self.officer = officer
        self._session = session
        self._platform = platform
        self._now = now
        self._grants: tuple[Grant, ...] | None = None

    @property
    def grants(self) -> tuple[Grant, ...]:
        if self._grants is None:
            self._grants = () if self.officer is None else _grants_of(self._session, self.officer)
        return self._grants

    @property
    def own_grid(self) -> int | None:
        """The grid that a role of this person is for; None for nobody, and for a role in the whole district or a unit."""
        if any(grant.scope_kind == "district" for grant in self.grants):
            return None
        return next((grant.scope_id for grant in self.grants if grant.scope_kind == "grid"), None)

    def holds(self, *roles: Role) -> bool:
        """Whether one of the roles is held in any scope at all; good for showing help, never for acting."""
        return any(_covers(grant.role, role) for grant in self.grants for role in roles)

    def allows(self, *roles: Role, place: Place | None = None) -> bool:
        """Whether one of the roles is held in a scope that covers `place` (None: the district as a whole)."""
        return any(_covers(grant.role, role) and self._reaches(grant, place) for grant in self.grants for role in roles)

    def require(self, action: str, *, grid_id: int | None = None, unit_ids: tuple[int, ...] = (), target: str = "") -> Officer:
        """The officer, if `action` (a key of ACTIONS) is allowed on that grid or those units; with neither, in the district.

        Otherwise NotAllowed. Both are audited; a refusal by whoever catches it, because its transaction is rolled back.
        """
        roles = ACTIONS[action]
        if self.officer is None:
            raise NotAllowed("refusal.not_officer", action=action, target=target)
        place = Place(grid_id, unit_ids) if grid_id is not None or unit_ids else None
        if not self.allows(*roles, place=place):
            phrase = "refusal.other_area" if self.holds(*roles) else "refusal.role"
            names = "、".join(ROLE_NAMES[role] for role in roles)
            raise NotAllowed(phrase, action=action, target=target, roles=names)
        self.audit(action, target=target, allowed=True)
        return self.officer

    def require_anywhere(self, action: str, *, target: str = "") -> Officer:
        """The officer, if a role for `action` is held in any scope: for what is granted thing by thing and not by place."""
        if self.officer is None:
            raise NotAllowed("refusal.not_officer", action=action, target=target)
        if not self.holds(*ACTIONS[action]):
            raise NotAllowed(
                "refusal.role", action=action, target=target, roles="、".join(ROLE_NAMES[role] for role in ACTIONS[action])
            )
        self.audit(action, target=target, allowed=True)
        return self.officer

    def covers(self, action: str, grid_id: int | None = None, unit_ids: tuple[int, ...] = ()) -> bool:
        """Whether `action` would be allowed there; for choosing what to show, without a trace in the audit."""
        place = Place(grid_id, unit_ids) if grid_id is not None or unit_ids else None
        return self.allows(*ACTIONS[action], place=place)

    def audit(self, action: str, *, target: str, allowed: bool, reason: str = "") -> None:
        """Write the decision down."""
        audit.append(
            self._session,
            at=self._now,
            officer_id=self.officer.id if self.officer else None,
            platform=self._platform,
            action=action,
            target=mask(target),
            allowed=allowed,
            reason=reason,
        )

    def _reaches(self, grant: Grant, place: Place | None) -> bool:
        if grant.scope_kind == "district":
            return True
        if place is None:
            return False
        if grant.scope_kind == "unit":
            return grant.scope_id in place.unit_ids
        return grant.scope_kind == "grid" and grant.scope_id in grids_above(self._session, place.grid_id)


def acting_officer(session: Session, message: Inbound) -> Officer | None:
    """The officer behind a message, if it is a fresh original message of a bound personal account; else None."""
    if message.copied or not message.sender.personal or message.kind not in (Kind.MESSAGE, Kind.TAP, Kind.MET):
        return None
    return officer_of_account(session, message.address.platform, message.sender.id)


# every message asks these, so they are put together once
_BOUND = (
    select(Officer)
    .join(OfficerAccount, col(OfficerAccount.officer_id) == col(Officer.id))
    .where(OfficerAccount.platform == bindparam("platform"), OfficerAccount.user_id == bindparam("user_id"), col(Officer.active))
)
_HELD = select(OfficerRole).where(OfficerRole.officer_id == bindparam("officer_id"))


def officer_of_account(session: Session, platform: str, user_id: str) -> Officer | None:
    """The active officer who bound this platform account."""
    return session.exec(_BOUND, params={"platform": platform, "user_id": user_id}).first()


def grids_above(session: Session, grid_id: int | None) -> tuple[int, ...]:
    """The grid and those around it, innermost first. Grids nest a few levels deep; a loop in the data ends at eight."""
    chain: list[int] = []
    while grid_id is not None and grid_id not in chain and len(chain) < 8:
        chain.append(grid_id)
        grid = session.get(Grid, grid_id)
        grid_id = grid.parent_id if grid else None
    return tuple(chain)


def _grants_of(session: Session, officer: Officer) -> tuple[Grant, ...]:
    rows = session.exec(_HELD, params={"officer_id": officer.id}).all()
    return tuple(Grant(Role(row.role), row.scope_kind, row.scope_id) for row in rows)


def _covers(held: Role, needed: Role) -> bool:
    return held is needed or needed in IMPLIES.get(held, frozenset())
