"""Called by Telegram: only with the secret, never too much, and 200 only after the commit."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from bot.messages import Inbound
from bot.platforms.telegram.webhook import SECRET_HEADER
from tests.platforms.telegram.conftest import Line

pytestmark = pytest.mark.timeout(60)


class Caller:
    """Telegram, calling."""

    def __init__(self, line: Line, session: aiohttp.ClientSession) -> None:
        self.line = line
        self.session = session

    async def call(self, body: Any, secret: str | None = None) -> int:
        secret = self.line.api.webhook["secret"] if secret is None else secret
        where = f"http://127.0.0.1:{self.line.platform.webhook_port}/telegram"
        data = body if isinstance(body, bytes) else None
        async with self.session.post(
            where, json=None if data else body, data=data, headers={SECRET_HEADER: secret} if secret else {}
        ) as answer:
            return answer.status


@pytest.fixture
async def caller(line: Line) -> Any:
    line.make(webhook_url="https://bot.example.cn/telegram", webhook_port=0)
    line.listen()
    await line.api.until(lambda: bool(line.api.webhook.get("url")))
    async with aiohttp.ClientSession() as session:
        yield Caller(line, session)


def update(line: Line, who: str, text: str) -> dict[str, Any]:
    line.api.say(who, "群", text)
    return line.api.every_update[-1]


async def test_an_update_is_kept_before_it_is_confirmed(line: Line, caller: Caller) -> None:
    assert line.api.webhook["url"] == "https://bot.example.cn/telegram"
    assert len(line.api.webhook["secret"]) >= 32
    gate = asyncio.Event()

    async def hold(event: Inbound) -> None:
        await gate.wait()

    line.feed.before = hold
    calling = asyncio.create_task(caller.call(update(line, "甲", "一")))
    await line.feed.until(lambda: len(line.feed.offered) == 1)
    assert not calling.done()
    gate.set()
    assert await calling == 200
    assert line.feed.texts == ["一"]
    assert line.platform.health().listening


async def test_what_the_storage_does_not_take_comes_again(line: Line, caller: Caller) -> None:
    line.feed.refuse = lambda event: True
    raw = update(line, "甲", "一")
    assert await caller.call(raw) == 503
    line.feed.refuse = lambda event: False
    assert await caller.call(raw) == 200


@pytest.mark.parametrize("secret", ["", "wrong", "ä"])
async def test_a_stranger_is_sent_away(line: Line, caller: Caller, secret: str) -> None:
    assert await caller.call(update(line, "甲", "一"), secret) == 403
    assert not line.feed.offered


async def test_bad_bodies(line: Line, caller: Caller) -> None:
    assert await caller.call(b"{not json") == 400
    assert await caller.call(b" " * 1_000_001) == 413
    assert await caller.call({"update_id": 5, "message": 7}) == 200
    assert [why for _, _, why in line.feed.put_away] == ["update.message is no object"]


async def test_one_person_stays_in_order(line: Line, caller: Caller) -> None:
    gate = asyncio.Event()

    async def hold(event: Inbound) -> None:
        if event.text == "甲1":
            await gate.wait()

    line.feed.before = hold
    first = asyncio.create_task(caller.call(update(line, "甲", "甲1")))
    await line.feed.until(lambda: len(line.feed.offered) == 1)
    second = asyncio.create_task(caller.call(update(line, "甲", "甲2")))
    assert await caller.call(update(line, "乙", "乙1")) == 200
    gate.set()
    assert [await first, await second] == [200, 200]
    assert line.feed.texts == ["乙1", "甲1", "甲2"]


async def test_who_comes_while_the_next_one_is_taken_waits_for_it(line: Line, caller: Caller) -> None:
    gates = {"甲1": asyncio.Event(), "甲2": asyncio.Event()}

    async def hold(event: Inbound) -> None:
        if event.text in gates:
            await gates[event.text].wait()

    line.feed.before = hold
    calls = [asyncio.create_task(caller.call(update(line, "甲", "甲1")))]
    await line.feed.until(lambda: len(line.feed.offered) == 1)
    calls.append(asyncio.create_task(caller.call(update(line, "甲", "甲2"))))
    assert await caller.call(update(line, "乙", "乙1")) == 200  # by now the second waits for the first
    gates["甲1"].set()
    await line.feed.until(lambda: len(line.feed.offered) == 3)
    calls.append(asyncio.create_task(caller.call(update(line, "甲", "甲3"))))
    assert await caller.call(update(line, "乙", "乙2")) == 200
    assert [event.text for event in line.feed.offered] == ["甲1", "乙1", "甲2", "乙2"]
    gates["甲2"].set()
    assert [await call for call in calls] == [200, 200, 200]
    assert line.feed.texts == ["乙1", "甲1", "乙2", "甲2", "甲3"]
