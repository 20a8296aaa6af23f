"""The way out: lanes, order, pauses, lost answers, dead owners. On a clock of its own; nothing here sleeps."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, select

import storage.claims as rows
from bot.errors import AnswerLost, NeverDelivered, RetryLater
from bot.messages import Address, Choice, Outbound
from bot.outbox import Lane, NewNotice, Outbox, OutboxRule, cancel_campaign, enqueue
from bot.pacing import Pacing, PacingRule
from bot.platforms.base import Capabilities
from storage.tables import Campaign, Group, Notice, Pause
from storage.writer import StorageUnavailable, Writer
from tests.kit.fake_platform import FakePlatform, Hang, Lost
from tests.storage.conftest import open_writer

MARK = "（重发）"
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Bench:
    """One outbox with its platforms and its database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = Clock()
        self.writer: Writer = open_writer(url)
        self.platform = FakePlatform("telegram", "a", clock=self.clock)
        self.platforms = [self.platform]
        self.gone: list[tuple[str, int | None, str]] = []
        self.orphans: list[asyncio.Task[None]] = []
        self.outbox = self.make()

    def make(self, pacing: Pacing | None = None, node: str = "n1", rule: OutboxRule | None = None, **more: Any) -> Outbox:
        def on_gone(session: Session, address: Address, group_id: int | None, why: str) -> None:
            self.gone.append((address.chat, group_id, why))

        self.outbox = Outbox(
            self.writer,
            {(platform.name, platform.account): platform for platform in self.platforms},
            pacing or Pacing.unlimited(),
            self.clock,
            node=node,
            repeat_mark=MARK,
            rule=rule,
            rng=random.Random(7),
            **{"on_gone": on_gone, **more},
        )
        return self.outbox

    def write(self, *texts: str, chat: str = "g1", lane: Lane = Lane.REPLY, **more: Any) -> None:
        """Enqueue notices whose key is their text."""
        to = more.pop("to", Address("telegram", "a", chat))

        def work(session: Session) -> None:
            for text in texts:
                enqueue(session, NewNotice(text, lane, to, text, **more), self.clock())

        self.writer.run_now(work)

    def notice(self, key: str) -> Notice:
        return self.writer.read_now(lambda session: session.exec(select(Notice).where(Notice.key == key)).one())

    def states(self) -> dict[str, str]:
        return self.writer.read_now(lambda session: dict(session.exec(select(Notice.key, Notice.state)).all()))

    async def drain(self) -> list[str]:
        await self.outbox.drain()
        return self.platform.texts()

    async def drain_for(self, seconds: float, step: float = 0.5) -> list[str]:
        """Let time pass in steps, sending what becomes due."""
        end = self.clock.now + timedelta(seconds=seconds)
        await self.outbox.drain()
        while self.clock.now < end:
            self.clock.forward(step)
            await self.outbox.drain()
        return self.platform.texts()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(f"sqlite:///{tmp_path}/q.db")
    yield made
    for task in made.orphans:
        task.cancel()
    await asyncio.gather(*made.orphans, return_exceptions=True)
    made.writer.close()


# --- enqueue ------------------------------------------------------------------------------------------------------


async def test_a_key_is_enqueued_once(bench: Bench) -> None:
    notice = NewNotice("k", Lane.REPLY, Address("telegram", "a", "g1"), "text")
    answers = await bench.writer.run(lambda session: [enqueue(session, notice, START) for _ in range(3)])
    assert answers == [True, False, False]
    assert await bench.drain() == ["text"]
    assert await bench.writer.run(lambda session: enqueue(session, notice, START)) is False
    assert await bench.drain() == ["text"]


async def test_everything_about_a_notice_reaches_the_platform(bench: Bench) -> None:
    to = Address("telegram", "a", "p1", private=True, thread="7")
    choices = (Choice("解决了", "是"), Choice("没有", "否"))
    bench.write("好", to=to, reply_to="m9", photo="media/a.jpg", choices=choices, mention="u1")
    await bench.drain()
    arrival = bench.platform.arrived[0]
    assert arrival.to == to
    what = arrival.what
    assert what == Outbound("好", "好", reply_to="m9", photo="media/a.jpg", choices=choices, mention="u1")
    stored = bench.notice("好")
    assert (stored.state, stored.message_id, stored.sent_at, stored.owner) == ("sent", arrival.message_id, START, "")


