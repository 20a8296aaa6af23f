"""Opening the database: migrate it, look it over, refuse it with a clear sentence when it cannot be used.

DatabaseProblem
├── DatabaseUnreachable   no server, no directory, no right to write
├── DatabaseDamaged       SQLite says that the file is broken, or it is no database
└── DatabaseTooNew        written by a newer version of this program
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, OperationalError

from storage.migrations import HEAD
from storage.writer import Writer, check_integrity, open_engine, sqlite_version_warning

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATION_LOCK = 7_265_031  # any number of our own: two nodes that start together migrate one after the other


class DatabaseProblem(Exception):
    """The database cannot be used. The text says what is wrong and what to do next."""


class DatabaseUnreachable(DatabaseProblem):
    """It could not be opened at all."""


class DatabaseDamaged(DatabaseProblem):
    """It is broken; nothing was changed in it."""


class DatabaseTooNew(DatabaseProblem):
    """A newer version of the program has written it; nothing was changed in it."""


class OldLibrary(UserWarning):
    """The SQLite library has a known fault that we work around."""


def prepare(url: str) -> Writer:
    """Open `sqlite:///…` or `postgresql://…`, bring its tables up to date, check it, and start its writer.

    Raises DatabaseProblem. Warns with OldLibrary when the SQLite library is one that must not be shared between processes.
    """
    engine = open_engine(url)
    name = make_url(url).render_as_string(hide_password=True)
    try:
        _make_file(engine)
        damage = check_integrity(engine)
        if damage is not None:
            raise DatabaseDamaged(_damaged(name, damage))
        _migrate(engine, name)
    except DatabaseProblem:
        engine.dispose()
        raise
    except (OperationalError, OSError) as problem:
        engine.dispose()
        reason = _reason(getattr(problem, "orig", problem))
        if "malformed" in reason:
            raise DatabaseDamaged(_damaged(name, reason)) from problem
        raise DatabaseUnreachable(
            f"{name}: cannot be opened: {reason}. "
            "Check storage.url, and that the server runs or the directory can be written, then start again."
        ) from problem
    except DatabaseError as problem:
        engine.dispose()
        if engine.dialect.name == "sqlite":
            raise DatabaseDamaged(_damaged(name, _reason(problem.orig))) from problem
        raise DatabaseUnreachable(
            f"{name}: cannot be used: {_reason(problem.orig)}. "
            "Check storage.url, and that its user owns this database and may make tables in it, then start again."
        ) from problem
    warning = sqlite_version_warning() if engine.dialect.name == "sqlite" else None
    if warning is not None:
        warnings.warn(warning, OldLibrary, stacklevel=2)
    return Writer(engine)


def schema_differences(connection: Connection) -> list[str]:
    """What distinguishes the database from storage/tables; empty when nothing does."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlmodel import SQLModel

    from storage import tables  # noqa: F401 (fills the metadata)

    found = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), SQLModel.metadata)
    return [str(difference) for difference in found]


def alembic_config() -> Config:
    """Alembic without an .ini file: everything it needs lies in storage/migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(connection: Connection) -> None:
    """Run every revision that is missing, inside the caller's transaction."""
    from alembic import command

    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _migrate(engine: Engine, name: str) -> None:
    with engine.connect() as connection:
        stored = _revision(connection)
        connection.rollback()
        if stored == HEAD:
            return
        with _schema_transaction(connection):
            stored = _revision(connection)  # another node may have been faster
            if stored == HEAD:
                return
            if stored is None and inspect(connection).has_table("outbox"):
                raise DatabaseProblem(f"{name}: has tables but no revision. Move it away and start again, or restore a backup.")
            if stored is not None and stored not in _known_revisions():
                raise DatabaseTooNew(
                    f"{name}: revision {stored} was written by a newer version of this program (this one knows {HEAD}). "
                    "Install the newer version, or restore a backup made by this one."
                )
            upgrade(connection)


@contextmanager
def _schema_transaction(connection: Connection) -> Iterator[None]:
    """One transaction around all revisions: a crash leaves the old schema or the new one, never something between."""
    if connection.dialect.name != "sqlite":
        with connection.begin():
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
            yield
        return
    # SQLite rebuilds a table by copying it, which foreign keys would forbid; they are checked at the end instead
    connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        yield
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise DatabaseDamaged(f"after the migration {len(broken)} rows refer to rows that do not exist; nothing was changed")
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    finally:
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")
        connection.rollback()


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    stored: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return stored


def _known_revisions() -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}


def _make_file(engine: Engine) -> None:
    """A new SQLite file belongs to its owner alone; SQLite gives its WAL the same rights."""
    path = engine.url.database
    if engine.dialect.name != "sqlite" or path in (None, "", ":memory:"):
        return
    Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _reason(problem: object) -> str:
    """What the driver says, in one line; a server's message has several."""
    return " ".join(str(problem).split()).rstrip(" .?")


def _damaged(name: str, reason: str) -> str:
    return f"{name}: damaged: {reason}. Keep this file, restore the newest backup with `qianshao restore`, and start again."
