"""Leases in SQL: who holds a name until when, by the database's clock. PostgreSQL only; see decision 0102."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from storage.engine import prepared

NODE = "node:"

_RENEW = text(
    "UPDATE lease SET until = clock_timestamp() + make_interval(secs => :seconds) "
    "WHERE name = ANY(:names) AND holder = :holder RETURNING name, token"
)
_ANNOUNCE = text(
    "INSERT INTO lease (name, holder, token, until, duties) "
    "VALUES (:name, :holder, 1, clock_timestamp() + make_interval(secs => :seconds), :duties) "
    "ON CONFLICT (name) DO UPDATE SET until = excluded.until, holder = excluded.holder, duties = excluded.duties, "
    "token = lease.token + (lease.holder <> excluded.holder)::int"
)
# free: its time is over, or its holder was an earlier incarnation of this node, whose name we have proved to be ours alone
_TAKE = text(
    "INSERT INTO lease (name, holder, token, until, duties) "
    "VALUES (:name, :holder, 1, clock_timestamp() + make_interval(secs => :seconds), '') "
    "ON CONFLICT (name) DO UPDATE SET until = excluded.until, holder = excluded.holder, token = lease.token + 1 "
    "WHERE lease.until <= clock_timestamp() OR split_part(lease.holder, '/', 1) = :node "
    "RETURNING token"
)
_LOOK = text("SELECT name, holder, token, duties, until > clock_timestamp() AS runs, clock_timestamp() AS now FROM lease")
_RELEASE = text("UPDATE lease SET until = clock_timestamp() WHERE name = ANY(:names) AND holder = :holder")
_STANDS = text("SELECT 1 FROM lease WHERE name = :name AND holder = :holder AND token = :token FOR SHARE")


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """One name as the database has it; `runs` is false when its time is over."""

    name: str
    holder: str
    token: int
    duties: str
    runs: bool


def announce(connection: Connection, node: str, holder: str, duties: Sequence[str], seconds: float) -> None:
    """Say that this node is alive and what it can do."""
    values = {"name": NODE + node, "holder": holder, "duties": " ".join(sorted(duties)), "seconds": seconds}
    connection.execute(_ANNOUNCE, values)


def renew(connection: Connection, holder: str, names: Sequence[str], seconds: float) -> dict[str, int]:
    """Prolong what is still ours; the token of each name that is."""
    if not names:
        return {}
    rows = connection.execute(_RENEW, {"names": sorted(names), "holder": holder, "seconds": seconds})
    return {row[0]: row[1] for row in rows}


def take(connection: Connection, node: str, holder: str, name: str, seconds: float) -> int | None:
    """Take a free name; its new token, or None when somebody holds it."""
    values = {"name": name, "node": node, "holder": holder, "seconds": seconds}
    token: int | None = connection.execute(_TAKE, values).scalar()
    return token


def look(connection: Connection) -> Mapping[str, LeaseRow]:
    """All names."""
    return {row.name: LeaseRow(row.name, row.holder, row.token, row.duties, row.runs) for row in connection.execute(_LOOK)}


def release(connection: Connection, holder: str, names: Sequence[str]) -> None:
    """Give names back before their time."""
    if names:
        connection.execute(_RELEASE, {"names": sorted(names), "holder": holder})


def stands(connection: Connection, name: str, holder: str, token: int) -> Callable[[], bool]:
    """Whether a lease is still this holder's; nobody can take it before this transaction ends. To be asked for in it."""
    later = prepared().ask_later(connection, _STANDS, {"name": name, "holder": holder, "token": token})
    return lambda: bool(later.rows())


def database_now(connection: Connection) -> datetime:
    """The database's clock."""
    now: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return now
