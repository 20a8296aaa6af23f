"""Files and modules that the documents, the settings and the comments name are there."""

from __future__ import annotations

import importlib
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from bot.config import Settings

ROOT = Path(__file__).parent.parent
ROOMS = "bot|handlers|cases|storage|content|console|tests|docs|scripts|deploy|benchmarks"
READ = (".md", ".toml", ".sh", ".yaml", ".yml", "Makefile")
# what a person or a program makes later
MADE = ("tests/peers/wechat/node_modules", "deploy/secrets.env", "content/workdays/2027.toml")

_PATH = re.compile(rf"(?<![\w/.-])((?:{ROOMS})/[\w./<>*{{}}…-]*[\w/>*}}])")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_NAME = re.compile(r"`((?:bot|handlers|cases|storage|content|tests)(?:\.\w+)+)`")


@cache
def ours() -> tuple[str, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("no git checkout")
    return tuple(listed.stdout.splitlines())


def named_files(file: str, text: str) -> Iterator[str]:
    """Every path in a text that leads nowhere, from the root of the project or, for a link, from the file's own folder."""
    for found in _PATH.finditer(text):
        path = found[1].rstrip("./")
        if re.search(r"[<>*{}…]", path) or path.startswith(MADE) or any(one.startswith(path) for one in ours()):
            continue
        yield path
    for found in _LINK.finditer(text if file.endswith(".md") else ""):
        if "://" not in found[1] and not found[1].startswith("mailto:") and not (ROOT / file).parent.joinpath(found[1]).exists():
            yield found[1]


def named_modules(text: str) -> Iterator[str]:
    """Every dotted name that is neither a module of ours, nor something in one, nor a key of the settings."""
    for found in _NAME.finditer(text):
        section, _, key = found[1].partition(".")
        table = Settings.model_fields.get(section)
        if not is_there(found[1]) and not (table and key in getattr(table.annotation, "model_fields", {})):
            yield found[1]


def is_there(name: str) -> bool:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        if not (path.with_suffix(".py").exists() or path.is_dir()):
            continue
        inside: object = importlib.import_module(".".join(parts[:length]))
        for part in parts[length:]:
            if not hasattr(inside, part):
                return part in getattr(inside, "__annotations__", {})
            inside = getattr(inside, part)
        return True
    return False


def test_every_file_that_is_named_is_there() -> None:
    texts = [file for file in ours() if file.endswith(READ) and not file.startswith("content/")]
    assert len(texts) > 100
    nowhere = {file: list(named_files(file, (ROOT / file).read_text(encoding="utf-8"))) for file in texts}
    assert {file: paths for file, paths in nowhere.items() if paths} == {}


def test_every_module_that_is_named_is_there() -> None:
    texts = [
        file for file in ours() if file.endswith((".md", ".py")) and not file.startswith(("content/", "storage/migrations/"))
    ]
    unknown = {file: list(named_modules((ROOT / file).read_text(encoding="utf-8"))) for file in texts}
    assert {file: names for file, names in unknown.items() if names} == {}


@pytest.mark.parametrize("text", ["see bot/gone.py", "[this](gone.md)", "in docs/decisions/9999-no.md."])
def test_a_file_that_is_gone_is_noticed(text: str) -> None:
    assert list(named_files("docs/x.md", text))


@pytest.mark.parametrize("name", ["bot.gone", "bot.turn.Gone", "bot.data_folder", "cases.desk.CaseDesk.fly"])
def test_a_name_that_is_gone_is_noticed(name: str) -> None:
    assert list(named_modules(f"see `{name}`")) == [name]
