"""Crashes, other nodes, storage trouble, stopping: nothing is lost, nothing stuck, nothing said twice without need."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import Session, col, select

import storage.receipts as receipts
from bot.errors import RetryLater
from bot.messages import Address
from bot.outbox import Lane, OutboxRule, cancel_campaign
from bot.pacing import Pacing, PacingRule
from storage.tables import Campaign, Notice
from storage.writer import StorageUnavailable
from tests.kit.fake_platform import Hang
from tests.outbox.bench import MARK, START, Bench, interrupted, one_a_second, until


@pytest.mark.parametrize("lane", [Lane.REPLY, Lane.CAMPAIGN])
async def test_after_a_crash_what_was_claimed_counts_as_lost(bench: Bench, lane: Lane) -> None:
    bench.platform.fail(Hang(delivered=True), chat="g1")
    bench.write("x", "y", lane=lane)
    await interrupted(bench, bench.outbox)
    assert bench.notice("x").sending
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
        lambda session: receipts.write_back(session.connection(), sleeper._me, [receipts.Sent(claim, "stale", bench.clock())])
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
