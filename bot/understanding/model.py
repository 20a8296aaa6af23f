"""The linear model: hashed characters, pairs of them and lexicon features; one-byte weights, scored in NumPy.

One file holds several heads (intent, category, scam). A head's score for a class is the weight of the text's features,
their vector brought to length one; its probabilities are calibrated by one temperature. `bot/understanding/train.py` makes it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import add
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from bot.errors import ConfigError
from bot.understanding.text import calm

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

VERSION = 2
LONGEST = 400  # characters; what a text wants is said in its first sentences
Sums = tuple[list[float], float]  # weights added up, a number for each label, and the square of the length of the text's vector
_DIGITS = str.maketrans("123456789", "000000000")
# what stands for a face or a flower says nothing of what is wanted, and everybody puts it everywhere
_FACES = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f]|\\[[\u4e00-\u9fff]{1,3}\\]|@\\S{1,20}")


@dataclass(frozen=True, slots=True)
class Head:
    """One question to a text.

    `weights` has a row for every hashed feature and a column for every label; rare features weigh more by their `rarity` (inverse
    document frequency), which is already in the weights and is needed once more for the length of the text's vector.
    """

    labels: tuple[str, ...]
    weights: NDArray[np.int8]
    rarity: NDArray[np.float32]
    scale: NDArray[np.float32]
    bias: NDArray[np.float32]
    temperature: float

    def probabilities(self, hashed: NDArray[np.int64]) -> NDArray[np.float32]:
        """Calibrated probabilities of the labels, in their order."""
        index = hashed & (len(self.weights) - 1)
        rarity = self.rarity.take(index)
        length = math.sqrt(rarity @ rarity)
        sums = np.add.reduce(self.weights.take(index, axis=0), axis=0, dtype=np.int32)
        scores = sums * (self.scale * np.float32(1 / length)) + self.bias
        scores -= scores.max()
        scores *= np.float32(1 / self.temperature)
        odds = np.exp(scores)
        odds /= odds.sum()
        result: NDArray[np.float32] = odds
        return result


class Question:
    """A head that is put to every text. What the characters weigh is known already (`Sums`); what rules see in it is added."""

    def __init__(self, head: Head) -> None:
        self.labels = head.labels
        self._head = head
        self._lines = tuple(
            (scale / head.temperature, bias / head.temperature)
            for scale, bias in zip(head.scale.tolist(), head.bias.tolist(), strict=True)
        )
        self._rows: dict[str, tuple[list[int], float]] = {}  # by name: those of rules and signs, nothing of a message

    def odds(self, sums: Sums, names: Iterable[str]) -> list[float]:
        """Calibrated probabilities of the labels, in their order, for the characters and these features that have a name."""
        points, square = sums
        for name in set(names):
            row, rarity = self._rows.get(name) or self._row(name)
            points = list(map(add, points, row))
            square += rarity
        length = math.sqrt(square)
        scores = [scale * point / length + bias for point, (scale, bias) in zip(points, self._lines, strict=True)]
        top = max(scores)
        odds = [math.exp(score - top) for score in scores]
        total = sum(odds)
        return [each / total for each in odds]

    def rows(self, hashed: NDArray[np.int64]) -> NDArray[np.float32]:
        """The weights of these features, a row for each, and the square of its rarity at the end of the row."""
        index = hashed & (len(self._head.weights) - 1)
        return np.hstack([self._head.weights[index].astype(np.float32), self._head.rarity[index][:, None] ** 2])

    def _row(self, name: str) -> tuple[list[int], float]:
        """The weights of one feature, and the square of its rarity."""
        number = _hashed(name) & (len(self._head.weights) - 1)
        self._rows[name] = self._head.weights[number].tolist(), float(self._head.rarity[number]) ** 2
        return self._rows[name]


class Model:
    """All heads of one file, by name.

    Two of them, `wants` and `bait`, are put to every text. The rows of their weights stand side by side, and so do their
    rarities: fetching rows from all over half a megabyte is what a reading waits for.
    """

    def __init__(self, heads: Mapping[str, Head]) -> None:
        wants, bait = heads["intent"], heads["scam"]
        self._parting = len(wants.labels)
        self._weights = np.hstack([wants.weights, bait.weights])
        self._rarity = np.stack([wants.rarity, bait.rarity], axis=1)
        wants = replace(wants, weights=self._weights[:, : self._parting], rarity=self._rarity[:, 0])
        bait = replace(bait, weights=self._weights[:, self._parting :], rarity=self._rarity[:, 1])
        self.heads = {**heads, "intent": wants, "scam": bait}
        self.wants, self.bait = Question(wants), Question(bait)

    @staticmethod
    def load(path: Path) -> Model | None:
        """Read the weights; None when there is no such file (rules alone then decide)."""
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as file:
            if int(file["version"]) != VERSION:
                raise ConfigError(f"{path}: version {int(file['version'])}, this program reads {VERSION}; run `qianshao train`")
            names = [str(name) for name in file["heads"]]
            heads = {}
            for name in names:
                labels = tuple(str(label) for label in file[f"{name}.labels"])
                weights = np.ascontiguousarray(file[f"{name}.weights"])  # by rows, as they are taken
                rarity = file[f"{name}.rarity"].astype(np.float32)
                scale, bias, temperature = file[f"{name}.scale"], file[f"{name}.bias"], float(file[f"{name}.temperature"])
                heads[name] = Head(labels, weights, rarity, scale, bias, temperature)
        return Model(heads)

    def sums(self, grams: NDArray[np.int64]) -> tuple[Sums, Sums]:
        """What the characters of a text weigh in `wants` and in `bait`."""
        index = grams & (len(self._weights) - 1)
        points = np.add.reduce(self._weights.take(index, axis=0), axis=0, dtype=np.int32).tolist()
        rarity = self._rarity.take(index, axis=0)
        wants, bait = np.einsum("ij,ij->j", rarity, rarity).tolist()
        return (points[: self._parting], wants), (points[self._parting :], bait)


def characters(text: str) -> NDArray[np.int64]:
    """The features of a plain text's own characters and pairs of them, as hashes; the same for every head."""
    text = _FACES.sub("", calm(text[:LONGEST])).translate(_DIGITS).rstrip("。！!～~ ")
    raw = f"^{text}$".encode("utf-32-le")
    end = len(raw)
    grams = {raw[i : i + 4] for i in range(4, end - 4, 4)}
    grams.update(raw[i : i + 8] for i in range(0, end - 4, 4))
    return np.fromiter(map(crc32, grams), dtype=np.int64, count=len(grams))


def named(names: Iterable[str]) -> NDArray[np.int64]:
    """Features that have a name (what lexicon and rules see), as hashes."""
    found = {_hashed(name) for name in names}
    return np.fromiter(found, dtype=np.int64, count=len(found))


@lru_cache(maxsize=4096)
def _hashed(name: str) -> int:
    """The names are those of rules and signs, some hundred of them; nothing of a message is among them."""
    return crc32(name.encode())
