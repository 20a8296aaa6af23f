"""Work at the desk in the chat: a wrong ticket, more time, another department, and a talk with the reporter."""

from __future__ import annotations

import pytest

from storage.tables import Audit, Case, CaseEntry
from tests.kit.scenario import PRIVATE, Scenario, jpeg

GROUP = "港新1号网格"
CHARGING = "3号楼2单元楼道有人给电动车充电"


@pytest.fixture
def number(chat: Scenario) -> str:
    chat.hears_clocks = False
    chat.say("张阿姨", GROUP, CHARGING)
    chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()
    return chat.number


def taken(chat: Scenario, number: str) -> None:
    chat.say("马宏", PRIVATE, f"/接单 {number}")
    chat.skip("马宏", "张阿姨")


def state(chat: Scenario) -> str:
    return chat.rows(Case.state)[0]


# --- a wrong ticket ---


def test_a_wrong_ticket_goes_back_once_and_then_the_dispatcher_has_the_last_word(chat: Scenario, number: str) -> None:
    chat.say("马宏", PRIVATE, f"/退单 {number}")
    chat.expect("马宏", "还差一点：请发 /退单 号 理由，最好写该派给谁*")
    chat.say("马宏", PRIVATE, f"/退单 {number} 这栋楼不归我们，该派消防")
    chat.expect("马宏", f"{number}已退给调度员。")
    chat.expect("赵航", f"【退单】{number} *\n安居物业港新服务处：这栋楼不归我们，该派消防\n重新派：/派单 {number} 单位*")
    assert (state(chat), chat.rows(Case.unit_id)) == ("accepted", [None])
    chat.say("赵航", PRIVATE, f"/派单 {number} 物业")
    chat.skip("赵航", "张阿姨")
    chat.expect("马宏", f"【派单】{number}*")
    chat.say("马宏", PRIVATE, f"/return {number} 还是不归我们管")
    chat.expect("马宏", f"没有执行：{number}已经退过一次，现在由调度员说了算。*")
    assert state(chat) == "dispatched"


def test_a_unit_cannot_give_back_what_is_another_ones(chat: Scenario, number: str) -> None:
    chat.say("李敏", PRIVATE, f"/退单 {number} 不是我们的事情")
    chat.expect("李敏", "没有执行：这件事不在您负责的网格或单位。要办请找调度员。")


# --- more time ---


def test_more_time_is_asked_for_granted_and_runs_out(chat: Scenario, number: str) -> None:
    taken(chat, number)
    chat.say("马宏", PRIVATE, f"/延期 {number} 充电桩没到货")
    chat.expect("马宏", f"请写要几天（1到30）和理由：/延期 {number} 3天 等配件")
    chat.say("马宏", PRIVATE, f"/延期 {number} 3天 充电桩没到货")
    chat.expect("马宏", f"{number}申请延期3天，等值班领导批。*")
    card = chat.expect("刘卫东", f"【延期申请】{number} *要3天，充电桩没到货（原来11月26日10:00前办结）*")
    chat.say("马宏", PRIVATE, f"/延期 {number} 同意")
    chat.expect("马宏", "没有执行：这一步要由值班领导来做。")
    chat.offers(card, f"/延期 {number} 同意", f"/延期 {number} 不同意")
    chat.tap("刘卫东", card, f"/延期 {number} 同意")
    chat.expect("刘卫东", f"{number}同意延期3天，已告诉承办人和反映人。")
    chat.expect("马宏", f"{number}（*）延期批了，到11月26日10:00，这期间时限暂停。")
    chat.expect("张阿姨", f"{number}还要大约3天，办好了告诉您。")
    assert state(chat) == "on_hold"
    chat.wait(days=3)
    chat.expect("马宏", f"{number}（*）延期到了，时限接着走。请尽快办。")
    assert state(chat) == "in_progress"
    chat.say("马宏", PRIVATE, f"/extend {number} 2天 还没到货")
    chat.expect("马宏", f"没有执行：{number}最多延期1次，不能再延了。")


def test_more_time_is_refused_with_the_reason(chat: Scenario, number: str) -> None:
    taken(chat, number)
    chat.say("马宏", PRIVATE, f"/延期 {number} 3 等配件")
    chat.skip("马宏", "刘卫东")
    chat.say("刘卫东", PRIVATE, f"/延期 {number} 不同意 先拉隔离带")
    chat.expect("刘卫东", f"{number}没有同意延期，已告诉承办人。")
    chat.expect("马宏", f"{number}（*）没有同意延期：先拉隔离带。请按原来的时限办。")
    chat.say("刘卫东", PRIVATE, f"/延期 {number} 同意")
    chat.expect("刘卫东", f"没有执行：{number}没有人申请延期。")


