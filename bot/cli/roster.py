"""The roster from the shell: who is an officer, with which roles, and who is on duty."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import segno
import typer
from sqlmodel import Session, col, or_, select

from bot.cli import shell
from bot.cli.shell import Stop
from bot.cli.telling import tell_of_roster
from bot.demo import split_role
from bot.platforms.web.settings import BADGE
from cases.totp import Totp
from storage.sealing import Sealer
from storage.tables import Duty, Grid, Officer, OfficerAccount, OfficerRole, Unit

officers = typer.Typer(help="The roster: who is an officer, with which roles. 名册。", no_args_is_help=True)

Badge = Annotated[str, typer.Argument(help="Badge number, 工号.")]


@officers.command("list")
def list_officers() -> None:
    """Everybody on the roster. 列出名册。"""

    def work(session: Session) -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = []
        for officer in session.exec(select(Officer).order_by(col(Officer.badge))).all():
            held = session.exec(select(OfficerRole).where(OfficerRole.officer_id == officer.id)).all()
            bound = session.exec(select(OfficerAccount.platform).where(OfficerAccount.officer_id == officer.id)).all()
            unit = session.get(Unit, officer.unit_id) if officer.unit_id else None
            roles = "; ".join(sorted(_role_text(session, role) for role in held))
            state = "active" if officer.active else "left"
            rows.append((officer.badge, officer.name, officer.title, unit.name if unit else "", state, ", ".join(bound), roles))
        return rows

    with shell.storage() as (_, writer):
        rows = writer.read_now(work)
    shell.table(rows, ("badge", "name", "title", "unit", "state", "bound", "roles"))


@officers.command("add")
def add_officer(
    badge: Badge,
    name: Annotated[str, typer.Argument(help="Name.")],
    title: Annotated[str, typer.Option(help="Title that people see, e.g. 社区民警.")],
    role: Annotated[list[str], typer.Option(help='"role", "role grid:CODE" or "role unit:CODE"; repeatable.')],
    unit: Annotated[str | None, typer.Option(help="Code or name of the unit.")] = None,
) -> None:
    """Put somebody on the roster and print the one-time code for binding an account. 加人。"""
    badge_, name_ = badge.strip().upper(), shell.readable_name(name, "name")
    if not BADGE.fullmatch(badge_):
        raise Stop(f"{badge!r} is no badge: write 1 to 40 of A-Z 0-9 _ -, such as 3201; the officer types it to sign in")

    def work(session: Session) -> str:
        if session.exec(select(Officer).where(Officer.badge == badge_)).first():
            raise Stop(
                f"badge {badge_} is on the roster already; qianshao officer role changes roles, officer code gives a new code"
            )
        unit_id = shell.find_unit(session, unit).id if unit else None
        officer = Officer(badge=badge_, name=name_, title=title.strip(), unit_id=unit_id)
        session.add(officer)
        session.flush()
        _give(session, officer, role)
        shell.audit(session, "roster.add", f"{officer.badge} {'; '.join(role)}")
        tell_of_roster(session, chosen, officer, "officers.shell.added")
        return _new_code(session, officer)

    with shell.storage() as (chosen, writer):
        code = writer.run_now(work)
        shell.note_sample(writer, chosen)
    _tell_code(badge, code)


@officers.command("code")
def new_code(badge: Badge) -> None:
    """A new one-time code; an earlier unused one stops working. 重新发码。"""

    def work(session: Session) -> str:
        officer = shell.find_officer(session, badge)
        if not officer.active:
            raise Stop(f"officer {badge} has left; qianshao officer role {badge} --return takes them back")
        shell.audit(session, "roster.code", officer.badge)
        tell_of_roster(session, chosen, officer, "officers.shell.code")
        return _new_code(session, officer)

    with shell.storage() as (chosen, writer):
        code = writer.run_now(work)
    _tell_code(badge, code)
    typer.echo("An earlier code does not work any more.")


@officers.command("totp")
def new_totp(
    badge: Badge,
    drop: Annotated[bool, typer.Option("--drop", help="Take the present one away, for a lost phone.")] = False,
) -> None:
    """A key for one-time passwords: shown here once, as a QR code for the officer's app. 动态码。"""

    def work(session: Session) -> tuple[str, str]:
        officer = shell.find_officer(session, badge)
        totp = Totp(session, Sealer(chosen.bot.data_dir / "keys" / "totp.key"), shell.clock(), chosen.bot.name)
        shell.audit(session, "totp.drop" if drop else "totp.enrol", officer.badge)
        tell_of_roster(session, chosen, officer, "officers.shell.totp_dropped" if drop else "officers.shell.totp")
        if drop:
            return ("gone", "") if totp.drop(officer) else ("", "")
        return totp.begin(officer)

    with shell.storage() as (chosen, writer):
        key, link = writer.run_now(work)
    if drop:
        typer.echo(f"{badge}: {'the key is gone' if key else 'there was none'}; high-impact actions need a new one")
        return
    segno.make(link, error="m").terminal(compact=True)
    typer.echo(f"{badge}: scan this with an authenticator app, or type the key: {key}\n{link}")
    typer.echo("it is not shown again; the officer sends the app's six digits in the private chat: /动态码 123456")


