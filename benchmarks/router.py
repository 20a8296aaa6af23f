"""Bytes in, handler chosen: our intake against other bots' dispatchers, message by message, one after the other.

    python -m benchmarks.router qianshao|rules|keywords|ptb|aiogram|nonebot

Ours has everything on: the frame's checks, the rate limit, the event, a memory of ids, the glance over the whole lexicon,
commands with their aliases, the search for a certain answer, and the reading that picks the handler. The others get 10 commands,
one alternation of 300 keywords and one pattern, which is how a keyword bot is written with them. Nobody stores or sends
anything. The figure is messages per second of processor time.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.corpus import COMMANDS, MESSAGES, PATTERN, Said, Stream, frames, stream

HEARD: dict[str, int] = {"keywords": MESSAGES, "qianshao": MESSAGES, "rules": MESSAGES}
HEARD |= {"ptb": 6_000, "aiogram": 2_000, "nonebot": 1_500}
Feed = Callable[[bytes], Awaitable[object]]


async def measure(feed: Feed, raw: list[bytes]) -> dict[str, float]:
    """Messages per second and the times of single messages in microseconds, after a short warming up."""
    for one in raw[:200]:
        await feed(one)
    times = []
    began = time.process_time()
    for one in raw[200:]:
        start = time.perf_counter_ns()
        await feed(one)
        times.append(time.perf_counter_ns() - start)
    spent = time.process_time() - began
    times.sort()
    return {
        "rate": len(times) / spent,
        "p50_us": times[len(times) // 2] / 1000,
        "p99_us": times[len(times) * 99 // 100] / 1000,
        "messages": len(times),
    }


# --- ours -------------------------------------------------------------------------------------------------------------


async def qianshao(talk: Stream, *, model: bool = True, keywords: list[str] | None = None) -> dict[str, float]:
    """From the web chat's frame to the handler."""
    from benchmarks.house import Intake, web_frame

    with tempfile.TemporaryDirectory() as folder:
        intake = Intake(Path(folder), keywords)
        if not model:
            intake.app.library.understanding._take_in(None)
        chosen: Counter[str] = Counter()

        async def feed(raw: bytes) -> None:
            handler = intake.choose(raw)
            if handler is not None:
                chosen[handler.__name__] += 1

        found = await measure(feed, frames(talk.said, web_frame))
        await intake.close()
    return {**found, "handled": chosen.total()}


async def keywords(talk: Stream) -> dict[str, float]:
    """The same job as the others have: 300 keywords instead of our lexicon and reading; everything else is on."""
    return await qianshao(talk, keywords=talk.keywords)


async def rules(talk: Stream) -> dict[str, float]:
    """The same without the learned weights, which read what the rules leave open."""
    return await qianshao(talk, model=False)


# --- the others -------------------------------------------------------------------------------------------------------


def telegram_update(one: Said) -> object:
    """What getUpdates would give for it."""
    text = one.text
    message: dict[str, Any] = {
        "message_id": one.number + 1,
        "from": {"id": 1000 + one.person, "is_bot": False, "first_name": f"居民{one.person}", "language_code": "zh-hans"},
        "chat": {"id": -1001000 - one.group, "title": f"港新{one.group}号网格", "type": "supergroup"},
        "date": 1_790_000_000 + one.number,
        "text": text,
    }
    if text.startswith("/"):
        message["entities"] = [{"offset": 0, "length": text.index(" "), "type": "bot_command"}]
    return {"update_id": one.number + 1, "message": message}


