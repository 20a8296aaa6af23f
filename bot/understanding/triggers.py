"""Which of some twenty thousand words stand in a text: one pass for all that anything looks for.

Rules, signs, gates and moves each know words of their own, and many are the same. All put them into one vocabulary; a text is
looked through once, and each reads off what was seen what concerns it, as one number with a bit for each meaning.
"""

from __future__ import annotations

from functools import reduce
from operator import itemgetter, or_
from typing import TYPE_CHECKING

from ahocorasick_rs import BytesAhoCorasick, Implementation

from bot.understanding.text import mended

if TYPE_CHECKING:
    from collections.abc import Mapping

Seen = set[int]  # the numbers of all words that stand in a text, which mean something to their vocabulary alone
_NUMBER = itemgetter(0)  # of what the automaton found; where that stands nobody asks


class Vocabulary:
    """All words, and the automaton that finds them. Filled at the start, then only read."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self._automaton: BytesAhoCorasick | None = None
        self._columns: list[list[int]] = []

    def column(self) -> list[int]:
        """A place for the mask of every word, none of which has one yet; it grows with the vocabulary."""
        self._columns.append([0] * len(self.numbers))
        return self._columns[-1]

    def number(self, word: str) -> int:
        """The number of a word, which is taken in if it is new."""
        number = self.numbers.setdefault(word, len(self.numbers))
        if number == len(self._columns[0]):
            self._automaton = None
            for column in self._columns:
                column.append(0)
        return number

    def look(self, text: str) -> Seen:
        """All words that stand anywhere in a text."""
        automaton = self._automaton or self._build()
        try:
            said = text.encode()  # bytes, because of a text the automaton would first work out where each character stands
        except UnicodeEncodeError:
            said = mended(text).encode()
        found = automaton.find_matches_as_indexes(said, overlapping=True)
        return set(map(_NUMBER, found))

    def _build(self) -> BytesAhoCorasick:
        # of the three ways this one is the smallest: between two messages little of it leaves the processor's caches
        self._automaton = BytesAhoCorasick(map(str.encode, self.numbers), implementation=Implementation.ContiguousNFA)
        return self._automaton


class Triggers:
    """Words of a vocabulary, each with a mask."""

    def __init__(self, vocabulary: Vocabulary, masks: Mapping[str, int] | None = None) -> None:
        self.vocabulary = vocabulary
        self._masks = vocabulary.column()
        shared: dict[int, int] = {}  # a mask may have a thousand bits, and hundreds of words have the same
        for word, mask in (masks or {}).items():
            self.mark(word, shared.setdefault(mask, mask))

    def mark(self, word: str, bits: int) -> None:
        """Give these bits to a word, beside those that it has."""
        if word:
            number = self.vocabulary.number(word)
            self._masks[number] = self._masks[number] | bits if self._masks[number] else bits

    @property
    def words(self) -> set[str]:
        """All words that have bits."""
        return {word for word, number in self.vocabulary.numbers.items() if self._masks[number]}

    def mask(self, seen: Seen) -> int:
        """The bits of all words that were seen in a text."""
        return reduce(or_, filter(None, map(self._masks.__getitem__, seen)), 0)


def bits(mask: int) -> list[int]:
    """The numbers of the bits that a mask has, the lowest first."""
    numbers = []
    while mask:
        lowest = mask & -mask
        numbers.append(lowest.bit_length() - 1)
        mask ^= lowest
    return numbers
