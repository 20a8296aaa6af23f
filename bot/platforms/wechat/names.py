"""What people are called, asked for when needed, remembered for an hour or until the service tells of a change, never more than
so many, and never written down.

The bot keeps no list of residents: who is in which group is WeChat's to know.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable

from bot.platforms.wechat.client import CallFailed, Puppet

MOST_NAMES = 10_000
MOST_ASKED = 256
FRESH_SECONDS = 3600.0


class Names:
    """`current` gives the connection, None while there is none; `monotonic` gives seconds."""

    def __init__(self, current: Callable[[], Puppet | None], patience: float, monotonic: Callable[[], float]) -> None:
        self._current = current
        self._patience = patience
        self._monotonic = monotonic
        self._known: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()
        self._asked: dict[tuple[str, str], asyncio.Task[str]] = {}
        self._changed: OrderedDict[str, float] = OrderedDict()  # person or group -> when the service told of a change

    def __len__(self) -> int:
        return len(self._known)

    def known(self, room: str, contact: str) -> str:
        """The name if it is remembered, else empty."""
        found = self._known.get((room, contact))
        return found[0] if found is not None else ""

    def changed(self, which: str) -> None:
        """The service says that somebody, or somebody in a group, is called otherwise: what was asked before is asked again."""
        self._changed[which] = self._monotonic()
        self._changed.move_to_end(which)
        if len(self._changed) > MOST_NAMES:
            self._changed.popitem(last=False)

    def fresh(self, room: str, contact: str) -> str | None:
        """The name if it was asked for lately (empty for somebody who has none), else None."""
        key = (room, contact)
        found = self._known.get(key)
        if found is None or self._monotonic() - found[1] >= FRESH_SECONDS:
            return None
        if found[1] <= max(self._changed.get(room, -math.inf), self._changed.get(contact, -math.inf)):
            return None
        self._known.move_to_end(key)
        return found[0]

    async def of(self, room: str, contact: str) -> str:
        """The name in a group, or the person's own when `room` is empty; empty when it does not come soon."""
        if (name := self.fresh(room, contact)) is not None:
            return name
        key = (room, contact)
        found = self._known.get(key)
        task = self._asked.get(key)
        if task is None:
            if len(self._asked) >= MOST_ASKED:
                return found[0] if found is not None else ""
            task = self._asked[key] = asyncio.create_task(self._ask(key))
            task.add_done_callback(lambda _: self._asked.pop(key, None))
        done, _ = await asyncio.wait([task], timeout=self._patience)
        if done:
            return task.result()
        return found[0] if found is not None else ""

    async def close(self) -> None:
        """Ask no more."""
        tasks = list(self._asked.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, key: tuple[str, str]) -> str:
        puppet = self._current()
        if puppet is None:
            return ""
        room, contact = key
        asked = self._monotonic()
        try:
            name = await puppet.member_name(room, contact) if room else (await puppet.contact(contact)).name
        except CallFailed:
            return ""
        self._known[key] = (name, asked)
        self._known.move_to_end(key)
        if len(self._known) > MOST_NAMES:
            self._known.popitem(last=False)
        return name
