"""What a question is about: papers and benefits that an answer must name as well, or it answers something else.

Likeness of words alone takes "驾照过期了怎么办" for a question about passports that expire. The words are data:
`content/lexicon/subjects.txt`.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from bot.understanding.text import tagged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Subjects:
    """All things, each with a bit of its own."""

    def __init__(self, things: Sequence[tuple[str, ...]] = ()) -> None:
        self._words = [(word, 1 << bit) for bit, names in enumerate(things) for word in names]

    @staticmethod
    def load(path: Path) -> Subjects:
        """Read the file: a thing on each line, with its other names."""
        lines = path.read_text(encoding="utf-8").splitlines()
        return Subjects([tuple(line.split()) for line in lines if line.strip() and not line.startswith("#")])

    def of(self, text: str) -> int:
        """The bits of what a text may name."""
        found = 0
        for word, bit in self._words:
            if word in text:
                found |= bit
        return found

    def named(self, text: str) -> int:
        """The bits of what a text names in whole words: no passport ("护照") in "维护照明"."""
        if not self.of(text):
            return 0
        cuts = {0, *accumulate(len(word) for word, _ in tagged(text))}
        found = 0
        for word, bit in self._words:
            start = text.find(word)
            while start >= 0:
                if start in cuts and start + len(word) in cuts:
                    found |= bit
                    break
                start = text.find(word, start + 1)
        return found

    @staticmethod
    def misses(question: int, answer: int) -> bool:
        """Whether an answer names nothing of what the question names."""
        return question != 0 and not question & answer
