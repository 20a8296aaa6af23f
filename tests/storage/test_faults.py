"""Locks, full disks, damaged and newer files: a clear answer, nothing lost, and service again as soon as it can be."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlmodel import Session, select

import storage.writer as writer_module
from storage import migrations
from storage.database import DatabaseDamaged, DatabaseProblem, DatabaseTooNew, DatabaseUnreachable, OldLibrary, prepare
from storage.tables import Counter
from storage.writer import StorageUnavailable, Writer
from tests.storage.conftest import open_writer

ROOT = Path(__file__).parents[2]
APPEND = "INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING"


def names(writer: Writer) -> set[str]:
    return set(writer.read_now(lambda session: session.exec(select(Counter.name)).all()))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "q.db"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    opened = open_writer(f"sqlite:///{path}")
    yield opened
    opened.close()


class Locker:
    """A foreign process' connection that holds the write lock."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()


async def test_the_writer_is_set_up_to_be_durable(writer: Writer) -> None:
    await writer.run(lambda session: session.add(Counter(name="a", value=1)))

    def pragmas() -> list[object]:
        asked = ("synchronous", "journal_mode", "foreign_keys", "secure_delete", "query_only")
        return [writer._cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in asked]

    assert await writer.run(lambda _: pragmas()) == [2, "wal", 1, 1, 0]  # 2 is FULL


async def test_a_locked_database_is_waited_for_and_the_loop_lives(writer: Writer, path: Path) -> None:
    await writer.run(lambda session: session.add(Counter(name="first", value=1)))
    with Locker(path):
        tasks = [asyncio.ensure_future(writer.append(APPEND, (f"n{i}", i))) for i in range(20)]
        alone = asyncio.ensure_future(writer.append(APPEND, ("alone", 1)))
        before = time.monotonic()
        for _ in range(40):
            await asyncio.sleep(0.005)
        assert not any(task.done() for task in [*tasks, alone])
        # a loop that waited for the lock itself would have waited that long, once or forty times
        assert time.monotonic() - before < writer_module.LOCK_PATIENCE_SECONDS
    assert await asyncio.gather(*tasks, alone) == [True] * 21
    assert len(names(writer)) == 22


async def test_a_lone_append_never_waits_for_a_lock_in_the_loop(writer: Writer, path: Path) -> None:
    await writer.append(APPEND, ("a", 1))
    await writer.append(APPEND, ("b", 1))  # this one is committed on the spot
    with Locker(path):
        task = asyncio.ensure_future(writer.append(APPEND, ("c", 1)))
        before = time.monotonic()
        await asyncio.sleep(0.01)
        assert time.monotonic() - before < writer_module.LOCK_PATIENCE_SECONDS
        assert not task.done()
    assert await task


async def test_patience_ends_in_storage_unavailable(writer: Writer, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "LOCK_PATIENCE_SECONDS", 0.05)
    await writer.append(APPEND, ("a", 1))
    with Locker(path):
        for call in (
            writer.append(APPEND, ("b", 1)),
            writer.run(lambda session: session.add(Counter(name="c", value=1))),
        ):
            with pytest.raises(StorageUnavailable, match="locked"):
                await call
    assert await writer.append(APPEND, ("d", 1))
    await writer.run(lambda session: session.add(Counter(name="e", value=1)))
    assert names(writer) == {"a", "d", "e"}


# --- a full disk --------------------------------------------------------------------------------------------------

FILLER = """
    import asyncio, os, resource, shutil, sys, warnings
    from pathlib import Path
    warnings.simplefilter("ignore")
    from storage.database import prepare
    from storage.writer import StorageUnavailable
    from storage.tables import Counter

    home, how = Path(sys.argv[1]), sys.argv[2]
    ballast = home / "ballast"

    def fill():
        if how == "limit":
            largest = max(path.stat().st_size for path in home.iterdir())
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 40_000, resource.RLIM_INFINITY))
        else:
            free = shutil.disk_usage(home).free
            ballast.write_bytes(b"x" * max(0, free - 60_000))

    def make_room():
        if how == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        else:
            ballast.unlink()

    async def main():
        writer = prepare(f"sqlite:///{home}/q.db")
        number = refused = 0
        async def one(i):
            nonlocal refused
            name = f"{i}-" + "x" * 900
            try:
                if i % 4:
                    await writer.append("INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", (name, i))
                else:
                    await writer.run(lambda session: session.add(Counter(name=name, value=i)))
            except StorageUnavailable as problem:
                refused += 1
                print("refused", i, str(problem)[:60], flush=True)
            else:
                print("kept", i, flush=True)
        for cycle in range(6):
            fill()
            before = refused
            for _ in range(40):
                await asyncio.gather(*(one(number + k) for k in range(5)))
                number += 5
                if refused > before + 5:
                    break
            assert refused > before, "the disk was never full"
            make_room()
            before = refused
            for _ in range(3):
                await one(number)
                number += 1
            assert refused == before, "no service although there is room again"
        writer.close()

    asyncio.run(main())
"""


