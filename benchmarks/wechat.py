"""Hearing on WeChat over a real puppet service (npm, mock account; `make peers`), on one connection.

    python -m benchmarks.wechat [MESSAGES]           messages a second, beside the MessagePayload calls that each of them needs
    python -m benchmarks.wechat memory [MESSAGES]    what the process holds after a tenth and after all of them, from 6,000 groups

The two sides of the first take turns against the same service, over the same kind of connection (gathered writes, which help
both), under uvloop. Ours goes from the service's event to the inbox, which keeps every fifth message as a row and forgets the
others; each message costs one MessagePayload call on either side. Beside messages a second it tells the processor time of each,
because the machine may be shared. QIANSHAO_BENCH_MESSAGES is the default of both (20,000; the figures of docs/performance.md say
with how many they were made).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import uvloop
from wechaty_grpc.wechaty import PuppetStub

from bot.clock import Clock
from bot.glance import Senses
from bot.inbox import Inbox
from bot.jobs import Job
from bot.lanes import Lanes
from bot.messages import Inbound
from bot.mind import Mind
from bot.platforms.wechat import WechatPlatform
from bot.platforms.wechat.channel import PuppetChannel
from bot.understanding.meaning import Hint
from storage.database import OldLibrary, prepare
from storage.sealing import Sealer
from storage.writer import Writer
from tests.kit.puppet import TOKEN, Puppet, quick

AT_A_TIME = 32
TURNS = 6
GROUPS = 6_000
KEPT = 5
TEXT = "今天天气不错，晚上一起去公园走走"


class Counter:
    """A feed that lets everything go and says when so many have come."""

    def __init__(self, inbox: Inbox | None = None) -> None:
        self._inbox = inbox
        self._left = 0
        self._done = asyncio.Event()

    def expect(self, messages: int) -> None:
        self._left = messages
        self._done.clear()

    async def all(self) -> None:
        await self._done.wait()

    async def take(self, event: Inbound) -> None:
        if self._inbox is not None:
            await self._inbox.take(event)
        self._left -= event.kind == "message"
        if self._left <= 0:
            self._done.set()

    async def quarantine(self, platform: str, account: str, event_id: str, raw: bytes, why: str) -> None:
        raise RuntimeError(why)


@contextlib.asynccontextmanager
async def heard(puppet: Puppet, writer: Writer, folder: Path, feed: Counter) -> AsyncIterator[WechatPlatform]:
    """The platform, listening."""
    platform = WechatPlatform(quick(puppet.port, calls=AT_A_TIME), writer=writer, data_dir=folder)
    task = asyncio.create_task(platform.listen(feed))
    for _ in range(3000):
        if platform.health().listening:
            break
        await asyncio.sleep(0.01)
    try:
        yield platform
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await platform.close()


@dataclass(frozen=True, slots=True)
class Turn:
    """Messages a second, and microseconds of processor time of each."""

    rate: float
    spent: float


async def turn_of(work: Awaitable[None], messages: int) -> Turn:
    began, spent = time.perf_counter(), time.process_time()
    await work
    return Turn(messages / (time.perf_counter() - began), 1e6 * (time.process_time() - spent) / messages)


async def bare(stub: PuppetStub, start: int, messages: int) -> None:
    """So many MessagePayload calls."""
    left = iter(range(start, start + messages))

    async def one() -> None:
        for number in left:
            await stub.message_payload(id=f"m{number}")

    await asyncio.gather(*(one() for _ in range(AT_A_TIME)))


async def ours(puppet: Puppet, feed: Counter, start: int, messages: int) -> None:
    """So many messages from the service's event to the inbox."""
    feed.expect(messages)
    await puppet.deed("many", count=messages, start=start)
    async with asyncio.timeout(600):
        await feed.all()


def inbox_of(folder: Path, writer: Writer, kept: int) -> Inbox:
    """An inbox that keeps every `kept`th message, as one that may be a report; none with 0."""
    number = itertools.count(1)
    hint = lambda _: Hint(report=bool(kept) and next(number) % kept == 0)  # noqa: E731
    senses = Senses(hint, lambda _: None, lambda _: False)
    return Inbox(writer, Sealer(folder / "key"), senses, Lanes(nothing), Mind(), Clock(), timedelta(minutes=2))


async def compare(folder: Path, writer: Writer, messages: int) -> dict[str, float]:
    """Both sides by turns; the median of each."""
    async with Puppet(synthetic={"rooms": 300, "talkers": 1_500, "text": TEXT}) as puppet:
        feed = Counter(inbox_of(folder, writer, KEPT))
        channel = PuppetChannel(quick(puppet.port))
        stub = PuppetStub(channel, metadata={"authorization": f"Wechaty {TOKEN}"})
        async with heard(puppet, writer, folder, feed):
            await ours(puppet, feed, 0, 3_000)  # every name once
            await bare(stub, 0, 1_000)
            each = max(1, messages // TURNS)
            pairs = [
                (
                    await turn_of(ours(puppet, feed, 10_000 + turn * each, each), each),
                    await turn_of(bare(stub, 10_000 + turn * each, each), each),
                )
                for turn in range(TURNS)
            ]
        channel.close()
    return {
        "ours": statistics.median(one.rate for one, _ in pairs),
        "bare": statistics.median(other.rate for _, other in pairs),
        "rate_ratio": statistics.median(one.rate / other.rate for one, other in pairs),
        "ours_cpu_us": statistics.median(one.spent for one, _ in pairs),
        "bare_cpu_us": statistics.median(other.spent for _, other in pairs),
        "cpu_ratio": statistics.median(other.spent / one.spent for one, other in pairs),
    }


async def nothing(job: Job) -> None:
    """Nobody works on what was taken."""


async def hold(folder: Path, writer: Writer, messages: int) -> dict[str, float]:
    """MB after a tenth of the messages and after all."""
    async with Puppet(synthetic={"rooms": GROUPS, "talkers": 3 * GROUPS, "text": TEXT}) as puppet:
        feed = Counter(inbox_of(folder, writer, 0))
        async with heard(puppet, writer, folder, feed):
            step, sizes = max(1, messages // 50), []
            for part in range(50):
                await ours(puppet, feed, part * step, step)
                sizes.append(resident())
                print(f"{(part + 1) * step:9} messages {sizes[-1]:8.1f} MB", file=sys.stderr, flush=True)
    return {"begin_mb": statistics.median(sizes[4:7]), "end_mb": statistics.median(sizes[-3:]), "messages": 50.0 * step}


def resident() -> float:
    """What this process holds, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    words = sys.argv[1:]
    side = words.pop(0) if words and words[0] == "memory" else "both"
    messages = int(words[0] if words else os.environ.get("QIANSHAO_BENCH_MESSAGES", "20000"))
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore", OldLibrary)
        folder = Path(name)
        writer = prepare(f"sqlite:///{folder}/qianshao.db")
        found = uvloop.run((hold if side == "memory" else compare)(folder, writer, messages))
        writer.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
