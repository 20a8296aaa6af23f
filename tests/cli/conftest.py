"""`qianshao` as somebody calls it in a folder of their own, and a small district that its own commands have made."""

from __future__ import annotations

import io
import logging
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import time_machine

from bot.cli import main
from tests.cli.terminal import MONDAY_TEN, Done, Shell


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    """Calls `qianshao` in a folder of its own, at ten on a Monday."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QIANSHAO_WEB__PORT", "0")
    handlers, level, captured = logging.getLogger().handlers[:], logging.getLogger().level, logging.raiseExceptions

    def run(*arguments: str, stdin: str | bytes = "") -> Done:
        raw = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))
        monkeypatch.setattr(sys, "argv", ["qianshao", *arguments])
        code = 0
        with time_machine.travel(MONDAY_TEN, tick=True):
            try:
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(bool(end.code))
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Done(code, said.out, said.err)

    yield run
    logging.getLogger().handlers[:], logging.raiseExceptions = handlers, captured
    logging.getLogger().setLevel(level)
    logging.captureWarnings(False)
    logging.getLogger("aiohttp.access").disabled = False
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the data folder of the district lies once it was made."""
    return tmp_path_factory.mktemp("district") / "data"


@pytest.fixture
def district(shell: Shell, made: Path) -> Shell:
    """A unit, a grid, two groups and two officers: made by the commands themselves once, and copied after that."""
    if made.exists():
        shutil.copytree(made, "data")
        return shell
    for words in (
        ("unit", "add", "station", "港新派出所", "--kind", "police"),
        ("grid", "add", "GX01", "港新1号网格", "--unit", "station"),
        ("grid", "add", "GX0101", "火锅街", "--inside", "GX01"),
        ("group", "add", "g1", "港新1号群", "--grid", "GX01", "--label", "class:综合"),
        ("group", "add", "g2", "商户群", "--grid", "火锅街", "--label", "class:行业", "--label", "industry:餐饮"),
        ("officer", "add", "3201", "王建国", "--title", "社区民警", "--role", "officer grid:GX01", "--unit", "港新派出所"),
    ):
        done = shell(*words)
        assert done.code == 0, done.err
    shutil.copytree("data", made)
    return shell
