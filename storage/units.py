"""Units of work on their way through the writer: what is to be done, how it went, and whom that is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

from sqlmodel import Session

from storage.engine import is_fatal

Outcome = tuple[bool, Any]  # (true, result) or (false, exception)

MOST_IN_ONE_INSERT = 64  # rows; a statement is prepared for each number of them


class StorageUnavailable(Exception):
    """The database could not commit (locked too long, disk full, gone). Nothing of the unit of work was kept."""


@dataclass(slots=True)
class Unit:
    """One unit of work and where its answer goes. A unit with `sql` is a single statement that needs no session."""

    work: Callable[[Session], Any] | None
    sql: str
    row: Sequence[object]
    answer: asyncio.Future[Any] | Future[Any]
    loop: asyncio.AbstractEventLoop | None


def fatal_in(problem: BaseException) -> BaseException | None:
    """What ended the whole transaction, if it was that: on a full disk SQLite rolls back by itself, and the rollback of a session
    then complains only of a savepoint that is gone."""
    seen: BaseException | None = problem
    while seen is not None and not is_fatal(seen):
        seen = seen.__context__
    return seen


def alike(batch: list[Unit]) -> Iterator[tuple[str, list[Sequence[object]]]]:
    """Rows for one statement that follow one another, so many at a time."""
    for sql, units in groupby(batch, attrgetter("sql")):
        while rows := [unit.row for unit in islice(units, MOST_IN_ONE_INSERT)]:
            yield sql, rows


def hand_out(batch: list[Unit], outcomes: Sequence[Outcome]) -> None:
    """Give every caller its outcome; all callers of one event loop are woken by one call."""
    if len(batch) == 1 and batch[0].loop is not None:
        with contextlib.suppress(RuntimeError):
            batch[0].loop.call_soon_threadsafe(resolve, [(batch[0].answer, *outcomes[0])])
        return
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], bool, Any]]] = {}
    for unit, (ok, result) in zip(batch, outcomes, strict=True):
        if isinstance(unit.answer, Future):
            unit.answer.set_result(result) if ok else unit.answer.set_exception(result)
        elif unit.loop is not None:
            by_loop.setdefault(unit.loop, []).append((unit.answer, ok, result))
    for loop, answers in by_loop.items():
        # a loop that has stopped has nobody left who waits
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(resolve, answers)


def resolve(answers: list[tuple[Any, bool, Any]]) -> None:
    """In the event loop: (future, whether it went well, result or exception), for whoever still waits."""
    for future, ok, result in answers:
        if not future.done():
            future.set_result(result) if ok else future.set_exception(result)
