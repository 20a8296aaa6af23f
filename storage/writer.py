"""The one writer: a thread that owns the only writing connection and commits many units of work together.

Many callers hand over units of work; the writer runs each in a savepoint, commits them with one durable commit and only then
answers. A unit that raises loses its own changes and nobody else's. `synchronous=FULL` and `BEGIN IMMEDIATE` are set here
because NORMAL answers before the disk has it and a deferred transaction that turns into a write fails at once.

On PostgreSQL every node has such a writer, and a lock makes their units follow one another as if there were one (decision 0101);
`traffic` is a second one without the lock, for what is made to run beside others: keeping, claiming and receipts.

A long file, because the thread and the event loop take turns at one connection: the lock, the cursor and who may give up are
read together.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from itertools import chain
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.pool import StaticPool
from sqlmodel import Session

from storage.engine import check_integrity, is_fatal, of_rows, open_engine, percent, prepared, sqlite_version_warning
from storage.failpoints import failpoint
from storage.keyring import detach
from storage.reading import Reader
from storage.units import Outcome, StorageUnavailable, Unit, alike, fatal_in, hand_out, resolve
from storage.watchdog import Watchdog

__all__ = ["StorageUnavailable", "Writer", "check_integrity", "open_engine", "sqlite_version_warning", "take_turn"]

T = TypeVar("T")

MOST_IN_ONE_COMMIT = 512
LOCK_PATIENCE_SECONDS = 20.0
LOCK_RETRY_SECONDS = 0.005
MOST_COMMITTED_HERE = 64  # rows that the event loop commits itself
SLOW_COMMIT_SECONDS = 0.01  # what the event loop bears; a slower commit keeps it out for ASIDE_FACTOR times as long
ASIDE_FACTOR = 20
COMMITS_PER_CHECKPOINT = 500
TURN_LOCK = 7_265_032  # any number of our own
NO_ANSWER_SECONDS = 20.0  # after so long the server of a transaction counts as lost
# the server throws out who holds locks and does nothing: a paused node stops nobody for longer than its lease runs
IDLE_SECONDS = 5.0
LOCK_SECONDS = 15.0
# what runs beside others finds its rows by indexes only: a plan that was kept while a table was counted as empty reads all of
# it for each row until it is counted again (decision 0315); and no such statement is worth compiling
BY_INDEX = "SET enable_seqscan = off; SET jit = off"


class Writer:
    """Runs units of work in order, in one thread, many to a commit."""

    def __init__(self, engine: Engine, *, serial: bool = True) -> None:
        """`serial`: on PostgreSQL, follow the units of all other nodes instead of running beside them."""
        self.engine = engine
        self._serial = serial
        self._owns_engine = True
        self._sqlite = engine.dialect.name == "sqlite"
        self._memory = isinstance(engine.pool, StaticPool)
        self._connection: Connection | None = None
        self._raw: Any = None  # the driver's own connection and cursor below it; SQLAlchemy's proxies cost 30 µs a commit
        self._cursor: Any = None
        self._units: queue.SimpleQueue[list[Unit] | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._turn = threading.Lock()  # who holds it uses the connection
        self._arrivals: list[Unit] = []  # appends of this turn of the event loop
        self._loop: asyncio.AbstractEventLoop | None = None
        self._aside_until = 0.0
        self._commits = 0  # since the last checkpoint
        self._reader = Reader(engine)
        self._watchdog = None if self._sqlite else Watchdog(NO_ANSWER_SECONDS)
        self._thread = threading.Thread(target=self._live, name="writer", daemon=True)
        self._thread.start()

    def traffic(self) -> Writer:
        """A writer on the same database that waits for no node's turn; on SQLite this one. Close it if it is another."""
        if self._sqlite:
            return self
        beside = Writer(self.engine, serial=False)
        beside._owns_engine = False
        return beside

    @property
    def shared(self) -> bool:
        """Whether other nodes may be at work on this database."""
        return not self._sqlite

    async def run(self, work: Callable[[Session], T]) -> T:
        """Run `work` on the writer inside the next commit; return its result once that commit is durable.

        What `work` raises is raised here and undoes its changes alone; StorageUnavailable when nothing could be committed.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._hand_over([Unit(work, "", (), answer, loop)])
        return await answer

    def run_now(self, work: Callable[[Session], T]) -> T:
        """The same for a caller without an event loop (command line, tests)."""
        answer: Future[T] = Future()
        self._hand_over([Unit(work, "", (), answer, None)])
        return answer.result()

    async def append(self, sql: str, row: Sequence[object]) -> bool:
        """Execute one `INSERT … ON CONFLICT DO NOTHING` with `?` for values; true when the row is new.

        The fast way in for events: an append that comes alone while the writer is idle is committed on the spot, which saves two
        changes of thread; as soon as there is company, the writer commits all together.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()
        unit = Unit(None, sql, row, answer, loop)
        if self._loop is not loop:
            # one event loop has the quick way until it is closed; the first append of it, and those of others, go the plain way
            if self._sqlite and not self._memory and (self._loop is None or self._loop.is_closed()):
                self._loop, self._arrivals = loop, []
            self._hand_over([unit])
        else:
            self._arrivals.append(unit)
            if len(self._arrivals) == 1:
                loop.call_soon(self._sort_arrivals)
        return await answer

    def stamp(self, moment: datetime) -> object:
        """A time in UTC as the driver wants it in the row of an append, where SQLAlchemy's types are not asked."""
        return moment.isoformat(" ", "microseconds")[:26] if self._sqlite else moment

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run a unit that only reads in a thread of its own, on one snapshot of what has been committed."""
        if self._memory:
            return await self.run(work)
        return await asyncio.to_thread(self.read_now, work)

    def read_now(self, work: Callable[[Session], T]) -> T:
        """`read` for a caller without an event loop."""
        return self.run_now(work) if self._memory else self._reader.read(work)

    def empty_log(self) -> None:
        """Copy the write-ahead log into the database and empty it, so that what was erased is in no file any more. Blocks."""
        if not self._sqlite or self._memory:
            return
        with self._turn:
            try:
                if self._connection is not None:
                    self._cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.Error:
                self._give_up()

    def close(self) -> None:
        """Finish what was handed over, then stop the thread and the connections."""
        if not self._closed.is_set():
            self._closed.set()
            self._units.put(None)
            self._thread.join()
            if self._watchdog is not None:
                self._watchdog.close()
            if self._owns_engine:
                self._reader.wait(NO_ANSWER_SECONDS)
                detach(self.engine)
                self.engine.dispose()

    def _hand_over(self, units: list[Unit]) -> None:
        if self._closed.is_set():
            raise StorageUnavailable("the storage is closed")
        self._units.put(units)
        if not self._thread.is_alive():  # closed between the two lines above
            self._refuse_rest()

    def _sort_arrivals(self) -> None:
        """In the event loop, once per turn: commit a lone append here, hand over everything else."""
        units, self._arrivals = self._arrivals, []
        if len(units) <= MOST_COMMITTED_HERE and self._units.empty() and not self._closed.is_set() and self._commit_here(units):
            return
        try:
            # one hand-over for all of them: handed over singly, the first would be committed alone while the others wait
            self._hand_over(units)
        except StorageUnavailable as problem:
            hand_out(units, [(False, problem)] * len(units))

    def _commit_here(self, units: list[Unit]) -> bool:
        """Commit without the writer's thread if that needs no waiting; after a slow commit stand aside for a while."""
        began = time.monotonic()
        if self._connection is None or self._commits >= COMMITS_PER_CHECKPOINT or began < self._aside_until:
            return False
        if not self._turn.acquire(blocking=False):
            return False
        try:
            try:
                self._cursor.execute("BEGIN IMMEDIATE")
            except sqlite3.Error:
                return False  # somebody else's lock, or worse: the writer's thread has the patience for it
            try:
                outcomes = self._append(units)
            except BaseException as problem:
                outcomes = self._fail(units, problem)
        finally:
            self._turn.release()
        took = time.monotonic() - began
        if took > SLOW_COMMIT_SECONDS:
            self._aside_until = began + ASIDE_FACTOR * took
        resolve([(unit.answer, *outcome) for unit, outcome in zip(units, outcomes, strict=True)])
        return True

    # --- in the writer's thread -----------------------------------------------------------------------------------

    def _live(self) -> None:
        units = self._units
        while (batch := units.get()) is not None:
            while len(batch) < MOST_IN_ONE_COMMIT and not units.empty():
                following = units.get()
                if following is None:
                    units.put(None)
                    break
                batch = batch + following
            with self._turn:
                outcomes = self._commit(batch)
                if self._watchdog is not None:
                    self._watchdog.rest()
            hand_out(batch, outcomes)
            if self._sqlite and self._commits >= COMMITS_PER_CHECKPOINT:
                self._checkpoint()
        self._refuse_rest()
        if self._connection is not None:
            self._connection.close()

    def _checkpoint(self) -> None:
        """Copy the WAL into the database when nobody waits for an answer, instead of inside every thousandth page's commit."""
        with self._turn:
            self._commits = 0
            try:
                if self._connection is not None:
                    self._cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except sqlite3.Error:
                self._give_up()

    def _refuse_rest(self) -> None:
        while not self._units.empty():
            with contextlib.suppress(queue.Empty):
                units = self._units.get_nowait()
                if units is not None:
                    hand_out(units, [(False, StorageUnavailable("the storage is closed"))] * len(units))

    def _commit(self, batch: list[Unit]) -> list[Outcome]:
        """Run and commit `batch`; every unit's outcome. When the commit fails, nothing of the batch is kept."""
        try:
            connection = self._connection or self._connect()
            if self._watchdog is not None:
                self._watchdog.watch(self._raw.fileno())
            if all(unit.work is None for unit in batch):
                return self._commit_appends(batch)
            self._begin(connection)
            alone = len(batch) == 1
            outcomes = [self._run_one(unit, connection, alone) for unit in batch]
            failpoint("work.before_commit")
            if alone and not outcomes[0][0]:
                self._end(connection, "ROLLBACK")
            else:
                self._end(connection, "COMMIT")
            return outcomes
        except BaseException as problem:
            return self._fail(batch, problem)

    def _fail(self, batch: list[Unit], problem: BaseException) -> list[Outcome]:
        self._give_up()
        reason = f"{type(problem).__name__}: {str(getattr(problem, 'orig', problem))[:200]}"
        return [(False, StorageUnavailable(reason)) for _ in batch]

    def _connect(self) -> Connection:
        self._connection = self.engine.connect()
        self._raw = self._connection.connection.dbapi_connection
        self._cursor = self._raw.cursor()
        if self._sqlite:
            self._cursor.execute("PRAGMA query_only=OFF")
            self._cursor.execute("PRAGMA busy_timeout=0")  # we wait ourselves, and in the writer's thread only
            self._cursor.execute("PRAGMA wal_autocheckpoint=0")
        else:
            idle, lock = IDLE_SECONDS * 1000, LOCK_SECONDS * 1000
            self._raw.execute(f"SET idle_in_transaction_session_timeout = {idle:.0f}; SET lock_timeout = {lock:.0f}")
            if not self._serial:
                self._raw.execute(BY_INDEX)
            self._raw.commit()
        return self._connection

    def _commit_appends(self, batch: list[Unit]) -> list[Outcome]:
        """The hot path: single inserts go straight to the driver, without a session."""
        if not self._sqlite:
            return self._commit_appends_postgresql(batch)
        self._begin_immediate()
        return self._append(batch)

    def _append(self, batch: list[Unit]) -> list[Outcome]:
        if len(batch) > 1 and self._append_together(batch):
            return self._commit_outcomes([(True, True)] * len(batch))
        return self._append_all(batch)

    def _append_together(self, batch: list[Unit]) -> bool:
        """All rows by as few statements as can be: around each, the interpreter is given away and has to be won back.

        False when a row was there already or is wrong; then nothing is inserted, for it takes one by one to tell which.
        """
        try:
            if all(self._insert(sql, rows) for sql, rows in alike(batch)):
                return True
        except Exception as problem:
            if is_fatal(problem):
                raise
        self._cursor.execute("ROLLBACK")
        self._begin_immediate()
        return False

    def _insert(self, sql: str, rows: list[Sequence[object]]) -> bool:
        self._cursor.execute(of_rows(sql, len(rows)), list(chain.from_iterable(rows)))
        return bool(self._cursor.rowcount == len(rows))

    def _append_all(self, batch: list[Unit]) -> list[Outcome]:
        cursor = self._cursor
        outcomes: list[Outcome] = []
        for unit in batch:
            try:
                cursor.execute(unit.sql, unit.row)
                outcomes.append((True, cursor.rowcount > 0))
            except Exception as problem:
                # SQLite undoes the one statement; what concerns the whole database ends the batch
                if is_fatal(problem):
                    raise
                outcomes.append((False, problem))
        return self._commit_outcomes(outcomes)

    def _commit_outcomes(self, outcomes: list[Outcome]) -> list[Outcome]:
        failpoint("inbox.before_commit")
        self._cursor.execute("COMMIT")
        self._commits += 1
        return outcomes

    def _commit_appends_postgresql(self, batch: list[Unit]) -> list[Outcome]:
        """All statements in one round trip; only if one of them fails, once more with a savepoint around each."""
        try:
            with self._raw.pipeline():
                cursors = [self._raw.execute(percent(unit.sql), unit.row) for unit in batch]
            outcomes: list[Outcome] = [(True, cursor.rowcount > 0) for cursor in cursors]
        except Exception as problem:
            if is_fatal(problem):
                raise
            self._raw.rollback()
            self._forget_prepared()
            outcomes = [self._append_one(unit) for unit in batch]
        failpoint("inbox.before_commit")
        self._raw.commit()
        return outcomes

    def _append_one(self, unit: Unit) -> Outcome:
        """One insert among units of other kinds."""
        self._cursor.execute("SAVEPOINT append")
        try:
            self._cursor.execute(unit.sql if self._sqlite else percent(unit.sql), unit.row)
            outcome: Outcome = True, self._cursor.rowcount > 0
        except Exception as problem:
            if is_fatal(problem):
                raise
            self._cursor.execute("ROLLBACK TO append")
            self._forget_prepared()
            outcome = False, problem
        self._cursor.execute("RELEASE append")
        return outcome

    def _forget_prepared(self) -> None:
        """After a rollback of which SQLAlchemy knows nothing."""
        if not self._sqlite and self._connection is not None:
            prepared().forget(self._connection)

    def _run_one(self, unit: Unit, connection: Connection, alone: bool) -> Outcome:
        if unit.work is None:
            return self._append_one(unit)
        # a unit that is alone in its transaction needs no savepoint: undoing it undoes everything
        mode: Any = "rollback_only" if alone else "create_savepoint"
        try:
            with Session(connection, join_transaction_mode=mode, expire_on_commit=False) as session:
                result = unit.work(session)
                session.commit()
        except BaseException as problem:
            fatal = fatal_in(problem)
            if fatal is not None:
                raise fatal from None
            return False, RuntimeError(repr(problem)) if isinstance(problem, StopIteration) else problem
        return True, result

    def _begin(self, connection: Connection) -> None:
        connection.begin()
        if self._sqlite:
            self._begin_immediate()
        elif self._serial:
            self._cursor.execute(f"SELECT pg_advisory_xact_lock({TURN_LOCK})")

    def _begin_immediate(self) -> None:
        deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
        while True:
            try:
                self._cursor.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as problem:
                if problem.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(LOCK_RETRY_SECONDS)

    def _end(self, connection: Connection, verb: str) -> None:
        """SQLite's own transaction is opened and closed by us; SQLAlchemy's bookkeeping follows it."""
        transaction = connection.get_transaction()
        if self._sqlite and self._raw.in_transaction:
            self._cursor.execute(verb)
            self._commits += 1
        if transaction is not None:
            transaction.commit() if verb == "COMMIT" else transaction.rollback()

    def _give_up(self) -> None:
        """After a failure of the database itself: leave nothing open and take a new connection next time."""
        connection = self._connection
        if connection is None:
            return
        # after SQLITE_FULL the transaction is gone already and ROLLBACK itself raises
        with contextlib.suppress(Exception):
            self._end(connection, "ROLLBACK")
        if self._memory:
            return
        self._connection = self._raw = self._cursor = None
        with contextlib.suppress(Exception):
            connection.invalidate()
        with contextlib.suppress(Exception):
            connection.close()


def take_turn(session: Session) -> None:
    """On PostgreSQL, run the rest of this transaction as a unit of a serial writer."""
    session.connection().exec_driver_sql(f"SELECT pg_advisory_xact_lock({TURN_LOCK})")