async def test_nothing_is_sent_before_it_is_due(bench: Bench) -> None:
    bench.write("later", due_at=START + timedelta(minutes=5))
    bench.write("now")
    assert await bench.drain() == ["now"]
    bench.clock.forward(299)
    assert await bench.drain() == ["now"]
    bench.clock.forward(1)
    assert await bench.drain() == ["now", "later"]


# --- lanes and order ----------------------------------------------------------------------------------------------


async def test_lanes_go_strictly_one_before_the_other(bench: Bench) -> None:
    slow = one_a_second()
    bench.make(slow)
    for lane in (Lane.CAMPAIGN, Lane.OFFICER, Lane.REPLY, Lane.ALARM):
        for i in range(3):
            bench.write(f"{lane.name}{i}", lane=lane, chat=f"{lane.name}{i}")
    texts = await bench.drain_for(12)
    assert texts == [f"{lane}{i}" for lane in ("ALARM", "REPLY", "OFFICER", "CAMPAIGN") for i in range(3)]


async def test_a_reply_overtakes_a_campaign_within_two_slots(bench: Bench) -> None:
    bench.make(Pacing(default=PacingRule(per_account_per_second=4, per_chat_interval=0)))
    bench.write(*(f"c{i}" for i in range(1)), lane=Lane.CAMPAIGN, chat="c0")
    for i in range(1, 60):
        bench.write(f"c{i}", lane=Lane.CAMPAIGN, chat=f"c{i}")
    await bench.drain_for(3, 0.25)
    before = len(bench.platform.arrived)
    bench.write("reply", lane=Lane.REPLY, chat="c50")
    bench.write("alarm", lane=Lane.ALARM, chat="c51")
    texts = await bench.drain_for(0.75, 0.25)
    assert texts[before : before + 2] == ["alarm", "reply"]


async def test_one_chat_hears_a_lane_in_order_whatever_fails(bench: Bench) -> None:
    bench.platform.fail(RetryLater(2), Lost(delivered=False), RetryLater(1, "chat"))
    bench.write(*(f"m{i}" for i in range(6)))
    texts = await bench.drain_for(30)
    assert [text.removeprefix(MARK) for text in texts] == [f"m{i}" for i in range(6)]


async def test_a_chat_that_hangs_holds_nobody_else(bench: Bench) -> None:
    bench.make(rule=OutboxRule(send_timeout=0.05))
    bench.platform.fail(Hang(), chat="stuck")
    bench.write("stuck", chat="stuck")
    bench.write("behind", chat="stuck")
    bench.write(*(f"o{i}" for i in range(5)), chat="other")
    texts = await bench.drain()
    assert texts == [f"o{i}" for i in range(5)]
    assert bench.notice("stuck").lost == 1
    assert (await bench.drain_for(3))[-2:] == [f"{MARK}stuck", "behind"]


async def test_hung_campaigns_leave_room_for_replies_and_alarms(bench: Bench) -> None:
    bench.make(rule=OutboxRule(send_timeout=100, in_flight=6, in_flight_reserve=2, grace=0.1))
    for i in range(20):
        bench.platform.fail(Hang(), chat=f"c{i}")
        bench.write(f"c{i}", chat=f"c{i}", lane=Lane.CAMPAIGN)
    task = asyncio.create_task(bench.outbox.run())
    await until(lambda: len(bench.platform.attempts) >= 4)
    assert len(bench.platform.attempts) == 4  # the other two places are kept
    bench.write("r", lane=Lane.REPLY)
    bench.outbox.wake()
    await until(lambda: bench.platform.texts() == ["r"])  # long before any of them is given up
    await bench.outbox.stop()
    await task


