"""Posts and schedules from the shell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlmodel import Session, col, select

from bot.campaigns import Plan, Request, finish_campaigns
from bot.cli import shell
from bot.cli.shell import Stop
from bot.occurrences import due_after
from content.posts import PostLibrary, category_of
from storage.tables import Campaign, Occurrence

posts = typer.Typer(help="Posts: list, preview, send, stop. 推送。", no_args_is_help=True)
schedules = typer.Typer(help="Schedules: what is due when, and what became of it. 定时推送。", no_args_is_help=True)

What = Annotated[str, typer.Argument(help="A category (反诈, antifraud) or a post (slug, file name or title).")]
To = Annotated[
    list[str] | None, typer.Option("--to", help="Label, grid, or class of groups, e.g. 综合 or grid:GX01; repeatable.")
]
All = Annotated[bool, typer.Option("--all", help="Every group.")]


@posts.command("list")
def list_posts(category: Annotated[str | None, typer.Argument(help="Only this category.")] = None) -> None:
    """Every post with its state. 列出所有推送。"""
    folder = category_of(category) if category else None
    if category and folder is None:
        raise Stop(f"{category!r} is no category; qianshao post list without an argument shows all")
    today = datetime.now(UTC).date()
    library = PostLibrary.load(shell.CONTENT / "posts")
    rows = [
        (post.slug, post.why_not(today) or "ready", post.expires_on, post.title)
        for post in library.posts.values()
        if folder in (None, post.category)
    ]
    shell.table(rows, ("post", "state", "until", "title"))
    for broken in library.broken:
        typer.echo(f"broken: {broken}", err=True)


@posts.command("preview")
def preview(what: What, to: To = None) -> None:
    """What would be sent now, to whom, and one group's text; nothing is sent. 预览。"""

    def work(session: Session) -> tuple[Plan, str, str]:
        campaigns = shell.campaigns(session, chosen)
        plan = campaigns.plan(Request(campaigns.resolve(what), campaigns.labels(to or []), "shell"))
        first = next((planned for planned in plan.groups if planned.post), None)
        if first is None or first.post is None:
            return plan, "", ""
        return plan, first.meant.name, campaigns.text(first.post, first.meant)

    with shell.storage() as (chosen, writer):
        plan, group, text = writer.read_now(work)
    if text:
        typer.echo(f"--- {group}\n{text}\n---")
    _tell_plan(plan, "would get")


@posts.command("send")
def send(what: What, to: To = None, everybody: All = False) -> None:
    """Send a post to groups by label; a running bot takes it from the database within seconds. 发送。"""
    if bool(to) == everybody:
        raise Stop("say to whom: --to LABEL (repeatable), or --all; qianshao group list shows the labels")

    def work(session: Session) -> tuple[int, Plan]:
        campaigns = shell.campaigns(session, chosen)
        campaign, plan = campaigns.send(Request(campaigns.resolve(what), campaigns.labels(to or []), "shell"))
        return campaign.id or 0, plan

    with shell.storage() as (chosen, writer):
        number, plan = writer.run_now(work)
    typer.echo(f"campaign {number}: {', '.join(post.slug for post in plan.posts) or 'nothing'}")
    _tell_plan(plan, "get")
    if not plan.sent:
        raise typer.Exit(1)


@posts.command("stop")
def stop(number: Annotated[int | None, typer.Argument(help="Campaign; the newest if left out.")] = None) -> None:
    """Stop a campaign: what is not sent yet is not sent. 停止。"""

    def work(session: Session) -> tuple[int, int]:
        campaign, cancelled = shell.campaigns(session, chosen).stop(number)
        return campaign.id or 0, cancelled

    with shell.storage() as (chosen, writer):
        stopped, cancelled = writer.run_now(work)
    typer.echo(f"campaign {stopped}: {cancelled} groups will not get it")


