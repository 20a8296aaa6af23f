"""Online backup of the SQLite database and the media folder, and the way back.

A backup is a directory: `qianshao.db` (one consistent copy, checked), `media/…` and `backup.json`, which is written last: a
directory without it is not a backup. Copying the open file with `cp` is not a backup either; its WAL holds what the copy lacks.
PostgreSQL brings its own tools (`pg_dump --exclude-table-data=shred_key`, `pg_restore`).

The keys of cases, photos and tips (`shred_key`) are not in it, else nothing could ever be erased from it. `back_up_keys` mirrors
them and the key files into one folder, always the newest alone; a restore takes the keys that are newest: those of the database
that it replaces, or that folder's when there is none or it is another installation's (a bot that was started once on a new
machine). What was erased since the backup has no key any more and stays unreadable. The key files come back from that folder.
Accounts of people are in it under pseudonyms (`storage.pseudonyms`).

The database is copied first and the media after it, so that every file that a row of the copy names is there.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from storage.key_mirror import (
    BackupProblem,
    has_keys,
    look_for,
    newest_keys,
    place_key_file,
    prepare_key_files,
    put_keys,
    read_only,
    sqlite_path,
    sync,
)
from storage.private import opener, tighten
from storage.pseudonyms import pseudonymise

DATABASE = "qianshao.db"
MEDIA = "media"
MANIFEST = "backup.json"
SEALED = ("cases", "tip", "attachment")  # tables whose words or files lie under keys that a backup leaves out
PAGES_AT_A_TIME = 1_000  # 4 MB, then the writer gets a turn


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. `sha256` is of the database file; `media` maps a path below the media folder to its size in bytes."""

    made_at: str
    revision: str
    sha256: str
    rows: dict[str, int]
    media: dict[str, int]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back. `closed`: there were no keys, so what cases and tips say and who brought them cannot be read."""

    manifest: Manifest
    closed: bool
    key_files: tuple[str, ...] = ()


async def back_up(url: str, media: Path, target: Path) -> Manifest:
    """Make a backup in the new directory `target` while the bot runs; returns what is in it."""
    return await asyncio.to_thread(back_up_now, url, media, target)


def back_up_now(url: str, media: Path, target: Path) -> Manifest:
    """`back_up` for a caller without an event loop."""
    source = sqlite_path(url)
    look_for(source)
    if target.exists() and any(target.iterdir()):
        raise BackupProblem(f"{target}: is not empty; name a new directory")
    half = target.with_name(target.name + ".part")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True, mode=0o700)
    try:
        _copy_database(source, half / DATABASE)
        with closing(sqlite3.connect(half / DATABASE)) as copy:
            _leave_people_out(copy, source)
            _leave_keys_out(copy)
            _check(copy, half / DATABASE)
            revision, rows = _revision(copy), _count(copy)
        sizes = _copy_media(media, half / MEDIA)
        manifest = Manifest(datetime.now(UTC).isoformat(timespec="seconds"), revision, _hash(half / DATABASE), rows, sizes)
        _write(half / MANIFEST, json.dumps(asdict(manifest), indent=1).encode())
        if target.exists():
            target.rmdir()
        half.rename(target)
        sync(target.parent)
    except (OSError, sqlite3.Error) as problem:
        raise BackupProblem(f"{target}: the backup was not finished: {problem}") from problem
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return manifest


def check_backup(source: Path) -> Manifest:
    """Read a backup through: its database is sound and unchanged, its files are all there. Raises BackupProblem."""
    try:
        plain = json.loads((source / MANIFEST).read_text(encoding="utf-8"))
        manifest = Manifest(**plain)
    except (OSError, ValueError, TypeError) as problem:
        raise BackupProblem(f"{source}: no complete backup ({MANIFEST} is missing or unreadable); take another one") from problem
    database = source / DATABASE
    if not database.exists() or _hash(database) != manifest.sha256:
        raise BackupProblem(f"{database}: is not what was backed up; take another backup")
    with read_only(database) as copy:
        _check(copy, database)
        if _count(copy) != manifest.rows:
            raise BackupProblem(f"{database}: has other rows than were backed up; take another backup")
    for name, size in manifest.media.items():
        path = source / MEDIA / name
        if not path.is_file() or path.stat().st_size != size:
            raise BackupProblem(f"{path}: is missing or has another size than was backed up; take another backup")
    return manifest


def restore(source: Path, url: str, media: Path, keys: Path | None = None, key_files: Path | None = None) -> Restored:
    """Put a backup in the place of the database and the media folder; the bot must not run.

    The keys come out of the database that is replaced when it is the same installation's, else out of the folder `keys`
    (`back_up_keys`), whose key files go into `key_files`; without either, the words and photos of cases and tips stay closed
    until a restore brings the keys. What was there is kept beside it, with `.before-restore` and the time at the end of its name.
    """
    manifest = check_backup(source)
    target = sqlite_path(url)
    _refuse_while_in_use(target)
    ready, ready_media = target.with_name(target.name + ".restoring"), media.with_name(media.name + ".restoring")
    shutil.rmtree(ready_media, ignore_errors=True)
    ready_keys: list[Path] = []
    try:
        newest = newest_keys(target, source / DATABASE, keys)
        if not any(manifest.rows.get(table) for table in SEALED):
            newest = newest or {}  # nothing in it needs a key
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(source / DATABASE, ready)
        ready.chmod(0o600)
        with ready.open("rb") as file:
            os.fsync(file.fileno())
        _copy_media(source / MEDIA, ready_media)
        if _hash(ready) != manifest.sha256:
            raise BackupProblem(f"{ready}: the copy differs from the backup; check the disk")
        put_keys(ready, newest)
        ready_keys = prepare_key_files(keys, key_files) if key_files else []
    except (OSError, sqlite3.Error) as problem:
        raise BackupProblem(f"{target}: nothing was changed, the copy could not be made: {problem}") from problem
    else:
        placed = _put_in_place(target, ready, media, ready_media, ready_keys)
    finally:
        ready.unlink(missing_ok=True)
        shutil.rmtree(ready_media, ignore_errors=True)
    return Restored(manifest, newest is None, placed)


# --- inside -------------------------------------------------------------------------------------------------------


def _put_in_place(target: Path, ready: Path, media: Path, ready_media: Path, ready_keys: list[Path]) -> tuple[str, ...]:
    """Names of the key files that came."""
    suffix = f".before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    try:
        placed = tuple(place_key_file(file, suffix) for file in ready_keys)
        for path in (target, *(target.with_name(target.name + end) for end in ("-wal", "-shm"))):
            if path.exists():
                path.rename(path.with_name(path.name + suffix))
        ready.rename(target)
        if media.exists():
            media.rename(media.with_name(media.name + suffix))
        ready_media.rename(media)
        sync(target.parent)
    except OSError as problem:
        raise BackupProblem(
            f"{target}: was not put in its place whole: {problem}. What was there lies beside it as *{suffix}; restore again"
        ) from problem
    return placed


def _copy_database(source: Path, target: Path) -> None:
    """SQLite's own online backup: one snapshot, while the writer goes on."""
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(source, timeout=20)) as connection, closing(sqlite3.connect(target)) as copy:
        connection.execute("BEGIN")  # without it the copy would start over whenever somebody writes between two steps
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.backup(copy, pages=PAGES_AT_A_TIME, sleep=0.0)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, complete in itself
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _leave_people_out(copy: sqlite3.Connection, source: Path) -> None:
    if not has_keys(copy):
        return
    copy.execute("PRAGMA secure_delete=ON")
    copy.execute("PRAGMA journal_mode=MEMORY")  # no file with the old pages beside the copy
    pseudonymise(copy, source)


