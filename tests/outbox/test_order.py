"""In which order and how fast notices leave: lanes, chats, slots; and that each is enqueued once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlmodel import Session

import storage.claims as rows
from bot.errors import RetryLater
from bot.messages import Address, Choice, Outbound, Receipt
from bot.outbox import Lane, NewNotice, OutboxRule, enqueue
from bot.pacing import Pacing, PacingRule
from tests.kit.fake_platform import FakePlatform, Hang, Lost
from tests.outbox.bench import MARK, START, Bench, one_a_second, until


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


async def test_what_a_round_cannot_have_seen_is_looked_for_after_it(bench: Bench) -> None:
    """The first answer arrives while a round asks for more: the second, which waited for it, does not wait for the patrol."""
    arrives, asked, answered = asyncio.Event(), asyncio.Event(), asyncio.Event()
    deliver, run = bench.platform.send, bench.writer.run

    async def send(to: Address, what: Outbound) -> Receipt:
        await arrives.wait()
        return await deliver(to, what)

    async def ask(work: Callable[[Session], Any]) -> Any:
        found = await run(work)
        asked.set()
        await answered.wait()
        return found

    bench.platform.send = send  # type: ignore[method-assign]
    bench.write("first")
    running = asyncio.create_task(bench.outbox.run())
    await until(lambda: bench.outbox.busy(("telegram", "a")) and not bench.outbox._accounts["telegram", "a"].queue)
    bench.writer.run = ask  # type: ignore[method-assign]
    bench.write("second")
    bench.outbox.wake()
    await asked.wait()
    arrives.set()
    await until(lambda: bench.platform.texts() == ["first"] and not bench.outbox._under_way)
    answered.set()
    await until(lambda: bench.platform.texts() == ["first", "second"])
    await bench.outbox.stop()
    await running
