"""The outbox in SQL: enqueue, claim, write back, cancel. The same statements on SQLite and PostgreSQL.

A claim is (owner, attempt): whoever writes a result names both, and the row takes it only while the claim is still that one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, bindparam, case, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from storage import tables
from storage.caps import Caps, hold_back

_TABLES = tables.Notice.metadata.tables
OUTBOX = _TABLES["outbox"]
PAUSE = _TABLES["pause"]
GROUP = _TABLES["chat_group"]
CAMPAIGN = _TABLES["campaign"]

PAGE = 128


@dataclass(frozen=True, slots=True)
class Changed:
    """The notice whose words are to change: where it stands, and its id on the platform if it is there."""

    state: str
    message_id: str | None


@dataclass(frozen=True, slots=True)
class Claim:
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
    attempt: int
    lost: int
    lease_until: datetime
    changed: Changed | None = None

    @property
    def order(self) -> tuple[int, int]:
        """What goes first: lane, then age."""
        return self.lane, self.id


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


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A claimed row whose owner is gone: it may or may not have been sent."""

    claim: Claim
    owner: str


_CLAIM_COLUMNS = [OUTBOX.c[name] for name in Claim.__dataclass_fields__ if name not in ("attempt", "lease_until", "changed")]

_older = OUTBOX.alias("older")
_now = bindparam("now", type_=OUTBOX.c.due_at.type)
# a retry keeps its place in the chat while it waits; a notice for tomorrow holds nobody up
# a scalar and not EXISTS: a planner that knows nothing of a table that was just filled would join all of it for one row
_IS_HEAD = (
    select(_older.c.id)
    .where(
        _older.c.platform == OUTBOX.c.platform,
        _older.c.account == OUTBOX.c.account,
        _older.c.chat == OUTBOX.c.chat,
        _older.c.state.in_(("pending", "sending")),
        _older.c.lane == OUTBOX.c.lane,
        _older.c.id < OUTBOX.c.id,
        or_(_older.c.state == "sending", _older.c.attempt > 0, _older.c.due_at.is_(None), _older.c.due_at <= _now),
    )
    .limit(1)
    .scalar_subquery()
    .is_(None)
)
_HEADS = (
    select(*_CLAIM_COLUMNS, OUTBOX.c.attempt)
    .where(
        OUTBOX.c.state == "pending",
        OUTBOX.c.platform == bindparam("platform"),
        OUTBOX.c.account == bindparam("account"),
        or_(OUTBOX.c.due_at.is_(None), OUTBOX.c.due_at <= _now),
        tuple_(OUTBOX.c.lane, OUTBOX.c.id) > tuple_(bindparam("lane"), bindparam("id")),
        _IS_HEAD,
    )
    .order_by(OUTBOX.c.lane, OUTBOX.c.id)
    .limit(bindparam("most"))
    .with_for_update(of=OUTBOX, skip_locked=True)
)
_NEXT_DUE = select(func.min(OUTBOX.c.due_at)).where(OUTBOX.c.state == "pending", OUTBOX.c.due_at > _now)
_PAUSES = select(PAUSE.c.scope, PAUSE.c.until).where(PAUSE.c.until > _now)
_CLAIM = (
    update(OUTBOX)
    .where(OUTBOX.c.id.in_(bindparam("ids", expanding=True)))
    .values(state="sending", owner=bindparam("b_owner"), lease_until=bindparam("b_lease"), attempt=OUTBOX.c.attempt + 1)
)
# what is never sent again needs its secret no longer
_SPENT = case((OUTBOX.c.secret, ""), else_=OUTBOX.c.text)
_SENT = (
    update(OUTBOX)
    .where(
        OUTBOX.c.id == bindparam("b_id"),
        OUTBOX.c.state == "sending",
        OUTBOX.c.owner == bindparam("b_owner"),
        OUTBOX.c.attempt == bindparam("b_attempt"),
    )
    .values(
        state="sent",
        message_id=bindparam("b_message_id"),
        text=_SPENT,
        sent_at=bindparam("b_sent_at"),
        owner="",
        lease_until=None,
        due_at=None,
        problem="",
    )
)


_INSERTS = {
    "sqlite": sqlite.insert(OUTBOX).on_conflict_do_nothing(index_elements=["key"]).returning(OUTBOX.c.id),
    "postgresql": postgresql.insert(OUTBOX).on_conflict_do_nothing(index_elements=["key"]).returning(OUTBOX.c.id),
}
_INSERTS_OF_MANY = {
    "sqlite": sqlite.insert(OUTBOX).on_conflict_do_nothing(index_elements=["key"]),
    "postgresql": postgresql.insert(OUTBOX).on_conflict_do_nothing(index_elements=["key"]),
}
_NEW = {"state": "pending", "attempt": 0, "lost": 0, "owner": "", "problem": "", "recalls": None}


