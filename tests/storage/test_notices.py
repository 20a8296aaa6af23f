"""The outbox in SQL, the same on both engines: claims, fencing, pauses, several nodes at one table."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import column, insert, table, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select, update

import storage.claims as rows
import storage.lots as lots
import storage.notices as notices
import storage.prepared as prepared
import storage.receipts as receipts
from bot.messages import Address
from bot.notices import enqueue_all
from bot.outbox import Lane, NewNotice, Outbox, OutboxRule, enqueue
from bot.pacing import Pacing
from bot.timers import Due
from bot.verdicts import DIED
from handlers.away import tell_no_more
from storage.database import prepare, schema_differences
from storage.lots import Part, Taken
from storage.outbox import OUTBOX, STATE
from storage.tables import Campaign, CampaignGroup, Group, Notice, Pause
from storage.writer import StorageUnavailable, Writer, open_engine
from tests.kit.fake_platform import FakePlatform, Lost
from tests.storage.conftest import open_writer
from tests.storage.test_migration_kills import at_revision

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)
ME = ("telegram", "a")


def fill(writer: Writer, count: int, chats: int, lane: Lane = Lane.REPLY) -> None:
    def work(session: Session) -> None:
        for i in range(count):
            enqueue(session, NewNotice(f"{lane.name}-{i}", lane, Address(*ME, f"g{i % chats}"), f"{i}"), NOW)

    writer.run_now(work)


def claim(writer: Writer, owner: str, now: datetime = NOW, room: int = 1000) -> list[rows.Claim]:
    def work(session: Session) -> list[rows.Claim]:
        claims, _ = rows.claim(
            session.connection(), ME, owner=owner, now=now, lease=LEASE, room=lambda _: room, ready=lambda *_: True
        )
        return claims

    return writer.run_now(work)


def write_back(writer: Writer, owner: str, *results: receipts.Result) -> None:
    writer.run_now(lambda session: receipts.write_back(session.connection(), owner, results))


def states(writer: Writer) -> Counter[str]:
    return Counter(writer.read_now(lambda session: session.exec(select(STATE)).all()))


def test_claims_go_on_after_what_was_rolled_back(writer: Writer) -> None:
    """PostgreSQL's driver forgets what is prepared in a connection with every rollback, whole or to a savepoint."""
    fill(writer, 10, 10)

    def fails(session: Session) -> None:
        session.connection().execute(text("UPDATE outbox SET text = 'wrong'"))
        raise ValueError

    def fails_within(session: Session) -> list[rows.Claim]:
        with contextlib.suppress(ValueError), session.begin_nested():
            fails(session)
        claims, _ = rows.claim(
            session.connection(), ME, owner="a/1", now=NOW, lease=LEASE, room=lambda _: 1, ready=lambda *_: True
        )
        return claims

    async def in_company() -> list[object]:
        """A failure, an insert that is refused and a claim in one transaction, and in the next."""
        refused = "INSERT INTO pause (scope, until) VALUES (?, NULL)", ["x"]
        found: list[object] = []
        for _ in range(2):
            together = writer.append(*refused), writer.run(fails), writer.run(fails_within), writer.append(*refused)
            found += await asyncio.gather(*together, return_exceptions=True)
        return found

    assert [c.text for c in claim(writer, "a/1", room=1)] == ["0"]
    with contextlib.suppress(ValueError):
        writer.run_now(fails)
    assert [c.text for c in claim(writer, "a/1", room=1)] == ["1"]
    assert [c.text for c in writer.run_now(fails_within)] == ["2"]
    found = asyncio.run(in_company())
    assert [[c.text for c in one] for one in found if isinstance(one, list)] == [["3"], ["4"]]
    assert not [one for one in found if isinstance(one, StorageUnavailable)]
    assert [c.text for c in claim(writer, "a/1")] == ["5", "6", "7", "8", "9"]


def test_the_head_of_each_chat_is_claimed_once(writer: Writer) -> None:
    fill(writer, 300, 150)
    first = claim(writer, "a/1")
    assert [c.text for c in first] == [str(i) for i in range(150)]
    assert claim(writer, "b/1") == []
    write_back(writer, "a/1", *(receipts.Sent(c, f"m{c.id}", NOW) for c in first))
    assert [c.text for c in claim(writer, "b/1")] == [str(i) for i in range(150, 300)]


