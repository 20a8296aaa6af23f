"""Sending to the fake Bot API: python-telegram-bot's own client against ours, by turns, under uvloop, `AT_A_TIME` at once.

    python -m benchmarks.telegram_sending [MESSAGES]

`client` is `Bot.send_message` over python-telegram-bot's default client, `request` the same over our BaseRequest, `ours` what
the bot does: the adapter's sending over the same BaseRequest. The server replays the tests' fake (`benchmarks.bot_api`) in a
process of its own; how busy it was is told, so that it can be seen who was measured.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import uvloop
from telegram import Bot
from telegram.request import HTTPXRequest

from benchmarks.bot_api import TOKEN, Server, serve, served
from bot.messages import Address, Outbound
from bot.platforms.telegram import TelegramPlatform, TelegramSettings
from bot.platforms.telegram.request import ApiRequest

__all__ = ["AT_A_TIME", "TOKEN", "serve"]

AT_A_TIME = 32
ROUNDS = 5
CHAT = -100123
TEXT = "收到，编号2611-0001"
MULTIPLE = {"client": 1, "request": 6, "ours": 10}  # messages of a turn, so that all turns last about as long


@dataclass(frozen=True, slots=True)
class Turn:
    """Messages a second, and microseconds of processor time of a message, ours and the server's."""

    rate: float
    spent: float
    served: float
    busy: float  # share of the time in which the server worked


async def rate(say: Callable[[], Awaitable[object]], messages: int, server: Server) -> Turn:
    """One turn."""
    left = iter(range(messages))

    async def one() -> None:
        for _ in left:
            await say()

    answered, served_before = server.used()
    began, spent = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one() for _ in range(AT_A_TIME)))
    spent, took = time.process_time() - spent, time.perf_counter() - began
    now, served_after = server.used()
    if now - answered != messages:
        raise RuntimeError(f"{now - answered} requests for {messages} messages")
    theirs = served_after - served_before
    return Turn(messages / took, 1e6 * spent / messages, 1e6 * theirs / messages, theirs / took)


async def compare(server: Server, messages: int) -> dict[str, float]:
    """All sides by turns; the medians of the rounds' ratios."""
    ours = ApiRequest(connections=AT_A_TIME, read=20.0, connect=10.0, proxies=False)
    theirs = HTTPXRequest(connection_pool_size=AT_A_TIME, httpx_kwargs={"trust_env": False})
    bots = {
        name: Bot(TOKEN, f"{server.root}/bot", request=request, get_updates_request=request)
        for name, request in (("client", theirs), ("request", ours))
    }
    platform = TelegramPlatform(TelegramSettings(TOKEN, base_url=server.root), data_dir=Path())
    to, what = Address("telegram", platform.account, str(CHAT)), Outbound("k", TEXT)
    sides: dict[str, Callable[[], Awaitable[object]]] = {
        "client": lambda: bots["client"].send_message(CHAT, TEXT),
        "request": lambda: bots["request"].send_message(CHAT, TEXT),
        "ours": lambda: platform.send(to, what),
    }
    await ours.initialize()
    await theirs.initialize()
    for say in sides.values():
        await rate(say, 200, server)
    turns: dict[str, list[Turn]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, say in sides.items():
            turns[name].append(await rate(say, max(AT_A_TIME, messages * MULTIPLE[name] // ROUNDS), server))
    await ours.shutdown()
    await theirs.shutdown()
    await platform.close()
    for name, found in turns.items():
        each = [statistics.median(getattr(turn, what) for turn in found) for what in ("rate", "spent", "served", "busy")]
        print(
            f"{name:8} {each[0]:7.0f} messages/s {each[1]:6.0f} µs of processor time each; the server {each[2]:4.0f} µs, "
            f"busy for {each[3]:.0%}",
            file=sys.stderr,
        )
    found = {}
    for name in ("request", "ours"):
        pairs = list(zip(turns[name], turns["client"], strict=True))
        for what, ratios in (
            ("rate", [mine.rate / other.rate for mine, other in pairs]),
            ("cpu", [other.spent / mine.spent for mine, other in pairs]),
        ):
            found[f"{name}_{what}"] = statistics.median(ratios)
            print(f"{name:8} {what:5} {statistics.median(ratios):5.1f} ({min(ratios):.1f} to {max(ratios):.1f})", file=sys.stderr)
    return found


if __name__ == "__main__":
    with served() as one:
        print(json.dumps(uvloop.run(compare(one, int(sys.argv[1]) if len(sys.argv) > 1 else 1_500))))
