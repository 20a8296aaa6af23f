"""What a group bears of posts, enforced where a notice is claimed: whatever was put into the outbox, by whomever, no more leaves.

Rows that are over a cap end "cancelled" with the cap's name; rows that come at a bad time (quiet hours, a fresh report, an open
emergency) are put off. How a campaign is bound follows from its kind in its own row, never from what the notice says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    any_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    union_all,
    update,
)

from storage.outbox import CAMPAIGN, FAILED, GROUP, OPEN, OUTBOX, PENDING, SENDING, is_state, of_account

CASES = OUTBOX.metadata.tables["cases"]
ALARM = OUTBOX.metadata.tables["alarm"]

CAMPAIGN_LANE = 3
DAILY, WEEKLY, URGENT, OFF = "daily cap", "weekly cap", "urgent cap", "posts off"
WEEK = timedelta(days=7)
URGENT_DAILY = 30  # messages of chains and corrections in one group in a day: more can only be a fault
ALARM_AGAIN = timedelta(minutes=10)  # while an emergency is open a post asks again so often


@dataclass(frozen=True, slots=True)
class Caps:
    """The caps as they are now. `daily` and `weekly` count posts in one group, `weekly` unless the group has its own number.

    `day_began` is the district's midnight (UTC). `quiet_until` is when quiet hours end, None outside of them. A group with a
    report within `gap`, or an emergency opened within `alarm_lasts` and not declared over, is left in peace.
    """

    daily: int
    weekly: int
    day_began: datetime
    quiet_until: datetime | None
    gap: timedelta
    alarm_lasts: timedelta


class Row(Protocol):
    """What is looked at of a claim."""

    @property
    def id(self) -> int: ...
    @property
    def lane(self) -> int: ...
    @property
    def chat(self) -> str: ...
    @property
    def group_id(self) -> int | None: ...
    @property
    def campaign_id(self) -> int | None: ...
    @property
    def lost(self) -> int: ...


AnyRow = TypeVar("AnyRow", bound=Row)


@dataclass(frozen=True, slots=True)
class _Had:
    """Posts and urgent messages that one chat had."""

    posts_today: int = 0
    posts_week: int = 0
    urgent_today: int = 0


@dataclass(frozen=True, slots=True)
class _Group:
    """What a group says about posts: its own weekly cap, whether it wants none, until when it is left in peace."""

    own: int | None = None
    off: bool = False
    peace: datetime | None = None


_HAD_NONE, _NO_GROUP = _Had(), _Group()


def hold_back(
    connection: Connection, account: tuple[str, str], rows: Sequence[AnyRow], caps: Caps, now: datetime
) -> list[AnyRow]:
    """The rows that may be sent now; the others are put off or cancelled in the table."""
    # what may have arrived once is repeated without counting again
    bound = [row for row in rows if (row.lane == CAMPAIGN_LANE or row.campaign_id is not None) and not row.lost]
    if not bound:
        return list(rows)
    kinds = _kinds(connection, bound)
    chats = {row.chat for row in bound}
    had = _had(connection, account, chats, caps, now)
    groups = _groups(connection, account, chats, caps, now)
    away: set[int] = set()
    quiet: set[str] = set()  # kinds that were put off in all chats
    for row in bound:
        kind, group = kinds.get(row.campaign_id, "post"), groups.get(row.chat, _NO_GROUP)
        if over := _over(kind, had.get(row.chat, _HAD_NONE), group, caps):
            _change(connection, account, row.chat, kind, now, state="cancelled", problem=over)
            away.add(row.id)
            continue
        until = _later(kind, group, caps)
        if until is not None and until > now:
            # quiet hours are everybody's: chat by chat a campaign of thousands would keep the outbox busy for seconds
            where = None if until == caps.quiet_until else row.chat
            if where is not None or kind not in quiet:
                _change(connection, account, where, kind, now, due_at=until)
            if where is None:
                quiet.add(kind)
            away.add(row.id)
    return [row for row in rows if row.id not in away] if away else list(rows)


def _over(kind: str, had: _Had, group: _Group, caps: Caps) -> str | None:
    if kind != "post":
        return URGENT if had.urgent_today >= URGENT_DAILY else None
    if group.off:
        return OFF
    if had.posts_today >= caps.daily:
        return DAILY
    return WEEKLY if had.posts_week >= (caps.weekly if group.own is None else group.own) else None


def _later(kind: str, group: _Group, caps: Caps) -> datetime | None:
    if kind not in ("post", "correction"):
        return None
    calm, quiet = group.peace if kind == "post" else None, caps.quiet_until
    if calm is None or quiet is None:
        return calm or quiet
    return max(calm, quiet)


def _kinds(connection: Connection, rows: Iterable[Row]) -> dict[int | None, str]:
    wanted = {row.campaign_id for row in rows if row.campaign_id is not None}
    if not wanted:
        return {}
    found = connection.execute(select(CAMPAIGN.c.id, CAMPAIGN.c.kind).where(CAMPAIGN.c.id.in_(wanted)))
    return {row[0]: row[1] for row in found}


_AT = case(
    (SENDING, bindparam("now", type_=OUTBOX.c.created_at.type)),
    else_=func.coalesce(OUTBOX.c.sent_at, OUTBOX.c.created_at),
)
_POST = or_(CAMPAIGN.c.kind.is_(None), CAMPAIGN.c.kind == "post")
_DAY = bindparam("day", type_=OUTBOX.c.created_at.type)


def _asked_for(dialect: str, chat: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a row is of the asked chats, which are one value: a list is written out anew for every question."""
    if dialect == "sqlite":
        return chat.in_(select(func.json_each(bindparam("chats", type_=String)).table_valued("value").c.value))
    return chat == any_(bindparam("chats", type_=ARRAY(String)))