def test_lanes_have_heads_of_their_own(writer: Writer) -> None:
    for lane in (Lane.CAMPAIGN, Lane.ALARM, Lane.REPLY):
        fill(writer, 2, 1, lane)
    assert [(c.lane, c.text) for c in claim(writer, "a/1")] == [(0, "0"), (1, "0"), (3, "0")]


def test_only_the_holder_of_the_claim_may_write(writer: Writer) -> None:
    fill(writer, 1, 1)
    (old,) = claim(writer, "a/1")
    found, _ = writer.run_now(
        lambda session: rows.abandoned(session.connection(), me="b/1", node=None, now=NOW + timedelta(seconds=61))
    )
    assert [row.claim.id for row in found] == [old.id]
    write_back(writer, "a/1", receipts.Waiting(old, None, lost=True))
    (new,) = claim(writer, "b/1")
    assert (new.attempt, new.lost) == (2, 1)
    write_back(writer, "a/1", receipts.Sent(old, "stale", NOW), receipts.Ended(old, "dead", "stale"), receipts.Waiting(old, None))
    assert states(writer) == {"sending": 1}
    write_back(writer, "b/1", receipts.Sent(new, "fresh", NOW))
    assert writer.read_now(lambda session: session.exec(select(Notice.message_id)).one()) == "fresh"


def test_what_is_being_sent_is_left_alone_by_all_that_changes_what_waits(writer: Writer) -> None:
    """A claimed notice is a pending one with an owner: whoever forgot that would cancel, hold or wipe what is on its way."""

    def begin(session: Session) -> None:
        session.add(Campaign(id=1, post="law/a", labels="", origin="test", state="sending", created_at=NOW))
        for n in range(2):
            enqueue(session, NewNotice(f"k{n}", Lane.REPLY, Address(*ME, "g"), "x"), NOW)
        session.exec(update(Notice).values(campaign_id=1))

    writer.run_now(begin)
    (claim_of_first,) = claim(writer, "a/1")

    def meddle(session: Session) -> list[int]:
        """How many each of them found to change; what it changed waits again for the next."""
        connection, found = session.connection(), [notices.hold(session.connection(), 1)]
        found.append(notices.let_go(connection, 1))
        for end in (
            lambda: tell_no_more(Due("away.old", "k", {}), session),
            lambda: notices.close_chat(connection, *ME, "g", "", NOW),
        ):
            end()
            again = update(Notice).where(col(Notice.state) != "pending").values(state="pending")
            found.append(session.exec(again).rowcount)
        return [*found, notices.cancel_campaign(connection, 1)]

    assert writer.run_now(meddle) == [1, 1, 1, 1, 1]
    assert states(writer) == {"sending": 1, "cancelled": 1}
    assert writer.read_now(lambda session: notices.unfinished(session.connection())) == {"sending": 1}
    write_back(writer, "a/1", receipts.Sent(claim_of_first, "m", NOW))
    assert states(writer) == {"sent": 1, "cancelled": 1}


# as the outbox was at revision 0021, without the columns that have a default
_OLD_OUTBOX = table(
    "outbox",
    *(column(name) for name in ("key", "lane", "platform", "account", "chat", "private", "campaign_id", "text", "choices")),
    *(column(name) for name in ("secret", "state", "attempt", "lost", "owner", "message_id", "problem")),
    *(column(name, OUTBOX.c.created_at.type) for name in ("lease_until", "created_at", "sent_at")),
)


