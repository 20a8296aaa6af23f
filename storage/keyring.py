"""A key per case: what residents wrote lies sealed in its columns, and ends with the key (docs/decisions/0123).

Columns made with `storage.tables.columns.sealed_text_column` are sealed when they are written and opened when they are read,
for whoever uses the tables. The key belongs to the row that has a `seal` (a case, a visit, a proposal …), or to the case of
its `case_id`. It is a row of `shred_key`, written in the same transaction. A row without a case stays plain, and so does
everything in an engine that was not made by `storage.engine.open_engine` (tests of single rooms).
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import weakref
from collections import OrderedDict
from typing import Any

from sqlalchemy import Engine, event, inspect, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.orm.unitofwork import UOWTransaction
from sqlalchemy.pool import StaticPool

from storage.sealing import new_key
from storage.tables import Case, ShredKey
from storage.tables.columns import Keyed, SealedText

MOST_REMEMBERED = 20_000
_NEW_KEY = ShredKey.__table__.insert()  # type: ignore[attr-defined]
_keyrings: weakref.WeakSet[Keyring] = weakref.WeakSet()


class Keyring:
    """The keys of one database as one process knows them. What it does not know it looks up on a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self.memory: Any = None  # the one connection of a database in memory

    def key(self, name: str) -> bytes | None:
        """The key, or None when it was destroyed or never lay in this database."""
        found = self.known(name)
        if found is None:
            found = self._look(name)
            if found is not None:
                self.put(name, found)
        return found

    def known(self, name: str) -> bytes | None:
        """The key if it has been used lately; nothing is looked up."""
        with self._lock:
            return self._known.get(name)

    def put(self, name: str, key: bytes) -> None:
        """Know a key, from before its transaction is committed on."""
        with self._lock:
            self._known[name] = key
            self._known.move_to_end(name)
            if len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)

    def forget(self, name: str) -> None:
        """Know it no longer."""
        with self._lock:
            self._known.pop(name, None)

    def _look(self, name: str) -> bytes | None:
        if isinstance(self._engine.pool, StaticPool):
            if self.memory is None:
                return None
            with contextlib.suppress(sqlite3.ProgrammingError):  # closed meanwhile
                found = self.memory.execute("SELECT key FROM shred_key WHERE name = ?", (name,)).fetchone()
                return bytes(found[0]) if found else None
            return None
        with contextlib.suppress(SQLAlchemyError), self._engine.connect() as connection:
            key = connection.execute(select(ShredKey.key).where(ShredKey.name == name)).scalar()  # type: ignore[call-overload]
            return bytes(key) if key is not None else None
        return None  # a database without cases, such as the rooms' file


def attach(engine: Engine) -> Keyring:
    """Give an engine its keyring."""
    keyring = Keyring(engine)
    _keyrings.add(keyring)
    engine.dialect.keyring = keyring  # type: ignore[attr-defined]
    return keyring


def detach(engine: Engine) -> None:
    """The database of this engine is closed: nothing is looked for there any more."""
    keyring = getattr(engine.dialect, "keyring", None)
    if keyring is not None:
        _keyrings.discard(keyring)


def find_key(name: str) -> bytes | None:
    """A key by its name, in whichever database of this process it lies; for what is read from files."""
    for keyring in list(_keyrings):
        key = keyring.key(name)
        if key is not None:
            return key
    return None


def keyring_of(session: Session) -> Keyring | None:
    """The keyring of the database that a session works on."""
    return getattr(session.get_bind().dialect, "keyring", None)


@event.listens_for(Session, "before_flush")
def _seal_rows(session: Session, _context: UOWTransaction, _instances: Any) -> None:
    keyring = keyring_of(session)
    if keyring is None:
        return
    for row in (*session.new, *session.dirty):
        columns = _sealed_columns(type(row))
        if columns:
            _seal_row(session, keyring, row, columns)


def _seal_row(session: Session, keyring: Keyring, row: Any, columns: tuple[str, ...]) -> None:
    loaded = inspect(row).dict
    plain = [name for name in columns if loaded.get(name) and not isinstance(loaded[name], Keyed)]
    seal = _seal_of(session, row) if plain else ""
    if not seal:
        return
    # the seal of a new row is as random as its key: nothing can lie in the database under it
    key = keyring.known(seal) if row in session.new and hasattr(row, "seal") else keyring.key(seal)
    if key is None:
        key = new_key()
        with session.no_autoflush:
            session.connection().execute(_NEW_KEY, {"name": seal, "key": key})
        keyring.put(seal, key)
    for name in plain:
        setattr(row, name, Keyed.of(loaded[name], seal, key))


def _seal_of(session: Session, row: Any) -> str:
    own = getattr(row, "seal", None)
    if own is not None:
        return str(own)
    case_id = getattr(row, "case_id", None)
    if case_id is None:
        return ""
    with session.no_autoflush:
        case = session.get(Case, case_id)
    return case.seal if case is not None else ""


_columns: dict[type, tuple[str, ...]] = {}


def _sealed_columns(kind: type) -> tuple[str, ...]:
    if kind not in _columns:
        table = getattr(kind, "__table__", None)
        _columns[kind] = (
            tuple(column.name for column in table.columns if isinstance(column.type, SealedText)) if table is not None else ()
        )
    return _columns[kind]
