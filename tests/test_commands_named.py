"""What people read never sends them to a command that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bot.app import CONTENT, build_router

STATIC = Path(__file__).parent.parent / "bot/platforms/web/static"
NAMED = re.compile(r"(?:^|(?<=[\s“：:，。、（(发回用]))/([\u4e00-\u9fff]+)")


def texts() -> Iterator[Path]:
    for folder, pattern in (("posts", "*.md"), ("answers", "*.md"), ("phrases", "*.toml"), ("demo", "*.toml")):
        yield from (CONTENT / folder).rglob(pattern)
    yield from STATIC.glob("*.html")


def test_every_command_that_a_text_names_exists() -> None:
    find = build_router().find_command
    named = {(path.name, word) for path in texts() for word in NAMED.findall(path.read_text(encoding="utf-8"))}
    assert len({word for _, word in named}) > 15
    assert [(name, word) for name, word in sorted(named) if isinstance(find(f"/{word}"), str)] == []
