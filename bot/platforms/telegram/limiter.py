"""What is asked of Telegram beside the notices keeps a pace and its pauses, too.

Notices are paced in the outbox, by lane (decision 0152). Everything else (who somebody is, what answers a button, where a file
lies, what is taken back) goes through here: not faster than an account may speak, and not while Telegram has asked for a pause of
the chat that it is about, or of the method. Such pauses are kept in storage beside the outbox's own, so that they outlive a
restart and hold for notices in that chat, and the other way round.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from telegram.ext import BaseRateLimiter

from bot.platforms.telegram.failures import SlowDown

T = TypeVar("T")

LONGEST_WAIT = 20.0  # seconds; what would have to wait for longer is told so at once, and asked again by whoever wants it


class Pauses(Protocol):
    """Where pauses are kept. `scope` is "account", "chat:…" or "method:…" of one account."""

    def left(self, scope: str) -> float:
        """Seconds until the pause is over; 0 when there is none."""
        ...

    def add(self, scope: str, seconds: float) -> None:
        """Telegram asked for one."""
        ...


class MemoryPauses:
    """Pauses that nobody keeps, for a look at Telegram without a house."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._until: dict[str, float] = {}

    def left(self, scope: str) -> float:
        """Seconds until the pause is over; 0 when there is none."""
        return max(0.0, self._until.get(scope, -math.inf) - self._monotonic())

    def add(self, scope: str, seconds: float) -> None:
        """Telegram asked for one."""
        self._until[scope] = max(self._until.get(scope, -math.inf), self._monotonic() + seconds)


class Limits(BaseRateLimiter[None]):
    """Of one account. `per_second` is how much may be asked in a second; `monotonic` gives seconds, `sleep` waits some."""

    def __init__(
        self,
        pauses: Pauses | None = None,
        *,
        per_second: float = math.inf,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._pauses = pauses or MemoryPauses(monotonic)
        self._step = 1.0 / per_second
        self._monotonic = monotonic
        self._sleep = sleep
        self._next = -math.inf

    async def initialize(self) -> None:
        """Nothing has to be opened."""

    async def shutdown(self) -> None:
        """Nor closed."""

    async def process_request(
        self,
        callback: Callable[..., Coroutine[Any, Any, Any]],
        args: Any,
        kwargs: dict[str, Any],
        endpoint: str,
        data: dict[str, Any],
        rate_limit_args: None,  # noqa: ARG002
    ) -> Any:
        """python-telegram-bot's own way in."""
        chat = data.get("chat_id")
        return await self.ask(endpoint, None if chat is None else str(chat), lambda: callback(*args, **kwargs))

    async def ask(self, method: str, chat: str | None, call: Callable[[], Awaitable[T]]) -> T:
        """Do it when it may be done. Raises SlowDown when that is too far off, and whatever `call` raises."""
        scope = f"method:{method}" if chat is None else f"chat:{chat}"
        while (left := max(self._pauses.left("account"), self._pauses.left(scope), self._slot())) > 0:
            if left > LONGEST_WAIT:
                raise SlowDown(left)
            await self._sleep(left)
        self._next = max(self._next, self._monotonic()) + self._step
        try:
            return await call()
        except SlowDown as problem:
            self._pauses.add(scope, problem.seconds)
            raise

    def _slot(self) -> float:
        return self._next - self._monotonic()