@officers.command("role")
def change_roles(
    badge: Badge,
    roles: Annotated[
        list[str] | None, typer.Argument(help='All roles from now on: "role", "role grid:CODE", "role unit:CODE".')
    ] = None,
    leave: Annotated[bool, typer.Option("--leave", help="Off the roster: every right and account binding ends at once.")] = False,
    come_back: Annotated[bool, typer.Option("--return", help="Back on the roster; accounts are bound anew.")] = False,
) -> None:
    """Set the roles of an officer, or take an officer off the roster. 改角色、离岗。"""
    if not (roles or leave or come_back):
        raise Stop("say which roles from now on, or --leave, or --return; qianshao officer list shows the present ones")

    def work(session: Session) -> list[str]:
        officer = shell.find_officer(session, badge)
        if leave or come_back:
            officer.active = come_back
            session.add(officer)
        if leave:
            tell_of_roster(session, chosen, officer, "officers.shell.left")  # while the account is still known
            for account in session.exec(select(OfficerAccount).where(OfficerAccount.officer_id == officer.id)).all():
                session.delete(account)
        if roles:
            for old in session.exec(select(OfficerRole).where(OfficerRole.officer_id == officer.id)).all():
                session.delete(old)
            session.flush()
            _give(session, officer, roles)
        shell.audit(session, "roster.role", f"{officer.badge} {'left' if leave else '; '.join(roles or ('back',))}")
        if not leave:
            tell_of_roster(session, chosen, officer, "officers.shell.back" if come_back else "officers.shell.roles")
        held = session.exec(select(OfficerRole).where(OfficerRole.officer_id == officer.id)).all()
        return sorted(_role_text(session, role) for role in held) if officer.active else ["(left)"]

    with shell.storage() as (chosen, writer):
        now = writer.run_now(work)
    typer.echo(f"{badge}: {'; '.join(now)}")


@officers.command("duty")
def put_on_duty(
    badge: Badge,
    grid: Annotated[str | None, typer.Option(help="Code or name of the grid; the whole district if left out.")] = None,
    end: Annotated[bool, typer.Option("--end", help="Off duty from now on, everywhere; shifts to come go too.")] = False,
    since: Annotated[
        str | None, typer.Option("--from", help='Beginning of a shift, local time: "2026-11-27 18:00"; now if left out.')
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="End of the shift, local time; open if left out.")] = None,
) -> None:
    """Who is called about emergencies: from now until --end, or for a shift. 值班、下班、排班。"""
    if end and (grid or since or until):
        raise Stop("--end takes an officer off duty everywhere; leave the other options out")

    def work(session: Session) -> str:
        officer = shell.find_officer(session, badge)
        told = change(session, officer)
        shell.audit(session, "roster.duty", f"{officer.badge} {told}")
        return told

    def change(session: Session, officer: Officer) -> str:
        now = shell.clock()
        running = select(Duty).where(Duty.officer_id == officer.id, or_(col(Duty.ends_at).is_(None), col(Duty.ends_at) > now))
        duties = session.exec(running).all()
        if end:
            for duty in duties:
                if duty.starts_at > now:
                    session.delete(duty)
                    continue
                duty.ends_at = now
                session.add(duty)
            return "off duty"
        if not officer.active:
            raise Stop(f"officer {badge} has left; qianshao officer role {badge} --return takes them back")
        wanted = shell.find_grid(session, grid) if grid else None
        grid_id = wanted.id if wanted else None
        where = wanted.name if wanted else "the whole district"
        if since or until:
            begins, ends = _local(since, zone) or now, _local(until, zone)
            if ends is not None and ends <= max(begins, now):
                raise Stop("the shift ends before it begins, or is over; write --from and --until in local time")
            session.add(Duty(officer_id=officer.id or 0, grid_id=grid_id, starts_at=begins, ends_at=ends))
            return f"on duty for {where}, {since or 'now'} to {until or 'further notice'}"
        if all(duty.grid_id != grid_id or duty.ends_at is not None for duty in duties):
            session.add(Duty(officer_id=officer.id or 0, grid_id=grid_id, starts_at=now))
        return f"on duty for {where}"

    with shell.storage() as (chosen, writer):
        zone = chosen.bot.zone
        said = writer.run_now(work)
    typer.echo(f"{badge}: {said}")


def _local(text: str | None, zone: ZoneInfo) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=zone).astimezone(UTC)
    except ValueError:
        raise Stop(f'{text!r} is no time; write "2026-11-27 18:00"') from None


def _give(session: Session, officer: Officer, roles: Sequence[str]) -> None:
    for text in roles:
        try:
            name, kind, code = split_role(text)
        except ValueError as problem:
            raise Stop(str(problem)) from problem
        scope: int | None = None
        if kind == "grid":
            scope = shell.find_grid(session, code).id
        elif kind == "unit":
            scope = shell.find_unit(session, code).id
        session.add(OfficerRole(officer_id=officer.id or 0, role=name, scope_kind=kind, scope_id=scope))
    session.flush()


def _role_text(session: Session, role: OfficerRole) -> str:
    if role.scope_kind == "grid":
        grid = session.get(Grid, role.scope_id)
        return f"{role.role} grid:{grid.code if grid else role.scope_id}"
    if role.scope_kind == "unit":
        unit = session.get(Unit, role.scope_id)
        return f"{role.role} unit:{unit.code if unit else role.scope_id}"
    return role.role


def _new_code(session: Session, officer: Officer) -> str:
    from cases.roster import Roster

    return Roster(session, shell.clock()).new_code(officer)


def _tell_code(badge: str, code: str) -> None:
    typer.echo(f"{badge}: one-time code {code}, good for 24 hours.")
    typer.echo(f"In the web chat: 第一次登录, with the badge and this code. In another private chat with the bot: /绑定 {code}")
