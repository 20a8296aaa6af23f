"""Order within a lane, fairness between groups, emergencies past everybody."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable

import pytest

from bot.lanes import LATE_AT_ONCE, LaneKey, Lanes, _Lane, _Rotation
from bot.messages import Address

Item = tuple[str, str, int]


def key(chat: str, who: str) -> LaneKey:
    return LaneKey(Address("web", "web", chat), who)


async def work_off(items: Iterable[Item], *, workers: int = 1, urgent: Iterable[Item] = ()) -> list[Item]:
    """Queue everything, then work; the order in which it was begun."""
    begun: list[Item] = []
    running: set[tuple[str, str]] = set()

    async def work(item: Item) -> None:
        lane = item[:2]
        if item[2] >= 0:
            assert lane not in running, "two of one lane at once"
            running.add(lane)
        begun.append(item)
        await asyncio.sleep(0)
        running.discard(lane)

    lanes: Lanes[Item] = Lanes(work, workers=workers)
    for item in items:
        await lanes.put(key(item[0], item[1]), item)
    for item in urgent:
        await lanes.put(key(item[0], item[1]), item, urgent=True)
    task = asyncio.create_task(lanes.run())
    await lanes.drained()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return begun


@pytest.mark.parametrize("workers", [1, 3, 8])
async def test_what_one_person_says_is_handled_in_order(workers: int) -> None:
    items = [(f"g{n % 3}", f"p{n % 7}", n) for n in range(200)]
    begun = await work_off(items, workers=workers)
    assert sorted(begun) == sorted(items)
    for lane in {item[:2] for item in items}:
        assert [item for item in begun if item[:2] == lane] == [item for item in items if item[:2] == lane]


LOUD = [("loud", "a", n) for n in range(100)]
QUIET = [("quiet", "b", 0)]


async def test_a_loud_group_does_not_keep_a_quiet_one_waiting() -> None:
    begun = await work_off(LOUD + QUIET)
    assert begun.index(QUIET[0]) <= 1


async def test_within_a_group_a_loud_person_does_not_keep_the_others_waiting() -> None:
    begun = await work_off([("g", "a", n) for n in range(100)] + [("g", "b", 0)])
    assert begun.index(("g", "b", 0)) <= 2


async def test_control_first_come_first_served_would_be_unfair(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_queue(rotation: _Rotation[str], lane: _Lane[str]) -> None:
        """The planted bug: every chat counts as one."""
        rotation._chats.setdefault("all", deque()).append(lane)
        if "all" not in rotation.turns:
            rotation.turns.append("all")

    monkeypatch.setattr(_Rotation, "put", one_queue)
    loud = [("loud", f"p{n}", n) for n in range(100)]
    begun = await work_off(loud + QUIET)
    assert begun.index(QUIET[0]) == 100


async def test_an_emergency_waits_for_nothing() -> None:
    begun = await work_off(LOUD, urgent=[("loud", "a", -1)])
    assert begun.index(("loud", "a", -1)) <= 1


async def test_intake_waits_when_too_much_is_queued_but_not_for_an_emergency() -> None:
    async def work(item: Item) -> None: ...

    lanes: Lanes[Item] = Lanes(work, most_waiting=2)
    await lanes.put(key("g", "a"), ("g", "a", 0))
    await lanes.put(key("g", "a"), ("g", "a", 1))
    waiting = asyncio.create_task(lanes.put(key("g", "a"), ("g", "a", 2)))
    await asyncio.sleep(0)
    assert not waiting.done()
    await lanes.put(key("g", "a"), ("g", "a", 3), urgent=True)
    task = asyncio.create_task(lanes.run())
    await waiting
    await lanes.drained()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_those_who_talk_too_much_never_take_all_workers() -> None:
    """Whoever comes while they are being answered finds a worker free."""
    under_way, let_go = [], asyncio.Event()

    async def work(item: str) -> None:
        under_way.append(item)
        await let_go.wait()

    lanes: Lanes[str] = Lanes(work, workers=4)
    working = asyncio.create_task(lanes.run())
    for number in range(20):
        await lanes.put(LaneKey(Address("web", "web", "g"), f"robot{number}"), "late", late=True)
    for _ in range(5):
        await asyncio.sleep(0)
    assert under_way == ["late"] * LATE_AT_ONCE
    await lanes.put(LaneKey(Address("web", "web", "g"), "neighbour"), "prompt")
    for _ in range(5):
        await asyncio.sleep(0)
    assert under_way == [*["late"] * LATE_AT_ONCE, "prompt"]
    let_go.set()
    await asyncio.wait_for(lanes.drained(), 30)
    assert under_way.count("late") == 20
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
