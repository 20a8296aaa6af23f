"""Backups are taken while the bot writes, and each of them is restored."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from storage.backup import BackupProblem, back_up, back_up_now, check_backup, restore
from storage.tables import Counter
from storage.writer import Writer
from tests.storage.conftest import open_writer

APPEND = "INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    media = tmp_path / "media" / "ab"
    media.mkdir(parents=True)
    (media / "photo.jpg").write_bytes(b"p" * 5000)
    return tmp_path


@pytest.fixture
def url(home: Path) -> str:
    return f"sqlite:///{home}/qianshao.db"


@pytest.fixture
def writer(url: str) -> Iterator[Writer]:
    opened = open_writer(url)
    yield opened
    opened.close()


def names(writer: Writer) -> set[str]:
    return set(writer.read_now(lambda session: session.exec(select(Counter.name)).all()))


class Load:
    """Somebody who writes without a break; `answered` is what was acknowledged."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.answered: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._write()))

    async def _write(self) -> None:
        async def lane(k: int) -> None:
            i = 0
            while not self._stop.is_set():
                i += 1
                await self.writer.append(APPEND, (f"{k}-{i}", i))
                self.answered.append(f"{k}-{i}")

        await asyncio.gather(*(lane(k) for k in range(4)))

    def more(self, count: int) -> None:
        """Until so many more were answered."""
        wanted, deadline = len(self.answered) + count, time.monotonic() + 60
        while len(self.answered) < wanted and time.monotonic() < deadline:
            time.sleep(0.001)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def test_each_backup_under_load_has_everything_that_was_answered_before_it(writer: Writer, url: str, home: Path) -> None:
    with Load(writer) as load:
        for n in range(5):
            load.more(20)
            before = set(load.answered)
            manifest = back_up_now(url, home / "media", home / f"backup{n}")
            after = set(load.answered)
            assert check_backup(home / f"backup{n}") == manifest
            restored_url = f"sqlite:///{home}/restored{n}/qianshao.db"
            restore(home / f"backup{n}", restored_url, home / f"restored{n}" / "media")
            restored = open_writer(restored_url)
            rows = names(restored)
            restored.close()
            assert before <= rows
            assert len(rows - after) <= 4  # committed, their answers on the way
            assert (home / f"restored{n}" / "media" / "ab" / "photo.jpg").read_bytes() == b"p" * 5000
    assert len(load.answered) > 100


def test_a_plain_copy_of_the_file_is_no_backup(writer: Writer, url: str, home: Path) -> None:
    """The control: `cp` of the open file lacks what is in the WAL, so the test above would notice."""
    with Load(writer) as load:
        load.more(50)
        before = set(load.answered)
        shutil.copyfile(home / "qianshao.db", home / "copy.db")
    try:
        with sqlite3.connect(home / "copy.db") as copy:
            rows = {row[0] for row in copy.execute("SELECT name FROM counter")}
        copy.close()
    except sqlite3.DatabaseError:
        rows = set()
    assert not before <= rows


async def test_the_loop_goes_on_during_a_backup(writer: Writer, url: str, home: Path) -> None:
    await writer.run(lambda session: session.add_all(Counter(name=f"n{i}" * 20, value=i) for i in range(20_000)))
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.001)
            beats += 1

    heart = asyncio.create_task(beat())
    manifest = await back_up(url, home / "media", home / "b")
    heart.cancel()
    assert manifest.rows["counter"] == 20_000
    assert manifest.media == {"ab/photo.jpg": 5000}
    assert beats >= 10  # a loop that stood still meanwhile would have had one or two


def test_a_backup_is_private_and_complete_in_itself(writer: Writer, url: str, home: Path) -> None:
    before = os.umask(0)  # whatever the process lets others read
    try:
        back_up_now(url, home / "media", home / "b")
    finally:
        os.umask(before)
    assert {path.name for path in (home / "b").iterdir()} == {"qianshao.db", "media", "backup.json"}
    open_ones = [path for path in ((home / "b"), *(home / "b").rglob("*")) if path.stat().st_mode & 0o077]
    assert open_ones == []


