"""An outbox on a clock that is set by hand, with a platform that does what it is told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlmodel import Session, select

from bot.messages import Address
from bot.outbox import Lane, NewNotice, Outbox, OutboxRule, enqueue
from bot.pacing import Pacing, PacingRule
from storage.outbox import STATE
from storage.tables import Notice
from storage.writer import Writer
from tests.kit.fake_platform import FakePlatform
from tests.storage.conftest import open_writer

MARK = "（重发）"


START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Bench:
    """One outbox with its platforms and its database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = Clock()
        self.writer: Writer = open_writer(url)
        self.platform = FakePlatform("telegram", "a", clock=self.clock)
        self.platforms = [self.platform]
        self.gone: list[tuple[str, int | None, str]] = []
        self.orphans: list[asyncio.Task[None]] = []
        self.outbox = self.make()

    def make(self, pacing: Pacing | None = None, node: str = "n1", rule: OutboxRule | None = None, **more: Any) -> Outbox:
        def on_gone(session: Session, address: Address, group_id: int | None, why: str) -> None:
            self.gone.append((address.chat, group_id, why))

        self.outbox = Outbox(
            self.writer,
            {(platform.name, platform.account): platform for platform in self.platforms},
            pacing or Pacing.unlimited(),
            self.clock,
            node=node,
            repeat_mark=MARK,
            rule=rule,
            rng=random.Random(7),
            **{"on_gone": on_gone, **more},
        )
        return self.outbox

    def write(self, *texts: str, chat: str = "g1", lane: Lane = Lane.REPLY, **more: Any) -> None:
        """Enqueue notices whose key is their text."""
        to = more.pop("to", Address("telegram", "a", chat))

        def work(session: Session) -> None:
            for text in texts:
                enqueue(session, NewNotice(text, lane, to, text, **more), self.clock())

        self.writer.run_now(work)

    def notice(self, key: str) -> Notice:
        return self.writer.read_now(lambda session: session.exec(select(Notice).where(Notice.key == key)).one())

    def states(self) -> dict[str, str]:
        return self.writer.read_now(lambda session: dict(session.exec(select(Notice.key, STATE)).all()))

    async def drain(self) -> list[str]:
        await self.outbox.drain()
        return self.platform.texts()

    async def drain_for(self, seconds: float, step: float = 0.5) -> list[str]:
        """Let time pass in steps, sending what becomes due."""
        end = self.clock.now + timedelta(seconds=seconds)
        await self.outbox.drain()
        while self.clock.now < end:
            self.clock.forward(step)
            await self.outbox.drain()
        return self.platform.texts()


async def interrupted(bench: Bench, outbox: Outbox) -> None:
    """Let `outbox` claim and begin to send, then forget it as `kill -9` would."""
    task = asyncio.create_task(outbox.drain())
    await until(lambda: bool(bench.platform.attempts))
    task.cancel()
    await asyncio.wait([task])
    bench.orphans += outbox._tasks


def one_a_second() -> Pacing:
    return Pacing(default=PacingRule(per_account_per_second=1, per_chat_interval=0))


async def until(condition: Callable[[], bool]) -> None:
    """Give the loop turns until `condition` holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