def _leave_keys_out(copy: sqlite3.Connection) -> None:
    if not has_keys(copy):
        return
    copy.execute("DELETE FROM shred_key")
    copy.commit()


def _check(connection: sqlite3.Connection, path: Path) -> None:
    try:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as problem:
        verdict = str(problem)
    if verdict != "ok":
        raise BackupProblem(f"{path}: damaged: {verdict}; take another backup")


def _revision(connection: sqlite3.Connection) -> str:
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else ""


def _count(connection: sqlite3.Connection) -> dict[str, int]:
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table' ORDER BY name")]
    return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}  # noqa: S608


def _copy_media(source: Path, target: Path) -> dict[str, int]:
    """Copy files by name; media files never change once they are written, and one that is deleted meanwhile is not needed."""
    sizes: dict[str, int] = {}
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in sorted(source.rglob("*")) if source.exists() else ():
        name = path.relative_to(source)
        if path.is_symlink() or not path.is_file():
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            shutil.copyfile(path, target / name)
        except FileNotFoundError:
            continue
        tighten(target / name)
        sizes[name.as_posix()] = (target / name).stat().st_size
    return sizes


def _refuse_while_in_use(path: Path) -> None:
    """A running bot holds the database open in WAL mode; only without other users can it be locked for itself alone."""
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as problem:
        raise BackupProblem(f"{path}: is in use ({problem}); stop the bot first") from problem
    except sqlite3.DatabaseError:
        return  # damaged: all the more reason to restore


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb", opener=opener) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
