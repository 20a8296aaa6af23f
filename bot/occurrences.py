"""When a schedule is due: wall time in the district's zone, as instants in UTC.

A wall time that the clock jumps over (summer time begins) is due at the jump; one that comes twice (summer time ends) is due the
first time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.days import Days

ONE_DAY = timedelta(days=1)
LOOK_AHEAD = 400  # days; "31" or "29" are at most some months apart


def due_after(days: Days, at: time, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first due time later than `after`, in UTC; None when no day ever comes (30 February)."""
    return next(_dues(days, at, zone, after), None)


def due_between(days: Days, at: time, zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[datetime]:
    """Every due time later than `after` and not later than `until`, in UTC."""
    return _dues(days, at, zone, after, until)


def _dues(days: Days, at: time, zone: ZoneInfo, after: datetime, until: datetime | None = None) -> Iterator[datetime]:
    # a day earlier: a zone may be almost a day ahead of UTC, and a jump may carry a due time over midnight
    day = after.astimezone(zone).date() - ONE_DAY
    last = until.astimezone(zone).date() + ONE_DAY if until else day + LOOK_AHEAD * ONE_DAY
    while day <= last:
        if day in days:
            due = instant(day, at, zone)
            if due > after and (until is None or due <= until):
                yield due
                after = due  # a day that a zone leaves out altogether falls on the next one's midnight
        day += ONE_DAY


def instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The instant at which the clock on the wall first shows `at` on `day`, or passes it."""
    wall = datetime.combine(day, at)
    due = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if due.astimezone(zone).replace(tzinfo=None) == wall:
        return due
    # in a gap the two readings of the wall time lie on either side of the jump: look for it between them
    before, behind = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), due
    while behind - before > timedelta(seconds=1):
        middle = before + (behind - before) / 2
        middle = middle.replace(microsecond=0)
        if middle in (before, behind):
            break
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            behind = middle
    return behind
