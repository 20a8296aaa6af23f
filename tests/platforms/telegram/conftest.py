"""The platform against the fake server, with a feed that a test can hold up or break."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.messages import Inbound
from bot.platforms.telegram import Moved, TelegramPlatform, TelegramSettings
from storage.writer import StorageUnavailable
from tests.kit import cells
from tests.kit.fake_bot_api import TOKEN, FakeBotApi
from tests.kit.scenario import Scenario
from tests.kit.telegram_peer import TelegramPeer


class Keeper:
    """A feed that keeps everything in memory. `refuse` says which events it cannot take now, `break_on` which break it."""

    def __init__(self) -> None:
        self.taken: list[Inbound] = []
        self.offered: list[Inbound] = []
        self.put_away: list[tuple[str, bytes, str]] = []
        self.refuse: Callable[[Inbound], bool] = lambda _: False
        self.break_on: Callable[[Inbound], bool] = lambda _: False
        self.before: Callable[[Inbound], Awaitable[None]] | None = None
        self._news = asyncio.Condition()

    async def take(self, event: Inbound) -> None:
        self.offered.append(event)
        await self._tell()
        try:
            if self.before is not None:
                await self.before(event)
            if self.refuse(event):
                raise StorageUnavailable("full")
            if self.break_on(event):
                raise KeyError("a bug")
            self.taken.append(event)
        finally:
            await self._tell()

    async def quarantine(self, platform: str, account: str, event_id: str, raw: bytes, why: str) -> None:
        self.put_away.append((event_id, raw, why))
        await self._tell()

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.taken]

    async def until(self, true: Callable[[], bool]) -> None:
        async with self._news:
            await self._news.wait_for(true)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()


class Waits:
    """A sleep that takes no time and remembers how long it would have been; every one lets the others go on."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


class Line:
    """A platform, its server and its feed."""

    def __init__(self, api: FakeBotApi, folder: Path) -> None:
        self.api = api
        self.folder = folder
        self.feed = Keeper()
        self.waits = Waits()
        self.now = 0.0
        self.moves: list[Moved] = []
        self.settings = TelegramSettings(TOKEN, api.root, poll_seconds=1, read_seconds=5.0)
        self.made: list[TelegramPlatform] = []
        self.platform = self.make()
        self._listener: asyncio.Task[None] | None = None

    def make(self, **changed: object) -> TelegramPlatform:
        async def moved(what: Moved) -> None:
            self.moves.append(what)

        self.settings = replace(self.settings, **changed)  # type: ignore[arg-type]
        self.platform = TelegramPlatform(
            self.settings, data_dir=self.folder, on_move=moved, monotonic=lambda: self.now, sleep=self.waits
        )
        self.made.append(self.platform)
        return self.platform

    def listen(self) -> asyncio.Task[None]:
        self._listener = asyncio.create_task(self.platform.listen(self.feed))
        return self._listener

    async def stop(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._listener
        for platform in self.made:
            await platform.close()


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    async with FakeBotApi() as api:
        made = Line(api, tmp_path)
        yield made
        await made.stop()


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Scenario]:
    """The sample district on Telegram."""
    token = cells.cell.set(cells.Cell(TelegramPeer, plain=False))
    try:
        with Scenario(tmp_path) as scenario:
            yield scenario
    finally:
        cells.cell.reset(token)
