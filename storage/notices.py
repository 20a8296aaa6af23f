"""The outbox in SQL: enqueue, cancel, hold, close a chat, pause. The same statements on SQLite and PostgreSQL.

Claiming and writing back are in storage/claims.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, and_, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from storage.engine import prepared
from storage.lots import count_waiting, waiting
from storage.outbox import CAMPAIGN, FAILED, GROUP, OUTBOX, OWNER, PENDING, SENDING, SPENT, UNCLAIMED, of_account
from storage.types import numbers, stored_time, words

PAUSE = OUTBOX.metadata.tables["pause"]

_PAUSES = select(PAUSE.c.scope, PAUSE.c.until).where(PAUSE.c.until > bindparam("now", type_=OUTBOX.c.due_at.type))

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


class ForGroup(NamedTuple):
    """What one group gets of a campaign. `due_at` (UTC) holds it back until then; `gone`: the bot has left that group."""

    group_id: int
    text: str
    photo: str | None = None
    due_at: datetime | None = None
    gone: bool = False


_COLUMNS = (
    "key, lane, platform, account, chat, private, group_id, campaign_id, case_id, text, photo, due_at, state, created_at, "
    "choices, secret, or_say, attempt, lost, owner, problem"
)
_DUE = 26  # characters of a time, where each row has its own before its words
# where a group is, is read from its own row: nothing but what differs from group to group travels to the database. For SQLite
# that is one object of group and words, because taking an array for each row apart costs as much as the row
_TO_GROUPS = {
    "sqlite": f"INSERT INTO outbox ({_COLUMNS}) "  # noqa: S608 (nothing from outside)
    "SELECT 'post:' || c.id || ':' || g.id, c.lane, g.platform, g.account, g.chat, 0, g.id, c.id, c.about, "
    "CASE c.due WHEN 0 THEN t.value ELSE substr(t.value, c.due + 1) END, c.photo, "
    "CASE c.due WHEN 0 THEN NULL ELSE substr(t.value, 1, c.due) END, c.state, c.now, '', 0, 0, 0, 0, '', "
    "CASE c.state WHEN 'dead' THEN 'left' ELSE '' END "
    "FROM (SELECT ? AS id, ? AS lane, ? AS about, ? AS now, ? AS photo, ? AS state, ? AS due) AS c "
    "CROSS JOIN json_each(?) AS t CROSS JOIN chat_group AS g "
    "WHERE g.id = CAST(t.key AS INTEGER) ON CONFLICT (key) DO NOTHING",
    "postgresql": f"INSERT INTO outbox ({_COLUMNS}) "  # noqa: S608
    "SELECT 'post:' || c.id || ':' || g.id, c.lane, g.platform, g.account, g.chat, false, g.id, c.id, c.about, "
    "t.text, NULLIF(t.photo, ''), NULLIF(t.due_at, 'infinity'), t.state, c.now, '', false, false, 0, 0, '', "
    "CASE t.state WHEN 'dead' THEN 'left' ELSE '' END "
    "FROM (SELECT %s::bigint AS id, %s::int AS lane, %s::bigint AS about, %s::timestamptz AS now) AS c, "
    "unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::text[]) WITH ORDINALITY "
    "AS t(id, text, photo, due_at, state, place) "
    # a campaign is one transaction's; ON CONFLICT would write each row's place twice, and cost a quarter of the statement
    "JOIN chat_group AS g ON g.id = t.id WHERE NOT EXISTS (SELECT FROM outbox AS o "
    "WHERE o.campaign_id = c.id AND o.group_id = t.id AND o.key = 'post:' || c.id || ':' || t.id) ORDER BY t.place",
}


def insert_for_groups(
    connection: Connection, campaign_id: int, lane: int, case_id: int | None, targets: Sequence[ForGroup], now: datetime
) -> None:
    """The notices of a campaign, one for each group, in this order; who has one already gets no other.

    One statement; on SQLite one for each picture and whether its group is gone.
    """
    if not targets:
        return
    dialect = connection.dialect.name
    values = (campaign_id, lane, case_id, stored_time(dialect, now))
    if dialect == "sqlite":
        for alike, said in _alike(targets):
            row = (*values, alike.photo, _state(alike), _DUE if alike.due_at else 0, msgspec.json.encode(said).decode())
            connection.exec_driver_sql(_TO_GROUPS[dialect], row)
        return
    if len(first := {one.group_id: one for one in reversed(targets)}) < len(targets):
        targets = [one for one in targets if first[one.group_id] is one]
    ids, texts = numbers(one.group_id for one in targets), words(one.text for one in targets)
    states, photos = words(_state(one) for one in targets), words(one.photo or "" for one in targets)
    due = words(one.due_at.isoformat() if one.due_at else "infinity" for one in targets)
    connection.exec_driver_sql(_TO_GROUPS[dialect], (*values, ids, texts, photos, due, states))


def _state(target: ForGroup) -> str:
    return "dead" if target.gone else "pending"


def _alike(targets: Sequence[ForGroup]) -> list[tuple[ForGroup, dict[int, str]]]:
    """What one statement writes: the first of its targets, and the words by group, after their time where there is one."""
    found: dict[tuple[str | None, bool, bool], tuple[ForGroup, dict[int, str]]] = {}
    for one in targets:
        kind = one.photo, one.gone, one.due_at is None
        alike = found.get(kind)
        if alike is None:
            alike = found[kind] = one, {}
        # words that are ready to be said are a kind of text that the encoder does not know
        text = str(one.text) if one.due_at is None else f"{stored_time('sqlite', one.due_at)}{one.text}"
        alike[1].setdefault(one.group_id, text)
    return list(found.values())


# --- a campaign ---------------------------------------------------------------------------------------------------


def cancel_campaign(connection: Connection, campaign_id: int) -> int:
    """Cancel what is pending or held of a campaign and mark it stopped; returns how many groups do not get it any more.

    What may have arrived becomes "unknown" instead; notices that have not been made never are (`storage.lots`).
    """
    mine = and_(OUTBOX.c.campaign_id == campaign_id, OUTBOX.c.state.in_(("pending", "held")), UNCLAIMED)
    connection.execute(update(OUTBOX).where(mine, OUTBOX.c.lost > 0).values(state="unknown"))
    cancelled = connection.execute(update(OUTBOX).where(mine).values(state="cancelled")).rowcount
    this = and_(CAMPAIGN.c.id == campaign_id, CAMPAIGN.c.state.not_in(("done", "stopped")))
    stopped = connection.execute(update(CAMPAIGN).where(this).values(state="stopped", next_step_at=None, lot_at=None)).rowcount
    return cancelled + (waiting(connection, campaign_id) if stopped else 0)


def hold(connection: Connection, campaign_id: int) -> int:
    """Keep back what is pending of a campaign until `let_go`; returns how many notices that are."""
    mine = and_(OUTBOX.c.campaign_id == campaign_id, PENDING)
    return connection.execute(update(OUTBOX).where(mine).values(state="held")).rowcount


def let_go(connection: Connection, campaign_id: int, most: int | None = None) -> int:
    """Send what was held of a campaign, or the first `most` of it; returns how many notices that are."""
    mine = and_(OUTBOX.c.campaign_id == campaign_id, OUTBOX.c.state == "held")
    if most is not None:
        first = select(OUTBOX.c.id).where(mine).order_by(OUTBOX.c.id).limit(most)
        mine = and_(mine, OUTBOX.c.id.in_(first.scalar_subquery()))
    return connection.execute(update(OUTBOX).where(mine).values(state="pending")).rowcount


def unfinished(connection: Connection) -> dict[str, int]:
    """How many notices wait, are held, are being sent or failed, by state; what went well is not counted.

    Those that a campaign has yet to make count as if they were there.
    """
    held_ones = select(CAMPAIGN.c.id).where(CAMPAIGN.c.state.in_(("trial", "halted")))
    counted = {
        "pending": PENDING,
        "sending": SENDING,
        "held": and_(OUTBOX.c.campaign_id.in_(held_ones), OUTBOX.c.state == "held"),
        "unknown": and_(FAILED, OUTBOX.c.state == "unknown"),
        "dead": and_(FAILED, OUTBOX.c.state == "dead"),
    }
    found = {name: connection.execute(select(func.count()).where(which)).scalar_one() for name, which in counted.items()}
    for state, campaigns in (("held", ("trial", "halted")), ("pending", ("sending",))):
        found[state] += connection.execute(
            count_waiting(select(CAMPAIGN.c.id).where(CAMPAIGN.c.state.in_(campaigns)))
        ).scalar_one()
    return {state: count for state, count in found.items() if count}


# --- chats that are gone, and pauses ------------------------------------------------------------------------------


def close_chat(
    connection: Connection, platform: str, account: str, chat: str, why: str, now: datetime
) -> tuple[int | None, bool]:
    """The bot is not in this chat any more: what is pending for it is dead, its group inactive.

    Returns the group's id (None for a private chat) and whether it was active until now.
    """
    connection.execute(
        update(OUTBOX)
        .where(of_account(OUTBOX, platform, account), OUTBOX.c.chat == chat, PENDING)
        .values(state="dead", text=SPENT, problem=why)
    )
    connection.execute(delete(OWNER).where(OWNER.c.platform == platform, OWNER.c.chat == chat, OWNER.c.account == account))
    here = and_(GROUP.c.platform == platform, GROUP.c.account == account, GROUP.c.chat == chat)
    group_id: int | None = connection.execute(select(GROUP.c.id).where(here)).scalar()
    changed = connection.execute(update(GROUP).where(here, GROUP.c.active.is_(True)).values(active=False, left_at=now)).rowcount
    return group_id, changed > 0


def read_pauses(connection: Connection, now: datetime) -> Callable[[], dict[str, datetime]]:
    """Scope to the end of its pause, of those that are not over now; to be asked for later in the transaction."""
    if connection.dialect.name == "sqlite":
        found = {row[0]: row[1] for row in connection.execute(_PAUSES, {"now": now})}
        return lambda: found
    later = prepared().ask_later(connection, _PAUSES, {"now": now})
    return lambda: {row[0]: row[1].astimezone(UTC) for row in later.rows()}


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
