"""`/角色`: an administrator gives and takes roles. Giving waits for a one-time password and a delay; taking is at once."""

from __future__ import annotations

from sqlmodel import Session, col, or_, select

from bot.errors import NotAllowed
from bot.permissions import ROLE_NAMES, Rights, Role
from bot.router import Router, Words
from bot.say import Say
from cases.roster import RoleScope, Roster
from content.refusal import Refusal
from content.spelling import named
from handlers.asking import Act, Confirmations, concerned
from storage.tables import Grid, Officer, OfficerRole, Unit

router = Router("roles")

GIVE, TAKE = ("加", "给", "+", "add"), ("减", "去掉", "收回", "-", "remove")
EVERYWHERE = ("", "全区", "全辖区", "district")
USAGE = "工号 加或减 角色 网格或单位（不写是全辖区）"
_NAMED = {name: role for role, name in ROLE_NAMES.items()} | {role.value: role for role in Role}


@router.command("角色", "role", usage=USAGE, about="看、加、减一位同事的角色", needs=Role.ADMIN)
def change_role(words: Words, rights: Rights, roster: Roster, confirmations: Confirmations, say: Say, session: Session) -> None:
    """`/角色 3201`, `/角色 3201 加 民警 GX01`, `/角色 3201 减 民警 GX01`. Nobody gives themselves anything."""
    parts = words.split()
    admin = rights.require("roster.role", target=" ".join(parts[:4]))
    other = roster.by_badge(parts[0]) if parts else None
    if other is None:
        if not parts:
            raise Refusal("refusal.usage", command="角色", usage=USAGE)
        raise Refusal("officers.no_badge", badge=parts[0][:20])
    if len(parts) == 1:
        say.privately("officers.roles", who=_called(other), roles=spell_roles(roster.roles(other), session))
        return
    parts = [*map(named, parts[:3]), *parts[3:]]
    if len(parts) < 3 or parts[1] not in GIVE + TAKE:
        raise Refusal("refusal.usage", command="角色", usage=USAGE)
    role, scope = _read_role(parts[2]), _read_scope(parts[3] if len(parts) > 3 else "", session)
    what = f"{ROLE_NAMES[role]}（{scope_name(scope, session)}）"
    if parts[1] in TAKE:
        if not roster.take_role(other, role, scope):
            raise Refusal("officers.has_no_role", who=_called(other), role=what)
        say.privately("officers.role_taken", who=_called(other), role=what)
        _tell(other, admin, "officers.role_was_taken", what, roster, say)
        return
    if other.id == admin.id:
        raise NotAllowed("officers.own_role", action="roster.role", target=other.badge)
    if roster.has_role(other, role, scope):
        raise Refusal("officers.has_role", who=_called(other), role=what)
    if confirmations.enabled:
        about = say.word("confirm.about_role", who=_called(other), role=ROLE_NAMES[role])
        payload: dict[str, str | int] = {"officer": other.id or 0, "role": role, "kind": scope.kind, "scope": scope.id or 0}
        confirmations.ask("roster.role", admin, scope=scope_name(scope, session), about=about, payload=payload)
        return
    roster.give_role(other, role, scope)
    say.privately("officers.role_given", who=_called(other), role=what)
    _tell(other, admin, "officers.role_was_given", what, roster, say)


def carry_out_role(act: Act) -> None:
    """The administrator's delay is over."""
    other = act.roster.get(act.number("officer"))
    if other is None or not other.active:
        raise Refusal("officers.has_left")
    act.rights.require("roster.role", target=f"{other.badge} {act.text('role')}")
    role, scope = Role(act.text("role")), RoleScope(act.text("kind"), act.number("scope") or None)
    what = f"{ROLE_NAMES[role]}（{scope_name(scope, act.session)}）"
    if act.roster.has_role(other, role, scope):
        raise Refusal("officers.has_role", who=_called(other), role=what)
    act.roster.give_role(other, role, scope)
    _tell(other, act.officer, "officers.role_was_given", what, act.roster, act.say)


def _tell(other: Officer, admin: Officer, phrase: str, what: str, roster: Roster, say: Say) -> None:
    told = {one.id: one for one in (other, *concerned("roster.role", admin, roster))}
    say.to_officers(list(told.values()), phrase, who=_called(other), role=what, by=_called(admin))


def _read_role(word: str) -> Role:
    role = _NAMED.get(word)
    if role is None:
        raise Refusal("officers.which_role", word=word[:20], roles="、".join(ROLE_NAMES.values()))
    return role


def _read_scope(word: str, session: Session) -> RoleScope:
    if word in EVERYWHERE:
        return RoleScope("district", None)
    for kind, table in (("grid", Grid), ("unit", Unit)):
        found = session.exec(select(table.id).where(or_(col(table.code) == word, col(table.name) == word))).first()
        if found is not None:
            return RoleScope(kind, found)
    raise Refusal("officers.which_scope", word=word[:20])


def scope_name(scope: RoleScope, session: Session) -> str:
    """Where a role counts, in words."""
    if scope.kind == "grid":
        grid = session.get(Grid, scope.id)
        return grid.name if grid else ""
    if scope.kind == "unit":
        unit = session.get(Unit, scope.id)
        return unit.name if unit else ""
    return "全辖区"


def spell_roles(rows: list[OfficerRole], session: Session) -> list[str]:
    """The roles of somebody, in words."""
    return [f"{ROLE_NAMES[Role(row.role)]}（{scope_name(RoleScope(row.scope_kind, row.scope_id), session)}）" for row in rows]


def _called(officer: Officer) -> str:
    return f"{officer.title}{officer.name}（工号{officer.badge}）"