async def test_a_slow_account_holds_no_other_account(bench: Bench) -> None:
    other = FakePlatform("wechat", "b", clock=bench.clock)
    bench.platforms.append(other)
    bench.make(Pacing({"telegram": PacingRule(per_account_per_second=0.1)}, default=PacingRule.unlimited()))
    bench.write(*(f"t{i}" for i in range(5)), lane=Lane.ALARM)
    bench.write(*(f"w{i}" for i in range(200)), lane=Lane.CAMPAIGN, to=Address("wechat", "b", "g"))
    await bench.drain()
    assert len(other.arrived) == 200
    assert len(bench.platform.arrived) == 1


async def test_a_broadcast_is_never_refused_and_takes_the_theoretical_time(bench: Bench) -> None:
    """The platform refuses the 31st message in any second; at 29/s none is refused, whatever restarts in the middle."""
    bench.platform.refuse_over = 30
    bench.write(*(f"c{i}" for i in range(290)), lane=Lane.CAMPAIGN)
    bench.writer.run_now(lambda session: session.execute(rows.OUTBOX.update().values(chat="g" + rows.OUTBOX.c.key)))
    for _ in range(2):
        bench.make(Pacing(default=PacingRule(per_account_per_second=29)))
        await bench.drain_for(4.0, 0.02)
        await bench.outbox.stop()
    bench.make(Pacing(default=PacingRule(per_account_per_second=29)))
    while len(bench.platform.arrived) < 290:
        await bench.drain_for(0.2, 0.02)
    assert len(bench.platform.attempts) == 290
    assert bench.clock.now - START <= timedelta(seconds=10 * 1.05)


async def test_rows_of_an_account_that_is_switched_off_wait(bench: Bench) -> None:
    bench.write("x", to=Address("wechat", "none", "g"))
    bench.write("y")
    assert await bench.drain() == ["y"]
    assert bench.notice("x").state == "pending"


# --- what a platform says -----------------------------------------------------------------------------------------


async def test_retry_later_pauses_exactly_the_chat_that_was_named(bench: Bench) -> None:
    bench.platform.fail(RetryLater(10, "chat"), chat="g1")
    bench.write("a", "b", chat="g1")
    bench.write("c", chat="g2")
    assert await bench.drain() == ["c"]
    assert bench.writer.read_now(lambda session: session.exec(select(Pause.scope, Pause.until)).all()) == [
        ("chat:telegram:a:g1", START + timedelta(seconds=10))
    ]
    bench.write("alarm", chat="g1", lane=Lane.ALARM)
    assert await bench.drain_for(9.5) == ["c"]
    assert await bench.drain_for(0.5) == ["c", "alarm", "a", "b"]


async def test_retry_later_pauses_the_account_and_nothing_beside_it(bench: Bench) -> None:
    other = FakePlatform("wechat", "b", clock=bench.clock)
    bench.platforms.append(other)
    bench.make()
    bench.platform.fail(RetryLater(10, "account"))
    bench.write(*(f"c{i}" for i in range(100)), lane=Lane.CAMPAIGN, chat="g1")
    await bench.drain()
    bench.write("w", to=Address("wechat", "b", "g"))
    bench.write("reply")
    await bench.drain_for(9.5)
    assert bench.platform.arrived == []
    assert other.texts() == ["w"]
    assert len(bench.platform.attempts) == 1
    texts = await bench.drain_for(1)
    assert texts[0] == "reply"
    assert len(texts) == 101


async def test_a_pause_survives_a_restart(bench: Bench) -> None:
    bench.platform.fail(RetryLater(60, "account"))
    bench.write("a")
    await bench.drain()
    bench.make()
    bench.write("b", chat="g2")
    assert await bench.drain_for(59) == []
    assert sorted(await bench.drain_for(1)) == ["a", "b"]


