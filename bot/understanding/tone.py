"""The tone of a message: whether its words are those of a cry or those of an ordinary day, in quarters of a sign's point.

"能不能", "捡到", "听说" stand in ordinary messages and seldom in cries; "快来", "救命", "没影" the other way round. A text is
taken apart into rows of one to three characters, and pairs with any character between them; how much each of some ten
thousands says was counted over all cries and ordinary messages that we have (`scripts/count_tone.py`), and is written as whole
points in `content/lexicon/tone.toml`. The tone is weighed against phrases and signs of danger that do not say it plainly; and a
message whose tone is surely that of a cry is one, whatever its words for what is wrong (decisions 0299 and 0319).

Rows are numbers in order (`Rows`), not texts in a dict: what a look waits for is the memory, and these lie close together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from bot.errors import ConfigError
from bot.understanding.lexicon import WordFile
from bot.understanding.meaning import Danger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

LONGEST = 400  # characters: what a message is about is said in its first sentences
QUARTERS = 4  # of a sign's point
SHOWN = 4  # rows that are named as a reason
BEGIN, END, PAUSE, ANY = "^", "$", "|", "_"  # what stands in rows for the borders of a text, for what is no word, and for any one
# who calls for help says where, but so does who reports a lamp: an address says nothing
_ADDRESS = re.compile(
    "(?:[0-9A-Za-z]+|[一二三四五六七八九十两东西南北]+)(?:号楼|号院|号门|栋|幢|座|单元|楼|层|室|号|弄|门洞)(?:[0-9]{2,4})?|(?<![0-9])[0-9]{3,4}(?![0-9])"
)
_DIGITS, _LETTERS = re.compile("[0-9]+"), re.compile("[A-Za-z]+")
_REST = re.compile("[^0-9A-Za-z\u4e00-\u9fff]+")
_UNEVEN = re.compile("[^\u4e00-\u9fff]|[号栋幢座元楼层室弄洞]")  # what one of these would change
_TEXT, _KEY = "utf-16-le", np.dtype("<u8")  # of two bytes a character, and of four characters
# of four characters that stand in a row: the first one, two, three, and the first and third
_ROWS = np.array([[0xFFFF], [0xFFFF_FFFF], [0xFFFF_FFFF_FFFF], [0xFFFF_0000_FFFF]], dtype=_KEY)


def rows_of(text: str) -> set[str]:
    """Every row of one to three characters of a plain text, and every two with one between them.

    Beginning, end and pauses are characters too ("吗$" asks, "^谁" looks for somebody); an address is a pause, and one number
    like another.
    """
    text = _even(text)
    last = len(text)
    rows = {text[at : at + 3] for at in range(last)}
    rows.update([text[at : at + 2] for at in range(last)], text, [text[at] + ANY + text[at + 2] for at in range(last - 2)])
    return rows


def keys_of(text: str) -> NDArray[np.uint64]:
    """The rows of a plain text as numbers in order, some more than once: those of `rows_of`, all at one stroke."""
    said = f"{_even(text)}\0\0\0".encode(_TEXT)
    fours: NDArray[np.uint64] = np.ndarray((len(said) // 2 - 3,), _KEY, said, 0, (2,))
    keys = (fours & _ROWS).ravel()
    keys.sort()
    return keys


def _even(text: str) -> str:
    """A text between its borders, with one sign for each number, each word of letters and each pause."""
    text = text[:LONGEST]
    if _UNEVEN.search(text):
        text = _ADDRESS.sub(PAUSE, text)
        text = _REST.sub(PAUSE, _LETTERS.sub("a", _DIGITS.sub("0", text))).strip(PAUSE)
    return f"{BEGIN}{text}{END}"


class Rows:
    """Rows of characters as numbers in order."""

    def __init__(self, rows: Sequence[str]) -> None:
        """Raises ValueError naming what is no row of one to three characters, or stands twice."""
        characters = np.array(rows, dtype="<U3").view("<u4").reshape(-1, 3).astype(_KEY)
        wrong = [row for row in rows if len(row) > 3] or [
            rows[at] for at in np.flatnonzero(characters.max(axis=1) > 0xFFFF).tolist()
        ]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no row of one to three characters")
        characters[characters[:, 1] == ord(ANY), 1] = 0
        keys = characters @ np.array([1, 1 << 16, 1 << 32], dtype=_KEY)
        self.order = np.argsort(keys, kind="stable")  # where what stands in order stood before
        self._keys = np.append(keys[self.order], np.array([-1], dtype=np.int64).view(_KEY))  # behind the last what no text has
        twice = np.flatnonzero(self._keys[1:] == self._keys[:-1])
        if len(twice):
            raise ValueError(f"{self.name(int(twice[0]))} stands twice")

    def found(self, keys: NDArray[np.uint64]) -> NDArray[np.intp]:
        """The places in the order of those of a text's rows (`keys_of`) that are known, each once."""
        at = self._keys.searchsorted(keys)
        known = self._keys.take(at) == keys
        known[1:] &= keys[1:] != keys[:-1]
        found: NDArray[np.intp] = at[known]
        return found

    def name(self, place: int) -> str:
        """The row at a place."""
        key = int(self._keys[place])
        first, second, third = (chr(key >> bits & 0xFFFF) for bits in (0, 16, 32))
        return first + (ANY if third != "\0" and second == "\0" else second.strip("\0")) + third.strip("\0")


