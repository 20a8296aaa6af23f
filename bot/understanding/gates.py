"""Patterns that are tried only on texts that hold the words without which they cannot match (`literals.py`).

A file of the lexicon has hundreds of patterns, and a message fits two or three of them. One look for the words of all patterns of
a file costs some microseconds; whatever the words leave open is then searched for as usual, so nothing is found differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import itemgetter, or_

from msgspec import Struct

from bot.errors import ConfigError
from bot.understanding.lexicon import WordFile
from bot.understanding.literals import Clause, compiled
from bot.understanding.triggers import Seen, Triggers, Vocabulary

ALWAYS = 1  # the bit of what needs no word
_ORDER = itemgetter(0)
MOST_CLAUSES = 2  # of a pattern that are asked for: a third hardly ever closes what two leave open


class Gate:
    """The words that the patterns of one file need, and which of them a text holds."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._triggers = Triggers(vocabulary)
        self._bits: dict[Clause, int] = {}

    def bit(self, clause: Clause) -> int:
        """The bit that says that one of these words is there."""
        bit = self._bits.get(clause)
        if bit is None:
            bit = self._bits[clause] = 2 << len(self._bits)
            for word in clause:
                self._triggers.mark(word, bit)
        return bit

    def held(self, text: str, seen: Seen | None = None) -> int:
        """The bits of all that is there in a text, for `Gated.open`; `seen` is what the vocabulary has seen in it."""
        return self._triggers.mask(self._vocabulary.look(text) if seen is None else seen) | ALWAYS


class Gated:
    """Any of several patterns, each behind the gate."""

    def __init__(self, file: WordFile, patterns: Sequence[str], gate: Gate) -> None:
        self._by_head: dict[int, list[tuple[int, int, Choice]]] = {}  # order, what is needed, expression
        for order, pattern in enumerate(patterns):
            try:
                expression, clauses = compiled(file.expand(pattern))
            except re.error as error:
                raise ConfigError(f"{file.path}: {error} in {pattern!r}") from error
            bits = [gate.bit(clause) for clause in clauses[:MOST_CLAUSES]] or [ALWAYS]
            self._by_head.setdefault(bits[0], []).append((order, reduce(or_, bits), Choice((expression,))))
        self.heads = sum(self._by_head)  # without one of which none of them is tried

    def __bool__(self) -> bool:
        return bool(self._by_head)

    def open(self, held: int) -> Choice:
        """The patterns that may match in a text that holds these words, or in a part of it."""
        left = held & self.heads
        if not left:
            return NONE
        found = []
        while left:
            head = left & -left
            left ^= head
            found += [one for one in self._by_head[head] if held & one[1] == one[1]]
        if len(found) < 2:
            return found[0][2] if found else NONE
        found.sort(key=_ORDER)
        return Choice(tuple([one.patterns[0] for _, _, one in found]))


class Choice(Struct, frozen=True):
    """Any of some patterns, as if they were one with "|" between them."""

    patterns: tuple[re.Pattern[str], ...]

    def search(self, text: str, start: int = 0) -> re.Match[str] | None:
        """The first match; of several at one place that of the pattern that was named first."""
        if len(self.patterns) == 1:
            return self.patterns[0].search(text, start)
        best: re.Match[str] | None = None
        for pattern in self.patterns:
            match = pattern.search(text, start)
            if match is not None and (best is None or match.start() < best.start()):
                best = match
        return best

    def finditer(self, text: str, start: int = 0) -> Iterator[re.Match[str]]:
        """All matches, from left to right, that do not overlap."""
        match = self.search(text, start)
        while match is not None:
            yield match
            match = self.search(text, match.end())

    def blank(self, text: str) -> str:
        """The text with every match replaced by as many middle dots, so that positions stay."""
        for start, end in [match.span() for match in self.finditer(text)] if self.patterns else ():
            text = text[:start] + "·" * (end - start) + text[end:]
        return text


NONE = Choice(())
