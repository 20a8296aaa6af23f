"""Writing down what came of what was claimed, and reading what was said. The same on SQLite and PostgreSQL.

Whoever writes a result names its claim (owner, attempt), and the row takes it only while the claim is still that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from sqlalchemy import Connection, and_, bindparam, select, update

from storage import wire
from storage.claims import Claim
from storage.engine import prepared, run_directly
from storage.outbox import CAMPAIGN, OUTBOX, SENDING, SPENT
from storage.types import stored_time


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform has it."""

    claim: Claim
    message_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """Back to pending: not sent for certain, or to be repeated (`lost`). `used` is false when nothing left us at all."""

    claim: Claim
    due_at: datetime | None
    problem: str = ""
    lost: bool = False
    used: bool = True


@dataclass(frozen=True, slots=True)
class Ended:
    """No further attempt: "unknown", "dead" or "cancelled"."""

    claim: Claim
    state: str
    problem: str = ""


Result = Sent | Waiting | Ended


_SENT = {
    "sqlite": "UPDATE outbox SET state = 'sent', message_id = ?, text = CASE WHEN secret THEN '' ELSE text END, sent_at = ?, "
    "owner = '', lease_until = NULL, due_at = NULL, problem = '' "
    "WHERE id = ? AND state = 'pending' AND owner = ? AND attempt = ?",
    # each row finds its own place in the arrays: joined to them, a planner that expects one row reads the whole table. In numbers
    # that are sorted `width_bucket` finds a place by halving
    "postgresql": "UPDATE outbox SET state = 'sent', message_id = (%(messages)s::text[])[width_bucket(id, %(ids)s::bigint[])], "
    "text = CASE WHEN secret THEN '' ELSE text END, sent_at = (%(times)s::timestamptz[])[width_bucket(id, %(ids)s::bigint[])], "
    "owner = '', lease_until = NULL, due_at = NULL, problem = '' "
    "WHERE id = ANY (%(ids)s::bigint[]) AND state = 'pending' AND owner = %(owner)s "
    "AND attempt = (%(attempts)s::int[])[width_bucket(id, %(ids)s::bigint[])]",
}
_MINE = and_(
    OUTBOX.c.id == bindparam("b_id"),
    SENDING,
    OUTBOX.c.owner == bindparam("b_owner"),
    OUTBOX.c.attempt == bindparam("b_attempt"),
)
_PUT_BACK = (
    update(OUTBOX)
    .where(_MINE)
    .values(
        state=bindparam("b_state"),
        owner="",
        lease_until=None,
        due_at=bindparam("b_due_at"),
        attempt=bindparam("b_attempts"),
        lost=bindparam("b_lost"),
        problem=bindparam("b_problem"),
    )
)
_END = (
    update(OUTBOX)
    .where(_MINE)
    .values(
        state=bindparam("b_state"),
        text=SPENT,
        owner="",
        lease_until=None,
        lost=bindparam("b_lost"),
        problem=bindparam("b_problem"),
    )
)


def write_back(connection: Connection, owner: str, results: Sequence[Result]) -> None:
    """Write results, each only if its claim still stands."""
    if sent := [result for result in results if isinstance(result, Sent)]:
        _write_sent(connection, owner, sent)
    if waiting := [result for result in results if isinstance(result, Waiting)]:
        _put_back(connection, owner, waiting)
    if ended := [result for result in results if isinstance(result, Ended)]:
        connection.execute(
            _END,
            [
                {
                    **_whose(owner, result.claim),
                    "b_state": result.state,
                    "b_lost": result.claim.lost + (result.state == "unknown"),
                    "b_problem": result.problem,
                }
                for result in ended
            ],
        )


def _write_sent(connection: Connection, owner: str, sent: Sequence[Sent]) -> None:
    dialect = connection.dialect.name
    if dialect == "sqlite":
        rows = [
            (result.message_id, stored_time(dialect, result.at), result.claim.id, owner, result.claim.attempt) for result in sent
        ]
        run_directly(connection, _SENT[dialect], rows, many=True)
        return
    sent = sorted(sent, key=attrgetter("claim.id"))
    columns = {
        "messages": wire.texts([result.message_id for result in sent]),
        "times": wire.times([result.at for result in sent]),
        "ids": wire.bigints([result.claim.id for result in sent]),
        "attempts": wire.ints([result.claim.attempt for result in sent]),
        "owner": owner,
    }
    prepared().later(connection, _SENT[dialect], columns)


def _put_back(connection: Connection, owner: str, waiting: Sequence[Waiting]) -> None:
    campaigns = {result.claim.campaign_id for result in waiting} - {None}
    now_is: dict[int | None, str] = {}
    if campaigns:
        wanted = select(CAMPAIGN.c.id, CAMPAIGN.c.state).where(CAMPAIGN.c.id.in_(campaigns))
        now_is = {row[0]: row[1] for row in connection.execute(wanted)}
    connection.execute(
        _PUT_BACK,
        [
            {
                **_whose(owner, result.claim),
                "b_state": _state_of(result, now_is.get(result.claim.campaign_id)),
                "b_due_at": result.due_at,
                "b_attempts": result.claim.attempt if result.used else result.claim.attempt - 1,
                "b_lost": result.claim.lost + result.lost,
                "b_problem": result.problem,
            }
            for result in waiting
        ],
    )


def _state_of(result: Waiting, campaign_is: str | None) -> str:
    """What becomes of a row whose campaign was stopped or halted meanwhile."""
    if campaign_is == "stopped":
        return "unknown" if result.claim.lost or result.lost else "cancelled"
    return "held" if campaign_is == "halted" else "pending"


def _whose(owner: str, claim: Claim) -> dict[str, object]:
    return {"b_id": claim.id, "b_owner": owner, "b_attempt": claim.attempt}


# --- what was said -----------------------------------------------------------------------------------------------


def sent_since(connection: Connection, since: datetime) -> list[tuple[str, str, str, datetime]]:
    """(platform, account, chat, sent_at) of what was sent after `since`, in order of time."""
    rows = connection.execute(
        select(OUTBOX.c.platform, OUTBOX.c.account, OUTBOX.c.chat, OUTBOX.c.sent_at)
        .where(OUTBOX.c.sent_at > since)
        .order_by(OUTBOX.c.sent_at)
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def spoken_since(
    connection: Connection, account: tuple[str, str], since: datetime, now: datetime
) -> list[tuple[str, str, str, datetime]]:
    """`sent_since` for one account, with what others have claimed of it: whether that went out nobody knows, so it counts."""
    mine = and_(OUTBOX.c.platform == account[0], OUTBOX.c.account == account[1])
    columns = OUTBOX.c.platform, OUTBOX.c.account, OUTBOX.c.chat
    sent = connection.execute(select(*columns, OUTBOX.c.sent_at).where(mine, OUTBOX.c.sent_at > since).order_by(OUTBOX.c.sent_at))
    found = [(row[0], row[1], row[2], row[3]) for row in sent]
    claimed = connection.execute(select(*columns).where(mine, SENDING))
    return found + [(row[0], row[1], row[2], now) for row in claimed]
