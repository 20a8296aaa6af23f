"""A bulletin that somebody passes on, of a water cut or a repair, is nobody's own trouble."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bot.messages import Address, Inbound, Sender
from handlers.bulletins import is_bulletin
from storage.tables import Case
from tests.kit.scenario import MORNING, PRIVATE, Scenario

GROUP = "港新1号网格"
BULLETINS = (
    ("停电通知 11月25日3号楼检修线路停电，请相互转告", True),
    ("刚接到通知，自来水管爆了，我们小区停水，抢修中", True),
    ("自来水公司：因管道漏水，3号楼停水，恢复时间另行通知", False),
    ("【停水通知】因主管网爆管抢修，港新路今天14:00至20:00停水，请居民朋友储水备用", False),
)


def test_somebodys_bulletin_becomes_no_case_and_no_address(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, "我们楼停水了，从早上停到现在")
    chat.expect("张阿姨", "收到，编号2611-0001（*）。在哪个位置？*")
    for words, forwarded in BULLETINS:
        chat.say("张阿姨", PRIVATE, words, copied=forwarded)
        chat.expect("张阿姨", "这像是一则通知，没有记成事项。*")
        chat.say("张阿姨", GROUP, words, copied=forwarded)
    chat.say("张阿姨", PRIVATE, "3号楼2单元")
    chat.expect("张阿姨", "好的，3号楼2单元，记下了。*")
    chat.skip_officers()
    assert chat.rows(Case.number) == ["2611-0001"]


@pytest.mark.one_cell
@pytest.mark.parametrize(
    "text",
    [
        "物业说在抢修，可是三天了还停水",
        "3号楼2单元电梯坏了，物业正在修",
        "物业通知3号楼明天停电，但是我妈要用呼吸机，麻烦帮忙",
        "通知栏倒了，压着花坛",
        "没人通知就停水了，3号楼2单元",
        "自来水公司在3号楼门口施工，晚上10点到早上5点一直响",
    ],
)
def test_ones_own_trouble_is_no_bulletin(text: str) -> None:
    somebody = Inbound("1", Address("web", "hall", "p1", private=True), Sender("p1", "张阿姨"), MORNING, text=text)
    assert not is_bulletin(somebody)
    assert not is_bulletin(replace(somebody, copied=True))
