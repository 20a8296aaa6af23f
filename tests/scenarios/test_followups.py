"""What follows a report without a quote or a number: people answer where and how it suits them, and nothing of it is lost."""

from __future__ import annotations

import re
import time

from cases.lifecycle import State
from handlers.hearing import ADDRESS, FREE, PROGRESS, REGRET, TURNED_UP
from storage.tables import Case, CaseEntry, LostItem
from tests.kit.scenario import PRIVATE, Scenario

GROUP = "港新1号网格"
OTHER = "港新2号网格"


def _reported(chat: Scenario, who: str = "张阿姨", words: str = "港新路12号路灯不亮了") -> str:
    chat.say(who, GROUP, words)
    chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()
    return chat.number


def _resolved(chat: Scenario) -> str:
    number = _reported(chat)
    chat.say("周小琴", PRIVATE, f"/接单 {number}")
    chat.expect("张阿姨", f"{number}已由*接手。")
    chat.say("周小琴", PRIVATE, f"/办结 {number} 换了新灯，亮了")
    chat.expect(GROUP, f"{number}处理好了*")
    chat.skip_officers()
    return number


def _state(chat: Scenario) -> list[str]:
    return chat.rows(Case.state)


def _added(chat: Scenario) -> list[str]:
    return [text for kind, text in chat.rows(CaseEntry.kind, CaseEntry.text) if kind == "addition"]


def test_asked_in_the_group_and_answered_in_private_it_is_closed_all_the_same(chat: Scenario) -> None:
    number = _resolved(chat)
    chat.say("何师傅", PRIVATE, "解决了")  # not his, and nobody asked him
    chat.expect("何师傅", "*")
    assert _state(chat) == [State.VERIFYING]
    chat.say("张阿姨", PRIVATE, "好了，谢谢")
    chat.expect(GROUP, f"{number}*已解决*")
    chat.expect("张阿姨", "谢谢您。*回1到5*")
    assert _state(chat) == [State.CLOSED_CONFIRMED]


def test_not_solved_said_in_private_opens_it_again_with_the_reason(chat: Scenario) -> None:
    number = _resolved(chat)
    chat.say("张阿姨", PRIVATE, "没有解决")
    chat.expect("张阿姨", "好的，还差在哪里？*")
    chat.say("张阿姨", PRIVATE, "晚上还是黑的")
    chat.expect("张阿姨", f"知道了，{number}重新办理*")
    chat.expect("周小琴", f"{number}反映人说没解决：晚上还是黑的*")
    assert _state(chat) == [State.REOPENED]


def test_of_two_that_are_asked_about_one_has_to_be_named(chat: Scenario) -> None:
    first = _resolved(chat)
    chat.say("张阿姨", GROUP, "港新路30号井盖没了")
    chat.expect(GROUP, "收到，编号*")
    second = chat.number
    chat.say("周小琴", PRIVATE, f"/接单 {second}")
    chat.say("周小琴", PRIVATE, f"/办结 {second} 井盖装好了")
    chat.expect("张阿姨", f"{second}已由*")
    chat.expect(GROUP, f"{second}处理好了*")
    chat.skip_officers()
    chat.say("张阿姨", PRIVATE, "解决了")
    chat.expect("张阿姨", f"您说的是哪一件？*{second}解决了*{first}*")
    assert _state(chat) == [State.VERIFYING, State.VERIFYING]
    chat.say("张阿姨", PRIVATE, f"{second}解决了")
    chat.expect(GROUP, f"{second}*已解决*")
    chat.expect("张阿姨", "谢谢您。*")
    assert _state(chat) == [State.VERIFYING, State.CLOSED_CONFIRMED]


def test_the_answer_to_an_officers_question_needs_no_quote(chat: Scenario) -> None:
    number = _reported(chat)
    chat.say("周小琴", PRIVATE, f"/追问 {number} 是几号楼前面那盏？")
    chat.expect("周小琴", "*已问反映人*")
    chat.expect(GROUP, f"{number}想再问一句*")
    chat.say("何师傅", GROUP, "大家吃了吗")  # somebody else's talk is nobody's answer
    chat.silence_in(GROUP)
    chat.say("张阿姨", GROUP, "靠幼儿园那边的一盏")
    chat.expect(GROUP, f"好的，已补充到{number}*")
    chat.skip_officers()
    assert _state(chat) == [State.DISPATCHED]
    assert _added(chat) == ["靠幼儿园那边的一盏"]
    chat.say("张阿姨", GROUP, "那我先去买菜了")
    chat.silence()


