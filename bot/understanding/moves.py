"""The moves of which baits and warnings are made, as families of words and pairs of families (`content/lexicon/moves.toml`).

Words differ from bait to bait, moves do not: a model that has seen "pay first" beside "a teacher" in shares knows it in a
course of studies. None of them decides by itself; they are features of the scam heads.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.understanding.lexicon import WordFile
from bot.understanding.triggers import Triggers, Vocabulary

if TYPE_CHECKING:
    from pathlib import Path

    from bot.understanding.triggers import Seen

# shapes that are no words: an amount, a share of a hundred, a number to call or a name to add, an address on the net
_SHAPES = (
    ("amount", re.compile("[\\d一二三四五六七八九十百千万两几]+(?:元|块|万|千|百|w|k)|\\d{3,}")),
    ("percent", re.compile("\\d%|[百千]分之|[一二三四五六七八九十\\d]个点|[一二三四五六七八九两](?:分利|成)")),
    ("handle", re.compile("1[\\dx*]{10}|400[\\d\\-*]{6,}|(?<![a-z0-9.])[a-z_\\-]{1,12}\\d{3,}[a-z0-9]*(?![.a-z])")),
    ("host", re.compile("[a-z0-9\\-]{1,30}\\.[a-z]{2,8}(?![a-z])")),
    ("quote", re.compile('[“”"「『《]')),
    ("question", re.compile("[?？]")),
    ("sender", re.compile("^\\s?[【\\[][^】\\]]{2,14}[】\\]]")),
    ("signed", re.compile("[。！!？?”\\s—\\-(（][^。！!？?，,]{0,8}(?:宣|[所委队办局站]|支行|中心|民警|警务室)[)）]?$")),
    ("address you", re.compile("^(?:【[^】]{2,14}】)?.{0,6}(?:您|你)")),
)


class Moves:
    """The families, each a bit of one pass over the text."""

    def __init__(self, families: dict[str, tuple[str, ...]], official: re.Pattern[str], vocabulary: Vocabulary) -> None:
        masks: dict[str, int] = {}
        for bit, words in enumerate(families.values()):
            for word in words:
                masks[word] = masks.get(word, 0) | 1 << bit
        self._words = Triggers(vocabulary, masks)
        self._names = tuple(families)
        self._official = official

    @staticmethod
    def load(folder: Path, vocabulary: Vocabulary) -> Moves:
        """Read `moves.toml` from the lexicon folder."""
        file = WordFile(folder / "moves.toml")
        table = file.table("moves")
        families = {name: tuple(file.text(table, name).split()) for name in table}
        hosts = "|".join(re.escape(host) for host in file.text(file.table("hosts"), "official").split())
        return Moves(families, re.compile(f"(?<![a-z0-9\\-])(?:{hosts})(?![a-z0-9.\\-])"), vocabulary)

    def signs(self, text: str, seen: Seen | None = None) -> list[str]:
        """The moves of a plain text and each two of them, as names of features; `seen` is what the vocabulary saw in it."""
        mask = self._words.mask(self._words.vocabulary.look(text) if seen is None else seen)
        found = [name for bit, name in enumerate(self._names) if mask >> bit & 1]
        found += [name for name, shape in _SHAPES if shape.search(text)]
        if "host" in found and self._official.search(text):
            found.append("official host")
        pairs = [f"move:{one}+{other}" for number, one in enumerate(found) for other in found[number + 1 :]]
        return [*(f"move:{name}" for name in found), f"moves:{min(len(found), 8)}", *pairs]
