"""Closed means confirmed: the reporter decides, in a word or a tap."""

from __future__ import annotations

import re

import pytest

from handlers.hearing import Verdict, reason_in, verdict
from storage.tables import Case, InboxEvent
from tests.kit.fake_platform import Arrival
from tests.kit.scenario import PRIVATE, Scenario, jpeg

GROUP = "港新1号网格"
REPORT = "3号楼2单元楼道有人给电动车充电"
SOLVED, NOT_SOLVED, UNCLEAR = Verdict.SOLVED, Verdict.NOT_SOLVED, Verdict.UNCLEAR


def resolved(chat: Scenario, text: str = REPORT, *, who: str = "张阿姨", where: str = GROUP, by: str = "马宏") -> Arrival:
    """A case up to the question; everything said so far is seen."""
    place = who if where == PRIVATE else where
    chat.say(who, where, text)
    chat.expect(place, "收到，编号*")
    chat.say(by, PRIVATE, f"/接单 {chat.number}")
    chat.expect(who, "*已由*接手。")
    chat.say(by, PRIVATE, f"/办结 {chat.number} 车已清走，装了充电桩")
    asked = chat.expect(place, f"{chat.number}处理好了：车已清走，装了充电桩——*您看解决了吗？*")
    chat.skip_officers()
    return asked


def states(chat: Scenario) -> list[str]:
    return chat.rows(Case.state)


@pytest.mark.every_cell
def test_seed_08_yes_closes_with_one_line_to_the_group_and_asks_for_a_rating(chat: Scenario) -> None:
    asked = resolved(chat)
    chat.offers(asked, "解决了", "没解决")
    assert asked.what.mention == "zhang"
    assert states(chat) == ["verifying"]
    chat.say("张阿姨", GROUP, "解决了，谢谢")
    chat.expect(GROUP, "2611-0001（3号楼2单元楼道，*）已解决，反映的邻居确认过了。——安居物业港新服务处")
    chat.expect("张阿姨", "谢谢您。2611-0001这次办得怎么样？回1到5*")
    chat.silence()
    assert states(chat) == ["closed_confirmed"]
    chat.say("张阿姨", PRIVATE, "5分")
    chat.expect("张阿姨", "谢谢您的评价。")
    assert chat.rows(Case.rating) == [5]


def test_a_tap_is_as_good_as_a_word(chat: Scenario) -> None:
    asked = resolved(chat)
    chat.tap("张阿姨", asked, "解决了")
    chat.expect(GROUP, "*已解决，反映的邻居确认过了。*")
    rate = chat.expect("张阿姨", "*回1到5*")
    chat.tap("张阿姨", rate, "2")
    chat.expect("张阿姨", "谢谢您直说*")
    chat.expect("刘卫东", "2611-0001（*）只得了2分*")
    chat.tap("张阿姨", rate, "5")  # once
    chat.silence()
    assert chat.rows(Case.rating) == [2]


def test_only_the_reporter_decides(chat: Scenario) -> None:
    asked = resolved(chat)
    chat.tap("陈大爷", asked, "解决了")
    chat.expect(GROUP, "这件事由反映的邻居来回答。*")
    chat.say("陈大爷", GROUP, "解决了")
    chat.silence()
    assert states(chat) == ["verifying"]


def test_no_with_the_reason_in_one_reopens_and_tells_the_officer(chat: Scenario) -> None:
    resolved(chat)
    chat.say("张阿姨", GROUP, "没解决，车又推回来了，充电线从五楼拉下来，天天晚上都在充，我看要出事的")
    chat.expect(GROUP, "知道了，2611-0001重新办理*")
    chat.expect("马宏", "2611-0001反映人说没解决：没解决，车又推回来了*接着办请回：/联系 2611-0001")
    assert states(chat) == ["reopened"]
    assert chat.rows(Case.reopened) == [1]


def test_no_then_the_reason(chat: Scenario) -> None:
    asked = resolved(chat)
    chat.tap("张阿姨", asked, "没解决")
    chat.expect(GROUP, "好的，还差在哪里？*")
    assert states(chat) == ["verifying"]
    chat.say("张阿姨", GROUP, photo=jpeg())
    chat.silence()
    chat.say("张阿姨", GROUP, "车又推回来了")
    chat.expect(GROUP, "知道了，2611-0001重新办理*")
    chat.expect("马宏", "*没解决：车又推回来了。*")


