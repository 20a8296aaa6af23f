"""The tone of a message: whether its words are those of a cry or those of an ordinary day, in quarters of a sign's point.

"能不能", "捡到", "听说" stand in ordinary messages and seldom in cries; "快来", "救命", "没影" the other way round. How much
each of two thousand such words says was counted over all cries and ordinary messages that we have (`scripts/count_tone.py`),
and is written as whole quarters in `content/lexicon/tone.toml`, where a person can read and change it. The tone is asked only
where a phrase or signs of danger stand already, is bounded, and has no say over what is plainly said (`hard` in
`emergencies.toml`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.understanding.lexicon import WordFile
from bot.understanding.triggers import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LONGEST = 400  # characters: what a message is about is said in its first sentences
QUARTERS = 4  # of a sign's point


@dataclass(frozen=True, slots=True)
class Tone:
    """Words with what each counts, what a message without any of them begins with, and how much the whole may count.

    They are no part of what the vocabulary of everybody looks for: one message in seven is asked for its tone, and every
    message would hold more words, which all who read off their bits go through.
    """

    words: Vocabulary
    points: Sequence[int]  # quarters, by the numbers of the words
    start: int
    most: int

    @staticmethod
    def load(folder: Path) -> Tone:
        """Read `tone.toml`. Raises `ConfigError` for a key that is no whole number or a word that stands twice."""
        file = WordFile(folder / "tone.toml")
        bounds = file.table("bounds")
        start, most = bounds.get("start"), bounds.get("most")
        if not isinstance(start, int) or not isinstance(most, int):
            raise ConfigError(f"{file.path}: [bounds] needs whole numbers `start` and `most`")
        words = Vocabulary()
        points = words.column()
        table = file.table("words")
        for quarters in table:
            for word in file.text(table, quarters).split():
                if word in words.numbers:
                    raise ConfigError(f"{file.path}: {word} stands twice")
                try:
                    points[words.number(word)] = int(quarters)
                except ValueError as error:
                    raise ConfigError(f"{file.path}: {quarters!r} is no number of quarters") from error
        return Tone(words, points, start, most)

    def quarters(self, text: str) -> int:
        """What all words of a plain text say together; each counts once, and none hides another."""
        found = self.words.look(text[:LONGEST])
        return max(-self.most, min(self.most, self.start + sum(map(self.points.__getitem__, found))))
