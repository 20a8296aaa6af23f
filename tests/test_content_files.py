"""Front-matter files and TOML places: a broken file names its line and stops nobody."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from content.files import BrokenFile, Page, Strict, read_folder, read_page
from content.toml import TomlMistakes, line_of, read_toml


class Head(Strict):
    title: str
    day: date


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_file_is_read(tmp_path: Path) -> None:
    page = read_page(write(tmp_path / "a.md", '+++\ntitle = "标题"\nday = 2026-11-23\n+++\n\n第一行\n第二行\n\n'), Head)
    assert isinstance(page, Page)
    assert (page.head.title, page.head.day) == ("标题", date(2026, 11, 23))
    assert (page.body, page.body_line) == ("第一行\n第二行", 6)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "first line must be +++"),
        ("title = 1\n", 1, "first line must be +++"),
        ('+++\ntitle = "a"\nday = 2026-11-23\n', 3, "not closed"),
        ('+++\ntitle = "a"\nday = \n+++\nx', 3, "not TOML"),
        ('+++\ntitle = "a"\nday = "gestern"\n+++\nx', 3, "day should be a valid date"),
        ("+++\ntitle = 5\nday = 2026-11-23\n+++\nx", 2, "title should be a valid string"),
        ('+++\ntitle = "a"\nday = 2026-11-23\ntitel = "b"\n+++\nx', 4, "unknown key titel; did you mean title?"),
        ('+++\ntitle = "a"\n+++\nx', 2, "the key day is missing"),
    ],
)
def test_a_broken_file_names_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    broken = read_page(write(tmp_path / "a.md", text), Head)
    assert isinstance(broken, BrokenFile)
    assert says in broken.problem
    assert broken.line == line
    assert str(broken).startswith(f"{tmp_path / 'a.md'}:{line}: ")


def test_other_bytes_and_missing_files_are_broken_files(tmp_path: Path) -> None:
    (tmp_path / "gbk.md").write_bytes("+++\n标题\n".encode("gbk"))
    broken = read_page(tmp_path / "gbk.md", Head)
    assert isinstance(broken, BrokenFile)
    assert (broken.line, broken.problem) == (2, "is not UTF-8; save it as UTF-8")
    gone = read_page(tmp_path / "gone.md", Head)
    assert isinstance(gone, BrokenFile)
    assert "cannot be read" in gone.problem


def test_a_broken_file_does_not_stop_the_rest(tmp_path: Path) -> None:
    write(tmp_path / "x/a.md", "nothing")
    write(tmp_path / "x/b.md", '\ufeff+++\ntitle = "b"\nday = 2026-11-23\n+++\nx')
    first, second = read_folder(tmp_path, Head)
    assert isinstance(first, BrokenFile)
    assert isinstance(second, Page)


TEXT = '''# a comment with key = 1
top = """
inside = 1
"""
list = [
  "x = 1",
  { a = 1 },
]
[web]
port = 1  # [bot]
[pacing.web]
"per chat" = 2
[[schedules]]
name = "a"
[[schedules]]
name = 'b"'
days = ["mon"]
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("inside",), 1),
        (("list",), 5),
        (("web",), 9),
        (("web", "port"), 10),
        (("web", "prot"), 9),
        (("bot", "port"), 1),
        (("pacing", "web", "per chat"), 12),
        (("schedules", 0, "name"), 14),
        (("schedules", 1, "name"), 16),
        (("schedules", 1, "days", 0), 17),
        (("schedules", 1, "time"), 15),
    ],
)
def test_lines_of_keys(path: tuple[str | int, ...], line: int) -> None:
    assert line_of(TEXT, path) == line


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(TomlMistakes) as caught:
        read_toml("title = 1\nday = 2\nextra = 3\n", Head)
    assert [mistake.line for mistake in caught.value.mistakes] == [1, 2, 3]
