"""Waiting: an alarm rings when its time has come, and whoever is woken earlier goes on at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.clock import Clock, ManualClock


async def test_the_alarm_rings_and_not_too_early() -> None:
    clock = Clock()
    until = clock() + timedelta(milliseconds=50)
    await asyncio.wait_for(clock.wait(until, asyncio.Event()), 60)
    assert clock() >= until
    clock.close()


async def test_a_time_that_has_passed_does_not_wait() -> None:
    clock = Clock()
    waiting = asyncio.create_task(clock.wait(clock() - timedelta(hours=3), asyncio.Event()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert waiting.done()
    clock.close()


async def test_who_is_woken_does_not_wait_for_the_alarm_and_leaves_none_behind() -> None:
    clock, wake = Clock(), asyncio.Event()
    waiting = asyncio.create_task(clock.wait(clock() + timedelta(days=1), wake))
    await asyncio.sleep(0)
    wake.set()
    await asyncio.wait_for(waiting, 60)
    assert clock._running().get_jobs() == []
    clock.close()


async def test_a_clock_that_stands_still_rings_when_it_is_moved() -> None:
    clock = ManualClock(datetime(2026, 11, 23, tzinfo=UTC))
    waiting = asyncio.create_task(clock.wait(clock() + timedelta(hours=2), asyncio.Event()))
    await asyncio.sleep(0)
    clock.advance(timedelta(hours=1))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), 0.01)
    clock.advance(timedelta(hours=1))
    await asyncio.wait_for(waiting, 60)
