"""What a campaign does in each group, written down at once; its notices are made from that in lots (decision 0276).

A lot is taken and its notices are written in one transaction: whoever is killed in between has done neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, insert, literal_column, or_, select

from storage.caps import CAMPAIGN_LANE
from storage.outbox import GROUP, OPEN, OUTBOX
from storage.types import numbers, read_time, stored_time, words

_TABLES = OUTBOX.metadata.tables
HERE, PART = _TABLES["campaign_group"], _TABLES["campaign_part"]


class Part(NamedTuple):
    """What some groups of a campaign have in common: the post and what they read of it, or why they get none (`skipped`)."""

    post: str
    skipped: str = ""
    text: str = ""
    photo: str | None = None


class Taken(NamedTuple):
    """One group of a lot: its number, its name by now, whether the bot is still in it, what it gets, and not before when."""

    group_id: int
    name: str
    active: bool
    text: str
    photo: str | None
    due_at: datetime | None


_DUE = 26  # characters of a time, where each group has its own before the number of its part
_NONE = 1 << 15  # added to a part's number for groups that get none; a campaign has fewer parts
_COLUMNS = "campaign_id, group_id, part, waits, due_at, replies, questions, opt_outs"
_TO_GROUPS = {
    "sqlite": f"INSERT INTO campaign_group ({_COLUMNS}) "  # noqa: S608 (nothing from outside)
    f"SELECT ?, CAST(key AS INTEGER), value & {_NONE - 1}, value < {_NONE}, NULL, 0, 0, 0 FROM json_each(?)",
    "later": f"INSERT INTO campaign_group ({_COLUMNS}) "  # noqa: S608
    f"SELECT ?, CAST(key AS INTEGER), substr(value, {_DUE + 1}) & {_NONE - 1}, "
    f"CAST(substr(value, {_DUE + 1}) AS INTEGER) < {_NONE}, NULLIF(trim(substr(value, 1, {_DUE})), ''), 0, 0, 0 "
    "FROM json_each(?)",
    "postgresql": f"INSERT INTO campaign_group ({_COLUMNS}) "  # noqa: S608
    f"SELECT %s, id, part & {_NONE - 1}, part < {_NONE}, NULLIF(due_at, 'infinity'), 0, 0, 0 "
    "FROM unnest(%s::bigint[], %s::int[], %s::timestamptz[]) AS t(id, part, due_at)",
}


def insert_groups(
    connection: Connection,
    campaign_id: int,
    parts: Sequence[Part],
    groups: Mapping[int, int],
    due: Mapping[int, datetime] | None = None,
) -> None:
    """What a campaign does in each group: its parts, by group the place of its part among them; `due` (UTC) holds groups back.

    One statement for all groups. Raises IntegrityError when one of them has its row already.
    """
    if not groups:
        return
    dialect = connection.dialect.name
    rows = [{"campaign_id": campaign_id, "number": number, **part._asdict()} for number, part in enumerate(parts)]
    connection.execute(insert(PART), rows)
    marked = [number + _NONE if part.skipped else number for number, part in enumerate(parts)]
    given: dict[int, object] = {group: marked[number] for group, number in groups.items()}
    if dialect != "sqlite":
        later = words(due[group].isoformat() if due and group in due else "infinity" for group in groups)
        row = campaign_id, numbers(groups), numbers(marked[number] for number in groups.values()), later
        connection.exec_driver_sql(_TO_GROUPS[dialect], row)
        return
    if due:
        nothing = " " * _DUE
        for group, part in given.items():
            given[group] = f"{stored_time(dialect, due[group]) if group in due else nothing}{part}"
    connection.exec_driver_sql(_TO_GROUPS["later" if due else dialect], (campaign_id, msgspec.json.encode(given).decode()))


# --- what has no notice yet -----------------------------------------------------------------------------------------


def count_waiting(campaigns: Select[Any] | Sequence[int]) -> Select[Any]:
    """How many notices have yet to be made of these campaigns."""
    return select(func.count()).where(HERE.c.campaign_id.in_(campaigns), HERE.c.waits)


def waiting(connection: Connection, campaign_id: int) -> int:
    """How many notices of a campaign have yet to be made; if it is stopped they never are."""
    return int(connection.execute(count_waiting([campaign_id])).scalar_one())


_until = bindparam("until", type_=OUTBOX.c.due_at.type)


def _soon(due_at: ColumnElement[Any]) -> ColumnElement[bool]:
    return or_(due_at.is_(None), due_at <= _until)


# by the index over what is open of an account, which stays small; that over campaigns leads to all that was sent, too.
# What was put off until later keeps nobody else's notice from being made
_OPEN = select(func.count()).where(
    OPEN,
    OUTBOX.c.platform == bindparam("platform"),
    OUTBOX.c.account == bindparam("account"),
    OUTBOX.c.lane == literal_column(str(CAMPAIGN_LANE)),
    OUTBOX.c.campaign_id + literal_column("0") == bindparam("campaign"),
    _soon(OUTBOX.c.due_at),
)


def next_groups(connection: Connection, campaign_id: int, ahead: int, most: int, until: datetime) -> tuple[list[int], bool, bool]:
    """The groups whose notices are to be made next: of each account that has less than half of `ahead` open, up to `ahead`.

    Only what may go before `until` counts, on both sides. At most `most` in all, shared among the accounts that need some. Also
    returns whether there is need of more than these, and whether an account has nothing left to send.
    """
    mine = HERE.join(GROUP, GROUP.c.id == HERE.c.group_id)
    account = GROUP.c.platform, GROUP.c.account
    which = HERE.c.campaign_id == campaign_id, HERE.c.waits, _soon(HERE.c.due_at)
    by_account = select(*account, func.count()).select_from(mine).where(*which).group_by(*account)
    waits = connection.execute(by_account, {"until": until}).all()
    wanted: dict[tuple[str, str], int] = {}
    dry = False
    for platform, name, count in waits:
        open_ones = {"platform": platform, "account": name, "campaign": campaign_id, "until": until}
        has = connection.execute(_OPEN, open_ones).scalar_one()
        dry = dry or not has
        if has < ahead / 2:
            wanted[platform, name] = min(count, ahead - has)
    share = max(1, most // max(1, len(wanted)))
    found: list[int] = []
    for (platform, name), count in wanted.items():
        its = select(HERE.c.group_id).select_from(mine).where(*which, GROUP.c.platform == platform, GROUP.c.account == name)
        found += connection.execute(its.order_by(HERE.c.group_id).limit(min(count, share)), {"until": until}).scalars()
    return found, sum(wanted.values()) > len(found), dry


_TAKE = {
    "sqlite": "UPDATE campaign_group SET waits = 0 WHERE campaign_id = ? AND waits "
    "AND group_id IN (SELECT value FROM json_each(?)) RETURNING group_id, part, due_at",
    "postgresql": "UPDATE campaign_group SET waits = false WHERE campaign_id = %s AND waits "
    "AND group_id = ANY (%s::bigint[]) RETURNING group_id, part, due_at",
}
_NAMES = {
    "sqlite": "SELECT id, name, active FROM chat_group WHERE id IN (SELECT value FROM json_each(?))",
    "postgresql": "SELECT id, name, active FROM chat_group WHERE id = ANY (%s::bigint[])",
}


def take(connection: Connection, campaign_id: int, groups: Sequence[int]) -> list[Taken]:
    """Of these groups, those that have waited until now, in order; write their notices in the same transaction."""
    dialect = connection.dialect.name
    asked = msgspec.json.encode(groups).decode() if dialect == "sqlite" else numbers(groups)
    taken = sorted(tuple(row) for row in connection.exec_driver_sql(_TAKE[dialect], (campaign_id, asked)))
    wanted = select(PART.c.number, PART.c.text, PART.c.photo).where(PART.c.campaign_id == campaign_id)
    parts = {row[0]: (row[1], row[2]) for row in connection.execute(wanted)}
    named = {row[0]: (row[1], bool(row[2])) for row in connection.exec_driver_sql(_NAMES[dialect], (asked,))}
    return [Taken(group, *named[group], *parts[part], read_time(due)) for group, part, due in taken if group in named]
