"""Campaigns at work: a second person approves, the first groups go first, errors halt it, mistakes are mended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.errors import NeverDelivered
from storage.tables import Audit, Campaign, CampaignGroup, Notice
from tests.kit.scenario import PRIVATE, Scenario

ONE, TWO = "港新1号网格", "港新2号网格"
EDITOR, CHIEF, OFFICER = "孙悦", "刘卫东", "王建国"
GROUPS = (ONE, TWO, "火锅街商户群", "港新农贸市场商户群", "港新骑手群", "港新小学家长群", "港新长者之家", "港新警务工作群")


def of_groups(chat: Scenario) -> list[str]:
    return [row.name for row in chat.district.groups]


def received(chat: Scenario) -> int:
    """How many groups have read a post."""
    return len({arrival.to.chat for arrival in chat.platform.arrived if not arrival.to.private})


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Scenario]:
    """More than three groups need a second person."""
    with Scenario(tmp_path, environ={"QIANSHAO_POSTS__APPROVE_OVER_GROUPS": "3"}) as chat:
        yield chat


def test_the_first_groups_get_it_before_the_others(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送 反诈 全部")
    chat.expect(EDITOR, "推送1号已发出：《*》，8个群。*先发5个群，没问题接着发其余的。*/停止 1")
    assert received(chat) == 5
    chat.wait(seconds=3)
    changes = chat.platform.changes
    chat.expect(EDITOR, "推送1号 ▓▓▓▓▓▓░░░░ 5/8个群。" if changes else "推送1号：先发的5个群收到了，接着发其余3个群。")
    assert received(chat) == 8
    chat.wait(seconds=3)
    edited = [change.what.text for change in chat.platform.edited]
    assert ("推送1号 ▓▓▓▓▓▓▓▓▓▓ 8/8个群。" in edited) is changes, "in place of the line before"
    chat.expect(EDITOR, "推送1号（反诈妙招）发完了：8个群收到。")
    assert chat.rows(Campaign.state) == ["done"]
    chat.skip(*of_groups(chat))


def test_a_restart_goes_on_where_it_was(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送 反诈 全部")
    chat.restart(seconds=0)
    assert received(chat) == 5
    chat.restart(seconds=2)
    assert received(chat) == 8
    chat.wait(seconds=5)
    posts = [arrival for arrival in chat.platform.arrived if not arrival.to.private]
    assert len(posts) == 8, "no group twice"
    chat.skip(*of_groups(chat), EDITOR)


def test_errors_in_the_first_groups_halt_it(chat: Scenario) -> None:
    chat.platform.fail(NeverDelivered("no right to write"), chat=chat.address("", ONE).chat)
    chat.platform.fail(NeverDelivered("no right to write"), chat=chat.address("", TWO).chat)
    chat.say(EDITOR, PRIVATE, "/推送 反诈 全部")
    chat.expect(EDITOR, "推送1号已发出*")
    chat.wait(seconds=3)
    chat.expect(EDITOR, "推送1号 ▓▓▓▓▓▓░░░░ 5/8个群，2个没发成。")
    chat.expect(EDITOR, "推送1号先停下了：2个群没发成，已发3个，还有3个没发。\n最近一次的原因：*right to write*/推送 1 继续*")
    chat.wait(minutes=10)
    assert received(chat) == 3
    chat.say(EDITOR, PRIVATE, "/推送 1")
    chat.expect(EDITOR, "推送1号（反诈妙招）：出错太多，先停下了。*没发成：2个群。*没通知到：港新1号网格、港新2号网格。*")
    chat.say(EDITOR, PRIVATE, "/推送 1 继续")
    chat.expect(EDITOR, "推送1号接着发，还有3个群。")
    chat.wait(seconds=3)
    chat.expect(EDITOR, "推送1号（反诈妙招）发完了：6个群收到。\n没通知到2个群：港新1号网格、港新2号网格。")
    chat.skip(*of_groups(chat))


def test_many_groups_need_a_second_person_and_never_the_planner(strict: Scenario) -> None:
    strict.say(EDITOR, PRIVATE, "/推送 反诈 全部")
    strict.expect(EDITOR, "推送1号要另一位同事批准才发：《*》，8个群（所有群）。*")
    strict.expect(CHIEF, "【待批准】推送1号，宣传专员孙悦写的。*《*》，发给：所有群*8个群，约*人*【反诈妙招】*/批准 1*")
    strict.say(EDITOR, PRIVATE, "/批准 1")
    strict.expect(EDITOR, "没有执行：*")
    assert received(strict) == 0
    strict.say(CHIEF, PRIVATE, "/批准 1")
    strict.expect(CHIEF, "推送1号放行了，8个群。")
    strict.expect(EDITOR, "值班所长刘卫东批准了推送1号，8个群。")
    strict.wait(seconds=3)
    assert received(strict) == 8
    strict.say(CHIEF, PRIVATE, "/批准 1")
    strict.expect(CHIEF, "推送1号不在等批准。*")
    audit = [(action, target, allowed) for action, target, allowed in strict.rows(Audit.action, Audit.target, Audit.allowed)]
    assert ("command.approve", "", False) in audit
    assert ("post.approve", "campaign 1", True) in audit
    strict.skip(EDITOR, *of_groups(strict))


def test_an_approver_who_edits_cannot_approve_his_own(tmp_path: Path) -> None:
    with Scenario(tmp_path) as chat:
        chat.skip_officers()
        chat.app.writer.run_now(_make_chief_an_editor)
        chat.say(CHIEF, PRIVATE, "/推送 警方 综合")
        chat.expect(CHIEF, "推送1号要另一位同事批准才发*")
        chat.say(CHIEF, PRIVATE, "/批准 1")
        chat.expect(CHIEF, "自己写的推送，要请另一位同事批准。")
        assert received(chat) == 0
        refused = chat.rows(Audit.action, Audit.target, Audit.allowed)[-1]
        assert tuple(refused) == ("post.approve", "campaign 1", False)


def _make_chief_an_editor(session: object) -> None:
    from sqlmodel import Session, select

    from storage.tables import Officer, OfficerRole

    assert isinstance(session, Session)
    chief = session.exec(select(Officer).where(Officer.name == CHIEF)).one()
    session.add(OfficerRole(officer_id=chief.id or 0, role="editor", scope_kind="district"))


def test_a_police_notice_waits_even_for_one_group(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送 警方 综合 明天9:00")
    chat.expect(EDITOR, "推送1号要另一位同事批准才发*2个群（综合）。*")
    chat.expect(CHIEF, "【待批准】推送1号*11月24日09:00发*")
    chat.say(CHIEF, PRIVATE, "/批准 1号")
    chat.expect(CHIEF, "推送1号批准了，11月24日09:00发。")
    chat.expect(EDITOR, "值班所长刘卫东批准了推送1号，11月24日09:00发。")
    chat.wait(hours=22, minutes=59)
    assert received(chat) == 0
    chat.wait(minutes=1)
    chat.expect(ONE, "【警方通报】*")
    chat.expect(TWO, "【警方通报】*")


def test_nobody_approves_within_three_days(strict: Scenario) -> None:
    strict.say(EDITOR, PRIVATE, "/推送 反诈 全部")
    strict.skip(EDITOR, CHIEF)
    strict.wait(days=3)
    strict.expect(EDITOR, "推送1号（《*》）三天没人批准，不发了。*")
    assert strict.rows(Campaign.state) == ["stopped"]


def test_stopped_before_it_was_approved(strict: Scenario) -> None:
    strict.say(EDITOR, PRIVATE, "/推送 反诈 全部")
    strict.skip(EDITOR, CHIEF)
    strict.say(CHIEF, PRIVATE, "/停止 1")
    strict.expect(CHIEF, "推送1号不发了，一个群也没收到。")
    strict.say(CHIEF, PRIVATE, "/批准 1")
    strict.expect(CHIEF, "推送1号不在等批准。*")


def test_stopping_in_the_middle_leaves_the_rest_alone(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送 反诈 全部")
    chat.expect(EDITOR, "推送1号已发出*")
    chat.say(EDITOR, PRIVATE, "/停止")
    chat.expect(EDITOR, "推送1号停下了：已发5个群，没发的3个群不发了。")
    chat.wait(minutes=30)
    assert received(chat) == 5
    chat.skip(*of_groups(chat))


def test_spread_over_two_hours(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送 反诈 全部 历时2小时")
    chat.expect(EDITOR, "推送1号已发出*分120分钟发完。*")
    chat.wait(minutes=1)
    assert received(chat) == 1
    for _ in range(24):
        chat.wait(minutes=5)
    chat.wait(seconds=10)
    assert received(chat) == 8
    times = sorted(arrival.at for arrival in chat.platform.arrived if not arrival.to.private)
    assert (times[-1] - times[0]).total_seconds() > 90 * 60
    chat.skip(*of_groups(chat), EDITOR)


def test_a_plan_over_hours_leaves_a_group_in_peace_that_reports(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送 反诈 综合 历时1小时")
    chat.skip(EDITOR)
    chat.expect(ONE, "【反诈妙招】*")
    chat.wait(minutes=28)
    chat.say("罗嫂", TWO, "3号楼2单元楼道有人给电动车充电")
    chat.skip(TWO)
    chat.skip_officers()
    chat.wait(minutes=3)
    chat.silence_in(TWO)
    chat.wait(minutes=8)
    chat.expect(TWO, "【反诈妙招】*")
    chat.skip_officers()


def test_a_plan_that_reaches_into_the_night_goes_on_in_the_morning(chat: Scenario) -> None:
    chat.wait(hours=11)  # nine in the evening
    chat.say(EDITOR, PRIVATE, "/推送 反诈 综合 历时2小时")
    chat.expect(ONE, "【反诈妙招】*")
    chat.wait(hours=9)
    chat.silence_in(TWO)
    chat.wait(hours=2)
    chat.expect(TWO, "【反诈妙招】*")
    chat.skip(EDITOR)


@pytest.mark.every_cell
def test_a_correction_goes_to_exactly_the_groups_that_got_it(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送 反诈 综合")
    chat.skip(EDITOR, ONE, TWO)
    chat.say(EDITOR, PRIVATE, "/更正 1 咨询电话应为12348，前面写错了。")
    chat.expect(EDITOR, "推送1号收到过的2个群，会收到更正（推送2号）；能撤回的原消息正在撤回。*/推送 2 进度")
    for group in (ONE, TWO):
        chat.expect(group, "【更正】\n前面发的《*》说得不对，请以这条为准：\n咨询电话应为12348，前面写错了。")
    assert len(chat.platform.recalled) == 2
    chat.wait(seconds=3)
    chat.expect(EDITOR, "推送2号（更正）发完了：2个群收到。")
    chat.say(EDITOR, PRIVATE, "/推送 1 进度")
    chat.expect(EDITOR, "推送1号（反诈妙招）：发完了。*撤回了2条，撤不回0条。")


def test_a_correction_says_who_could_not_be_reached(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送 反诈 综合")
    chat.skip(EDITOR, ONE, TWO)
    chat.platform.fail(NeverDelivered("kicked", gone=True), chat=chat.address("", TWO).chat)
    chat.say("罗嫂", TWO, "@前哨 /帮助")  # the answer finds out that the bot was removed
    chat.skip_officers()
    chat.say(EDITOR, PRIVATE, "/更正 1 咨询电话应为12348，前面写错了。")
    chat.expect(EDITOR, "*2个群*机器人已经不在、通知不到的群：港新2号网格。*")
    chat.expect(ONE, "【更正】*")
    chat.wait(seconds=3)
    chat.expect(EDITOR, "推送2号（更正）发完了：1个群收到。\n没通知到1个群：港新2号网格。")
    chat.skip_officers()


def test_a_wrong_correction_is_told_how_to_write_it(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/更正 咨询电话应为12348")
    chat.expect(EDITOR, "写法：/更正 号 更正的话*")
    chat.say(EDITOR, PRIVATE, "/更正 7 咨询电话应为12348")
    chat.expect(EDITOR, "没有7号推送。*")
    chat.say(OFFICER, PRIVATE, "/更正 7 咨询电话应为12348")
    chat.expect(OFFICER, "没有执行：*")


def test_what_comes_back_is_counted_and_never_kept(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送 反诈 综合")
    chat.skip(EDITOR, TWO)
    post = chat.expect(ONE, "【反诈妙招】*")
    chat.say("张阿姨", ONE, "家里老人接到这种电话怎么报警？", quoting=post)
    chat.say("张阿姨", ONE, "别再发这些了", quoting=post)
    chat.skip(ONE)
    chat.say(EDITOR, PRIVATE, "/推送 1 进度")
    chat.expect(EDITOR, "*群里回了2条，其中提问1条。\n有人（少于5个）说不想再收。")
    assert chat.rows(CampaignGroup.replies, CampaignGroup.questions, CampaignGroup.opt_outs)[0] == (2, 1, 1)
    chat.expect(OFFICER, "【咨询】*")
    chat.expect(OFFICER, "港新1号网格有人回推送1号，说不想再收。*/免推")
    chat.skip_officers()


def test_a_group_that_wants_no_posts(chat: Scenario) -> None:
    chat.say(OFFICER, ONE, "/免推")
    chat.expect(OFFICER, "港新1号网格以后不收推送了。*")
    chat.say(OFFICER, TWO, "/免推")
    chat.expect(TWO, "没有执行：*")
    chat.say(EDITOR, PRIVATE, "/推送 反诈 综合")
    chat.expect(EDITOR, "推送1号已发出*1个群。*没发的：1个群不收推送。*")
    chat.expect(TWO, "【反诈妙招】*")
    chat.say(OFFICER, ONE, "/免推 恢复")
    chat.expect(OFFICER, "港新1号网格恢复收推送。")
    assert [chat_id for chat_id, lane in chat.rows(Notice.chat, Notice.lane) if lane == 3] == [chat.chat_id(TWO)]


def test_what_is_said_to_a_post_is_said_to_the_neighbours(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送 反诈 综合")
    chat.skip(EDITOR, TWO)
    post = chat.expect(ONE, "【反诈妙招】*")
    for words in ("收到", "好的收到", "太可怕了", "谢谢提醒", "转给我妈看看"):
        chat.say("张阿姨", ONE, words, quoting=post)
        chat.silence()
    chat.say("张阿姨", ONE, "这个电话是真的吗？", quoting=post)
    chat.expect(ONE, "*编号*")
    chat.say("张阿姨", ONE, "我要找民警", quoting=post)
    chat.expect(ONE, "*")
    chat.say("林小雨", ONE, "@前哨 你好", quoting=post)
    chat.expect(ONE, "*")
    assert [(row.replies, row.questions) for row in chat.rows(CampaignGroup) if row.replies] == [(8, 1)]
    chat.skip_officers()


def test_who_says_that_a_post_is_wrong_reaches_its_editor(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送 反诈 综合")
    chat.skip(EDITOR, TWO)
    post = chat.expect(ONE, "【反诈妙招】*")
    chat.say("张阿姨", ONE, "这个号码写错了吧，我打13812345678打不通", quoting=post)
    chat.expect(ONE, "谢谢提醒，已转给发这条的同事核对。")
    chat.expect(EDITOR, f"{ONE}有人回推送1号，说内容有错：\n这个号码写错了吧，我打*打不通\n请核对。真错了，回：/更正 1 更正的话")
    said = chat.last(EDITOR)
    assert said is not None
    assert "13812345678" not in said.what.text
    chat.say("张阿姨", ONE, "我写错了地址，应该是5号楼")
    chat.silence_in(ONE)
    chat.skip_officers()


def test_the_same_correction_twice_is_a_slip_and_one_of_a_correction_says_so(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送 96110打来的电话，请接 综合")
    chat.wait(seconds=3)
    chat.skip(EDITOR, ONE, TWO)
    chat.say(EDITOR, PRIVATE, "/更正 1 号码应为96110")
    chat.expect(EDITOR, "推送1号收到过的2个群，会收到更正（推送2号）*")
    chat.say(EDITOR, PRIVATE, "/更正 1 号码应为96110")
    chat.expect(EDITOR, "推送1号刚才已经这样更正过了（推送2号），没有再发。*")
    chat.expect(ONE, "【更正】\n前面发的《96110打来的电话，请接》说得不对*")
    chat.silence_in(ONE)
    chat.say(EDITOR, PRIVATE, "/更正 2 是12348，不是96110")
    chat.skip(EDITOR)
    chat.expect(ONE, "【更正】\n前面发的《96110打来的电话，请接》的更正说得不对*")
    chat.wait(seconds=3)
    chat.skip(EDITOR, TWO)


def test_the_correction_of_a_correction_of_a_police_notice_waits_for_a_second_person_too(tmp_path: Path) -> None:
    with Scenario(tmp_path) as chat:
        chat.say(EDITOR, PRIVATE, "/推送 110和12345，别打混了 综合")
        chat.say(CHIEF, PRIVATE, "/批准 1")
        chat.wait(seconds=3)
        chat.app.writer.run_now(_name_by_theme)
        chat.say(EDITOR, PRIVATE, "/更正 1 路灯坏了打12345")
        chat.say(CHIEF, PRIVATE, "/批准 2")
        chat.wait(seconds=3)
        chat.skip(EDITOR, CHIEF, *of_groups(chat))
        chat.say(EDITOR, PRIVATE, "/更正 2 路灯坏了打96110")
        chat.expect(EDITOR, "*更正要另一位同事批准才发*")
        chat.expect(CHIEF, "【待批准】推送3号*")


def _name_by_theme(session: object) -> None:
    """As if it had been sent by a theme of the calendar, whose name says nothing of the category."""
    from sqlmodel import Session, col, update

    assert isinstance(session, Session)
    session.exec(update(Campaign).where(col(Campaign.id) == 1).values(post="theme:119-day"))


def test_a_group_that_was_spared_by_a_stop_has_not_had_it(chat: Scenario) -> None:
    for number in (1, 2):
        chat.say(EDITOR, PRIVATE, "/推送 反诈 综合 历时2小时")
        chat.say(EDITOR, PRIVATE, f"/停止 {number}")
    chat.skip(EDITOR, ONE)
    chat.say(EDITOR, PRIVATE, "/预览 普法 综合")
    chat.expect(EDITOR, f"*会到1个群*1个群今天够多了*{TWO}会读到*")
    chat.silence_in(TWO)


def test_what_was_approved_is_what_goes_out(chat: Scenario) -> None:
    shown = []
    for number, group in ((1, ONE), (2, TWO)):
        chat.say(EDITOR, PRIVATE, f"/推送 警方 {group} 与 综合")
        chat.expect(EDITOR, f"推送{number}号要另一位同事批准才发*")
        card = chat.expect(CHIEF, f"【待批准】推送{number}号*《*》，发给：*").what.text
        shown.append(card.split("————\n")[1].strip())
    for number, group in ((1, ONE), (2, TWO)):
        chat.say(CHIEF, PRIVATE, f"/批准 {number}")
        assert chat.expect(group, "【警方通报】*").what.text == shown[number - 1]
    chat.skip(EDITOR, CHIEF)


def test_what_the_editor_was_told_goes_out_at_its_time(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送 健康 综合 明天9:00")
    title = chat.expect(EDITOR, "推送1号定在11月24日09:00发：《*》*").what.text.split("《")[1].split("》")[0]
    chat.say(EDITOR, PRIVATE, "/推送 健康 综合")
    chat.skip(EDITOR)
    chat.wait(seconds=3)
    chat.skip(ONE, TWO)
    chat.wait(days=1)
    for group in (ONE, TWO):
        chat.expect(group, f"【健康贴士】{title}*")
    chat.skip(EDITOR)


def test_who_quotes_a_card_may_leave_the_number_out(chat: Scenario) -> None:
    cards = []
    for number in (1, 2):
        chat.say(EDITOR, PRIVATE, "/推送 警方 综合" + (" 再推1" if number > 1 else ""))
        chat.skip(EDITOR)
        cards.append(chat.expect(CHIEF, f"【待批准】推送{number}号*"))
    chat.say(CHIEF, PRIVATE, "同意", quoting=cards[0])
    chat.expect(CHIEF, "还没有放行。同意发，请回：/批准 1")
    chat.silence_in(ONE)
    chat.say(CHIEF, PRIVATE, "/停止", quoting=cards[0])
    chat.expect(CHIEF, "推送1号不发了*")  # not the newest
    chat.say(CHIEF, PRIVATE, "/批准", quoting=cards[1])
    chat.expect(CHIEF, "推送2号放行了，2个群。")
    told = chat.expect(EDITOR, "值班所长刘卫东批准了推送2号*")
    chat.wait(seconds=3)
    chat.skip(EDITOR, ONE, TWO)
    chat.say(EDITOR, PRIVATE, "/推送", quoting=told)
    chat.expect(EDITOR, "推送2号（*）：发完了。*")
    chat.say(EDITOR, PRIVATE, "/更正 路灯坏了也打12345", quoting=told)
    chat.expect(EDITOR, "推送2号收到过的2个群，会收到更正（推送3号）*")
    chat.skip(EDITOR, CHIEF)


def test_an_editor_hears_that_nobody_could_approve(chat: Scenario) -> None:
    chat.app.writer.run_now(_nobody_approves)
    chat.say(EDITOR, PRIVATE, "/推送 警方 综合")
    chat.expect(EDITOR, "推送1号要另一位同事批准才发*还没有别的能审批的同事绑定账号，请找系统管理员加一位。*")
    chat.skip_officers()


def _nobody_approves(session: object) -> None:
    from sqlmodel import Session, col, update

    from storage.tables import Officer

    assert isinstance(session, Session)
    session.exec(update(Officer).where(col(Officer.name) == CHIEF).values(active=False))


def test_two_that_wait_are_not_the_same_and_neither_is_what_goes_meanwhile(chat: Scenario) -> None:
    titles = []
    for words in ("明天9:00", "明天10:00", ""):
        chat.say(EDITOR, PRIVATE, f"/推送 普法 综合 {words}")
        titles.append(chat.expect(EDITOR, "推送*号*《*》*").what.text.split("《")[1].split("》")[0])
    assert len(set(titles)) == 3
    chat.wait(seconds=3)
    chat.skip(EDITOR, ONE, TWO)
