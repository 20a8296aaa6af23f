"""The fake server is believed because two clients that we did not write run their own normal loops against it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from telegram import Bot, Update
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, NetworkError
from telegram.ext import ApplicationBuilder, CallbackContext, CallbackQueryHandler, MessageHandler, filters
from telegram.request import HTTPXRequest

from tests.kit.fake_bot_api import KICKED, TOKEN, Answer, Cut, FakeBotApi, Hang, TooFast

# aiogram needs an older pydantic than ours, so it lives in an environment of its own
AIOGRAM = Path(".venv-bench/bin/python").absolute()


def bot_of(api: FakeBotApi, read: float = 5.0) -> Bot:
    def calm() -> HTTPXRequest:
        return HTTPXRequest(read_timeout=read, httpx_kwargs={"trust_env": False})

    return Bot(TOKEN, f"{api.root}/bot", f"{api.root}/file/bot", request=calm(), get_updates_request=calm())


async def test_python_telegram_bot_runs_its_loop() -> None:
    async with FakeBotApi(hold=1.0) as api:
        builder = ApplicationBuilder().bot(bot_of(api)).job_queue(None)
        application = builder.build()

        async def echo(update: Update, context: CallbackContext[Any, Any, Any, Any]) -> None:
            message = update.effective_message
            assert message is not None
            if message.photo:
                file = await message.photo[-1].get_file()
                await message.reply_photo(bytes(await file.download_as_bytearray()), caption=message.caption)
            else:
                await message.reply_text(f"heard: {message.text}", do_quote=True)

        async def tapped(update: Update, context: CallbackContext[Any, Any, Any, Any]) -> None:
            assert update.callback_query is not None
            await update.callback_query.answer()

        application.add_handler(MessageHandler(filters.ALL, echo))
        application.add_handler(CallbackQueryHandler(tapped))
        api.say("张阿姨", "好邻居群", "早上好")
        api.say("张阿姨", "好邻居群", photo=api.photo(b"jpeg"), caption="门口的照片")
        async with application:
            assert application.updater is not None
            await application.updater.start_polling(poll_interval=0.0)
            await application.start()
            await api.until(lambda: len(api.sent) == 2)
            api.tap("张阿姨", api.sent[0], "解决了")
            api.say("张阿姨", "", "私下说")
            await api.until(lambda: len(api.sent) == 3 and len(api.answered) == 1)
            await api.all_confirmed()
            await application.updater.stop()
            await application.stop()
        assert api.texts() == ["heard: 早上好", "门口的照片", "heard: 私下说"]
        assert api.sent[0]["reply"]["message_id"] == 100
        assert api.files[api.sent[1]["photo"][-1]["file_id"]] == b"jpeg"
        assert api.confirmed == [raw["update_id"] for raw in api.every_update]


async def test_python_telegram_bot_understands_the_errors() -> None:
    async with FakeBotApi() as api:
        group = api.group("群")
        async with bot_of(api) as bot, bot_of(api, read=0.3) as hasty:
            api.fail("sendMessage", KICKED, Answer(502, "<html>"), Cut(), Hang(delivered=True))
            with pytest.raises(Forbidden):
                await bot.send_message(group.id, "a")
            with pytest.raises(NetworkError):
                await bot.send_message(group.id, "b")
            with pytest.raises(Exception, match="Invalid server response"):
                await bot.send_message(group.id, "c")
            with pytest.raises(NetworkError):
                await hasty.send_message(group.id, "d")
            await api.until(lambda: api.texts() == ["c", "d"])
            with pytest.raises(BadRequest):
                await bot.send_message(group.id, "x" * 4097)
            with pytest.raises(BadRequest):
                await bot.send_message(4711, "x")
            new = api.migrate(group, tell=False)
            with pytest.raises(ChatMigrated) as moved:
                await bot.send_message(group.id, "e")
            assert moved.value.new_chat_id == new.id
            assert (await bot.get_chat(new.id)).title == "群"
            sent = await bot.send_message(new.id, "f")
            await bot.edit_message_text("g", new.id, sent.message_id)
            assert await bot.delete_message(new.id, sent.message_id)
            assert api.texts(new) == ["g"]
            assert (await bot.get_webhook_info()).url == ""
            await bot.set_webhook("https://example.cn/hook")
            with pytest.raises(Conflict, match="webhook"):
                await bot.get_updates()


async def test_the_newer_of_two_pollers_wins() -> None:
    async with FakeBotApi() as api, bot_of(api) as one, bot_of(api) as other:
        first = asyncio.create_task(one.get_updates(timeout=5))
        await api.until(lambda: api.polls == 1)
        second = asyncio.create_task(other.get_updates(timeout=5))
        with pytest.raises(Conflict, match="other getUpdates"):
            await first
        api.say("张阿姨", "群", "早")
        assert [update.update_id for update in await second] == [api.every_update[0]["update_id"]]


async def test_aiogram_runs_its_loop() -> None:
    if not AIOGRAM.exists():
        missing = "aiogram is missing: make peers"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    script = Path(__file__).parent / "aiogram_loop.py"
    async with FakeBotApi(hold=1.0) as api:
        group = api.group("好邻居群")
        process = await asyncio.create_subprocess_exec(AIOGRAM, str(script), api.root, TOKEN)
        try:
            async with asyncio.timeout(60):
                api.say("张阿姨", group, "早上好")
                api.say("张阿姨", group, photo=api.photo(b"jpeg"), caption="照片")
                await api.until(lambda: len(api.sent) == 2)
                api.tap("张阿姨", api.sent[0], "解决了")
                api.membership(group, "member", "administrator")
                await api.until(lambda: len(api.sent) == 3 and len(api.answered) == 1)
                moved = Answer(
                    400, {"ok": False, "error_code": 400, "description": "x", "parameters": {"migrate_to_chat_id": -1009}}
                )
                api.fail("sendMessage", TooFast(3), KICKED, moved)
                api.say("张阿姨", group, "check")
                await api.until(lambda: len(api.sent) == 4)
                api.say("张阿姨", group, "bye")
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert sorted(api.texts()[:2]) == ["aiogram: 早上好", "照片"]
        assert "administrator" in api.texts()[2]
        assert api.texts()[3].startswith("TelegramRetryAfter TelegramForbiddenError TelegramMigrateToChat")
        assert "member" in api.texts()[3]
