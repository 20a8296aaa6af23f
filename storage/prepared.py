"""Statements that every message passes, prepared once in each connection and then handed to libpq itself. PostgreSQL only.

The driver's cursor takes longer to send such a statement and to wait for it than the server to carry it out (decision 0250).
What a statement may hold is little: values by name, given as numbers, texts and times (`timestamptz`), or as bytes in the
server's own form (`storage.wire`), and rows back as the driver reads them.

Statements whose rows nobody needs yet wait for the next one that somebody asks for, or for the commit, and travel with it in one
round trip (decision 0274). Whatever else goes through SQLAlchemy comes after them, and a rollback takes them with it.
"""

from __future__ import annotations

import contextlib
import functools
import re
import select
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

import psycopg
from psycopg import pq
from psycopg.abc import Transformer as Reader
from psycopg.adapt import Transformer
from sqlalchemy import ClauseElement, Connection, Engine, event

from storage import wire

_PLACE = re.compile(r"%\((\w+)\)s")
_KNOWN = "prepared"  # in what SQLAlchemy keeps beside a connection of the driver
_NUMBERS = count(1)
_COMPILED: dict[ClauseElement, tuple[str, dict[str, object]]] = {}  # with the values that are always the same
_BEGIN, _COMMIT = b"qs_begin", b"qs_commit"  # prepared as well: the server need not read the words anew in each round
_TEXT, _BINARY = int(pq.Format.TEXT), int(pq.Format.BINARY)
_DONE = pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK
_NO_MORE = 2  # the end of a statement's results is one nothing; another one behind it comes of a line that is lost


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement as libpq wants it: its name, its text with numbered places, and which value belongs into each."""

    name: bytes
    text: bytes
    values: tuple[str, ...]


class Later:
    """The rows of a statement that has not been carried out yet, perhaps."""

    __slots__ = ("_connection", "_found", "forms", "statement", "values")

    def __init__(self, connection: Connection, statement: _Statement, values: list[bytes], forms: list[int]) -> None:
        self._connection = connection
        self._found: list[tuple[Any, ...]] | None = None
        self.statement = statement
        self.values = values
        self.forms = forms

    def rows(self) -> list[tuple[Any, ...]]:
        """What it gives back; it is carried out now if it still waits.

        Raises the driver's own errors, RuntimeError when a rollback took it along.
        """
        if self._found is None:
            flush(self._connection)
        if self._found is None:
            raise RuntimeError("a statement went with a rollback before it was carried out")
        return self._found

    def found(self, rows: list[tuple[Any, ...]]) -> None:
        """These are its rows."""
        self._found = rows


@dataclass(frozen=True, slots=True)
class _Known:
    """Of one connection: what is prepared, what reads the rows of each, what waits on its socket, what is still to be sent."""

    names: set[bytes]
    readers: dict[bytes, Reader]
    readable: select.poll
    either: select.poll
    waiting: list[Later]


def run(connection: Connection, sql: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
    """Carry out a statement with `%(name)s` for values, inside the connection's transaction; the rows that it gives back.

    Raises the driver's own errors.
    """
    return later(connection, sql, values).rows()


def later(connection: Connection, sql: str, values: Mapping[str, object]) -> Later:
    """The same when its rows are asked for, when anything else is carried out in this connection, or with the commit."""
    statement = _statement(sql)
    given: list[bytes] = []
    forms: list[int] = []
    for name in statement.values:
        value = values[name]
        if isinstance(value, bytes):
            given.append(value)
            forms.append(_BINARY)
        elif isinstance(value, datetime):
            given.append(wire.time(value))
            forms.append(_BINARY)
        else:
            given.append(str(value).encode())
            forms.append(_TEXT)
    one = Later(connection, statement, given, forms)
    _known(connection).waiting.append(one)
    return one


def ask(connection: Connection, statement: ClauseElement, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
    """`run` with a statement of SQLAlchemy's, without what its types make of values and rows."""
    return ask_later(connection, statement, values).rows()


def ask_later(connection: Connection, statement: ClauseElement, values: Mapping[str, object]) -> Later:
    """`later` with a statement of SQLAlchemy's."""
    found = _COMPILED.get(statement)
    if found is None:
        compiled = statement.compile(dialect=connection.dialect)
        found = _COMPILED[statement] = str(compiled), dict(compiled.params)
    sql, fixed = found
    return later(connection, sql, {**fixed, **values})


def flush(connection: Connection, *, commit: bool = False) -> None:
    """Carry out what waits in this connection, and commit in the same round trip. Nothing waits: nothing is done."""
    known: _Known | None = connection.info.get(_KNOWN)
    if known is None or not known.waiting:
        return
    raw: Any = connection.connection.dbapi_connection
    line, waiting = raw.pgconn, known.waiting.copy()
    known.waiting.clear()
    begin = line.transaction_status == pq.TransactionStatus.IDLE
    new = {one.statement.name: one.statement.text for one in waiting if one.statement.name not in known.names}
    if begin and _BEGIN not in known.names:
        new[_BEGIN] = b"BEGIN"
    if commit and _COMMIT not in known.names:
        new[_COMMIT] = b"COMMIT"
    results = _travel(line, known, waiting, new, begin=begin, commit=commit)
    known.names.update(new)
    for one, result in zip(waiting, results[len(new) + begin :], strict=False):
        one.found(_rows(raw, known, one.statement.name, result) if result.ntuples else [])


