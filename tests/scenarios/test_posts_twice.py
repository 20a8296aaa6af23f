"""The same post twice within minutes is asked about: a phone sends a message twice, a nervous thumb presses twice."""

from __future__ import annotations

import pytest

from storage.tables import Campaign
from tests.kit.scenario import PRIVATE, Scenario
from tests.scenarios.searching import CHIEF, EDITOR

WORK = "港新警务工作群"
ASKED = "刚刚推过同一篇：推送1号《*》（*），所以没有再推。\n看发到哪儿了，回：/推送 1 进度\n真要再推一次，请发：/推送 {} 再推1"


def send(chat: Scenario, words: str, where: str = PRIVATE, answer: str = "推送*号*") -> None:
    chat.say(EDITOR, where, f"/推送 {words}")
    chat.expect(EDITOR, answer)


def let_go(chat: Scenario) -> None:
    for _ in range(3):
        chat.wait(seconds=5)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.skip_officers()


@pytest.mark.every_cell
def test_the_same_words_twice_send_one_post(chat: Scenario) -> None:
    send(chat, "反诈 餐饮", answer="推送1号已发出：*")
    chat.wait(seconds=20)
    send(chat, "反诈 餐饮", answer=ASKED.format("反诈 餐饮"))
    let_go(chat)
    assert chat.rows(Campaign.id) == [1]


@pytest.mark.parametrize("words", ["反诈，餐饮", "反诈妙招 餐饮", "／推送　反诈　餐饮", "反诈 餐饮。", "反诈餐饮"])
def test_however_it_is_spelled(chat: Scenario, words: str) -> None:
    send(chat, "反诈 餐饮")
    text = words if words.startswith("／") else f"/推送 {words}"
    chat.say(EDITOR, WORK, text)
    chat.expect(EDITOR, ASKED.format(words.removeprefix("／推送　")))
    let_go(chat)
    assert chat.rows(Campaign.id) == [1]


def test_a_title_that_the_category_has_just_sent(chat: Scenario) -> None:
    send(chat, "96110打来的电话，请接 餐饮")
    send(chat, "反诈 餐饮", answer=ASKED.format("反诈 餐饮"))
    send(chat, "96110打来的电话，请接 餐饮", answer=ASKED.format("96110打来的电话，请接 餐饮"))
    let_go(chat)
    assert chat.rows(Campaign.id) == [1]


def test_with_the_number_it_goes_again_and_once(chat: Scenario) -> None:
    send(chat, "反诈 餐饮")
    send(chat, "反诈 餐饮 再推1", answer="推送2号已发出：*")
    send(chat, "反诈 餐饮 再推1", answer="刚刚推过同一篇：推送2号*再推2")
    let_go(chat)
    assert chat.rows(Campaign.id) == [1, 2]


def test_what_waits_for_a_second_person_or_for_its_time_is_the_same_too(chat: Scenario) -> None:
    send(chat, "警方通报 综合", answer="推送1号要另一位同事批准才发：*")
    send(chat, "警方通报 综合", answer="刚刚推过同一篇：推送1号《*》（等另一位同事批准）*")
    send(chat, "普法 综合 1小时后", answer="推送2号定在*")
    chat.wait(minutes=2)
    chat.skip_officers()
    send(chat, "普法 综合 1小时后", answer="2分钟前推过同一篇：推送2号《*》（定了时间，还没发）*")
    chat.skip_officers()
    assert chat.rows(Campaign.id) == [1, 2]


@pytest.mark.parametrize("words", ["反诈 农贸", "健康 餐饮", "反诈 餐饮 明天9:00"])
def test_what_is_not_the_same_goes(chat: Scenario, words: str) -> None:
    send(chat, "反诈 餐饮")
    chat.say(EDITOR, PRIVATE, f"/推送 {words}")
    chat.expect(EDITOR, "推送2号*")
    let_go(chat)
    assert chat.rows(Campaign.id) == [1, 2]


def test_later_or_by_somebody_else_or_after_a_stop_it_goes(chat: Scenario) -> None:
    send(chat, "反诈 餐饮 明天9:00")
    chat.say(EDITOR, PRIVATE, "/停止 1")
    chat.skip(EDITOR)
    send(chat, "反诈 餐饮 明天9:00", answer="推送2号定在*")
    chat.say("郑凯", PRIVATE, "/角色 S401 加 推送编辑")
    chat.skip_officers()
    chat.say(CHIEF, PRIVATE, "/推送 反诈 餐饮 明天9:00")
    chat.expect(CHIEF, "推送3号定在*")
    chat.wait(minutes=11)
    send(chat, "反诈 餐饮 明天9:00", answer="推送*号定在*")
    let_go(chat)
