"""The moves of which baits and warnings are made, as families of words and pairs of families (`content/lexicon/moves.toml`).

Words differ from bait to bait, moves do not: a model that has seen "pay first" beside "a teacher" in shares knows it in a
course of studies. None of them decides by itself; they are features of the scam heads.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.understanding.lexicon import WordFile
from bot.understanding.model import hashes
from bot.understanding.triggers import Triggers, Vocabulary, bits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bot.understanding.triggers import Seen

# shapes that are no words: an amount, a share of a hundred, a number to call or a name to add, an address on the net
_SHAPES = {
    "amount": re.compile("[\\d一二三四五六七八九十百千万两几]+(?:元|块|万|千|百|w|k)|\\d{3,}"),
    "percent": re.compile("\\d%|[百千]分之|[一二三四五六七八九十\\d]个点|[一二三四五六七八九两](?:分利|成)"),
    "handle": re.compile("1[\\dx*]{10}|400[\\d\\-*]{6,}|(?<![a-z0-9.])[a-z_\\-]{1,12}\\d{3,}[a-z0-9]*(?![.a-z])"),
    "host": re.compile("[a-z0-9\\-]{1,30}\\.[a-z]{2,8}(?![a-z])"),
    "quote": re.compile('[“”"「『《]'),
    "question": re.compile("[?？]"),
    "sender": re.compile("^\\s?[【\\[][^】\\]]{2,14}[】\\]]"),
}
_SHAPED = re.compile('[\\d元块万千百wk分点成.“”"「『《?？【\\[]')  # a text without any of these has none of the shapes
_HOST = list(_SHAPES).index("host")
_SIGNED = re.compile("[。！!？?”\\s—\\-(（][^。！!？?，,]{0,8}(?:宣|[所委队办局站]|支行|中心|民警|警务室)[)）]?$")
_SIGNERS = frozenset("宣所委队办局站行心警室)）\n")  # with which what is signed ends
_ADDRESSED = re.compile("(?:【[^】]{2,14}】)?.{0,6}(?:您|你)")
MANY = 8  # moves: more are not counted
Row = tuple[float, float, float]  # weights of honest and of bait, and the square of a rarity


class Moves:
    """The families, each a bit of one pass over the text."""

    def __init__(self, families: dict[str, tuple[str, ...]], official: re.Pattern[str], vocabulary: Vocabulary) -> None:
        masks: dict[str, int] = {}
        for bit, words in enumerate(families.values()):
            for word in words:
                masks[word] = masks.get(word, 0) | 1 << bit
        self._words = Triggers(vocabulary, masks)
        self._families = len(families)
        self.names = (*families, *_SHAPES, "signed", "address you", "official host")
        self._official = official

    @staticmethod
    def load(folder: Path, vocabulary: Vocabulary) -> Moves:
        """Read `moves.toml` from the lexicon folder."""
        file = WordFile(folder / "moves.toml")
        table = file.table("moves")
        families = {name: tuple(file.text(table, name).split()) for name in table}
        hosts = "|".join(re.escape(host) for host in file.text(file.table("hosts"), "official").split())
        return Moves(families, re.compile(f"(?<![a-z0-9\\-])(?:{hosts})(?![a-z0-9.\\-])"), vocabulary)

    def found(self, text: str, seen: Seen | None = None) -> list[int]:
        """The numbers of the moves of a plain text, in their order; `seen` is what the vocabulary saw in it."""
        mask = self._words.mask(self._words.vocabulary.look(text) if seen is None else seen)
        found = bits(mask)
        first = self._families
        if _SHAPED.search(text) is not None:
            found += [first + number for number, shape in enumerate(_SHAPES.values()) if shape.search(text) is not None]
        if text[-1:] in _SIGNERS and _SIGNED.search(text) is not None:
            found.append(first + len(_SHAPES))
        if ("您" in text or "你" in text) and _ADDRESSED.match(text) is not None:
            found.append(first + len(_SHAPES) + 1)
        if first + _HOST in found and self._official.search(text) is not None:
            found.append(first + len(_SHAPES) + 2)
        return found

    def signs(self, found: Sequence[int]) -> list[str]:
        """The moves of these numbers and each two of them, as names of features."""
        pairs = [self.pair(one, other) for number, one in enumerate(found) for other in found[number + 1 :]]
        return [*(self.pair(one, one) for one in found), count(len(found)), *pairs]

    def pair(self, one: int, other: int) -> str:
        """The name of the feature that two moves are, or one with itself."""
        return f"move:{self.names[one]}" if one == other else f"move:{self.names[one]}+{self.names[other]}"


class Weighed:
    """What the moves weigh in a head, so that those of a text are added up without a look at their names."""

    def __init__(self, moves: Moves, weights: Callable[[NDArray[np.int64]], Sequence[Row]]) -> None:
        numbers = range(len(moves.names))
        self._pairs = [weights(hashes(moves.pair(one, other) for other in numbers[one:])) for one in numbers]
        self._counts = weights(hashes(count(number) for number in range(MANY + 1)))

    def sums(self, found: Sequence[int]) -> Row:
        """What the features of moves with these numbers (`Moves.signs`) weigh together."""
        first, second, square = self._counts[min(len(found), MANY)]
        for number, one in enumerate(found):
            row = self._pairs[one]
            for other in found[number:]:
                more = row[other - one]
                first += more[0]
                second += more[1]
                square += more[2]
        return first, second, square


def count(number: int) -> str:
    """The name of the feature that the number of moves is."""
    return f"moves:{min(number, MANY)}"