@pytest.fixture(params=["tmpfs", "limit"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    if request.param == "limit":
        yield tmp_path, "limit"
        return
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("a small disk needs root")
    home = tmp_path / "disk"
    home.mkdir()
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=3m", "tmpfs", home], capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield home, "tmpfs"
    finally:
        subprocess.run(["umount", home], check=True)


def test_a_full_disk_refuses_loudly_and_recovers(small_disk: tuple[Path, str]) -> None:
    home, how = small_disk
    command = [sys.executable, "-c", textwrap.dedent(FILLER), str(home), how]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = [line.split() for line in done.stdout.splitlines()]
    kept = {int(words[1]) for words in said if words[0] == "kept"}
    refused = {int(words[1]) for words in said if words[0] == "refused"}
    assert len(refused) >= 6
    writer = open_writer(f"sqlite:///{home}/q.db")
    stored = {int(name.partition("-")[0]) for name in names(writer)}
    writer.close()
    assert kept == stored  # nothing acknowledged is lost, nothing refused is there
    assert not kept & refused


# --- opening ------------------------------------------------------------------------------------------------------


def test_a_damaged_file_is_named_with_the_next_step(path: Path) -> None:
    writer = open_writer(f"sqlite:///{path}")
    writer.run_now(lambda session: session.add_all(Counter(name=f"n{i}" * 30, value=i) for i in range(3000)))
    writer.close()
    sound = path.read_bytes()
    rng = random.Random(4)
    said: list[str] = []
    for _ in range(40):
        data = bytearray(sound)
        start = rng.randrange(0, len(data) - 4096)
        data[start : start + 4096] = rng.randbytes(4096)
        path.write_bytes(data)
        try:
            opened = open_writer(f"sqlite:///{path}")
        except DatabaseDamaged as problem:
            said.append(str(problem))
            assert path.read_bytes() == bytes(data)
        else:
            opened.close()
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
    assert all("restore" in text and str(path) in text for text in said)
    assert len(said) >= 39  # a page on the free list may be anything


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_text("这不是数据库" * 1000)
    with pytest.raises(DatabaseDamaged, match="restore"):
        open_writer(f"sqlite:///{path}")


def test_a_newer_database_is_left_alone(path: Path) -> None:
    open_writer(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num='9999'")
    connection.close()
    with pytest.raises(DatabaseTooNew, match="newer version"):
        open_writer(f"sqlite:///{path}")


def test_tables_without_a_revision_are_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE outbox (id INTEGER PRIMARY KEY)")
    connection.close()
    with pytest.raises(DatabaseProblem, match="no revision"):
        open_writer(f"sqlite:///{path}")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnreachable, match=r"storage\.url"):
        open_writer(f"sqlite:///{tmp_path}/file/q.db")
    with pytest.raises(DatabaseUnreachable, match=r"storage\.url"):
        open_writer(f"sqlite:///{tmp_path}")


def test_a_server_that_is_not_there_and_a_password_that_is_not_shown() -> None:
    with pytest.raises(DatabaseUnreachable) as caught:
        open_writer("postgresql://someone:secret@127.0.0.1:9/db?connect_timeout=2")
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


@pytest.mark.postgres
def test_a_user_without_rights_is_not_told_that_the_database_is_damaged(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS weak")
        admin.execute("CREATE ROLE weak LOGIN")
    with pytest.raises(DatabaseUnreachable, match=r"cannot be used: permission denied .*owns this database"):
        open_writer(postgres_url.replace("//postgres:", "//weak:").replace("//postgres@", "//weak@"))


def test_a_new_database_belongs_to_its_owner(path: Path) -> None:
    writer = open_writer(f"sqlite:///{path}")
    writer.run_now(lambda session: session.add(Counter(name="a", value=1)))
    for name in ("q.db", "q.db-wal"):
        assert path.with_name(name).stat().st_mode & 0o077 == 0
    writer.close()


def test_an_old_library_is_warned_about(path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        prepare(f"sqlite:///{path}").close()
    assert [str(w.message) for w in caught if w.category is OldLibrary] == (
        [] if sqlite3.sqlite_version_info >= (3, 51, 3) else [writer_module.sqlite_version_warning()]
    )


# --- revisions ----------------------------------------------------------------------------------------------------


def test_head_is_the_newest_revision() -> None:
    from alembic.script import ScriptDirectory

    from storage.database import alembic_config

    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == migrations.HEAD


def test_the_second_start_does_not_load_alembic(path: Path) -> None:
    open_writer(f"sqlite:///{path}").close()
    code = "import sys, warnings; warnings.simplefilter('ignore'); from storage.database import prepare; "
    code += "prepare(sys.argv[1]).close(); print('alembic' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, f"sqlite:///{path}"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_migration_that_is_killed_leaves_the_old_schema(path: Path) -> None:
    """Killed at the n-th statement of the first revision, for several n: the next start finds nothing and begins anew."""
    code = """
        import os, signal, sys, warnings
        warnings.simplefilter("ignore")
        from sqlalchemy import event
        from sqlalchemy.engine import Engine
        from storage.database import prepare
        left = int(sys.argv[2])
        @event.listens_for(Engine, "before_cursor_execute")
        def count(*_):
            global left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        prepare(sys.argv[1]).close()
    """
    for n in (6, 50):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), f"sqlite:///{path}", str(n)], cwd=ROOT, timeout=60, check=False
        )
        assert done.returncode == -signal.SIGKILL
        with sqlite3.connect(path) as connection:
            assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        connection.close()
    open_writer(f"sqlite:///{path}").close()


# --- how commits are shared ---------------------------------------------------------------------------------------


async def test_lone_appends_are_committed_on_the_spot_and_company_together(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "SLOW_COMMIT_SECONDS", 60.0)
    sizes: list[int] = []
    real = writer._commit

    def commit(batch: list[writer_module.Unit]) -> list[writer_module.Outcome]:
        sizes.append(len(batch))
        return real(batch)

    monkeypatch.setattr(writer, "_commit", commit)
    for i in range(100):
        assert await writer.append(APPEND, (f"a{i}", i))
    assert sizes == [1]  # the first connects, in the writer's thread; the others never get there
    sizes.clear()
    for _ in range(5):
        await asyncio.gather(*(writer.append(APPEND, (f"{time.monotonic()}-{i}", i)) for i in range(200)))
    assert sum(sizes) == 1000
    assert len(sizes) <= 50


async def test_a_slow_commit_keeps_the_event_loop_out(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "SLOW_COMMIT_SECONDS", 0.0)
    monkeypatch.setattr(writer_module, "ASIDE_FACTOR", 1e9)
    threads: list[int] = []
    real = writer._append_all

    def append_all(batch: list[writer_module.Unit]) -> list[writer_module.Outcome]:
        threads.append(threading.get_ident())
        return real(batch)

    monkeypatch.setattr(writer, "_append_all", append_all)
    for i in range(5):
        assert await writer.append(APPEND, (f"a{i}", i))
    here = threading.get_ident()
    assert [thread == here for thread in threads] == [False, True, False, False, False]


async def test_the_wal_stays_short(writer: Writer, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "COMMITS_PER_CHECKPOINT", 50)
    for i in range(1000):
        await writer.append(APPEND, (f"{i}" + "x" * 2000, i))
    assert path.with_name("q.db-wal").stat().st_size < 4 * 1024 * 1024


def test_a_disk_that_fills_up_inside_a_savepoint_is_told_as_what_it_is(writer: Writer) -> None:
    """SQLite has ended the transaction by then, and the session's rollback finds no savepoint: that is not the unit's mistake."""

    def fill(session: Session) -> None:
        raw = session.connection()
        pages = raw.exec_driver_sql("PRAGMA page_count").scalar()
        raw.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    def write(session: Session) -> None:
        with session.begin_nested():
            for number in range(200):
                session.add(Counter(name=f"{number}{'x' * 4000}", value=1))
            session.flush()

    writer.run_now(fill)
    with pytest.raises(StorageUnavailable, match="full"):
        writer.run_now(write)
    writer.run_now(write)  # on a new connection, which has room
    assert len(names(writer)) == 200