def test_no_and_no_reason_reopens_all_the_same(chat: Scenario) -> None:
    resolved(chat)
    chat.say("张阿姨", GROUP, "没解决")
    chat.expect(GROUP, "好的，还差在哪里？*")
    chat.wait(minutes=31)
    chat.expect("马宏", "2611-0001反映人说没解决：没有说原因。*")
    chat.say("张阿姨", GROUP, "今天跳舞去不去")
    chat.silence()


def test_after_a_second_try_it_closes(chat: Scenario) -> None:
    resolved(chat)
    chat.say("张阿姨", GROUP, "还没弄好，灯也没装")
    chat.skip(GROUP, "马宏")
    chat.say("马宏", PRIVATE, "/联系 2611-0001 约了下午再去")
    chat.expect("马宏", "2611-0001已记下联系情况。")
    chat.say("马宏", PRIVATE, "/办结 2611-0001 灯也装好了")
    chat.expect("马宏", "2611-0001已报办结*")
    chat.expect(GROUP, "2611-0001处理好了：灯也装好了*")
    chat.say("张阿姨", GROUP, "好了")
    chat.expect(GROUP, "*已解决*")
    chat.skip("张阿姨")


CHATTER = (
    "今天天气好了，去跳舞吧 晚饭还没吃 好了好了不说了别吵 谢谢王姐的菜 还是老样子 没人来打牌吗 作业没好好写 "
    "没办法 又来了 行 不 好的 满意"
)


def test_chatter_of_the_same_person_in_the_group_is_no_answer(chat: Scenario) -> None:
    resolved(chat)
    before = len(chat.rows(InboxEvent.id))
    for chatter in CHATTER.split():
        chat.say("张阿姨", GROUP, chatter)
        chat.silence()
    assert states(chat) == ["verifying"]
    assert len(chat.rows(InboxEvent.id)) == before  # not even kept, though an answer is awaited for two weeks


def test_an_unclear_answer_to_us_is_asked_about_once(chat: Scenario) -> None:
    asked = resolved(chat)
    chat.say("张阿姨", GROUP, "我明天去看看", quoting=asked)
    chat.expect(GROUP, "2611-0001解决了吗？请回“解决了”*")
    chat.say("张阿姨", GROUP, "我后天再去看", quoting=asked)
    chat.expect(GROUP, "好的，已补充到2611-0001。")
    chat.skip("马宏")
    chat.say("张阿姨", GROUP, "弄好了", quoting=asked)
    chat.expect(GROUP, "*已解决*")
    chat.skip("张阿姨")


def test_other_matters_in_the_private_chat_are_not_taken_for_an_answer(chat: Scenario) -> None:
    resolved(chat, where=PRIVATE)
    chat.say("张阿姨", PRIVATE, "5号楼路灯坏了好几天")
    chat.expect("张阿姨", "收到，编号2611-0002*")
    chat.say("张阿姨", PRIVATE, "居住证怎么办")
    chat.expect("张阿姨", "*（依据：*")
    chat.say("张阿姨", PRIVATE, "解决了")
    chat.expect("张阿姨", "谢谢您。2611-0001这次办得怎么样？*")
    chat.silence_in("张阿姨")
    chat.skip_officers()


def test_a_newer_question_does_not_push_the_call_back_out(chat: Scenario) -> None:
    resolved(chat)
    chat.say("张阿姨", GROUP, "楼道里又停满了电动车，还在充电")
    chat.expect(GROUP, "收到，编号2611-0002（*）。在哪个位置？*")
    chat.say("张阿姨", GROUP, "5号楼1单元")
    chat.expect(GROUP, "好的，5号楼1单元*")
    chat.restart()
    chat.say("张阿姨", GROUP, "解决了")
    chat.expect(GROUP, "2611-0001（*）已解决*")
    chat.skip("张阿姨")
    chat.skip_officers()


def test_two_call_backs_at_once_are_kept_apart(chat: Scenario) -> None:
    first = resolved(chat)
    resolved(chat, "5号楼路灯坏了好几天", by="周小琴")
    chat.tap("张阿姨", first, "没解决")
    chat.expect(GROUP, "好的，还差在哪里？*")
    chat.say("张阿姨", GROUP, "车又推回来了")
    chat.expect(GROUP, "知道了，2611-0001重新办理*")
    chat.say("张阿姨", GROUP, "解决了")
    chat.expect(GROUP, "2611-0002（*）已解决*")
    assert states(chat) == ["reopened", "closed_confirmed"]
    chat.skip("张阿姨")
    chat.skip_officers()


