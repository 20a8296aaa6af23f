"""aiogram's own normal loop against the fake server: echo every text, press nothing, stop at "bye".

Runs in an environment of its own (aiogram does not bear the pydantic that we use): `python aiogram_loop.py ROOT TOKEN`.
"""

from __future__ import annotations

import asyncio
import sys

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramForbiddenError, TelegramMigrateToChat, TelegramRetryAfter
from aiogram.types import BufferedInputFile, CallbackQuery, ChatMemberUpdated, Message


async def main(root: str, token: str) -> None:
    """Poll until somebody says "bye"."""
    bot = Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(root)))
    hub = Dispatcher()

    @hub.message()
    async def echo(message: Message) -> None:
        if message.text == "bye":
            await hub.stop_polling()
        elif message.photo:
            data = await bot.download(message.photo[-1])
            if data is not None:
                await message.answer_photo(BufferedInputFile(data.read(), "again.jpg"), caption=message.caption)
        elif message.text == "check":
            await message.answer(await _checked(bot, message))
        elif message.text:
            await message.reply(f"aiogram: {message.text}")

    @hub.callback_query()
    async def tapped(query: CallbackQuery) -> None:
        await query.answer()

    @hub.my_chat_member()
    async def changed(change: ChatMemberUpdated) -> None:
        await bot.send_message(change.chat.id, f"aiogram: {change.new_chat_member.status}")

    await bot.delete_webhook()
    await hub.start_polling(bot, handle_signals=False)


async def _checked(bot: Bot, message: Message) -> str:
    """Which errors it makes of the next three refusals, and what it reads of the chat."""
    seen: list[str] = []
    for _ in range(3):
        try:
            await bot.send_message(message.chat.id, "refused")
        except (TelegramRetryAfter, TelegramForbiddenError, TelegramMigrateToChat) as problem:
            seen.append(type(problem).__name__)
    chat = await bot.get_chat(message.chat.id)
    if message.from_user is not None:
        seen.append((await bot.get_chat_member(message.chat.id, message.from_user.id)).status)
    return " ".join([*seen, str(chat.title)])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
