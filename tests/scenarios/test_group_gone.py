"""A group that removes the bot: nothing more goes there, and whoever dispatches hears of it once."""

from __future__ import annotations

from bot.errors import NeverDelivered
from storage.tables import Group
from tests.kit.scenario import Scenario

GROUP = "港新1号网格"


def test_the_dispatcher_is_told_once(chat: Scenario) -> None:
    chat.platform.fail(NeverDelivered("kicked", gone=True), chat="gx01")
    chat.say("张阿姨", GROUP, "3号楼2单元楼道有人给电动车充电")
    chat.expect("赵航", "机器人已经不在“港新1号网格”里了*")
    chat.expect("马宏", "【派单】*")
    chat.settle()
    chat.silence()
    assert chat.rows(Group.active).count(False) == 1
