"""What comes from where somebody is in danger belongs to it: photos for an hour, words for a while, and nothing else."""

from __future__ import annotations

import json
import re

import pytest
from sqlmodel import Session, select

from storage.tables import Attachment, Case, CaseEntry, Dialog, InboxEvent, Missing
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


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("快点", FIRE),
        ("在三楼", FIRE),
        ("错了，是5号楼2单元", FIRE),
        ("不是3号楼，是5号楼", FIRE),
        ("怎么还没来", FIRE),
        ("有个老人在屋里", FIRE),
        ("在6单元门口等你们", FIRE),
        ("消防车进不来，3号楼门口停满了车", FIRE),
        ("我在3号楼顶上", "我不想活了"),
        ("对方说是公安局的", "刚把钱转给骗子了"),
    ],
)
def test_in_private_what_is_added_goes_to_the_officers(chat: Scenario, words: str, call: str) -> None:
    cry(chat, call, where=PRIVATE)
    chat.say("张阿姨", PRIVATE, words)
    chat.expect("张阿姨", "已转给值班民警。*")
    chat.expect("刘卫东", f"【紧急】私聊求助的人又说：{words}")
    chat.silence()
    assert chat.rows(Case.id) == []


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("5号楼2单元的井盖丢了", "收到，编号2611-0001*"),
        ("身份证怎么补办", "*身份证*"),
        ("/帮助", "*"),
        ("我要举报5号楼302有人聚众赌博", "收到了，已加密保存。*"),
        ("有人在3号楼地下室开赌场", "收到了，已加密保存。*"),
        ("我要投诉物业乱收费", "*"),
        ("我想举报", "*"),
        ("2611-0042", "*"),
    ],
)
def test_in_private_another_matter_goes_its_own_way(chat: Scenario, words: str, answer: str) -> None:
    cry(chat, where=PRIVATE)
    chat.say("张阿姨", PRIVATE, words)
    said = chat.expect("张阿姨", answer).what.text
    assert "已转给值班民警" not in said
    for officer in chat.district.officers:
        assert [
            one.what.text for one in chat.unseen(officer.name) if words in one.what.text and "【紧急】" in one.what.text
        ] == []
    chat.skip("张阿姨")
    chat.skip_officers()


def test_the_receipt_of_a_tip_is_shown_to_nobody(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, "/举报 5号楼302有人聚众赌博，每天晚上都有很多人")
    found = re.search(r"\d{4}(?:[ -]?\d{4}){4,}", chat.expect("张阿姨", "收到了，已加密保存。*").what.text)
    assert found is not None
    cry(chat, where=PRIVATE)
    chat.say("张阿姨", PRIVATE, found[0])
    for officer in chat.district.officers:
        assert [one for one in chat.unseen(officer.name) if found[0] in one.what.text] == []
    assert "已转给值班民警" not in chat.expect("张阿姨", "*").what.text
    chat.skip_officers()


def test_words_are_heard_no_longer_than_an_hour(chat: Scenario) -> None:
    cry(chat, where=PRIVATE)
    chat.say("刘卫东", PRIVATE, "/值班")
    chat.skip("张阿姨", "刘卫东")
    for minutes in (14, 14, 14, 14):
        chat.wait(minutes=minutes)
        chat.say("张阿姨", PRIVATE, "在三楼")
        chat.expect("刘卫东", "【紧急】私聊求助的人又说：在三楼")
    chat.skip("张阿姨")
    chat.wait(minutes=5)
    chat.say("张阿姨", PRIVATE, "在三楼")
    assert "已转给值班民警" not in chat.expect("张阿姨", "*").what.text
    chat.silence()


