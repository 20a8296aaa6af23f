"""Statements that every message passes, prepared once in each connection and then handed to libpq itself. PostgreSQL only.

The driver's cursor takes longer to send such a statement and to wait for it than the server to carry it out (decision 0250).
What a statement may hold is little: values by name, given as numbers, texts and times, and rows back as the driver reads them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

import psycopg
from psycopg import pq
from psycopg.abc import Transformer as Reader
from psycopg.adapt import Transformer
from sqlalchemy import ClauseElement, Connection, Engine, event

_PLACE = re.compile(r"%\((\w+)\)s")
_KNOWN = "prepared"  # in what SQLAlchemy keeps beside a connection of the driver
_NUMBERS = count(1)
_COMPILED: dict[ClauseElement, tuple[str, dict[str, object]]] = {}  # with the values that are always the same
_DONE = pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement as libpq wants it: its name, its text with numbered places, and which value belongs into each."""

    name: bytes
    text: bytes
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """What one connection of the driver has prepared, and what reads its rows."""

    names: set[bytes]
    reader: Reader


def run(connection: Connection, sql: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
    """Carry out a statement with `%(name)s` for values, inside the connection's transaction; the rows that it gives back.

    Raises the driver's own errors.
    """
    raw: Any = connection.connection.dbapi_connection
    statement, line = _statement(sql), raw.pgconn
    if line.transaction_status == pq.TransactionStatus.IDLE:
        _good(line.exec_(b"BEGIN"))
    known: _Known | None = connection.info.get(_KNOWN)
    if known is None:
        there = _good(line.exec_(b"SELECT name FROM pg_prepared_statements WHERE starts_with(name, 'qs_')"))
        names = {there.get_value(row, 0) or b"" for row in range(there.ntuples)}
        known = connection.info[_KNOWN] = _Known(names, Transformer(raw))
    if statement.name not in known.names:
        _good(line.prepare(statement.name, statement.text))
        known.names.add(statement.name)
    result = _good(line.exec_prepared(statement.name, [_written(values[name]) for name in statement.values]))
    if not result.ntuples:
        return []
    known.reader.set_pgresult(result)
    rows: list[tuple[Any, ...]] = known.reader.load_rows(0, result.ntuples, tuple)
    return rows


def ask(connection: Connection, statement: ClauseElement, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
    """The same with a statement of SQLAlchemy's, without what its types make of values and rows."""
    found = _COMPILED.get(statement)
    if found is None:
        compiled = statement.compile(dialect=connection.dialect)
        found = _COMPILED[statement] = str(compiled), dict(compiled.params)
    sql, fixed = found
    return run(connection, sql, {**fixed, **values})


def forget(connection: Connection) -> None:
    """After a rollback, with which the driver may have let go of everything that was prepared: look at what is there."""
    if not (connection.closed or connection.invalidated):
        connection.info.pop(_KNOWN, None)


def forget_after_rollbacks(engine: Engine) -> None:
    """Call `forget` after every rollback that SQLAlchemy sees, whole or to a savepoint."""
    event.listen(engine, "rollback", forget)
    event.listen(engine, "rollback_savepoint", lambda connection, *_: forget(connection))


@functools.cache
def _statement(sql: str) -> _Statement:
    names = tuple(dict.fromkeys(_PLACE.findall(sql)))
    text = _PLACE.sub(lambda found: f"${names.index(found[1]) + 1}", sql).replace("%%", "%")
    return _Statement(f"qs_{next(_NUMBERS)}".encode(), text.encode(), names)


def _written(value: object) -> bytes:
    return (value.isoformat() if isinstance(value, datetime) else str(value)).encode()


def _good(result: pq.abc.PGresult) -> pq.abc.PGresult:
    if result.status in _DONE:
        return result
    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    try:
        kind = psycopg.errors.lookup(state)
    except KeyError:
        kind = psycopg.OperationalError  # without a state it is the connection that is lost
    raise kind(result.error_message.decode(errors="replace"))
