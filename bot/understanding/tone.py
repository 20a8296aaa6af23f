"""The tone of a message: whether its words are those of a cry or those of an ordinary day, in quarters of a sign's point.

"能不能", "捡到", "听说" stand in ordinary messages and seldom in cries; "快来", "救命", "没影" the other way round. A text is taken
apart into rows of one to three characters, and pairs with any character between them; how much each of some ten thousands
says was counted over all cries and ordinary messages that we have (`scripts/count_tone.py`), and is written as whole points in
`content/lexicon/tone.toml`. The tone is weighed against phrases and signs of danger that do not say it plainly; and a message
whose tone is surely that of a cry is one, whatever its words for what is wrong (decisions 0299 and 0319).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.understanding.lexicon import WordFile
from bot.understanding.meaning import Danger

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

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


def rows_of(text: str) -> set[str]:
    """Every row of one to three characters of a plain text, and every two with one between them.

    Beginning, end and pauses are characters too ("吗$" asks, "^谁" looks for somebody); an address is a pause, and one number like
    another.
    """
    text = _ADDRESS.sub(PAUSE, text[:LONGEST])
    text = _REST.sub(PAUSE, _LETTERS.sub("a", _DIGITS.sub("0", text)))
    text = f"{BEGIN}{text.strip(PAUSE)}{END}"
    last = len(text)
    rows = {text[at : at + 3] for at in range(last)}
    rows.update([text[at : at + 2] for at in range(last)], text, [text[at] + ANY + text[at + 2] for at in range(last - 2)])
    return rows


@dataclass(frozen=True, slots=True)
class Tone:
    """Rows with what each counts, what a message without any of them begins with, and how much the whole may count."""

    points: Mapping[str, int]
    kinds: Mapping[str, list[int]]  # what some rows say for each danger, once the message is a cry
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
            for row, count in _counts(file, table).items():
                kinds.setdefault(row, [0] * len(Danger))[place] = count
        return Tone(_counts(file, file.table("rows")), kinds, start, most, sure)

    def quarters(self, rows: Collection[str]) -> int:
        """What all rows of a text say together; each counts once.

        The more of them are known, the less each of them says: the sum is divided by the root of their number.
        """
        known = self.points
        found = [known[row] for row in rows if row in known]
        if not found:
            return max(-self.most, self.start)
        return max(-self.most, min(self.most, self.start + round(sum(found) / sqrt(len(found)))))

    def loudest(self, rows: Collection[str]) -> list[str]:
        """The rows of a text that speak most for a cry, those that say most first; for whoever asks why."""
        known = self.points
        loud = sorted([(-known[row], row) for row in rows if known.get(row, 0) > 0])
        return [row.strip(BEGIN + END + PAUSE) for _, row in loud[:SHOWN]]

    def kind(self, rows: Collection[str]) -> Danger:
        """The danger that the rows of a cry speak for most."""
        sums = [sum(counts) for counts in zip(*[self.kinds[row] for row in rows if row in self.kinds], strict=True)]
        return tuple(Danger)[sums.index(max(sums))] if sums else next(iter(Danger))


class Said:
    """What the tone of one plain text is, worked out when it is first asked for: a text is taken apart once."""

    __slots__ = ("_quarters", "_rows", "_text", "tone")

    def __init__(self, tone: Tone, text: str) -> None:
        self.tone, self._text = tone, text
        self._rows: set[str] | None = None
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

    def _taken_apart(self) -> set[str]:
        if self._rows is None:
            self._rows = rows_of(self._text)
        return self._rows


def _counts(file: WordFile, table: Mapping[str, object]) -> dict[str, int]:
    """The rows of a table with their points."""
    found: dict[str, int] = {}
    for points in table:
        rows = file.text(table, points).split()
        try:
            count = int(points)
        except ValueError as error:
            raise ConfigError(f"{file.path}: {points!r} is no whole number") from error
        before = len(found)
        found.update(dict.fromkeys(rows, count))
        if len(found) != before + len(rows):
            twice = sorted({row for row in rows if rows.count(row) > 1}) or "a row"
            raise ConfigError(f"{file.path}: {twice} stands twice, the second time with {points}")
    return found
