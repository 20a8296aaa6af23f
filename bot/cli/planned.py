"""What comes by itself, from the shell: the schedules, what is due when, and the recurring themes of the year."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from sqlmodel import col, select

from bot.cli import shell
from bot.occurrences import due_after
from content.calendar import Calendar
from content.posts import PostLibrary
from storage.tables import Occurrence

schedules = typer.Typer(help="Schedules: what is due when, and what became of it. 定时推送。", no_args_is_help=True)


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


def calendar(days: Annotated[int, typer.Argument(min=1, max=730, help="How many days ahead.")] = 90) -> None:
    """The recurring themes of the coming days, with their posts. 日历。"""
    chosen = shell.settings()
    today = shell.clock().astimezone(chosen.bot.zone).date()
    library = PostLibrary.load(shell.CONTENT / "posts")
    found = Calendar.load(shell.CONTENT / "calendar.toml", library.posts)
    themes = [
        (span.starts, span.ends, theme)
        for theme in found.themes
        if (span := theme.next_from(today)) is not None and (span.starts - today).days <= days
    ]
    coming = sorted(themes, key=lambda row: (row[0], row[2].key))
    rows = []
    for starts, ends, theme in coming:
        ready = sum(library.posts[slug].why_not(max(today, starts)) is None for slug in theme.posts)
        season = "only then" if theme.only else ""
        rows.append((starts, ends, theme.key, theme.name, f"{ready} of {len(theme.posts)}", season))
    shell.table(rows, ("from", "to", "theme", "name", "posts ready", "rotation"))
    for broken in found.broken:
        typer.echo(f"broken: {broken}", err=True)
