"""A flood through the whole bot: spam of every kind in a few groups, and among it people who report something.

    python -m benchmarks.flood [SPAM REPORTS SECONDS]      by default 100,000 and 1,000 in 600 seconds

A tenth of the reports goes first alone, in a tenth of the time, to a bot on a new database; then all of them with the flood to
another. A report is acknowledged when the platform has the answer that quotes it; its added delay is what it waited beyond the
median of those alone. A third of the spam is the same advertisement again and again, a third small talk, a third varied nonsense
that sounds like reports. The flood's own messages, which come after everybody else's, are not waited for at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from sqlmodel import Session, func, select

from benchmarks.house import build
from bot.app import CONTENT
from bot.demo import load_district, seed
from bot.messages import Address, Inbound, Outbound, Receipt, Sender
from bot.photos import PhotoWorker
from bot.platforms.base import Feed
from storage.tables import Grid, Group, InboxEvent
from tests.kit.fake_platform import FakePlatform

GROUPS = 40
FLOODED = 5  # groups that the flood is in; an eighth of the reports is, too
ROBOTS = 200
LAST_WAIT = 120.0
THINGS = ("楼道有人给电动车充电", "路灯不亮了", "井盖坏了", "消防通道被车堵住了", "单元门锁坏了", "垃圾堆在楼道里没人清")
SYLLABLES = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏"
SMALL_TALK = ("早上好", "今天吃什么", "哈哈哈", "有人一起跳舞吗", "天气真好", "收到", "谢谢", "几点开门呀")
QUIET = {"QIANSHAO_SCHEDULES": "[]", "QIANSHAO_DESK__CARDS": "false", "QIANSHAO_BOT__READ_PICTURES": "false"}


@dataclass(frozen=True, slots=True)
class Line:
    """One message of the flood: when, in seconds from its beginning, where, by whom."""

    at: float
    group: int
    who: str
    text: str
    real: bool


class Watched(FakePlatform):
    """A platform that hands over everybody's messages side by side, as the web chat does, and knows when which was answered."""

    def __init__(self, wanted: Iterable[str]) -> None:
        """`wanted` are the ids of the messages whose answers count."""
        super().__init__("web", "web")
        self._missing = set(wanted)
        self.said: dict[str, float] = {}
        self.answered: dict[str, float] = {}
        self.over = asyncio.Event()
        self.under_way: set[asyncio.Task[None]] = set()

    async def listen(self, feed: Feed) -> None:
        while True:
            event = self.heard[await self._queue.get()]
            task = asyncio.create_task(feed.take(event))
            self.under_way.add(task)
            task.add_done_callback(self.under_way.discard)

    async def send(self, to: Address, what: Outbound) -> Receipt:
        receipt = await super().send(to, what)
        if what.reply_to in self._missing:
            self._missing.discard(what.reply_to)
            self.answered[what.reply_to] = time.monotonic()
            if not self._missing:
                self.over.set()
        return receipt


def reports_of(count: int, seconds: float, dice: random.Random) -> list[Line]:
    """Every report is another matter at another place, by another person."""
    lines = []
    for number in range(count):
        text = f"{number // 8 + 1}号楼{number % 8 + 1}单元{THINGS[number % len(THINGS)]}，麻烦来看看"
        lines.append(Line(dice.random() * seconds, number % GROUPS, f"neighbour{number}", text, real=True))
    return lines


def spam_of(count: int, seconds: float, dice: random.Random) -> Iterator[Line]:
    """What comes in a few groups from two hundred accounts."""
    for number in range(count):
        robot = dice.randrange(ROBOTS)
        kind = number % 3
        if kind == 0:
            text = f"刷单日结，加微信{robot}号，在家就能赚钱{'！' * (number % 7)}"
        elif kind == 1:
            text = dice.choice(SMALL_TALK) + "".join(dice.choices(SYLLABLES, k=3))
        else:
            text = f"{''.join(dice.choices(SYLLABLES, k=6))}的{dice.choice(THINGS)}"
        yield Line(dice.random() * seconds, dice.randrange(FLOODED), f"robot{robot}", text, real=False)


@dataclass(frozen=True, slots=True)
class Poured:
    """Seconds until each real report was answered, lowest first; what waited at the end; the processor time of it all."""

    delays: list[float]
    waiting: int
    cpu_s: float


async def pour(lines: list[Line], folder: Path) -> Poured:
    """Say it all at its time to a new bot, and wait until all that is real is answered."""
    platform = Watched(f"m{number}" for number, line in enumerate(lines) if line.real)
    photos = PhotoWorker()
    app = build(folder, platform=platform, photos=photos, environ=QUIET)
    app.writer.run_now(_lay)
    async with app.running():
        spent, began = time.process_time(), time.monotonic()
        for number, line in enumerate(lines):
            await asyncio.sleep(max(0.0, began + line.at - time.monotonic()))
            key = f"m{number}"
            address, sender = Address("web", "web", f"g{line.group}"), Sender(line.who, line.who)
            if line.real:
                platform.said[key] = time.monotonic()
            platform.inject(Inbound(f"e{number}", address, sender, datetime.now(UTC), message_id=key, text=line.text))
        await asyncio.gather(*platform.under_way)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(platform.over.wait(), LAST_WAIT)
        spent = time.process_time() - spent
        waiting = app.writer.read_now(_kept)
    await photos.close()
    app.writer.close()
    shutil.rmtree(folder, ignore_errors=True)
    return Poured(sorted(at - platform.said[key] for key, at in platform.answered.items()), waiting, spent)


def _lay(session: Session) -> None:
    seed(session, load_district(CONTENT / "demo" / "district.toml"), datetime.now(UTC))
    grid = session.exec(select(Grid.id).order_by(Grid.id)).first()
    for number in range(GROUPS):
        session.add(Group(platform="web", account="web", chat=f"g{number}", name=f"群{number}", grid_id=grid, class_label="综合"))


async def flood(spam: int, reports: int, seconds: float, folder: Path) -> dict[str, float]:
    """How many reports were acknowledged in the flood, and their added delay in seconds."""
    dice = random.Random(7)
    alone = await pour(_sorted(reports_of(max(1, reports // 10), seconds / 10, dice)), folder / "alone")
    usual = statistics.median(alone.delays)
    flooded = await pour(_sorted([*reports_of(reports, seconds, dice), *spam_of(spam, seconds, dice)]), folder / "flooded")
    added = [delay - usual for delay in flooded.delays]
    return {
        "reports": reports,
        "acknowledged": len(flooded.delays),
        "p50_added_s": _at(added, 0.5),
        "p95_added_s": _at(added, 0.95),
        "p99_added_s": _at(added, 0.99),
        "worst_added_s": added[-1],
        "p50_alone_s": usual,
        "p95_alone_s": _at(alone.delays, 0.95),
        "spam_waiting_at_the_end": flooded.waiting,
        "cpu_s": flooded.cpu_s,
    }


def _sorted(lines: list[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: line.at)


def _kept(session: Session) -> int:
    return session.exec(select(func.count()).select_from(InboxEvent).where(InboxEvent.state == "kept")).one()


def _at(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def main() -> None:
    """Print the figures."""
    spam, reports, seconds = (int(word) for word in sys.argv[1:]) if sys.argv[1:] else (100_000, 1_000, 600)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        print(json.dumps(uvloop.run(flood(spam, reports, seconds, Path(folder).resolve()))))


if __name__ == "__main__":
    main()
