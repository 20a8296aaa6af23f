"""Sending to the fake Bot API: python-telegram-bot's own client against ours, in messages a second.

    python -m benchmarks.telegram_sending [MESSAGES]

The server runs in a process of its own and answers with one fixed message, so that the client is what is measured.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection

from aiohttp import web
from telegram import Bot
from telegram.request import HTTPXRequest

from bot.platforms.telegram.request import AiohttpRequest

TOKEN = "1000001:nobody"
AT_A_TIME = 32
MESSAGE = {
    "message_id": 1,
    "date": 1795399200,
    "chat": {"id": -100123, "type": "supergroup", "title": "群"},
    "from": {"id": 1000001, "is_bot": True, "first_name": "前哨", "username": "qianshao_bot"},
    "text": "收到，编号2611-0001",
}
ANSWER = json.dumps({"ok": True, "result": MESSAGE}).encode()


def serve(pipe: Connection) -> None:
    """Answer everything at once."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=ANSWER, content_type="application/json")

    async def main() -> None:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(main())


async def rate(say: Callable[[], Awaitable[object]], messages: int) -> tuple[float, float]:
    """Messages a second, `AT_A_TIME` at once, and the processor time of one in microseconds, whatever else the machine does."""
    left = iter(range(messages))

    async def one() -> None:
        for _ in left:
            await say()

    began, spent = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one() for _ in range(AT_A_TIME)))
    used = time.process_time() - spent
    return messages / (time.perf_counter() - began), 1e6 * used / messages


async def compare(root: str, messages: int) -> None:
    """Print one line for each client."""
    ours = AiohttpRequest(connections=AT_A_TIME, read=20.0, connect=10.0, proxies=False)
    theirs = HTTPXRequest(connection_pool_size=AT_A_TIME, httpx_kwargs={"trust_env": False})
    rates: dict[str, tuple[float, float]] = {}
    for name, request in (("python-telegram-bot", theirs), ("ours", ours)):
        bot = Bot(TOKEN, f"{root}/bot", request=request, get_updates_request=request)
        await request.initialize()
        await rate(lambda bot=bot: bot.send_message(-100123, "收到，编号2611-0001"), 200)  # type: ignore[misc]
        rates[name] = await rate(lambda bot=bot: bot.send_message(-100123, "收到，编号2611-0001"), messages)  # type: ignore[misc]
        await request.shutdown()
        print(f"{name:20} {rates[name][0]:8.0f} messages/s {rates[name][1]:8.0f} µs of processor time each")
    fast = rates["ours"][0] / rates["python-telegram-bot"][0]
    cheap = rates["python-telegram-bot"][1] / rates["ours"][1]
    print(f"{'times as fast':20} {fast:8.1f}            {cheap:8.1f} (processor time)")


if __name__ == "__main__":
    mine, other = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(other,), daemon=True)
    server.start()
    asyncio.run(compare(f"http://127.0.0.1:{mine.recv()}", int(sys.argv[1]) if len(sys.argv) > 1 else 3000))
    server.terminate()
