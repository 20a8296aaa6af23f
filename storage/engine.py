"""Engines for SQLite and PostgreSQL, set up the way the writer needs them, and what their errors mean."""

from __future__ import annotations

import functools
import re
import sqlite3
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

import storage.lasting  # noqa: F401 (listens to what is loaded)
from storage.keyring import attach

# libpq's own way to notice that the other end is gone: without it a cut cable is waited for two hours
PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_ONE_ROW = re.compile(r"(INSERT .* VALUES )(\([^()]*\))(.*)", re.DOTALL)
WAL_LIMIT_BYTES = 64 * 1024 * 1024
CACHE_KB = 2_000  # a connection keeps what it has read up to this, for as long as it is open


def open_engine(url: str) -> Engine:
    """An engine for `sqlite:///…` or `postgresql://…` with every connection set up the way the writer needs it."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        server = create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, connect_args=dict(PATIENCE))
        attach(server)
        prepared().attend(server)
        return server
    memory = parsed.database in (None, "", ":memory:")
    engine = create_engine(
        parsed.set(drivername="sqlite+pysqlite"),
        connect_args={"check_same_thread": False, "timeout": 1.0},
        **({"poolclass": StaticPool} if memory else {}),
    )

    keyring = attach(engine)

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        keyring.memory = connection if memory else None
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
            "busy_timeout=1000",
            f"journal_size_limit={WAL_LIMIT_BYTES}",
            f"cache_size=-{CACHE_KB}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


@functools.cache
def prepared() -> ModuleType:
    """`storage.prepared`, which brings PostgreSQL's driver with it: loaded only where that is used."""
    from storage import prepared as found

    return found


def run_directly(connection: Connection, sql: str, values: Sequence[Any], *, many: bool = False) -> list[Any]:
    """One statement below SQLAlchemy on SQLite, inside its transaction; the rows that it gives back."""
    cursor = connection.connection.cursor()
    (cursor.executemany if many else cursor.execute)(sql, values)
    rows = list(cursor.fetchall()) if cursor.description else []
    cursor.close()
    return rows


def sqlite_version_warning() -> str | None:
    """A sentence when the SQLite library carries the WAL-reset bug (fixed in 3.51.3), else None."""
    if sqlite3.sqlite_version_info >= (3, 51, 3):
        return None
    return f"SQLite {sqlite3.sqlite_version}: older than 3.51.3, keep to one process per database file"


def check_integrity(engine: Engine) -> str | None:
    """None when the database is sound, else what SQLite says about the damage."""
    if engine.dialect.name != "sqlite":
        return None
    with engine.connect() as connection:
        verdict = connection.execute(text("PRAGMA quick_check(1)")).scalar()
    return None if verdict == "ok" else str(verdict)


# what concerns the database and not the unit of work that met it
_FATAL_SQLITE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)


def is_fatal(problem: BaseException) -> bool:
    """Whether the whole batch is lost: disk, lock or connection, as against a mistake of one unit."""
    if isinstance(problem, DBAPIError):
        return problem.connection_invalidated or (problem.orig is not None and is_fatal(problem.orig))
    if isinstance(problem, sqlite3.Error):
        return getattr(problem, "sqlite_errorcode", 0) & 0xFF in _FATAL_SQLITE
    # psycopg files lost connections, shutdowns, full disks and deadlocks under these two; it is loaded only where it is used
    kinds = {kind.__name__ for kind in type(problem).__mro__ if kind.__module__ in ("psycopg.errors", "psycopg")}
    return bool(kinds & {"OperationalError", "InterfaceError"})


@functools.cache
def of_rows(sql: str, count: int) -> str:
    """An `INSERT … VALUES (…) …` of one row as the same for so many. Raises ValueError for anything else."""
    found = _ONE_ROW.fullmatch(sql)
    if found is None:
        raise ValueError(f"no insert of one row: {sql[:80]}")
    head, row, tail = found.groups()
    return f"{head}{', '.join([row] * count)}{tail}"


@functools.cache
def percent(sql: str) -> str:
    """`?` placeholders as psycopg writes them."""
    return sql.replace("%", "%%").replace("?", "%s")


def announce(connection: Connection, channel: str) -> None:
    """Tell every node once this transaction is committed; nothing where there is one node alone, on SQLite."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_notify(%s, '')", (channel,))