def _chats(connection: Connection, chats: Iterable[str]) -> str | list[str]:
    return json.dumps(sorted(chats)) if connection.dialect.name == "sqlite" else sorted(chats)


def _went(dialect: str, *which: ColumnElement[bool]) -> Select[tuple[str, int | None, datetime]]:
    """Of these rows, the posts in the asked chats: which campaign's, and when."""
    return select(OUTBOX.c.chat, OUTBOX.c.campaign_id, _AT.label("at")).where(
        *which,
        _asked_for(dialect, OUTBOX.c.chat),
        of_account(OUTBOX, bindparam("platform"), bindparam("account")),
        or_(OUTBOX.c.lane == CAMPAIGN_LANE, OUTBOX.c.campaign_id.is_not(None)),
        OUTBOX.c.recalls.is_(None),
    )


def _had_of(dialect: str) -> Select[Any]:
    # in three parts, each of which has its index by chat: what is open, what was sent, what failed
    went = union_all(
        _went(dialect, OPEN, or_(SENDING, OUTBOX.c.lost > 0)),
        _went(dialect, OUTBOX.c.message_id.is_not(None), is_state(OUTBOX.c.state, "sent")),
        _went(dialect, FAILED, is_state(OUTBOX.c.state, "unknown")),
    ).subquery("went")
    return (
        select(
            went.c.chat,
            func.sum(case((and_(_POST, went.c.at >= _DAY), 1), else_=0)),
            func.sum(case((_POST, 1), else_=0)),
            func.sum(case((and_(~_POST, went.c.at >= _DAY), 1), else_=0)),
        )
        .select_from(went.outerjoin(CAMPAIGN, CAMPAIGN.c.id == went.c.campaign_id))
        .where(bindparam("week", type_=OUTBOX.c.created_at.type) < went.c.at)
        .group_by(went.c.chat)
    )


_HAD = {dialect: _had_of(dialect) for dialect in ("sqlite", "postgresql")}


def _had(connection: Connection, account: tuple[str, str], chats: set[str], caps: Caps, now: datetime) -> dict[str, _Had]:
    """Counted from what was sent, is being sent or may have been sent."""
    values = {"platform": account[0], "account": account[1], "chats": _chats(connection, chats), "now": now}
    found = connection.execute(_HAD[connection.dialect.name], {**values, "day": caps.day_began, "week": now - WEEK})
    return {row[0]: _Had(int(row[1]), int(row[2]), int(row[3])) for row in found}


_REPORTED = (
    select(func.max(CASES.c.created_at))
    .where(CASES.c.group_id == GROUP.c.id, CASES.c.created_at > bindparam("calm", type_=CASES.c.created_at.type))
    .scalar_subquery()
)
_ALARMED = exists(
    select(ALARM.c.id).where(
        ALARM.c.group_id == GROUP.c.id,
        ALARM.c.safe_at.is_(None),
        ALARM.c.started_at > bindparam("alarms", type_=ALARM.c.started_at.type),
    )
)
_GROUPS = {
    dialect: select(GROUP.c.chat, GROUP.c.weekly_cap, GROUP.c.posts_off, _REPORTED, _ALARMED).where(
        GROUP.c.platform == bindparam("platform"),
        GROUP.c.account == bindparam("account"),
        _asked_for(dialect, GROUP.c.chat),
    )
    for dialect in ("sqlite", "postgresql")
}


def _groups(connection: Connection, account: tuple[str, str], chats: set[str], caps: Caps, now: datetime) -> dict[str, _Group]:
    """The groups of these chats; a chat that is no group of ours has the district's caps and no reports."""
    values = {"platform": account[0], "account": account[1], "chats": _chats(connection, chats)}
    found: dict[str, _Group] = {}
    for chat, own, off, reported, alarmed in connection.execute(
        _GROUPS[connection.dialect.name], {**values, "calm": now - caps.gap, "alarms": now - caps.alarm_lasts}
    ):
        until = now + ALARM_AGAIN if alarmed else reported + caps.gap if reported else None
        found[chat] = _Group(own, bool(off), until)
    return found


def _change(
    connection: Connection, account: tuple[str, str], chat: str | None, kind: str, now: datetime, **values: object
) -> None:
    """Everything of that kind that waits for this chat (None: for any chat of the account) now is in the same case."""
    if kind == "post":
        ours = CAMPAIGN.c.kind == "post"
    elif kind == "correction":
        ours = CAMPAIGN.c.kind == "correction"
    else:
        ours = CAMPAIGN.c.kind.not_in(("post", "correction"))
    mine = and_(OUTBOX.c.platform == account[0], OUTBOX.c.account == account[1])
    of_kind = OUTBOX.c.campaign_id.in_(select(CAMPAIGN.c.id).where(ours))
    connection.execute(
        update(OUTBOX)
        .where(
            PENDING,
            mine if chat is None else and_(OUTBOX.c.chat == chat, of_account(OUTBOX, *account)),
            OUTBOX.c.lost == 0,
            or_(OUTBOX.c.lane == CAMPAIGN_LANE, OUTBOX.c.campaign_id.is_not(None)),
            or_(of_kind, OUTBOX.c.campaign_id.is_(None)) if kind == "post" else of_kind,
            or_(OUTBOX.c.due_at.is_(None), OUTBOX.c.due_at <= now),
        )
        .values(**values)
    )
