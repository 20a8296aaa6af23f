"""What people say to us before or instead of a matter: never an answer about something else, never a case about nothing."""

from __future__ import annotations

import pytest

from storage.tables import Attachment, Case, CaseEntry
from tests.kit.scenario import PRIVATE, Scenario, jpeg

GROUP = "港新1号网格"


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        ("我是前哨，*是机器人*", ("你是谁", "你是机器人吗？", "你能干什么", "你们能帮我做什么呀", "怎么用")),
        (
            "您说，我记着*",
            ("我要投诉", "投诉物业", "有个事情想跟你们说一下", "同志你好，我想反映个情况", "我要报案", "能帮我个忙吗"),
        ),
        ("您问的是哪件事？*", ("要带什么", "带什么材料？", "多少钱", "在哪办", "改天行吗", "怎么办理", "找谁啊")),
        ("有安全隐患*", ("？", "。。。", "?!")),
    ],
)
def test_an_opening_gets_its_own_answer_and_is_no_case(chat: Scenario, answer: str, lines: tuple[str, ...]) -> None:
    for line in lines:
        chat.say("张阿姨", PRIVATE, line)
        chat.expect("张阿姨", answer)
        chat.say("张阿姨", GROUP, line)  # said to neighbours it is none of our business
    chat.say("张阿姨", PRIVATE, "办居住证要带什么")  # control: with its matter it is answered
    chat.expect("张阿姨", "*（依据：*")
    chat.silence()
    assert chat.rows(Case.id) == []


def test_who_wants_a_person_gets_one_and_what_is_said_meanwhile_goes_along(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, "转人工")
    chat.expect("张阿姨", "好的，已请社区的人来回您，编号*")
    number = chat.number
    chat.expect("赵航", f"【咨询】{number} 私聊：转人工*")
    chat.say("张阿姨", PRIVATE, "找民警")
    chat.expect("张阿姨", f"已经请了，编号{number}*")
    chat.say("张阿姨", PRIVATE, "孩子户口的事说不清楚")
    chat.expect("张阿姨", f"好的，已补充到{number}*")
    chat.expect("赵航", f"{number}*有补充：孩子户口的事说不清楚")
    chat.say("赵航", PRIVATE, f"/回复 {number} 明天上午我打给您")
    chat.expect("赵航", "*")
    chat.expect("张阿姨", "关于您问的：转人工*明天上午我打给您*")
    chat.skip_officers()
    assert len(chat.rows(Case.id)) == 1


def test_a_complaint_with_words_enough_goes_to_a_person_and_praise_is_thanked(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, "物业态度太差，打电话也不接")
    chat.expect("张阿姨", "*，编号*")
    chat.skip_officers()
    assert len(chat.rows(Case.id)) == 1
    chat.say("何师傅", PRIVATE, "你们办事真快，谢谢")
    chat.expect("何师傅", "*")
    assert len(chat.rows(Case.id)) == 1


@pytest.mark.every_cell
def test_words_that_only_point_at_a_photo_are_asked_for_more(chat: Scenario) -> None:
    chat.say("徐妈妈", PRIVATE, "这是照片", photo=jpeg(3))
    if chat.platform.captions:
        chat.expect("徐妈妈", "收到照片了。照片里是什么情况*")
    else:
        chat.skip("徐妈妈")
    assert chat.rows(Case.id) == []
    if chat.platform.captions:
        chat.say("徐妈妈", PRIVATE, "3栋楼道堆满了杂物")
        chat.expect("徐妈妈", "收到，编号*")
        chat.skip_officers()
        assert len(chat.rows(Attachment.id)) == 1


def test_a_command_without_its_slash_is_not_taken_for_a_note(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "港新路12号路灯不亮了")
    received = chat.expect(GROUP, "收到，编号*")
    number = chat.number
    chat.skip_officers()
    for line in (f"接单 {number}", f"接单：{number}", f"接单{number}"):
        chat.say("周小琴", PRIVATE, line)
        chat.expect("周小琴", f"还没有执行。*/接单 {number}")
    chat.say("张阿姨", GROUP, f"撤回 {number}")
    chat.expect(GROUP, f"还没有执行。*/撤回 {number}")
    chat.say("张阿姨", GROUP, "撤回", quoting=received)
    chat.expect(GROUP, "还没有执行。*/撤回")
    assert [kind for kind in chat.rows(CaseEntry.kind) if kind in ("note", "addition")] == []
    chat.say("周小琴", PRIVATE, f"{number} 接单前先看看现场")  # control: words about it are a note
    chat.expect("周小琴", f"已记在{number}里。*")


def test_a_number_that_is_missing_or_a_name_that_proves_nothing_is_told_what_to_write(chat: Scenario) -> None:
    chat.say("罗嫂", GROUP, "/撤回")
    chat.expect(GROUP, "还差一点：请发 /撤回 号。“号”是编号，像2611-0042*")
    chat.say("罗嫂", PRIVATE, "/核验 王建国")
    chat.expect("罗嫂", "光凭名字核不了*/核验 工号*")
    chat.say("罗嫂", PRIVATE, "/核验 9999")
    chat.expect("罗嫂", "核验结果：没有查到“9999”*")