async def ptb(talk: Stream) -> dict[str, float]:
    """python-telegram-bot: CommandHandler and MessageHandler."""
    from telegram import Update
    from telegram.ext import Application, CommandHandler, MessageHandler, filters

    count = 0

    async def handle(update: Any, context: Any) -> None:
        nonlocal count
        count += 1

    application = Application.builder().token("1:a").updater(None).build()
    application._initialized = True
    application.bot._bot_user = __import__("telegram").User(1, "前哨", True, username="qianshao_bot")
    for command in COMMANDS:
        application.add_handler(CommandHandler(command, handle))
    application.add_handler(MessageHandler(filters.Regex("|".join(map(re.escape, talk.keywords))), handle))
    application.add_handler(MessageHandler(filters.Regex(PATTERN), handle))

    async def feed(raw: bytes) -> None:
        await application.process_update(Update.de_json(json.loads(raw), application.bot))

    found = await measure(feed, frames(talk.said, telegram_update))
    return {**found, "handled": count}


async def aiogram(talk: Stream) -> dict[str, float]:
    """aiogram: Dispatcher.feed_raw_update."""
    from aiogram import Bot, Dispatcher, F, Router
    from aiogram.filters import Command
    from aiogram.types import User

    count = 0

    async def handle(message: Any) -> None:
        nonlocal count
        count += 1

    def another() -> Callable[[Any], Awaitable[None]]:
        async def handler(message: Any) -> None:
            await handle(message)

        return handler

    bot = Bot("1:a")
    bot._me = User(id=1, is_bot=True, first_name="前哨", username="qianshao_bot")
    router = Router()
    for command in COMMANDS:
        router.message.register(another(), Command(command))
    router.message.register(another(), F.text.regexp(re.compile("|".join(map(re.escape, talk.keywords))), mode="search"))
    router.message.register(another(), F.text.regexp(re.compile(PATTERN), mode="search"))
    dispatcher = Dispatcher()
    dispatcher.include_router(router)

    async def feed(raw: bytes) -> None:
        await dispatcher.feed_raw_update(bot, json.loads(raw))

    found = await measure(feed, frames(talk.said, telegram_update))
    await bot.session.close()
    return {**found, "handled": count}


def onebot_event(one: Said) -> object:
    """What OneBot v11 would give for it."""
    return {
        "time": 1_790_000_000 + one.number,
        "self_id": 1,
        "post_type": "message",
        "message_type": "group",
        "sub_type": "normal",
        "message_id": one.number + 1,
        "group_id": 1000 + one.group,
        "user_id": 100_000 + one.person,
        "message": [{"type": "text", "data": {"text": one.text}}],
        "raw_message": one.text,
        "font": 0,
        "sender": {"user_id": 100_000 + one.person, "nickname": f"居民{one.person}", "role": "member"},
    }


async def nonebot(talk: Stream) -> dict[str, float]:
    """NoneBot2 at its best: one matcher for everything, which looks the words up by itself."""
    import nonebot as framework
    from nonebot.adapters.onebot.v11 import Adapter, Bot, Event
    from nonebot.message import handle_event

    framework.init(driver="~none", log_level="ERROR", superusers=set())
    words = re.compile("|".join(map(re.escape, talk.keywords)))
    pattern = re.compile(PATTERN)
    count = 0
    matcher = framework.on_message(block=True)

    @matcher.handle()
    async def _handle(event: Event) -> None:
        nonlocal count
        text = event.get_plaintext()
        if (text.startswith("/") and text[1:].partition(" ")[0] in COMMANDS) or words.search(text) or pattern.search(text):
            count += 1

    framework.get_driver()
    adapter = Adapter.__new__(Adapter)
    bot = Bot(adapter, "1")

    async def feed(raw: bytes) -> None:
        event = Adapter.json_to_event(json.loads(raw))
        if event is not None:
            await handle_event(bot, event)

    found = await measure(feed, frames(talk.said, onebot_event))
    return {**found, "handled": count}


PEERS: dict[str, Callable[[Stream], Awaitable[dict[str, float]]]] = {
    "qianshao": qianshao,
    "rules": rules,
    "keywords": keywords,
    "ptb": ptb,
    "aiogram": aiogram,
    "nonebot": nonebot,
}


if __name__ == "__main__":
    name = sys.argv[1]
    print(json.dumps(asyncio.run(PEERS[name](stream(HEARD[name])))))