@pytest.mark.parametrize("ended", [False, True])
def test_after_a_tip_nothing_goes_to_the_officers_of_a_cry(chat: Scenario, ended: bool) -> None:
    cry(chat, where=PRIVATE)
    chat.say("刘卫东", PRIVATE, "/值班")
    if ended:
        chat.say("张阿姨", PRIVATE, SAFE)
    chat.skip("张阿姨")
    chat.skip_officers()
    chat.say("张阿姨", PRIVATE, "/举报 5号楼302有人聚众赌博，每天晚上都有很多人")
    chat.expect("张阿姨", "收到了，已加密保存。*")
    chat.skip_officers()
    for words in ("带头的是个秃头", "晚上十点以后人最多", "每次都是老王开门"):
        chat.say("张阿姨", PRIVATE, words)
    chat.skip("张阿姨")
    photo(chat, 1, text="这是他们的门口", where=PRIVATE)
    chat.expect("张阿姨", "补充好了，照片1张也在内，已加密保存。")
    chat.expect("李敏", "线索*有补充。请在私聊里发*")
    chat.wait(minutes=11)
    photo(chat, 2, where=PRIVATE)
    for officer in chat.district.officers:
        assert [
            one.what.text for one in chat.unseen(officer.name) if "【紧急】" in one.what.text or "补充" in one.what.text
        ] == []
    assert not any("已转给值班民警" in one.what.text or "已补充" in one.what.text for one in chat.unseen("张阿姨"))
    assert [row for row in chat.rows(Attachment.case_id, Attachment.alarm_id) if row != (None, None)] == []
    chat.skip("张阿姨")
    chat.skip_officers()


def test_what_an_older_version_noted_is_still_heard(chat: Scenario) -> None:
    cry(chat)
    photo(chat, 1)
    chat.skip_officers()

    def as_before(session: Session) -> None:
        for row in session.exec(select(Dialog)).all():
            kept = [one for one in json.loads(row.data) if one["name"] == "alarm.scene"]
            row.data = json.dumps([one | {"data": {"alarm": one["data"]["alarm"], "photos": "1"}} for one in kept])
            session.add(row)
        for shown in session.exec(select(Attachment)).all():
            shown.alarm_id = None
            session.add(shown)

    chat.run(chat.app.writer.run(as_before))
    chat.restart()
    for words in ("3号楼2单元", "3号楼2单元501"):
        chat.say("张阿姨", GROUP, words)
        chat.expect("王建国", f"【紧急】港新1号网格求助的人又说：{words}")
    safe(chat)
    assert chat.rows(Attachment.case_id) == [1]


def seen_for(chat: Scenario) -> list[tuple[str, int]]:
    """Which case has how many photos of an emergency."""
    of_it = [row for row, alarm in chat.rows(Attachment.case_id, Attachment.alarm_id) if alarm is not None]
    return [(number, of_it.count(case)) for case, number in chat.rows(Case.id, Case.number) if of_it.count(case)]


def test_a_photo_goes_into_no_older_search_of_the_same_person(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "/寻人 我家李爷爷，80岁，黑棉袄，上周在公园走失")
    chat.wait(hours=50)
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()
    cry(chat, "孩子走丢了，找不到了")
    photo(chat, 1)
    assert chat.expect("王建国", "【紧急】港新1号网格求助的人发来照片：*").what.photo is not None
    chat.skip_officers()
    assert seen_for(chat) == []


def test_a_photo_goes_into_the_search_that_whoever_took_it_over_wrote_and_into_no_other(chat: Scenario) -> None:
    chat.say("刘卫东", PRIVATE, "/寻人 李爷爷，80岁，黑棉袄，今早9点在公园走失，说话带海门口音", photo=jpeg(7))
    chat.say("王建国", PRIVATE, "/寻人 陈奶奶，80岁，黑棉袄，今早9点在公园走失，说话带海门口音", photo=jpeg(8))
    chat.wait(minutes=1)
    cry(chat, GONE)
    chat.say("王建国", PRIVATE, "/值班")
    photo(chat, 1)
    assert seen_for(chat) == []
    chat.say("王建国", PRIVATE, "/寻人 王奶奶，78岁，1米55，蓝棉袄，今早8点在菜市场走失", photo=jpeg(9))
    photo(chat, 2)
    chat.say("张阿姨", GROUP, "找到了")
    photo(chat, 3)
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()
    assert seen_for(chat) == [("2611-0003", 2)]


