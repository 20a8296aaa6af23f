"""Kinds of values in config.toml, and the sentence that an operator reads when one is wrong."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bot.days import parse_days
from content.labels import label_problem
from content.posts import CATEGORIES

_YES_OR_NO = TypeAdapter(bool)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise ValueError(f'{name!r} is no time zone; write one like "Asia/Shanghai"') from None
    return name


def _url(text: str) -> str:
    if not text:
        return text
    try:
        backend = make_url(text).get_backend_name()
    except ArgumentError:
        backend = ""
    if backend not in ("sqlite", "postgresql"):
        raise ValueError('write "sqlite:///folder/file.sqlite3" or "postgresql://user:password@host/database"')
    return text


def _days(text: str) -> str:
    parse_days(text)
    return text


def _clock(value: object) -> object:
    if not isinstance(value, str | time):
        raise ValueError('a time of day is written "10:00"')
    return value


def _category(name: str) -> str:
    if name not in CATEGORIES:
        raise ValueError(f"{name!r} is no category of posts; there are {', '.join(CATEGORIES)}")
    return name


def _label(text: str) -> str:
    if problem := label_problem(text):
        raise ValueError(problem)
    return text


def _on_off(value: object) -> object:
    return {True: "on", False: "off", "true": "on", "false": "off"}.get(value, value) if isinstance(value, bool | str) else value


def _maybe(value: object) -> object:
    if value is None or value == "auto":
        return None
    try:
        return _YES_OR_NO.validate_python(value)
    except ValidationError:
        raise ValueError('write true, false or "auto"') from None


def _path(value: object) -> object:
    if not isinstance(value, str | Path):
        raise ValueError('a path is written in quotes, "folder/file"')
    return value


ZoneName = Annotated[str, AfterValidator(_zone)]
DatabaseUrl = Annotated[str, AfterValidator(_url)]
DueDays = Annotated[str, AfterValidator(_days)]
ClockTime = Annotated[time, BeforeValidator(_clock)]
Category = Annotated[str, AfterValidator(_category)]
Label = Annotated[str, AfterValidator(_label)]
OnOff = Annotated[Literal["on", "off"], BeforeValidator(_on_off)]
OrAuto = Annotated[bool | None, BeforeValidator(_maybe)]
FilePath = Annotated[Path, BeforeValidator(_path)]
OptionalPath = Annotated[FilePath | None, BeforeValidator(lambda value: value or None)]


class Section(BaseModel):
    """A table of config.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")
