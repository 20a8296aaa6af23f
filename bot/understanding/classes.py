"""Classes of words ("a plea", "who lives next door", "a thing that breaks"): features for the model that tells what is wanted.

Which classes stand in a text, and which two stand together, carries over to words that no example has. No class decides anything
by itself. All words are data: `content/lexicon/classes.toml`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from bot.understanding.lexicon import WordFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from bot.understanding.model import Question


class Classes:
    """All classes, each with a bit of its own."""

    def __init__(self, classes: Mapping[str, tuple[str, ...]]) -> None:
        self.names = tuple(classes)
        self._words = tuple(classes.values())
        pairs = [[f"class:{min(one, other)}+{max(one, other)}" for other in classes] for one in classes]
        self._hashes = np.array([[crc32(pair.encode()) for pair in row] for row in pairs], dtype=np.int64)

    @staticmethod
    def load(folder: Path) -> Classes:
        """Read `classes.toml` from the lexicon folder."""
        file = WordFile(folder / "classes.toml")
        table = file.table("class")
        return Classes({name: file.texts(table, name) for name in table})

    def words(self) -> Iterator[tuple[str, int]]:
        """Every word with the number of its class."""
        for number, words in enumerate(self._words):
            for word in words:
                yield word, number

    def features(self, mask: int) -> NDArray[np.int64]:
        """The hashed features of a text with words of the classes whose bits `mask` has: each class, and every two."""
        index = np.array(_numbers(mask), dtype=np.intp)
        rows, columns = np.triu_indices(len(index))
        found: NDArray[np.int64] = self._hashes[index[rows], index[columns]]
        return found

    def weighed(self, question: Question) -> Weighed:
        """What the classes weigh in a head."""
        return Weighed(question.rows(self._hashes.ravel()).reshape(len(self.names), len(self.names), -1))


class Weighed:
    """The weights of all classes and pairs in one head, laid out so that a text's are added up in two steps, not one by one."""

    def __init__(self, rows: NDArray[np.float32]) -> None:
        self._shape = rows.shape[1:]
        rows = rows * np.float32(0.5)  # a pair is met from both its sides
        rows[np.diag_indices(len(rows))] *= 2
        self._rows = np.ascontiguousarray(rows.reshape(len(rows), -1))

    def sums(self, mask: int) -> list[float]:
        """What `Classes.features` of this mask weigh together: for each label, then the squares of their rarities."""
        numbers = _numbers(mask)
        met = np.add.reduce(self._rows.take(numbers, axis=0), axis=0).reshape(self._shape)
        found: list[float] = np.add.reduce(met.take(numbers, axis=0), axis=0).tolist()
        return found


def _numbers(mask: int) -> list[int]:
    """The numbers of the bits that a mask has."""
    numbers = []
    while mask:
        lowest = mask & -mask
        numbers.append(lowest.bit_length() - 1)
        mask ^= lowest
    return numbers
