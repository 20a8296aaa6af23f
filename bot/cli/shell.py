"""What every command shares: the settings, the database, the phrases, and how things are found by a short name."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from sqlmodel import Session, col, or_, select

from bot.campaigns import Campaigns, PostRules
from bot.clock import Clock
from bot.config import Settings, load_settings
from bot.logs import set_up_logs
from content.calendar import Calendar
from content.phrases import PhraseBook
from content.posts import PostLibrary
from content.refusal import Refusal
from storage import audit as chain
from storage.tables import Counter, Grid, Group, Officer, Unit
from storage.writer import Writer

CONTENT = Path(__file__).resolve().parents[2] / "content"

LONGEST_CODE, LONGEST_NAME = 40, 64  # characters

clock = Clock()
_config: list[Path | None] = [None]


class Stop(Exception):
    """The command cannot go on. The text says why and what to do next."""


def options(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Settings file; config.toml here if left out.")] = None,
) -> None:
    """Options of every command."""
    _config[0] = config


def settings() -> Settings:
    """The settings of this call."""
    return load_settings(_config[0], os.environ)


def config_file() -> Path | None:
    """The file that was named, if one was."""
    return _config[0]


@contextlib.contextmanager
def storage(level: str = "error") -> Iterator[tuple[Settings, Writer]]:
    """Settings and an open database; warnings of ours stay off the terminal unless they are errors."""
    from bot.app import open_database

    chosen = settings()
    set_up_logs(level)
    writer = open_database(chosen.database_url)
    try:
        yield chosen, writer
    finally:
        writer.close()


@functools.cache
def phrases() -> PhraseBook:
    """Our phrases."""
    return _phrases(CONTENT / "phrases")


_phrases = functools.cache(PhraseBook.load)  # it takes longer than everything else that a command does
_library = functools.cache(PostLibrary.load)


def campaigns(session: Session, chosen: Settings) -> Campaigns:
    """Posts inside one transaction."""
    library = _library(CONTENT / "posts")
    calendar = Calendar.load(CONTENT / "calendar.toml", library.posts)
    return Campaigns(session, clock(), library, phrases(), PostRules.of(chosen), calendar)


def audit(session: Session, action: str, target: str) -> None:
    """Write down what an operator did; there is no officer behind a shell."""
    chain.append(session, at=clock(), officer_id=None, platform="shell", action=action, target=target)


def note(writer: Writer, action: str, target: str) -> None:
    """The same for what does not happen in the database, before it is done."""
    writer.run_now(lambda session: audit(session, action, target))


# refusals whose next step is a command of the chat, in the terminal's own
IN_TERMINAL = {
    "posts.no_campaign": "there is no campaign {number}; qianshao post status shows the last ten",
    "posts.nothing_to_stop": "no campaign is under way; qianshao post status shows the last ten",
    "posts.not_halted": "campaign {number} has not halted; qianshao post status {number} shows how far it is",
    "posts.already_over": "campaign {number} is over, {sent} groups have it; to mend it: qianshao post correct {number} TEXT",
}


def refusal_text(refusal: Refusal) -> str:
    """What a refusal says, for the terminal."""
    if refusal.phrase == "posts.already_over" and not refusal.values.get("sent"):
        return "campaign {number} is over, and no group has it; there is nothing to mend".format_map(refusal.values)
    if (own := IN_TERMINAL.get(refusal.phrase)) is not None:
        return own.format_map(refusal.values)
    book = phrases()
    return book.say(refusal.phrase, **refusal.values) if refusal.phrase in book else f"{refusal.phrase} {refusal.values}"


def note_sample(writer: Writer, chosen: Settings) -> None:
    """Say so when a real district is about to be put into the sample one, in which anybody may be anybody."""
    if writer.read_now(lambda session: session.get(Counter, "demo")) is not None:
        typer.echo(
            f"note: {chosen.bot.data_dir} holds the sample district, and its page goes on letting anybody be anybody. For a "
            "real one: stop the bot and move that folder away, or set another bot.data_dir",
            err=True,
        )


def short_code(text: str, what: str) -> str:
    """A code that others have to type: a grid's, a unit's. Stop when it is none."""
    if not (code := text.strip()) or len(code) > LONGEST_CODE or any(character.isspace() for character in code):
        raise Stop(f"{text!r} is no {what}: write 1 to {LONGEST_CODE} characters without blanks, such as G1")
    return code


def readable_name(text: str, what: str) -> str:
    """A name that people read: one line. Stop when it is none."""
    if not (name := text.strip()) or len(name) > LONGEST_NAME or not name.isprintable():
        raise Stop(f"{text!r} is no {what}: write one line of 1 to {LONGEST_NAME} characters")
    return name


def find_group(session: Session, words: str) -> Group:
    """The group with this chat id or name; Stop when there is none, or more than one."""
    found = session.exec(select(Group).where(or_(col(Group.chat) == words, col(Group.name) == words))).all()
    return _only(found, f"group {words!r}", "qianshao group list shows them")


def find_grid(session: Session, words: str) -> Grid:
    """The grid with this code or name."""
    found = session.exec(select(Grid).where(or_(col(Grid.code) == words, col(Grid.name) == words))).all()
    return _only(found, f"grid {words!r}", "qianshao grid list shows them, qianshao grid add makes one")


def find_unit(session: Session, words: str) -> Unit:
    """The unit with this code or name."""
    found = session.exec(select(Unit).where(or_(col(Unit.code) == words, col(Unit.name) == words))).all()
    return _only(found, f"unit {words!r}", "qianshao unit list shows them, qianshao unit add makes one")


def find_officer(session: Session, badge: str) -> Officer:
    """The officer with this badge, active or not."""
    found = session.exec(select(Officer).where(Officer.badge == badge.strip().upper())).all()
    return _only(found, f"officer {badge!r}", "qianshao officer list shows them, qianshao officer add makes one")


def table(rows: Sequence[Sequence[object]], head: Sequence[str]) -> None:
    """Print rows in columns; a full-width character counts as two."""
    texts = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(_width(row[column]) for row in texts) for column in range(len(head))]
    for row in texts:
        typer.echo("  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip())
    if not rows:
        typer.echo("(none)")


def _width(text: str) -> int:
    return sum(2 if ord(character) > 0x2E7F else 1 for character in text)


Row = TypeVar("Row")


def _only(found: Sequence[Row], what: str, advice: str) -> Row:
    if len(found) == 1:
        return found[0]
    raise Stop(f"there is no {what}; {advice}" if not found else f"{what} is not the only one of that name; {advice}")