def test_restore_keeps_what_was_there_and_refuses_a_running_bot(writer: Writer, url: str, home: Path) -> None:
    writer.run_now(lambda session: session.add(Counter(name="old", value=1)))
    back_up_now(url, home / "media", home / "b")
    writer.run_now(lambda session: session.add(Counter(name="new", value=1)))
    (home / "media" / "ab" / "later.jpg").write_bytes(b"l")
    with pytest.raises(BackupProblem, match="stop the bot"):
        restore(home / "b", url, home / "media")
    assert names(writer) == {"old", "new"}
    writer.close()
    restore(home / "b", url, home / "media")
    again = open_writer(url)
    assert names(again) == {"old"}
    again.close()
    assert not (home / "media" / "ab" / "later.jpg").exists()
    (kept,) = home.glob("media.before-restore-*")
    assert (kept / "ab" / "later.jpg").exists()
    (kept_database,) = home.glob("qianshao.db.before-restore-*")
    with sqlite3.connect(kept_database) as connection:
        assert {row[0] for row in connection.execute("SELECT name FROM counter")} == {"old", "new"}
    connection.close()


def test_restore_over_a_damaged_database(url: str, home: Path) -> None:
    writer = open_writer(url)
    writer.run_now(lambda session: session.add(Counter(name="old", value=1)))
    back_up_now(url, home / "media", home / "b")
    writer.close()
    (home / "qianshao.db").write_bytes(b"garbage" * 4096)
    restore(home / "b", url, home / "media")
    again = open_writer(url)
    assert names(again) == {"old"}
    again.close()


@pytest.mark.parametrize("part", ["manifest", "database", "media", "rows"])
def test_a_broken_backup_is_refused_and_nothing_is_changed(url: str, home: Path, part: str) -> None:
    writer = open_writer(url)
    writer.run_now(lambda session: session.add(Counter(name="old", value=1)))
    back_up_now(url, home / "media", home / "b")
    writer.run_now(lambda session: session.add(Counter(name="new", value=1)))
    writer.close()
    backup = home / "b"
    match part:
        case "manifest":
            (backup / "backup.json").unlink()
        case "database":
            data = bytearray((backup / "qianshao.db").read_bytes())
            data[len(data) // 2] ^= 0xFF
            (backup / "qianshao.db").write_bytes(data)
        case "media":
            (backup / "media" / "ab" / "photo.jpg").unlink()
        case "rows":
            (backup / "backup.json").write_text("{}")
    with pytest.raises(BackupProblem, match="take another"):
        restore(backup, url, home / "media")
    again = open_writer(url)
    assert names(again) == {"old", "new"}
    again.close()


def test_a_backup_that_stops_half_way_leaves_no_backup(url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_writer(url).close()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("storage.backup._copy_media", full)
    with pytest.raises(BackupProblem, match="No space left"):
        back_up_now(url, home / "media", home / "b")
    assert not list(home.glob("b*"))


def test_what_cannot_be_backed_up_says_so(home: Path) -> None:
    with pytest.raises(BackupProblem, match="pg_dump"):
        back_up_now("postgresql://host/db", home / "media", home / "b")
    with pytest.raises(BackupProblem, match="in memory"):
        back_up_now("sqlite://", home / "media", home / "b")
    with pytest.raises(BackupProblem, match="no database"):
        back_up_now(f"sqlite:///{home}/none.db", home / "media", home / "b")
    (home / "taken").mkdir()
    (home / "taken" / "x").touch()
    open_writer(f"sqlite:///{home}/q.db").close()
    with pytest.raises(BackupProblem, match="not empty"):
        back_up_now(f"sqlite:///{home}/q.db", home / "media", home / "taken")