def test_with_several_searches_the_photos_stay_with_the_emergency(chat: Scenario) -> None:
    cry(chat, GONE)
    chat.say("王建国", PRIVATE, "/值班")
    for words in ("王奶奶，78岁，1米55，蓝棉袄，今早8点在菜市场走失", "李爷爷，80岁，黑棉袄，今早9点在公园走失"):
        chat.say("王建国", PRIVATE, f"/寻人 {words}", photo=jpeg(7))
    photo(chat, 1)
    chat.say("张阿姨", GROUP, "找到了")
    photo(chat, 2)
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()
    assert seen_for(chat) == []


def test_a_photo_of_a_cry_goes_to_no_group_by_itself(chat: Scenario) -> None:
    chat.say("王建国", PRIVATE, "/寻人 王奶奶，78岁，1米55，蓝棉袄，今早8点在菜市场走失", photo=jpeg(7))
    [written] = chat.rows(Missing.photo)
    cry(chat, "2号楼有个孩子不见了，找不到了", who="王建国")
    photo(chat, 1, "王建国")
    chat.say("王建国", PRIVATE, "/寻人 2611-0001 王奶奶，78岁，1米55，蓝棉袄，灰头发，今早8点在菜市场走失")
    assert chat.rows(Missing.photo) == [written]
    chat.say("王建国", PRIVATE, "/寻人 2611-0001", photo=jpeg(3))
    assert chat.rows(Missing.photo) != [written]
    chat.skip(GROUP)
    chat.skip_officers()


def test_a_photo_of_another_report_goes_there_while_people_are_in_danger_too(chat: Scenario) -> None:
    cry(chat)
    chat.say("王建国", PRIVATE, "/值班")
    chat.wait(minutes=20)
    chat.say("张阿姨", GROUP, "5号楼2单元楼道有人给电动车充电")
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()
    photo(chat, 1)
    assert chat.expect("王建国", "【紧急】港新1号网格求助的人发来照片：*").what.photo is not None
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()
    assert chat.rows(Attachment.case_id, Attachment.alarm_id) == [(1, 1)]


@pytest.mark.parametrize("before", [False, True])
def test_a_photo_of_who_is_missing_goes_into_no_other_report(chat: Scenario, before: bool) -> None:
    cry(chat, "孩子走丢了，找不到了")
    if before:
        photo(chat, 1)
    chat.say("张阿姨", GROUP, "5号楼2单元楼道有人给电动车充电")
    if not before:
        photo(chat, 1)
    assert [one.what.photo is not None for one in chat.unseen("王建国") if "发来照片" in one.what.text] == [True]
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()
    assert chat.rows(Attachment.case_id, Attachment.alarm_id) == [(None, 1)]


def test_several_photos_before_another_report_all_go_over(chat: Scenario) -> None:
    cry(chat)
    safe(chat)
    chat.wait(minutes=20)
    for number in (1, 2):
        photo(chat, number)
    chat.say("张阿姨", GROUP, "5号楼2单元楼道有人给电动车充电")
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()
    assert chat.rows(Attachment.case_id, Attachment.alarm_id) == [(2, None), (2, None)]


def test_a_photo_goes_into_no_neighbour_s_search(chat: Scenario) -> None:
    cry(chat, GONE)
    chat.say("陈大爷", GROUP, "/寻人 我家李爷爷，80岁，黑棉袄，今早9点在公园走失")
    photo(chat, 1)
    chat.skip(GROUP, "张阿姨", "陈大爷")
    chat.skip_officers()
    assert seen_for(chat) == []


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("words", ["今天午饭真好吃", "有没有人一起去跳广场舞？", "大家中午好"])
def test_small_talk_with_a_picture_is_nobodys_and_kept_nowhere(chat: Scenario, words: str, ended: bool) -> None:
    cry(chat)
    if ended:
        safe(chat)
    chat.say("王建国", PRIVATE, "/值班")
    chat.skip(GROUP, "王建国")
    chat.wait(minutes=5)
    chat.skip_officers()
    kept = len(chat.rows(InboxEvent.id))
    photo(chat, 1, text=words)
    chat.silence()
    assert (chat.rows(Attachment.id), len(chat.rows(InboxEvent.id))) == ([], kept)


