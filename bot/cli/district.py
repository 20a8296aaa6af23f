"""The district from the shell: units, grids, groups and the roster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo

import segno
import shapely
import typer
from sqlmodel import Session, col, or_, select

from bot.cli import shell
from bot.cli.shell import Stop
from bot.config import Settings
from bot.demo import split_role
from bot.platforms.web import WebPlatform, WebSettings
from bot.platforms.web.settings import ACCOUNT, RoomSeed
from cases.places import BadBoundary, boundary_changed, ground_of, read_boundary
from cases.totp import Totp
from content.labels import label_problem
from storage.sealing import Sealer
from storage.tables import Duty, Grid, Group, Officer, OfficerAccount, OfficerRole, Unit
from storage.writer import Writer

officers = typer.Typer(help="The roster: who is an officer, with which roles. 名册。", no_args_is_help=True)
groups = typer.Typer(help="Groups: grid, labels, invitations. 群。", no_args_is_help=True)
grids = typer.Typer(help="Grids. 网格。", no_args_is_help=True)
units = typer.Typer(help="Units that handle cases. 单位。", no_args_is_help=True)

Answer = TypeVar("Answer")

Badge = Annotated[str, typer.Argument(help="Badge number, 工号.")]
GroupName = Annotated[str, typer.Argument(help="The group's chat id or name.")]


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

    def work(session: Session) -> str:
        badge_ = badge.strip().upper()
        if session.exec(select(Officer).where(Officer.badge == badge_)).first():
            raise Stop(
                f"badge {badge_} is on the roster already; qianshao officer role changes roles, officer code gives a new code"
            )
        unit_id = shell.find_unit(session, unit).id if unit else None
        officer = Officer(badge=badge_, name=name.strip(), title=title.strip(), unit_id=unit_id)
        session.add(officer)
        session.flush()
        _give(session, officer, role)
        shell.audit(session, "roster.add", f"{officer.badge} {'; '.join(role)}")
        return _new_code(session, officer)

    with shell.storage() as (_, writer):
        code = writer.run_now(work)
    _tell_code(badge, code)


@officers.command("code")
def new_code(badge: Badge) -> None:
    """A new one-time code; an earlier unused one stops working. 重新发码。"""

    def work(session: Session) -> str:
        officer = shell.find_officer(session, badge)
        if not officer.active:
            raise Stop(f"officer {badge} has left; qianshao officer role {badge} --return takes them back")
        return _new_code(session, officer)

    with shell.storage() as (_, writer):
        code = writer.run_now(work)
    _tell_code(badge, code)


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
            for account in session.exec(select(OfficerAccount).where(OfficerAccount.officer_id == officer.id)).all():
                session.delete(account)
        if roles:
            for old in session.exec(select(OfficerRole).where(OfficerRole.officer_id == officer.id)).all():
                session.delete(old)
            session.flush()
            _give(session, officer, roles)
        shell.audit(session, "roster.role", f"{officer.badge} {'left' if leave else '; '.join(roles or ('back',))}")
        held = session.exec(select(OfficerRole).where(OfficerRole.officer_id == officer.id)).all()
        return sorted(_role_text(session, role) for role in held) if officer.active else ["(left)"]

    with shell.storage() as (_, writer):
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


@units.command("list")
def list_units() -> None:
    """Every unit. 列出单位。"""
    with shell.storage() as (_, writer):
        found = writer.read_now(lambda session: session.exec(select(Unit).order_by(col(Unit.code))).all())
    shell.table([(unit.code, unit.name, unit.kind, unit.phone) for unit in found], ("code", "name", "kind", "phone"))


@units.command("add")
def add_unit(
    code: Annotated[str, typer.Argument(help="Short code.")],
    name: Annotated[str, typer.Argument(help="Name.")],
    kind: Annotated[str, typer.Option(help="What the routing goes by: police, community, property, fire, power, municipal …")],
    phone: Annotated[str, typer.Option(help="Telephone.")] = "",
) -> None:
    """Add a unit. 加单位。"""

    def work(session: Session) -> None:
        if session.exec(select(Unit).where(Unit.code == code)).first():
            raise Stop(f"there is a unit {code} already; qianshao unit list shows it")
        session.add(Unit(code=code, name=name, kind=kind, phone=phone))

    with shell.storage() as (_, writer):
        writer.run_now(work)
    typer.echo(f"unit {code} added")


@grids.command("list")
def list_grids() -> None:
    """Every grid. 列出网格。"""

    def work(session: Session) -> list[tuple[object, ...]]:
        found = session.exec(select(Grid).order_by(col(Grid.code))).all()
        codes = {grid.id: grid.code for grid in found}
        names = {unit.id: unit.name for unit in session.exec(select(Unit)).all()}
        return [
            (
                grid.code,
                grid.name,
                codes.get(grid.parent_id, ""),
                names.get(grid.unit_id, ""),
                "drawn" if grid.boundary else "-",
            )
            for grid in found
        ]

    with shell.storage() as (_, writer):
        rows = writer.read_now(work)
    shell.table(rows, ("code", "name", "inside", "unit", "boundary"))


@grids.command("add")
def add_grid(
    code: Annotated[str, typer.Argument(help="Short code.")],
    name: Annotated[str, typer.Argument(help="Name.")],
    inside: Annotated[str | None, typer.Option(help="Code of the grid around it.")] = None,
    unit: Annotated[str | None, typer.Option(help="Code or name of the responsible unit.")] = None,
    police_code: Annotated[str, typer.Option(help="Number of the police grid for the same ground.")] = "",
    boundary: Annotated[Path | None, typer.Option(help="GeoJSON file of its boundary, one Polygon or MultiPolygon.")] = None,
) -> None:
    """Add a grid. 加网格。"""
    drawn = _boundary_of(boundary) if boundary is not None else None

    def work(session: Session) -> None:
        if session.exec(select(Grid).where(Grid.code == code)).first():
            raise Stop(f"there is a grid {code} already; qianshao grid list shows it")
        parent = shell.find_grid(session, inside).id if inside else None
        unit_id = shell.find_unit(session, unit).id if unit else None
        session.add(Grid(code=code, name=name, parent_id=parent, unit_id=unit_id, police_code=police_code, boundary=drawn))

    with shell.storage() as (_, writer):
        writer.run_now(work)
    typer.echo(f"grid {code} added")


@grids.command("boundary")
def draw_grids(
    file: Annotated[Path, typer.Argument(help="GeoJSON: a FeatureCollection whose features carry the grid's code, or one area.")],
    grid: Annotated[str | None, typer.Option(help="Code or name of the grid, when the file holds one area only.")] = None,
    key: Annotated[str, typer.Option(help="The property of a feature that holds the code of its grid.")] = "code",
) -> None:
    """Draw the boundaries of grids that exist; all of the file or, when something is wrong, nothing. 画网格边界。"""
    features = [(grid, _boundary_of(file))] if grid is not None else _features(file, key)

    def work(session: Session) -> int:
        for code, text in features:
            found = shell.find_grid(session, code)
            found.boundary = text
            session.add(found)
        boundary_changed(session)
        return len(features)

    with shell.storage() as (_, writer):
        number = writer.run_now(work)
    typer.echo(f"{number} boundaries drawn; a running bot goes by them from the next report on")


def _boundary_of(file: Path) -> str:
    """The one area of a GeoJSON file, as it is stored."""
    try:
        return str(shapely.to_geojson(read_boundary(_text_of(file))))
    except BadBoundary as problem:
        raise Stop(f"{file}: {problem}") from problem


def _features(file: Path, key: str) -> list[tuple[str, str]]:
    """The code and the area of every feature."""
    try:
        plain = json.loads(_text_of(file))
    except ValueError as problem:
        raise Stop(f"{file}: this is not JSON: {problem}") from problem
    features = plain.get("features") if isinstance(plain, dict) else None
    if not isinstance(features, list) or not features:
        raise Stop(f"{file}: no FeatureCollection with features; for one area say which: --grid CODE")
    drawn = []
    for number, feature in enumerate(features, 1):
        properties = feature.get("properties") if isinstance(feature, dict) else None
        code = properties.get(key) if isinstance(properties, dict) else None
        if not isinstance(code, str | int) or not str(code):
            raise Stop(f"{file}: feature {number} has no property {key!r} with the code of a grid; --key names another property")
        try:
            drawn.append((str(code), str(shapely.to_geojson(ground_of(feature)))))
        except BadBoundary as problem:
            raise Stop(f"{file}: feature {number} ({code}): {problem}") from problem
    return drawn


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        why = getattr(problem, "strerror", None) or "is not UTF-8"
        raise Stop(f"{file}: cannot be read: {why}") from problem


@groups.command("list")
def list_groups() -> None:
    """Every group the bot knows. 列出群。"""

    def work(session: Session) -> list[tuple[object, ...]]:
        codes = {grid.id: grid.code for grid in session.exec(select(Grid)).all()}
        rows: list[tuple[object, ...]] = []
        for group in session.exec(select(Group).order_by(col(Group.id))).all():
            state = "active" if group.active and group.left_at is None else "left"
            posts = "off" if group.posts_off else "default" if group.weekly_cap is None else f"{group.weekly_cap} a week"
            rows.append((group.platform, group.chat, group.name, codes.get(group.grid_id, "-"), _labels(group), posts, state))
        return rows

    with shell.storage() as (_, writer):
        rows = writer.read_now(work)
    shell.table(rows, ("platform", "chat", "name", "grid", "labels", "posts", "state"))


@groups.command("add")
def add_group(
    chat: Annotated[str, typer.Argument(help="Id of the new room of the web chat, 1 to 64 of A-Z a-z 0-9 _ . : -")],
    name: Annotated[str, typer.Argument(help="Name that people see.")],
    grid: Annotated[str | None, typer.Option(help="Code or name of its grid.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="class:综合, board:…, industry:…; repeatable.")] = None,
) -> None:
    """Make a room of the web chat. Groups of other platforms appear by themselves when the bot is added there. 建网页群。"""

    def work(session: Session) -> tuple[str, ...]:
        if session.exec(select(Group).where(Group.platform == "web", Group.chat == chat)).first():
            raise Stop(f"there is a group {chat} already; qianshao group assign and label change it")
        group = Group(platform="web", account=ACCOUNT, chat=chat, name=name)
        group.grid_id = shell.find_grid(session, grid).id if grid else None
        _put_labels(group, label or [])
        session.add(group)
        return tuple(value for value in (group.class_label, group.board, group.industry) if value)

    with shell.storage() as (chosen, writer):
        labels = writer.run_now(work)
        room = RoomSeed(chat, name, labels, officers_only="工作" in labels)
        asyncio.run(_with_web(chosen, writer, lambda web: web.seed([room], [])))
    typer.echo(f"group {chat} added. A running bot opens the room at its next start; then: qianshao group invite {chat}")


@groups.command("assign")
def assign(group: GroupName, grid: Annotated[str, typer.Argument(help='Code or name of the grid, or "none".')]) -> None:
    """Say which grid a group belongs to. 把群归到网格。"""

    def work(session: Session) -> str:
        found = shell.find_group(session, group)
        chosen = None if grid == "none" else shell.find_grid(session, grid)
        found.grid_id = chosen.id if chosen else None
        session.add(found)
        return f"{found.name}: {chosen.name if chosen else 'no grid'}"

    with shell.storage() as (_, writer):
        typer.echo(writer.run_now(work))


@groups.command("label")
def label_group(
    group: GroupName,
    labels: Annotated[list[str] | None, typer.Argument(help='class:综合, board:…, industry:…; "board:" takes it away.')] = None,
    posts: Annotated[Literal["on", "off"] | None, typer.Option(help="Whether the group gets posts.")] = None,
    weekly: Annotated[int | None, typer.Option(min=0, max=50, help="Its own weekly cap of posts.")] = None,
    members: Annotated[int | None, typer.Option(min=0, help="How many people are in it, for the reach of posts.")] = None,
) -> None:
    """Label a group, or say how many posts it gets. 给群贴标签。"""

    def work(session: Session) -> str:
        found = shell.find_group(session, group)
        _put_labels(found, labels or [])
        if posts is not None:
            found.posts_off = posts == "off"
        if weekly is not None:
            found.weekly_cap = weekly
        if members is not None:
            found.members = members
        session.add(found)
        return f"{found.name}: {_labels(found) or 'no labels'}" + ("; no posts" if found.posts_off else "")

    with shell.storage() as (_, writer):
        typer.echo(writer.run_now(work))


@groups.command("invite")
def invite(
    group: GroupName,
    revoke: Annotated[bool, typer.Option("--revoke", help="End every invitation to this group instead.")] = False,
) -> None:
    """A link that lets whoever has it join a group of the web chat, for seven days. 邀请链接。"""
    with shell.storage() as (chosen, writer):
        found = writer.read_now(lambda session: shell.find_group(session, group))
        if found.platform != "web":
            raise Stop(f"{found.name} is a group of {found.platform}: invite people there")
        if revoke:
            ended = asyncio.run(_with_web(chosen, writer, lambda web: web.revoke_invites(found.chat)))
            typer.echo(f"{ended} invitations ended")
            return
        try:
            link = asyncio.run(_with_web(chosen, writer, lambda web: web.invite(found.chat)))
        except KeyError:
            raise Stop(f"the web chat has no room {found.chat} yet; start the bot once, or: qianshao group add") from None
    typer.echo(link)


def _put_labels(group: Group, labels: Sequence[str]) -> None:
    for label in labels:
        kind, _, value = label.partition(":")
        if kind not in ("class", "board", "industry") or (value and (problem := label_problem(label))):
            raise Stop(problem if value and kind == "class" else f"{label!r}: write class:综合, board:… or industry:…")
        setattr(group, "class_label" if kind == "class" else kind, value)


def _labels(group: Group) -> str:
    pairs = (("class", group.class_label), ("board", group.board), ("industry", group.industry))
    return " ".join(f"{kind}:{value}" for kind, value in pairs if value)


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


async def _with_web(chosen: Settings, writer: Writer, work: Callable[[WebPlatform], Awaitable[Answer]]) -> Answer:
    """Do something to the web chat's own file; the bot need not run, and may."""
    from bot.app import roster_gate

    web = WebPlatform(
        WebSettings(host=chosen.web.host, port=chosen.web.port, public_url=chosen.web.public_url, bot_name=chosen.bot.name),
        rooms_file=chosen.bot.data_dir / "web.sqlite3",
        gate=roster_gate(writer, shell.clock),
        clock=shell.clock,
    )
    try:
        return await work(web)
    finally:
        await web.close()
