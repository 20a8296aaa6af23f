"""Holidays and make-up days of a year that the library does not know yet: `content/workdays/<year>.toml`.

    source = "the State Council's notice, with its address"
    checked_on = 2026-11-20
    holidays = ["2027-01-01/2027-01-03", "2027-02-05"]   # days off beside Saturday and Sunday; a range has both ends
    make_up = ["2027-01-30"]                             # weekend days that are worked

A file wins over the library for its whole year.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from content.files import BrokenFile, Strict, read_text
from content.toml import TomlMistakes, read_toml


class WorkdaysError(ValueError):
    """A file is wrong; the text names file, line and what to mend."""


class _Year(Strict):
    source: str = Field(min_length=1)
    checked_on: date
    holidays: Annotated[tuple[str, ...], Field(strict=False)]
    make_up: Annotated[tuple[str, ...], Field(strict=False)] = ()


@dataclass(frozen=True, slots=True)
class YearDays:
    """What is special in one year: days off, and weekend days that are worked."""

    holidays: frozenset[date]
    make_up: frozenset[date]


def load_years(folder: Path) -> Mapping[int, YearDays]:
    """Every year that has a file. Raises WorkdaysError; a folder that does not exist has none."""
    years: dict[int, YearDays] = {}
    for path in sorted(folder.glob("*.toml")) if folder.is_dir() else []:
        if not path.stem.isdigit():
            raise WorkdaysError(f"{path}: name it after its year, for example 2027.toml")
        years[int(path.stem)] = _read(path)
    return MappingProxyType(years)


def _read(path: Path) -> YearDays:
    text = read_text(path)
    if isinstance(text, BrokenFile):
        raise WorkdaysError(str(text))
    try:
        year = read_toml(text, _Year)
        days = YearDays(frozenset(_days(year.holidays)), frozenset(_days(year.make_up)))
    except TomlMistakes as error:
        raise WorkdaysError("\n".join(f"{path}:{mistake.line}: {mistake.problem}" for mistake in error.mistakes)) from error
    except ValueError as error:
        raise WorkdaysError(f"{path}: {error}; write a day as 2027-01-01, a range as 2027-01-01/2027-01-03") from error
    strange = sorted(day for day in days.holidays | days.make_up if day.year != int(path.stem))
    if strange:
        raise WorkdaysError(f"{path}: {strange[0]} is not in {path.stem}; put it into the file of its own year")
    return days


def _days(texts: tuple[str, ...]) -> Iterator[date]:
    for text in texts:
        first, _, last = text.partition("/")
        day, end = date.fromisoformat(first.strip()), date.fromisoformat((last or first).strip())
        if not timedelta(0) <= end - day < timedelta(days=60):
            raise ValueError(f"{text!r} ends before it begins, or is longer than 60 days")
        while day <= end:
            yield day
            day += timedelta(days=1)