@pytest.mark.parametrize("words", ["今天带孩子去公园", "我家楼下的花开了", "大家看看这个打折", "今天午饭真好吃", "越看越喜欢"])
def test_later_small_talk_is_nobodys_whatever_it_names(chat: Scenario, words: str) -> None:
    cry(chat)
    chat.say("王建国", PRIVATE, "/值班")
    chat.skip(GROUP, "王建国")
    chat.wait(minutes=50)
    chat.skip_officers()
    photo(chat, 1, text=words)
    chat.silence()
    assert chat.rows(Attachment.id) == []


@pytest.mark.parametrize(
    "words",
    [
        "又来了",
        "救不出来",
        "越来越大了",
        "这是我妈",
        "我爸",
        "红色外套",
        "电梯卡住了",
        "没气了",
        "水好大",
        "这是聊天记录",
        "门锁被撬了",
    ],
)
def test_soon_after_a_cry_a_photo_is_of_it_whatever_is_written_below(chat: Scenario, words: str) -> None:
    cry(chat)
    chat.say("王建国", PRIVATE, "/值班")
    chat.skip(GROUP, "王建国")
    chat.wait(minutes=14)
    chat.skip_officers()
    photo(chat, 1, text=words)
    chat.expect("王建国", f"【紧急】港新1号网格求助的人又说：{words}")
    assert chat.expect("王建国", "【紧急】港新1号网格求助的人发来照片：*").what.photo is not None
    chat.skip_officers()


@pytest.mark.parametrize(
    "words",
    [
        "这是我妈",
        "就是她",
        "我外婆",
        "我弟弟",
        "红色外套",
        "就是这个人",
        "我们出不去了",
        "电梯卡住了",
        "门锁被撬了",
        "水好大",
        "这是聊天记录",
    ],
)
def test_for_an_hour_words_that_may_be_about_it_are_heard_with_the_photo(chat: Scenario, words: str) -> None:
    cry(chat)
    chat.say("王建国", PRIVATE, "/值班")
    chat.skip(GROUP, "王建国")
    chat.wait(minutes=50)
    chat.skip_officers()
    photo(chat, 1, text=words)
    assert [one.what.photo is not None for one in chat.unseen("王建国") if "发来照片" in one.what.text] == [True]
    chat.skip_officers()


@pytest.mark.parametrize("words", ["墙都熏黑了", "这是现场", "3号楼2单元", "屋里全是水", "你们看看"])
def test_words_about_the_scene_go_along_with_the_photo(chat: Scenario, words: str) -> None:
    cry(chat)
    photo(chat, 1, text=words)
    chat.expect("王建国", f"【紧急】港新1号网格求助的人又说：{words}")
    assert chat.expect("王建国", "【紧急】港新1号网格求助的人发来照片：*").what.photo is not None
    chat.skip_officers()


@pytest.mark.parametrize("where", [GROUP, PRIVATE])
def test_the_words_are_passed_on_although_the_photo_cannot_be_had(chat: Scenario, where: str) -> None:
    officer, place = ("王建国", GROUP) if where == GROUP else ("刘卫东", "私聊")
    cry(chat, where=where)
    chat.say("张阿姨", where, "墙都熏黑了", photo=b"no picture")
    chat.expect(officer, f"【紧急】{place}求助的人又说：墙都熏黑了")
    if where == PRIVATE:
        chat.expect("张阿姨", "*照片*")
    chat.silence()


