"""One timer for all sends: who is late is cancelled and learns why, everybody else hears nothing of it."""

from __future__ import annotations

import asyncio

from bot.outbox.patience import Patience


async def work(patience: Patience, seconds: float, ended: asyncio.Event) -> str:
    """What a send does, and how it ended."""
    task = asyncio.current_task()
    assert task is not None
    patience.begin(task, seconds)
    late, how = False, "done"
    try:
        try:
            await ended.wait()
        finally:
            late = patience.end(task)
    except asyncio.CancelledError:
        how = "late" if late else "cancelled"
    return f"{how}, {task.cancelling()}"


async def test_each_has_its_own_time() -> None:
    patience, ended = Patience(), asyncio.Event()
    patient = asyncio.create_task(work(patience, 60, ended))
    late = [asyncio.create_task(work(patience, seconds, ended)) for seconds in (0.03, 0.01, 0.01)]
    assert await asyncio.gather(*late) == ["late, 0"] * 3
    assert not patient.done()
    ended.set()
    assert await patient == "done, 0"


async def test_a_cancellation_from_outside_stays_one() -> None:
    patience = Patience()
    task = asyncio.create_task(work(patience, 60, asyncio.Event()))
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "cancelled, 1"


async def test_a_task_may_be_given_time_again_and_again() -> None:
    patience, ended = Patience(), asyncio.Event()

    async def twice() -> list[str]:
        first = await work(patience, 0.01, ended)
        ended.set()
        return [first, await work(patience, 60, ended)]

    assert await asyncio.create_task(twice()) == ["late, 0", "done, 0"]
