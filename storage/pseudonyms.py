"""Accounts of people in backups: under a pseudonym that means nothing once the person was forgotten (docs/decisions/0201).

The running database needs platform accounts as they are, to search by them and to answer. A backup does not: in its copy each
account of a person is replaced by a keyed hash, and names that stand beside one are sealed. The key is the person's own and
lies where all keys lie that exist to be destroyed (`storage.shredding`), so no backup of the data holds it. A restore puts the
accounts back by the newest keys; whoever was forgotten since has none, and goes out of the restored tables as out of the
running ones.
"""

from __future__ import annotations

import os
import sqlite3
from base64 import b64decode, b64encode
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from storage.sealing import KEY_BYTES, Sealed, open_with, seal_with

MARK = "\x01who:"
PREFIX = "who:"  # of the key's name


@dataclass(frozen=True, slots=True)
class Spot:
    """Columns of one table that hold an account, as (column, when the row's is one, in SQL); with `name` sealed beside it.

    `gone` are the statements that take a person out where `gone(column)` is true: those of `storage.erasure.forget_person`.
    """

    table: str
    columns: tuple[tuple[str, str], ...]
    gone: tuple[str, ...]
    name: str = ""


_USER = (("user_id", "1"),)
SPOTS = (
    Spot(
        "cases",
        (("reporter", "1"), ("chat", "private")),
        (
            "UPDATE case_entry SET message_id = '' WHERE author IN ('reporter', 'resident')"
            " AND case_id IN (SELECT id FROM cases WHERE gone(reporter))",
            "UPDATE cases SET chat = '', latitude = NULL, longitude = NULL WHERE private AND (gone(reporter) OR gone(chat))",
            "UPDATE cases SET reporter = NULL, reporter_name = '', message_id = '' WHERE gone(reporter)",
        ),
    ),
    Spot(
        "case_witness",
        (("person", "1"), ("chat", "private")),
        (
            "UPDATE case_witness SET chat = '' WHERE private AND gone(chat)",
            "UPDATE case_witness SET person = NULL, message_id = '' WHERE gone(person)",
        ),
    ),
    Spot(
        "alarm",
        (("sender", "1"), ("chat", "private")),
        (
            "UPDATE alarm SET chat = '' WHERE private AND gone(chat)",
            "UPDATE alarm SET sender = '', message_id = '' WHERE gone(sender)",
        ),
    ),
    Spot("linked_account", _USER, ("DELETE FROM linked_account WHERE gone(user_id)",)),
    Spot("link_code", _USER, ("DELETE FROM link_code WHERE gone(user_id)",)),
    Spot("code_guess", _USER, ("DELETE FROM code_guess WHERE gone(user_id)",)),
    Spot("activity_entry", _USER, ("DELETE FROM activity_entry WHERE gone(user_id)",), name="name"),
    Spot("volunteer", _USER, ("DELETE FROM volunteer WHERE gone(user_id)",), name="name"),
    Spot("wish_claim", _USER, ("UPDATE wish_claim SET user_id = '', name = '' WHERE gone(user_id)",), name="name"),
    Spot("proposal", _USER, ("UPDATE proposal SET user_id = '' WHERE gone(user_id)",)),
    Spot(
        "proposal_voice",
        _USER,
        (
            "UPDATE proposal_voice SET text = '' WHERE kind = 'comment' AND gone(user_id)",
            "UPDATE proposal_voice SET user_id = '' WHERE gone(user_id)",
        ),
    ),
    Spot("dialog", (("sender", "1"), ("chat", "chat = sender")), ("DELETE FROM dialog WHERE gone(sender)",)),
    Spot(
        "outbox",
        (("mention", "1"), ("chat", "private")),
        (
            "DELETE FROM outbox WHERE private AND gone(chat)",
            "UPDATE outbox SET mention = NULL, reply_to = NULL WHERE gone(mention)",
        ),
    ),
)


def key_name(platform: str, account: str) -> str:
    """The name of a person's key."""
    return f"{PREFIX}{platform}:{account}"


