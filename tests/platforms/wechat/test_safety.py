"""An account is spared: pauses, budgets, caution; alarms never wait, answers rarely. On a clock of the test's own."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest

from bot.allowance import AccountRule, Allowance
from bot.config import Settings
from bot.notices import Lane
from bot.pacing import Pacing
from bot.platforms.wechat.safety import Severity, says_gone, says_logged_out, warns

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
KEY = ("wechat", "main")


def pacing() -> Pacing:
    return Pacing(Settings().pacing.rules, rng=random.Random(7))


def run(paces: Pacing, lane: Lane, count: int, start: datetime = START) -> list[datetime]:
    """When so many messages go, each to another chat, as early as they may."""
    now, sent = start, []
    for number in range(count):
        now = max(now, paces.chat_ready_at(KEY, f"g{number}", lane, now), paces.account_ready_at(KEY, now))
        assert paces.chat_ready_at(KEY, f"g{number}", lane, now) <= now
        paces.take(KEY, f"g{number}", now)
        sent.append(now)
    return sent


def test_between_two_groups_lie_three_to_five_seconds_never_the_same() -> None:
    sent = run(pacing(), Lane.REPLY, 14)
    pauses = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(sent)]
    assert all(3 <= pause <= 5 for pause in pauses)
    assert len(set(pauses)) == len(pauses)


def test_a_campaign_leaves_some_of_the_minute_and_of_the_day_to_answers() -> None:
    paces = pacing()
    sent = run(paces, Lane.CAMPAIGN, 300)
    for moment in sent:
        assert sum(moment <= other < moment + timedelta(minutes=1) for other in sent) <= 10
    # the day's share is used up: the next post waits until tomorrow, an answer does not
    now = sent[-1] + timedelta(minutes=2)
    assert paces.chat_ready_at(KEY, "other", Lane.CAMPAIGN, now) == sent[0] + timedelta(days=1)
    assert paces.lane_ready_at(KEY, Lane.CAMPAIGN, now) == sent[0] + timedelta(days=1)
    assert paces.chat_ready_at(KEY, "other", Lane.REPLY, now) == now
    answers = run(paces, Lane.REPLY, 200, now)
    assert paces.chat_ready_at(KEY, "more", Lane.REPLY, answers[-1] + timedelta(minutes=2)) == sent[0] + timedelta(days=1)
    assert paces.chat_ready_at(KEY, "fire", Lane.ALARM, answers[-1]) == answers[-1]


def test_the_same_group_is_answered_without_the_pause_between_groups() -> None:
    paces = pacing()
    paces.take(KEY, "g", START)
    later = START + timedelta(seconds=1.5)
    assert paces.chat_ready_at(KEY, "g", Lane.REPLY, later) == later
    assert paces.chat_ready_at(KEY, "h", Lane.REPLY, later) > later


def test_a_warning_holds_everything_back_but_alarms_and_then_halves_the_pace() -> None:
    paces = pacing()
    held, slow = START + timedelta(minutes=30), START + timedelta(hours=24)
    paces.be_careful(KEY, held, slow)
    for lane in (Lane.REPLY, Lane.OFFICER, Lane.CAMPAIGN):
        assert paces.chat_ready_at(KEY, "g", lane, START) == held
        assert paces.lane_ready_at(KEY, lane, START) == held
    assert paces.chat_ready_at(KEY, "g", Lane.ALARM, START) == START
    sent = run(paces, Lane.REPLY, 7, held)
    assert all((later - earlier).total_seconds() >= 6 for earlier, later in itertools.pairwise(sent))
    tomorrow = run(paces, Lane.REPLY, 3, slow + timedelta(minutes=1))
    assert (tomorrow[-1] - tomorrow[0]).total_seconds() <= 10


def test_a_restart_gives_no_fresh_budget() -> None:
    paces = pacing()
    sent = run(paces, Lane.CAMPAIGN, 300)
    fresh = pacing()
    assert fresh.memory([KEY]) == timedelta(days=1)
    assert fresh.memory([("telegram", "a"), ("web", "web")]) == timedelta(minutes=1)
    fresh.restore([("wechat", "main", f"g{number}", moment) for number, moment in enumerate(sent)])
    now = sent[-1] + timedelta(minutes=2)
    assert fresh.chat_ready_at(KEY, "other", Lane.CAMPAIGN, now) == sent[0] + timedelta(days=1)


def test_accounts_are_paced_apart_so_that_more_accounts_are_more_groups() -> None:
    paces = pacing()
    run(paces, Lane.CAMPAIGN, 300)
    other = ("wechat", "second")
    later = START + timedelta(hours=2)
    assert paces.chat_ready_at(other, "g", Lane.CAMPAIGN, later) == later


def test_a_clock_that_was_set_back_blocks_nobody_for_a_day() -> None:
    allowance = Allowance(AccountRule((3, 5), 15, 5, 20, 10), random.Random(1))
    for second in range(0, 200, 10):
        allowance.take(f"g{second}", START + timedelta(days=2, seconds=second))
    assert allowance.ready_at(Lane.CAMPAIGN, "g", START) == START


@pytest.mark.parametrize(
    "rule",
    [
        {"between_chats": (5, 3)},
        {"between_chats": (-1, 3)},
        {"per_minute": 5, "minute_reserve": 5},
        {"per_day": 5, "day_reserve": 9},
    ],
)
def test_a_rule_that_makes_no_sense(rule: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be"):
        AccountRule(**rule)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "said", ["操作过于频繁，请稍后再试", "你的微信账号存在异常", "rate limit exceeded", "Too many requests", "账号被冻结"]
)
def test_what_is_a_warning(said: str) -> None:
    assert warns(said)


@pytest.mark.parametrize("said", ["socket hang up", "no such message", "", "not supported"])
def test_what_is_none(said: str) -> None:
    assert not warns(said)
    assert not says_gone(said)
    assert not says_logged_out(said)


def test_what_says_that_we_are_not_logged_in() -> None:
    assert says_logged_out("puppet not logged in")
    assert not says_gone("puppet not logged in")


def test_each_warning_of_a_day_holds_back_longer_up_to_eight_hours() -> None:
    severity = Severity()
    assert [severity.held(number).total_seconds() / 60 for number in (1, 2, 3, 4, 5, 50)] == [30, 60, 120, 240, 480, 480]
