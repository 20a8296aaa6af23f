"""Recurring themes: which posts belong to which days of the year (content/calendar.toml, docs/posts.md).

A theme has fixed days ("12-01" to "12-07", also over the turn of the year), or dates that somebody looked up for each year
(`dates`, for what follows the moon). Its posts come first while it lasts; with `only` they come only then, unless somebody sends
one by its title.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field

from content.files import BrokenFile, Strict, read_text
from content.toml import TomlMistakes, read_toml

_DAY = r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"
Texts = Annotated[tuple[str, ...], Field(strict=False)]


class ThemeRow(Strict):
    """One table of the file."""

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    name: str = Field(min_length=1)
    starts: str = Field(default="", pattern=rf"{_DAY}|^$")
    ends: str = Field(default="", pattern=rf"{_DAY}|^$")
    dates: Annotated[tuple[date, ...], Field(strict=False)] = ()
    before: int = Field(default=0, ge=0, le=60)
    after: int = Field(default=0, ge=0, le=60)
    posts: Texts
    only: bool = False
    source: str = Field(min_length=1)
    checked_on: date


class CalendarFile(Strict):
    """The file."""

    themes: Annotated[tuple[ThemeRow, ...], Field(strict=False)]


@dataclass(frozen=True, slots=True)
class Span:
    """The days of a theme, both ends included."""

    starts: date
    ends: date

    def __contains__(self, day: date) -> bool:
        return self.starts <= day <= self.ends


@dataclass(frozen=True, slots=True)
class Theme:
    """One recurring theme. `posts` are slugs."""

    key: str
    name: str
    starts: str
    ends: str
    dates: tuple[date, ...]
    before: int
    after: int
    posts: frozenset[str]
    only: bool

    def spans(self, year: int) -> tuple[Span, ...]:
        """Its days that begin in a year; none when nobody looked up that year's date."""
        if self.starts:
            first, last = date(year, *_month_day(self.starts)), date(year, *_month_day(self.ends))
            return (Span(first, last if last >= first else last.replace(year=year + 1)),)
        around = [Span(day - timedelta(days=self.before), day + timedelta(days=self.after)) for day in self.dates]
        return tuple(span for span in around if span.starts.year == year)

    def on(self, day: date) -> bool:
        """Whether it lasts on this day."""
        return any(day in span for year in (day.year - 1, day.year) for span in self.spans(year))

    def next_from(self, day: date) -> Span | None:
        """The span that lasts on this day or comes next."""
        spans = [span for year in range(day.year - 1, day.year + 3) for span in self.spans(year) if span.ends >= day]
        return min(spans, key=lambda span: span.starts, default=None)


@dataclass(frozen=True, slots=True)
class Calendar:
    """All themes, and the file's mistakes when it could not be used."""

    themes: tuple[Theme, ...] = ()
    broken: tuple[BrokenFile, ...] = ()

    @staticmethod
    def load(path: Path, known: Mapping[str, object] | None = None) -> Calendar:
        """Read the file. `known` are the slugs of the library; a theme that names another one makes the file broken."""
        text = read_text(path)
        if isinstance(text, BrokenFile):
            return Calendar((), (text,))
        try:
            rows = read_toml(text, CalendarFile).themes
        except TomlMistakes as error:
            return Calendar((), tuple(BrokenFile(path, mistake.line, mistake.problem) for mistake in error.mistakes))
        problems = [problem for row in rows if (problem := _problem_of(row, known))]
        if problems:
            return Calendar((), tuple(BrokenFile(path, 1, problem) for problem in problems))
        return Calendar(
            tuple(
                Theme(row.key, row.name, row.starts, row.ends, row.dates, row.before, row.after, frozenset(row.posts), row.only)
                for row in rows
            )
        )

    def find(self, name: str) -> Theme | None:
        """The theme with this key or name, or the only one whose name contains it."""
        exact = [theme for theme in self.themes if name in (theme.key, theme.name)]
        found = exact or [theme for theme in self.themes if len(name) >= 2 and name in theme.name]
        return found[0] if len(found) == 1 else None

    def on(self, day: date) -> tuple[Theme, ...]:
        """The themes that last on this day."""
        return tuple(theme for theme in self.themes if theme.on(day))

    def posts_of(self, day: date) -> frozenset[str]:
        """The slugs whose time this day is."""
        return frozenset(slug for theme in self.on(day) for slug in theme.posts)

    def posts_of_theme(self, key: str) -> frozenset[str]:
        """The slugs of one theme."""
        theme = self.find(key)
        return theme.posts if theme else frozenset()

    def out_of_season(self, day: date) -> frozenset[str]:
        """The slugs that rotation leaves out on this day."""
        seasonal = frozenset(slug for theme in self.themes if theme.only for slug in theme.posts)
        return seasonal - self.posts_of(day)


def _month_day(text: str) -> tuple[int, int]:
    month, day = text.split("-")
    # in a year without it the last day of February stands for the 29th
    return int(month), 28 if (month, day) == ("02", "29") else int(day)


def _problem_of(row: ThemeRow, known: Mapping[str, object] | None) -> str | None:
    if bool(row.starts) != bool(row.ends) or bool(row.starts) == bool(row.dates):
        return f"theme {row.key!r}: give starts and ends, or dates"
    if row.starts and not (_is_day(row.starts) and _is_day(row.ends)):
        return f"theme {row.key!r}: {row.starts} to {row.ends} are no days of a year"
    unknown = [slug for slug in row.posts if known is not None and slug not in known]
    return f"theme {row.key!r}: there is no post {', '.join(unknown)}" if unknown else None


def _is_day(text: str) -> bool:
    if not re.match(_DAY, text):
        return False
    try:
        date(2024, *(int(part) for part in text.split("-")))
    except ValueError:
        return False
    return True