async def test_waits_grow_and_are_spread(bench: Bench) -> None:
    bench.platform.fail(*(RetryLater(0) for _ in range(8)))
    bench.write("a")
    await bench.drain_for(400, 0.5)
    times = [at for at, _, _ in bench.platform.attempts]
    gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
    assert len(gaps) == 8
    assert all(gap >= 0.75 * 2**i for i, gap in enumerate(gaps))
    assert all(gap <= 1.25 * 2**i + 0.5 for i, gap in enumerate(gaps))
    assert len({round(gap / 2**i, 2) for i, gap in enumerate(gaps)}) > 3


async def test_retries_end_some_day(bench: Bench) -> None:
    bench.make(rule=OutboxRule(most_attempts=4, longest_wait=1.0))
    bench.platform.fail(*(RetryLater(0) for _ in range(20)))
    bench.write("a", "b")
    await bench.drain_for(60)
    assert bench.states() == {"a": "dead", "b": "dead"}
    assert "4 attempts" in bench.notice("a").problem


async def test_never_delivered_is_dead_with_its_reason(bench: Bench) -> None:
    bench.platform.fail(NeverDelivered("text refused"))
    bench.write("a", "b")
    assert await bench.drain() == ["b"]
    assert (bench.notice("a").state, bench.notice("a").problem) == ("dead", "text refused")
    assert bench.gone == []


async def test_a_group_that_removed_us_is_told_once(bench: Bench) -> None:
    bench.writer.run_now(lambda session: session.add(Group(id=5, platform="telegram", account="a", chat="g1", name="群")))
    bench.write("a", "b", "c", chat="g1")
    bench.write("d", chat="g1", lane=Lane.CAMPAIGN)
    bench.write("e", chat="g2")
    bench.platform.fail(NeverDelivered("kicked", gone=True), NeverDelivered("kicked", gone=True), chat="g1")
    assert await bench.drain() == ["e"]
    assert bench.states() == {"a": "dead", "b": "dead", "c": "dead", "d": "dead", "e": "sent"}
    group = bench.writer.read_now(lambda session: session.exec(select(Group)).one())
    assert (group.active, group.left_at) == (False, START)
    assert bench.gone == [("g1", 5, "kicked")]


async def test_what_on_gone_writes_is_in_the_same_transaction(bench: Bench) -> None:
    bench.writer.run_now(lambda session: session.add(Group(id=5, platform="telegram", account="a", chat="g1", name="群")))

    def tell(session: Session, address: Address, group_id: int | None, why: str) -> None:
        enqueue(session, NewNotice("told", Lane.OFFICER, Address("telegram", "a", "boss", private=True), why), bench.clock())

    bench.make(on_gone=tell)
    bench.platform.fail(NeverDelivered("kicked", gone=True))
    bench.write("a")
    await bench.drain()
    bench.outbox.wake()
    assert await bench.drain() == ["kicked"]


async def test_a_secret_is_kept_no_longer_than_it_is_needed(bench: Bench) -> None:
    bench.platform.fail(RetryLater(5), NeverDelivered("blocked", gone=True), chat="p2")
    bench.write("sent", chat="p1", secret=True)
    bench.write("dead", "dead too", chat="p2", secret=True)
    bench.write("plain", chat="p3")
    await bench.drain()
    assert [bench.notice(key).text for key in ("sent", "dead", "plain")] == ["", "dead", "plain"]
    await bench.drain_for(10)
    assert [bench.notice(key).text for key in ("dead", "dead too")] == ["", ""]
    bench.platform.fail(*(Lost(delivered=False) for _ in range(4)))
    bench.write("unknown", chat="p1", secret=True)
    assert (await bench.drain_for(60))[:2] == ["sent", "plain"]
    assert (bench.notice("unknown").state, bench.notice("unknown").text) == ("unknown", "")


# --- lost answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Lost(delivered=True), Lost(delivered=False), ValueError("a bug"), AnswerLost("reset")])
@pytest.mark.parametrize("lane", list(Lane))
async def test_a_lost_answer_by_lane(bench: Bench, lane: Lane, fault: Any) -> None:
    bench.platform.fail(fault)
    bench.write("x", lane=lane)
    texts = await bench.drain_for(10)
    arrived_first = ["x"] if isinstance(fault, Lost) and fault.delivered else []
    if lane is Lane.CAMPAIGN:
        assert texts == arrived_first
        assert bench.notice("x").state == "unknown"
        assert bench.notice("x").problem
    else:
        assert texts == [*arrived_first, f"{MARK}x"]
        assert bench.notice("x").state == "sent"
        assert bench.notice("x").lost == 1


