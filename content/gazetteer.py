"""The district's own places by name: shops, crossings, estates, village groups, with their grids.

[[places]]
name = "港新菜市场"
aliases = ["菜场", "菜市场"]        # as people call it; an alias may belong to several places, in different grids
grid = "GX02"                       # code of its grid; may be left out
point = [30.00120, 124.00310]       # latitude and longitude, degrees WGS 84; may be left out
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from content.files import BrokenFile, read_text
from content.toml import TomlMistakes, line_of, read_toml

# "3号楼", "三栋" and "3幢" are one house
_NUMBERED = re.compile(r"(\d+|[零〇一二三四五六七八九十百两]+)(号楼|号|楼|栋|幢|座|单元|室|弄|组|队|层|期|区|村|社)")
_SAME_UNIT = {"栋": "号楼", "幢": "号楼", "座": "号楼"}
_DIGITS = {char: digit for digit, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_BLANK = re.compile(r"[\s“”\"'‘’＂*（）()·、，,。.]+")


def normalised(place: str) -> str:
    """A place as it is compared: half width, small letters, no blanks or quotes, numbers in digits, one word for a house."""
    plain = _BLANK.sub("", unicodedata.normalize("NFKC", place).lower())
    return _NUMBERED.sub(lambda found: f"{_value(found[1])}{_SAME_UNIT.get(found[2], found[2])}", plain)


def numbers(place: str) -> dict[str, int]:
    """The numbers in a place by what they count: {"号楼": 3, "单元": 2} of "三栋2单元"."""
    return counted(normalised(place))


def counted(plain: str) -> dict[str, int]:
    """`numbers` of a place that is normalised already."""
    return {unit: int(number) for number, unit in _NUMBERED.findall(plain)}


def _value(number: str) -> int:
    """12 of "12" and of "十二"; "一〇三" is read digit by digit."""
    if number.isdigit():
        return int(number)
    if not any(char in "十百" for char in number):
        return int("".join(str(_DIGITS[char]) for char in number))
    total, digit = 0, 0
    for char in number:
        if char in _DIGITS:
            digit = _DIGITS[char]
        else:
            total += (digit or 1) * (10 if char == "十" else 100)
            digit = 0
    return total + digit


def _on_earth(point: tuple[float, float]) -> tuple[float, float]:
    if not (-90 <= point[0] <= 90 and -180 <= point[1] <= 180):
        raise ValueError("a point is [latitude, longitude] in degrees, the latitude first")
    return point


class Known(BaseModel):
    """A place of the gazetteer. `grid` is a code, `point` latitude and longitude in degrees WGS 84."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(min_length=2)
    aliases: Annotated[tuple[str, ...], Field(strict=False)] = ()
    grid: str = ""
    point: Annotated[tuple[float, float], Field(strict=False), AfterValidator(_on_earth)] | None = None


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    places: Annotated[tuple[Known, ...], Field(strict=False)] = ()


@dataclass(frozen=True, slots=True)
class Mention:
    """A known place in a text: characters start (inclusive) to end (exclusive), its wording there, all places called so."""

    start: int
    end: int
    wording: str
    places: tuple[Known, ...]


class Gazetteer:
    """All known places. `broken` names the file when it could not be read; then there are none."""

    def __init__(self, places: tuple[Known, ...] = (), broken: tuple[BrokenFile, ...] = ()) -> None:
        self.places = places
        self.broken = broken
        self._called: dict[str, tuple[Known, ...]] = {}
        for place in places:
            for word in {place.name, *place.aliases}:
                self._called[word.lower()] = (*self._called.get(word.lower(), ()), place)
        words = sorted(self._called, key=len, reverse=True)
        self._words = re.compile("|".join(map(re.escape, words)) or "(?!)")

    @staticmethod
    def load(path: Path) -> Gazetteer:
        """Read a file. What is wrong with it is named in `broken`, with the line."""
        text = read_text(path)
        if isinstance(text, BrokenFile):
            return Gazetteer((), (text,))
        try:
            places = read_toml(text, _File).places
        except TomlMistakes as error:
            return Gazetteer((), tuple(BrokenFile(path, mistake.line, mistake.problem) for mistake in error.mistakes))
        names = [place.name for place in places]
        twice = [n for n, name in enumerate(names) if name in names[:n]]
        if twice:
            line = line_of(text, ("places", twice[0], "name"))
            return Gazetteer((), (BrokenFile(path, line, f"{names[twice[0]]!r} is there twice; names must differ"),))
        return Gazetteer(places)

    def find(self, text: str) -> tuple[Mention, ...]:
        """Known places that a text names, the longest wording first where several begin at one spot; positions in the text."""
        plain = text.lower()
        if len(plain) != len(text):  # a letter that grows when it is made small: positions would not fit
            plain = text
        return tuple(Mention(m.start(), m.end(), m[0], self._called[m[0]]) for m in self._words.finditer(plain))