def pseudonymise(copy: sqlite3.Connection, live: Path) -> None:
    """Replace every account in the copy; people who have no key yet get one in the running database first, durably."""
    people = {
        key_name(platform, account)
        for spot in SPOTS
        if _has(copy, spot)
        for column, when in spot.columns
        for platform, account in copy.execute(
            f"SELECT DISTINCT platform, {column} FROM {spot.table} WHERE {column} <> '' AND ({when})"  # noqa: S608
        )
    }
    keys = _keys_of(live, people)

    def pseudonym(platform: str, account: str) -> str:
        return _pseudonym(keys[key_name(platform, account)])

    def sealed(platform: str, account: str, name: str) -> str:
        return MARK + b64encode(seal_with(keys[key_name(platform, account)], name.encode())).decode() if account else name

    copy.create_function("pseudonym", 2, pseudonym)
    copy.create_function("sealed_name", 3, sealed)
    for spot in SPOTS:
        if not _has(copy, spot):
            continue
        changes = [
            f"{column} = CASE WHEN {column} <> '' AND ({when}) THEN pseudonym(platform, {column}) ELSE {column} END"
            for column, when in spot.columns
        ]
        if spot.name:
            changes.append(f"{spot.name} = sealed_name(platform, user_id, {spot.name})")
        copy.execute(f"UPDATE {spot.table} SET {', '.join(changes)}")  # noqa: S608
    copy.commit()


def put_back(database: sqlite3.Connection) -> None:
    """The accounts again, of everybody whose key is there; the others go out of the tables."""
    if not _has_table(database, "shred_key"):
        return
    rows = database.execute("SELECT name, key FROM shred_key WHERE name LIKE ?", (f"{PREFIX}%",)).fetchall()
    known = {_pseudonym(key): (name.split(":", 2)[2], bytes(key)) for name, key in rows}

    def account(value: str | None) -> str | None:
        return known[value][0] if value in known else value

    def name(value: str, pseudonym: str) -> str:
        if not value.startswith(MARK):
            return value
        try:
            return open_with(known[pseudonym][1], b64decode(value.removeprefix(MARK))).decode()
        except (KeyError, Sealed, ValueError):
            return ""

    database.create_function("gone", 1, lambda value: isinstance(value, str) and value.startswith(MARK) and value not in known)
    database.create_function("account_of", 1, account)
    database.create_function("opened_name", 2, name)
    for spot in SPOTS:
        if not _has(database, spot):
            continue
        for statement in spot.gone:
            database.execute(statement)
        changes = [f"{column} = account_of({column})" for column, _ in spot.columns]
        if spot.name:
            changes.append(f"{spot.name} = opened_name({spot.name}, user_id)")
        database.execute(f"UPDATE {spot.table} SET {', '.join(changes)}")  # noqa: S608
    database.commit()


def _pseudonym(key: bytes) -> str:
    return MARK + blake2b(b"account in a backup", key=key, digest_size=16).hexdigest()


def _keys_of(live: Path, people: set[str]) -> dict[str, bytes]:
    """The keys of these people in the running database; missing ones are made there. Those of people who stand in it no more are
    destroyed, so that older backups forget them, too."""
    with closing(sqlite3.connect(live, timeout=20, isolation_level=None)) as connection:
        known = _known(connection)
        if known.keys() == people:
            return known  # whoever is writing just now is not waited for
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN IMMEDIATE")
        known = _known(connection)
        new = [(name, os.urandom(KEY_BYTES)) for name in sorted(people - known.keys())]
        connection.executemany("INSERT INTO shred_key (name, key) VALUES (?, ?)", new)
        connection.executemany("DELETE FROM shred_key WHERE name = ?", [(name,) for name in sorted(known.keys() - people)])
        connection.execute("COMMIT")
    return known | dict(new)


def _known(connection: sqlite3.Connection) -> dict[str, bytes]:
    return dict(connection.execute("SELECT name, key FROM shred_key WHERE name LIKE ?", (f"{PREFIX}%",)).fetchall())


def _has(connection: sqlite3.Connection, spot: Spot) -> bool:
    """Whether the database, perhaps of an older revision, has the table."""
    return _has_table(connection, spot.table)


def _has_table(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone() is not None