@posts.command("status")
def status(number: Annotated[int | None, typer.Argument(help="Campaign; the last ten if left out.")] = None) -> None:
    """How far campaigns are. 进度。"""

    def work(session: Session) -> list[tuple[object, ...]]:
        finish_campaigns(session)
        wanted = select(Campaign).order_by(col(Campaign.id).desc()).limit(10)
        found = session.exec(wanted if number is None else wanted.where(Campaign.id == number)).all()
        campaigns = shell.campaigns(session, chosen)
        rows: list[tuple[object, ...]] = []
        for campaign in found:
            progress = campaigns.progress(campaign)
            sent, waiting = progress.notices.get("sent", 0), progress.open
            other = {state: count for state, count in progress.notices.items() if state in ("unknown", "dead", "cancelled")}
            left_out = {**other, **progress.skipped}
            why = ", ".join(f"{reason} {count}" for reason, count in left_out.items())
            rows.append((campaign.id, campaign.state, campaign.post, campaign.origin, sent, waiting, why))
        return rows

    with shell.storage() as (chosen, writer):
        rows = writer.run_now(work)
    if number is not None and not rows:
        raise Stop(f"there is no campaign {number}; qianshao post status shows the last ten")
    shell.table(rows, ("campaign", "state", "post", "by", "sent", "waiting", "not sent"))


@schedules.command("list")
def list_schedules() -> None:
    """The schedules of config.toml with the next time of each. 列出定时推送。"""
    chosen = shell.settings()
    now, zone = shell.clock(), chosen.bot.zone
    rows = []
    for schedule in chosen.schedules:
        due = due_after(schedule.due_days, schedule.time, zone, now)
        following = f"{due.astimezone(zone):%Y-%m-%d %H:%M}" if due else "never"
        rows.append(
            (
                schedule.name,
                schedule.category,
                schedule.days,
                f"{schedule.time:%H:%M}",
                following,
                " ".join(schedule.labels) or "every group",
            )
        )
    shell.table(rows, ("schedule", "category", "days", "time", f"next ({chosen.bot.timezone})", "to"))


@schedules.command("next")
def next_times(
    count: Annotated[int, typer.Argument(min=1, max=100, help="How many.")] = 5,
    past: Annotated[bool, typer.Option("--past", help="The last ones instead, and what became of them.")] = False,
) -> None:
    """The next due times of all schedules, or the last ones. 接下来几次。"""
    if past:
        _past(count)
        return
    chosen = shell.settings()
    zone, now = chosen.bot.zone, shell.clock()
    coming: list[tuple[datetime, str, str]] = []
    for schedule in chosen.schedules:
        due = due_after(schedule.due_days, schedule.time, zone, now)
        for _ in range(count):
            if due is None:
                break
            coming.append((due, schedule.name, schedule.category))
            due = due_after(schedule.due_days, schedule.time, zone, due)
    rows = [(f"{due.astimezone(zone):%Y-%m-%d %a %H:%M}", name, category) for due, name, category in sorted(coming)[:count]]
    shell.table(rows, (f"due ({chosen.bot.timezone})", "schedule", "category"))


def _past(count: int) -> None:
    with shell.storage() as (chosen, writer):
        found = writer.read_now(
            lambda session: session.exec(
                select(Occurrence).where(Occurrence.state != "due").order_by(col(Occurrence.due_at).desc()).limit(count)
            ).all()
        )
        zone = chosen.bot.zone
    rows = [
        (f"{row.due_at.astimezone(zone):%Y-%m-%d %H:%M}", row.schedule, row.state, row.campaign_id or "", row.reason)
        for row in found
    ]
    shell.table(rows, ("due", "schedule", "state", "campaign", "why"))


def _tell_plan(plan: Plan, verb: str) -> None:
    why = ", ".join(f"{reason.value} {count}" for reason, count in plan.reasons.items())
    typer.echo(f"groups that {verb} it: {plan.sent}" + (f"; left out: {why}" if why else ""))
