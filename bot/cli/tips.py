"""Tips from the shell, for officers whose passphrase no chat platform should see."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from sqlmodel import Session

from bot.cli import shell
from bot.cli.shell import Stop
from bot.permissions import Rights
from cases.tips import STATE_NAMES, Line, Listed, TipKeys, Tips, TipState
from storage.media import opened_with
from storage.private import opener
from storage.tables import Officer

tips = typer.Typer(help="Confidential tips, with the officer's own passphrase. 线索。", no_args_is_help=True)

Answer = TypeVar("Answer")

Badge = Annotated[str, typer.Argument(help="Badge number, 工号.")]


@tips.command("passphrase")
def set_passphrase(badge: Badge) -> None:
    """Set or change the passphrase that opens an officer's tips; asked for without showing it. 设口令。"""
    old = typer.prompt("passphrase so far (Enter if there is none)", default="", hide_input=True, show_default=False)
    new = typer.prompt("new passphrase", hide_input=True, confirmation_prompt=True)

    def work(room: Tips, officer: Officer) -> int:
        if old:
            room.unlock(officer, old)
        return room.set_passphrase(officer, new)

    lost = _as_officer(badge, "tip.key", "", work)
    typer.echo(f"{badge}: passphrase set" + (f"; {lost} earlier tips can no longer be opened with this badge" if lost else ""))


@tips.command("list")
def list_tips(badge: Badge) -> None:
    """The tips that an officer may read; their names and states, no words. 列出线索。"""
    passphrase = typer.prompt("passphrase", hide_input=True)

    def work(room: Tips, officer: Officer) -> list[Listed]:
        _open(room, officer, passphrase)
        return room.listed(officer)

    rows = _as_officer(badge, "tip.list", "", work)
    shell.table(
        [(one.designation, STATE_NAMES[TipState(one.state)], f"{one.created_on:%Y-%m-%d}", one.days_left) for one in rows],
        ("name", "state", "received", "days left"),
    )


@tips.command("read")
def read_tip(
    badge: Badge,
    name: Annotated[str, typer.Argument(help="The tip's name, 代号.")],
    pictures: Annotated[Path | None, typer.Option(help="Folder into which its pictures are written, in the clear.")] = None,
) -> None:
    """Open a tip's dialogue; every message read is recorded. 看线索。"""
    passphrase = typer.prompt("passphrase", hide_input=True)

    def work(room: Tips, officer: Officer) -> tuple[list[Line], list[tuple[str, bytes]]]:
        _open(room, officer, passphrase)
        tip = room.find(name, officer)
        return room.read(tip, officer), room.pictures(tip, officer) if pictures is not None else []

    lines, files = _as_officer(badge, "tip.read", name, work)
    for line in lines:
        came = f" ({line.pictures} pictures)" if line.pictures else ""
        typer.echo(f"{line.at:%Y-%m-%d} {line.author}: {line.text}{came}")
    if pictures is None:
        return
    pictures.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number, (path, key) in enumerate(files, 1):
        file = pictures / f"{number}.jpg"
        picture = opened_with(key, (shell.settings().bot.data_dir / path).read_bytes())
        with open(file, "wb", opener=opener) as target:
            target.write(picture)
        typer.echo(f"{file}")


def _as_officer(badge: str, action: str, target: str, work: Callable[[Tips, Officer], Answer]) -> Answer:
    """Run `work` as that officer in one transaction, with the right checked and written down as in the chat."""
    with shell.storage() as (chosen, writer):
        keys = TipKeys(chosen.bot.data_dir / "keys", server_held=chosen.tips.server_held_keys)

        def unit(session: Session) -> Answer:
            officer = shell.find_officer(session, badge)
            if not officer.active:
                raise Stop(f"officer {badge} has left; qianshao officer role {badge} --return takes them back")
            Rights(session, officer, "shell", shell.clock()).require_anywhere(action, target=target)
            return work(Tips(session, keys, shell.clock(), timedelta(days=chosen.tips.keep_days)), officer)

        return writer.run_now(unit)


def _open(room: Tips, officer: Officer, passphrase: str) -> None:
    """Only with a passphrase: whoever sits at the server is not yet the officer."""
    if not room.has_passphrase(officer):
        raise Stop("this officer has no passphrase; set one with: qianshao tip passphrase BADGE")
    room.unlock(officer, passphrase)
