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
from sqlmodel import Session, col, func, select

from bot.clock import Clock
from storage.tables import Timer
from storage.writer import StorageUnavailable, Writer

log = structlog.get_logger(__name__)

MOST_TRIES = 3
TRY_AGAIN_AFTER = timedelta(seconds=30)  # doubled at every failure …
LONGEST_WAIT = timedelta(hours=1)  # … up to this
_BY_KEY = select(Timer).where(Timer.kind == bindparam("kind"), Timer.key == bindparam("key"))


@dataclass(frozen=True, slots=True)
class Due:
    """A timer whose time has come."""

    kind: str
    key: str
    data: dict[str, str]


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What was done about a timer that has failed too often: `over` takes it away; else it stays and is tried now and then."""

    over: bool
    afterwards: Callable[[], None]


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
        give_up: Callable[[Session, Due, int], GivenUp] | None = None,
    ) -> None:
        """`run` does the work inside the transaction and gives back what is to be done after the commit; `give_up` does the same
        at each failure from the third on, with their number, so that somebody hears of it."""
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
            afterwards = await self._fail(timer_id, now, problem)
        if afterwards is not None:
            afterwards()

    async def _fail(self, timer_id: int, now: datetime, problem: Exception) -> Callable[[], None] | None:
        """It is put off, and somebody hears of it, in one transaction: whoever is killed in between has done neither. What goes
        wrong with the telling does not keep it from being put off, so that it blocks nobody."""
        try:
            failed, afterwards = await self._writer.run(lambda session: self._put_off_and_tell(session, timer_id, now))
        except StorageUnavailable:
            raise
        except Exception as trouble:
            failed, afterwards = await self._writer.run(lambda session: _put_off(session, timer_id, now)), None
            log.error("timer_not_told", problem=type(trouble).__name__, exc_info=trouble)
        kind, tries = (failed[0].kind, failed[1]) if failed else ("", 0)
        log.error("timer_failed", kind=kind, tries=tries, problem=type(problem).__name__, exc_info=problem)
        return afterwards

    def _put_off_and_tell(
        self, session: Session, timer_id: int, now: datetime
    ) -> tuple[tuple[Due, int] | None, Callable[[], None] | None]:
        failed = _put_off(session, timer_id, now)
        if failed is None or failed[1] < MOST_TRIES or self._give_up is None:
            return failed, None
        told = self._give_up(session, *failed)
        row = session.get(Timer, timer_id)
        if told.over and row is not None:
            session.delete(row)
        return failed, told.afterwards


def _put_off(session: Session, timer_id: int, now: datetime) -> tuple[Due, int] | None:
    """What failed is tried again after a while that grows, so that it cannot block the ones behind it: what it is, and how often
    it has failed by now. Nothing is thrown away: what a mistake of ours held up is done as soon as the mistake is mended."""
    row = session.get(Timer, timer_id)
    if row is None:
        return None
    row.tries += 1
    row.due_at = now + min(LONGEST_WAIT, TRY_AGAIN_AFTER * 2 ** min(row.tries - 1, 16))
    session.add(row)
    return Due(row.kind, row.key, json.loads(row.data)), row.tries


def failing(session: Session) -> dict[str, int]:
    """How many timers of each kind have failed so often that somebody was told, and wait to be tried again."""
    found = session.exec(select(Timer.kind, func.count()).where(Timer.tries >= MOST_TRIES).group_by(Timer.kind))
    return dict(found.all())