def test_the_words_reach_the_case_although_the_photo_cannot_be_had(chat: Scenario) -> None:
    cry(chat)
    safe(chat)
    chat.say("张阿姨", GROUP, "墙都熏黑了", photo=b"no picture")
    chat.expect("王建国", "2611-0001（港新1号网格）有补充：墙都熏黑了*")
    chat.silence()
    assert [text for kind, text in chat.rows(CaseEntry.kind, CaseEntry.text) if kind == "addition"] == ["墙都熏黑了"]


def test_a_cry_that_begins_like_a_command_is_an_emergency_of_its_own(chat: Scenario) -> None:
    cry(chat)
    chat.say("王建国", PRIVATE, "/值班")
    safe(chat)
    chat.wait(minutes=20)
    chat.skip(GROUP, "王建国")
    chat.say("张阿姨", GROUP, "/救命，有人晕倒了没反应", photo=jpeg(4))
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()
    photo(chat, 5)
    chat.expect("王建国", "【紧急】港新1号网格求助的人发来照片：*")
    chat.skip_officers()
    assert chat.rows(Attachment.case_id, Attachment.alarm_id) == [(None, 2), (None, 2)]


@pytest.mark.parametrize("ended", [False, True])
def test_a_photo_before_the_words_of_another_report_is_of_that(chat: Scenario, ended: bool) -> None:
    cry(chat)
    chat.say("王建国", PRIVATE, "/值班")
    chat.skip(GROUP, "王建国")
    if ended:
        safe(chat)
    chat.wait(minutes=40)
    photo(chat, 1)
    chat.wait(minutes=3)
    photo(chat, 2)
    chat.say("张阿姨", GROUP, "5号楼2单元楼道有人给电动车充电")
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()
    first, second = chat.rows(Attachment.case_id, Attachment.alarm_id)
    assert first == (1 if ended else None, 1), "what was shown long before is of the emergency"
    assert second == ((2, None) if ended else (1, 1))


def test_one_person_s_photos_leave_room_for_another_s(chat: Scenario) -> None:
    cry(chat)
    chat.say("王建国", PRIVATE, "/值班")
    cry(chat, "是3号楼着火了，快打119", "陈大爷")
    for number in range(20):
        photo(chat, number)
    chat.skip_officers()
    photo(chat, 30)
    assert [one for one in chat.unseen("王建国") if "发来照片" in one.what.text] == []
    photo(chat, 31, "陈大爷")
    assert chat.expect("王建国", "【紧急】港新1号网格求助的人发来照片：*").what.photo is not None
    chat.skip(GROUP)


def test_a_neighbour_s_photo_in_a_case_stays_the_neighbour_s(chat: Scenario) -> None:
    cry(chat)
    photo(chat, 1)
    cry(chat, "是3号楼着火了，快打119", "陈大爷")
    photo(chat, 2, "陈大爷")
    chat.skip_officers()
    safe(chat, "张阿姨")
    assert [author for kind, author in chat.rows(CaseEntry.kind, CaseEntry.author) if kind == "photo"] == ["reporter", "resident"]
    chat.say("张阿姨", PRIVATE, "/我的数据")
    assert "照片1张" in chat.expect("张阿姨", "您反映过的事：*2611-0001*").what.text
    chat.say("陈大爷", PRIVATE, "/我的数据")
    assert "有人求助时您发来的照片：1张" in chat.expect("陈大爷", "没有存您反映过的事。*").what.text
    chat.say("陈大爷", PRIVATE, "/忘记我")
    chat.say("陈大爷", PRIVATE, "忘记")
    chat.skip("陈大爷")
    assert [bool(sender) for sender in chat.rows(Attachment.sender)] == [True, False]
    assert chat.rows(Attachment.case_id) == [1, 1], "what was shown stays with the case"
    chat.say("陈大爷", PRIVATE, "/我的数据")
    assert "照片" not in chat.expect("陈大爷", "没有存您反映过的事。*").what.text
