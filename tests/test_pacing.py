"""Budgets: how fast, how fairly, and what a restart keeps."""

from __future__ import annotations

import math
import random
from collections import deque
from datetime import UTC, datetime, timedelta

import pytest

from bot.outbox import Lane
from bot.pacing import NEVER, OVERALL, Pacing, PacingRule, _Second

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
A = ("telegram", "a")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "wrong",
    [
        {"per_account_per_second": 0},
        {"per_account_per_second": -1},
        {"per_account_per_second": math.nan},
        {"per_chat_interval": -0.1},
        {"per_chat_interval": 60},
        {"per_chat_per_minute": 0, "chat_reserve": 0},
        {"per_chat_per_minute": 5, "chat_reserve": 5},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        PacingRule(**wrong)  # type: ignore[arg-type]


def test_the_overall_rate_must_be_above_zero() -> None:
    with pytest.raises(ValueError):
        Pacing(overall_per_second=0)


@pytest.mark.parametrize("late_ms", [0, 1, 15, 40])
def test_a_broadcast_keeps_the_rate_and_never_breaks_a_sliding_second(late_ms: int) -> None:
    """6,017 groups at 29/s, woken a little too late each time: no window above 30, and the time is the theoretical one."""
    pacing = Pacing(default=PacingRule(per_account_per_second=29))
    rng = random.Random(3)
    now = START
    window: deque[datetime] = deque()
    for i in range(6017):
        now = max(now, pacing.account_ready_at(A, now))
        now += timedelta(milliseconds=rng.uniform(0, late_ms) if late_ms < 30 else 0)
        pacing.take(A, f"g{i}", now)
        window.append(now)
        while (now - window[0]).total_seconds() >= 1.0:
            window.popleft()
        assert len(window) <= 30
    assert 207.4 <= (now - START).total_seconds() <= 207.5 * 1.02


def broadcast_by_bookings(pacing: Pacing, groups: int, rng: random.Random) -> list[datetime]:
    """When each message leaves, on a machine that now and then wakes late and lets some milliseconds pass after that."""
    now, left, booked = START, [], 0
    for i in range(groups):
        while (
            slot := pacing.account_ready_at(A, now)
        ) == NEVER:  # as the storage books them: one after the other, none in the past
            booked = max(booked, math.ceil((now - START).total_seconds() * 29))
            bookings = pacing.wanted({A: 10}, now)
            pacing.book(bookings, {one.scope: at(booked / 29) for one in bookings})
            booked += 10
        now = max(now, slot) + timedelta(milliseconds=rng.choices((0, 1, 5, 30, 90), (60, 20, 13, 5, 2))[0])
        pacing.take(A, f"g{i}", now)
        left.append(now + timedelta(milliseconds=rng.uniform(0, 12)))
    return left


def fullest_second(times: list[datetime]) -> int:
    times, fullest, first = sorted(times), 0, 0
    for last, moment in enumerate(times):
        while moment - times[first] >= timedelta(seconds=1):
            first += 1
        fullest = max(fullest, last - first + 1)
    return fullest


def test_booked_slots_that_are_used_late_never_fill_a_second_and_are_not_lost() -> None:
    left = broadcast_by_bookings(Pacing(booking=True), 6000, random.Random(3))
    assert fullest_second(left) <= 30
    assert (left[-1] - START).total_seconds() <= 6000 / 29 * 1.015


def test_without_a_look_at_the_last_second_late_slots_fill_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Second, "ready_at", lambda self, now: now)
    assert fullest_second(broadcast_by_bookings(Pacing(booking=True), 6000, random.Random(3))) > 30


def test_slots_that_several_nodes_share_are_lost_when_they_are_missed() -> None:
    pacing = Pacing(default=PacingRule.unlimited(), overall_per_second=10, booking=True)
    pacing.book(pacing.wanted({A: 3}, START), {OVERALL: START})
    assert pacing.account_ready_at(A, at(0.15)) == at(0.15)
    pacing.take(A, "g", at(0.15))
    assert pacing.account_ready_at(A, at(0.15)) == at(0.2), "the first slot was missed, the second was used"


def test_a_pause_gives_back_one_slot_and_no_more() -> None:
    pacing = Pacing(default=PacingRule(per_account_per_second=10))
    pacing.take(A, "g", START)
    now = at(100)
    times = []
    for i in range(4):
        now = max(now, pacing.account_ready_at(A, now))
        pacing.take(A, f"g{i}", now)
        times.append((now - at(100)).total_seconds())
    assert times == pytest.approx([0.0, 0.0, 0.1, 0.2])


def test_accounts_do_not_share_a_schedule_but_the_overall_one() -> None:
    pacing = Pacing(default=PacingRule(per_account_per_second=1))
    pacing.take(A, "g", START)
    assert pacing.account_ready_at(A, START) == at(1)
    assert pacing.account_ready_at(("telegram", "b"), START) == START
    both = Pacing(default=PacingRule(per_account_per_second=10), overall_per_second=2)
    both.take(A, "g", START)
    assert both.account_ready_at(("wechat", "b"), START) == at(0.5)