@pytest.mark.filterwarnings("ignore::storage.database.OldLibrary")
def test_what_was_under_way_before_the_revision_still_is(bare_url: str) -> None:
    """Until 0021 a claimed notice was "sending"."""
    at_revision(bare_url, "0021")
    left = (
        ("going", "g", {"state": "sending", "attempt": 1, "owner": "a/1", "lease_until": NOW + LEASE}),
        ("next", "g", {}),
        ("again", "h", {"state": "sending", "attempt": 3, "lost": 1, "owner": "a/1", "lease_until": NOW + LEASE}),
        ("waiting", "i", {"attempt": 2, "problem": "slow"}),
        ("held", "j", {"lane": 3, "state": "held", "campaign_id": 7}),
        ("unknown", "k", {"lane": 3, "state": "unknown", "attempt": 1, "lost": 1, "campaign_id": 7, "problem": DIED}),
        ("dead", "l", {"state": "dead", "attempt": 1, "problem": "kicked"}),
        ("sent", "m", {"state": "sent", "attempt": 1, "message_id": "m1", "sent_at": NOW}),
        ("cancelled", "n", {"state": "cancelled"}),
    )
    plain: dict[str, object] = {"lane": 1, "platform": ME[0], "account": ME[1], "private": False, "text": "x", "choices": ""}
    plain |= {"secret": False, "state": "pending", "attempt": 0, "lost": 0, "owner": "", "problem": "", "created_at": NOW}
    plain |= {"campaign_id": None, "message_id": None, "lease_until": None, "sent_at": None}
    engine = open_engine(bare_url)
    with engine.begin() as connection:
        connection.execute(insert(_OLD_OUTBOX), [{**plain, "key": key, "chat": chat, **its} for key, chat, its in left])
    engine.dispose()

    writer = prepare(bare_url)
    try:
        was = writer.read_now(lambda session: {row.key: row for row in session.exec(select(Notice)).all()})
        told = dict(writer.read_now(lambda session: session.exec(select(Notice.key, STATE)).all()))
        assert told == {key: its.get("state", "pending") for key, _, its in left}
        for key, _, its in left:
            for name, value in its.items():
                assert name == "state" or getattr(was[key], name) == value, (key, name)
        with writer.engine.connect() as connection:
            assert schema_differences(connection) == []

        assert [one.key for one in claim(writer, "b/1")] == ["waiting"], "what is being sent stands before the next in its chat"
        found, next_end = writer.run_now(lambda session: rows.abandoned(session.connection(), me="b/1", node=None, now=NOW))
        assert (found, next_end) == ([], NOW + LEASE)
        over = NOW + LEASE
        found, _ = writer.run_now(lambda session: rows.abandoned(session.connection(), me="c/1", node="b", now=over))
        mine = {one.claim.key: one for one in found if one.owner == "a/1"}
        assert {key: (one.claim.attempt, one.claim.lost) for key, one in mine.items()} == {"going": (1, 0), "again": (3, 1)}
        write_back(writer, "a/1", receipts.Sent(mine["going"].claim, "m", NOW))
        write_back(writer, "a/1", receipts.Waiting(mine["again"].claim, None, lost=True))
        assert [(one.key, one.lost) for one in claim(writer, "c/1")] == [("next", 0), ("again", 2)]
    finally:
        writer.close()


def test_who_looked_before_another_claimed_gets_nothing(writer: Writer) -> None:
    """Between a look and the claim another node may have claimed the row, have sent it, or have put it back."""
    fill(writer, 3, 3)
    seen = claim(writer, "a/1")
    write_back(writer, "a/1", receipts.Sent(seen[0], "m", NOW), receipts.Waiting(seen[1], None))

    class Late(rows.Look):
        __slots__ = ()

        def __init__(self) -> None:
            self.most = len(seen) + 1

        def rows(self, until: datetime) -> list[rows.Claim]:
            return seen

    def late(session: Session) -> list[rows.Claim]:
        connection, room = session.connection(), lambda _: 3
        found, _ = rows.claim(connection, ME, owner="b/1", now=NOW, lease=LEASE, room=room, ready=lambda *_: True, first=Late())
        return found

    assert [one.id for one in writer.run_now(late)] == [seen[1].id]
    write_back(writer, "a/1", receipts.Sent(seen[2], "m", NOW))
    assert states(writer) == {"sent": 2, "sending": 1}


def test_leases_that_run_are_left_alone(writer: Writer) -> None:
    fill(writer, 1, 1)
    claim(writer, "a/1")

    def look(session: Session) -> tuple[list[rows.Abandoned], datetime | None]:
        return rows.abandoned(session.connection(), me="b/1", node="b", now=NOW + timedelta(seconds=59))

    assert writer.run_now(look) == ([], NOW + LEASE)
    found, _ = writer.run_now(lambda session: rows.abandoned(session.connection(), me="a/2", node="a", now=NOW))
    assert len(found) == 1


def test_the_longer_pause_stays(writer: Writer) -> None:
    def pause(seconds: float, now: datetime = NOW) -> None:
        until = NOW + timedelta(seconds=seconds)
        writer.run_now(lambda session: notices.write_pauses(session.connection(), [("s", until)], now))

    pause(10)
    pause(5)
    assert writer.read_now(lambda session: notices.read_pauses(session.connection(), NOW)()) == {"s": NOW + timedelta(seconds=10)}
    pause(20)
    assert writer.read_now(lambda session: notices.read_pauses(session.connection(), NOW)()) == {"s": NOW + timedelta(seconds=20)}
    pause(15, NOW + timedelta(seconds=30))
    assert writer.read_now(lambda session: session.exec(select(Pause)).all()) == []