def insert(connection: Connection, values: Mapping[str, object]) -> bool:
    """One new pending row; false when its key is there already."""
    return connection.execute(_INSERTS[connection.dialect.name], {**_NEW, **values}).first() is not None


def insert_many(connection: Connection, values: Sequence[Mapping[str, object]]) -> None:
    """New pending rows; those whose key is there already are left out."""
    if values:
        connection.execute(_INSERTS_OF_MANY[connection.dialect.name], [{**_NEW, **row} for row in values])


def claim(
    connection: Connection,
    account: tuple[str, str],
    *,
    owner: str,
    now: datetime,
    lease: timedelta,
    room: Callable[[int], int],
    ready: Callable[[str, int], bool],
    caps: Caps | None = None,
) -> tuple[list[Claim], bool]:
    """Claim due rows of one account, best lane and oldest first, at most one per chat and lane.

    `room(lane)` is how many rows of this lane or better may be taken; `ready(chat, lane)` says whether the chat may be spoken to
    now; `caps` is what a group bears of posts. Returns the claims and whether the rows were exhausted.
    """
    picked: list[Claim] = []
    known: set[int] = set()
    lane, row_id = -1, 0
    exhausted = full = False
    most = min(PAGE, max(room(0), 0) + 1)  # each row that is looked at is locked, which PostgreSQL writes down
    while not exhausted and not full:
        where = {"platform": account[0], "account": account[1], "now": now, "lane": lane, "id": row_id, "most": most}
        page = connection.execute(_HEADS, where).mappings().all()
        fresh: list[Claim] = []
        for row in page:
            if row["id"] in known:
                continue
            if len(picked) + len(fresh) >= room(row["lane"]):
                full = True
                break
            lane, row_id = row["lane"], row["id"]
            if ready(row["chat"], lane):
                fresh.append(Claim(**{**row, "attempt": row["attempt"] + 1}, lease_until=now + lease))
        kept = hold_back(connection, account, fresh, caps, now) if caps is not None and fresh else fresh
        picked += kept
        known.update(claim.id for claim in kept)
        exhausted = not full and len(page) < most
        most = PAGE
        if len(kept) < len(fresh):
            # what stood behind the rows that were held back has its turn now
            first = next(claim for claim in fresh if claim.id not in known)
            lane, row_id, exhausted, full = first.lane, first.id, False, False
    if picked:
        ids = [claim.id for claim in picked]
        connection.execute(_CLAIM, {"ids": ids, "b_owner": owner, "b_lease": now + lease})
    return _with_changed(connection, picked), not full


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


def write_back(connection: Connection, owner: str, results: Sequence[Result]) -> None:
    """Write results, each only if its claim still stands."""
    sent = [result for result in results if isinstance(result, Sent)]
    if sent:
        connection.execute(
            _SENT,
            [
                {
                    "b_id": result.claim.id,
                    "b_owner": owner,
                    "b_attempt": result.claim.attempt,
                    "b_message_id": result.message_id,
                    "b_sent_at": result.at,
                }
                for result in sent
            ],
        )
    for result in results:
        if isinstance(result, Waiting):
            _put_back(connection, owner, result)
        elif isinstance(result, Ended):
            _end(connection, owner, result)


def _mine(owner: str, claim: Claim) -> list[object]:
    return [OUTBOX.c.id == claim.id, OUTBOX.c.state == "sending", OUTBOX.c.owner == owner, OUTBOX.c.attempt == claim.attempt]


def _put_back(connection: Connection, owner: str, result: Waiting) -> None:
    claim = result.claim
    state = "pending"
    if claim.campaign_id is not None:
        now_is = connection.execute(select(CAMPAIGN.c.state).where(CAMPAIGN.c.id == claim.campaign_id)).scalar()
        if now_is == "stopped":
            state = "unknown" if claim.lost or result.lost else "cancelled"
        elif now_is == "halted":
            state = "held"
    connection.execute(
        update(OUTBOX)
        .where(and_(*_mine(owner, claim)))  # type: ignore[arg-type]
        .values(
            state=state,
            owner="",
            lease_until=None,
            due_at=result.due_at,
            attempt=claim.attempt if result.used else claim.attempt - 1,
            lost=claim.lost + result.lost,
            problem=result.problem,
        )
    )


def _end(connection: Connection, owner: str, result: Ended) -> None:
    connection.execute(
        update(OUTBOX)
        .where(and_(*_mine(owner, result.claim)))  # type: ignore[arg-type]
        .values(
            state=result.state,
            text=_SPENT,
            owner="",
            lease_until=None,
            lost=result.claim.lost + (result.state == "unknown"),
            problem=result.problem,
        )
    )


def release_others(connection: Connection, owner: str, known: Sequence[int]) -> None:
    """Give back what `owner` holds without knowing it: its claim was committed without an answer; nothing was sent."""
    connection.execute(
        update(OUTBOX)
        .where(OUTBOX.c.state == "sending", OUTBOX.c.owner == owner, OUTBOX.c.id.not_in(known))
        .values(state="pending", owner="", lease_until=None, attempt=OUTBOX.c.attempt - 1)
    )


