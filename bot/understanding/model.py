"""The linear model: hashed characters, pairs of them and lexicon features; one-byte weights, scored in NumPy.

One file holds several heads (intent, category, scam). A head's score for a class is the weight of the text's features,
their vector brought to length one; its probabilities are calibrated by one temperature. `bot/understanding/train.py` makes it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from bot.errors import ConfigError
from bot.understanding.text import calm

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

VERSION = 2
LONGEST = 400  # characters; what a text wants is said in its first sentences
LINE = 16  # numbers of four bytes: what the processor fetches at once
_ONES = np.ones(256, dtype=np.float32)
_DIGITS = str.maketrans("123456789", "000000000")
# what stands for a face or a flower says nothing of what is wanted, and everybody puts it everywhere
_FACES = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f]|\\[[\u4e00-\u9fff]{1,3}\\]|@\\S{1,20}")
# what one of these three would change: most texts hold nothing of it
_UNEVEN = re.compile("[1-9\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\\[@]|(.)\\1\\1")
# where each pair of characters stands among code points of four bytes, and the second of it, from left to right
_CUTS = [slice(0, 8), *(slice(at, at + size) for at in range(4, 4 * LONGEST + 4, 4) for size in (4, 8))]


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
        scores -= np.maximum.reduce(scores)
        scores *= np.float32(1 / self.temperature)
        odds: NDArray[np.float32] = np.exp(scores, out=scores)
        odds /= np.add.reduce(odds)
        return odds


class Question:
    """A head that is put to every text, with its columns in the table."""

    def __init__(self, head: Head, first: int, square: int) -> None:
        self.labels = head.labels
        self.square = square
        self._columns = slice(first, first + len(head.labels))
        self._lines = tuple(
            (scale / head.temperature, bias / head.temperature)
            for scale, bias in zip(head.scale.tolist(), head.bias.tolist(), strict=True)
        )

    def odds(self, points: Sequence[float]) -> list[float]:
        """Calibrated probabilities of the labels, in their order, for weights that were added up (`Table.points`)."""
        length = math.sqrt(points[self.square])
        lines = zip(points[self._columns], self._lines, strict=True)
        scores = [scale * point / length + bias for point, (scale, bias) in lines]
        top = max(scores)
        odds = [math.exp(score - top) for score in scores]
        total = sum(odds)
        return [each / total for each in odds]

    def first(self, points: Sequence[float], more: tuple[float, float], square: float) -> float:
        """The calibrated probability of the first of two labels.

        `more` are weights to be added to those of the labels, `square` to the square of the length of the text's vector.
        """
        length = math.sqrt(points[self.square] + square)
        (scale, bias), (other_scale, other_bias) = self._lines
        point, other = points[self._columns]
        beyond = scale * (point + more[0]) / length + bias - (other_scale * (other + more[1]) / length + other_bias)
        if beyond >= 0:
            return 1 / (1 + math.exp(-beyond))
        odds = math.exp(beyond)
        return odds / (odds + 1)


class Model:
    """All heads of one file, by name."""

    def __init__(self, heads: Mapping[str, Head]) -> None:
        self.heads = heads

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


class Table:
    """The weights of the two heads that are put to every text, `wants` and `bait`, ready to be added up.

    Weights and squares of rarities stand side by side, a row of 64 bytes for every feature: fetching rows from all over the
    memory is what a reading waits for. Behind the rows of all hashed features stand those that a text has beside its
    characters, with what they weigh in `wants` and nothing for `bait`; `first` is the number of the first of them.
    """

    def __init__(self, model: Model, beside: NDArray[np.int64]) -> None:
        wants, bait = model.heads["intent"], model.heads["scam"]
        self.first = len(wants.weights)
        self._mask = self.first - 1
        if len(bait.weights) != self.first or any(len(head.weights) > self.first for head in model.heads.values()):
            raise ConfigError("the heads intent and scam must be of the same size, and no other larger; run `qianshao train`")
        parting, labels = len(wants.labels), len(wants.labels) + len(bait.labels)
        self._rows = _empty(self.first + len(beside), labels + 2)
        hashed, own = self._rows[: self.first], self._rows[self.first :]
        hashed[:, :parting], hashed[:, parting:labels] = wants.weights, bait.weights
        np.square(wants.rarity, out=hashed[:, labels])
        np.square(bait.rarity, out=hashed[:, labels + 1])
        own[:] = hashed[beside & self._mask]
        own[:, parting:labels] = own[:, [labels + 1]] = 0
        self._bait = [*range(parting, labels), labels + 1]
        self.wants, self.bait = Question(wants, 0, labels), Question(bait, parting, labels + 1)

    def weights(self, hashed: NDArray[np.int64]) -> list[tuple[float, float, float]]:
        """What each of these features weighs in `bait`: for honest and for bait, then the square of its rarity."""
        rows = self._rows[hashed & self._mask]
        return [(honest, bait, square) for honest, bait, square in rows[:, self._bait].tolist()]

    def points(self, text: str, beside: Collection[int]) -> tuple[list[float], NDArray[np.int64]]:
        """What the characters of a plain text and the rows of these numbers weigh together, a number for each column; and the
        hashes of the characters.
        """
        grams = _grams(text)
        number = len(grams)
        rows = np.fromiter(chain(map(crc32, grams), beside), dtype=np.int64, count=number + len(beside))
        hashed = rows[:number]
        hashed &= self._mask
        found = self._rows.take(rows, axis=0)
        ones = _ONES[: len(rows)]  # a product with them adds up what is small faster than any sum of NumPy's
        sums = ones.dot(found) if len(ones) == len(rows) else np.add.reduce(found, axis=0)
        points: list[float] = sums.tolist()
        return points, hashed


def characters(text: str) -> NDArray[np.int64]:
    """The features of a plain text's own characters and pairs of them, as hashes; the same for every head."""
    grams = _grams(text)
    return np.fromiter(map(crc32, grams), dtype=np.int64, count=len(grams))


def _grams(text: str) -> set[bytes]:
    """The characters of a plain text and their pairs, each once."""
    text = text[:LONGEST]
    if _UNEVEN.search(text):
        text = _FACES.sub("", calm(text)).translate(_DIGITS)
    text = text.rstrip("。！!～~ ")
    return set(map(f"^{text}$".encode("utf-32-le", "surrogatepass").__getitem__, _CUTS[: 2 * len(text) + 1]))


def _empty(number: int, width: int) -> NDArray[np.float32]:
    """Rows of nothing, each of them in as few lines of the processor's cache as can be."""
    width += -width % LINE
    memory = np.zeros(number * width + LINE, dtype=np.float32)
    start = -memory.ctypes.data % (4 * LINE) // 4
    return memory[start : start + number * width].reshape(number, width)


def named(names: Iterable[str]) -> NDArray[np.int64]:
    """Features that have a name (what lexicon and rules see), as hashes."""
    found = {_hashed(name) for name in names}
    return np.fromiter(found, dtype=np.int64, count=len(found))


def hashes(names: Iterable[str]) -> NDArray[np.int64]:
    """Features that have a name, as hashes, one for each in their order."""
    return np.array([crc32(name.encode()) for name in names], dtype=np.int64)


@lru_cache(maxsize=4096)
def _hashed(name: str) -> int:
    """The names are those of rules and signs, some hundred of them; nothing of a message is among them."""
    return crc32(name.encode())
