"""The command line: `qianshao`, same as `python -m bot`.

What a person can mend is told in one or two sentences that end with the next step; a traceback is a bug of ours. Whatever a
running bot has to see goes through the database, so every command works beside it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator

import typer

from bot.cli import district, groups, house, knowledge, planned, posts, reading, roster, routing, shell, tips, trust
from bot.cli.shell import Stop
from bot.errors import ConfigError
from content.desk import DeskError
from content.refusal import Refusal
from content.taxonomy import TaxonomyError
from content.workdays import WorkdaysError
from storage.database import DatabaseProblem
from storage.writer import StorageUnavailable

app = typer.Typer(
    name="qianshao",
    help="Qianshao (前哨), the group-chat bot for neighbourhood grids. 邻里群里的前哨：有人报事，它登记、转办、回访。",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.callback()(shell.options)
house.register(app)
reading.register(app)
trust.register(app)
app.add_typer(posts.posts, name="post")
posts.posts.command("calendar")(planned.calendar)
app.add_typer(planned.schedules, name="schedule")
app.add_typer(roster.officers, name="officer")
app.add_typer(groups.groups, name="group")
app.add_typer(district.grids, name="grid")
app.add_typer(district.units, name="unit")
app.add_typer(routing.routes, name="route")
app.add_typer(tips.tips, name="tip")
app.add_typer(knowledge.content, name="content")


def main() -> None:
    """The entry point of the console script."""
    os.umask(0o077)  # what a library writes, as an index of its own, is for the owner alone, too
    try:
        app(prog_name="qianshao")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # whoever read our output has had enough; closing stdout must not complain either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except BaseExceptionGroup as group:
        known = [sentence for error in _leaves(group) if (sentence := _sentence(error))]
        if not known:
            raise
        _fail("\n".join(known))
    except Exception as error:
        known_sentence = _sentence(error)
        if known_sentence is None:
            raise
        _fail(known_sentence)


def _fail(text: str) -> None:
    typer.echo(f"error: {text}", err=True)
    sys.exit(1)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _sentence(error: BaseException) -> str | None:
    """What to tell the person at the terminal, or None when it is a bug."""
    if isinstance(error, Refusal):
        return shell.refusal_text(error)
    if isinstance(error, StorageUnavailable):
        said = " ".join(str(error).split()).rstrip(" .?")
        return f"the database did not answer: {said}. Look whether it runs, its disk is full or it is held, and try again."
    if isinstance(error, ConfigError | DatabaseProblem | Stop | TaxonomyError | DeskError | WorkdaysError):
        return str(error)
    if isinstance(error, PermissionError) or (
        isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EROFS, errno.EDQUOT)
    ):
        return (
            f"{error.filename or 'a file'}: {error.strerror}. Run this as the user who runs the bot, and look whether its disk "
            "is full or can only be read"
        )
    return None
