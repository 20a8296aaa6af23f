"""`qianshao check`, and what `run` finds out before anything starts."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest
from sqlmodel import Session

from bot.cli import _sentence as sentence_of
from bot.cli.shell import CONTENT
from bot.errors import ConfigError
from bot.timers import MOST_TRIES
from content.desk import DeskError
from content.workdays import WorkdaysError
from storage.tables import Timer
from tests.cli.terminal import MONDAY_TEN, ROOT, Shell, in_database


def test_check_tells_what_is_well(shell: Shell) -> None:
    done = shell("--config", str(ROOT / "config.toml"), "check")
    assert done.code == 0, done.out
    assert [line.split()[:2] for line in done.out.splitlines()] == [
        ["ok", "settings:"], ["ok", "content:"], ["ok", "working"], ["ok", "handlers:"], ["ok", "database:"], ["ok", "keys:"],
        ["ok", "timers:"], ["ok", "gazetteer:"], ["ok", "pictures:"], ["ok", "web"],
    ]  # fmt: skip
    assert not Path("data").exists(), "checking makes nothing"


def test_check_names_everything_that_is_wrong(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = tmp_path / "content"
    for name in ("posts/law", "phrases", "answers", "demo"):
        (content / name).mkdir(parents=True)
    (content / "posts/law/bad.md").write_text("+++\ntitle = 5\n+++\nx")
    (content / "phrases/bad.toml").write_text('x = "{{"')
    (content / "taxonomy.toml").write_text("")
    monkeypatch.setattr("bot.cli.checking.CONTENT", content)
    (tmp_path / "mine.py").write_text("router = 5\n")
    monkeypatch.setenv("QIANSHAO_BOT__HANDLERS", '["mine.py"]')
    (tmp_path / "data").mkdir()
    (tmp_path / "data/qianshao.sqlite3").write_bytes(b"nonsense" * 1000)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("QIANSHAO_WEB__PORT", str(taken.getsockname()[1]))
        done = shell("check")
    assert done.code == 1
    for says in (
        "law/bad.md:2: title should be a valid string",
        "phrases/bad.toml:1:",
        "taxonomy.toml",
        "demo/district.toml:1: cannot be read",
        "mine.py has no `router`",
        "database: ",
        "cannot be listened on",
    ):
        assert says in done.out, f"{says!r} is not in\n{done.out}"


def test_check_names_every_file_without_which_the_bot_does_not_start(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = tmp_path / "content"
    content.mkdir()
    for path in CONTENT.iterdir():
        if path.name != "lexicon":
            (content / path.name).symlink_to(path)
    shutil.copytree(CONTENT / "lexicon", content / "lexicon")
    (content / "workdays").unlink(missing_ok=True)
    (content / "workdays").mkdir()
    broken = {
        "workdays/2027.toml": "working days",
        "calendar.toml": "content",
        "lexicon/typos.toml": "content",
        "desk.toml": "content",
    }
    for name in broken:
        (content / name).unlink(missing_ok=True)
        (content / name).write_text("x = \n", encoding="utf-8")
    monkeypatch.setattr("bot.cli.checking.CONTENT", content)
    done = shell("check")
    assert done.code == 1
    for name, look in broken.items():
        assert f"problem  {look}: {content / name}:" in done.out
    denied = PermissionError(13, "Permission denied", "data/keys/totp.key")
    assert str(sentence_of(denied)).startswith("data/keys/totp.key: Permission denied. Run this as the user who runs the bot")
    for kind in (DeskError, WorkdaysError, ConfigError):
        assert sentence_of(kind("file:1: what is wrong")) == "file:1: what is wrong", "run ends with it and not with a traceback"


def test_check_tells_of_what_goes_on_failing(district: Shell, tmp_path: Path) -> None:
    def fail(session: Session) -> None:
        session.add(Timer(kind="callback.ask", key="1", due_at=MONDAY_TEN, tries=MOST_TRIES))
        session.add(Timer(kind="desk.clock", key="1", due_at=MONDAY_TEN, tries=MOST_TRIES - 1))

    in_database(tmp_path, fail)
    done = district("check")
    assert done.code == 1
    assert "problem  timers: 1 x callback.ask failed 3 times or more and is tried on" in done.out
    assert "desk.clock" not in done.out


def test_check_knows_what_must_not_be_served(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.cli.checking._content_problems", lambda: iter(()))  # looked at elsewhere, and slow
    monkeypatch.setattr("bot.cli.checking._content_counts", lambda: "content")
    monkeypatch.setenv("QIANSHAO_WEB__HOST", "0.0.0.0")
    assert "web.public_url is missing" in shell("check").out
    monkeypatch.setenv("QIANSHAO_BOT__DEMO", "true")
    done = shell("check")
    assert done.code == 1
    assert "the demonstration lets anybody be anybody and runs only on 127.0.0.1" in done.out
    monkeypatch.setenv("QIANSHAO_WEB__ENABLED", "false")
    assert "web is off" in shell("check").out


def test_run_refuses_a_taken_port_before_anything_starts(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("QIANSHAO_WEB__PORT", str(port))
        done = shell("run")
    assert done.code == 1
    assert f"127.0.0.1:{port} cannot be listened on" in done.err
    assert "QIANSHAO_WEB__PORT=" in done.err
    assert not Path("data").exists()


def test_our_content_lies_where_the_commands_look() -> None:
    assert (CONTENT / "taxonomy.toml").is_file()