def test_what_the_bot_asked_for_with_a_wish_is_heard_and_not_taken_for_another_matter(chat: Scenario) -> None:
    chat.say("孙奶奶", OTHER, "我的老年卡丢了，在公交站")
    chat.expect(OTHER, "收到，编号*")
    chat.expect("孙奶奶", "*有没有什么特征*")
    chat.say("孙奶奶", PRIVATE, "我想请人帮忙把旧沙发搬下楼")
    chat.expect("孙奶奶", "收到，编号*什么时候方便*")
    wish = chat.number
    chat.skip_officers()
    chat.say("孙奶奶", PRIVATE, "周末都行")
    chat.expect("孙奶奶", f"好的，已补充到{wish}*")
    chat.skip_officers()
    chat.say("孙奶奶", PRIVATE, "我想举报个人")  # what is told in confidence never goes into a case
    chat.expect("孙奶奶", "请说说是什么事*")
    chat.say("孙奶奶", PRIVATE, "算了")
    chat.expect("孙奶奶", "好的。")
    assert _added(chat) == ["周末都行"]
    chat.say("孙奶奶", PRIVATE, "谢谢")
    chat.expect("孙奶奶", "不客气。")


def test_the_address_that_comes_as_a_second_message_belongs_to_the_report(chat: Scenario) -> None:
    chat.say("丁丁", GROUP, "楼上天天半夜吵，说了也不听")
    chat.expect(GROUP, "收到，编号*")
    number = chat.number
    chat.skip_officers()
    for who, words in (("何师傅", "6栋301"), ("丁丁", "今天菜价又涨了")):
        chat.say(who, GROUP, words)
        chat.silence()
    chat.say("丁丁", GROUP, "6栋301")
    chat.expect(GROUP, f"好的，已补充到{number}*")
    chat.skip_officers()
    chat.wait(minutes=11)
    chat.say("丁丁", GROUP, "3号楼2单元")  # by now it is talk
    chat.silence()
    assert _added(chat) == ["6栋301"]


def test_how_far_it_is_can_be_asked_in_ones_own_words(chat: Scenario) -> None:
    chat.say("罗嫂", PRIVATE, "什么时候来")
    chat.expect("罗嫂", "您最近没有反映过事情*")
    number = _reported(chat)
    for words in ("我那个事办得怎么样了", "有人管吗"):
        chat.say("张阿姨", GROUP, words)
        chat.expect(GROUP, f"{number}*现在是“已派单”*")
        chat.say("何师傅", GROUP, words)
        chat.silence()
    for words in ("怎么不回我", "没人理我", "收到了吗", "处理了吗", "什么时候有人来"):
        chat.say("张阿姨", PRIVATE, words)
        chat.expect("张阿姨", f"{number}*现在是“已派单”*")
    assert len(chat.rows(Case.id)) == 1
    chat.silence()


def test_who_writes_that_nobody_need_come_is_told_how_to_take_it_back(chat: Scenario) -> None:
    number = _reported(chat)
    chat.say("何师傅", GROUP, "发错了")
    chat.silence()
    chat.say("张阿姨", GROUP, "不用来了，我自己弄好了")
    chat.silence()  # two things in one: nothing is guessed
    chat.say("张阿姨", GROUP, "不用来了")
    chat.expect(GROUP, f"好的。要撤回{number}*/撤回 {number}")
    chat.say("张阿姨", GROUP, f"/撤回 {number}")
    chat.expect(GROUP, f"{number}已撤回*")
    chat.skip_officers()
    chat.say("张阿姨", GROUP, "发错了")
    chat.silence()


def test_whoever_had_it_hears_that_a_colleague_reported_the_result(chat: Scenario) -> None:
    number = _reported(chat)
    chat.say("王建国", PRIVATE, f"/接单 {number}")
    chat.expect("张阿姨", f"{number}已由*")
    chat.skip_officers()
    chat.say("周小琴", PRIVATE, f"/办结 {number} 换了新灯，亮了")
    chat.expect("王建国", f"{number}*周小琴已报办结：换了新灯，亮了。您不用再去了*")
    chat.expect("周小琴", f"{number}已报办结*")
    chat.expect(GROUP, f"{number}处理好了*")


