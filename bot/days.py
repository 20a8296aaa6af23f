"""On which days something is due: "mon,wed,fri", "mon-fri", "*", or days of the month "1,15"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

NAMES: tuple[str, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CHINESE: tuple[str, ...] = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")


@dataclass(frozen=True, slots=True)
class Days:
    """A set of days: a day is in it by its weekday (0 is Monday) or by its number in the month."""

    weekdays: frozenset[int] = frozenset()
    month_days: frozenset[int] = frozenset()

    def __contains__(self, day: date) -> bool:
        return day.weekday() in self.weekdays or day.day in self.month_days

    def __str__(self) -> str:
        """In Chinese, as an editor reads it."""
        if len(self.weekdays) == len(NAMES):
            return "每天"
        parts = [_CHINESE[weekday] for weekday in sorted(self.weekdays)]
        return "、".join([*parts, *(f"每月{day}日" for day in sorted(self.month_days))])


def parse_days(text: str) -> Days:
    """Raises ValueError with a sentence that says how days are written."""
    weekdays: set[int] = set()
    month_days: set[int] = set()
    for part in text.lower().replace("，", ",").split(","):
        word = part.strip()
        if word == "*":
            weekdays.update(range(7))
        elif word in NAMES:
            weekdays.add(NAMES.index(word))
        elif found := re.fullmatch(r"([a-z]{3})\s*-\s*([a-z]{3})", word):
            if found[1] not in NAMES or found[2] not in NAMES:
                raise ValueError(_usage(text))
            first, last = NAMES.index(found[1]), NAMES.index(found[2])
            weekdays.update(day % 7 for day in range(first, last + 1 if last >= first else last + 8))
        elif re.fullmatch(r"\d{1,2}", word) and 1 <= int(word) <= 31:
            month_days.add(int(word))
        else:
            raise ValueError(_usage(text))
    return Days(frozenset(weekdays), frozenset(month_days))


def _usage(text: str) -> str:
    return f'days are written "mon,wed,fri", "mon-fri", "*" or as days of the month "1,15", not {text!r}'
