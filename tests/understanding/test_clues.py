"""What comes back to an alert: a sighting, good wishes, a question, somebody else who is missing."""

from __future__ import annotations

import pytest

from bot.understanding.clues import (
    adds_nothing,
    asks_if_genuine,
    asks_if_over,
    nearest,
    sounds_like_clue,
    speaks_of_another,
    tells_of_no_fear,
    tells_of_no_harm,
)


@pytest.mark.parametrize(
    "text",
    [
        "我刚才在公园门口看到一个穿蓝棉袄的老太太",
        "瞧见了，在桥头",
        "好像是在车站那边",
        "我看到了她往东走了",
        "走失的老人我在桥头看见了",
    ],
)
def test_a_sighting(text: str) -> None:
    assert sounds_like_clue(text)
    assert not speaks_of_another(text)
    assert not adds_nothing(text)


@pytest.mark.parametrize("text", ["看到了，转了", "我看见你发的了", "有没有人看到", "没看见", "希望早点找到", "谁见过？"])
def test_no_sighting(text: str) -> None:
    assert not sounds_like_clue(text)


@pytest.mark.parametrize("text", ["收到", "好的收到🙏", "谢谢", "希望平安", "已转发", "👍👍"])
def test_nothing_to_add(text: str) -> None:
    assert adds_nothing(text)


@pytest.mark.parametrize("text", ["孩子在我店里", "找到了，在我家", "希望快点，刚在河边看到她", "是个男的，往桥那边走"])
def test_something_to_add(text: str) -> None:
    assert not adds_nothing(text)


def test_questions_about_the_alert() -> None:
    assert all(map(asks_if_genuine, ("这个是真的吗？", "真的假的", "是不是真的")))
    assert all(map(asks_if_over, ("找到了吗", "找到没有？", "有消息了吗")))
    assert not any(map(asks_if_genuine, ("是这个吗，在我店门口坐着", "她穿蓝棉袄")))
    assert not any(map(asks_if_over, ("找到了，在我家", "在哪儿走丢的")))


def test_what_is_worse_than_a_sighting() -> None:
    assert speaks_of_another("我妈也走丢了，刚才还看见她在门口")
    assert not tells_of_no_harm("刚才看到有人翻窗进了2号楼")


def test_of_several_alerts_the_one_that_is_meant() -> None:
    alerts = ("李小明，8岁，红书包，校服", "王奶奶，78岁，蓝棉袄，拄拐杖")  # the newest first
    assert nearest("看到一个背红书包的孩子", alerts) == 0
    assert nearest("桥头有个穿蓝棉袄的老人", alerts) == 1
    assert nearest("刚才在公园看见了", alerts) == 0


@pytest.mark.parametrize(
    "text", ["刚才孩子在楼下玩，转眼人没影了", "刚才我妈在菜场，一回头就没人影了，快帮忙", "上午娃在公园门口，一转身人没了"]
)
def test_who_is_just_gone_is_no_sighting_of_somebody_else(text: str) -> None:
    assert not tells_of_no_harm(text)
    assert tells_of_no_harm("看见她了，一转眼往桥那边走没影了")


@pytest.mark.parametrize(
    "text", ["刚才有人在我家门口拧门把手，我一个人在家怕", "衣柜里好像是有人，我不敢动", "我看到有陌生男人进了院子，快来人"]
)
def test_who_is_afraid_of_a_stranger_has_not_seen_whom_we_look_for(text: str) -> None:
    assert not tells_of_no_fear(text)
    assert tells_of_no_fear("刚才在3栋门口有个老太太从里面走出来")
