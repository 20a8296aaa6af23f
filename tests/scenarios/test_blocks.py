"""Blocking somebody who only disturbs: with a reason, until a day, taken back; whoever is in danger is heard all the same."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
from sqlmodel import Session, select

from bot.jobs import Job
from bot.router import call
from bot.turn import Turn
from cases.identities import Identities
from cases.roster import Roster
from storage.tables import Alarm, Audit, Block, Case, Officer
from tests.kit.scenario import PRIVATE, Scenario

GROUP = "港新1号网格"
RESIDENT, OFFICER, CHIEF = "罗嫂", "王建国", "刘卫东"
SOME = "3号楼2单元楼道有人给电动车充电"


@pytest.fixture
def blocked(chat: Scenario) -> Scenario:
    """罗嫂 has brought a case and is blocked for seven days because of it."""
    chat.say(RESIDENT, GROUP, SOME)
    chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()
    chat.say(OFFICER, GROUP, f"/拉黑 {chat.number} 7天 连着发广告")
    chat.expect(OFFICER, f"好的，11月30日10:00以前不受理{chat.number}的反映人发来的消息，本人已*/解除拉黑 {chat.number}")
    chat.expect(
        RESIDENT,
        "您最近发来的内容（连着发广告）影响了别人求助，11月30日10:00以前这里先不受理您的消息。"
        "遇到危险请照常说，也请直接打110、119、120。不同意的话，可以找港新派出所*说明情况。",
    )
    chat.expect(CHIEF, f"社区民警王建国拉黑了{chat.number}的反映人，到11月30日10:00。原因：连着发广告。*")
    chat.silence()
    return chat


def test_one_polite_sentence_a_day_and_nothing_else(blocked: Scenario) -> None:
    blocked.say(RESIDENT, GROUP, "5号楼的路灯坏了")
    blocked.say(RESIDENT, PRIVATE, "物业费怎么交")
    blocked.say(RESIDENT, PRIVATE, "/查")
    blocked.silence()  # told today already
    blocked.wait(hours=25)
    blocked.skip(GROUP, RESIDENT)
    blocked.skip_officers()
    blocked.say(RESIDENT, GROUP, "5号楼的路灯坏了，没人管吗")
    blocked.expect(RESIDENT, "11月30日10:00以前这里先不受理您的消息。遇到危险请照常说，也请直接打110、119、120。*")
    blocked.say(RESIDENT, GROUP, "@前哨 6号楼的井盖也坏了")
    blocked.silence()
    assert len(blocked.rows(Case.id)) == 1


def test_whoever_is_in_danger_is_heard(blocked: Scenario) -> None:
    in_danger(blocked)


def in_danger(chat: Scenario) -> None:
    """The advice, the alarm, and the word that all are safe."""
    chat.say(RESIDENT, GROUP, "快来人，3号楼着火了")
    chat.expect(GROUP, "*119*")
    assert len(chat.rows(Alarm.id)) == 1
    chat.expect(OFFICER, "【紧急】港新1号网格有人求助：着火或冒烟。*")
    chat.skip_officers()
    chat.say(RESIDENT, GROUP, "火灭了，人都没事")
    chat.expect(GROUP, "*2611-0002*")
    chat.skip_officers()


def test_control_a_block_that_comes_first_drops_the_emergency(blocked: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Turn._steps

    def planted(self: Turn, job: Job) -> object:
        if self._is_blocked(job, None) and self.house.router.blocked is not None:
            return iter([partial(call, self.house.router.blocked, self)])
        return steps(self, job)

    monkeypatch.setattr(Turn, "_steps", planted)
    with pytest.raises(AssertionError, match="nothing was said"):
        in_danger(blocked)


def test_the_rights_over_what_is_kept_stay(blocked: Scenario) -> None:
    blocked.say(RESIDENT, PRIVATE, "/我的数据")
    blocked.expect(RESIDENT, "*")
    blocked.say(RESIDENT, PRIVATE, "/忘记我")
    blocked.skip(RESIDENT)
    assert blocked.user_id(RESIDENT) not in str(blocked.rows(Block.person))


def test_it_is_listed_taken_back_and_written_down(blocked: Scenario) -> None:
    number = blocked.number
    blocked.say(CHIEF, PRIVATE, "/拉黑")
    blocked.expect(CHIEF, f"{number}的反映人，到11月30日10:00，连着发广告（社区民警王建国）\n*")
    blocked.say(CHIEF, PRIVATE, f"/解除拉黑 {number}")
    blocked.expect(CHIEF, f"好的，{number}的反映人恢复受理了*")
    blocked.expect(RESIDENT, "现在起恢复受理您的消息，有事请直接说。")
    blocked.say(CHIEF, PRIVATE, f"/unblock {number}")
    blocked.expect(CHIEF, f"{number}的反映人现在没有被拉黑。")
    blocked.say(RESIDENT, GROUP, "8号楼门口的井盖坏了，缺了一块")
    blocked.expect(GROUP, "收到，编号*")
    blocked.skip_officers()
    told = [tuple(row) for row in blocked.rows(Audit.action, Audit.target, Audit.allowed) if row[0] == "person.block"]
    assert ("person.block", number, True) in told
    assert ("person.block", f"{number} lift", True) in told


def test_it_ends_by_itself(blocked: Scenario) -> None:
    blocked.hears_clocks = False
    blocked.wait(days=7, minutes=1)
    blocked.skip(GROUP, RESIDENT)
    blocked.skip_officers()
    blocked.say(RESIDENT, GROUP, "8号楼门口的井盖坏了，缺了一块")
    blocked.expect(GROUP, "收到，编号*")
    blocked.skip_officers()


@pytest.mark.parametrize(
    ("who", "words", "answer"),
    [
        (OFFICER, "7天", "还差一点：请发 /拉黑 编号 天数 原因，例如*原因至少四个字，最多90天。"),
        (OFFICER, "烦人", "还差一点：请发 /拉黑 编号 天数 原因*"),
        (OFFICER, "200天 连着发广告", "还差一点：*"),
        ("李敏", "7天 连着发广告", "没有执行：这件事不在您负责的网格或单位。*"),
        ("周小琴", "7天 连着发广告", "没有执行：“/拉黑”不在您的权限里。*"),
        ("张阿姨", "7天 连着发广告", "这个命令只有登记过的民警和网格员能用。*"),
    ],
)
def test_who_may_and_how(chat: Scenario, who: str, words: str, answer: str) -> None:
    chat.say(RESIDENT, GROUP, SOME)
    chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()
    chat.say(who, PRIVATE, f"/拉黑 {chat.number} {words}")
    chat.expect(who, answer)
    assert chat.rows(Block.id) == []


def test_a_report_bomb_is_one_case_with_exact_numbers_and_one_answer_each(tmp_path: Path) -> None:
    """Five accounts send the same forty times: one case, one quiet answer each, and the officer reads how many of whom."""
    with Scenario(tmp_path) as chat:
        for number in range(40):
            chat.say(f"账号{number % 5}", GROUP, f"{SOME}{'！' * (number % 9)}")
        answers = [arrival.what.text for arrival in chat.unseen(GROUP)]
        assert len(answers) == 5
        assert sum("收到，编号" in text for text in answers) == 1
        chat.skip(GROUP)
        chat.skip_officers()
        chat.say("马宏", PRIVATE, "/查 2611-0001")
        chat.expect("马宏", "2611-0001 *\n40条反映，来自5个人\n*")
        assert chat.traces("账号0" + SOME[:4]) == []


TABLET = "罗嫂的平板"


def linked(chat: Scenario) -> None:
    """罗嫂 links the account on her tablet with the one on her telephone."""
    chat.say(RESIDENT, PRIVATE, "/关联")
    found = re.search(r"\d{6,}", chat.expect(RESIDENT, "*").what.text.replace(" ", ""))
    assert found
    chat.say(TABLET, PRIVATE, f"/关联 {found[0]}")
    chat.expect(TABLET, "关联好了：*")
    chat.skip(RESIDENT)


def block(chat: Scenario) -> None:
    """罗嫂 is blocked because of a case that she brought from her telephone."""
    chat.say(RESIDENT, GROUP, SOME)
    chat.expect(GROUP, "收到，编号*")
    chat.say(OFFICER, GROUP, f"/拉黑 {chat.number} 7天 连着发广告")
    chat.skip(RESIDENT)
    chat.skip_officers()


def test_the_accounts_of_one_person_are_blocked_and_freed_together(chat: Scenario) -> None:
    linked(chat)
    block(chat)
    chat.say(TABLET, PRIVATE, "5号楼的路灯坏了")
    chat.expect(TABLET, "11月30日10:00以前这里先不受理您的消息。*")
    chat.say(TABLET, GROUP, "快来人，3号楼着火了")
    chat.expect(GROUP, "*119*")
    chat.skip_officers()
    chat.say(CHIEF, PRIVATE, "/拉黑")
    assert chat.expect(CHIEF, "*连着发广告*").what.text.count("连着发广告") == 1, "one decision is one line"
    with_all_links_cut(chat)
    chat.say(TABLET, PRIVATE, "6号楼的井盖也坏了")
    chat.silence_in(TABLET)  # parting the accounts gets nobody out of it
    chat.say(CHIEF, PRIVATE, f"/解除拉黑 {chat.numbers[0]}")
    chat.expect(CHIEF, "*恢复受理了*")
    chat.skip(RESIDENT)
    chat.say(TABLET, GROUP, "8号楼门口的井盖坏了，缺了一块")
    chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()


def with_all_links_cut(chat: Scenario) -> None:
    """As after /关联 取消, which a blocked person cannot say."""
    name, own = chat.platform.name, chat.user_id(RESIDENT)
    assert chat.app.writer.run_now(lambda session: Identities(session, chat.clock()).unlink(name, own))


def test_an_account_that_is_linked_later_is_blocked_with_the_first(chat: Scenario) -> None:
    chat.say(RESIDENT, PRIVATE, "/关联")
    found = re.search(r"\d{6,}", chat.expect(RESIDENT, "*").what.text.replace(" ", ""))
    assert found
    block(chat)
    chat.say(TABLET, PRIVATE, f"/关联 {found[0]}")
    chat.expect(TABLET, "关联好了：*")
    chat.skip(RESIDENT)
    chat.say(TABLET, PRIVATE, "5号楼的路灯坏了")
    chat.expect(TABLET, "11月30日10:00以前这里先不受理您的消息。*")


def test_nobody_is_blocked_whose_other_account_is_an_officers(chat: Scenario) -> None:
    linked(chat)
    chat.say(RESIDENT, GROUP, SOME)
    chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()
    name, tablet = chat.platform.name, chat.user_id(TABLET)

    def bind(session: Session) -> None:
        officer = session.exec(select(Officer).where(Officer.name == "李敏")).one()
        Roster(session, chat.clock()).bind(officer, name, tablet)

    chat.app.writer.run_now(bind)
    chat.say(OFFICER, GROUP, f"/拉黑 {chat.number} 7天 连着发广告")
    chat.silence_in(GROUP)
    chat.expect(OFFICER, f"{chat.number}的反映人不能这样拉黑，没有执行。消息照常受理；确实影响了别人，请管理员来处理。")
    assert chat.rows(Block.id) == []
    assert ("person.block", False, "blocks.not_possible") in [
        tuple(row) for row in chat.rows(Audit.action, Audit.allowed, Audit.reason)
    ]


def test_a_slip_in_a_group_is_told_in_private(chat: Scenario) -> None:
    chat.say(RESIDENT, GROUP, SOME)
    chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()
    chat.say(OFFICER, GROUP, f"/拉黑 {chat.number} 烦人")
    chat.silence_in(GROUP)
    chat.expect(OFFICER, "还差一点：请发 /拉黑 编号 天数 原因*")