async def test_repeats_are_at_most_three(bench: Bench) -> None:
    bench.platform.fail(*(Lost(delivered=True) for _ in range(9)))
    bench.write("x", "next")
    texts = await bench.drain_for(100)
    assert texts[:4] == ["x", f"{MARK}x", f"{MARK}x", f"{MARK}x"]
    assert bench.notice("x").state == "unknown"
    assert bench.notice("x").lost == 4
    assert texts[4:8] == ["next", f"{MARK}next", f"{MARK}next", f"{MARK}next"]


@pytest.mark.parametrize("lane", list(Lane))
async def test_a_platform_that_knows_keys_gets_the_same_one_unmarked(bench: Bench, lane: Lane) -> None:
    bench.platform.can = Capabilities(exactly_once=True)
    bench.platform.fail(Lost(delivered=True), Lost(delivered=False))
    bench.write("x", lane=lane)
    assert await bench.drain_for(10) == ["x"]
    assert [what.key for _, _, what in bench.platform.attempts] == ["x", "x", "x"]
    assert bench.notice("x").state == "sent"


async def test_a_refusal_after_a_lost_answer_keeps_the_mark(bench: Bench) -> None:
    bench.platform.fail(Lost(delivered=True), RetryLater(1))
    bench.write("x")
    assert await bench.drain_for(10) == ["x", f"{MARK}x"]


async def test_a_definite_refusal_needs_no_mark(bench: Bench) -> None:
    bench.platform.fail(RetryLater(1), RetryLater(1))
    bench.write("x")
    assert await bench.drain_for(10) == ["x"]
    assert bench.notice("x").attempt == 3


async def test_a_task_that_was_stopped_sends_nothing_more(bench: Bench) -> None:
    bench.make(rule=OutboxRule(in_flight=3, in_flight_reserve=2))  # one post at a time
    bench.platform.fail(Hang(), chat="g1")
    bench.platform.fail(Hang(), chat="g2")
    bench.write("x", chat="g1", lane=Lane.CAMPAIGN)
    bench.write("y", chat="g2", lane=Lane.CAMPAIGN)
    draining = asyncio.create_task(bench.outbox.drain())
    await until(lambda: len(bench.platform.attempts) == 1)
    (first,) = bench.outbox._tasks
    first.cancel()
    await until(lambda: len(bench.platform.attempts) == 2)
    assert first.done()
    bench.orphans += [draining, *bench.outbox._tasks]


# --- restarts and nodes -------------------------------------------------------------------------------------------


async def interrupted(bench: Bench, outbox: Outbox) -> None:
    """Let `outbox` claim and begin to send, then forget it as `kill -9` would."""
    task = asyncio.create_task(outbox.drain())
    await until(lambda: bool(bench.platform.attempts))
    task.cancel()
    await asyncio.wait([task])
    bench.orphans += outbox._tasks


@pytest.mark.parametrize("lane", [Lane.REPLY, Lane.CAMPAIGN])
async def test_after_a_crash_what_was_claimed_counts_as_lost(bench: Bench, lane: Lane) -> None:
    bench.platform.fail(Hang(delivered=True), chat="g1")
    bench.write("x", "y", lane=lane)
    await interrupted(bench, bench.outbox)
    assert bench.notice("x").state == "sending"
    bench.make()
    texts = await bench.drain_for(5)
    if lane is Lane.REPLY:
        assert texts == ["x", f"{MARK}x", "y"]
    else:
        assert texts == ["x", "y"]
        assert bench.notice("x").state == "unknown"


async def test_another_node_waits_for_the_lease(bench: Bench) -> None:
    bench.platform.fail(Hang(delivered=False), chat="g1")
    bench.write("x")
    await interrupted(bench, bench.outbox)
    bench.make(node="n2")
    assert await bench.drain_for(119, 1) == []
    assert await bench.drain_for(5, 1) == [f"{MARK}x"]


