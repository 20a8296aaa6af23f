"""Column types shared by every table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect
from sqlalchemy.types import TypeDecorator

_WITHOUT_ZONE = len("2026-11-23 02:00:00.000000")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite keeps it as naive UTC text, PostgreSQL as timestamptz. Naive values are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored; give it a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (the signature is given)
        if value is None:
            return None
        stored: datetime = value
        return stored.replace(tzinfo=UTC) if stored.tzinfo is None else stored.astimezone(UTC)


def stored_time(dialect: str, at: datetime) -> str | datetime:
    """A time as `UtcDateTime` keeps it, for statements that go straight to the driver."""
    if dialect != "sqlite":
        return at
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return utc.isoformat(" ", "microseconds")[:_WITHOUT_ZONE]


def read_time(stored: str | datetime | None) -> datetime | None:
    """What `stored_time` wrote, of a statement that comes straight from the driver."""
    if isinstance(stored, str):
        return datetime.fromisoformat(stored).replace(tzinfo=UTC)
    return stored and stored.astimezone(UTC)


def numbers(values: Iterable[int]) -> str:
    """Whole numbers as PostgreSQL writes an array: psycopg looks at every element of a list by itself, which costs more than the
    update of its row."""
    return f"{{{','.join(map(str, values))}}}"


def words(values: Iterable[str]) -> str:
    """The same of texts, each in quotation marks."""
    quoted = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return '{"' + '","'.join(quoted) + '"}' if quoted else "{}"
