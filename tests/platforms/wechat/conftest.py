"""The WeChat platform against a real puppet service, with a feed that a test can hold up or break."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.app import open_database
from bot.messages import Address
from bot.platforms.wechat import WechatPlatform
from storage.writer import Writer
from tests.kit.empty import lay_empty
from tests.kit.puppet import Puppet, listening, missing, quick
from tests.platforms.telegram.conftest import Keeper

ROOM = "g1@chatroom"
HERE = Address("wechat", "main", ROOM)
PEOPLE = ["张阿姨", "李叔", "群主"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without the peers the tests against them are skipped with the command that brings them; in CI that is an error."""
    problem = missing()
    if not problem:
        return
    for item in items:
        if "wechat" in str(item.path) and "line" in getattr(item, "fixturenames", ()):
            if os.environ.get("CI"):
                pytest.exit(problem, returncode=3)
            item.add_marker(pytest.mark.skip(reason=problem))


@dataclass
class Line:
    """A service, a database and a feed; `platform()` makes a platform of ours that listens."""

    puppet: Puppet
    writer: Writer
    folder: Path
    feed: Keeper = field(default_factory=Keeper)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    @asynccontextmanager
    async def platform(self, given: dict[str, Any] | None = None, **changed: Any) -> AsyncIterator[WechatPlatform]:
        """`changed` are settings, `given` further arguments of WechatPlatform."""
        made = WechatPlatform(quick(self.puppet.port, **changed), writer=self.writer, data_dir=self.folder, **(given or {}))
        async with listening(made, self.feed) as platform:
            yield platform

    @asynccontextmanager
    async def vain(self, given: dict[str, Any] | None = None, **changed: Any) -> AsyncIterator[WechatPlatform]:
        """The same for one that will not get through: nobody waits until it listens."""
        made = WechatPlatform(quick(self.puppet.port, **changed), writer=self.writer, data_dir=self.folder, **(given or {}))
        task = asyncio.create_task(made.listen(self.feed))
        try:
            yield made
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await made.close()

    def heard(self) -> list[str]:
        """The words that the bot has taken."""
        return [event.text for event in self.feed.taken if event.kind == "message"]


async def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something that nobody tells of."""
    ends = asyncio.get_running_loop().time() + seconds
    while not true():
        assert asyncio.get_running_loop().time() < ends, "it did not come true"
        await asyncio.sleep(0.01)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    url = f"sqlite:///{tmp_path / 'q.sqlite3'}"
    lay_empty(url)
    made = open_database(url)
    yield made
    made.close()


@pytest.fixture
async def line(tmp_path: Path, writer: Writer) -> AsyncIterator[Line]:
    async with Puppet() as puppet:
        await puppet.room(ROOM, "港新1号网格", PEOPLE)
        yield Line(puppet, writer, tmp_path)
