"""Backups of a database in use, and back."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.cli.terminal import Shell


def test_a_backup_is_a_sound_copy_of_a_database_in_use(district: Shell, tmp_path: Path) -> None:
    (tmp_path / "data/media").mkdir(exist_ok=True)
    (tmp_path / "data/media/photo.jpg").write_bytes(b"x")
    (tmp_path / "data/keys").mkdir(exist_ok=True)
    (tmp_path / "data/keys/tips.key").write_bytes(b"k")
    with sqlite3.connect(tmp_path / "data/qianshao.sqlite3") as busy:
        busy.execute("BEGIN IMMEDIATE")
        done = district("backup", "copies")
    busy.close()
    assert done.code == 0, done.err
    (copy,) = (tmp_path / "copies").iterdir()
    files = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert "media/photo.jpg" in files
    assert not any("key" in name or "web" in name for name in files), files
    with sqlite3.connect(copy / "qianshao.db") as database:
        assert database.execute("SELECT count(*) FROM chat_group").fetchone() == (2,)
    database.close()


def test_the_data_folder_belongs_to_its_owner_alone_whoever_makes_it(shell: Shell) -> None:
    assert shell("unit", "add", "station", "幸福派出所", "--kind", "police").code == 0
    assert Path("data").stat().st_mode & 0o777 == 0o700


def test_a_backup_comes_back(district: Shell, tmp_path: Path) -> None:
    assert district("backup", "copies").code == 0
    (copy,) = (tmp_path / "copies").iterdir()
    for file in (tmp_path / "data").glob("qianshao.sqlite3*"):
        file.unlink()
    done = district("restore", str(copy))
    assert done.code == 0, done.err
    assert "港新1号群" in district("group", "list").out
    assert "nowhere" in district("restore", "nowhere").err
