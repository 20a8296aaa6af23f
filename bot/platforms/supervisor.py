"""Keeps every adapter listening: what returns or raises is started again, after a jittered wait, and never twice at once."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

import structlog

from bot.platforms.base import Adapter, Feed, Health

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits between two starts, in seconds: `first`, then `factor` times as long each time, at most `longest`.

    Each is spread by `jitter` (a share of itself) in both directions and never leaves first..longest. Who has listened for
    `quiet` seconds without failing starts from `first` again.
    """

    first: float = 0.5
    longest: float = 30.0
    factor: float = 2.0
    jitter: float = 0.25
    quiet: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.longest:
            raise ValueError("first must be above 0 and at most longest")
        if self.factor <= 1:
            raise ValueError("factor must be above 1")
        if not 0 <= self.jitter < 1:
            raise ValueError("jitter must be at least 0 and below 1")
        if self.quiet < 0:
            raise ValueError("quiet must not be negative")

    def wait(self, failures: int, rng: random.Random) -> float:
        """Seconds to wait after so many failures in a row (1 for the first)."""
        plain = min(self.longest, self.first * self.factor ** min(failures - 1, 64))
        return min(self.longest, max(self.first, plain * rng.uniform(1 - self.jitter, 1 + self.jitter)))


class _Watch:
    """One adapter under supervision."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.listening = False
        self.starts = 0
        self.error = ""

    def health(self) -> Health:
        said = self.adapter.health()
        if self.listening:
            return said
        return replace(said, listening=False, last_error=self.error or said.last_error or "not started")


class Supervisor:
    """Runs `listen` of every adapter until cancelled. `sleep` and `monotonic` are given by tests."""

    def __init__(
        self,
        adapters: Iterable[Adapter],
        feed: Feed,
        backoff: Backoff | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self._watches = {(adapter.name, adapter.account): _Watch(adapter) for adapter in adapters}
        self._feed = feed
        self._backoff = backoff or Backoff()
        self._sleep = sleep
        self._monotonic = monotonic
        self._random = rng or random.Random()

    async def run(self) -> None:
        """Listen on all platforms. When cancelled, returns only after every listener has ended."""
        async with asyncio.TaskGroup() as group:
            for watch in self._watches.values():
                group.create_task(self._keep(watch), name=f"supervise {watch.adapter.name}:{watch.adapter.account}")

    def health(self) -> dict[tuple[str, str], Health]:
        """How each (platform, account) is doing; an adapter whose listener is down is never reported as listening."""
        return {key: watch.health() for key, watch in self._watches.items()}

    def listening(self) -> bool:
        """True when every platform listens."""
        return all(health.listening for health in self.health().values())

    async def _keep(self, watch: _Watch) -> None:
        failures = 0
        while True:
            began = self._monotonic()
            await self._listen_once(watch)
            failures = 1 if self._monotonic() - began >= self._backoff.quiet else failures + 1
            wait = self._backoff.wait(failures, self._random)
            name, account = watch.adapter.name, watch.adapter.account
            log.warning("platform.down", platform=name, account=account, error=watch.error, again_in=round(wait, 2))
            await self._sleep(wait)

    async def _listen_once(self, watch: _Watch) -> None:
        """Start the listener and stay until it is gone for certain; `watch.error` says why it ended."""
        watch.starts += 1
        listener = asyncio.create_task(watch.adapter.listen(self._feed), name=f"listen {watch.adapter.name}")
        watch.listening = True
        try:
            await asyncio.wait([listener])
            watch.error = _why(listener)
        finally:
            watch.listening = False
            await _end(listener)


def _why(listener: asyncio.Task[None]) -> str:
    """Why a finished listener ended, without what people wrote."""
    if listener.cancelled():
        return "the listener was cancelled from elsewhere"
    problem = listener.exception()
    if problem is None:
        return "the listener returned"
    return f"{type(problem).__name__}: {problem}"[:200]


async def _end(listener: asyncio.Task[None]) -> None:
    """Cancel `listener` until it is over: a listener that swallows the first cancellation must not meet its successor."""
    while not listener.done():
        listener.cancel()
        await asyncio.wait([listener], timeout=1.0)
    if not listener.cancelled():
        listener.exception()  # looked at, so that asyncio does not report it a second time
