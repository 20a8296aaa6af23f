"""What comes from where somebody is in danger belongs to it: photos for an hour, words for a while, and nothing else."""

from __future__ import annotations

import pytest

from storage.tables import Attachment, Case
from tests.kit.scenario import PRIVATE, Scenario, jpeg

GROUP = "港新1号网格"
FIRE, HURT, GONE = "3号楼着火了，快来人", "有人晕倒了，没反应", "奶奶走丢了，找不到了"
SAFE = "人都出来了，没事了"


def cry(chat: Scenario, words: str = FIRE, who: str = "张阿姨", where: str = GROUP) -> None:
    chat.say(who, where, words)
    chat.skip(GROUP, who)
    chat.skip_officers()


def safe(chat: Scenario, who: str = "张阿姨", words: str = SAFE) -> None:
    chat.say(who, GROUP, words)
    chat.expect(GROUP, "人没事就好。已记为2611-*")
    chat.skip_officers()


def photo(chat: Scenario, number: int, who: str = "张阿姨", text: str = "", where: str = GROUP) -> None:
    chat.say(who, where, text, photo=jpeg(number))


@pytest.mark.every_cell
def test_who_cries_twice_loses_no_photo(chat: Scenario) -> None:
    cry(chat)
    photo(chat, 1)
    chat.expect("王建国", "【紧急】港新1号网格求助的人发来照片：着火或冒烟。")
    cry(chat, "着火了着火了快来人啊")
    photo(chat, 2)
    cry(chat, HURT)  # of the same fire, though of another kind
    photo(chat, 3)
    chat.skip_officers()
    safe(chat)
    assert chat.rows(Attachment.case_id) == [1, 1, 1]


def test_whoever_says_that_all_are_safe_the_photos_are_in_the_case(chat: Scenario) -> None:
    cry(chat)
    photo(chat, 1)
    cry(chat, "是3号楼着火了，快打119", "陈大爷")
    photo(chat, 2, "陈大爷")
    chat.skip_officers()
    safe(chat, "林小雨")
    assert chat.rows(Attachment.case_id) == [1, 1]


@pytest.mark.parametrize("speaker", ["张阿姨", "陈大爷"])
def test_for_an_hour_photos_of_whoever_cried_belong_to_the_open_case(chat: Scenario, speaker: str) -> None:
    chat.hears_clocks = False
    cry(chat)
    chat.say("王建国", PRIVATE, "/值班")
    chat.skip(GROUP, "王建国")
    safe(chat, speaker)
    chat.wait(minutes=20)
    photo(chat, 1)
    chat.expect("王建国", "2611-0001（港新1号网格）有补充：求助的人发来照片（1张照片）")
    chat.say("王建国", PRIVATE, "/接单 2611-0001")
    chat.skip_officers()
    chat.skip(speaker)
    chat.wait(minutes=39)
    photo(chat, 2, text="墙都熏黑了")
    chat.expect("王建国", "2611-0001（港新1号网格）有补充：墙都熏黑了（1张照片）")
    chat.silence()
    assert chat.rows(Attachment.case_id) == [1, 1]
    chat.wait(minutes=2)
    photo(chat, 3)
    chat.silence()
    assert chat.rows(Attachment.case_id) == [1, 1]


def test_after_half_an_hour_photos_still_reach_whoever_is_called(chat: Scenario) -> None:
    cry(chat)
    chat.say("王建国", PRIVATE, "/值班")
    chat.skip(GROUP, "王建国")
    chat.wait(minutes=30)
    photo(chat, 1)
    assert chat.expect("王建国", "【紧急】港新1号网格求助的人发来照片：*").what.photo is not None
    chat.wait(minutes=60)
    safe(chat, "陈大爷")
    assert chat.rows(Attachment.case_id) == [1]


def test_what_a_neighbour_shows_is_no_part_of_it(chat: Scenario) -> None:
    cry(chat)
    photo(chat, 1, "陈大爷")
    safe(chat)
    photo(chat, 2, "陈大爷")
    chat.silence()
    assert chat.rows(Attachment.id) == []


def test_after_the_case_is_closed_a_photo_is_a_photo(chat: Scenario) -> None:
    cry(chat)
    chat.say("王建国", PRIVATE, "/值班")
    chat.skip(GROUP)
    safe(chat)
    chat.say("张阿姨", GROUP, "/撤回 2611-0001")
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()
    chat.wait(minutes=5)
    photo(chat, 1)
    photo(chat, 2)
    chat.silence()
    assert chat.rows(Case.state) == ["withdrawn"]
    assert [one for one in chat.rows(Attachment.case_id) if one is not None] == []


def test_a_photo_of_what_was_reported_since_belongs_to_that(chat: Scenario) -> None:
    cry(chat)
    safe(chat)
    chat.wait(minutes=10)
    chat.say("张阿姨", GROUP, "5号楼2单元楼道有人给电动车充电")
    photo(chat, 1)
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()
    assert chat.rows(Attachment.case_id) == [2]


def test_in_private_it_is_said_where_a_photo_went(chat: Scenario) -> None:
    cry(chat, where=PRIVATE)
    photo(chat, 1, where=PRIVATE)
    chat.expect("张阿姨", "已转给值班民警。*")
    chat.expect("刘卫东", "【紧急】私聊求助的人发来照片：*")
    chat.say("张阿姨", PRIVATE, SAFE)
    chat.expect("张阿姨", "人没事就好。已记为2611-0001*")
    chat.skip_officers()
    chat.wait(minutes=20)
    photo(chat, 2, where=PRIVATE)
    chat.expect("张阿姨", "好的，已补充到2611-0001。")
    chat.skip_officers()
    assert chat.rows(Attachment.case_id) == [1, 1]