def abandoned(connection: Connection, *, me: str, node: str | None, now: datetime) -> tuple[list[Abandoned], datetime | None]:
    """Claimed rows of others whose lease is over, or, with `node`, whose owner was an earlier incarnation of this node.

    Also returns when the next lease of another owner ends.
    """
    rows = connection.execute(
        select(*_CLAIM_COLUMNS, OUTBOX.c.attempt, OUTBOX.c.lease_until, OUTBOX.c.owner)
        .where(OUTBOX.c.state == "sending", OUTBOX.c.owner != me)
        .with_for_update(of=OUTBOX, skip_locked=True)
    ).mappings()
    found: list[Abandoned] = []
    next_end: datetime | None = None
    for row in rows:
        fields = dict(row)
        owner, ends = fields.pop("owner"), fields["lease_until"] or now
        fields["lease_until"] = ends
        if ends <= now or (node is not None and owner.rpartition("/")[0] == node):
            found.append(Abandoned(Claim(**fields), owner))
        else:
            next_end = ends if next_end is None else min(next_end, ends)
    return found, next_end


def next_due(connection: Connection, now: datetime) -> datetime | None:
    """When the next notice that waits for a time becomes due."""
    due: datetime | None = connection.execute(_NEXT_DUE, {"now": now}).scalar()
    return due


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
    claimed = connection.execute(select(*columns).where(mine, OUTBOX.c.state == "sending"))
    return found + [(row[0], row[1], row[2], now) for row in claimed]


def cancel_campaign(connection: Connection, campaign_id: int) -> int:
    """Cancel what is pending or held of a campaign and mark it stopped. What may have arrived becomes "unknown" instead."""
    mine = and_(OUTBOX.c.campaign_id == campaign_id, OUTBOX.c.state.in_(("pending", "held")))
    connection.execute(update(OUTBOX).where(mine, OUTBOX.c.lost > 0).values(state="unknown"))
    cancelled = connection.execute(update(OUTBOX).where(mine).values(state="cancelled")).rowcount
    this = and_(CAMPAIGN.c.id == campaign_id, CAMPAIGN.c.state.not_in(("done", "stopped")))
    connection.execute(update(CAMPAIGN).where(this).values(state="stopped", next_step_at=None))
    return cancelled


def hold(connection: Connection, campaign_id: int) -> int:
    """Keep back what is pending of a campaign until `let_go`; returns how many notices that are."""
    mine = and_(OUTBOX.c.campaign_id == campaign_id, OUTBOX.c.state == "pending")
    return connection.execute(update(OUTBOX).where(mine).values(state="held")).rowcount


def let_go(connection: Connection, campaign_id: int) -> int:
    """Send what was held of a campaign; returns how many notices that are."""
    mine = and_(OUTBOX.c.campaign_id == campaign_id, OUTBOX.c.state == "held")
    return connection.execute(update(OUTBOX).where(mine).values(state="pending")).rowcount


# --- chats that are gone, and pauses ------------------------------------------------------------------------------


def close_chat(
    connection: Connection, platform: str, account: str, chat: str, why: str, now: datetime
) -> tuple[int | None, bool]:
    """The bot is not in this chat any more: what is pending for it is dead, its group inactive.

    Returns the group's id (None for a private chat) and whether it was active until now.
    """
    connection.execute(
        update(OUTBOX)
        .where(OUTBOX.c.platform == platform, OUTBOX.c.account == account, OUTBOX.c.chat == chat, OUTBOX.c.state == "pending")
        .values(state="dead", text=_SPENT, problem=why)
    )
    here = and_(GROUP.c.platform == platform, GROUP.c.account == account, GROUP.c.chat == chat)
    group_id: int | None = connection.execute(select(GROUP.c.id).where(here)).scalar()
    changed = connection.execute(update(GROUP).where(here, GROUP.c.active.is_(True)).values(active=False, left_at=now)).rowcount
    return group_id, changed > 0


def read_pauses(connection: Connection, now: datetime) -> dict[str, datetime]:
    """Scope to the end of its pause, of those that are not over."""
    rows = connection.execute(_PAUSES, {"now": now})
    return {row[0]: row[1] for row in rows}


def write_pauses(connection: Connection, pauses: Iterable[tuple[str, datetime]], now: datetime) -> None:
    """Keep pauses; a longer one that is there already stays. What is over goes."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    for scope, until in pauses:
        statement = dialect.insert(PAUSE).values(scope=scope, until=until)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["scope"], set_={"until": statement.excluded.until}, where=PAUSE.c.until < statement.excluded.until
            )
        )
    connection.execute(delete(PAUSE).where(PAUSE.c.until <= now))
