"""Values as PostgreSQL itself writes them, for statements that every message passes (`storage.prepared`).

As text each number and time is written here, read there and checked, which costs more than finding its row. The form is that of
the server's `array_send`, `int8send`, `timestamptz_send` and their like: numbers in network order, behind a head of dimensions.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

_INT, _LONG, _TEXT, _TIME = 23, 20, 25, 1184  # the numbers of types in pg_type, the same in every server
_HEAD = struct.Struct("!iiIii")  # one dimension, nothing missing, the type, how many, numbered from 1
_LONG_ALONE = struct.Struct("!q")
_FROM, _STEP = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def bigints(values: Sequence[int]) -> bytes:
    """A `bigint[]`."""
    return _fixed(_LONG, "iq", 8, values)


def ints(values: Sequence[int]) -> bytes:
    """An `int[]`."""
    return _fixed(_INT, "ii", 4, values)


def time(value: datetime) -> bytes:
    """A `timestamptz` of an aware time."""
    return _LONG_ALONE.pack((value - _FROM) // _STEP)


def times(values: Sequence[datetime]) -> bytes:
    """A `timestamptz[]` of aware times."""
    return _fixed(_TIME, "iq", 8, [(value - _FROM) // _STEP for value in values])


def texts(values: Sequence[str]) -> bytes:
    """A `text[]`."""
    parts = [_HEAD.pack(1, 0, _TEXT, len(values), 1)]
    for value in values:
        one = value.encode()
        parts.append(len(one).to_bytes(4, "big"))
        parts.append(one)
    return b"".join(parts)


def _fixed(kind: int, form: str, size: int, values: Sequence[int]) -> bytes:
    spread: list[int] = [size] * (2 * len(values))
    spread[1::2] = values
    return _form(form, len(values)).pack(1, 0, kind, len(values), 1, *spread)


@functools.lru_cache(256)
def _form(form: str, count: int) -> struct.Struct:
    return struct.Struct("!iiIii" + form * count)
