"""The same hazard from many people and groups is one case: one quiet line each, one result for every group."""

from __future__ import annotations

import pytest

from storage.tables import Case, CaseWitness
from tests.kit.scenario import PRIVATE, Scenario, jpeg

GROUP, OTHER, STREET = "港新1号网格", "港新小学二（3）班家长", "火锅街商户群"
CHARGING = "3号楼2单元楼道有人给电动车充电"


def first(chat: Scenario, text: str = CHARGING) -> str:
    chat.say("张阿姨", GROUP, text)
    chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()
    return chat.number


def states(chat: Scenario) -> list[str]:
    return chat.rows(Case.state)


def test_many_neighbours_are_one_case_with_witnesses(chat: Scenario) -> None:
    number = first(chat)
    chat.say("陈大爷", GROUP, "3号楼2单元楼道里又有人给电动车充电，太吓人")
    chat.expect(GROUP, f"收到，和{number}是同一件事，您是第2位反映的邻居。办好了一起告诉您。")
    chat.expect("马宏", f"{number}（3号楼2单元楼道）第2位邻居反映：*太吓人")
    chat.say("徐妈妈", OTHER, "港新3号楼2单元楼道有电动车在充电")
    chat.expect(OTHER, f"收到，和{number}是同一件事，您是第3位反映的邻居。*")
    chat.skip_officers()
    assert states(chat) == ["dispatched", "duplicate", "duplicate"]
    chat.say("马宏", PRIVATE, f"/接单 {number}")
    chat.skip("马宏", "张阿姨")
    chat.say("马宏", PRIVATE, f"/办结 {number} 车已清走，装了充电桩")
    chat.expect(GROUP, f"{number}处理好了：*")
    chat.skip("马宏")
    chat.silence()  # only the reporter is asked
    chat.say("张阿姨", GROUP, "解决了")
    line = f"{number}（3号楼2单元楼道，电动车*）已解决，3位邻居反映过，反映的邻居确认过了。——安居物业港新服务处"
    chat.expect(GROUP, line)
    chat.expect(OTHER, line)
    chat.expect("张阿姨", "*回1到5*")
    chat.silence()


def test_the_tenth_neighbour_is_told_the_number_and_the_officer_is_not_told_every_time(chat: Scenario) -> None:
    number = first(chat)
    for n in range(2, 11):
        chat.say(f"邻居{n}", GROUP, "3号楼2单元楼道有人给电动车充电，快管管")
        chat.expect(GROUP, f"收到，和{number}是同一件事，您是第{n}位反映的邻居。*")
    for n in (2, 3, 5, 10):
        chat.expect("马宏", f"{number}*第{n}位邻居反映：*")
    chat.silence()
    assert len(chat.rows(CaseWitness.id)) == 9


@pytest.mark.parametrize(
    "text",
    [
        "5号楼2单元楼道有人给电动车充电",  # another house
        "3号楼2单元楼道堆满了纸箱，消防通道走不了人",  # another matter
        "3号楼4单元楼道有人给电动车充电",  # another door
    ],
)
def test_what_only_looks_alike_is_a_case_of_its_own(chat: Scenario, text: str) -> None:
    first(chat)
    chat.say("陈大爷", GROUP, text)
    chat.expect(GROUP, "收到，编号2611-0002*")
    chat.skip_officers()
    assert "duplicate" not in states(chat)


def test_another_grid_is_another_case(chat: Scenario) -> None:
    first(chat)
    chat.say("罗嫂", "港新2号网格", CHARGING)
    chat.expect("港新2号网格", "收到，编号2611-0002*")
    chat.skip_officers()


def test_the_same_person_again_is_reminded_of_his_own_case(chat: Scenario) -> None:
    number = first(chat)
    chat.hears_clocks = False
    chat.wait(days=2)
    chat.say("张阿姨", GROUP, "3号楼2单元楼道那个电动车还在充电")
    chat.expect(GROUP, f"收到，这件事您反映过，编号{number}，现在是“已派单”。*")
    chat.expect("马宏", f"{number}（3号楼2单元楼道）有补充：*")
    assert chat.rows(CaseWitness.id) == []


def test_a_witnesss_photo_a_moment_later_goes_to_the_one_case(chat: Scenario) -> None:
    number = first(chat)
    chat.say("陈大爷", GROUP, "3号楼2单元楼道里有人给电动车充电")
    chat.skip(GROUP)
    chat.say("陈大爷", GROUP, photo=jpeg())
    chat.skip_officers()
    chat.say("马宏", PRIVATE, f"/查 {number}")
    chat.expect("马宏", f"{number} *1张照片*2位邻居反映*并进：2611-0002*")


