"""The inbox in SQL where several nodes work: claim, park, give back. PostgreSQL only; one process keeps its lanes in memory.

A kept event belongs to the incarnation of a node that claimed it until that incarnation's own lease is over. Within a lane (one
person in one chat) only the oldest open event can be claimed, so what somebody says is handled in order, whoever handles it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


class ClaimLost(Exception):
    """Somebody else works on this event by now; nothing of this transaction may stay."""


@dataclass(frozen=True, slots=True)
class EventClaim:
    """An event that is ours to work on, as long as the row says so; `parts` are the rows of the rest of its album."""

    id: int
    owner: str
    attempt: int
    parts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claimed row."""

    claim: EventClaim
    state: str
    body: bytes
    late: bool = False  # who said it talks too much just now


LATE = "late"  # in a row's `problem` until it is done: whoever said this talks too much, and waits behind the others

_CLAIM = text("""
WITH heads AS (
    SELECT i.id FROM inbox i
    WHERE i.state IN ('kept', 'waiting')
      AND (i.owner = '' OR NOT EXISTS (
            SELECT 1 FROM lease l
            WHERE l.name = 'node:' || split_part(i.owner, '/', 1) AND l.holder = i.owner AND l.until > clock_timestamp()))
      AND (CAST(:platform AS text) = '' OR (i.platform = CAST(:platform AS text)) = :same)
      AND (i.urgent OR (NOT :urgent_only AND NOT EXISTS (
            SELECT 1 FROM inbox o
            WHERE o.lane = i.lane AND o.lane <> '' AND o.id < i.id AND o.state IN ('kept', 'waiting') AND NOT o.urgent)))
    ORDER BY i.urgent DESC, (:late_last AND i.problem = 'late'), i.id
    LIMIT :room
    FOR UPDATE OF i SKIP LOCKED)
UPDATE inbox SET owner = :owner, attempt = inbox.attempt + 1
FROM heads WHERE inbox.id = heads.id
RETURNING inbox.id, inbox.state, inbox.body, inbox.attempt, inbox.urgent, inbox.problem = 'late' AS late
""")
_GIVE_BACK = text(
    "UPDATE inbox SET owner = '' "
    "WHERE state IN ('kept', 'waiting') AND owner = :owner AND NOT (id = ANY(CAST(:known AS bigint[])))"
)
_BEHIND = text(
    "SELECT o.id, o.body, o.received_at FROM inbox i JOIN inbox o ON o.lane = i.lane AND o.id > i.id "
    "WHERE i.id = :id AND i.lane <> '' AND o.state IN ('kept', 'waiting') AND NOT o.urgent ORDER BY o.id LIMIT 20"
)
_ADOPT = text("UPDATE inbox SET owner = :owner, attempt = :attempt WHERE id = ANY(CAST(:ids AS bigint[]))")
_PARK = text(
    "UPDATE inbox SET state = 'parked', owner = '' "
    "WHERE id = ANY(CAST(:ids AS bigint[])) AND owner = :owner AND attempt = :attempt AND state = 'waiting'"
)
_IN_TURN = text("UPDATE inbox SET urgent = false, owner = '' WHERE id = :id AND owner = :owner AND attempt = :attempt AND urgent")
_PARKED = text("SELECT id, body, due_at FROM inbox WHERE lane = :lane AND lane <> '' AND state = 'parked' ORDER BY id")
_FORGET = text("UPDATE inbox SET state = 'done', body = NULL, due_at = NULL, lane = '' WHERE state = 'parked' AND due_at <= :now")
_NEXT_FORGOTTEN = text("SELECT min(due_at) FROM inbox WHERE state = 'parked'")


def claim(
    connection: Connection,
    owner: str,
    *,
    room: int,
    urgent_only: bool,
    platform: str = "",
    same: bool = True,
    late_last: bool = True,
) -> list[Claimed]:
    """Claim up to `room` events, the urgent ones first, then the oldest, those that are `LATE` after them if `late_last`.

    `platform`: only (`same`) or anything but this one.
    """
    values = {"owner": owner, "room": room, "urgent_only": urgent_only, "platform": platform, "same": same}
    found = connection.execute(_CLAIM, values | {"late_last": late_last}).all()
    rows = sorted(found, key=lambda row: (not row.urgent, late_last and row.late, row.id))
    return [Claimed(EventClaim(row.id, owner, row.attempt), row.state, bytes(row.body or b""), row.late) for row in rows]


def give_back(connection: Connection, owner: str, known: Sequence[int]) -> None:
    """What `owner` holds without knowing it is free again: its claim was committed without an answer, or it is leaving."""
    connection.execute(_GIVE_BACK, {"owner": owner, "known": list(known)})


def behind(connection: Connection, claim: EventClaim) -> list[tuple[int, bytes, datetime]]:
    """What the same person said after a claimed event: row, sealed event, when. Nobody can claim it before that one is done."""
    return [(row.id, bytes(row.body or b""), row.received_at) for row in connection.execute(_BEHIND, {"id": claim.id})]


def adopt(connection: Connection, claim: EventClaim, ids: Sequence[int]) -> None:
    """Rows behind a claimed one belong to its claim from now on."""
    connection.execute(_ADOPT, {"owner": claim.owner, "attempt": claim.attempt, "ids": list(ids)})


def in_turn(connection: Connection, claim: EventClaim) -> bool:
    """An urgent event that is none goes back to be claimed when its turn comes; False when it was not urgent."""
    return connection.execute(_IN_TURN, {"id": claim.id, "owner": claim.owner, "attempt": claim.attempt}).rowcount > 0


def park(connection: Connection, claim: EventClaim) -> None:
    """The photo was looked at and waits for words, with the rest of its album. Raises ClaimLost."""
    values = {"ids": [claim.id, *claim.parts], "owner": claim.owner, "attempt": claim.attempt}
    if connection.execute(_PARK, values).rowcount == 0:
        raise ClaimLost(str(claim.id))


def parked(connection: Connection, lane: str) -> list[tuple[int, bytes, datetime]]:
    """Photos of this lane that wait for words: row, sealed event, until when."""
    return [(row.id, bytes(row.body or b""), row.due_at) for row in connection.execute(_PARKED, {"lane": lane})]


def forget_parked(connection: Connection, now: datetime) -> datetime | None:
    """Let go of photos for which no words came; when the next one's time is over."""
    connection.execute(_FORGET, {"now": now})
    due: datetime | None = connection.execute(_NEXT_FORGOTTEN).scalar()
    return due
