"""The worked example of docs/extending.md runs as it says there, and its mistakes are told plainly."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.app import build_router, load_handler_file
from bot.errors import ConfigError
from tests.kit.scenario import Scenario

EXAMPLE = "docs/examples/reading_room.py"
GROUP = "港新1号网格"


def test_the_example_talks_asks_and_reminds(tmp_path: Path) -> None:
    with Scenario(tmp_path, environ={"QIANSHAO_BOT__HANDLERS": f'["{EXAMPLE}"]'}) as chat:
        chat.say("张阿姨", GROUP, "/阅览室")
        chat.expect(GROUP, "阅览室周二到周日*")
        chat.say("张阿姨", GROUP, "提醒我")
        chat.expect(GROUP, "好的，一小时后提醒您。")
        chat.restart()
        chat.wait(minutes=59)
        chat.silence()
        chat.wait(minutes=1)
        chat.expect(GROUP, "提醒您：*")


def test_a_handler_that_asks_for_what_nobody_can_give_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    code = """
from bot.router import Router
router = Router()
@router.command("错", "wrong", about="x")
def wrong(money: bytes) -> None: ...
"""
    file.write_text(code, encoding="utf-8")
    with pytest.raises(TypeError, match=r"wrong asks for money: bytes"):
        build_router([file])


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("x = 1\n", "has no `router`"),
        ("import nothing_of_that_name\n", "ModuleNotFoundError"),
        ("def broken(:\n", "SyntaxError"),
    ],
)
def test_a_broken_handler_file_is_named_with_the_mend(tmp_path: Path, code: str, told: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(code, encoding="utf-8")
    with pytest.raises(ConfigError, match=told) as problem:
        load_handler_file(file)
    assert str(file) in str(problem.value)


def test_a_missing_handler_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.py is not a Python file"):
        load_handler_file(tmp_path / "nowhere.py")
