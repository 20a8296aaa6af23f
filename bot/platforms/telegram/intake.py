"""From raw updates to the bot: parsed, taken or put into quarantine, in the order of each chat and sender.

An update counts as done only when the bot has let it go or keeps it durably. What fails because the storage is away stays open
and comes again; what fails otherwise three times is put into quarantine, so that it blocks nobody.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

import structlog

from bot.messages import Inbound
from bot.platforms.base import Feed
from bot.platforms.telegram.fields import Malformed
from bot.platforms.telegram.parse import PLATFORM, Heard, Me, Moved, order_key, parse_update
from storage.writer import StorageUnavailable

log = structlog.get_logger(__name__)

MOST_TRIES = 3

OnHeard = Callable[[Heard], None]
OnMoved = Callable[[Moved], Awaitable[None]]


class Intake:
    """Takes batches. `on_heard` is told what the bot has taken, `on_moved` a change of a group's id, before anything else;
    `is_ours` is asked whether an event is for us and not for another bot of the house."""

    def __init__(
        self,
        feed: Feed,
        me: Me,
        clock: Callable[[], datetime],
        on_heard: OnHeard,
        on_moved: OnMoved,
        is_ours: Callable[[Inbound], Awaitable[bool]] | None = None,
    ) -> None:
        self._feed = feed
        self._me = me
        self._clock = clock
        self._on_heard = on_heard
        self._on_moved = on_moved
        self._is_ours = is_ours
        self._tries: dict[str, int] = {}

    async def take(self, updates: Iterable[object]) -> list[bool]:
        """For each update whether it is done. Different people are taken at once; one person in one chat in order, and after an
        update that could not be taken nothing more of that person."""
        given = list(updates)
        done = [False] * len(given)
        rows: dict[tuple[object, object], list[int]] = {}
        for index, raw in enumerate(given):
            if _moves(raw):
                done[index] = await self._one(raw)
            else:
                rows.setdefault(order_key(raw), []).append(index)

        async def in_order(row: list[int]) -> None:
            for index in row:
                done[index] = await self._one(given[index])
                if not done[index]:
                    return

        await asyncio.gather(*(in_order(row) for row in rows.values()))
        return done

    async def _one(self, raw: object) -> bool:
        """Take one update for good; false when it has to come again."""
        try:
            parsed = parse_update(raw, self._me, self._clock())
        except Malformed as problem:
            return await self._put_away(raw, str(problem))
        try:
            if isinstance(parsed, Moved):
                await self._on_moved(parsed)
            elif parsed is not None and (self._is_ours is None or await self._is_ours(parsed.event)):
                await self._feed.take(parsed.event)
                self._on_heard(parsed)
        except StorageUnavailable:
            return False
        except Exception as problem:
            log.error("telegram.not_taken", problem=type(problem).__name__, exc_info=problem)
            name = _name_of(raw)
            self._tries[name] = self._tries.get(name, 0) + 1
            return self._tries[name] >= MOST_TRIES and await self._put_away(raw, type(problem).__name__)
        if self._tries:
            self._tries.pop(_name_of(raw), None)
        return True

    async def _put_away(self, raw: object, why: str) -> bool:
        name = _name_of(raw)
        try:
            body = json.dumps(raw, ensure_ascii=True).encode()
            await self._feed.quarantine(PLATFORM, self._me.account, name, body, why)
        except StorageUnavailable:
            return False
        except Exception as problem:
            # what can neither be taken nor put away must not stop everybody else
            log.error("telegram.not_quarantined", problem=type(problem).__name__, exc_info=problem)
            return True
        self._tries.pop(name, None)
        return True


def number_of(raw: object) -> int | None:
    """The update_id, if it has one."""
    number = raw.get("update_id") if isinstance(raw, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _moves(raw: object) -> bool:
    message = raw.get("message") if isinstance(raw, dict) else None
    return isinstance(message, dict) and ("migrate_to_chat_id" in message or "migrate_from_chat_id" in message)


def _name_of(raw: object) -> str:
    """A name that stays the same when it is delivered again."""
    digest = hashlib.sha256(json.dumps(raw, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:16]
    return f"{number_of(raw)}:{digest}"
