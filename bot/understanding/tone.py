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
    kinds: Mapping[Danger, Sequence[int]]  # what each word says for a danger, once the message is a cry
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
        kinds: dict[Danger, Sequence[int]] = {}
        for danger in Danger:
            table = tables.get(danger.value)
            if not isinstance(table, dict):
                raise ConfigError(f"{file.path}: [kind.{danger.value}] is missing")
            kinds[danger] = column = words.column()
            _fill(file, words, column, table)
        return Tone(words, points, kinds, start, most, sure)

    def quarters(self, text: str) -> int:
        """What all words of a plain text say together; each counts once, and none hides another.

        The more words, the less each of them says: the sum is divided by the root of their number.
        """
        found = self.words.look(text[:LONGEST])
        if not found:
            return max(-self.most, self.start)
        return max(-self.most, min(self.most, self.start + round(sum(map(self.points.__getitem__, found)) / sqrt(len(found)))))

    def loudest(self, text: str) -> list[str]:
        """The words of a plain text that speak most for a cry, the first ones first; for whoever asks why."""
        numbers = sorted(self.words.look(text[:LONGEST]), key=lambda number: -self.points[number])
        names = tuple(self.words.numbers)
        return [names[number] for number in numbers[:SHOWN] if self.points[number] > 0]

    def kind(self, text: str) -> Danger:
        """The danger that the words of a cry speak for most."""
        found = self.words.look(text[:LONGEST])
        return max(self.kinds, key=lambda danger: sum(map(self.kinds[danger].__getitem__, found)))


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
