"""Claiming what is to be sent. The same on SQLite and PostgreSQL.

A claim is (owner, attempt): whoever writes a result names both (`storage.receipts`), and the row takes it only while the claim is
still that one. Every message passes here and there, so both directions are one statement for all rows of a round (decision 0170).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import (
    Connection,
    Dialect,
    Select,
    bindparam,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    update,
)

from storage import wire
from storage.caps import Caps, hold_back
from storage.engine import prepared, run_directly
from storage.outbox import OUTBOX, PENDING, SENDING, is_state, of_account
from storage.types import stored_time

PAGE = 128
_EXACT, _STEP = 16, 8  # the first look is at so many rows as are wanted, beyond sixteen in steps of eight


class Changed(Struct, frozen=True):
    """The notice whose words are to change: where it stands, and its id on the platform if it is there."""

    state: str
    message_id: str | None


class Claim(Struct, frozen=True):
    """A row that is ours to send until `lease_until`. `attempt` counts this one; `lost` is how many before it got no answer."""

    id: int
    key: str
    lane: int
    platform: str
    account: str
    chat: str
    private: bool
    thread: str | None
    group_id: int | None
    campaign_id: int | None
    text: str
    reply_to: str | None
    photo: str | None
    choices: str
    mention: str | None
    recalls: str | None
    changes: int | None
    or_say: bool
    lost: int
    attempt: int
    lease_until: datetime
    changed: Changed | None = None

    @property
    def order(self) -> tuple[int, int]:
        """What goes first: lane, then age."""
        return self.lane, self.id


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A claimed row whose owner is gone: it may or may not have been sent."""

    claim: Claim
    owner: str


_CLAIM_COLUMNS = [OUTBOX.c[name] for name in Claim.__struct_fields__ if name not in ("attempt", "lease_until", "changed")]

_older = OUTBOX.alias("older")
_ONE = literal_column("1", OUTBOX.c.attempt.type)
_now = bindparam("now", type_=OUTBOX.c.due_at.type)
# a retry keeps its place in the chat while it waits; a notice for tomorrow holds nobody up
# a scalar and not EXISTS: a planner that knows nothing of a table that was just filled would join all of it for one row; and a
# yes or no, which it takes for as likely as not: of IS NULL it expects one row in two hundred, and sorts all that waits for it
_IS_HEAD = ~func.coalesce(
    select(true())
    .where(
        is_state(_older.c.state, "pending"),
        _older.c.chat == OUTBOX.c.chat,
        _older.c.lane == OUTBOX.c.lane,
        _older.c.id < OUTBOX.c.id,
        of_account(_older, OUTBOX.c.platform, OUTBOX.c.account),
        or_(
            _older.c.owner != literal_column("''"),
            _older.c.attempt > literal_column("0"),
            _older.c.due_at.is_(None),
            _older.c.due_at <= _now,
        ),
    )
    .limit(_ONE)
    .scalar_subquery(),
    false(),
)
_ALL_HEADS = (
    select(*_CLAIM_COLUMNS, OUTBOX.c.attempt + _ONE)
    .where(
        PENDING,
        OUTBOX.c.platform == bindparam("platform"),
        OUTBOX.c.account == bindparam("account"),
        or_(OUTBOX.c.due_at.is_(None), OUTBOX.c.due_at <= _now),
        _IS_HEAD,
    )
    .order_by(OUTBOX.c.lane, OUTBOX.c.id)
)
_NEXT_DUE = select(func.min(OUTBOX.c.due_at)).where(PENDING, OUTBOX.c.due_at > _now)
# who was faster has it: a row that another node has claimed or is just claiming is left out
_TAKE = {
    "sqlite": "UPDATE outbox SET owner = ?, lease_until = ?, attempt = attempt + 1 "
    "WHERE id IN (SELECT value FROM json_each(?)) AND state = 'pending' AND owner = '' RETURNING id",
    # by an array, for a planner that joins would read the whole table
    "postgresql": "UPDATE outbox SET owner = %(owner)s, lease_until = %(until)s, attempt = attempt + 1 "
    "WHERE id = ANY (ARRAY("
    "SELECT id FROM outbox WHERE id = ANY (%(ids)s::bigint[]) AND state = 'pending' AND owner = '' "
    "FOR UPDATE SKIP LOCKED)) RETURNING id",
}


