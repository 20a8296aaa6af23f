"""Which of some thousand words stand in a text, as one number with a bit for each meaning.

A chat message is short and most hold none of the words, so it is asked first which pairs of characters it has: two set operations
in C. An Aho-Corasick automaton, which is right for long texts, looks through the children of its root one by one, and with 2,700
single characters there that costs more than everything else in the glance.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import add

import ahocorasick

LONG = 200  # characters; beyond, one pass of the automaton is cheaper than many searches


class Triggers:
    """Built once from words and their masks, then only read."""

    def __init__(self, masks: Mapping[str, int]) -> None:
        self.words = frozenset(masks)
        shared: dict[int, int] = {}  # a mask may have a thousand bits, and hundreds of words have the same
        masks = {word: shared.setdefault(mask, mask) for word, mask in masks.items()}
        self._characters = {word: mask for word, mask in masks.items() if len(word) == 1}
        self._single = frozenset(self._characters)
        by_pair: dict[str, list[tuple[str, int]]] = {}
        self._automaton = ahocorasick.Automaton()
        for word, mask in masks.items():
            if len(word) > 1:
                by_pair.setdefault(word[:2], []).append((word, mask))
            if word:
                self._automaton.add_word(word, mask)
        self._automaton.make_automaton()
        self._by_pair = {pair: tuple(words) for pair, words in by_pair.items()}
        self._pairs = frozenset(by_pair)

    def mask(self, text: str) -> int:
        """The bits of every word that stands anywhere in the text."""
        found = 0
        if len(text) > LONG:
            for _, bits in self._automaton.iter(text):
                found |= bits
            return found
        for character in self._single.intersection(text):
            found |= self._characters[character]
        for pair in self._pairs.intersection(map(add, text, text[1:])):
            for word, bits in self._by_pair[pair]:
                if word in text:
                    found |= bits
        return found