def test_a_merging_by_hand_and_its_undoing(chat: Scenario) -> None:
    number = first(chat)
    chat.say("徐妈妈", OTHER, "学校门口3号楼那边消防通道堵了")
    chat.expect(OTHER, "收到，编号2611-0002*")
    chat.skip_officers()
    chat.say("赵航", PRIVATE, f"/并单 {number} 2611-0002")  # the order does not matter: the later follows the earlier
    chat.expect("赵航", "2611-0002已并到2611-0001，现在是2位邻居反映。并错了发：/并单 2611-0002 撤销")
    chat.expect("徐妈妈", "您反映的2611-0002和2611-0001是同一件事，一起办*")
    chat.expect("马宏", "2611-0002并进了2611-0001（3号楼2单元楼道），现在是2位邻居反映，一起办。")
    assert states(chat) == ["dispatched", "duplicate"]
    chat.say("徐妈妈", OTHER, "/补充 2611-0002 晚上更多")
    chat.expect(OTHER, "好的，已补充到2611-0001。")
    chat.skip_officers()
    chat.say("赵航", PRIVATE, "/merge 2611-0002 撤销")
    chat.expect("赵航", "2611-0002和2611-0001分开了，2611-0002现在是“已派单”。")
    chat.skip_officers()
    assert states(chat) == ["dispatched", "dispatched"]
    assert chat.rows(CaseWitness.id) == []


@pytest.mark.parametrize(
    ("line", "refusal"),
    [
        ("/并单 2611-0001", "还差一点：请发 /并单 号 更早那件的号*"),
        ("/并单 2611-0001 2611-0001", "没有执行：只能把后来的一件并到更早的一件里。*"),
        ("/并单 2611-0001 2611-0099", "没有查到2611-0099。*"),
        ("/并单 2611-0001 撤销", "没有执行：这件事现在是“已派单”*"),
    ],
)
def test_a_merging_that_cannot_be_is_refused_with_the_reason(chat: Scenario, line: str, refusal: str) -> None:
    first(chat)
    chat.say("赵航", PRIVATE, line)
    chat.expect("赵航", refusal)


def test_the_first_one_withdraws_and_the_case_goes_on_with_the_next(chat: Scenario) -> None:
    number = first(chat)
    chat.say("徐妈妈", OTHER, "港新3号楼2单元楼道有电动车在充电")
    chat.skip(OTHER)
    chat.skip_officers()
    chat.say("张阿姨", GROUP, f"/撤回 {number}")
    chat.expect(GROUP, f"您的反映已撤回。别的邻居也反映过{number}，会接着办。")
    chat.expect("马宏", f"{number}（*）第一位反映人撤回了，别的邻居也反映过，接着办。")
    chat.say("马宏", PRIVATE, f"/接单 {number}")
    chat.skip("马宏", "徐妈妈")
    chat.say("马宏", PRIVATE, f"/办结 {number} 车已清走了")
    chat.skip("马宏")
    chat.expect(OTHER, f"{number}处理好了：*")
    chat.say("徐妈妈", OTHER, "解决了")
    chat.expect(OTHER, f"{number}（*）已解决*")
    chat.skip("徐妈妈")


def test_a_witness_may_say_that_it_is_not_solved_but_not_that_it_is(chat: Scenario) -> None:
    number = first(chat)
    chat.say("陈大爷", GROUP, "3号楼2单元楼道里有人给电动车充电")
    chat.skip(GROUP)
    chat.say("马宏", PRIVATE, f"/接单 {number}")
    chat.say("马宏", PRIVATE, f"/办结 {number} 车已清走了")
    asked = chat.expect(GROUP, f"{number}处理好了：*")
    chat.skip("马宏", "张阿姨")
    chat.say("陈大爷", GROUP, "解决了", quoting=asked)
    assert states(chat)[0] == "verifying"
    chat.skip(GROUP, "马宏")
    chat.say("陈大爷", GROUP, "没解决，昨晚又有人充", quoting=asked)
    chat.expect(GROUP, f"知道了，{number}重新办理*")
    chat.expect("马宏", f"{number}反映人说没解决：没解决，昨晚又有人充。*")
    assert states(chat)[0] == "reopened"


def test_what_is_only_likely_is_shown_to_a_dispatcher(chat: Scenario) -> None:
    first(chat, "3号楼楼道有人给电动车充电")
    chat.say("陈大爷", GROUP, "3号楼门口电动车乱停乱放，充电线挂得到处都是")
    chat.expect(GROUP, "收到，*")
    said = [arrival.what.text for arrival in chat._unseen(chat._key("赵航"))]
    assert said in ([], ["2611-0002可能和2611-0001是同一件事。是的话发：/并单 2611-0002 2611-0001"])
    chat.skip_officers()
