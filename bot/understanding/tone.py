"""The tone of a message: whether its words are those of a cry or those of an ordinary day, in quarters of a sign's point.

"能不能", "捡到", "听说" stand in ordinary messages and seldom in cries; "快来", "救命", "没影" the other way round. How much
each of twenty thousand such words says was counted over all cries and ordinary messages that we have (`scripts/count_tone.py`),
and is written as whole points in `content/lexicon/tone.toml`, where a person can read and change it. The tone is weighed against
phrases and signs of danger that do not say it plainly; and a message whose tone is surely that of a cry is one, whatever
its words for what is wrong (decision 0299).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.understanding.lexicon import WordFile
from bot.understanding.meaning import Danger
from bot.understanding.triggers import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bot.understanding.triggers import Seen

LONGEST = 400  # characters: what a message is about is said in its first sentences
QUARTERS = 4  # of a sign's point
SHOWN = 4  # words that are named as a reason


@dataclass(frozen=True, slots=True)
class Tone:
    """Words with what each counts, what a message without any of them begins with, and how much the whole may count.

    They are no part of what the vocabulary of everybody looks for: it would hold as many words again, which all who read off
    their bits go through.
    """

    words: Vocabulary
    points: Sequence[int]  # by the numbers of the words
    names: Sequence[str]  # of the words, by their numbers
    kinds: Mapping[int, Sequence[int]]  # what some words say for each danger, once the message is a cry
    start: int
    most: int
    sure: int  # quarters from which on a message is a cry by its tone alone

    @staticmethod
    def load(folder: Path) -> Tone:
        """Read `tone.toml`. Raises `ConfigError` for a key that is no whole number or a word that stands twice."""
        file = WordFile(folder / "tone.toml")
        bounds = file.table("bounds")
        start, most, sure = bounds.get("start"), bounds.get("most"), bounds.get("sure")
        if not isinstance(start, int) or not isinstance(most, int) or not isinstance(sure, int):
            raise ConfigError(f"{file.path}: [bounds] needs whole numbers `start`, `most` and `sure`")
        words = Vocabulary()
        points = words.column()
        _fill(file, words, points, file.table("words"))
        tables = file.table("kind")
        kinds: dict[int, list[int]] = {}
        for place, danger in enumerate(Danger):
            table = tables.get(danger.value)
            if not isinstance(table, dict):
                raise ConfigError(f"{file.path}: [kind.{danger.value}] is missing")
            column = words.column()
            _fill(file, words, column, table)
            for number, count in enumerate(column):
                if count:
                    kinds.setdefault(number, [0] * len(Danger))[place] = count
        return Tone(words, points, tuple(words.numbers), kinds, start, most, sure)

    def quarters(self, found: Seen) -> int:
        """What all words of a text say together; each counts once, and none hides another.

        The more words, the less each of them says: the sum is divided by the root of their number.
        """
        if not found:
            return max(-self.most, self.start)
        return max(-self.most, min(self.most, self.start + round(sum(map(self.points.__getitem__, found)) / sqrt(len(found)))))

    def loudest(self, found: Seen) -> list[str]:
        """The words of a text that speak most for a cry, those that say most first; for whoever asks why."""
        numbers = sorted(found, key=lambda number: -self.points[number])
        return [self.names[number] for number in numbers[:SHOWN] if self.points[number] > 0]

    def kind(self, found: Seen) -> Danger:
        """The danger that the words of a cry speak for most."""
        sums = [sum(counts) for counts in zip(*map(self.kinds.__getitem__, found & self.kinds.keys()), strict=True)]
        return tuple(Danger)[sums.index(max(sums))] if sums else next(iter(Danger))


class Said:
    """What the tone of one plain text is, worked out when it is first asked for: a text is looked through once."""

    __slots__ = ("_found", "_quarters", "_text", "tone")

    def __init__(self, tone: Tone, text: str) -> None:
        self.tone, self._text = tone, text
        self._found: Seen | None = None
        self._quarters: int | None = None

    def quarters(self) -> int:
        """The tone, in quarters of a sign's point."""
        if self._quarters is None:
            self._quarters = self.tone.quarters(self._words())
        return self._quarters

    def loudest(self) -> list[str]:
        """The words that speak most for a cry."""
        return self.tone.loudest(self._words())

    def kind(self) -> Danger:
        """The danger that the words of a cry speak for most."""
        return self.tone.kind(self._words())

    def _words(self) -> Seen:
        if self._found is None:
            self._found = self.tone.words.look(self._text[:LONGEST])
        return self._found


def _fill(file: WordFile, words: Vocabulary, column: list[int], table: Mapping[str, object]) -> None:
    """Write the points of a table of words into a column."""
    for points in table:
        for word in file.text(table, points).split():
            try:
                number, count = words.number(word), int(points)
            except ValueError as error:
                raise ConfigError(f"{file.path}: {points!r} is no whole number") from error
            if column[number]:
                raise ConfigError(f"{file.path}: {word} stands twice")
            column[number] = count
