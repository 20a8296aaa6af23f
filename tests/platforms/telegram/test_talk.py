"""What is said in Telegram groups goes as it does elsewhere, and where it cannot, as people there would expect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from bot.messages import Kind
from storage.tables import Case, Group
from tests.kit import cells
from tests.kit.fake_bot_api import FakeBotApi
from tests.kit.scenario import PRIVATE, Scenario
from tests.kit.telegram_peer import TelegramPeer

GROUP = "港新1号网格"
REPORT = "3号楼2单元楼道有人给电动车充电"


def test_what_is_taken_back_can_be_withdrawn_by_command(chat: Scenario) -> None:
    """Telegram tells no bot that a message was deleted: the case stays until its reporter says so."""
    said = chat.say("张阿姨", GROUP, REPORT)
    chat.expect(GROUP, "收到，编号2611-0001*")
    chat.skip_officers()
    chat.recall(said)
    chat.silence()
    assert chat.rows(Case.state) == ["dispatched"]
    chat.say("张阿姨", GROUP, "/撤回 2611-0001")
    chat.expect(GROUP, "2611-0001已撤回。*")
    chat.skip_officers()


# --- what the bot can hear ---


@pytest.fixture
def deaf(tmp_path: Path) -> Iterator[Scenario]:
    """The sample district with a bot whose privacy mode is on."""

    def peer(clock: Callable[[], datetime]) -> TelegramPeer:
        made = TelegramPeer(clock)
        made.api.me["can_read_all_group_messages"] = False
        return made

    token = cells.cell.set(cells.Cell(peer, plain=False))
    try:
        with Scenario(tmp_path) as scenario:
            yield scenario
    finally:
        cells.cell.reset(token)


def api_of(chat: Scenario) -> FakeBotApi:
    assert isinstance(chat.platform, TelegramPeer)
    return chat.platform.api


def standing_changes(chat: Scenario, before: str, after: str) -> None:
    api = api_of(chat)
    api.membership(api.chats[int(chat.chat_id("newgroup"))], before, after)
    chat.settle()


def test_a_bot_that_cannot_hear_says_so_to_the_owner_and_the_operator(deaf: Scenario) -> None:
    deaf.happens(Kind.JOINED, "群主", "newgroup", group_name="老群")
    deaf.expect("newgroup", "大家好，我是前哨*")
    told = deaf.expect("newgroup", "群主请看：我在这个群里现在只听得到*请在群设置里把我设成管理员*")
    assert told.what.mention == "群主"
    deaf.expect("赵航", "进了一个新群*")
    deaf.expect("郑凯", "机器人在“老群”里只听得到命令*@BotFather 发 /setprivacy*")
    standing_changes(deaf, "member", "administrator")
    deaf.expect("newgroup", "好了，现在群里的话我都能听到了。*")
    standing_changes(deaf, "administrator", "member")
    deaf.expect("newgroup", "群主请看：*")
    deaf.expect("郑凯", "机器人在“老群”里只听得到命令*")
    standing_changes(deaf, "member", "restricted")
    deaf.expect("郑凯", "机器人在“老群”里不能发言*")


def test_in_a_group_of_before_it_finds_out_at_the_first_word_once_after_each_start(deaf: Scenario) -> None:
    deaf.say("张阿姨", GROUP, "/查")
    deaf.expect(GROUP, "已在私聊里发给您。")
    deaf.skip("张阿姨")
    deaf.settle_until(lambda: deaf.heard_in(GROUP))
    deaf.expect(GROUP, "群主请看：*")
    deaf.expect("郑凯", "机器人在“港新1号网格”里只听得到命令*")
    deaf.restart(minutes=5)
    deaf.say("张阿姨", GROUP, "/查")
    deaf.skip("张阿姨", GROUP)
    deaf.settle_until(lambda: [call.method for call in api_of(deaf).calls].count("getChatMember") > 1)
    deaf.silence()
    assert deaf.rows(Group.hears_all).count(False) == 1


def test_who_hears_everything_has_nothing_to_say_about_it(chat: Scenario) -> None:
    chat.happens(Kind.JOINED, "群主", "newgroup", group_name="老群")
    chat.expect("newgroup", "大家好，我是前哨*")
    chat.expect("赵航", "进了一个新群*")
    standing_changes(chat, "member", "administrator")
    chat.say("张阿姨", PRIVATE, "/查")
    chat.skip("张阿姨")
    chat.silence()
