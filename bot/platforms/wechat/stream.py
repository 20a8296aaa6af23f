"""One life of the event stream: it ends by failing, by ending, or by giving no sign of life for too long."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable

from bot.platforms.wechat.client import CallFailed, Lost, Puppet, Told
from bot.platforms.wechat.settings import WechatSettings


class Stream:
    """Follows `puppet`'s events. `on_open` is called when the service has accepted us; `on_event` gets every event, in order.

    `monotonic` gives seconds; `sleep` is given by tests.
    """

    def __init__(
        self,
        puppet: Puppet,
        settings: WechatSettings,
        on_open: Callable[[], None],
        on_event: Callable[[Told], Awaitable[None]],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._puppet = puppet
        self._settings = settings
        self._on_open = on_open
        self._on_event = on_event
        self._monotonic = monotonic
        self._sleep = sleep
        self._alive = monotonic()
        self._open = asyncio.Event()
        self._busy = False
        self._dings: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Follow until it is over. Raises CallFailed that says why; never returns."""
        reading = asyncio.create_task(self._read(), name="wechat events")
        watching = asyncio.create_task(self._watch(), name="wechat watch")
        tasks = {reading, watching}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*tasks, *self._dings):
                task.cancel()
            await asyncio.gather(*tasks, *self._dings, return_exceptions=True)
        for task in done:
            task.result()
        raise Lost("the event stream ended")

    async def _read(self) -> None:
        async with contextlib.aclosing(self._puppet.events(self._opened)) as events:
            async for told in events:
                self._alive = self._monotonic()
                self._busy = True
                try:
                    await self._on_event(told)
                finally:
                    self._busy = False

    def _opened(self) -> None:
        self._alive = self._monotonic()
        self._open.set()
        self._on_open()

    async def _watch(self) -> None:
        """Ask for a sign of life again and again; a stream that gives none for `dead_seconds` is dead."""
        await self._open.wait()
        while True:
            await self._sleep(min(self._settings.ding_seconds, self._settings.dead_seconds / 3))
            if self._busy:
                self._alive = self._monotonic()  # it is us who do not read
            if self._monotonic() - self._alive > self._settings.dead_seconds:
                raise Lost(f"no sign of life for {self._settings.dead_seconds:.0f} s")
            if len(self._dings) < 3:
                task = asyncio.create_task(self._ding())
                self._dings.add(task)
                task.add_done_callback(self._dings.discard)

    async def _ding(self) -> None:
        with contextlib.suppress(CallFailed):
            await self._puppet.ding(secrets.token_hex(4))
