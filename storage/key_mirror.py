"""The keys of an installation beside its backups: mirrored into a folder of their own, and put back.

There are two kinds: rows of `shred_key`, one for each case, photo, tip and person, that exist to be destroyed, and the key
files of the data folder. The mirror is always the newest alone. A restore takes the rows from the database that it replaces when
that is the same installation's, so that what was erased since stays closed; else (a lost machine, a bot that was started once on
a new one) from the mirror.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from storage.database import DatabaseProblem
from storage.private import opener
from storage.pseudonyms import put_back

KEYS = "shred.keys"
ROOMS = "rooms.key"  # seals the web rooms, which no backup holds: one that is there goes with the rooms that are there
CLOSED = "restored without keys"  # a counter: the rows of a database that has it are not the newest ones, there were none


class BackupProblem(DatabaseProblem):
    """The backup could not be made or cannot be used. The text says why and what to do next."""


def back_up_keys(url: str, key_files: Path, folder: Path) -> int:
    """Mirror the keys of cases, photos and tips and the files of `key_files` into `folder`; how many keys. What was there before
    is replaced, so that no older copy keeps what was destroyed. Refuses to replace the keys of another installation."""
    source = sqlite_path(url)
    look_for(source)
    try:
        strange = [file.name for file in _files(folder) if file.name != ROOMS and not _same(file, key_files / file.name)]
        if strange:
            raise BackupProblem(
                f"{folder}: nothing was mirrored: {', '.join(strange)} in it is not that of {key_files} and may be the only copy "
                "of a key that was lost here. Name another folder, or put these keys back: qianshao restore BACKUP --keys FOLDER"
            )
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        keys = keys_in(source)
        replace(folder / KEYS, json.dumps({name: key.hex() for name, key in keys.items()}).encode())
        for file in _files(key_files):
            replace(folder / file.name, file.read_bytes())
        sync(folder)
    except (OSError, sqlite3.Error) as problem:
        raise BackupProblem(f"{folder}: the keys were not mirrored: {problem}") from problem
    return len(keys)


def newest_keys(replaced: Path, backup: Path, mirror: Path | None) -> dict[str, bytes] | None:
    """The rows that go with a backup: those of the database that is replaced, else the mirror's; None when there is neither."""
    mirrored = None if mirror is None else _mirrored(mirror)
    if replaced.exists():
        try:
            here = keys_in(replaced)
            if not _is_closed(replaced) and _same_installation(replaced, here, backup, mirrored or {}):
                return here
        except sqlite3.DatabaseError:
            pass  # damaged: that is why a backup is restored
    return mirrored


def put_keys(database: Path, keys: dict[str, bytes] | None) -> None:
    """Put the rows into a restored copy, and with them the accounts of people."""
    with closing(sqlite3.connect(database)) as connection:
        if not has_keys(connection):
            return
        connection.executemany("INSERT OR REPLACE INTO shred_key (name, key) VALUES (?, ?)", list((keys or {}).items()))
        if keys is None:
            connection.execute("INSERT OR REPLACE INTO counter (name, value) VALUES (?, 1)", (CLOSED,))
        else:
            connection.execute("DELETE FROM counter WHERE name = ?", (CLOSED,))
        connection.commit()
        put_back(connection)


def prepare_key_files(mirror: Path | None, folder: Path) -> list[Path]:
    """Copy what `folder` lacks of the mirror's key files beside their places; they take them with `place_key_file`."""
    ready = []
    for file in _files(mirror):
        place = folder / file.name
        if _same(file, place) or (file.name == ROOMS and place.exists()):
            continue
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ready.append(place.with_name(f"{place.name}.restoring"))
        replace(ready[-1], file.read_bytes())
    return ready


def place_key_file(ready: Path, suffix: str) -> str:
    """Give a prepared key file its name; another one of that name stays beside it. Returns the name."""
    place = ready.with_suffix("")
    if place.exists():
        place.rename(place.with_name(place.name + suffix))
    ready.rename(place)
    sync(place.parent)
    return place.name


def has_keys(connection: sqlite3.Connection) -> bool:
    """Whether a database is from after there were keys."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE type='table' AND name='shred_key'").fetchone() is not None


def keys_in(database: Path) -> dict[str, bytes]:
    """The rows of a database in use."""
    with closing(sqlite3.connect(database, timeout=20)) as connection:
        return dict(connection.execute("SELECT name, key FROM shred_key").fetchall()) if has_keys(connection) else {}


# --- inside -------------------------------------------------------------------------------------------------------


def _mirrored(folder: Path) -> dict[str, bytes]:
    try:
        return {name: bytes.fromhex(key) for name, key in json.loads((folder / KEYS).read_text(encoding="utf-8")).items()}
    except FileNotFoundError as problem:
        raise BackupProblem(f"{folder / KEYS}: there is no such file; name the folder of `qianshao backup --keys`") from problem
    except (OSError, ValueError, AttributeError, TypeError) as problem:
        raise BackupProblem(f"{folder / KEYS}: cannot be read ({problem}); nothing was changed") from problem


def _same_installation(replaced: Path, here: dict[str, bytes], backup: Path, mirrored: dict[str, bytes]) -> bool:
    """Whether the database that is replaced has gone on from the one that was backed up: it has a key of the mirror or of a case
    in the backup, or the audit's first line, which stays when every key was destroyed."""
    if here.items() & mirrored.items():
        return True
    with read_only(backup) as copy, closing(sqlite3.connect(replaced, timeout=20)) as database:
        if has_keys(copy) and any(seal in here for (seal,) in copy.execute("SELECT seal FROM cases")):
            return True
        first = _first_line(copy)
        return first is not None and first == _first_line(database)


def _first_line(connection: sqlite3.Connection) -> str | None:
    """The hash of the audit's first line; None while nothing was written down."""
    try:
        row = connection.execute("SELECT digest FROM audit WHERE line = 1").fetchone()
    except sqlite3.OperationalError:
        return None  # from before the lines were a chain
    return str(row[0]) if row else None


def _is_closed(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=20)) as connection:
        return connection.execute("SELECT 1 FROM counter WHERE name = ?", (CLOSED,)).fetchone() is not None


def _files(folder: Path | None) -> list[Path]:
    return sorted(folder.glob("*.key")) if folder else []


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.read_bytes() == other.read_bytes()


# --- files --------------------------------------------------------------------------------------------------------


def sqlite_path(url: str) -> Path:
    """The file of a database; BackupProblem when it is none."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise BackupProblem("PostgreSQL is backed up by pg_dump and restored by pg_restore; copy the media folder beside it")
    if parsed.database in (None, "", ":memory:"):
        raise BackupProblem("a database in memory cannot be backed up")
    return Path(str(parsed.database))


def look_for(database: Path) -> None:
    """Raises BackupProblem when there is no such database, or it cannot be read."""
    try:
        if not database.exists():
            raise BackupProblem(f"{database}: there is no database to back up")
    except OSError as problem:
        raise BackupProblem(
            f"{database}: cannot be read ({problem.strerror}); run this as the user who runs the bot"
        ) from problem


@contextmanager
def read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """A backup's database, beside which no file is made."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def replace(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, for its owner alone."""
    part = path.with_name(path.name + ".part")
    with open(part, "wb", opener=opener) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def sync(directory: Path) -> None:
    """What was renamed in a directory survives a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