def test_however_long_a_text_is_its_words_are_looked_at_once() -> None:
    for pattern in (ADDRESS, FREE, REGRET, PROGRESS, TURNED_UP):
        for piece in ("1号楼", "1", "周末", "我自己", "还是", "有人"):
            began = time.process_time()
            assert re.fullmatch(pattern, piece * 1500) is None
            assert time.process_time() - began < 2.0


def test_who_cannot_come_to_a_mediation_says_so_as_he_was_asked_to(chat: Scenario) -> None:
    chat.say("丁丁", GROUP, "楼上天天半夜吵，说了也不听")
    chat.expect(GROUP, "收到，编号*")
    number = chat.number
    chat.skip_officers()
    chat.say("周小琴", PRIVATE, f"/调解 {number} 明天下午3点 居委会")
    chat.expect("丁丁", f"{number}约了调解*请提前在这里说一声。")
    chat.skip_officers()
    chat.say("丁丁", PRIVATE, "居住证怎么办")  # control: another matter is another matter
    chat.expect("丁丁", "*（依据：*")
    chat.say("丁丁", PRIVATE, "我明天上班去不了，改天行吗")
    chat.expect("丁丁", f"好的，{number}的调解您来不了，已告诉调解员*")
    chat.expect("周小琴", f"【调解】{number}反映人说来不了：我明天上班去不了，改天行吗。*")
    assert _added(chat) == ["我明天上班去不了，改天行吗"]


def test_the_same_said_again_in_private_is_answered_and_is_one_case(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, "港新路12号路灯不亮了")
    chat.expect("张阿姨", "收到，编号*")
    number = chat.number
    chat.skip_officers()
    chat.say("张阿姨", PRIVATE, "港新路12号路灯不亮了呀")
    chat.expect("张阿姨", f"这件事记下了，编号{number}，现在是“已派单”*")
    assert len(chat.rows(Case.id)) == 1


def test_who_takes_back_what_is_asked_about_is_asked_whether_it_is_solved(chat: Scenario) -> None:
    number = _resolved(chat)
    chat.say("张阿姨", PRIVATE, f"/撤回 {number}")
    chat.expect("张阿姨", f"{number}解决了吗？*")
    assert _state(chat) == [State.VERIFYING]


def test_what_a_found_purse_holds_is_said_to_the_purse_and_a_tip_stays_a_tip(chat: Scenario) -> None:
    chat.say("徐妈妈", GROUP, "在小区门口捡到一个黑色钱包，谁丢的")
    chat.skip(GROUP, "徐妈妈")
    chat.skip_officers()
    chat.say("徐妈妈", PRIVATE, "里面有身份证")
    chat.expect("徐妈妈", "记下了，2611-0001核对时用，不会公开。")
    chat.say("徐妈妈", PRIVATE, "还有驾驶证和几张发票")
    chat.expect("徐妈妈", "记下了，2611-0001核对时用，不会公开。")
    assert chat.rows(LostItem.detail) == ["里面有身份证；还有驾驶证和几张发票"]
    chat.say("徐妈妈", PRIVATE, "有人天天在棋牌室里聚众赌博")
    chat.expect("徐妈妈", "收到了，已加密保存。*")
    chat.skip_officers()
    assert chat.rows(LostItem.detail) == ["里面有身份证；还有驾驶证和几张发票"]


def test_that_the_lost_thing_turned_up_is_heard_in_the_group_and_in_private(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "我的黑色钱包丢了，在菜场门口")
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()
    chat.say("林小雨", GROUP, "找到了")
    chat.silence()
    chat.say("张阿姨", GROUP, "找到了，谢谢大家")
    chat.expect(GROUP, "找到就好。不用再找的话，请发：/撤回 2611-0001")
    chat.skip_officers()
    chat.say("徐妈妈", PRIVATE, "我的手机丢了，在超市门口")
    chat.skip("徐妈妈")
    chat.skip_officers()
    chat.say("徐妈妈", PRIVATE, "手机找到了")
    chat.expect("徐妈妈", "找到就好。不用再找的话，请发：/撤回 2611-0002")
    chat.skip_officers()
    assert _added(chat) == ["找到了，谢谢大家", "手机找到了"]
    assert chat.rows(LostItem.detail) == ["", ""]