def claim(
    connection: Connection,
    account: tuple[str, str],
    *,
    owner: str,
    now: datetime,
    lease: timedelta,
    room: Callable[[int], int],
    ready: Callable[[str, int, bool], bool],
    caps: Caps | None = None,
    first: Look | None = None,
    taking: list[Taken] | None = None,
) -> tuple[list[Claim], bool]:
    """Claim due rows of one account, best lane and oldest first, at most one per chat and lane.

    `room(lane)` is how many rows of this lane or better may be taken; `ready(chat, lane, private)` says whether the chat may be
    spoken to now; `caps` is what a group bears of posts. Returns the claims and whether the rows were exhausted.

    `first` is the first look at the rows, where it was begun earlier. With `taking` the claims are made with the commit at the
    latest; which of them are ours is then known from `really`, after it.
    """
    until = now + lease
    picked: list[Claim] = []
    known: set[int] = set()
    lane, row_id = -1, 0
    exhausted = full = False
    page_of = first or look(connection, account, now, room(0))
    while not exhausted and not full:
        most = page_of.most
        page = page_of.rows(until)
        fresh: list[Claim] = []
        for one in page:
            if one.id in known:
                continue
            if len(picked) + len(fresh) >= room(one.lane):
                full = True
                break
            lane, row_id = one.order
            if ready(one.chat, lane, one.private):
                fresh.append(one)
        kept = hold_back(connection, account, fresh, caps, now) if caps is not None and fresh else fresh
        picked += kept
        known.update(claim.id for claim in kept)
        exhausted = not full and len(page) < most
        if len(kept) < len(fresh):
            # what stood behind the rows that were held back has its turn now
            again = next(claim for claim in fresh if claim.id not in known)
            lane, row_id, exhausted, full = again.lane, again.id, False, False
        if not exhausted and not full:
            page_of = Look(connection, account, now, PAGE, (lane, row_id))
    return _with_changed(connection, _take(connection, picked, owner, until, taking)), not full


def _claim_of(columns: Iterable[Any], until: datetime) -> Claim:
    values: list[Any] = [*columns, until]
    return Claim(*values)


class Look:
    """The next `most` rows that may be claimed, of all or of those behind this lane and number. PostgreSQL is asked when they are
    wanted, or earlier with something else. Below SQLAlchemy, which takes longer to ask than the database to answer."""

    __slots__ = ("_connection", "_rows", "_statement", "_where", "most")

    def __init__(
        self, connection: Connection, account: tuple[str, str], now: datetime, most: int, behind: tuple[int, int] | None = None
    ) -> None:
        self.most = most
        self._connection = connection
        self._where: dict[str, Any] = {"platform": account[0], "account": account[1], "now": now}
        if behind is not None:
            self._where |= {"lane": behind[0], "id": behind[1]}
        self._statement = heads(most, onward=behind is not None)
        postgresql = connection.dialect.name != "sqlite"
        self._rows = prepared().ask_later(connection, self._statement, self._where) if postgresql else None

    def rows(self, until: datetime) -> list[Claim]:
        """They, as claims until then."""
        if self._rows is not None:
            whole = [(*row, until) for row in self._rows.rows()]
            return [Claim(*values) for values in whole]
        sql, fixed, places = _driven(self._statement, self._connection.dialect)
        values = {**fixed, **self._where, "now": stored_time("sqlite", self._where["now"])}
        found = [_claim_of(row, until) for row in run_directly(self._connection, sql, [values[name] for name in places])]
        return [replace(one, private=bool(one.private), or_say=bool(one.or_say)) for one in found]  # SQLite knows no booleans