@dataclass(frozen=True, slots=True)
class Tone:
    """Rows with what each counts, what a message without any of them begins with, and how much the whole may count."""

    rows: Rows
    points: NDArray[np.int32]  # by the places of the rows
    kind_rows: Rows
    kinds: NDArray[np.int32]  # what some rows say for each danger, once the message is a cry: a line for each of `kind_rows`
    start: int
    most: int
    sure: int  # quarters from which on a message is a cry by its tone and the model, if no rule says so

    @staticmethod
    def load(folder: Path) -> Tone:
        """Read `tone.toml`. Raises `ConfigError` for a key that is no whole number or a row that stands twice."""
        file = WordFile(folder / "tone.toml")
        bounds = file.table("bounds")
        start, most, sure = bounds.get("start"), bounds.get("most"), bounds.get("sure")
        if not isinstance(start, int) or not isinstance(most, int) or not isinstance(sure, int):
            raise ConfigError(f"{file.path}: [bounds] needs whole numbers `start`, `most` and `sure`")
        tables = file.table("kind")
        kinds: dict[str, list[int]] = {}
        for place, danger in enumerate(Danger):
            table = tables.get(danger.value)
            if not isinstance(table, dict):
                raise ConfigError(f"{file.path}: [kind.{danger.value}] is missing")
            names, counts = _counts(file, table)
            _rows(file, names)
            for name, count in zip(names, counts, strict=True):
                kinds.setdefault(name, [0] * len(Danger))[place] = count
        names, counts = _counts(file, file.table("rows"))
        rows, kind_rows = _rows(file, names), _rows(file, kinds)
        points = np.array(counts, dtype=np.int32)[rows.order]
        of_kinds = np.array([*kinds.values()], dtype=np.int32).reshape(-1, len(Danger))[kind_rows.order]
        return Tone(rows, points, kind_rows, of_kinds, start, most, sure)

    def quarters(self, keys: NDArray[np.uint64]) -> int:
        """What all rows of a text say together; each counts once.

        The more of them are known, the less each of them says: the sum is divided by the root of their number.
        """
        found = self.rows.found(keys)
        if not len(found):
            return max(-self.most, self.start)
        total = int(np.add.reduce(self.points.take(found)))
        return max(-self.most, min(self.most, self.start + round(total / sqrt(len(found)))))

    def loudest(self, keys: NDArray[np.uint64]) -> list[str]:
        """The rows of a text that speak most for a cry, those that say most first; for whoever asks why."""
        found = self.rows.found(keys)
        points = self.points.take(found).tolist()
        loud = sorted([(-count, self.rows.name(place)) for place, count in zip(found.tolist(), points, strict=True) if count > 0])
        return [row.strip(BEGIN + END + PAUSE) for _, row in loud[:SHOWN]]

    def kind(self, keys: NDArray[np.uint64]) -> Danger:
        """The danger that the rows of a cry speak for most."""
        return tuple(Danger)[int(self.kinds.take(self.kind_rows.found(keys), axis=0).sum(axis=0).argmax())]


class Said:
    """What the tone of one plain text is, worked out when it is first asked for: a text is taken apart once."""

    __slots__ = ("_keys", "_quarters", "_text", "tone")

    def __init__(self, tone: Tone, text: str) -> None:
        self.tone, self._text = tone, text
        self._keys: NDArray[np.uint64] | None = None
        self._quarters: int | None = None

    def quarters(self) -> int:
        """The tone, in quarters of a sign's point."""
        if self._quarters is None:
            self._quarters = self.tone.quarters(self._taken_apart())
        return self._quarters

    def loudest(self) -> list[str]:
        """The rows that speak most for a cry."""
        return self.tone.loudest(self._taken_apart())

    def kind(self) -> Danger:
        """The danger that the rows of a cry speak for most."""
        return self.tone.kind(self._taken_apart())

    def _taken_apart(self) -> NDArray[np.uint64]:
        if self._keys is None:
            self._keys = keys_of(self._text)
        return self._keys


def _counts(file: WordFile, table: Mapping[str, object]) -> tuple[list[str], list[int]]:
    """The rows of a table, and what each counts."""
    rows: list[str] = []
    counts: list[int] = []
    for points in table:
        more = file.text(table, points).split()
        try:
            counts += [int(points)] * len(more)
        except ValueError as error:
            raise ConfigError(f"{file.path}: {points!r} is no whole number") from error
        rows += more
    return rows, counts


def _rows(file: WordFile, rows: Iterable[str]) -> Rows:
    try:
        return Rows(list(rows))
    except ValueError as error:
        raise ConfigError(f"{file.path}: {error}") from error