def test_rules_are_by_platform() -> None:
    pacing = Pacing({"web": PacingRule.unlimited()}, default=PacingRule(per_account_per_second=1))
    pacing.take(A, "g", START)
    for _ in range(100):
        pacing.take(("web", "main"), "g", START)
    assert pacing.account_ready_at(("web", "main"), START) == START
    assert pacing.chat_ready_at(("web", "main"), "g", Lane.CAMPAIGN, START) == START
    assert pacing.account_ready_at(A, START) > START


def test_a_chat_rests_between_two_messages_except_for_an_alarm() -> None:
    pacing = Pacing(default=PacingRule(per_chat_interval=3))
    pacing.take(A, "g", START)
    for lane in (Lane.REPLY, Lane.OFFICER, Lane.CAMPAIGN):
        assert pacing.chat_ready_at(A, "g", lane, at(1)) == at(3)
    assert pacing.chat_ready_at(A, "g", Lane.ALARM, at(1)) == at(1)
    assert pacing.chat_ready_at(A, "h", Lane.CAMPAIGN, at(1)) == at(1)


def test_replies_have_a_reserve_in_a_chats_minute() -> None:
    pacing = Pacing(default=PacingRule(per_chat_interval=0, per_chat_per_minute=6, chat_reserve=2))
    for i in range(4):
        assert pacing.chat_ready_at(A, "g", Lane.CAMPAIGN, at(i)) == at(i)
        pacing.take(A, "g", at(i))
    assert pacing.chat_ready_at(A, "g", Lane.CAMPAIGN, at(5)) == at(60)
    for i in (5, 6):
        assert pacing.chat_ready_at(A, "g", Lane.REPLY, at(i)) == at(i)
        pacing.take(A, "g", at(i))
    assert pacing.chat_ready_at(A, "g", Lane.REPLY, at(7)) == at(60)
    assert pacing.chat_ready_at(A, "g", Lane.CAMPAIGN, at(7)) == at(62)
    assert pacing.chat_ready_at(A, "g", Lane.ALARM, at(7)) == at(7)


def test_what_was_sent_before_a_restart_counts() -> None:
    rule = PacingRule(per_account_per_second=1, per_chat_interval=3, per_chat_per_minute=2, chat_reserve=0)
    fresh = Pacing(default=rule)
    fresh.restore([("telegram", "a", "g", at(-30)), ("telegram", "a", "g", at(-0.5))])
    assert fresh.account_ready_at(A, START) == at(0.5)
    assert fresh.chat_ready_at(A, "g", Lane.REPLY, START) == at(30)
    assert fresh.chat_ready_at(A, "h", Lane.REPLY, START) == START


@pytest.mark.parametrize("jump", [-3600.0, 3600.0, -90.0])
def test_a_clock_that_jumps_stops_nobody(jump: float) -> None:
    rule = PacingRule(per_account_per_second=1, per_chat_interval=3, per_chat_per_minute=2, chat_reserve=0)
    pacing = Pacing(default=rule, overall_per_second=1)
    for i in range(2):
        pacing.take(A, "g", at(i))
    now = at(2 + jump)
    assert pacing.account_ready_at(A, now) <= now + timedelta(seconds=1)
    assert pacing.chat_ready_at(A, "g", Lane.CAMPAIGN, now) <= now + timedelta(seconds=60)
    if jump > 0 or jump < -60:
        assert pacing.chat_ready_at(A, "g", Lane.CAMPAIGN, now) == now


def test_silent_chats_are_forgotten() -> None:
    pacing = Pacing(default=PacingRule())
    for i in range(20_000):
        pacing.take(A, f"g{i}", at(i / 29))
    assert len(pacing._accounts[A].chats) <= 29 * 121


def test_a_group_and_a_private_chat_have_windows_of_their_own() -> None:
    """Telegram bears one message a second in a chat and twenty a minute in a group."""
    pacing = Pacing(default=PacingRule(per_chat_interval=1, per_chat_per_minute=60, per_group_per_minute=20, chat_reserve=5))
    for i in range(15):
        for chat in ("g", "p"):
            pacing.take(A, chat, at(i))
    assert pacing.chat_ready_at(A, "g", Lane.CAMPAIGN, at(15)) == at(60)
    assert pacing.chat_ready_at(A, "g", Lane.REPLY, at(15)) == at(15)
    assert pacing.chat_ready_at(A, "p", Lane.CAMPAIGN, at(15), private=True) == at(15)
    for i in range(15, 20):
        pacing.take(A, "g", at(i))
    assert pacing.chat_ready_at(A, "g", Lane.REPLY, at(20)) == at(60)


def test_a_groups_window_never_widens_the_chats() -> None:
    pacing = Pacing(default=PacingRule(per_chat_interval=0, per_chat_per_minute=2, per_group_per_minute=50, chat_reserve=0))
    for i in range(2):
        pacing.take(A, "g", at(i))
    assert pacing.chat_ready_at(A, "g", Lane.REPLY, at(3)) == at(60)
