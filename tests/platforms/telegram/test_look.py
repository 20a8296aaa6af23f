"""`qianshao check` says who the bot is, what it cannot see or do, and how to mend it."""

from __future__ import annotations

import pytest

from bot.platforms.telegram import TelegramSettings, look
from tests.kit.fake_bot_api import TOKEN, FakeBotApi

pytestmark = pytest.mark.timeout(60)


async def test_all_is_well() -> None:
    async with FakeBotApi() as api:
        group = api.group("好邻居群")
        found = await look(TelegramSettings(TOKEN, api.root), [(str(group.id), group.title)])
    assert found.problems == ()
    assert found.summary == "@qianshao_test_bot, 1 groups"


async def test_what_the_bot_cannot_see_or_do() -> None:
    async with FakeBotApi() as api:
        api.me["can_read_all_group_messages"] = False
        hears, deaf, out = api.group("听得到"), api.group("听不到"), api.group("出来了")
        hears.members[int(api.me["id"])] = "administrator"
        out.members[int(api.me["id"])] = "left"
        groups = [(str(chat.id), chat.title) for chat in (hears, deaf, out)] + [("-9", "没了")]
        found = await look(TelegramSettings(TOKEN, api.root), groups)
    assert [problem.partition(";")[0] for problem in found.problems[:2]] == [
        "the bot is not in the group 出来了 any more",
        "the bot is not in the group 没了 any more",
    ]
    assert found.problems[2].startswith("privacy mode is on")
    assert found.problems[2].endswith("(groups: 听不到)")


async def test_no_connection_and_no_token() -> None:
    async with FakeBotApi() as api:
        wrong = await look(TelegramSettings("1000001:other", api.root), [])
        root = api.root
    assert "ask @BotFather" in wrong.problems[0]
    gone = await look(TelegramSettings(TOKEN, root), [])
    assert gone.problems[0].startswith(f"{root} cannot be reached (NotSent)")
    none = await look(TelegramSettings("", root), [])
    assert none.problems[0].startswith("telegram.token: is missing")