async def test_two_nodes_at_one_table_send_everything_once_and_in_order(url: str) -> None:
    """Two writers, two outboxes, one platform account; on SQLite two processes' worth of connections, on PostgreSQL two nodes."""
    writers = [open_writer(url), open_writer(url)]
    fill(writers[0], 400, 20)
    platform = FakePlatform(*ME)
    rule = OutboxRule(in_flight=8, in_flight_reserve=2)
    outboxes = [
        Outbox(writer, {ME: platform}, Pacing.unlimited(), lambda: datetime.now(UTC), node=f"n{k}", rule=rule)
        for k, writer in enumerate(writers)
    ]
    while states(writers[0]) != {"sent": 400}:
        await asyncio.gather(*(outbox.drain() for outbox in outboxes))
    assert Counter(arrival.what.key for arrival in platform.arrived) == {f"REPLY-{i}": 1 for i in range(400)}
    for chat in range(20):
        assert platform.texts(f"g{chat}") == [str(i) for i in range(chat, 400, 20)]
    for writer in writers:
        writer.close()


async def test_an_outbox_on_this_engine(writer: Writer) -> None:
    platform = FakePlatform(*ME)
    platform.fail(Lost(delivered=True), Lost(delivered=False))
    fill(writer, 5, 1)
    rule = OutboxRule(first_wait=0.01)
    outbox = Outbox(writer, {ME: platform}, Pacing.unlimited(), lambda: datetime.now(UTC), node="n", rule=rule)
    task = asyncio.create_task(outbox.run())
    async with asyncio.timeout(60):
        while states(writer) != {"sent": 5}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await outbox.stop()
    await task
    assert platform.texts() == ["0", "（重发）0", "1", "2", "3", "4"]


def kept_plan(session: Session) -> str:
    """The steps of the plan of a look that is kept for all values, as PostgreSQL tells it (from 16)."""
    statement = prepared._statement(str(rows.heads(11, onward=False).compile(dialect=session.connection().dialect)))
    raw: Any = session.connection().connection.dbapi_connection
    told = raw.pgconn.exec_(b"EXPLAIN (GENERIC_PLAN) " + statement.text)
    return "\n".join(told.get_value(row, 0).decode() for row in range(told.ntuples))


@pytest.mark.postgres
def test_a_plan_that_was_kept_while_nothing_waited_serves_thousands(postgres_url: str) -> None:
    """A plan is kept until its table is counted again, a minute later at best: counted as empty, the whole outbox would be read
    for each of its rows."""
    writer = open_writer(postgres_url)
    traffic = writer.traffic()
    try:
        for one in (writer, traffic):
            one.run_now(lambda session: session.connection().exec_driver_sql("ANALYZE outbox"))
        assert "Seq Scan on outbox" in writer.run_now(kept_plan), "the control: a connection that may read whole tables does"
        assert "Seq Scan on outbox" not in traffic.run_now(kept_plan)
    finally:
        traffic.close()
        writer.close()


def test_claims_find_their_rows_by_the_partial_indexes(writer: Writer) -> None:
    """With a state that is bound instead of written no engine may use them, and each claim would read the whole outbox."""
    dialect = writer.engine.dialect
    if dialect.name == "sqlite":
        compiled = rows.heads(rows.PAGE, onward=True).compile(dialect=dialect)

        def plan(session: Session) -> str:
            asked = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", (1,) * len(compiled.positiontup or ()))
            return "\n".join(row[3] for row in asked)

        told = writer.read_now(plan)
        assert "USING INDEX outbox_open (platform=? AND account=?" in told
        assert "USING INDEX outbox_before (chat=? AND lane=? AND id<?)" in told
        assert "TEMP B-TREE" not in told
        return

    def of_ten(session: Session) -> None:
        new = [NewNotice(f"{n}", Lane.REPLY, Address("telegram", f"a{n % 10}", f"g{n % 500}"), "") for n in range(6000)]
        enqueue_all(session, new, NOW)
        session.flush()
        session.connection().exec_driver_sql("ANALYZE outbox")

    writer.run_now(of_ten)

    def planned(session: Session) -> tuple[int, int]:
        """Of ten looks: how many took the plan that is kept, and how many were planned anew."""
        for _ in range(10):
            rows.look(session.connection(), ("telegram", "a1"), NOW, 10).rows(NOW)
        counted = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE right(statement, 9) = ' LIMIT 11'"
        kept, anew = session.connection().exec_driver_sql(counted).one()
        return kept, anew

    told = writer.run_now(kept_plan)
    assert "using outbox_open on" in told
    assert "Sort" not in told, "all that waits for an account would be looked at for each claim"
    assert writer.run_now(planned) == (5, 5), "the server plans five times before it keeps a plan, and then no more"


