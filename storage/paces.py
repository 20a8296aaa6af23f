"""Slots that are booked in storage before they are used, so that all nodes together keep one pace; see decision 0103."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

FARTHEST = timedelta(seconds=60)  # a booking further ahead can only mean that the clock was set back

_BOOK = text(
    "INSERT INTO pace AS p (scope, next_at) VALUES (:scope, CAST(:now AS timestamptz) + :count * CAST(:step AS interval)) "
    "ON CONFLICT (scope) DO UPDATE SET next_at = "
    "CASE WHEN p.next_at > CAST(:far AS timestamptz) THEN CAST(:now AS timestamptz) "
    "ELSE GREATEST(p.next_at, CAST(:now AS timestamptz)) END + :count * CAST(:step AS interval) RETURNING next_at"
)


@dataclass(frozen=True, slots=True)
class Booking:
    """So many slots of a scope, `step` apart."""

    scope: str
    count: int
    step: timedelta


def book(connection: Connection, bookings: Sequence[Booking], now: datetime) -> dict[str, datetime]:
    """Book slots from `now` on; the first of each scope that is ours. Scopes are locked in one order, against deadlocks."""
    first: dict[str, datetime] = {}
    for booking in sorted(bookings, key=lambda one: one.scope):
        values = {
            "scope": booking.scope,
            "now": now,
            "far": now + FARTHEST,
            "count": booking.count,
            "step": booking.step,
        }
        behind: datetime = connection.execute(_BOOK, values).scalar_one()
        first[booking.scope] = behind - booking.count * booking.step
    return first