async def test_a_result_is_refused_once_the_claim_is_somebody_elses(bench: Bench) -> None:
    """A node that slept past its lease wakes up and writes: its word does not count any more."""
    bench.platform.fail(Hang(delivered=False), chat="g1")
    bench.write("x")
    sleeper = bench.outbox
    await interrupted(bench, sleeper)
    claim = next(iter(next(iter(sleeper._accounts.values())).sending.values()))
    bench.clock.forward(200)
    bench.make(node="n2")
    await bench.drain_for(5)
    assert bench.notice("x").message_id == "out1"
    await bench.writer.run(
        lambda session: rows.write_back(session.connection(), sleeper._me, [rows.Sent(claim, "stale", bench.clock())])
    )
    assert bench.notice("x").message_id == "out1"


async def test_what_waited_in_memory_past_its_lease_is_not_sent(bench: Bench) -> None:
    bench.make(one_a_second(), rule=OutboxRule(lease=60, send_timeout=30))
    for i in range(3):
        bench.write(f"m{i}", chat=f"g{i}")
    await bench.drain()
    claimed = [key for key, state in bench.states().items() if state == "sending"]
    assert claimed
    bench.clock.forward(500)  # the machine slept
    await bench.outbox.drain()
    assert bench.notice(claimed[0]).attempt == 1  # given back unused, claimed anew
    assert sorted(await bench.drain_for(5)) == ["m0", "m1", "m2"]


