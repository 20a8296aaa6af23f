"""Running the bot, and keeping a copy of what it holds."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.checking import check, port_problem
from bot.cli.shell import clock, note, settings, storage
from bot.errors import ConfigError
from bot.logs import set_up_logs
from bot.roles import WEB, Duties, Role


def register(app: typer.Typer) -> None:
    """Put the commands into the application."""
    app.command()(run)
    app.command()(check)
    app.command()(backup)
    app.command()(restore)


def run(
    role: Annotated[
        list[Role] | None,
        typer.Option(help="What this node does; may be given several times. Anything but all needs PostgreSQL."),
    ] = None,
    node: Annotated[
        str, typer.Option(help="This node's name, its own among all nodes of the database; default: the host's.")
    ] = "",
    new_keys: Annotated[
        bool, typer.Option("--new-keys", help="Go on without keys that are lost for good; what they sealed stays closed.")
    ] = False,
) -> None:
    """Start the bot and serve until Ctrl+C. 启动前哨。"""
    from bot.app import check_duties, serve

    chosen = settings()
    duties = Duties(role or (Role.ALL,))
    check_duties(chosen, duties)
    if "/" in node:
        raise ConfigError('--node: a name has no "/" in it')
    set_up_logs(chosen.bot.log_level)
    if duties.connects(WEB) and (problem := port_problem(chosen)):
        raise ConfigError(problem)
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve(chosen, _tell, duties=duties, node=node, new_keys=new_keys))
    else:
        uvloop.run(serve(chosen, _tell, duties=duties, node=node, new_keys=new_keys))


def _tell(url: str) -> None:
    if not url:
        typer.echo("Qianshao is running (Ctrl+C stops it)\n前哨已启动。")
        return
    typer.echo(f"Qianshao is running: {url}   (Ctrl+C stops it)\n前哨已启动，用浏览器打开上面的网址。")


def backup(
    folder: Annotated[Path, typer.Argument(help="Folder for backups; each gets a folder of its own in it, named by time.")],
    keys: Annotated[
        Path | None, typer.Option(help="Folder, on another disk, into which all keys are mirrored; only the newest copy is kept.")
    ] = None,
) -> None:
    """Copy database and photos while the bot runs. Keys and the web rooms' messages stay out. 备份。"""
    from storage.backup import back_up_now
    from storage.key_mirror import back_up_keys

    chosen = settings()
    target = folder / f"{clock():%Y%m%dT%H%M%SZ}"
    made = back_up_now(chosen.database_url, chosen.bot.data_dir / "media", target)
    typer.echo(f"{target}: {sum(made.rows.values())} rows, {len(made.media)} photos")
    if keys is not None:
        typer.echo(f"{keys}: {back_up_keys(chosen.database_url, chosen.bot.data_dir / 'keys', keys)} keys, and the key files")
    else:
        typer.echo("Without the keys nobody reads what is in it: mirror them elsewhere with --keys, at every backup.")


def restore(
    source: Annotated[Path, typer.Argument(help="A backup, as `qianshao backup` named it.")],
    keys: Annotated[
        Path | None, typer.Option(help="The folder of mirrored keys, when database and keys here are lost or another bot's.")
    ] = None,
) -> None:
    """Put a backup in the place of the database and the photos; the bot must not run. 恢复备份。"""
    from storage.backup import restore as put_back
    from storage.migrations import HEAD

    chosen = settings()
    done = put_back(source, chosen.database_url, chosen.bot.data_dir / "media", keys, chosen.bot.data_dir / "keys")
    found = done.manifest
    if found.revision == HEAD:  # an older one stays as it is until a bot is started on it
        with storage() as (_, writer):
            note(writer, "backup.restore", found.made_at)
    typer.echo(f"restored the backup of {found.made_at}: {sum(found.rows.values())} rows, {len(found.media)} photos")
    if done.key_files:
        typer.echo(f"put back into {chosen.bot.data_dir / 'keys'}: {', '.join(done.key_files)}")
    if done.closed:
        typer.echo(
            "There were no keys: what cases and tips say and who brought them stays closed. Before the bot is started, restore "
            "once more with --keys FOLDER, the folder of `qianshao backup --keys`."
        )
