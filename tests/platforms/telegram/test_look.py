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
    assert found.summary == "@qianshao_test_bot, 1 group; hears everything in 1 (好邻居群)"


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
    told = "@qianshao_test_bot, 4 groups; hears everything in 1 (听得到); hears only what is said to it in 1 (听不到)"
    assert found.summary == told


async def test_a_group_where_it_may_not_write_and_one_where_it_may_not_go() -> None:
    async with FakeBotApi() as api:
        api.me["can_join_groups"] = False
        mute = api.group("禁言群")
        mute.members[int(api.me["id"])] = "restricted"
        found = await look(TelegramSettings(TOKEN, api.root), [(str(mute.id), mute.title)])
    assert [problem.partition(";")[0] for problem in found.problems] == [
        "the bot may not be added to groups",
        "the bot may not write in the group 禁言群",
    ]


async def test_somebody_elses_webhook_and_no_group_yet() -> None:
    async with FakeBotApi() as api:
        api.webhook = {"url": "https://elsewhere.example/hook"}
        found = await look(TelegramSettings(TOKEN, api.root), [])
        assert not any(call.method in ("deleteWebhook", "setWebhook", "getUpdates") for call in api.calls)
    assert found.problems[0].startswith("another program has set a webhook for this bot")
    assert found.summary == "@qianshao_test_bot, in no group yet: add it to one in Telegram"


async def test_many_groups_are_counted_and_the_first_looked_at() -> None:
    async with FakeBotApi() as api:
        groups = [(str(chat.id), chat.title) for chat in (api.group(f"群{n}") for n in range(60))]
        found = await look(TelegramSettings(TOKEN, api.root), groups)
    assert found.problems == ()
    assert found.summary.startswith("@qianshao_test_bot, 60 groups; hears everything in 50 (群0, ")
    assert found.summary.endswith(", …); the first 50 looked at")


async def test_no_connection_and_no_token() -> None:
    async with FakeBotApi() as api:
        wrong = await look(TelegramSettings("1000001:other", api.root), [])
        root = api.root
    assert "ask @BotFather" in wrong.problems[0]
    gone = await look(TelegramSettings(TOKEN, root), [])
    assert gone.problems[0].startswith(
        f"{root}: Telegram cannot be reached: nothing listens there; check the network, HTTPS_PROXY or telegram.base_url"
    )
    none = await look(TelegramSettings("", root), [])
    assert none.problems[0].startswith("telegram.token: is missing")
