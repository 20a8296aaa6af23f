"""Things to do later, as rows: found when due, done once, each in a transaction of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import bindparam
from sqlalchemy.orm import SessionTransaction
from sqlmodel import Session, col, select

from bot.clock import Clock
from storage.tables import Timer
from storage.writer import StorageUnavailable, Writer

log = structlog.get_logger(__name__)

MOST_TRIES = 3
TRY_AGAIN_AFTER = timedelta(seconds=30)
_BY_KEY = select(Timer).where(Timer.kind == bindparam("kind"), Timer.key == bindparam("key"))


@dataclass(frozen=True, slots=True)
class Due:
    """A timer whose time has come."""

    kind: str
    key: str
    data: dict[str, str]


def given_up(kind: str) -> str:
    """The kind of timer whose handler is called when one of `kind` has failed for the last time."""
    return f"{kind}.given_up"


class Timers:
    """The timers as one turn sets them. A second timer of the same kind and key moves the first."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._session = session
        self._now = now
        self.changed = False
        self._set: dict[tuple[str, str], Timer] = {}  # what was set in …
        self._within: SessionTransaction | None = None  # … this savepoint; one that is taken back takes them along

    def after(self, wait: timedelta, kind: str, key: str, /, **data: str) -> None:
        """In `wait` from now, call the handler of `kind` with `key` and `data`."""
        row = self._row(kind, key) or Timer(kind=kind, key=key, due_at=self._now)
        row.due_at, row.data, row.tries = self._now + wait, json.dumps(data, ensure_ascii=False), 0
        self._session.add(row)
        self._set[kind, key] = row
        self.changed = True

    def cancel(self, kind: str, key: str) -> None:
        """Forget it; nothing happens when there is none."""
        row = self._row(kind, key)
        if row is not None:
            self._session.flush()
            self._session.delete(row)
            self._session.flush()
            self._set.pop((kind, key), None)

    def waits(self, kind: str, key: str) -> bool:
        """Whether such a timer is set."""
        return self._row(kind, key) is not None

    def _row(self, kind: str, key: str) -> Timer | None:
        within = self._session.get_nested_transaction()
        if within is not self._within:
            self._set.clear()
            self._within = within
        known = self._set.get((kind, key))
        if known is not None:
            return known
        with self._session.no_autoflush:  # what was set and is not written yet is known
            return self._find(kind, key)

    def _find(self, kind: str, key: str) -> Timer | None:
        return self._session.exec(_BY_KEY, params={"kind": kind, "key": key}).first()


class TimerLoop:
    """Wakes when the earliest timer is due and runs it on the writer."""

    def __init__(
        self,
        writer: Writer,
        clock: Clock,
        run: Callable[[Session, Due], Callable[[], None]],
        give_up: Callable[[Session, Due], Callable[[], None]] | None = None,
    ) -> None:
        """`run` does the work inside the transaction and gives back what is to be done after the commit; `give_up` does the same
        for a timer that has failed three times, so that whoever waits for it hears that it will not come."""
        self._writer = writer
        self._clock = clock
        self._run = run
        self._give_up = give_up
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look again: a timer was set or moved."""
        self._wake.set()

    async def run(self) -> None:
        """Serve timers until cancelled."""
        while True:
            self._wake.clear()
            try:
                next_due = await self.run_due()
            except StorageUnavailable:
                next_due = self._clock() + timedelta(seconds=1)
            await self._clock.wait(next_due, self._wake)

    async def run_due(self) -> datetime | None:
        """Run everything that is due; return when the next one is."""
        while True:
            now = self._clock()
            row = await self._writer.read(
                lambda session: session.exec(select(Timer).order_by(col(Timer.due_at)).limit(1)).first()
            )
            if row is None or row.due_at > now:
                return row.due_at if row else None
            await self._run_one(row.id or 0, now)

    async def _run_one(self, timer_id: int, now: datetime) -> None:
        def work(session: Session) -> Callable[[], None] | None:
            row = session.get(Timer, timer_id)
            if row is None or row.due_at > now:
                return None
            due = Due(row.kind, row.key, json.loads(row.data))
            session.delete(row)
            session.flush()
            return self._run(session, due)

        try:
            afterwards = await self._writer.run(work)
        except StorageUnavailable:
            raise
        except Exception as problem:
            log.error("timer_failed", problem=type(problem).__name__, exc_info=problem)
            lost = await self._writer.run(lambda session: _put_off(session, timer_id, now))
            if lost is None:
                return
            afterwards = await self._tell_lost(lost)
        if afterwards is not None:
            afterwards()

    async def _tell_lost(self, due: Due) -> Callable[[], None] | None:
        """The timer is gone by now: whatever goes wrong here, it blocks nothing."""
        give_up = self._give_up
        if give_up is None:
            return None
        try:
            return await self._writer.run(lambda session: give_up(session, due))
        except StorageUnavailable:
            raise
        except Exception as problem:
            log.error("timer_not_given_up", problem=type(problem).__name__, exc_info=problem)
            return None


def _put_off(session: Session, timer_id: int, now: datetime) -> Due | None:
    """After three failures a timer is given up, so that it cannot block the ones behind it; returns what it was then."""
    row = session.get(Timer, timer_id)
    if row is None:
        return None
    row.tries += 1
    if row.tries >= MOST_TRIES:
        session.delete(row)
        return Due(row.kind, row.key, json.loads(row.data))
    row.due_at = now + TRY_AGAIN_AFTER
    session.add(row)
    return None
