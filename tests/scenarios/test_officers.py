"""Officers work in the chat: every command, its English name, its spellings, and why it was refused."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from sqlmodel import Session, col, delete, select

from bot.messages import Kind, Sender
from cases.roster import Roster
from storage.tables import Audit, Case, Officer, OfficerAccount
from tests.kit.scenario import PRIVATE, Scenario

GROUP = "港新1号网格"
WORK = "港新警务工作群"
LAMP = "5号楼路灯坏了好几天"
CHARGING = "3号楼2单元楼道有人给电动车充电"
UNCLEAR = "楼道里又停满了电动车，还在充电"


def reported(chat: Scenario, text: str = CHARGING, where: str = GROUP, who: str = "张阿姨") -> str:
    chat.say(who, where, text)
    chat.expect(where, "收到，编号*")
    chat.skip_officers()
    return chat.number


def code_for(chat: Scenario, badge: str) -> str:
    def make(session: Session) -> str:
        roster = Roster(session, chat.clock())
        officer = roster.by_badge(badge)
        assert officer is not None
        return roster.new_code(officer)

    return chat.app.writer.run_now(make)


def audits(chat: Scenario) -> list[tuple[str, str, bool, str]]:
    return [tuple(row) for row in chat.rows(Audit.action, Audit.target, Audit.allowed, Audit.reason)]  # type: ignore[misc]


@pytest.mark.every_cell
def test_a_case_through_all_hands(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, UNCLEAR)
    chat.expect(GROUP, "*在哪个位置？*")
    chat.say("张阿姨", GROUP, "不知道")
    chat.expect(GROUP, "没关系*")
    card = chat.expect("赵航", "【新，位置没说】2611-0001*")
    chat.say("赵航", PRIVATE, "/追问 哪一栋楼？", quoting=card)
    chat.expect("赵航", "2611-0001已问反映人，等补充。")
    asked = chat.expect(GROUP, "2611-0001想再问一句：哪一栋楼？（直接回复这条消息就行）")
    assert chat.rows(Case.state) == ["needs_info"]
    chat.say("张阿姨", GROUP, "3号楼", quoting=asked)
    chat.expect(GROUP, "好的，已补充到2611-0001。")
    chat.skip_officers()
    assert chat.rows(Case.state) == ["submitted"]
    chat.say("赵航", PRIVATE, "/accept 2611-0001")
    chat.expect("赵航", "2611-0001已受理。*")
    chat.expect("张阿姨", "2611-0001已受理。")
    chat.say("赵航", PRIVATE, "／派单2611－0001 物业 消防")
    chat.expect("赵航", "2611-0001已派给安居物业港新服务处、港新消防救援站。*")
    chat.expect("张阿姨", "2611-0001已转安居物业港新服务处、港新消防救援站。")
    chat.expect("马宏", "【派单】2611-0001*")
    chat.say("马宏", PRIVATE, "/take 26110001")
    chat.expect("马宏", "2611-0001归您了：*")
    chat.expect("张阿姨", "2611-0001已由安居物业港新服务处接手。")
    chat.say("马宏", PRIVATE, "/contact 2611-0001 电话里说了，下午去")
    chat.expect("马宏", "2611-0001已记下联系情况。")
    chat.say("马宏", PRIVATE, "/resolve 2611-0001")
    chat.expect("马宏", "还差处理结果：/办结 2611-0001 做了什么、现在怎么样")
    chat.say("马宏", PRIVATE, "/办结 2611-0001，车已清走，装了充电桩")
    chat.expect("马宏", "2611-0001已报办结*")
    chat.expect(GROUP, "2611-0001处理好了：车已清走，装了充电桩——安居物业港新服务处*")
    assert {action for action, _, allowed, _ in audits(chat) if allowed} >= {
        "case.request", "case.accept", "case.dispatch", "case.take", "case.contact", "case.resolve"
    }  # fmt: skip


def test_rejecting_needs_a_reason_that_the_reporter_reads(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, UNCLEAR)
    chat.say("张阿姨", GROUP, "不知道")
    chat.skip(GROUP)
    chat.skip_officers()
    chat.say("赵航", PRIVATE, "/不受理 2611-0001")
    chat.expect("赵航", "还差一点：请发 /不受理 号 理由和该找谁*")
    chat.say("赵航", PRIVATE, "/reject 2611-0001 这是隔壁街道的，请打12345")
    chat.expect("赵航", "2611-0001已记为不予受理*")
    chat.expect(GROUP, "2611-0001这边办不了：这是隔壁街道的，请打12345")
    chat.say("赵航", PRIVATE, "/派单 2611-0001 物业")
    chat.expect("赵航", "没有执行：这件事现在是“不予受理”*")


def test_wrong_units_are_named_with_the_right_ones(chat: Scenario) -> None:
    reported(chat)
    chat.say("赵航", PRIVATE, "/派单 2611-0001 园林局")
    chat.expect("赵航", "没有叫“园林局”的单位。现有：港新派出所、*")
    chat.say("赵航", PRIVATE, "/派单 2611-0001")
    chat.expect("赵航", "派给谁？按分工是安居物业港新服务处。手上的件数：*安居物业港新服务处1，*\n派单：/派单 2611-0001 单位")


def test_steps_out_of_order_are_refused_with_the_state(chat: Scenario) -> None:
    reported(chat)
    chat.say("马宏", PRIVATE, "/办结 2611-0001 已经处理好了")
    chat.expect("马宏", "没有执行：这件事现在是“已派单”，先接单：/接单 2611-0001")
    chat.say("马宏", PRIVATE, "/接单 2611-0001")
    chat.skip("马宏", "张阿姨")
    chat.say("马宏", PRIVATE, "/接单 2611-0001")
    chat.expect("马宏", "这件事已经在您手上。")
    assert chat.rows(Case.state) == ["signed"]


@pytest.mark.parametrize(
    ("who", "line", "refusal", "action"),
    [
        ("张阿姨", "/接单 {}", "这个命令只有登记过的民警和网格员能用。*", "command.take"),
        ("王建国", "/派单 {} 物业", "没有执行：“/派单”不在您的权限里。*", "command.dispatch"),
        ("孙悦", "/办结 {} 已经处理好了", "没有执行：“/办结”不在您的权限里。*", "command.resolve"),
        ("李敏", "/接单 {}", "没有执行：这件事不在您负责的网格或单位。要办请找调度员。", "case.take"),
        ("李敏", "/查 {}", "没有查到{}。*", "case.view"),
        ("郑凯", "/待办", "没有执行：“/待办”不在您的权限里。*", "command.queue"),
    ],
)
def test_refusals_say_why_and_are_audited(chat: Scenario, who: str, line: str, refusal: str, action: str) -> None:
    number = reported(chat)
    chat.say(who, PRIVATE, line.format(number))
    chat.expect(who, refusal.format(number))
    assert [row[0] for row in audits(chat) if not row[2]] == [action]
    assert chat.rows(Case.state) == ["dispatched"]
    chat.silence()


@pytest.mark.parametrize("how", ["edited", "forwarded", "anonymous", "a resident of the same name"])
def test_only_fresh_words_of_a_bound_account_act(chat: Scenario, how: str) -> None:
    number = reported(chat)
    if how == "edited":
        said = chat.say("马宏", GROUP, "今天值班")
        chat.edit(said, f"/接单 {number}")
    elif how == "forwarded":
        chat.say("马宏", GROUP, f"/接单 {number}", copied=True)
        chat.expect(GROUP, "转发的、匿名身份发的消息不会当命令执行。*")
    elif how == "anonymous":
        chat.shout(Sender("officer-P201", "马宏", personal=False), GROUP, f"/接单 {number}")
        chat.settle()
        chat.expect(GROUP, "转发的、匿名身份发的消息不会当命令执行。*")
    else:
        chat.shout(Sender("somebody", "马宏"), GROUP, f"/接单 {number}")
        chat.settle()
        warned, refused = sorted((chat.expect(GROUP, "*").what.text for _ in range(2)), key=lambda text: "登记过的民警" in text)
        assert refused.startswith("这个命令只有登记过的民警和网格员能用。")
        assert warned.startswith("提醒一下：群里“马宏”这个名字和登记的工作人员很像")
        chat.skip_officers()
    chat.silence()
    assert chat.rows(Case.state) == ["dispatched"]
    assert chat.rows(Case.officer_id) == [None]


def test_an_edited_command_in_private_is_told_so(chat: Scenario) -> None:
    said = chat.say("马宏", PRIVATE, "/查")
    chat.skip("马宏")
    chat.edit(said, "/待办")
    chat.expect("马宏", "改过的消息不会当命令执行，请重新发一条。")


def test_the_queue_shows_ones_own_scope_and_only_in_private(chat: Scenario) -> None:
    reported(chat)
    reported(chat, LAMP, "港新2号网格", "罗嫂")
    chat.say("马宏", GROUP, "/待办")
    chat.expect(GROUP, "已在私聊里发给您。")
    chat.expect("马宏", "2611-0001 * 3号楼2单元楼道（已派单）\n看一件发：/查 号")
    chat.say("周小琴", PRIVATE, "/queue")
    both = chat.expect("周小琴", "*").what.text
    assert "2611-0001" in both
    assert "2611-0002" in both
    chat.say("李敏", PRIVATE, "/待办")
    assert "2611-0001" not in chat.expect("李敏", "2611-0002*").what.text
    chat.silence()


def test_looking_at_a_case(chat: Scenario) -> None:
    number = reported(chat)
    chat.say("张阿姨", GROUP, f"/查{number}")
    chat.expect(GROUP, f"{number}（电动车*，3号楼2单元楼道）：已派单，安居物业港新服务处。")
    chat.say("张阿姨", GROUP, "/查")
    chat.expect(GROUP, "已在私聊里发给您。")
    chat.expect("张阿姨", f"您最近反映的：\n{number} *：已派单\n*")
    chat.say("陈大爷", PRIVATE, f"/show {number}")
    chat.expect("陈大爷", f"没有查到{number}。*")
    chat.say("陈大爷", PRIVATE, "/查")
    chat.expect("陈大爷", "您最近没有反映过事情。*")
    chat.say("王建国", GROUP, f"/查 {number}")
    chat.expect(GROUP, "已在私聊里发给您。")
    full = chat.expect("王建国", f"{number} *").what.text
    assert CHARGING in full
    assert re.search(r"11-23 10:00 反映", full)


def test_an_officers_plain_words_on_his_card_are_a_note(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, CHARGING)
    chat.skip(GROUP)
    card = chat.expect("马宏", "【派单】*")
    chat.say("马宏", PRIVATE, "现场看了，有六辆", quoting=card)
    chat.expect("马宏", "已记在2611-0001里。")
    chat.silence_in(GROUP)
    chat.say("马宏", PRIVATE, "/查 2611-0001")
    chat.expect("马宏", "*备注：现场看了，有六辆*")
    chat.skip_officers()


def test_words_to_the_reporter_of_a_hazard(chat: Scenario) -> None:
    number = reported(chat)
    chat.say("马宏", PRIVATE, f"/回复 {number} 师傅下午三点到")
    chat.expect(GROUP, f"{number}，安居物业港新服务处：师傅下午三点到")
    chat.expect("马宏", f"已转给{number}的反映人。")


def test_binding_an_account(chat: Scenario) -> None:
    def unbind(session: Session) -> None:
        session.execute(delete(OfficerAccount).where(col(OfficerAccount.user_id) == chat.user_id("王建国")))

    chat.app.writer.run_now(unbind)
    chat.say("王建国", PRIVATE, "/待办")
    chat.expect("王建国", "这个命令只有登记过的*")
    chat.say("王建国", PRIVATE, "/绑定")
    chat.expect("王建国", "还差一点：请发 /绑定 码")
    chat.say("王建国", PRIVATE, "/绑定 12345678")
    chat.expect("王建国", "这个码不对，或者已经用过、过期了。*")
    shown = code_for(chat, "3201")
    chat.say("王建国", GROUP, "大家早")
    chat.expect(GROUP, "提醒一下：群里“王建国”这个名字和登记的工作人员很像，但这个账号没有登记过。*")
    chat.say("王建国", GROUP, f"/绑定 {shown}")
    chat.expect(GROUP, "绑定码不能在群里发，刚才那个码已经作废。*")
    chat.say("王建国", PRIVATE, f"/绑定 {shown}")
    chat.expect("王建国", "这个码不对*")
    late = code_for(chat, "3201")
    chat.wait(hours=25)
    chat.say("王建国", PRIVATE, f"/绑定 {late}")
    chat.expect("王建国", "这个码不对*")
    code = code_for(chat, "3201")
    chat.say("王建国", PRIVATE, f"/绑定{code}")
    chat.expect("王建国", "绑定好了：社区民警王建国。*")
    chat.say("张阿姨", PRIVATE, f"/bind {code}")
    chat.expect("张阿姨", "这个码不对*")
    chat.say("王建国", PRIVATE, "/待办")
    chat.expect("王建国", "现在没有等您处理的事。")
    assert ("account.bind", "3201", True, "") in audits(chat)
    assert chat.traces(code, shown, late) == []


def test_guessing_codes_ends_after_five(chat: Scenario) -> None:
    right = code_for(chat, "3201")
    for n in range(5):
        chat.say("丁丁", PRIVATE, f"/绑定 1234567{n}")
        chat.expect("丁丁", "这个码不对*")
    chat.expect("郑凯", "有人在*私聊里连着输错了5次绑定码*")
    chat.say("丁丁", PRIVATE, f"/绑定 {right}")
    chat.expect("丁丁", "错的码太多了，请60分钟后再试。*")
    chat.say("王建国", PRIVATE, "/绑定 12345678")  # somebody else is not held up
    chat.expect("王建国", "这个码不对*")
    chat.restart(minutes=61)
    chat.say("丁丁", PRIVATE, f"/绑定 {right}")
    chat.expect("丁丁", "绑定好了*")
    refused = [row for row in audits(chat) if row[0] == "account.bind" and not row[2]]
    assert len(refused) == 6
    assert chat.traces("12345670") == []


def test_control_without_the_count_one_may_guess_for_ever(chat: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cases.codes.Guesses.note", lambda _: 0)
    for n in range(7):
        chat.say("丁丁", PRIVATE, f"/绑定 1234567{n}")
        chat.expect("丁丁", "这个码不对*")


def test_verifying_a_badge_and_a_number(chat: Scenario) -> None:
    number = reported(chat)
    for line, answer in (
        ("/核验 3201", "核验结果：工号3201是我们这里登记的社区民警，姓王，港新派出所。*"),
        ("／verify w101", "核验结果：工号W101是我们这里登记的网格员，姓周，*"),
        ("/核验 9999", "核验结果：没有查到“9999”。对方如果自称民警，先别信、别转账，打110核实。"),
        (f"/核验 {number}", f"核验结果：{number}是我们这里登记的编号（11月23日，隐患）。我们办事不收钱，也不会要验证码。"),
        ("/核验 2611-0999", "核验结果：没有2611-0999这个编号。谁拿它来要钱、要验证码，先别信，打110核实。"),
        ("/核验", "还差一点：请发 /核验 工号或编号"),
    ):
        chat.say("张阿姨", GROUP, line)
        chat.expect(GROUP, answer)


def test_help_shows_only_what_one_may_do(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "/帮助")
    assert len(chat.expect(GROUP, "直接说就行：*/查*/问*").what.text.splitlines()) <= 5  # a group is not for reading lists
    chat.say("张阿姨", PRIVATE, "/帮助")
    resident = chat.expect("张阿姨", "直接说就行：*/查*/核验*").what.text
    for word in ("接单", "派单", "线索", "推送", "统计", "值班"):
        assert f"/{word}" not in resident
    chat.say("张阿姨", GROUP, "/帮助 查")
    chat.expect(GROUP, "/查 号：看一件事办到哪一步了*")
    chat.say("张阿姨", PRIVATE, "/帮助 派单")  # not hers: what is hers is listed
    chat.expect("张阿姨", "直接说就行：*/查*/核验*")
    chat.say("马宏", GROUP, "/help")
    chat.expect(GROUP, "已在私聊里发给您。")
    worker = chat.expect("马宏", "您能用的命令*").what.text
    assert "/接单" in worker
    assert "/派单" not in worker
    assert "/线索" not in worker
    chat.say("李敏", PRIVATE, "/帮助")
    assert "/线索" in chat.expect("李敏", "*").what.text
    chat.say("赵航", PRIVATE, "/帮助")
    assert "/派单" in chat.expect("赵航", "*").what.text


def test_statistics_of_ones_scope(chat: Scenario) -> None:
    reported(chat)
    reported(chat, LAMP, "港新2号网格", "罗嫂")
    chat.say("刘卫东", PRIVATE, "/统计")
    chat.expect_photo("刘卫东", "2026年11月：共2件，隐患2。\n在办2，反映人确认办结0，没联系上0*\n还没有评分")
    chat.say("王建国", PRIVATE, "/stats")
    chat.expect_photo("王建国", "2026年11月：共1件*")
    chat.say("吴静", WORK, "/统计")
    chat.expect(WORK, "已在私聊里发给您。")
    chat.expect_photo("吴静", "2026年11月：共2件*")


def test_few_cases_of_a_private_kind_are_not_told_and_cannot_be_reckoned(chat: Scenario) -> None:
    for number in range(6):
        chat.say(f"邻居{number}", PRIVATE, f"{number + 1}号楼2单元楼道有人给电动车充电")
    for number in range(5):
        chat.say(f"居民{number}", PRIVATE, "身份证丢了怎么补办要去哪个窗口带什么材料，我这种情况能不能加急")
    chat.say("张阿姨", PRIVATE, "楼上邻居天天半夜吵架摔东西，跟他说了几次都不听，帮忙调解一下")
    kinds = Counter(chat.rows(Case.kind))
    assert (kinds["dispute"], kinds["hazard"]) == (1, 6)
    for where in ("张阿姨", *(f"居民{number}" for number in range(5)), *(f"邻居{number}" for number in range(6))):
        chat.skip(where)
    chat.skip(GROUP)
    chat.skip_officers()
    chat.say("刘卫东", PRIVATE, "/统计")
    said = chat.expect_photo("刘卫东", f"2026年11月：共{sum(kinds.values())}件*").what.text.splitlines()[0]
    assert "纠纷少于5" in said
    assert said.count("不单列") == 1, "one more is left out, or the total gives the dispute back"


def test_a_single_dispute_of_a_month_is_not_told_as_one(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, "楼上邻居天天半夜吵架摔东西，跟他说了几次都不听，帮忙调解一下")
    chat.skip("张阿姨")
    chat.skip_officers()
    chat.say("刘卫东", PRIVATE, "/统计")
    assert "纠纷" not in chat.expect_photo("刘卫东", "2026年11月：共1件。（件数少，不分类列出。）*").what.text


def test_meeting_a_resident_and_an_officer(chat: Scenario) -> None:
    chat.happens(Kind.MET, "丁丁", PRIVATE)
    chat.expect("丁丁", "您好，我是前哨，港新派出所的群助手，是机器人。*")
    chat.happens(Kind.MET, "王建国", PRIVATE)
    chat.silence()


def test_an_officer_off_the_roster_has_no_rights(chat: Scenario) -> None:
    def dismiss(session: Session) -> None:
        officer = session.exec(select(Officer).where(Officer.badge == "P201")).one()
        officer.active = False
        session.add(officer)

    number = reported(chat)
    chat.app.writer.run_now(dismiss)
    chat.say("马宏", PRIVATE, f"/接单 {number}")
    chat.expect("马宏", "这个命令只有登记过的*")
    chat.say("张阿姨", GROUP, "/核验 P201")
    chat.expect(GROUP, "核验结果：没有查到“P201”。*")


@pytest.mark.parametrize("wrong", ["abc", "9999-0001"])
def test_a_number_that_is_none_is_said_so(chat: Scenario, wrong: str) -> None:
    chat.say("张阿姨", PRIVATE, f"/查 {wrong}")
    chat.expect("张阿姨", f"没有查到“{wrong}”。*")


def test_the_history_tells_where_each_step_led(chat: Scenario) -> None:
    chat.say("张阿姨", "港新1号网格", "3号楼2单元楼道有人给电动车充电")
    chat.expect("港新1号网格", "收到，编号2611-0001*")
    chat.skip_officers()
    chat.say("马宏", PRIVATE, "/查 2611-0001")
    told = chat.expect("马宏", "2611-0001 *").what.text
    assert "进展：已派单，安居物业港新服务处" in told
    assert "进展\n" not in told + "\n"
