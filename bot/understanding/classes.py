"""Classes of words ("a plea", "who lives next door", "a thing that breaks"): features for the model that tells what is wanted.

Which classes stand in a text, and which two stand together, carries over to words that no example has. No class decides anything
by itself. All words are data: `content/lexicon/classes.toml`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from bot.understanding.lexicon import WordFile
from bot.understanding.triggers import bits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray


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
        index = np.array(bits(mask), dtype=np.intp)
        rows, columns = np.triu_indices(len(index))
        found: NDArray[np.int64] = self._hashes[index[rows], index[columns]]
        return found

    def every(self) -> NDArray[np.int64]:
        """The hashed features of all classes and pairs, in the order of `places`."""
        return self._hashes.ravel()

    def places(self, mask: int, first: int = 0) -> list[int]:
        """Where in `every`, which begins at `first`, the features stand that a text with words of these classes has."""
        width, numbers = len(self.names), bits(mask)
        return [first + one * width + other for number, one in enumerate(numbers) for other in numbers[number:]]
