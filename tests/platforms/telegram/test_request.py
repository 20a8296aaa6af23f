"""Our requests on aiohttp: the way through a proxy, answers that are not quite in order, and what is kept of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from telegram.error import BadRequest, ChatMigrated

from bot.platforms.telegram.failures import NoAnswer, Refused, SlowDown
from bot.platforms.telegram.request import ApiRequest
from bot.platforms.telegram.sending import Sent
from tests.kit.fake_bot_api import TOKEN, Answer, FakeBotApi, TooFast, refusal


@pytest.fixture
async def api() -> AsyncIterator[FakeBotApi]:
    async with FakeBotApi() as server:
        yield server


async def say(api: FakeBotApi, root: str = "", *, proxies: bool = False) -> Sent:
    pool = ApiRequest(connections=2, read=5.0, connect=5.0, proxies=proxies)
    await pool.initialize()
    try:
        return await pool.ask(
            f"{root or api.root}/bot{TOKEN}/sendMessage",
            {"chat_id": api.group("群").id, "text": "收到", "reply_markup": None},
            Sent,
        )
    finally:
        await pool.shutdown()


async def test_only_what_is_wanted_is_made_of_an_answer(api: FakeBotApi) -> None:
    assert (await say(api)).message_id == api.sent[0]["message_id"]
    assert "reply_markup" not in api.calls[0].given


async def test_a_wrong_byte_in_an_answer_costs_nothing(api: FakeBotApi) -> None:
    api.fail("sendMessage", Answer(200, '{"ok": true, "result": {"message_id": 7, "text": "\\ud800"}}'))
    assert (await say(api)).message_id == 7


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(200, "no JSON"), NoAnswer),
        (Answer(200, '{"ok": true}'), NoAnswer),
        (Answer(200, '{"ok": true, "result": {"message_id": "seven"}}'), NoAnswer),
        (Answer(200, '{"ok": false, "description": "Bad"}'), Exception),
        (Answer(502, "<html>"), NoAnswer),
        (refusal(500, "Internal Server Error"), Refused),
        (refusal(400, "Bad Request: chat not found"), BadRequest),
        (refusal(400, "Bad Request: upgraded", migrate_to_chat_id=-100200), ChatMigrated),
        (TooFast(3), SlowDown),
    ],
)
async def test_what_an_answer_means(api: FakeBotApi, answer: Answer | TooFast, kind: type[Exception]) -> None:
    api.fail("sendMessage", answer)
    with pytest.raises(kind):
        await say(api)
    assert not api.sent


async def test_a_proxy_of_the_environment_is_used_and_its_exceptions_are(
    api: FakeBotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readline()).split()[1])
        writer.write(
            b'HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{"ok": true, "result": {"message_id": 9}}'.replace(b"40", b"41")
        )
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert (await say(api, "http://api.example", proxies=True)).message_id == 9
    assert asked[0].startswith(b"http://api.example/bot")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert (await say(api, proxies=True)).message_id == api.sent[0]["message_id"]
    assert len(asked) == 1
    server.close()
