"""Names of places told by their shape, where the segmenter parts them or glues them to what follows.

"松涛苑要" is no word, "建设|三路" are two, and "实验二小" is a number and an adjective to it. The shapes are patterns of
`content/lexicon/shapes.toml`; names that stand in a list ("樟宜机场") are found here too, whatever the segmenter made of them.
"""

from __future__ import annotations

from itertools import accumulate, count
from operator import itemgetter
from typing import TYPE_CHECKING

from ahocorasick_rs import AhoCorasick, Implementation
from msgspec import Struct

from bot.errors import ConfigError
from bot.understanding.text import mended

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Sequence

    from bot.understanding.lexicon import WordFile

SHAPED = "nsh"  # the tag of a word that is a place by its shape
LISTED = "ns"
# two characters of which one is as often a word by itself ("新|都") are a name only where the segmenter says so
_ALONE = frozenset("新和中大内来道都于天将里外多安上日俄美韩朝渝沪田")
_WORD = itemgetter(0)  # of a word with its tag
_SHORTEST_PARTED = 3
_STRANGE = frozenset({"ns", "nz", "nr", "nrt", "nrfg", "nt"})
_SINGLE = frozenset("njgbxi")  # first letters of the tags of single characters that may make up a name


def may_be_parted(name: str) -> bool:
    """Whether a listed name is looked for as it stands; a shorter one counts only where the segmenter says that it is a word."""
    return len(name) >= _SHORTEST_PARTED or _ALONE.isdisjoint(name)


class _Shape(Struct, frozen=True):
    pattern: re.Pattern[str]
    strange: bool  # only what is no word to the segmenter


class Shapes:
    """The shapes and the listed names; finds them in a text."""

    def __init__(self, file: WordFile, parted: frozenset[str], nouns: frozenset[str], never: frozenset[str]) -> None:
        self._listed, self._nouns, self._never = parted, nouns, never
        self._shapes: list[_Shape] = []
        self._needs: dict[str, list[int]] = {}
        rows = file.tables.get("shape", [])
        for row in rows if isinstance(rows, list) else []:
            words_needed, pattern = file.texts(row, "needs"), file.compile((file.text(row, "pattern"),))
            if pattern is None or not words_needed:
                raise ConfigError(f"{file.path}: a shape needs a pattern, and words of which one has to be there")
            for word in words_needed:
                self._needs.setdefault(word, []).append(len(self._shapes))
            self._shapes.append(_Shape(pattern, bool(row.get("strange"))))
        self._words = sorted(self._listed.union(self._needs))
        self._automaton = AhoCorasick(self._words, implementation=Implementation.ContiguousNFA)

    def marks(self) -> Iterable[str]:
        """Words without any of which `find` finds nothing."""
        return self._words

    def find(self, text: str, said: Sequence[tuple[str, str]]) -> list[tuple[int, int, str]]:
        """Where names stand, with the tags of the words that they are; in order, those that begin first and are longest first."""
        try:
            seen = self._automaton.find_matches_as_indexes(text, overlapping=True)
        except UnicodeEncodeError:  # half a surrogate pair, as when an emoji was cut in two
            seen = self._automaton.find_matches_as_indexes(mended(text), overlapping=True)
        if not seen:
            return []
        edges = _edges(said)
        found: list[tuple[int, int, str]] = []
        tried: set[int] = set()
        for number, start, end in seen:
            word = self._words[number]
            if word in self._listed and self._is_parted(start, end, text, edges):
                found.append((start, end, LISTED))
            if word in self._needs:
                tried.update(self._needs[word])
        for shape in map(self._shapes.__getitem__, sorted(tried)):
            for match in shape.pattern.finditer(text):
                start, end = match.span(match.lastgroup or 0)
                while start not in edges and start < end - 2 and not shape.strange:
                    start += 1
                if text[start:end] not in self._never and (not shape.strange or _is_strange(said, edges, start, end)):
                    found.append((start, end, SHAPED))
        found.sort(key=lambda name: (name[0], -name[1]))
        return found

    def _is_parted(self, start: int, end: int, text: str, edges: dict[int, int]) -> bool:
        """Whether a listed name is not a word already, nor stands across words of something else."""
        if start not in edges or (end not in edges and end - start < _SHORTEST_PARTED):
            return False
        if end in edges:
            return edges[end] != edges[start] + 1
        before = max(edge for edge in edges if edge < end)
        after = min(edge for edge in edges if edge > end)
        # "安大略" in "安大略省" is no more than that word; in "公交|站台" two nouns are met, not one that is glued to something
        return before > start and text[before:after] not in self._nouns


def _edges(said: Sequence[tuple[str, str]]) -> dict[int, int]:
    """Where words begin, and where the last one ends, with their numbers."""
    return dict(zip(accumulate(map(len, map(_WORD, said)), initial=0), count(), strict=False))


def _is_strange(said: Sequence[tuple[str, str]], edges: dict[int, int], start: int, end: int) -> bool:
    """Whether what stands there is a name or no word at all."""
    if start not in edges or end not in edges:
        return False
    words = said[edges[start] : edges[end]]
    return all(tag in _STRANGE or (len(word) == 1 and tag[0] in _SINGLE) for word, tag in words)