def test_not_solved_is_heard_for_two_weeks_after_closing(chat: Scenario) -> None:
    resolved(chat)
    chat.say("张阿姨", GROUP, "解决了")
    closed = chat.expect(GROUP, "*已解决*")
    chat.skip("张阿姨")
    chat.wait(days=13)
    chat.say("张阿姨", GROUP, "没解决，又开始充了", quoting=closed)
    chat.expect(GROUP, "知道了，2611-0001重新办理*")
    chat.expect("马宏", "*没解决：没解决，又开始充了。*")
    assert states(chat) == ["reopened"]


def test_after_two_weeks_it_is_a_new_matter(chat: Scenario) -> None:
    resolved(chat)
    chat.say("张阿姨", GROUP, "解决了")
    closed = chat.expect(GROUP, "*已解决*")
    chat.skip("张阿姨")
    chat.wait(days=15)
    chat.say("张阿姨", GROUP, "没解决，又开始充了", quoting=closed)
    chat.expect(GROUP, "2611-0001办结已超过14天。*")


def test_a_photo_of_the_result_follows_to_the_reporter(chat: Scenario) -> None:
    resolved(chat)
    chat.say("马宏", PRIVATE, photo=jpeg())
    chat.expect("马宏", "照片已加到2611-0001的结果里*")
    assert chat.expect(GROUP, "2611-0001处理后的照片。").what.photo
    chat.wait(minutes=11)
    chat.say("马宏", PRIVATE, photo=jpeg(1))
    chat.expect("马宏", "收到照片了。照片里是什么情况*")


def test_a_photo_can_come_with_the_result(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, REPORT)
    chat.skip(GROUP)
    chat.say("马宏", PRIVATE, "/接单 2611-0001")
    chat.skip("张阿姨")
    chat.say("马宏", PRIVATE, "/办结 2611-0001 车已清走", photo=jpeg())
    assert chat.expect(GROUP, "2611-0001处理好了：*").what.photo
    chat.skip_officers()


@pytest.mark.one_cell
@pytest.mark.parametrize(
    ("text", "strict", "lenient"),
    [
        ("解决了", SOLVED, SOLVED),
        ("嗯，修好了，谢谢！", SOLVED, SOLVED),
        ("已经好了", SOLVED, SOLVED),
        ("没问题了", SOLVED, SOLVED),
        ("是的", UNCLEAR, SOLVED),
        ("满意", UNCLEAR, SOLVED),
        ("👍", UNCLEAR, SOLVED),
        ("解决了吗？", UNCLEAR, UNCLEAR),
        ("修好了但是又漏了", UNCLEAR, NOT_SOLVED),
        ("解决了一半", UNCLEAR, UNCLEAR),
        ("没解决", NOT_SOLVED, NOT_SOLVED),
        ("还没修好", NOT_SOLVED, NOT_SOLVED),
        ("没有处理好，没人来过", NOT_SOLVED, NOT_SOLVED),
        ("没人来", UNCLEAR, NOT_SOLVED),
        ("不行", UNCLEAR, NOT_SOLVED),
        ("没有解决不了的事", UNCLEAR, UNCLEAR),
        ("谢谢", UNCLEAR, UNCLEAR),
        ("明天去看", UNCLEAR, UNCLEAR),
    ],
)
def test_what_an_answer_says(text: str, strict: Verdict, lenient: Verdict) -> None:
    assert (verdict(text, strict=True), verdict(text)) == (strict, lenient)


@pytest.mark.one_cell
@pytest.mark.parametrize(
    ("text", "reason"), [("没解决", False), ("还没弄好呢", False), ("没解决，灯又灭了", True), ("没人来过", True)]
)
def test_whether_a_no_names_a_reason(text: str, reason: bool) -> None:
    assert bool(reason_in(text)) is reason


def test_control_without_the_strict_ear_chatter_is_kept(chat: Scenario) -> None:
    chat.app.mind.hears = {"callback": re.compile("(?s).*")}
    resolved(chat)
    before = len(chat.rows(InboxEvent.id))
    chat.say("张阿姨", GROUP, "今天天气好了，去跳舞吧")
    assert len(chat.rows(InboxEvent.id)) == before + 1
