"""Retention and the audit from the shell."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import Session, col, select

from bot.cli import shell
from bot.cli.shell import Stop
from bot.tidy import Tidy
from cases.retention import Retention, Terms
from cases.tips import TipKeys, Tips
from storage import audit, plain_photos
from storage.private import opener
from storage.tables import Audit, Officer

audits = typer.Typer(help="Who did or read what; every line is chained to the one before. 审计。", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Put the commands into the application."""
    app.command()(erase)
    app.add_typer(audits, name="audit")


def erase(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would end now; change nothing.")] = False,
) -> None:
    """End what has been kept long enough: cases, tips, photos, notices; seal photos that lie open from before photos were sealed.
    A running bot does so every six hours. 到期清理。"""
    import asyncio

    with shell.storage() as (chosen, writer):
        keys = TipKeys(chosen.bot.data_dir / "keys", server_held=chosen.tips.server_held_keys)

        def keeper(session: Session, now: object) -> Retention:  # noqa: ARG001
            tips = Tips(session, keys, shell.clock(), timedelta(days=chosen.tips.keep_days))
            return Retention(session, shell.clock(), Terms(**chosen.retention.terms), tips)

        if dry_run:
            ended = writer.read_now(lambda session: keeper(session, None).look())
            unsealed = writer.read_now(plain_photos.count)
        else:
            tidy = Tidy(writer, shell.clock, chosen.bot.data_dir, keeper)
            ended = asyncio.run(tidy.round()).ended  # type: ignore[attr-defined]
            unsealed = asyncio.run(tidy.seal_photos())
            shell.note(writer, "retention.erase", f"{sum(one.count for one in ended)} ended, {unsealed} sealed")
    shell.table([(one.name, one.count) for one in ended], ("what", "would end now" if dry_run else "ended"))
    typer.echo(f"photos that lie unsealed: {unsealed}" if dry_run else f"photos sealed that lay open: {unsealed}")


@audits.command("verify")
def verify(
    anchor: Annotated[list[str] | None, typer.Option(help="LINE:HASH as `qianshao audit anchor` printed it; repeatable.")] = None,
) -> None:
    """Recompute the whole chain; ends with 1 when something was changed, dropped, put in or moved. 核对。"""
    try:
        noted = [audit.Anchor.read(text) for text in anchor or ()]
    except ValueError as problem:
        raise Stop(str(problem)) from problem
    with shell.storage() as (_, writer):
        problems, end = writer.read_now(lambda session: (audit.verify(session, noted), audit.anchor(session)))
    for found in problems:
        typer.echo(f"problem  {found}")
    if problems:
        raise typer.Exit(1)
    typer.echo(f"ok       {end.line} lines, unbroken, up to {end}")


@audits.command("anchor")
def print_anchor(
    into: Annotated[Path | None, typer.Option(help="Append it to this file, on another machine if possible.")] = None,
) -> None:
    """Print how far the audit has come, to be kept elsewhere: whoever rewrites the whole chain cannot rewrite that. 留底。"""
    with shell.storage() as (_, writer):
        end = writer.read_now(audit.anchor)
    typer.echo(str(end))
    if into is not None:
        with open(into, "a", encoding="utf-8", opener=opener) as file:
            file.write(f"{end}\n")


@audits.command("list")
def list_lines(
    most: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the newest lines.")] = 50,
    badge: Annotated[str | None, typer.Option(help="Only of this officer.")] = None,
) -> None:
    """The newest lines. 看记录。"""

    def work(session: Session) -> list[tuple[object, ...]]:
        wanted = select(Audit, Officer.badge).join(Officer, col(Officer.id) == col(Audit.officer_id), isouter=True)
        if badge is not None:
            wanted = wanted.where(Audit.officer_id == shell.find_officer(session, badge).id)
        rows = session.exec(wanted.order_by(col(Audit.line).desc()).limit(most)).all()
        return [
            (
                row.line,
                f"{row.at:%Y-%m-%d %H:%M:%S}",
                who or "",
                row.platform,
                row.action,
                row.target,
                row.reason or "allowed",
            )
            for row, who in reversed(rows)
        ]

    def look(session: Session) -> list[tuple[object, ...]]:
        rows = work(session)
        shell.audit(session, "audit.list", badge or "")  # who looks at whom is a matter of record, too
        return rows

    with shell.storage() as (_, writer):
        rows = writer.run_now(look)
    shell.table(rows, ("line", "at (UTC)", "badge", "platform", "action", "on", "outcome"))
