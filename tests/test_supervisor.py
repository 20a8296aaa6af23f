"""Listeners are started again, patiently, and never twice at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from bot.messages import Inbound
from bot.platforms.supervisor import Backoff, Supervisor
from tests.kit.fake_platform import FakePlatform


class Ears:
    """A feed that remembers what it took; `refuse` makes it fail that many times first."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.refuse = 0

    async def take(self, event: Inbound) -> None:
        if self.refuse:
            self.refuse -= 1
            raise OSError("not kept")
        self.taken.append(event.event_id)

    async def quarantine(self, platform: str, account: str, event_id: str, raw: bytes, why: str) -> None: ...


class Time:
    """A monotonic clock that moves only when somebody sleeps, or when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def supervise(platform: FakePlatform, ears: Ears, time: Time, backoff: Backoff | None = None) -> Supervisor:
    return Supervisor([platform], ears, backoff, sleep=time.sleep, monotonic=time.monotonic, rng=random.Random(5))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    "wrong",
    [
        {"first": 0},
        {"first": 31},
        {"factor": 1},
        {"jitter": 1},
        {"jitter": -0.1},
        {"quiet": -1},
    ],
)
def test_a_backoff_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Backoff(**wrong)


def test_waits_grow_from_first_to_longest_and_are_spread() -> None:
    backoff = Backoff()
    rng = random.Random(1)
    for failures in range(1, 200):
        waits = {backoff.wait(failures, rng) for _ in range(50)}
        plain = min(30.0, 0.5 * 2 ** (failures - 1))
        assert all(0.5 <= wait <= 30 and 0.75 * plain <= wait <= 1.25 * plain for wait in waits)
        assert len(waits) > 10


async def test_a_listener_that_raises_is_started_again_and_hears_everything() -> None:
    platform, ears, time = FakePlatform(), Ears(), Time()
    platform.listen_faults.extend([OSError("refused"), OSError("refused"), None])
    supervisor = supervise(platform, ears, time)
    event = platform.say("张阿姨", "g1", "你好")
    task = asyncio.create_task(supervisor.run())
    await asyncio.wait_for(platform.all_confirmed(), 60)
    assert ears.taken == [event.event_id]
    assert len(time.slept) == 2
    assert time.slept[0] < time.slept[1]
    assert supervisor.listening()
    assert platform.most_listeners == 1
    task.cancel()
    await asyncio.wait([task])
    assert platform.listeners == 0
    assert not supervisor.listening()


async def test_an_event_that_is_not_kept_comes_again() -> None:
    platform, ears, time = FakePlatform(), Ears(), Time()
    ears.refuse = 3
    for i in range(5):
        platform.say("a", "g1", f"m{i}")
    task = asyncio.create_task(supervise(platform, ears, time).run())
    await asyncio.wait_for(platform.all_confirmed(), 60)
    assert ears.taken == ["e1", "e2", "e3", "e4", "e5"]
    assert platform.confirmed == ears.taken
    task.cancel()
    await asyncio.wait([task])


async def test_returning_is_a_failure_too() -> None:
    platform, ears, time = FakePlatform(), Ears(), Time()
    returns = iter(range(3))
    real = platform.listen

    async def listen(feed: Ears) -> None:
        if next(returns, None) is None:
            await real(feed)

    platform.listen = listen  # type: ignore[method-assign, assignment]
    supervisor = supervise(platform, ears, time)
    task = asyncio.create_task(supervisor.run())
    await until(lambda: platform.listeners == 1)
    assert len(time.slept) == 3
    task.cancel()
    await asyncio.wait([task])
    assert not supervisor.listening()


async def test_after_a_quiet_time_the_wait_is_short_again() -> None:
    platform, ears, time = FakePlatform(), Ears(), Time()
    platform.listen_faults.extend([OSError("x")] * 6)
    task = asyncio.create_task(supervise(platform, ears, time).run())
    await until(lambda: platform.listeners == 1)
    assert time.slept[-1] > 8
    time.now += 61  # quiet
    ears.refuse = 1
    platform.say("a", "g1", "x")
    await asyncio.wait_for(platform.all_confirmed(), 60)
    assert time.slept[-1] < 0.7
    task.cancel()
    await asyncio.wait([task])


async def test_a_listener_that_will_not_go_never_meets_its_successor() -> None:
    """It swallows cancellation twice; the supervisor stays until it is gone."""
    platform, ears, time = FakePlatform(), Ears(), Time()
    running = 0
    most = 0

    async def listen(feed: Ears) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        stubborn = 2
        try:
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    stubborn -= 1
                    if not stubborn:
                        raise
        finally:
            running -= 1

    platform.listen = listen  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(supervise(platform, ears, time).run())
    await until(lambda: running == 1)
    task.cancel()
    await asyncio.wait([task], timeout=60)
    assert task.done()
    assert (running, most) == (0, 1)


async def test_one_platform_down_leaves_the_others_up() -> None:
    time, ears = Time(), Ears()
    good, bad = FakePlatform("web"), FakePlatform("telegram")
    bad.listen_faults.extend([OSError("no network")] * 1000)
    supervisor = Supervisor([good, bad], ears, sleep=time.sleep, monotonic=time.monotonic)
    task = asyncio.create_task(supervisor.run())
    await until(lambda: good.listeners == 1 and len(time.slept) > 3)
    good.say("a", "g1", "x")
    await asyncio.wait_for(good.all_confirmed(), 60)
    health = supervisor.health()
    assert health[("web", "main")].listening
    assert not health[("telegram", "main")].listening
    assert "no network" in health[("telegram", "main")].last_error
    assert not supervisor.listening()
    task.cancel()
    await asyncio.wait([task])
