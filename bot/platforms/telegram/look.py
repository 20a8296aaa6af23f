"""What `qianshao check` finds out about the connection to Telegram without starting anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from telegram import Bot, User, WebhookInfo
from telegram.error import BadRequest, Forbidden, InvalidToken, TelegramError

from bot.errors import ConfigError
from bot.platforms.telegram.adapter import PRIVACY
from bot.platforms.telegram.failures import words_of
from bot.platforms.telegram.polling import NO_SUCH_BOT
from bot.platforms.telegram.request import ApiRequest
from bot.platforms.telegram.settings import TelegramSettings

MOST_GROUPS = 50  # asked, a few at a time
AT_A_TIME = 4
NAMED = 12  # groups of one kind that are named

# how the bot stands in a group, in the order in which it is told
HEARS, DEAF, MUTE, GONE = "hears everything", "hears only what is said to it", "may not write", "is not in it any more"


@dataclass(frozen=True, slots=True)
class Found:
    """`problems` each name their mend; `summary` says who the bot is, which groups it is in and what it hears there."""

    problems: tuple[str, ...]
    summary: str = ""


async def look(settings: TelegramSettings, groups: Iterable[tuple[str, str]]) -> Found:
    """Ask who we are and how we stand in `groups` (chat id, name). Never raises, and changes nothing."""
    try:
        settings.check()
    except ConfigError as problem:
        return Found((str(problem),))
    pool = ApiRequest(connections=AT_A_TIME, read=10.0, connect=10.0, proxies=not settings.local)
    bot = Bot(settings.token, f"{settings.root}/bot", f"{settings.root}/file/bot", request=pool, get_updates_request=pool)
    await pool.initialize()
    try:
        me = await bot.get_me()
        hook = await bot.get_webhook_info()
        given = list(groups)
        standings = await _standings(bot, me, given[:MOST_GROUPS])
    except InvalidToken:
        return Found((f"{settings.section}.token: {NO_SUCH_BOT}",))
    except TelegramError as problem:
        return Found((f"{settings.root}: {words_of(problem)}",))
    finally:
        await pool.shutdown()
    problems = (*_problems_of_bot(me, hook, settings), *_problems_of_groups(me, standings, alone=not given))
    return Found(problems, _summary(me, standings, len(given)))


async def _standings(bot: Bot, me: User, groups: list[tuple[str, str]]) -> dict[str, list[str]]:
    """The names of the groups by how the bot stands there."""
    turn = asyncio.Semaphore(AT_A_TIME)

    async def one(chat: str) -> str:
        async with turn:
            return await _standing(bot, me, chat)

    found: dict[str, list[str]] = {}
    for (_, name), standing in zip(groups, await asyncio.gather(*(one(chat) for chat, _ in groups)), strict=True):
        found.setdefault(standing, []).append(name)
    return found


async def _standing(bot: Bot, me: User, chat: str) -> str:
    try:
        member = await bot.get_chat_member(int(chat), me.id)
    except (BadRequest, Forbidden, ValueError):
        return GONE
    if member.status in ("left", "kicked"):
        return GONE
    if member.status == "restricted" and not getattr(member, "can_send_messages", True):
        return MUTE
    hears = member.status in ("administrator", "creator") or me.can_read_all_group_messages is not False
    return HEARS if hears else DEAF


def _problems_of_bot(me: User, hook: WebhookInfo, settings: TelegramSettings) -> Iterator[str]:
    if me.can_join_groups is False:
        yield "the bot may not be added to groups; in @BotFather choose /setjoingroups, this bot, Enable"
    if hook.url and not settings.webhook_url:
        yield (
            "another program has set a webhook for this bot and gets its messages; stop it. At the next start this bot takes the "
            "webhook away"
        )
    if settings.webhook_url and hook.last_error_message:
        yield (
            f"Telegram could not call telegram.webhook_url lately ({hook.last_error_message[:80]}); look whether the address is "
            "reached from outside and its certificate is valid"
        )


def _problems_of_groups(me: User, standings: dict[str, list[str]], *, alone: bool) -> Iterator[str]:
    for name in standings.get(GONE, ()):
        yield f"the bot is not in the group {name} any more; add it again, or the group gets no posts"
    for name in standings.get(MUTE, ()):
        yield f"the bot may not write in the group {name}; allow members to write, or make it an administrator"
    deaf = standings.get(DEAF, [])
    if deaf or (alone and me.can_read_all_group_messages is False):
        yield PRIVACY + (f" (groups: {_named(deaf)})" if deaf else "")


def _summary(me: User, standings: dict[str, list[str]], groups: int) -> str:
    if not groups:
        return f"@{me.username}, in no group yet: add it to one in Telegram"
    told = [f"{kind} in {len(names)} ({_named(names)})" for kind in (HEARS, DEAF) if (names := standings.get(kind))]
    rest = f"the first {MOST_GROUPS} looked at" if groups > MOST_GROUPS else ""
    return "; ".join(part for part in (f"@{me.username}, {groups} group{'s' if groups > 1 else ''}", *told, rest) if part)


def _named(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
