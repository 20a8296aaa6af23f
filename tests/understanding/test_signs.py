"""What is left out because signs or tone cannot matter would not have mattered."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import replace

import pytest

from bot.understanding.scenes import Scenes
from bot.understanding.signs import Sign, Signs
from bot.understanding.tone import LONGEST, Said, Tone
from tests.understanding.conftest import ROOT, lines

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


def test_each_row_of_a_tone_counts_once_wherever_it_stands() -> None:
    tone = Tone.load(LEXICON)
    table = tomllib.loads((LEXICON / "tone.toml").read_text(encoding="utf-8"))
    start, most = table["bounds"]["start"], table["bounds"]["most"]
    plain, address = re.compile("[\u4e00-\u9fff，]+"), re.compile("[栋幢座层室楼号弄门元]")
    said = [text for text in texts() if plain.fullmatch(text) and not address.search(text)]
    seen = set()
    for text in (*said, "".join(said)[:LONGEST], "".join(said), f"快来{said[0] * 2}"):
        written = f"^{text[:LONGEST].strip('，').replace('，', '|')}$"
        apart = {f"{one}_{other}" for one, other in zip(written, written[2:], strict=False)}
        stand = [
            int(points)
            for points, rows in table["rows"].items()
            for row in rows.split()
            if (row in apart if "_" in row else row in written)
        ]
        counted = round(sum(stand) / math.sqrt(len(stand)))
        assert Said(tone, text).quarters() == max(-most, min(most, start + counted)), text
        seen.add(Said(tone, text).quarters())
        if len(seen) > 25:
            break
    assert len(seen) > 10  # the bounds do not hide what is counted


@pytest.mark.parametrize("address", ["3栋2单元502", "二号楼三单元", "1203", "7号院"])
def test_where_somebody_lives_says_nothing_of_danger(address: str) -> None:
    """Who calls for help says where, but so does who reports a lamp."""
    tone = replace(Tone.load(LEXICON), most=1000)  # no bound hides a difference
    bare = Said(tone, "，灯坏了三天没人修").quarters()
    assert abs(Said(tone, f"{address}，灯坏了三天没人修").quarters() - bare) == 0
