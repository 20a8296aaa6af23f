"""The desk's promises, `content/desk.toml` as frozen values: clocks of every tier, pauses, call-back, duplicates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from content.files import BrokenFile, Strict, read_text
from content.toml import TomlMistakes, read_toml

CLOCKS = ("take", "first_reply", "next_reply", "resolve")


class DeskError(ValueError):
    """The file is wrong; the text names file, line and what to mend."""


Unit = Literal["min", "h", "d", "wh", "wd"]


@dataclass(frozen=True, slots=True)
class Length:
    """So much time: `amount` of minutes, hours, days, working hours or working days."""

    amount: int
    unit: Unit

    @property
    def plain(self) -> timedelta:
        """The length when it runs day and night; ValueError for working time, which only a calendar can measure."""
        match self.unit:
            case "min":
                return timedelta(minutes=self.amount)
            case "h":
                return timedelta(hours=self.amount)
            case "d":
                return timedelta(days=self.amount)
            case _:
                raise ValueError(f"{self.amount}{self.unit} is working time")


def parse_length(text: str) -> Length | None:
    """Length(4, "wh") for "4wh"; None for "". Raises ValueError that says how it is written."""
    if not text:
        return None
    found = re.fullmatch(r"([1-9]\d{0,3})\s*(min|h|d|wh|wd)", text)
    if found is None:
        raise ValueError(f'{text!r} is no length; write a number and min, h, d, wh or wd, for example "4wh"')
    return Length(int(found[1]), found[2])  # type: ignore[arg-type]


def _length(text: str) -> str:
    parse_length(text)
    return text


def _plain(text: str) -> str:
    length = parse_length(text)
    if length is None or length.unit not in ("min", "h", "d"):
        raise ValueError(f'{text!r}: write a number and min, h or d, for example "48h"')
    return text


def _clock_time(text: str) -> str:
    time.fromisoformat(text)
    return text


LengthText = Annotated[str, AfterValidator(_length)]
PlainText = Annotated[str, AfterValidator(_plain)]
TimeText = Annotated[str, AfterValidator(_clock_time)]


class _Tier(Strict):
    take: LengthText
    first_reply: LengthText
    next_reply: LengthText
    resolve: LengthText
    extensions: int = Field(ge=0, le=5)


class _Kind(Strict):
    take: LengthText | None = None
    first_reply: LengthText | None = None
    next_reply: LengthText | None = None
    resolve: LengthText | None = None


class _Pause(Strict):
    needs_info: PlainText


class _CallBack(Strict):
    since: TimeText = Field(alias="from")
    until: TimeText = Field(alias="to")
    attempts: int = Field(ge=1, le=9)
    every: PlainText
    within: PlainText
    again_after: PlainText
    recurring: Annotated[tuple[str, ...], Field(strict=False)]


class _Duplicates(Strict):
    join: float = Field(gt=0, le=1)


class _File(Strict):
    tier: dict[str, _Tier]
    kind: dict[str, _Kind] = Field(default_factory=dict)
    pause: _Pause
    callback: _CallBack
    duplicates: _Duplicates


@dataclass(frozen=True, slots=True)
class CallBackRule:
    """When and how often the reporter is asked. `since` and `until` are times of day in the district's zone."""

    since: time
    until: time
    attempts: int
    every: timedelta
    within: timedelta
    again_after: timedelta
    recurring: frozenset[str]


@dataclass(frozen=True, slots=True)
class DeskRules:
    """All of it. `tiers` and `kinds` map a code to the lengths of its clocks by name; a kind's wins over its tier's."""

    tiers: Mapping[str, Mapping[str, Length | None]]
    kinds: Mapping[str, Mapping[str, Length | None]]
    extensions: Mapping[str, int]
    needs_info: timedelta
    callback: CallBackRule
    join: float

    @staticmethod
    def load(path: Path) -> DeskRules:
        """Read the file. Raises DeskError with file and line for whatever is not as it should be."""
        text = read_text(path)
        if isinstance(text, BrokenFile):
            raise DeskError(str(text))
        try:
            read = read_toml(text, _File)
        except TomlMistakes as error:
            raise DeskError("\n".join(f"{path}:{mistake.line}: {mistake.problem}" for mistake in error.mistakes)) from error
        back = read.callback
        return DeskRules(
            tiers=MappingProxyType({code: _lengths(tier) for code, tier in read.tier.items()}),
            kinds=MappingProxyType({code: _lengths(kind) for code, kind in read.kind.items()}),
            extensions=MappingProxyType({code: tier.extensions for code, tier in read.tier.items()}),
            needs_info=_delta(read.pause.needs_info),
            callback=CallBackRule(
                since=time.fromisoformat(back.since),
                until=time.fromisoformat(back.until),
                attempts=back.attempts,
                every=_delta(back.every),
                within=_delta(back.within),
                again_after=_delta(back.again_after),
                recurring=frozenset(back.recurring),
            ),
            join=read.duplicates.join,
        )

    def length(self, tier: str, kind: str, clock: str) -> Length | None:
        """How long that clock runs for a case; None when there is no such promise."""
        own = self.kinds.get(kind, {})
        if clock in own:
            return own[clock]
        return self.tiers.get(tier, {}).get(clock)


def _lengths(row: _Tier | _Kind) -> Mapping[str, Length | None]:
    given = {clock: getattr(row, clock) for clock in CLOCKS}
    return MappingProxyType({clock: parse_length(text) for clock, text in given.items() if text is not None})


def _delta(text: str) -> timedelta:
    length = parse_length(text)
    if length is None:
        raise ValueError("a length is missing")
    return length.plain