def test_after_it_was_due_nobody_can_ask_for_more_time(chat: Scenario, number: str) -> None:
    taken(chat, number)
    chat.wait(days=4)
    chat.say("马宏", PRIVATE, f"/延期 {number} 3天 等配件")
    chat.expect("马宏", f"没有执行：{number}已经到期，到期后不能再延。*")


# --- another department ---


def test_a_referral_names_the_department_and_its_number_and_the_unit_keeps_the_duty(chat: Scenario, number: str) -> None:
    taken(chat, number)
    chat.say("马宏", PRIVATE, f"/转办 {number}")
    chat.expect("马宏", f"还差转给谁：/转办 {number} 单位和对方的编号")
    chat.say("马宏", PRIVATE, f"/转办 {number} 市住建局，工单ZJ-88")
    chat.expect("马宏", f"{number}已记下转给市住建局，工单ZJ-88。本单位还要盯着*")
    chat.expect("张阿姨", f"{number}已转市住建局，工单ZJ-88，我们会盯着，有结果告诉您。")
    assert (state(chat), chat.rows(Case.outside)) == ("referred", ["市住建局，工单ZJ-88"])
    chat.say("马宏", PRIVATE, f"/办结 {number} 住建局装好了充电桩")
    chat.expect(GROUP, f"{number}处理好了：住建局装好了充电桩——安居物业港新服务处*")
    chat.skip("马宏")


# --- a talk through the bot ---


def test_an_officer_talks_to_a_resident_through_the_bot(chat: Scenario) -> None:
    chat.hears_clocks = False
    chat.say("张阿姨", PRIVATE, CHARGING)
    chat.expect("张阿姨", "收到，编号*")
    chat.skip_officers()
    number = chat.number
    taken(chat, number)
    chat.say("马宏", GROUP, f"/对话 {number}")
    chat.expect(GROUP, "为了安全，“/对话”请在和我的私聊里发。")
    chat.say("马宏", PRIVATE, f"/对话 {number}")
    chat.expect("马宏", f"{number}的对话开始了：*15分钟没人说话就结束*")
    hello = chat.expect("张阿姨", f"{number}：安居物业港新服务处 物业主管想和您说几句。请直接在这里回答。")
    assert "马宏" not in hello.what.text
    chat.say("马宏", PRIVATE, "车是哪天停进来的？")
    chat.expect("张阿姨", "安居物业港新服务处 物业主管：车是哪天停进来的？")
    chat.silence()
    chat.say("张阿姨", PRIVATE, "上周三，居住证怎么办也顺便问下")  # the bot would answer this; it keeps quiet
    chat.expect("马宏", f"{number}反映人：上周三，居住证怎么办也顺便问下")
    chat.silence()
    chat.say("张阿姨", PRIVATE, "就是这辆", photo=jpeg())
    chat.expect_photo("马宏", f"{number}反映人：就是这辆")
    chat.say("马宏", PRIVATE, "/结束对话")
    chat.expect("马宏", f"{number}的对话结束了，机器人接着管。")
    chat.expect("张阿姨", f"{number}的对话结束了，之后有事直接跟我说，我是机器人。")
    chat.say("张阿姨", PRIVATE, "居住证怎么办")
    chat.expect("张阿姨", "*（依据：*")
    chat.say("马宏", PRIVATE, "你好")
    chat.expect("马宏", "有安全隐患、纠纷*")
    kinds = [(row.kind, row.author) for row in chat.rows(CaseEntry)]
    assert ("message", "officer") in kinds
    assert ("addition", "reporter") in kinds


def test_a_talk_ends_by_itself_when_nobody_says_anything(chat: Scenario) -> None:
    chat.hears_clocks = False
    chat.say("张阿姨", PRIVATE, CHARGING)
    chat.skip("张阿姨")
    chat.skip_officers()
    taken(chat, "2611-0001")
    chat.say("马宏", PRIVATE, "/对话 2611-0001")
    chat.skip("马宏", "张阿姨")
    chat.wait(minutes=14)
    chat.say("张阿姨", PRIVATE, "你们几点来")
    chat.expect("马宏", "2611-0001反映人：你们几点来")
    chat.wait(minutes=14)
    chat.silence()
    chat.wait(minutes=1)
    chat.expect("马宏", "2611-0001好一会儿没人说话，对话结束了，机器人接着管。*")
    chat.say("张阿姨", PRIVATE, "居住证怎么办")
    chat.expect("张阿姨", "*（依据：*")
    chat.silence()


