"""What is left out because signs or tone cannot matter would not have mattered."""

from __future__ import annotations

import math
import tomllib
from typing import TYPE_CHECKING

from bot.understanding.scenes import Scenes
from bot.understanding.signs import Sign, Signs
from bot.understanding.tone import LONGEST, Said, Tone
from tests.understanding.conftest import ROOT, lines

if TYPE_CHECKING:
    import pytest

LEXICON = ROOT / "content" / "lexicon"
THREE_OF_A_CLASS = ("烧东西的味，焦味儿，胶皮味", "扭成一团，骑在身上，滚成一团", "怪怪的，冲得很，甜味儿")


def texts() -> list[str]:
    """Cries and false friends, some of them in one message, and words of one class alone."""
    said = [line.rpartition("|")[2] for name in ("emergencies.txt", "false_friends.txt") for line in lines(name)]
    return [*THREE_OF_A_CLASS, *said[::8], *("，".join(said[at : at + 4]) for at in range(0, len(said), 40))]


def overrated() -> list[tuple[str, str]]:
    """Texts that have more points of some danger than is said to be possible."""
    scenes = Scenes.load(LEXICON)
    signs = Signs.load(LEXICON, scenes.families, len(scenes.families))
    words = [*scenes.words.items(), *signs.words.items()]
    found = []
    for text in texts():
        families = 0
        for word, bits in words:
            if word in text:
                families |= bits
        standing = signs.standing(families)
        for tally in signs.tallies:
            place = tally.place(text, standing)
            if max(tally.weight(text, standing), place[0] if place else 0) > tally.most(standing):
                found.append((tally.danger.value, text))
    return found


def test_no_text_has_more_points_than_its_classes_may_have() -> None:
    """A danger that cannot reach what the tone asks for is not looked at any further."""
    assert overrated() == []


def test_too_small_a_bound_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sign, "utmost", Sign.most)
    assert overrated() != []


def test_each_word_of_a_tone_counts_once_and_hides_no_other() -> None:
    tone = Tone.load(LEXICON)
    table = tomllib.loads((LEXICON / "tone.toml").read_text(encoding="utf-8"))
    start, most = table["bounds"]["start"], table["bounds"]["most"]
    said = texts()
    seen = set()
    for text in (*said, "".join(said)[:LONGEST], "".join(said), f"快来{said[0] * 2}\ud83d"):
        beginning = text[:LONGEST]
        of_kinds = {word for kind in table["kind"].values() for words in kind.values() for word in words.split()}
        stand = {word: 0 for word in of_kinds if word in beginning}
        stand |= {word: int(points) for points, words in table["words"].items() for word in words.split() if word in beginning}
        counted = round(sum(stand.values()) / math.sqrt(len(stand)))
        assert Said(tone, text).quarters() == max(-most, min(most, start + counted)), text
        seen.add(Said(tone, text).quarters())
    assert len(seen) > 10  # the bounds do not hide what is counted
