"""Timers: rows that are found when due, done once, told of after three failures, and never thrown away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select

from bot.app import open_database
from bot.clock import ManualClock
from bot.timers import Due, GivenUp, TimerLoop, Timers, failing
from storage.tables import Timer
from storage.writer import StorageUnavailable, Writer
from tests.kit.empty import lay_empty

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    url = f"sqlite:///{tmp_path / 'timers.sqlite3'}"
    lay_empty(url)
    writer = await asyncio.to_thread(open_database, url)
    yield writer
    await asyncio.to_thread(writer.close)


class Bench:
    """A loop whose due timers are written down; `fails` names those that raise."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.clock = ManualClock(NOW)
        self.done: list[Due] = []
        self.fails: set[str] = set()
        self.tried: list[str] = []
        self.given_up: list[tuple[str, int]] = []
        self.some_done = asyncio.Event()
        self.loop = TimerLoop(writer, self.clock, self.run, self.give_up)

    def run(self, session: Session, due: Due) -> Callable[[], None]:
        self.tried.append(due.key)
        if due.key in self.fails:
            raise RuntimeError("planted")
        return lambda: self._note(due)

    def give_up(self, session: Session, due: Due, tries: int) -> GivenUp:
        if due.key == "worse":
            raise RuntimeError("planted")
        return GivenUp(due.key == "over", lambda: self.given_up.append((due.key, tries)))

    def _note(self, due: Due) -> None:
        self.done.append(due)
        self.some_done.set()

    def set(self, minutes: float, key: str, **data: str) -> None:
        self.writer.run_now(lambda session: Timers(session, self.clock()).after(timedelta(minutes=minutes), "test", key, **data))

    async def pass_minutes(self, minutes: float) -> None:
        self.clock.advance(timedelta(minutes=minutes))
        await self.loop.run_due()

    def keys(self) -> list[str]:
        return [due.key for due in self.done]


async def test_done_when_due_in_order_and_once(writer: Writer) -> None:
    bench = Bench(writer)
    bench.set(2, "b")
    bench.set(1, "a", what="x")
    assert await bench.loop.run_due() == NOW + timedelta(minutes=1)
    assert bench.done == []
    await bench.pass_minutes(5)
    await bench.pass_minutes(5)
    assert bench.done == [Due("test", "a", {"what": "x"}), Due("test", "b", {})]


async def test_set_again_it_moves_and_cancelled_it_is_gone(writer: Writer) -> None:
    bench = Bench(writer)
    bench.set(1, "a")
    bench.set(10, "a")
    bench.set(1, "b")
    writer.run_now(lambda session: Timers(session, NOW).cancel("test", "b"))
    await bench.pass_minutes(5)
    assert bench.done == []
    await bench.pass_minutes(5)
    assert bench.keys() == ["a"]


async def test_one_that_fails_is_told_at_the_third_time_tried_on_and_blocks_nobody(writer: Writer) -> None:
    bench = Bench(writer)
    bench.fails = {"bad", "worse", "over"}
    bench.set(1, "bad", what="x")
    bench.set(1, "worse")
    bench.set(1, "over")
    bench.set(2, "good")
    await bench.pass_minutes(2)
    assert bench.keys() == ["good"]
    await bench.pass_minutes(0.5)
    assert (bench.given_up, writer.read_now(failing)) == ([], {})
    await bench.pass_minutes(1)
    assert bench.given_up == [("bad", 3), ("over", 3)]
    assert writer.read_now(failing) == {"test": 2}, "what is over is gone, the others stay, whoever could not be told"
    for _ in range(2):
        await bench.pass_minutes(60)
    assert (bench.tried.count("over"), bench.tried.count("bad"), bench.tried.count("worse")) == (3, 5, 5)
    bench.fails = set()
    await bench.pass_minutes(60)
    assert bench.done[1:] == [Due("test", "bad", {"what": "x"}), Due("test", "worse", {})]
    assert writer.read_now(lambda session: session.exec(select(Timer)).all()) == []


async def test_a_crash_while_somebody_is_told_puts_nothing_off(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put off and told are one transaction: at the fourth failure nobody would be told any more."""
    bench = Bench(writer)
    bench.fails = {"bad"}
    bench.set(1, "bad")
    await bench.pass_minutes(1)
    await bench.pass_minutes(0.5)

    def killed(session: Session, due: Due, tries: int) -> GivenUp:
        raise StorageUnavailable("planted")

    with monkeypatch.context() as patch:
        patch.setattr(bench.loop, "_give_up", killed)
        with pytest.raises(StorageUnavailable):
            await bench.pass_minutes(1)
    await bench.pass_minutes(0)
    assert bench.given_up == [("bad", 3)]


async def test_one_that_failed_once_is_done_a_little_later(writer: Writer) -> None:
    bench = Bench(writer)
    bench.fails = {"a"}
    bench.set(1, "a")
    await bench.pass_minutes(1)
    bench.fails = set()
    await bench.pass_minutes(0.4)
    assert bench.done == []
    await bench.pass_minutes(0.1)
    assert bench.keys() == ["a"]


async def test_the_loop_sleeps_until_the_next_one_and_wakes_for_an_earlier(writer: Writer) -> None:
    bench = Bench(writer)
    bench.set(60, "late")
    running = asyncio.create_task(bench.loop.run())
    await asyncio.to_thread(bench.set, 1, "early")
    bench.loop.wake()
    bench.clock.advance(timedelta(minutes=1))
    async with asyncio.timeout(60):
        await bench.some_done.wait()
    assert bench.keys() == ["early"]
    running.cancel()
