"""Numbers that name a person, made unreadable: telephones, identity cards, bank cards, number plates, however they are typed.

Full-width digits, blanks and dashes between digits and Chinese numerals (一三八…, 幺, 壹) count as digits. What is masked keeps a
head and a tail, so that whoever knows the number recognises it: 138****1234, 3206**********1234, ****1234, 苏F***45. Short public
numbers (110, 96110, 12345), dates, prices and case numbers stay. De-identification: PIPL art. 51(3).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_NUMERALS = {
    **dict(zip("〇零一二三四五六七八九", "00123456789", strict=True)),
    **dict(zip("○壹贰叁肆伍陆柒捌玖幺两", "012345678912", strict=True)),
    **dict(zip("貳參陸", "236", strict=True)),
}
_DIGIT = r"0-9０-９" + "".join(_NUMERALS)
_BETWEEN = r"[\s\-－‐-―—._·•*()（）\u200b-\u200f\u2060\ufeff]{1,3}"
_RUN = re.compile(rf"[{_DIGIT}](?:(?:{_BETWEEN})?[{_DIGIT}]){{6,}}[xXｘＸ×]?")
_GROUP = re.compile(rf"[{_DIGIT}]+[xXｘＸ×]?")
_PHONE = re.compile(r"(?:0{0,2}86)?(1[3-9]\d{9})")
_LANDLINE = re.compile(r"(?:0{0,2}86)?(0\d{2,3}[2-9]\d{6,7})")
_IDENTITY = re.compile(r"[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX]")
_OLD_IDENTITY = re.compile(r"[1-9]\d{5}\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}")
_CARD = re.compile(r"[2-69]\d{15,18}")
_LONGEST = 21
_PLATE = re.compile(
    r"([京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领]\s?[A-Za-zＡ-Ｚａ-ｚ])([\s·•.\-－]{0,2})"
    r"([A-HJ-NP-Za-hj-np-z0-9Ａ-Ｚａ-ｚ０-９](?:\s?[A-HJ-NP-Za-hj-np-z0-9Ａ-Ｚａ-ｚ０-９]){3,5}(?:\s?[警学挂港澳领试超])?)"
    r"(?![A-Za-z0-9Ａ-Ｚａ-ｚ０-９])"
)


@dataclass(frozen=True, slots=True)
class _Group:
    """Digits that stand together: where, and as plain digits."""

    start: int
    end: int
    digits: str


def mask(text: str) -> str:
    """The text with every such number masked; what is masked already stays as it is."""
    return _PLATE.sub(_mask_plate, _RUN.sub(_mask_run, text))


def plain_digits(text: str) -> str:
    """Every digit of a text as 0 to 9, X at the end of an identity number included."""
    return "".join(_plain(character) for character in text)


def _mask_run(found: re.Match[str]) -> str:
    run = found[0]
    groups = [_Group(one.start(), one.end(), plain_digits(one[0])) for one in _GROUP.finditer(run)]
    out, at, index = [], 0, 0
    while index < len(groups):
        taken = _longest(groups, index)
        if taken is None:
            index += 1
            continue
        last, shown = taken
        out += [run[at : groups[index].start], shown]
        at = groups[last].end
        index = last + 1
    return "".join(out) + run[at:]


def _longest(groups: list[_Group], first: int) -> tuple[int, str] | None:
    """The longest number that begins with group `first` and ends with a group; which one, and how it is shown."""
    digits, best = "", None
    for index in range(first, len(groups)):
        digits += groups[index].digits
        if len(digits) > _LONGEST:
            break
        shown = _shown(digits) or _card([one.digits for one in groups[first : index + 1]])
        if shown:
            best = index, shown
    if best is None and len(groups[first].digits) > _LONGEST:
        return first, f"****{groups[first].digits[-4:]}"
    return best


def _shown(digits: str) -> str:
    if phone := _PHONE.fullmatch(digits):
        return f"{phone[1][:3]}****{phone[1][-4:]}"
    if _IDENTITY.fullmatch(digits) or _OLD_IDENTITY.fullmatch(digits):
        return digits[:4] + "*" * (len(digits) - 8) + digits[-4:]
    if landline := _LANDLINE.fullmatch(digits):
        return f"{landline[1][:4]}****{landline[1][-2:]}"
    return ""


def _card(groups: list[str]) -> str:
    """A bank card: sixteen digits or more at a stretch, or typed in fours, one by one, or as banks number them (Luhn)."""
    digits = "".join(groups)
    sizes = {len(group) for group in groups[:-1]}
    typed_so = len(groups) == 1 or sizes in ({4}, {1}) or (digits.startswith("62") and _luhn(digits))
    if len(digits) >= 16 and typed_so and (len(groups) == 1 or _CARD.fullmatch(digits)):
        return f"****{digits[-4:]}"
    return ""


def _luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def _mask_plate(found: re.Match[str]) -> str:
    number = "".join(unicodedata.normalize("NFKC", found[3]).split()).upper()
    if not any(character.isdigit() for character in number):
        return found[0]
    return f"{unicodedata.normalize('NFKC', found[1]).upper().replace(' ', '')}***{number[-2:]}"


def _plain(character: str) -> str:
    if character in _NUMERALS:
        return _NUMERALS[character]
    if character in "xXｘＸ×":
        return "X"
    normal = unicodedata.normalize("NFKC", character)
    return normal if normal.isdecimal() else ""
