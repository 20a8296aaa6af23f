"""A resident reports, an officer handles, the resident decides."""

from __future__ import annotations

from tests.kit.scenario import PRIVATE, Scenario, jpeg

GROUP = "港新1号网格"


def test_a_report_becomes_a_case_with_one_answer(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "港新路火锅店把液化气罐放在棚子里，太危险了")
    chat.expect(GROUP, "收到，编号2611-0001（*）。已转*")
    chat.skip("王建国", "周小琴", "马宏", "赵航")


def test_the_place_is_asked_once_and_the_next_message_is_the_answer(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "楼道里又停满了电动车，还在充电")
    chat.expect(GROUP, "收到，编号*（*）。在哪个位置？*")
    chat.silence()
    chat.say("陈大爷", GROUP, "今天菜场的鱼不错")
    chat.silence()
    chat.say("张阿姨", GROUP, "3号楼2单元")
    chat.expect(GROUP, "好的，3号楼2单元，记下了。*")
    chat.skip("王建国", "周小琴", "马宏", "赵航")


def test_words_then_photo_is_one_case_and_one_answer(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "3号楼2单元楼道有人给电动车充电")
    chat.expect(GROUP, "收到，编号2611-0001*")
    chat.wait(seconds=90)
    chat.say("张阿姨", GROUP, photo=jpeg())
    chat.silence_in(GROUP)
    chat.say("张阿姨", PRIVATE, f"/查 {chat.number}")
    chat.expect("张阿姨", "2611-0001（*")
    chat.skip("王建国", "周小琴", "马宏", "赵航")
