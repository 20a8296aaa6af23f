"""Groups from the shell: their grid, their labels, invitations to those of the web chat."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer
from sqlmodel import Session, col, select

from bot.cli import shell
from bot.cli.shell import Stop
from bot.config import Settings
from content.labels import label_problem
from storage.tables import Grid, Group
from storage.writer import Writer

if TYPE_CHECKING:
    from bot.platforms.web import WebPlatform

groups = typer.Typer(help="Groups: grid, labels, invitations. 群。", no_args_is_help=True)

Answer = TypeVar("Answer")

GroupName = Annotated[str, typer.Argument(help="The group's chat id or name.")]


WITH_MINUS = {"ignore_unknown_options": True}  # the id of a Telegram group begins with one


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

    from bot.platforms.web.settings import ACCOUNT, RoomSeed, usable_id

    name = shell.readable_name(name, "name")
    if not usable_id(chat):
        raise Stop(f"{chat!r} cannot be the id of a room: write 1 to 64 of A-Z a-z 0-9 _ . : -, such as xf1")

    def work(session: Session) -> tuple[str, ...]:
        if session.exec(select(Group).where(Group.platform == "web", Group.chat == chat)).first():
            raise Stop(f"there is a group {chat} already; qianshao group assign and label change it")
        group = Group(platform="web", account=ACCOUNT, chat=chat, name=name)
        group.grid_id = shell.find_grid(session, grid).id if grid else None
        _put_labels(group, label or [])
        session.add(group)
        shell.audit(session, "group.add", f"{chat} {_labels(group)}".strip())
        return tuple(value for value in (group.class_label, group.board, group.industry) if value)

    with shell.storage() as (chosen, writer):
        labels = writer.run_now(work)
        room = RoomSeed(chat, name, labels, officers_only="工作" in labels)
        asyncio.run(_with_web(chosen, writer, lambda web: web.seed([room], [])))
    typer.echo(f"group {chat} added; residents join by: qianshao group invite {chat}. Officers find it when they sign in")


@groups.command("assign", context_settings=WITH_MINUS)
def assign(group: GroupName, grid: Annotated[str, typer.Argument(help='Code or name of the grid, or "none".')]) -> None:
    """Say which grid a group belongs to. 把群归到网格。"""

    def work(session: Session) -> str:
        found = shell.find_group(session, group)
        chosen = None if grid == "none" else shell.find_grid(session, grid)
        found.grid_id = chosen.id if chosen else None
        session.add(found)
        shell.audit(session, "group.assign", f"group {found.id} to {chosen.code if chosen else 'no grid'}")
        return f"{found.name}: {chosen.name if chosen else 'no grid'}"

    with shell.storage() as (_, writer):
        typer.echo(writer.run_now(work))


@groups.command("label", context_settings=WITH_MINUS)
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
        shell.audit(session, "group.label", f"group {found.id} {_labels(found)}{_posts(found)}")
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
            shell.note(writer, "group.invitations_end", f"group {found.id}")
            ended = asyncio.run(_with_web(chosen, writer, lambda web: web.revoke_invites(found.chat)))
            typer.echo(f"{ended} invitations ended")
            return
        shell.note(writer, "group.invite", f"group {found.id}")
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


def _posts(group: Group) -> str:
    """What was said about posts, for the audit."""
    cap = "" if group.weekly_cap is None else f" weekly {group.weekly_cap}"
    return f"{cap}{' posts off' if group.posts_off else ''}"


def _labels(group: Group) -> str:
    pairs = (("class", group.class_label), ("board", group.board), ("industry", group.industry))
    return " ".join(f"{kind}:{value}" for kind, value in pairs if value)


async def _with_web(chosen: Settings, writer: Writer, work: Callable[[WebPlatform], Awaitable[Answer]]) -> Answer:
    """Do something to the web chat's own file; the bot need not run, and may."""
    from bot.app import roster_gate
    from bot.platforms.web import WebPlatform, WebSettings

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
