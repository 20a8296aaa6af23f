"""What is asked of Telegram beside the notices: its pace, its pauses, and that they outlive a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from telegram.ext import ExtBot

from bot.app.platforms import OutboxPauses
from bot.errors import RefusedInput, RetryLater
from bot.messages import Address, Attachment
from bot.notices import Lane, NewNotice, enqueue
from bot.outbox import Outbox
from bot.pacing import Pacing
from bot.platforms.telegram import Limits, TelegramPlatform, TelegramSettings
from bot.platforms.telegram.failures import SlowDown
from bot.platforms.telegram.request import ApiRequest
from tests.kit.fake_bot_api import TOKEN, FakeBotApi, TooFast
from tests.storage.conftest import open_writer

ACCOUNT = ("telegram", TOKEN.partition(":")[0])


class Time:
    """A clock that waits by going on."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.waited: list[float] = []

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 9, 0, tzinfo=UTC) + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.seconds += seconds


@pytest.fixture
async def api() -> AsyncIterator[FakeBotApi]:
    async with FakeBotApi() as server:
        yield server


@pytest.fixture
async def pool() -> AsyncIterator[ApiRequest]:
    made = ApiRequest(connections=4, read=5.0, connect=5.0, proxies=False)
    await made.initialize()
    yield made
    await made.shutdown()


def bot_of(api: FakeBotApi, pool: ApiRequest, limits: Limits) -> ExtBot[None]:
    return ExtBot(TOKEN, f"{api.root}/bot", request=pool, get_updates_request=pool, rate_limiter=limits)


def asked(api: FakeBotApi) -> list[str]:
    return [call.method for call in api.calls]


async def test_a_pause_of_one_chat_holds_that_chat_and_nothing_else(api: FakeBotApi, pool: ApiRequest) -> None:
    time = Time()
    bot = bot_of(api, pool, Limits(monotonic=time, sleep=time.sleep))
    one, other, me = api.group("一"), api.group("二"), int(ACCOUNT[1])
    api.fail("getChatMember", TooFast(7), chat=one.id)
    with pytest.raises(SlowDown):
        await bot.get_chat_member(one.id, me)
    await bot.get_chat_member(other.id, me)
    await bot.get_me()
    assert time.waited == []
    assert (await bot.get_chat_member(one.id, me)).status == "member"
    assert time.waited == [7]


async def test_a_pause_without_a_chat_is_the_methods(api: FakeBotApi, pool: ApiRequest) -> None:
    time = Time()
    bot = bot_of(api, pool, Limits(monotonic=time, sleep=time.sleep))
    api.fail("answerCallbackQuery", TooFast(3))
    with pytest.raises(SlowDown):
        await bot.answer_callback_query("q1")
    await bot.get_chat_member(api.group("一").id, int(ACCOUNT[1]))
    assert time.waited == []
    await bot.answer_callback_query("q1")
    assert time.waited == [3]


async def test_what_has_to_wait_long_is_told_so_and_not_asked(api: FakeBotApi, pool: ApiRequest) -> None:
    time = Time()
    bot = bot_of(api, pool, Limits(monotonic=time, sleep=time.sleep))
    api.fail("getMe", TooFast(300))
    for _ in range(2):
        with pytest.raises(SlowDown):
            await bot.get_me()
    assert asked(api) == ["getMe"]
    assert time.waited == []


async def test_no_more_in_a_second_than_the_account_may_say(api: FakeBotApi, pool: ApiRequest) -> None:
    time = Time()
    bot = bot_of(api, pool, Limits(per_second=10, monotonic=time, sleep=time.sleep))
    await asyncio.gather(*(bot.get_me() for _ in range(11)))
    assert time.seconds == pytest.approx(1.0)


async def test_a_pause_is_the_outboxes_too_and_outlives_a_restart(api: FakeBotApi, pool: ApiRequest, tmp_path: Path) -> None:
    time = Time()
    writer = open_writer(f"sqlite:///{tmp_path}/q.db")
    chat = api.group("一")
    to = Address(*ACCOUNT, str(chat.id))

    def house() -> tuple[Outbox, TelegramPlatform, ExtBot[None]]:
        holder: list[object] = []
        limits = Limits(OutboxPauses(holder, ACCOUNT), monotonic=time, sleep=time.sleep)  # type: ignore[arg-type]
        platform = TelegramPlatform(TelegramSettings(TOKEN, base_url=api.root), data_dir=tmp_path, clock=time.now, limits=limits)
        outbox = Outbox(writer, {ACCOUNT: platform}, Pacing.unlimited(), time.now, node="n")
        holder.append(type("House", (), {"outbox": outbox})())
        return outbox, platform, bot_of(api, pool, limits)

    outbox, platform, bot = house()
    api.fail("getChatMember", TooFast(60), chat=chat.id)
    with pytest.raises(SlowDown):
        await bot.get_chat_member(chat.id, int(ACCOUNT[1]))
    writer.run_now(lambda session: enqueue(session, NewNotice("k", Lane.REPLY, to, "收到"), time.now()))
    await outbox.drain()
    assert api.texts() == []
    await platform.close()

    outbox, platform, bot = house()
    time.seconds = 45.0
    await outbox.drain()
    assert api.texts() == []
    assert (await bot.get_chat_member(chat.id, int(ACCOUNT[1]))).status == "member"
    assert time.waited == [15]
    await outbox.drain()
    assert api.texts() == ["收到"]
    await platform.close()
    writer.close()


async def test_a_file_waits_for_its_methods_pause(api: FakeBotApi, tmp_path: Path) -> None:
    platform = TelegramPlatform(TelegramSettings(TOKEN, base_url=api.root), data_dir=tmp_path)
    api.photo(b"jpeg", name="f1")
    api.fail("getFile", TooFast(90))
    for _ in range(2):
        with pytest.raises(RetryLater) as problem:
            await platform.fetch(Attachment("f1", "photo"), 1000)
        assert problem.value.scope == "message"
    assert asked(api) == ["getFile"]
    with pytest.raises((RetryLater, RefusedInput)):
        await platform.fetch(Attachment("nothing", "photo"), 1000)
    await platform.close()
