"""Posts: an editor looks, sends and stops; schedules send by themselves; groups that should have peace have it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from storage.tables import Audit, Campaign, CampaignGroup, CampaignPart, Occurrence
from tests.kit.scenario import PRIVATE, Scenario

ONE, TWO = "港新1号网格", "港新2号网格"
EDITOR, CHIEF = "孙悦", "刘卫东"


def send(chat: Scenario, words: str) -> str:
    chat.say(EDITOR, PRIVATE, words)
    return chat.expect(EDITOR, "推送*号已发出：*").what.text


def test_an_editor_previews_and_sends(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/预览 反诈 综合")
    said = chat.expect(EDITOR, "《*》，现在发会到2个群。*港新1号网格会读到：*【反诈妙招】*").what.text
    assert said.endswith("要发，回：/推送 反诈 综合")
    assert chat.rows(Campaign.id) == []
    chat.say(EDITOR, PRIVATE, said.rpartition("回：")[2])
    chat.expect(EDITOR, "推送1号已发出：《*》，2个群。*/停止 1")
    chat.expect(ONE, "【反诈妙招】*")
    chat.expect(TWO, "【反诈妙招】*")


def test_a_post_by_its_title_and_the_english_command(chat: Scenario) -> None:
    assert "《“定金”和“订金”，一字之差》，1个群" in send(chat, "/post “定金”和“订金”，一字之差 餐饮")
    chat.expect("火锅街商户群", "【普法宣传】“定金”和“订金”，一字之差*")


def test_words_that_fall_short_get_the_next_step(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送")
    chat.expect(EDITOR, "写法：/推送 栏目或标题 标签*栏目有：新闻播报、*")
    chat.say(EDITOR, PRIVATE, "/推送 反诈")
    chat.expect(EDITOR, "发给谁？*/推送 反诈 综合*全部*")
    chat.say(EDITOR, PRIVATE, "/推送 反诈 综和")
    chat.expect(EDITOR, "没有带“综和”的群。现有的标签：*综合*港新1号网格*")
    chat.say(EDITOR, PRIVATE, "/推送 火星 综合")
    chat.expect(EDITOR, "没找到“火星”。*")
    chat.say(EDITOR, PRIVATE, "/推送 寻找老人（待民警核实填写） 综合")
    chat.expect(EDITOR, "《寻找老人（待民警核实填写）》还是草稿*")
    chat.say(EDITOR, PRIVATE, "/停止 昨天那个")
    chat.expect(EDITOR, "要停哪一个？*")
    chat.say(EDITOR, PRIVATE, "/停止 12")
    chat.expect(EDITOR, "没有12号推送。*")
    chat.say(EDITOR, PRIVATE, "/停止")
    chat.expect(EDITOR, "现在没有正在发的推送。*")
    assert chat.rows(Campaign.id) == []


@pytest.mark.parametrize("who", ["张阿姨", "王建国", "吴静"])
def test_nobody_else_may(chat: Scenario, who: str) -> None:
    chat.say(who, PRIVATE, "/推送 反诈 全部")
    chat.expect(who, "*" if who == "张阿姨" else "没有执行：*")
    assert chat.rows(Campaign.id) == []
    refused = [action for action, allowed in chat.rows(Audit.action, Audit.allowed) if not allowed]
    assert refused == ["command.post"]


def test_a_command_in_a_group_is_answered_privately(chat: Scenario) -> None:
    chat.say(EDITOR, "港新警务工作群", "/推送 健康 特殊")
    chat.expect(EDITOR, "推送1号已发出*")
    chat.expect("港新长者之家", "【健康贴士】*")


def test_quiet_hours_hold_for_editors_too(chat: Scenario) -> None:
    chat.wait(hours=12)  # ten in the evening
    chat.skip(EDITOR, ONE, TWO)
    chat.say(EDITOR, PRIVATE, "/推送 反诈 综合")
    chat.expect(EDITOR, "这次一个群也没发。原因：2个群正是安静时段。*")
    chat.say(EDITOR, PRIVATE, "/预览 反诈 综合")
    chat.expect(EDITOR, "现在发，一个群也到不了。原因：2个群正是安静时段。*")


def test_an_emergency_or_a_report_keeps_posts_out_of_that_group(chat: Scenario) -> None:
    chat.say("陈大爷", ONE, "家里好大的煤气味，怎么办")
    chat.say("罗嫂", TWO, "3号楼2单元楼道有人给电动车充电")
    chat.skip(ONE, TWO)
    chat.skip_officers()
    chat.say(EDITOR, PRIVATE, "/推送 反诈 综合 餐饮")
    said = chat.expect(EDITOR, "推送1号已发出*").what.text
    assert "1个群正有紧急求助" in said
    assert "1个群刚有人报事" in said
    chat.expect("火锅街商户群", "【反诈妙招】*")
    chat.skip_officers()


ANTIFRAUD = '[{"name":"antifraud","category":"antifraud","labels":["class:综合"],"days":"mon,wed,fri","time":"10:30"}]'


def scheduled(tmp_path: Path) -> Scenario:
    return Scenario(tmp_path, environ={"QIANSHAO_SCHEDULES": ANTIFRAUD})


def test_a_schedule_sends_without_repeating(tmp_path: Path) -> None:
    with scheduled(tmp_path) as chat:
        chat.wait(minutes=29)
        chat.silence()
        titles = []
        for step in ({"minutes": 1}, {"days": 2}, {"days": 2}):
            chat.wait(**step)
            titles.append(chat.expect(ONE, "【反诈妙招】*").what.text.splitlines()[0])
            chat.expect(TWO, "【反诈妙招】*")
        assert len(set(titles)) == 3
        assert len(chat.rows(CampaignGroup.group_id)) == 6
        assert len(set(chat.rows(CampaignPart.post))) == 3


def test_after_a_short_downtime_the_post_comes_late_and_says_so(tmp_path: Path) -> None:
    with scheduled(tmp_path) as chat:
        chat.settle()
        chat.clock.advance(timedelta(minutes=70))
        chat.restart()
        for group in (ONE, TWO):
            chat.expect(group, "【反诈妙招】*（这条本该10:30发，来晚了，请见谅。）")
        chat.restart()
        chat.silence()


def test_after_a_long_downtime_the_editor_learns_what_was_left_out(tmp_path: Path) -> None:
    with scheduled(tmp_path) as chat:
        chat.settle()
        chat.clock.advance(timedelta(hours=5))
        chat.restart()
        chat.expect(EDITOR, "定时推送“antifraud”11月23日10:30那次没发：晚了4小时30分钟，按设置不补发。")
        assert chat.rows(Occurrence.state, Occurrence.reason)[0] == ("skipped", "270 minutes late")


def test_every_slip_in_a_plan_has_its_answer_and_nothing_is_planned(chat: Scenario) -> None:
    for words, answer in (
        ("进度", "还没有发过推送。要发，先看写法：/推送"),
        ("反诈 综合 与", "标签没写完。比如：综合 与 港新1号网格*"),
        ("反诈 （综合", "标签写到“（”这里看不懂了。*"),
        ("反诈 综合 昨天9:00", "“昨天9:00”不是一个时间。比如：明天9:00，11月25日15:30。"),
        ("反诈 综合 明年5月1日9:00", "“明年5月1日9:00”不是一个时间。*"),
        ("反诈 综合 历时0分钟", "分多久发完，至少写1分钟*"),
        ("健康 港新1号网格 今晚23:30", "没有定下来：23:30发，一个群也到不了。原因：3个群正是安静时段。换个时间*"),
        (f"{'反诈' * 200} 综合", "没找到“反诈反诈反诈反诈反诈反诈反诈反诈反诈反诈”。写栏目名*"),
        ("99", "没有99号推送。看最近几条：/推送 进度"),
    ):
        chat.say(EDITOR, PRIVATE, f"/推送 {words}")
        chat.expect(EDITOR, answer)
    assert chat.rows(Campaign.id) == []


def test_a_plan_that_has_not_begun_shows_what_it_will_do_and_is_found_without_its_number(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送 普法 综合 明天9:00")
    chat.expect(EDITOR, "推送1号定在11月24日09:00发：*")
    for words in ("1", "1 进度", "1", "1"):  # the same question again and again has an answer each time
        chat.say(EDITOR, PRIVATE, f"/推送 {words}")
        chat.expect(EDITOR, "推送1号（《*》）：定了时间，还没发，定在11月24日09:00发。\n会到约2个群。")
    chat.say(EDITOR, PRIVATE, "/推送 进度")
    chat.expect(EDITOR, "最近的推送：\n1号 11月23日 《*》：定了时间，还没发\n看一条的进度，回：/推送 号 进度")
    chat.say(EDITOR, PRIVATE, "/停止 1号推送")
    chat.expect(EDITOR, "推送1号不发了，一个群也没收到。")
    chat.say(EDITOR, PRIVATE, "/推送 1")
    chat.expect(EDITOR, "推送1号（《*》）：已停止。\n一个群也没收到。")
    chat.say(EDITOR, PRIVATE, "/更正 1 这条说错了")
    chat.expect(EDITOR, "推送1号还没有群收到过，不用更正。它已经结束了*")


def test_at_night_an_approval_waits_instead_of_reaching_nobody(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送 警方通报 综合")
    chat.skip(EDITOR, CHIEF)
    chat.wait(hours=12)
    chat.say(CHIEF, PRIVATE, "/批准 1")
    chat.expect(CHIEF, "推送1号现在放行，一个群也到不了：2个群正是安静时段。它接着等*/批准 1*")
    chat.wait(hours=11)
    chat.say(CHIEF, PRIVATE, "/批准 1")
    chat.expect(CHIEF, "推送1号放行了，2个群。")
    chat.expect(ONE, "【警方通报】*")
    chat.skip(EDITOR, TWO)


def test_titles_for_whoever_does_not_know_them(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送 电动车 综合")
    chat.expect(EDITOR, "没找到“电动车”。是不是：*《电动车别在楼道里充》*？*/推送 反诈 目录")
    chat.say(EDITOR, PRIVATE, "/预览 楼道充电 综合")
    chat.expect(EDITOR, "没找到“楼道充电”。是不是：*《电动车别在楼道里充》*")
    chat.say(EDITOR, PRIVATE, "/推送 96110打来的电话，请接 行业")
    chat.wait(seconds=3)
    chat.skip(EDITOR, *(row.name for row in chat.district.groups))
    chat.say(EDITOR, PRIVATE, "/推送 反诈 目录")
    listed = chat.expect(EDITOR, "反诈妙招，*条：\n*96110打来的电话，请接（11月23日发过）\n*要发，回：/推送 标题 标签").what.text
    assert "\n视频里的熟人，也可能是假的\n" in listed
    assert "\n\n" not in listed
    chat.say(EDITOR, PRIVATE, "/推送 目录")
    chat.expect(EDITOR, "写法：*")
    chat.say("王建国", PRIVATE, "/推送 反诈 目录")
    chat.expect("王建国", "没有执行*")


def test_a_category_and_its_groups_without_a_blank(chat: Scenario) -> None:
    for words in ("反诈，综合", "反诈综合 与 港新1号网格", "反诈：餐饮"):
        chat.say(EDITOR, PRIVATE, f"/预览 {words}")
        chat.expect(EDITOR, "《*》，现在发会到*个群*")
    chat.say(EDITOR, PRIVATE, "/预览 反诈火星")
    chat.expect(EDITOR, "没找到“反诈火星”。*")


def test_a_plan_that_runs_into_the_quiet_hours_says_so(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/预览 普法 综合 今晚21:00 历时2小时")
    chat.expect(EDITOR, "*大约11月24日07:30发完。\n夜里不发，到安静时段还没发的，早上07:30接着发。*")
    chat.say(EDITOR, PRIVATE, "/推送 普法 综合 今晚21:00 历时2小时")
    chat.expect(EDITOR, "推送1号定在21:00发*分120分钟发完。\n夜里不发，到安静时段还没发的，早上07:30接着发。*")
    chat.say(EDITOR, PRIVATE, "/预览 普法 综合 今晚19:00 历时2小时")
    assert "夜里" not in chat.expect(EDITOR, "*大约21:00发完。*").what.text


def test_a_schedule_of_police_notices_is_shown_to_approvers_as_one(tmp_path: Path) -> None:
    notices = ANTIFRAUD.replace('"category":"antifraud"', '"category":"police_notice"').replace(
        '"name":"antifraud"', '"name":"notices"'
    )
    with Scenario(tmp_path, environ={"QIANSHAO_SCHEDULES": notices}) as chat:
        chat.wait(minutes=31)
        chat.expect(CHIEF, "【待批准】推送1号，按定时推送“notices”。\n《*》，发给：综合*/批准 1*")
        chat.skip(EDITOR)


def test_a_theme_that_is_a_number_is_no_campaign(chat: Scenario) -> None:
    chat.say(EDITOR, PRIVATE, "/推送 119 行业")
    chat.expect(EDITOR, "推送1号已发出：《*》，3个群。*")
    chat.say(EDITOR, PRIVATE, "/推送 119 进度")
    chat.expect(EDITOR, "没有119号推送。*")
    chat.skip(EDITOR, *(row.name for row in chat.district.groups))