async def test_a_transaction_without_an_answer_leaves_nothing_stuck(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The claim was committed, but we were told that storage failed."""
    bench.write("a", "b")
    real = bench.writer.run
    failures = iter([True])

    async def run(work: Callable[[Session], Any]) -> Any:
        result = await real(work)
        if next(failures, False):
            raise StorageUnavailable("lost on the way")
        return result

    monkeypatch.setattr(bench.writer, "run", run)
    assert await bench.drain_for(10) == ["a", "b"]
    assert bench.notice("a").attempt == 1


async def test_storage_trouble_loses_no_result(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("a", "b")
    real = bench.writer.run
    calls = 0

    async def run(work: Callable[[Session], Any]) -> Any:
        nonlocal calls
        calls += 1
        if 2 <= calls <= 4:
            raise StorageUnavailable("disk full")
        return await real(work)

    monkeypatch.setattr(bench.writer, "run", run)
    assert await bench.drain_for(20) == ["a", "b"]
    assert bench.states() == {"a": "sent", "b": "sent"}


# --- stopping -----------------------------------------------------------------------------------------------------


async def test_stop_gives_back_what_was_not_sent(bench: Bench) -> None:
    bench.make(one_a_second())
    for i in range(10):
        bench.write(f"m{i}", chat=f"g{i}")
    task = asyncio.create_task(bench.outbox.run())
    await until(lambda: len(bench.platform.arrived) == 1)
    await asyncio.wait_for(bench.outbox.stop(), 30)
    await task
    stored = bench.writer.read_now(lambda session: session.exec(select(Notice).order_by(col(Notice.id))).all())
    assert [(n.state, n.attempt, n.lost, n.owner) for n in stored] == [("sent", 1, 0, "")] + [("pending", 0, 0, "")] * 9


async def test_stop_waits_for_a_send_and_then_calls_it_lost(bench: Bench) -> None:
    bench.make(rule=OutboxRule(grace=0.05))
    bench.platform.fail(Hang(), chat="g1")
    bench.write("x")
    task = asyncio.create_task(bench.outbox.run())
    await until(lambda: bool(bench.platform.attempts))
    await asyncio.wait_for(bench.outbox.stop(), 30)
    await task
    assert (bench.notice("x").state, bench.notice("x").lost) == ("pending", 1)


async def test_an_idle_outbox_does_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("a")
    task = asyncio.create_task(bench.outbox.run())
    await until(lambda: bench.platform.texts() == ["a"] and bench.notice("a").state == "sent")
    calls = 0
    real = bench.writer.run

    async def run(work: Callable[[Session], Any]) -> Any:
        nonlocal calls
        calls += 1
        return await real(work)

    monkeypatch.setattr(bench.writer, "run", run)
    await asyncio.sleep(0.3)
    assert calls == 0
    bench.write("b")
    bench.outbox.wake()
    await until(lambda: bench.platform.texts() == ["a", "b"])
    await bench.outbox.stop()
    await task


async def test_a_patrol_finds_what_another_process_wrote(bench: Bench) -> None:
    bench.make(rule=OutboxRule(patrol=0.05))
    bench.outbox._clock = lambda: datetime.now(UTC)
    task = asyncio.create_task(bench.outbox.run())
    await asyncio.sleep(0.02)
    bench.write("from elsewhere")  # and nobody calls wake
    await until(lambda: bench.platform.texts() == ["from elsewhere"])
    await bench.outbox.stop()
    await task


async def test_a_campaign_stops_at_once(bench: Bench) -> None:
    bench.writer.run_now(lambda session: session.add(Campaign(id=3, post="p", origin="shell", created_at=START)))
    bench.make(Pacing(default=PacingRule(per_account_per_second=10, per_chat_interval=0)))
    for i in range(100):
        bench.write(f"c{i}", chat=f"g{i}", lane=Lane.CAMPAIGN, campaign_id=3)
    bench.write("other", chat="g1", lane=Lane.CAMPAIGN, campaign_id=4)
    await bench.drain_for(2, 0.1)
    sent = len(bench.platform.arrived)
    assert 15 < sent < 30
    assert await bench.outbox.stop_campaign(3) == 100 - sent
    texts = await bench.drain_for(5, 0.1)
    assert texts[sent:] == ["other"]
    counts = Counter(state for key, state in bench.states().items() if key != "other")
    assert counts == {"sent": sent, "cancelled": 100 - sent}
    assert bench.writer.read_now(lambda session: session.exec(select(Campaign.state)).one()) == "stopped"


async def test_a_stopped_campaign_is_not_retried(bench: Bench) -> None:
    """A handler stopped it inside its own transaction while a send was under way, and that send was refused."""
    bench.writer.run_now(lambda session: session.add(Campaign(id=3, post="p", origin="shell", created_at=START)))
    bench.write("c", lane=Lane.CAMPAIGN, campaign_id=3)
    bench.write("d", lane=Lane.CAMPAIGN, campaign_id=3)
    real = bench.platform.send

    async def send(to: Address, what: Any) -> Any:
        bench.writer.run_now(lambda session: cancel_campaign(session, 3))
        await real(to, what)
        raise RetryLater(1)

    bench.platform.send = send  # type: ignore[method-assign]
    await bench.drain_for(10)
    assert bench.states() == {"c": "cancelled", "d": "cancelled"}


def one_a_second() -> Pacing:
    return Pacing(default=PacingRule(per_account_per_second=1, per_chat_interval=0))


async def until(condition: Callable[[], bool]) -> None:
    """Give the loop turns until `condition` holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_what_is_too_old_to_be_deleted_says_that_it_was_taken_back(bench: Bench) -> None:
    bench.platform.can = Capabilities(edit=True)  # as Telegram after 48 hours
    bench.write("wrong", "wrong, with a photo")
    await bench.drain()
    for key, instead in (("wrong", "taken back"), ("wrong, with a photo", "")):
        told = bench.notice(key).message_id
        recall = NewNotice(f"recall {key}", Lane.OFFICER, Address("telegram", "a", "g1"), instead, recalls=told)
        bench.writer.run_now(lambda session, recall=recall: enqueue(session, recall, bench.clock()))  # type: ignore[misc]
    await bench.drain()
    assert [(one.message_id, one.what.text) for one in bench.platform.edited] == [
        (bench.notice("wrong").message_id, "taken back")
    ]
    states = bench.states()
    assert (states["recall wrong"], states["recall wrong, with a photo"]) == ("sent", "dead")
