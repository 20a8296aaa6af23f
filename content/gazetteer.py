"""Places by name: how a place is written so that it can be compared."""

from __future__ import annotations

import re
import unicodedata

# "3号楼", "三栋" and "3幢" are one house
_NUMBERED = re.compile(r"(\d+|[零一二三四五六七八九十百两]+)(号楼|号|楼|栋|幢|座|单元|室|弄|组|队|层|期|区|村|社)")
_SAME_UNIT = {"栋": "号楼", "幢": "号楼", "座": "号楼"}
_DIGITS = {char: digit for digit, char in enumerate("零一二三四五六七八九")} | {"两": 2}
_BLANK = re.compile(r"[\s“”\"'‘’＂*（）()·、，,。.]+")


def normalised(place: str) -> str:
    """A place as it is compared: half width, small letters, no blanks or quotes, numbers in digits, one word for a house."""
    plain = _BLANK.sub("", unicodedata.normalize("NFKC", place).lower())
    return _NUMBERED.sub(lambda found: f"{_value(found[1])}{_SAME_UNIT.get(found[2], found[2])}", plain)


def numbers(place: str) -> dict[str, int]:
    """The numbers in a place by what they count: {"号楼": 3, "单元": 2} of "三栋2单元"."""
    return {unit: int(number) for number, unit in _NUMBERED.findall(normalised(place))}


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
