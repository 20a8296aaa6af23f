"""Questions: answered from the library when we are asked and sure, else by a person; unasked only when certain."""

from __future__ import annotations

from storage.tables import Case
from tests.kit.scenario import PRIVATE, Scenario, jpeg

GROUP = "港新1号网格"
SURE = "新生儿落户要啥材料"  # good enough for whoever asked us
CERTAIN = "身份证丢了怎么补办"
UNKNOWN = "社区合唱团几点排练，还收人吗"


def test_answered_with_its_source_when_we_are_asked(chat: Scenario) -> None:
    chat.say("徐妈妈", GROUP, f"@前哨 {SURE}")
    chat.expect(GROUP, "*\n（依据：*核对）")
    chat.say("徐妈妈", PRIVATE, SURE)
    chat.expect("徐妈妈", "*\n（依据：*核对）")
    for line in (f"/问 {SURE}", f"/问{SURE}", f"／ask {SURE}"):
        chat.say("徐妈妈", GROUP, line)
        chat.expect(GROUP, "*\n（依据：*核对）")
    chat.silence()
    assert chat.rows(Case.id) == []


def test_unasked_it_is_answered_only_when_certain(chat: Scenario) -> None:
    chat.say("徐妈妈", GROUP, SURE)
    chat.silence()
    chat.say("徐妈妈", GROUP, CERTAIN)
    chat.expect(GROUP, "*\n（依据：*核对）")
    chat.say("徐妈妈", GROUP, UNKNOWN)
    chat.say("徐妈妈", GROUP, "晚上吃什么好呢？")
    chat.silence()
    assert chat.rows(Case.id) == []


def test_what_we_are_not_sure_of_goes_to_a_person_whose_answer_quotes_the_question(chat: Scenario) -> None:
    said = chat.say("徐妈妈", GROUP, f"@前哨 {UNKNOWN}", photo=jpeg())
    chat.expect(GROUP, "这个问题我没有十足把握，已转给社区的人回答，编号2611-0001。*")
    card = chat.expect("王建国", f"【咨询】2611-0001 {GROUP}：{UNKNOWN}*/回复 2611-0001 答复")
    chat.expect("周小琴", "【咨询】2611-0001*")
    chat.silence()
    chat.say("王建国", PRIVATE, "/回复 周二周四晚七点，欢迎来唱", quoting=card)  # the quoted card says which
    chat.expect("王建国", "2611-0001已回复*")
    answer = chat.expect(GROUP, f"关于您问的：{UNKNOWN}\n*答复：周二周四晚七点，欢迎来唱\n*")
    assert answer.what.reply_to == said.event.message_id
    chat.silence()
    chat.say("徐妈妈", GROUP, "没解决，在哪里排练")
    chat.expect(GROUP, "知道了，2611-0001重新办理*")
    chat.expect("王建国", "2611-0001反映人说没解决*")
    chat.skip("周小琴")
    chat.say("周小琴", PRIVATE, "/reply 2611-0001 社区二楼活动室")
    chat.expect("周小琴", "2611-0001已回复*")
    chat.expect(GROUP, "关于您问的：*答复：社区二楼活动室*")
    chat.say("徐妈妈", GROUP, "清楚了，解决了")
    chat.expect(GROUP, "2611-0001（*咨询*）已解决*")
    chat.skip("徐妈妈")


def test_in_the_nested_grid_the_officers_around_it_are_asked(chat: Scenario) -> None:
    chat.say("黄老板", "火锅街商户群", "@前哨 商会的年会什么时候开")
    chat.expect("火锅街商户群", "这个问题我没有十足把握*")
    chat.expect("王建国", "【咨询】*")
    chat.expect("周小琴", "【咨询】*")


def test_a_question_with_the_place_pending_is_answered_and_the_place_still_awaited(chat: Scenario) -> None:
    chat.say("徐妈妈", GROUP, "楼道里又停满了电动车，还在充电")
    chat.expect(GROUP, "*在哪个位置？*")
    chat.say("徐妈妈", GROUP, "@前哨 居住证怎么办")
    chat.expect(GROUP, "*（依据：*")
    chat.say("徐妈妈", GROUP, "2号楼1单元")
    chat.expect(GROUP, "好的，2号楼1单元*")
    chat.skip_officers()


def test_greetings_and_thanks_said_to_us(chat: Scenario) -> None:
    chat.say("徐妈妈", GROUP, "@前哨 你好")
    chat.expect(GROUP, "有安全隐患、纠纷*")
    chat.say("徐妈妈", GROUP, "@前哨")
    chat.expect(GROUP, "有安全隐患、纠纷*")
    chat.say("徐妈妈", GROUP, "@前哨 谢谢啦")
    chat.expect(GROUP, "不客气。")
    chat.say("徐妈妈", PRIVATE, "")
    chat.silence()
