"""Who may import whom: the rooms of the program, read from the syntax tree of every file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("bot", "handlers", "cases", "storage", "content", "console")

# what a handler may name of the bot; everything else in there is plumbing
FOR_HANDLERS = (
    "bot.messages",
    "bot.router",
    "bot.dialogs",
    "bot.errors",
    "bot.say",
    "bot.permissions",
    "bot.campaigns",
    "bot.turn",
    "bot.timers",
    "bot.notices",
    "bot.understanding.meaning",
    "bot.understanding.answers",
    "bot.understanding.clues",
    "bot.understanding.openers",
    "bot.photos.MOST_BYTES",  # the limit that a sentence names
)

# from where -> which rooms or modules may be imported; the longest prefix decides
RULES: dict[str, tuple[str, ...]] = {
    "storage": ("storage",),
    "content": ("content",),
    "cases": ("cases", "storage", "content"),
    "bot": ("bot", "storage", "content"),
    "bot.app": ("bot", "storage", "content", "cases", "handlers", "console"),
    "bot.cli": ("bot", "storage", "content", "cases", "handlers", "console"),
    "bot.__main__": ("bot",),
    "handlers": ("handlers", "cases", "content", "storage.tables", *FOR_HANDLERS),
    "console": ("console", "cases", "storage", "content"),
}
# the composition root and the command line are the ends of the house: nothing but each other and __main__ may need them
ENDS = ("bot.app", "bot.cli")


def module_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, module: str) -> Iterator[tuple[int, str]]:
    """Every imported name with its line, also inside functions and behind TYPE_CHECKING; relative ones made absolute."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
                base = ".".join([*above[: len(above) - node.level + 1], *([base] if base else [])])
            yield from ((node.lineno, f"{base}.{name.name}") for name in node.names)
        elif isinstance(node, ast.Call) and _imports(node.func) and node.args and isinstance(node.args[0], ast.Constant):
            yield node.lineno, str(node.args[0].value)


def _imports(function: ast.expr) -> bool:
    return getattr(function, "attr", getattr(function, "id", "")) in ("import_module", "__import__")


def within(name: str, allowed: str) -> bool:
    return name == allowed or name.startswith(f"{allowed}.")


def violations(root: Path) -> list[str]:
    found = []
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            module = module_of(path, root)
            rule = max((each for each in RULES if within(module, each)), key=len)
            for line, name in imported(path, module):
                if name.partition(".")[0] not in ROOMS:
                    continue
                allowed = any(within(name, each) for each in RULES[rule])
                end = any(within(name, each) for each in ENDS) and not any(
                    within(module, each) for each in (*ENDS, "bot.__main__")
                )
                if not allowed or end:
                    found.append(f"{path.relative_to(root)}:{line}: {module} must not import {name}")
    return found


def test_the_rooms_keep_to_their_doors() -> None:
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("storage/x.py", "import content.posts"),
        ("content/x.py", "from storage.tables import Case"),
        ("cases/x.py", "from bot.messages import Inbound"),
        ("bot/x.py", "from handlers import desk"),
        ("bot/x.py", "import console"),
        ("bot/x.py", "def f():\n    from cases.desk import CaseDesk"),
        ("bot/deep/x.py", "from ..app import App"),
        ("bot/x.py", "from bot.app import App"),
        ("bot/x.py", "import importlib\nimportlib.import_module('handlers.desk')"),
        ("handlers/x.py", "from bot.outbox import Outbox"),
        ("handlers/x.py", "import bot"),
        ("handlers/x.py", "from storage.writer import Writer"),
        ("handlers/x.py", "from console import pages"),
        ("console/x.py", "from bot.app import App"),
        ("console/x.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from handlers import desk"),
    ],
)
def test_a_planted_violation_is_found(tmp_path: Path, file: str, code: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(code)
    assert len(violations(tmp_path)) == 1


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("cases/x.py", "import json\nfrom storage.tables import Case\nfrom content.refusal import Refusal"),
        (
            "handlers/x.py",
            "from bot.messages import Inbound\nfrom bot.say import Say\nfrom cases.desk import CaseDesk\nfrom . import cards",
        ),
        ("bot/app.py", "from handlers import desk\nimport console"),
        ("bot/cli/x.py", "from bot.app import App\nfrom cases.roster import Roster"),
        ("bot/__main__.py", "from bot.cli import main"),
    ],
)
def test_what_is_allowed_is_not_called_a_violation(tmp_path: Path, file: str, code: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(code)
    assert violations(tmp_path) == []
