"""What becomes of a notice by what its platform says, or does not say."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlmodel import Session, select

from bot.errors import AnswerLost, NeverDelivered, RetryLater
from bot.messages import Address
from bot.outbox import Lane, NewNotice, OutboxRule, enqueue
from bot.platforms.base import Capabilities
from storage.tables import Group, Pause
from tests.kit.fake_platform import FakePlatform, Hang, Lost
from tests.outbox.bench import MARK, START, Bench, until


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
