"""Reading beside the writer: every read on a connection of its own, on one snapshot of what has been committed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from storage.engine import is_fatal
from storage.units import StorageUnavailable

T = TypeVar("T")


class Reader:
    """Reads of one engine; any number at a time, each in its caller's thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._reads = 0  # under way
        self._read_ended = threading.Condition()

    def read(self, work: Callable[[Session], T]) -> T:
        """Run a unit that only reads; StorageUnavailable when PostgreSQL cannot be reached."""
        with self._connected() as connection:
            if not self._sqlite:
                return _read_on(connection, work)
            raw = connection.connection.dbapi_connection.cursor()  # type: ignore[union-attr]
            raw.execute("PRAGMA query_only=ON")
            raw.execute("BEGIN")
            try:
                with Session(connection, expire_on_commit=False) as session:
                    return work(session)
            finally:
                connection.rollback()
                raw.execute("PRAGMA query_only=OFF")
                raw.close()

    def wait(self, seconds: float) -> None:
        """Return when nothing is read any more, or after so long."""
        with self._read_ended:
            self._read_ended.wait_for(lambda: self._reads == 0, seconds)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection for reading; PostgreSQL that cannot be reached is told as it is to a unit of work."""
        if self._sqlite:
            with self._reading(), self._engine.connect() as connection:
                yield connection
            return
        try:
            with self._reading(), self._engine.connect() as connection:
                yield connection
        except DBAPIError as problem:
            if not is_fatal(problem):
                raise
            raise StorageUnavailable(f"{type(problem).__name__}: {str(problem.orig)[:200]}") from problem

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Counts: whoever was cancelled no longer waits for his read, but its thread has the connection until it ends."""
        with self._read_ended:
            self._reads += 1
        try:
            yield
        finally:
            with self._read_ended:
                self._reads -= 1
                self._read_ended.notify_all()


def _read_on(connection: Connection, work: Callable[[Session], T]) -> T:
    connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with Session(connection, expire_on_commit=False) as session:
        return work(session)
