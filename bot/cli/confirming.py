"""Exports at the terminal: a named officer's one-time password first, then a delay in which others can cancel (0240).

A terminal that holds the database and the keys cannot be bound by this; whoever uses the tool is, and others know of it in time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import typer
from sqlmodel import Session

from bot.cli import shell
from bot.cli.shell import Stop
from bot.cli.telling import called, voice_of
from bot.config import Settings
from bot.permissions import ACTIONS, Rights
from cases.pending import PendingActions, PendingRules, PendingState, payload_of
from cases.roster import Roster
from cases.totp import Totp, read_code
from handlers.asking import concerned
from storage.sealing import Sealer
from storage.tables import Officer, PendingAction
from storage.writer import Writer


class NoWaker:
    """Nothing wakes up for what is fetched at the terminal."""

    def after(self, wait: timedelta, kind: str, key: str, /, **data: str) -> None:
        """Nothing."""

    def cancel(self, kind: str, key: str) -> None:
        """Nothing."""


def confirm_export(
    writer: Writer, chosen: Settings, kind: str, target: int, about: str, *, by: str | None, number: int | None
) -> bool:
    """Whether the export may be made in this call. With `by` the officer's one-time password is asked for and the export waits;
    with `number` it is the one that has waited. With neither it may be only where no officer has a one-time password yet.

    Raises Stop with what is to be done next, Refusal for a code or a right that is missing.
    """
    if number is not None:
        writer.run_now(lambda session: _take(session, chosen, kind, target, number))
        return True
    if by is not None:
        code = typer.prompt(f"one-time password of {by.strip().upper()}", hide_input=True)
        taken = writer.run_now(lambda session: _ask(session, chosen, kind, target, about, by, code))
        if not taken:
            raise Stop("that code is wrong, or was used before; wait for the next one and try again")
        typer.echo(taken)
        return False
    if chosen.confirmations.enabled and writer.read_now(lambda session: _somebody_can(session, chosen, kind)):
        raise Stop(
            "an export is confirmed by an officer: add --by BADGE; it asks for the officer's one-time password, "
            "and others can cancel it before it is made"
        )
    writer.run_now(lambda session: _tell(session, chosen, kind, None, "confirm.shell.exported", about=about))
    return True


def _ask(session: Session, chosen: Settings, kind: str, target: int, about: str, badge: str, code: str) -> str:
    """What to do next; empty for a wrong code."""
    officer = shell.find_officer(session, badge)
    rights = Rights(session, officer if officer.active else None, "shell", shell.clock())
    rights.require_anywhere(kind, target=about)
    totp = _totp(session, chosen)
    if not totp.take(officer, read_code(code)):
        rights.audit("pending.confirm", target=officer.badge, allowed=False, reason="confirm.wrong_code")
        return ""  # a refusal would take the count of wrong codes back
    pending = _pending(session, chosen)
    row = pending.ask(kind, officer, "shell", about=about, scope="", payload={"target": target})
    zone = chosen.bot.zone
    at = pending.confirm(row).astimezone(zone)
    _tell(
        session,
        chosen,
        kind,
        officer,
        "confirm.told",
        number=row.id,
        about=about,
        scope="",
        who=called(officer),
        at=f"{at:%H:%M}",
    )
    voice_of(session, chosen, "waits").to_officers([officer], "confirm.shell.waits", number=row.id, about=about, at=f"{at:%H:%M}")
    return (
        f"number {row.id}: it can be cancelled in the chat until {at:%H:%M} (/取消 {row.id}); "
        f"after that make the same call with --confirmed {row.id} instead of --by"
    )


def _take(session: Session, chosen: Settings, kind: str, target: int, number: int) -> None:
    pending = _pending(session, chosen)
    row = pending.get(number)
    if row.kind != kind or (row.state == PendingState.CONFIRMED and payload_of(row).get("target") != target):
        raise Stop(f"number {number} is about something else: {row.about}")
    if row not in pending.open() or row.state != PendingState.CONFIRMED:
        raise Stop(f"number {number} is over ({row.state}); ask again with --by BADGE")
    if pending.due(number) is None:
        raise Stop(f"number {number} waits until {_clock(row, chosen.bot.zone)}; it can be cancelled until then")
    officer = Roster(session, shell.clock()).get(row.officer_id)
    rights = Rights(session, officer if officer is not None and officer.active else None, "shell", shell.clock())
    rights.require_anywhere(kind, target=f"pending {number}")
    about = row.about
    pending.done(row)
    _tell(session, chosen, kind, None, "confirm.shell.exported", about=about)


def _somebody_can(session: Session, chosen: Settings, kind: str) -> bool:
    roster, totp = Roster(session, shell.clock()), _totp(session, chosen)
    return any(totp.enrolled(officer) for role in ACTIONS[kind] for officer in roster.with_role(role))


def _tell(session: Session, chosen: Settings, kind: str, asker: Officer | None, phrase: str, **values: Any) -> None:
    """Whoever is concerned hears of it, `asker` excepted."""
    told = concerned(kind, asker, Roster(session, shell.clock()))
    voice_of(session, chosen, "export").to_officers(told, phrase, **values)


def _totp(session: Session, chosen: Settings) -> Totp:
    return Totp(session, Sealer(chosen.bot.data_dir / "keys" / "totp.key"), shell.clock(), chosen.bot.name)


def _pending(session: Session, chosen: Settings) -> PendingActions:
    wanted = chosen.confirmations
    rules = PendingRules(wanted.enabled, wanted.delay(demo=chosen.bot.demo is True), wanted.over_groups)
    return PendingActions(session, shell.clock(), rules, NoWaker())


def _clock(row: PendingAction, zone: ZoneInfo) -> str:
    return f"{row.runs_at.astimezone(zone):%H:%M}" if row.runs_at is not None else ""
