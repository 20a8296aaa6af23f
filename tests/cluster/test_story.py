"""A cluster that is killed, paused, cut off and robbed of its database loses nothing, repeats only what it must, and keeps order.

QIANSHAO_CLUSTER_ROUNDS=20 goes through all of it twenty times, in another order each time (QIANSHAO_CLUSTER_SEED).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Awaitable, Callable

import pytest

from tests.cluster.__main__ import go
from tests.cluster.story import Cluster

ROUNDS = int(os.environ.get("QIANSHAO_CLUSTER_ROUNDS", "1"))
PAUSE = 3.6  # longer than a lease (2 s) and a claim (3 s) of the nodes here

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(600 * (ROUNDS + 1))]


async def talk(cluster: Cluster, over: asyncio.Event) -> None:
    """People talk, officers write and posts go out until it is over."""
    while not over.is_set():
        cluster.say()
        await cluster.write(1)
        await cluster.post()
        await asyncio.sleep(0.7)


async def until(true: Callable[[], bool]) -> None:
    """Until it is so, or long after it should have been."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(60):
            while not true():  # noqa: ASYNC110 (what is looked at tells nobody)
                await asyncio.sleep(0.05)


async def live_through(cluster: Cluster, *troubles: Callable[[], Awaitable[None]]) -> None:
    over = asyncio.Event()
    talking = asyncio.create_task(talk(cluster, over))
    for trouble in troubles:
        await cluster.in_lots()
        await trouble()
        await asyncio.sleep(0.2)
    over.set()
    await talking
    await cluster.quiet()


async def test_nothing_is_lost_whatever_happens(cluster: Cluster) -> None:
    cluster.world.lose = 0.02
    cluster.per_second = 60.0
    cluster.schedule_in(6.0)
    cluster.start()
    await cluster.up()

    async def die_in_lot(failpoint: str = "") -> None:
        await cluster.dies("right")
        cluster.start("right", failpoint=failpoint)

    async def kill(name: str, failpoint: str = "") -> None:
        cluster.kill(name)
        await asyncio.sleep(0.3)
        cluster.start(name, failpoint=failpoint)

    chance = random.Random(os.environ.get("QIANSHAO_CLUSTER_SEED", "20261126"))
    for number in range(ROUNDS):
        troubles: list[Callable[[], Awaitable[None]]] = [
            lambda: kill("right"),
            lambda: cluster.pause("right", PAUSE),
            cluster.power_cut,
            lambda: cluster.partition(PAUSE),
            lambda: kill("ear"),
        ]
        if number:
            await cluster.week_passes()
            chance.shuffle(troubles)
        else:  # one node has taken a lot and written nothing, then written it and told nobody
            in_lots = (lambda: kill("right", "lot.taken"), lambda: die_in_lot("lot.committed"), die_in_lot)
            troubles = [*in_lots, *troubles[1:]]
        await live_through(cluster, *troubles)
    verdict = cluster.judge()
    assert not verdict.faults, cluster.what_happened(verdict)
    assert verdict.repeated <= verdict.ambiguous
    assert verdict.acknowledged >= 100
    assert verdict.recovered > 0, "nothing happened to anything"


async def test_a_node_that_dies_at_its_start_is_told_with_its_last_words(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Cluster, "ROLES", {"ear": ("ingest",), "left": ("juggle",)})
    assert await go(cluster, 2, 4.0, kill=False) == 1
    told = capsys.readouterr().out
    assert "STOPPED: ended by itself: left" in told
    assert "ValueError: 'juggle' is not a valid Role" in told
    assert "--- ear" not in told, "the log of a node that lives tells nothing about it"


# --- planted bugs: what the checker must notice ---------------------------------------------------------------------


async def test_without_fencing_a_paused_sender_says_things_twice(cluster: Cluster) -> None:
    cluster.plant = "no fencing"
    cluster.per_second = 8.0
    cluster.start("ear", "left")
    await cluster.up()
    cluster.start("right")
    faults: list[str] = []
    for _ in range(6):
        await cluster.write(6)
        await cluster.pause(await cluster.sending(), 2 * PAUSE)  # time for another to take over, and to recover its claims
        await cluster.quiet(15)
        faults = cluster.judge().faults
        if any(fault.startswith("duplicated") for fault in faults):
            return
    raise AssertionError(f"nothing was said twice: {faults}")


async def test_one_limiter_for_all_nodes(cluster: Cluster) -> None:
    cluster.overall, cluster.world.overall = 20.0, 26
    cluster.start()
    await cluster.up()
    await cluster.write(5)
    await asyncio.sleep(1.0)
    cluster.kill("left")  # what it had booked stays booked
    await cluster.quiet()
    verdict = cluster.judge()
    assert verdict.refused == 0
    assert not verdict.faults, cluster.what_happened(verdict)


async def test_limits_in_each_nodes_memory_are_not_one_limit(cluster: Cluster) -> None:
    cluster.plant = "limiter in memory"
    cluster.overall, cluster.world.overall = 20.0, 26
    cluster.start()
    await cluster.up()
    await cluster.write(5)
    await until(lambda: cluster.world.refused > 0)
    assert cluster.judge().refused > 0


async def test_a_campaign_is_not_repeated_when_an_answer_is_lost(cluster: Cluster) -> None:
    cluster.plant = "retry on time-out"
    cluster.world.lose = 0.3
    cluster.start()
    await cluster.up()
    await cluster.posts(3)
    faults = await cluster.comes_to("duplicated: the campaign", 60)
    assert any(fault.startswith("duplicated: the campaign") for fault in faults), faults


async def test_a_lot_that_is_taken_without_its_notices(cluster: Cluster) -> None:
    cluster.plant = "lot taken apart"
    cluster.start("ear", "left")
    cluster.start("right", failpoint="lot.committed")
    await cluster.up()
    await cluster.post()
    await cluster.dies("right")
    faults = cluster.judge().faults
    assert any("was taken and has no notice" in fault for fault in faults), faults


async def test_a_node_on_its_own_wrong_clock_sends_before_the_time(cluster: Cluster) -> None:
    cluster.plant = "own clock"
    cluster.schedule_in(1200)  # the clock of one node is an hour ahead
    cluster.start()
    await cluster.up(5)  # a cluster with such a clock never comes to rest
    faults = await cluster.comes_to("before its time", 60)
    assert any("before its time" in fault for fault in faults), faults