def test_in_a_group_only_what_is_said_to_the_bot_belongs_to_the_talk(chat: Scenario, number: str) -> None:
    taken(chat, number)
    chat.say("马宏", PRIVATE, f"/talk {number}")
    chat.skip("马宏")
    hello = chat.expect(GROUP, f"{number}：*想和您说几句。请引用这条消息回答。")
    chat.say("张阿姨", GROUP, "今天菜场的鱼不错")
    chat.silence()
    chat.say("张阿姨", GROUP, "晚上七点以后在家", quoting=hello)
    chat.expect("马宏", f"{number}反映人：晚上七点以后在家")
    chat.silence()


def test_an_emergency_breaks_into_a_talk(chat: Scenario) -> None:
    chat.hears_clocks = False
    chat.say("张阿姨", PRIVATE, CHARGING)
    taken(chat, "2611-0001")
    chat.say("马宏", PRIVATE, "/对话 2611-0001")
    chat.skip("张阿姨")
    chat.skip_officers()
    chat.say("张阿姨", PRIVATE, "着火了，快来人")
    chat.expect("张阿姨", "马上打119*")
    chat.skip_officers()


def test_a_talk_needs_the_right_and_an_open_case(chat: Scenario, number: str) -> None:
    chat.say("李敏", PRIVATE, f"/对话 {number}")
    chat.expect("李敏", "没有执行：这件事不在您负责的网格或单位。要办请找调度员。")
    chat.say("马宏", PRIVATE, "/结束对话")
    chat.expect("马宏", "现在没有进行中的对话。*")
    chat.say("张阿姨", GROUP, f"/撤回 {number}")
    chat.skip(GROUP)
    chat.skip_officers()
    chat.say("马宏", PRIVATE, f"/对话 {number}")
    chat.expect("马宏", f"没有执行：{number}已经结束*")
    assert ("case.talk", False) in [tuple(row) for row in chat.rows(Audit.action, Audit.allowed)]


# --- two at once ---


def test_two_officers_take_at_once_and_one_has_it(chat: Scenario) -> None:
    chat.hears_clocks = False
    chat.say("张阿姨", GROUP, "5号楼路灯坏了好几天")
    chat.skip(GROUP)
    chat.skip_officers()
    from bot.messages import Sender

    for who in ("王建国", "周小琴"):
        chat.platform.say(Sender(chat._people[who], who), chat.address(who, PRIVATE), "/接单 2611-0001")
    chat.settle()
    said = {who: [a.what.text for a in chat._unseen(chat._key(who))] for who in ("王建国", "周小琴")}
    winners = [who for who, texts in said.items() if any("归您了" in text for text in texts)]
    [loser] = [who for who in said if who not in winners]
    assert len(winners) == 1
    assert said[loser] == [f"已经由{winners[0]}接单了。"]
    assert len([row for row in chat.rows(CaseEntry) if row.state == "signed"]) == 1
    chat.skip("张阿姨")
    chat.skip_officers()


# --- what the officer sees ---


def test_the_card_of_a_case_names_both_grids_the_due_time_and_the_next_steps(chat: Scenario, number: str) -> None:
    chat.say("王建国", PRIVATE, f"/查 {number}")
    card = chat.expect("王建国", f"{number} 电动车*").what.text
    assert "网格GX01，警务网格3201-01" in card
    assert "11月26日10:00前办结" in card
    assert card.splitlines()[-1].startswith("下一步：")
    for command in ("/派单", "/退单", "/接单", "/追问", "/转办", "/并单"):
        assert command in card.splitlines()[-1]
    assert "/办结" not in card.splitlines()[-1]


def test_the_help_prints_the_table(chat: Scenario) -> None:
    chat.say("马宏", PRIVATE, "/帮助 流程")
    told = chat.expect("马宏", "一件事怎么走*").what.text
    assert "/退单：已派单、已接单 → 已受理，民警、网格员，没有退过单、写了理由" in told
    assert "/未联系：回访中 → 办结（未联系上），值班领导，问过三次、满72小时" in told
    chat.say("张阿姨", PRIVATE, "/帮助 流程")
    assert "退单" not in chat.expect("张阿姨", "*").what.text
