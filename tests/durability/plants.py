"""Planted bugs: each breaks one promise, and the checker must notice. They are put into a life, never into the bot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlmodel import Session

import bot.turn.turn
from bot.inbox import Inbox
from bot.kept import done
from bot.messages import Inbound
from bot.outbox.exchange import Exchange
from bot.worker import Worker
from tests.kit.lots import take_lots_apart


def confirm_before_commit() -> None:
    """`take` returns, and the platform is told, before the row is committed."""
    take = Inbox.take
    tasks: set[asyncio.Task[None]] = set()

    async def hasty(self: Inbox, event: Inbound) -> None:
        task = asyncio.create_task(take(self, event))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    Inbox.take = hasty  # type: ignore[method-assign]


def done_apart() -> None:
    """The event is marked as done in a transaction of its own, after that of the case."""
    bot.turn.turn.done = lambda session, event, claim=None, **more: None  # type: ignore[attr-defined]
    once = Worker._once

    async def twice(self: Worker, job: Any) -> None:
        await once(self, job)
        await self._writer.run(lambda session: done(session, job.event))

    Worker._once = twice  # type: ignore[method-assign]


def claim_forgotten() -> None:
    """What a dead process had claimed stays claimed for ever."""

    def recover(self: Exchange, session: Session, now: datetime, first: bool) -> datetime | None:
        return None

    Exchange._recover = recover  # type: ignore[method-assign]


def repeated_blindly() -> None:
    """A start sends once more whatever had been sent before."""
    original = Exchange._recover

    def recover(self: Exchange, session: Session, now: datetime, first: bool) -> datetime | None:
        from sqlalchemy import text

        if first:
            session.connection().execute(text("UPDATE outbox SET state = 'pending' WHERE state = 'sent'"))
        return original(self, session, now, first)

    Exchange._recover = recover  # type: ignore[method-assign]


PLANTS: dict[str, Callable[[], None]] = {
    "": lambda: None,
    "confirm before commit": confirm_before_commit,
    "done apart": done_apart,
    "claim forgotten": claim_forgotten,
    "repeated blindly": repeated_blindly,
    "lot taken apart": take_lots_apart,
}