def test_a_campaign_is_written_down_once_for_every_group(writer: Writer) -> None:
    later = NOW + timedelta(minutes=1)

    def work(session: Session) -> list[Taken]:
        session.add_all([Group(id=n, platform="telegram", account="a", chat=f"g{n}", name=f"群{n}") for n in (1, 2, 3, 4)])
        for number in (1, 2):
            session.add(Campaign(id=number, post="law/a", labels="", origin="test", state="sending", created_at=NOW))
        session.flush()
        connection = session.connection()
        parts = [Part("law/a", text="甲", photo="p.jpg"), Part("law/b", text='"乙\\"'), Part("law/a", "daily cap")]
        lots.insert_groups(connection, 1, parts, {2: 1, 3: 0, 1: 1, 4: 2}, {2: later, 3: later})
        lots.insert_groups(connection, 2, [Part("law/a", text="甲")], {1: 0})
        session.exec(update(Group).where(col(Group.id) == 3).values(active=False, name="改了"))
        assert lots.waiting(connection, 1) == 3
        return lots.take(connection, 1, [3, 2, 4])

    taken = [Taken(2, "群2", True, '"乙\\"', None, later), Taken(3, "改了", False, "甲", "p.jpg", later)]
    assert writer.run_now(work) == taken
    assert writer.run_now(lambda session: lots.take(session.connection(), 1, [3, 2, 1])) == [
        Taken(1, "群1", True, '"乙\\"', None, None)
    ], "and nobody twice"
    assert writer.read_now(lambda session: lots.waiting(session.connection(), 1)) == 0

    def rows_of(session: Session) -> set[tuple[int, int, bool]]:
        its = select(CampaignGroup).where(CampaignGroup.campaign_id == 1)
        return {(row.group_id, row.part, row.waits) for row in session.exec(its)}

    assert writer.read_now(rows_of) == {(2, 1, False), (3, 0, False), (1, 1, False), (4, 2, False)}
    with pytest.raises(IntegrityError):
        writer.run_now(lambda session: lots.insert_groups(session.connection(), 2, [Part("law/a")], {1: 0}))


def test_a_lot_is_written_once_for_every_group(writer: Writer) -> None:
    def work(session: Session) -> None:
        session.add_all([Group(id=n, platform="telegram", account="a", chat=f"g{n}", name=f"群{n}") for n in (1, 2, 3, 4)])
        session.add(Campaign(id=1, post="law/a", labels="", origin="test", state="sending", created_at=NOW))
        session.flush()
        connection = session.connection()
        later = NOW + timedelta(minutes=1)
        targets = [notices.ForGroup(2, "二"), notices.ForGroup(3, "三", None, later), notices.ForGroup(1, "一", gone=True)]
        notices.insert_for_groups(connection, 1, Lane.CAMPAIGN, None, targets, NOW)
        notices.insert_for_groups(connection, 1, Lane.CAMPAIGN, None, [notices.ForGroup(2, "又")], NOW)
        twice = [notices.ForGroup(4, '"四\\"'), notices.ForGroup(3, "又"), notices.ForGroup(4, "又")]
        notices.insert_for_groups(connection, 1, Lane.CAMPAIGN, None, twice, NOW)

    writer.run_now(work)
    said = writer.read_now(
        lambda session: {(n.group_id, n.chat, n.text, n.state, n.due_at, n.problem) for n in session.exec(select(Notice))}
    )
    assert said == {
        (2, "g2", "二", "pending", None, ""),
        (3, "g3", "三", "pending", NOW + timedelta(minutes=1), ""),
        (1, "g1", "一", "dead", None, "left"),
        (4, "g4", '"四\\"', "pending", None, ""),
    }