def look(connection: Connection, account: tuple[str, str], now: datetime, room: int) -> Look:
    """The first look of `claim` at the rows of an account, with so much room for the best lane."""
    most = max(room, 0) + 1
    if most > _EXACT:  # each number is a statement of its own, of which a connection keeps the plan
        most = -(-most // _STEP) * _STEP
    return Look(connection, account, now, min(PAGE, most))


@functools.cache
def heads(most: int, *, onward: bool) -> Select[Any]:
    """So many rows of an account that may be claimed; with `onward` those behind a lane and number.

    How many is written out, and what every row meets is left out: of a number that it does not know PostgreSQL expects a tenth of
    all rows, takes the plan for any number to be the dearer one, and plans each look anew, which costs twice the look (0294).
    """
    behind = tuple_(OUTBOX.c.lane, OUTBOX.c.id) > tuple_(bindparam("lane"), bindparam("id"))
    wanted = _ALL_HEADS.where(behind) if onward else _ALL_HEADS
    return wanted.limit(literal_column(str(most), OUTBOX.c.attempt.type))


_Heads = tuple[str, Mapping[str, Any], Sequence[str]]
_DRIVERS: dict[Select[Any], _Heads] = {}


def _driven(statement: Select[Any], dialect: Dialect) -> _Heads:
    """The question as SQLite's driver wants it, the values that are always the same, and the order of all."""
    found = _DRIVERS.get(statement)
    if found is None:
        compiled = statement.compile(dialect=dialect)
        places: Sequence[str] = getattr(compiled, "positiontup", None) or ()
        found = _DRIVERS[statement] = str(compiled), compiled.params, places
    return found


Taken = Callable[[], set[int]]


def really(claims: list[Claim], taking: Sequence[Taken]) -> list[Claim]:
    """Those of the claims that are ours, after the commit; all of them when nothing was left to be made so with it."""
    if not taking:
        return claims
    taken = set().union(*(one() for one in taking))
    return claims if len(taken) == len(claims) else [claim for claim in claims if claim.id in taken]


def _take(connection: Connection, claims: list[Claim], owner: str, until: datetime, taking: list[Taken] | None) -> list[Claim]:
    """Make them ours; returns those that are, or all when they will be made so later."""
    if not claims:
        return claims
    ids = [claim.id for claim in claims]
    if connection.dialect.name == "sqlite":
        rows = run_directly(connection, _TAKE["sqlite"], (owner, stored_time("sqlite", until), json.dumps(ids)))
        return really(claims, [lambda: {row[0] for row in rows}])
    later = prepared().later(connection, _TAKE["postgresql"], {"owner": owner, "until": until, "ids": wire.bigints(ids)})

    def taken() -> set[int]:
        return {row[0] for row in later.rows()}

    if taking is None:
        return really(claims, [taken])
    taking.append(taken)
    return claims


def _with_changed(connection: Connection, claims: list[Claim]) -> list[Claim]:
    """The same claims; those that change a notice know where it stands."""
    wanted = [claim.changes for claim in claims if claim.changes is not None]
    if not wanted:
        return claims
    rows = connection.execute(select(OUTBOX.c.id, OUTBOX.c.state, OUTBOX.c.message_id).where(OUTBOX.c.id.in_(wanted))).all()
    found = {row[0]: Changed(row[1], row[2]) for row in rows}
    return [
        claim if claim.changes is None else replace(claim, changed=found.get(claim.changes, Changed("gone", None)))
        for claim in claims
    ]


# --- what others have claimed, or we without knowing it -----------------------------------------------------------


def release_others(connection: Connection, owner: str, known: Sequence[int]) -> None:
    """Give back what `owner` holds without knowing it: its claim was committed without an answer; nothing was sent."""
    connection.execute(
        update(OUTBOX)
        .where(SENDING, OUTBOX.c.owner == owner, OUTBOX.c.id.not_in(known))
        .values(owner="", lease_until=None, attempt=OUTBOX.c.attempt - 1)
    )


def abandoned(connection: Connection, *, me: str, node: str | None, now: datetime) -> tuple[list[Abandoned], datetime | None]:
    """Claimed rows of others whose lease is over, or, with `node`, whose owner was an earlier incarnation of this node.

    Also returns when the next lease of another owner ends.
    """
    rows = connection.execute(
        select(*_CLAIM_COLUMNS, OUTBOX.c.attempt, OUTBOX.c.lease_until, OUTBOX.c.owner)
        .where(SENDING, OUTBOX.c.owner != me)
        .with_for_update(of=OUTBOX, skip_locked=True)
    )
    found: list[Abandoned] = []
    next_end: datetime | None = None
    for row in rows:
        *fields, until, owner = row
        ends: datetime = until or now
        if ends <= now or (node is not None and owner.rpartition("/")[0] == node):
            found.append(Abandoned(_claim_of(fields, ends), owner))
        else:
            next_end = ends if next_end is None else min(next_end, ends)
    return found, next_end


def next_due(connection: Connection, now: datetime) -> Callable[[], datetime | None]:
    """When the next notice that waits for a time becomes due, as of now; to be asked for later, if need be after the commit."""
    if connection.dialect.name == "sqlite":
        due: datetime | None = connection.execute(_NEXT_DUE, {"now": now}).scalar()
        return lambda: due
    later = prepared().ask_later(connection, _NEXT_DUE, {"now": now})

    def found() -> datetime | None:
        at: datetime | None = later.rows()[0][0]
        return at and at.astimezone(UTC)

    return found
