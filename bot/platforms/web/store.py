"""The file of the web chat: its schema, its steps from version to version, and how it forgets.

The bot never reads it. Words and photos lie sealed in it (`sealed(…)` and `opened(…)` in the statements, with the key
`keys/rooms.key` beside it), so that a stray copy of the file tells nobody's words. With `keep_days = 0` the same
schema lies twice: accounts in the file, what is said in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import URL
from sqlmodel import Session

from bot.errors import ConfigError
from storage.sealing import Sealed, new_key, open_with, read_or_make, seal_with
from storage.writer import Writer, open_engine

Row = Sequence[Any]

SEAL_BYTES = 41  # how much longer something sealed is: nonce, tag, and whether it was text

# One entry per version: `PRAGMA user_version` counts how many have been taken. Only ever append.
STEPS: tuple[tuple[str, ...], ...] = (
    (
        # accounts
        """CREATE TABLE person (
            id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, title TEXT NOT NULL,
            badge TEXT UNIQUE, persona INTEGER NOT NULL, met INTEGER NOT NULL DEFAULT 0)""",
        """CREATE TABLE room (
            id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, labels TEXT NOT NULL,
            officers_only INTEGER NOT NULL, owner TEXT)""",
        """CREATE TABLE member (
            room TEXT NOT NULL, person TEXT NOT NULL, since INTEGER NOT NULL, read INTEGER NOT NULL,
            PRIMARY KEY (room, person)) WITHOUT ROWID""",
        "CREATE TABLE invite (hash TEXT PRIMARY KEY, room TEXT NOT NULL, until INTEGER NOT NULL)",
        "CREATE TABLE password (badge TEXT PRIMARY KEY, hash TEXT NOT NULL)",
        "CREATE TABLE session (hash TEXT PRIMARY KEY, person TEXT NOT NULL, until INTEGER NOT NULL)",
        "CREATE TABLE secret (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
        # what is said; messages and recalls of a room are numbered in one row of numbers, `head` holds the last
        "CREATE TABLE head (room TEXT PRIMARY KEY, seq INTEGER NOT NULL)",
        """CREATE TABLE message (
            id TEXT PRIMARY KEY, room TEXT NOT NULL, seq INTEGER NOT NULL, person TEXT NOT NULL, at INTEGER NOT NULL,
            text TEXT NOT NULL, reply_to TEXT, mentions TEXT NOT NULL, choices TEXT NOT NULL, cid TEXT, key TEXT,
            recalled INTEGER, recalled_by TEXT)""",
        "CREATE UNIQUE INDEX message_seq ON message (room, seq)",
        "CREATE UNIQUE INDEX message_cid ON message (person, cid) WHERE cid IS NOT NULL",
        "CREATE UNIQUE INDEX message_key ON message (room, key) WHERE key IS NOT NULL",
        "CREATE INDEX message_recalled ON message (room, recalled) WHERE recalled IS NOT NULL",
        "CREATE INDEX message_at ON message (at)",
        """CREATE TABLE photo (
            id TEXT PRIMARY KEY, person TEXT NOT NULL, client_id TEXT, width INTEGER NOT NULL, height INTEGER NOT NULL,
            at INTEGER NOT NULL, full BLOB NOT NULL, thumb BLOB NOT NULL)""",
        "CREATE UNIQUE INDEX photo_client ON photo (person, client_id) WHERE client_id IS NOT NULL",
        """CREATE TABLE shown (
            message TEXT NOT NULL, place INTEGER NOT NULL, photo TEXT NOT NULL,
            PRIMARY KEY (message, place)) WITHOUT ROWID""",
        "CREATE INDEX shown_photo ON shown (photo)",
        """CREATE TABLE tap (
            id TEXT PRIMARY KEY, message TEXT NOT NULL, person TEXT NOT NULL, value TEXT NOT NULL, cid TEXT NOT NULL,
            at INTEGER NOT NULL)""",
        "CREATE UNIQUE INDEX tap_once ON tap (message, person)",
        # what the bot has not yet taken note of
        """CREATE TABLE event (
            n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, room TEXT NOT NULL,
            person TEXT NOT NULL, message TEXT NOT NULL, text TEXT NOT NULL, cid TEXT, at INTEGER NOT NULL)""",
    ),
    (
        # what was said is sealed from here on
        "UPDATE message SET text = sealed(text)",
        "UPDATE event SET text = sealed(text)",
        "UPDATE photo SET full = sealed(full), thumb = sealed(thumb)",
    ),
    (
        # the bot may put other words into what it said
        "ALTER TABLE message ADD COLUMN changed INTEGER",
        "CREATE INDEX message_changed ON message (room, changed) WHERE changed IS NOT NULL",
    ),
    (
        # a place that was shown, and where a photo was taken: both as "latitude longitude", sealed
        "ALTER TABLE message ADD COLUMN location BLOB",
        "ALTER TABLE photo ADD COLUMN point BLOB",
    ),
)


def open_store(path: Path | None) -> Writer:
    """The writer of the file at `path`, or of memory when None, brought to the newest version. Raises ConfigError when the
    file was made by a newer version. Blocks; call it in a thread."""
    if path is not None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = open_engine(URL.create("sqlite", database=str(path) if path else ":memory:").render_as_string())
    _teach(engine, read_or_make(path.parent / "keys" / "rooms.key") if path else new_key())
    writer = Writer(engine)
    try:
        writer.run_now(_step_up)
    except BaseException:
        writer.close()
        raise
    if path is not None:
        path.chmod(0o600)
    return writer


def _teach(engine: Engine, key: bytes) -> None:
    """Let every connection seal and open."""

    def seal(plain: str | bytes | None) -> bytes | None:
        if plain is None:
            return None
        return seal_with(key, b"s" + plain.encode() if isinstance(plain, str) else b"b" + plain)

    def unseal(sealed: bytes | None) -> str | bytes | None:
        if sealed is None:
            return None
        try:
            plain = open_with(key, sealed)
        except Sealed:
            return ""  # another key lies in the keys folder: what was said is lost, the rooms go on
        return plain[1:].decode() if plain[:1] == b"s" else plain[1:]

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        connection.create_function("sealed", 1, seal)
        connection.create_function("opened", 1, unseal)


def _step_up(session: Session) -> None:
    version = int(rows(session, "PRAGMA user_version")[0][0])
    if version > len(STEPS):
        raise ConfigError(f"web.sqlite3 has version {version}, this program knows {len(STEPS)}: start the newer program")
    for step in STEPS[version:]:
        for statement in step:
            change(session, statement)
    change(session, f"PRAGMA user_version = {len(STEPS)}")


def rows(session: Session, sql: str, *values: object) -> Sequence[Row]:
    """The rows of a query."""
    return session.connection().exec_driver_sql(sql, tuple(values)).all()


def row(session: Session, sql: str, *values: object) -> Row | None:
    """The first row of a query, or None."""
    return session.connection().exec_driver_sql(sql, tuple(values)).first()


def change(session: Session, sql: str, *values: object) -> int:
    """Execute a statement; how many rows it changed."""
    return session.connection().exec_driver_sql(sql, tuple(values)).rowcount


def next_seq(session: Session, room: str) -> int:
    """The next number of this room. Runs on the writer, so no two get the same and a failed unit gives its number back."""
    found = row(session, "UPDATE head SET seq = seq + 1 WHERE room = ? RETURNING seq", room)
    if found is None:
        raise KeyError(room)
    return int(found[0])


def millis(moment: datetime) -> int:
    """A time as stored: milliseconds since 1970, UTC."""
    return round(moment.timestamp() * 1000)


def forget(session: Session, before: int, loose_before: int) -> int:
    """Remove what was said before `before`, and photos nobody sent before `loose_before` (milliseconds); how many messages went.

    Events go with their messages: whoever was told that the bot had not taken note of one has had days to say it again.
    """
    gone = change(session, "DELETE FROM message WHERE at < ?", before)
    change(session, "DELETE FROM event WHERE at < ?", before)
    change(session, "DELETE FROM tap WHERE message NOT IN (SELECT id FROM message)")
    change(session, "DELETE FROM shown WHERE message NOT IN (SELECT id FROM message)")
    change(session, "DELETE FROM photo WHERE at < ? AND id NOT IN (SELECT photo FROM shown)", loose_before)
    return gone


def checkpoint(writer: Writer) -> None:
    """Empty the write-ahead log, so that what was removed is in no file any more. Blocks; call it in a thread."""
    with writer.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
