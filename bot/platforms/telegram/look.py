"""What `qianshao check` finds out about the connection to Telegram without starting anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from telegram import Bot
from telegram.error import BadRequest, Forbidden, InvalidToken, TelegramError

from bot.errors import ConfigError
from bot.platforms.telegram.adapter import PRIVACY
from bot.platforms.telegram.polling import NO_SUCH_BOT
from bot.platforms.telegram.request import AiohttpRequest
from bot.platforms.telegram.settings import TelegramSettings

MOST_GROUPS = 50  # asked one by one


@dataclass(frozen=True, slots=True)
class Found:
    """`problems` each name their mend; `summary` says who the bot is and what it sees."""

    problems: tuple[str, ...]
    summary: str = ""


async def look(settings: TelegramSettings, groups: Iterable[tuple[str, str]]) -> Found:
    """Ask who we are and how we stand in `groups` (chat id, name). Never raises, and changes nothing."""
    try:
        settings.check()
    except ConfigError as problem:
        return Found((str(problem),))
    pool = AiohttpRequest(connections=4, read=10.0, connect=10.0, proxies=not settings.local)
    bot = Bot(settings.token, f"{settings.root}/bot", f"{settings.root}/file/bot", request=pool, get_updates_request=pool)
    await pool.initialize()
    try:
        me = await bot.get_me()
        given = list(groups)
        blind, problems = [], []
        for chat, name in given[:MOST_GROUPS]:
            standing = await _standing(bot, me.id, chat)
            if standing == "member" and me.can_read_all_group_messages is False:
                blind.append(name)
            elif standing in ("left", "kicked", "gone"):
                problems.append(f"the bot is not in the group {name} any more; add it again, or the group gets no posts")
            elif standing == "mute":
                problems.append(f"the bot may not write in the group {name}; allow members to write, or make it an administrator")
    except InvalidToken:
        return Found((f"telegram.token: {NO_SUCH_BOT}",))
    except TelegramError as problem:
        return Found((f"{settings.root} cannot be reached ({type(problem).__name__}); check the network or telegram.base_url",))
    finally:
        await pool.shutdown()
    if me.can_read_all_group_messages is False and (blind or not given):
        where = f" (groups: {', '.join(blind)})" if blind else ""
        problems.append(PRIVACY + where)
    return Found(tuple(problems), f"@{me.username}, {len(given)} groups")


async def _standing(bot: Bot, me: int, chat: str) -> str:
    """Our status in a group: Telegram's own word, "mute" where we may not write, "gone" where nobody knows us."""
    try:
        member = await bot.get_chat_member(int(chat), me)
    except (BadRequest, Forbidden, ValueError):
        return "gone"
    if member.status == "restricted" and not getattr(member, "can_send_messages", True):
        return "mute"
    return str(member.status)