def _rows(raw: Any, known: _Known, name: bytes, result: pq.abc.PGresult) -> list[tuple[Any, ...]]:
    """The rows of a result, by the reader that has learned this statement's columns."""
    reader = known.readers.get(name)
    if reader is None:
        reader = known.readers[name] = Transformer(raw)
        reader.set_pgresult(result)
    else:
        reader.set_pgresult(result, set_loaders=False)
    return reader.load_rows(0, result.ntuples, tuple)


def _known(connection: Connection) -> _Known:
    known: _Known | None = connection.info.get(_KNOWN)
    if known is None:
        raw: Any = connection.connection.dbapi_connection
        line = raw.pgconn
        if line.transaction_status == pq.TransactionStatus.IDLE:
            _good(line.exec_(b"BEGIN"))
        there = _good(line.exec_(b"SELECT name FROM pg_prepared_statements WHERE starts_with(name, 'qs_')"))
        names = {there.get_value(row, 0) or b"" for row in range(there.ntuples)}
        readable, either = select.poll(), select.poll()
        readable.register(line.socket, select.POLLIN)
        either.register(line.socket, select.POLLIN | select.POLLOUT)
        known = connection.info[_KNOWN] = _Known(names, {}, readable, either, [])
    return known


def _travel(
    line: Any, known: _Known, what: Sequence[Later], new: Mapping[bytes, bytes], *, begin: bool, commit: bool
) -> list[pq.abc.PGresult]:
    """All of them in one round trip, in libpq's pipeline mode, behind what is prepared for them; the results in order.

    Raises the error of the one that failed.
    """
    line.enter_pipeline_mode()
    try:
        for name, text in new.items():
            line.send_prepare(name, text)
        if begin:
            line.send_query_prepared(_BEGIN, None)
        for one in what:
            line.send_query_prepared(one.statement.name, one.values, one.forms)
        if commit:
            line.send_query_prepared(_COMMIT, None)
        line.pipeline_sync()
        while line.flush():  # more than fits into the socket; the server must get rid of its answers meanwhile
            known.either.poll()
            line.consume_input()
        results = _results(line, known)
    finally:
        # what is lost in the middle cannot leave the mode, and need not
        with contextlib.suppress(psycopg.OperationalError):
            line.exit_pipeline_mode()
    return [_good(result) for result in results]


def _results(line: Any, known: _Known) -> list[pq.abc.PGresult]:
    """What comes back until the mark behind the last statement."""
    results: list[pq.abc.PGresult] = []
    nothing = 0
    while nothing < _NO_MORE:
        while line.is_busy():  # libpq's own waiting would keep the interpreter from every other thread
            known.readable.poll()
            line.consume_input()
        result = line.get_result()
        if result is None:
            nothing += 1
            continue
        nothing = 0
        if result.status == pq.ExecStatus.PIPELINE_SYNC:
            return results
        results.append(result)
    raise next((_error(one) for one in results if one.status not in _DONE), psycopg.OperationalError("the connection is lost"))


def forget(connection: Connection) -> None:
    """After a rollback, with which the driver may have let go of everything that was prepared: look at what is there."""
    if not (connection.closed or connection.invalidated):
        connection.info.pop(_KNOWN, None)


def attend(engine: Engine) -> None:
    """Keep what waits in its place in what SQLAlchemy does: before the next statement, with the commit, gone with a rollback."""
    event.listen(engine, "rollback", forget)
    event.listen(engine, "rollback_savepoint", lambda connection, *_: forget(connection))
    event.listen(engine, "before_cursor_execute", lambda connection, *_: flush(connection))
    event.listen(engine, "commit", _commit)


def _commit(connection: Connection) -> None:
    """Commit with what waits. A commit that fails ends the transaction, as the server's own does; SQLAlchemy counts on that."""
    try:
        flush(connection, commit=True)
    except BaseException:
        raw: Any = connection.connection.dbapi_connection
        with contextlib.suppress(psycopg.Error):
            raw.rollback()
        forget(connection)
        raise


@functools.cache
def _statement(sql: str) -> _Statement:
    names = tuple(dict.fromkeys(_PLACE.findall(sql)))
    text = _PLACE.sub(lambda found: f"${names.index(found[1]) + 1}", sql).replace("%%", "%")
    return _Statement(f"qs_{next(_NUMBERS)}".encode(), text.encode(), names)


def _good(result: pq.abc.PGresult) -> pq.abc.PGresult:
    if result.status in _DONE:
        return result
    raise _error(result)


def _error(result: pq.abc.PGresult) -> psycopg.Error:
    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    try:
        kind = psycopg.errors.lookup(state)
    except KeyError:
        kind = psycopg.OperationalError  # without a state it is the connection that is lost
    return kind(result.error_message.decode(errors="replace"))
