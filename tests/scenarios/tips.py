"""What the tests of tips share: how one is told, and by which name officers know it."""

from __future__ import annotations

import re

from tests.kit.scenario import PRIVATE, Scenario

GROUP = "港新1号网格"
TIP = "有人在3号楼租房开赌局，天天半夜散场"
IN_GROUP = "这类情况请不要在群里说。点我的头像私聊我*"


def told(chat: Scenario, text: str = TIP) -> str:
    """A private tip; gives the receipt."""
    chat.say("林小雨", PRIVATE, text)
    received = chat.expect("林小雨", "收到了，已加密保存。*")
    found = re.search(r"(?:\d{4} ){4}\d{4}", received.what.text)
    assert found is not None
    return found[0]


def name_of(chat: Scenario) -> str:
    card = chat.expect("李敏", "有一条新线索，代号*")
    return card.what.text.rpartition(" ")[2]
