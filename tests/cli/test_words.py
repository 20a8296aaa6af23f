"""What everybody reads who calls it: help, a sentence for every slip, and never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import ROOT, Shell


def test_help_is_english_with_a_chinese_line(shell: Shell) -> None:
    done = shell("--help")
    assert "邻里群里的前哨" in done.out
    for command in ("run", "check", "classify", "ask", "post", "officer", "group", "schedule", "backup"):
        assert f"\n  {command}" in done.out
    assert "启动前哨" in shell("run", "--help").out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--config", "nowhere.toml", "check"), 1, "error: nowhere.toml: there is no such file"),
        (("officer", "code", "9"), 1, "error: there is no officer '9'; qianshao officer list shows them"),
        (("group", "assign", "nothing", "GX01"), 1, "error: there is no group 'nothing'; qianshao group list shows them"),
        (("group", "invite", "nothing"), 1, "error: there is no group 'nothing'"),
        (("post", "preview", "跳房子"), 1, "error: 没找到“跳房子”。写栏目名"),
        (("post", "send", "反诈"), 1, "error: say to whom: --to LABEL (repeatable), or --all"),
        (("post", "send", "反诈", "--all"), 1, "error: there is no group yet; qianshao group add"),
        (("post", "stop"), 1, "error: no campaign is under way"),
        (("post", "status", "7"), 1, "error: there is no campaign 7"),
        (("post", "list", "胡说"), 1, "error: '胡说' is no category"),
        (("officer", "role", "3201"), 1, "error: say which roles from now on"),
        (("ask", "--knowledge", "nowhere.jsonl"), 1, "error: nowhere.jsonl: cannot be read"),
        (("backup", "copies"), 1, "error: data/qianshao.sqlite3: there is no database to back up"),
        (("nonsense",), 2, "No such command 'nonsense'"),
        (("ask", "--top", "0"), 2, "Invalid value for '--top'"),
    ],
)
def test_a_persons_mistake_gets_a_sentence_with_the_next_step(shell: Shell, words: tuple[str, ...], code: int, says: str) -> None:
    done = shell(*words)
    assert (done.code, says in done.err) == (code, True), done.err


def test_a_mistake_in_the_settings_is_told_by_every_command(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[web]\nprot = 1\n")
    for words in (("run",), ("check",), ("officer", "list"), ("schedule", "list")):
        done = shell(*words)
        assert (done.code, done.err) == (1, "error: config.toml:2: unknown key web.prot; did you mean port?\n")


def test_a_database_that_does_not_open_is_told(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").write_text("a file, not a folder")
    done = shell("officer", "list")
    assert done.code == 1
    assert "cannot be opened" in done.err
    (tmp_path / "data").unlink()
    monkeypatch.setenv("QIANSHAO_STORAGE__URL", "postgresql://someone:secret@127.0.0.1:9/db")
    for words in (("run", "--node", "n1"), ("officer", "list")):
        done = shell(*words)
        assert (done.code, done.err.count("\n"), "secret" in done.err) == (1, 1, False), done
        assert done.err.endswith(
            "Check storage.url, and that the server runs or the directory can be written, then start again.\n"
        )
    (tmp_path / "broken.sqlite3").write_bytes(b"this is no database" * 100)
    monkeypatch.setenv("QIANSHAO_STORAGE__URL", f"sqlite:///{tmp_path}/broken.sqlite3")
    done = shell("officer", "list")
    assert done.code == 1
    assert "damaged" in done.err


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-P", "-m", "bot", "post", "list", "law"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "law/deposit-20" in done.stdout


def test_output_into_a_closed_pipe_ends_quietly() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -P -m bot post list | head -1"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
