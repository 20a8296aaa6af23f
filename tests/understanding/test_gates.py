"""Gated patterns find exactly what the same patterns find without a gate, and the words that a pattern needs are read rightly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.understanding import gates
from bot.understanding.gates import Gate, Gated
from bot.understanding.lexicon import WordFile
from bot.understanding.literals import compiled
from bot.understanding.triggers import Vocabulary

ROOT = Path(__file__).parents[2]
LEXICON = ROOT / "content" / "lexicon"


def texts() -> list[str]:
    """Cries, false friends and bait: texts on which many patterns match."""
    found = []
    for name in ("emergencies.txt", "false_friends.txt", "heldout_scams.txt"):
        lines = (ROOT / "tests" / "data" / name).read_text(encoding="utf-8").splitlines()
        found += [line.rpartition("|")[2] for line in lines if line and not line.startswith("#")]
    return found[::8]


def groups() -> list[tuple[WordFile, tuple[str, ...]]]:
    """The lists of patterns of two files, each as it is searched for."""
    emergencies, scams = WordFile(LEXICON / "emergencies.toml"), WordFile(LEXICON / "scams.toml")
    tables = [(emergencies, table) for table in emergencies.table("danger").values()]
    tables += [(scams, table) for table in (*scams.table("type").values(), scams.table("benign"), scams.table("link"))]
    return [
        (file, file.texts(table, key))
        for file, table in tables
        for key in ("alarm", "quiet", "sure")
        if isinstance(table, dict) and table.get(key)
    ]


def differences() -> list[tuple[str, str]]:
    """Texts in which some group of patterns is found differently behind its gate."""
    found = []
    said = texts()
    for file, patterns in groups():
        gate = Gate(Vocabulary())
        gated = Gated(file, patterns, gate)
        joined = re.compile("|".join(f"(?:{file.expand(pattern)})" for pattern in patterns))
        for text in said:
            choice = gated.open(gate.held(text))
            plain = [match.span() for match in joined.finditer(text)]
            blanked = joined.sub(lambda match: "·" * len(match[0]), text)
            if [match.span() for match in choice.finditer(text)] != plain or choice.blank(text) != blanked:
                found.append((patterns[0], text))
    return found


def test_behind_a_gate_everything_is_found_as_without() -> None:
    assert not differences()


def test_a_gate_that_asks_for_too_much_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "compiled", lambda pattern: (re.compile(pattern), [frozenset({"煤气"})]))
    assert differences()


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(?:煤气|燃气).{0,8}泄漏", [{"煤气", "燃气"}, {"泄漏"}]),
        ("(?:着火|冒烟)了", [{"着火了", "冒烟了"}]),
        ("救(?:命)?啊", [{"救啊", "救命啊"}]),
        ("(?:快)?来人", [{"来人", "快来人"}]),
        ("火[大小]", [{"火大", "火小"}]),
        (r"倒(?:下|在地)?\d", [{"倒", "倒下", "倒在地"}]),
        ("(?<!不)会爆炸(?!物)", [{"会爆炸"}]),
        ("爆炸{2,}", [{"爆"}, {"炸"}]),
        ("(?:晕倒)+", [{"晕倒"}]),
        ("(?:a|[^b])c", [{"c"}]),
        ("[^，。]{0,4}(?:.|火)", []),
        ("(?:火|.)灾?", []),
        ("(?i)help", []),
    ],
)
def test_what_a_pattern_needs(pattern: str, words: list[set[str]]) -> None:
    _, found = compiled(pattern)
    assert {frozenset(clause) for clause in found} == {frozenset(clause) for clause in words}


@pytest.mark.parametrize("pattern", ["(?:火)?", "(火", "(?<=火+)灾"])
def test_a_pattern_that_cannot_be_used_is_named(tmp_path: Path, pattern: str) -> None:
    path = tmp_path / "words.toml"
    path.write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(repr(pattern))):
        Gated(WordFile(path), (pattern,), Gate(Vocabulary()))
