"""Systems that run elsewhere and whose work is the district's (docs/coverage.md), as conversations in which it happens."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import Session, select

from bot.app import CONTENT
from cases.routing import set_route
from content.answers import AnswerLibrary
from content.charts import Chart
from content.figures import draw_chart
from content.posts import CATEGORIES
from storage.tables import Case, Grid, Notice, Officer, OfficerRole, Unit, Volunteer
from tests.kit.scenario import PRIVATE, Scenario, jpeg

ONE, TWO, STREET, RIDERS, SCHOOL = "港新1号网格", "港新2号网格", "火锅街商户群", "港新骑手之家", "港新小学二（3）班家长"
BIKE, LAMP = "3号楼2单元楼道有人给电动车充电", "5号楼路灯坏了好几天"


def groups(chat: Scenario) -> list[str]:
    return [row.name for row in chat.district.groups]


def reached(chat: Scenario, beginning: str) -> set[str]:
    """The groups in which a message that begins so has arrived."""
    names = {chat.address("", name).chat: name for name in groups(chat)}
    here = [arrival for arrival in chat.platform.arrived if not arrival.to.private and arrival.what.text.startswith(beginning)]
    return {names[arrival.to.chat] for arrival in here}


def give(chat: Scenario, who: str, role: str, kind: str, code: str) -> None:
    def work(session: Session) -> None:
        officer = session.exec(select(Officer).where(Officer.name == who)).one()
        table = Unit if kind == "unit" else Grid
        scope = session.exec(select(table.id).where(table.code == code)).one()
        for old in session.exec(select(OfficerRole).where(OfficerRole.officer_id == officer.id)).all():
            session.delete(old)
        session.add(OfficerRole(officer_id=officer.id or 0, role=role, scope_kind=kind, scope_id=scope))

    chat.app.writer.run_now(work)


def test_seed_01_groups_carry_class_board_and_trade_and_an_officer_is_proved_in_the_open(chat: Scenario) -> None:
    chat.say("赵航", STREET, "/群")
    chat.expect(STREET, f"{STREET}：网格是火锅街微网格，标签是行业、商业街区、餐饮。")
    chat.say("赵航", RIDERS, "/群 GX02 专属")
    chat.expect(RIDERS, f"{RIDERS}定好了：网格是{TWO}，标签是专属、商业街区、外卖快递。")
    chat.say("孙悦", PRIVATE, "/推送 反诈 餐饮")  # what a group is called decides what it gets
    chat.wait(seconds=5)
    assert reached(chat, "【反诈妙招】") == {STREET}
    chat.skip(STREET)
    chat.skip_officers()
    chat.say("张阿姨", STREET, "/核验 3201")
    chat.expect(STREET, "*3201*社区民警*王*港新派出所*")
    chat.say("张阿姨", STREET, "/核验 9999")
    chat.expect(STREET, "核验结果：没有查到“9999”。*")


def test_seed_03_posts_in_nine_categories_are_read_before_they_go_and_approved_by_another(tmp_path: Path) -> None:
    with Scenario(tmp_path, environ={"QIANSHAO_POSTS__APPROVE_OVER_GROUPS": "3"}) as chat:
        assert len(CATEGORIES) == 9
        for name in CATEGORIES.values():
            chat.say("孙悦", PRIVATE, f"/预览 {name}")
            chat.expect("孙悦", f"*【{name}】*")
        chat.say("孙悦", PRIVATE, "/推送 普法 全部")
        chat.expect("孙悦", "推送1号要另一位同事批准才发*8个群*")
        chat.skip("刘卫东")
        chat.say("孙悦", PRIVATE, "/批准 1")
        chat.expect("孙悦", "没有执行：*")
        chat.say("刘卫东", PRIVATE, "/批准 1")
        chat.wait(seconds=5)
        assert len(reached(chat, "【普法宣传】")) == 8
        chat.skip(*groups(chat))
        chat.skip_officers()


def test_seed_04_a_hit_and_run_appeal_goes_to_one_trade_and_the_clue_comes_back_in_the_chat(chat: Scenario) -> None:
    words = "昨晚9点港新路口一辆白色面包车撞人后离开，右前灯碎了，见过的请回复 发到 餐饮 或 外卖快递"
    chat.say("王建国", PRIVATE, f"/急告 {words}", photo=jpeg(7))
    number = chat.expect("王建国", "急告*写好了，还没发出。要发到2个群*").what.text.removeprefix("急告").partition("写好了")[0]
    chat.skip_officers()
    chat.say("刘卫东", PRIVATE, f"/批准 {number}")
    chat.wait(seconds=5)
    chat.wait(seconds=5)
    chat.skip_officers()
    assert reached(chat, "【急告】") == {STREET, RIDERS}
    alert = chat.expect_photo(RIDERS, f"【急告】编号{number}*白色面包车*")
    chat.say("何师傅", RIDERS, "我昨晚9点多在菜场后门看到过，右边的灯是碎的", quoting=alert)
    chat.expect("王建国", f"*{number}*菜场后门看到过*")
    chat.skip(STREET, RIDERS, "何师傅")
    chat.say("王建国", PRIVATE, f"/急告 {number} 结束 车找到了，谢谢大家")
    chat.wait(seconds=5)
    chat.wait(seconds=5)
    assert reached(chat, "【急告结束】") == {STREET, RIDERS}
    chat.skip(STREET, RIDERS)
    chat.skip_officers()


def test_seed_05_known_questions_are_answered_with_their_source_and_others_by_whoever_knows(
    chat: Scenario,
) -> None:
    def route(session: Session) -> None:
        unit = session.exec(select(Unit).where(Unit.code == "fire")).one()
        set_route(session, "question.fire_safety", None, [unit])

    chat.app.writer.run_now(route)
    give(chat, "马宏", "officer", "unit", "fire")
    chat.say("徐妈妈", SCHOOL, "@前哨 居住证怎么办")
    chat.expect(SCHOOL, "*（依据：*核对）")
    asks = "/问 家里电动车该停哪儿才合规，物业不给充电桩"
    chat.say("徐妈妈", SCHOOL, asks)
    chat.expect(SCHOOL, "这个问题我没有十足把握，已转给港新消防救援站回答，编号2611-0001。*")
    chat.expect("马宏", "【咨询】2611-0001*")
    chat.silence()  # the others are not bothered
    chat.say("马宏", PRIVATE, "/回复 2611-0001 停在楼外的车棚，充电桩请物业来我们这里问装法")
    chat.expect(SCHOOL, "*停在楼外的车棚*")
    chat.skip("马宏", "徐妈妈")
    chat.say("徐妈妈", SCHOOL, "@前哨 社区合唱团几点排练，还收人吗")  # nobody's subject: the grid answers
    chat.expect(SCHOOL, "*已转给社区的人回答，编号2611-0002。*")
    chat.expect("王建国", "【咨询】2611-0002*")
    chat.expect("周小琴", "【咨询】2611-0002*")
    chat.skip_officers()


def test_seed_07_the_centre_sees_all_a_station_its_grids_and_a_post_its_own(chat: Scenario) -> None:
    give(chat, "马宏", "grid_worker", "grid", "GX0101")
    for who, where, text in (("张阿姨", ONE, BIKE), ("黄老板", STREET, "火锅街路灯坏了好几天"), ("罗嫂", TWO, LAMP)):
        chat.say(who, where, text)
    chat.skip(ONE, STREET, TWO, "张阿姨", "黄老板", "罗嫂")
    chat.skip_officers()
    assert len(chat.rows(Case.id)) == 3
    for who, cases in (("刘卫东", 3), ("王建国", 2), ("李敏", 1), ("马宏", 1)):
        chat.say(who, PRIVATE, "/统计")
        chat.expect_photo(who, f"2026年11月：共{cases}件*")
    street = chat.rows(Case.number)[1]
    chat.say("李敏", PRIVATE, f"/查 {street}")  # a neighbouring station: as if there were none
    chat.expect("李敏", f"没有查到{street}。*")
    chat.say("王建国", PRIVATE, f"/查 {street}")
    chat.expect("王建国", f"{street} *")


def test_seed_12_the_month_of_an_area_as_a_picture_with_small_numbers_left_out(chat: Scenario) -> None:
    for number in range(6):
        chat.say(f"邻居{number}", ONE if number < 4 else TWO, f"{number + 1}号楼2单元楼道有人给电动车充电")
    for number in range(5):
        chat.say(f"居民{number}", ONE, "@前哨 身份证丢了怎么补办要去哪个窗口带什么材料，我这种情况能不能加急")
    chat.say("张阿姨", PRIVATE, "楼上邻居天天半夜吵架摔东西，跟他说了几次都不听，帮忙调解一下")
    chat.skip(ONE, TWO, "张阿姨", *(f"邻居{number}" for number in range(6)), *(f"居民{number}" for number in range(5)))
    chat.skip_officers()
    chat.say("刘卫东", PRIVATE, "/统计")
    shown = chat.expect_photo("刘卫东", "2026年11月：共*件*").what.text
    photo = next(photo for photo in chat.rows(Notice.photo) if photo is not None and photo.startswith("charts/"))
    chart = Chart.of_photo(photo)
    blocks = {block.title: {bar.label: (bar.value, bar.said) for bar in block.bars} for block in chart.blocks}
    assert blocks["哪一类"]["纠纷"] == (-1, "少于5")
    told = {name: value for name, (value, _) in blocks["哪一类"].items()}
    assert "不单列" in shown, "one more is left out, or the total gives the dispute back"
    if "各网格" in blocks:  # only of kinds whose exact number stands there, too
        assert sum(value for value, _ in blocks["各网格"].values()) <= sum(value for value in told.values() if value > 0)
    assert chart.note == "涉及个人的事项少于5件，不显示具体数"
    picture = draw_chart(chart)
    assert picture[:3] == b"\xff\xd8\xff"
    assert not list(chat.folder.glob("charts/*")), "the picture lies nowhere once it is sent"


def test_seed_12_each_grid_has_its_bar(chat: Scenario) -> None:
    for number in range(3):
        chat.say(f"邻居{number}", ONE if number < 2 else TWO, f"{number + 1}号楼2单元楼道有人给电动车充电")
    chat.skip(ONE, TWO, *(f"邻居{number}" for number in range(3)))
    chat.skip_officers()
    chat.say("刘卫东", PRIVATE, "/统计")
    chat.expect_photo("刘卫东", f"2026年11月：共3件，隐患3。*\n各网格：{ONE}2件，{TWO}1件\n*")
    chat.say("李敏", PRIVATE, "/统计")
    assert "各网格" not in chat.expect_photo("李敏", "2026年11月：共1件*").what.text


def test_seed_23_a_courier_reports_in_a_hurry_and_his_trade_is_called_for_a_task(chat: Scenario) -> None:
    chat.say("何师傅", PRIVATE, "/志愿 记 外卖骑手")
    chat.expect("何师傅", "好的，从这次起给您记工时和积分。*")
    assert chat.rows(Volunteer.trade) == ["外卖骑手"]
    chat.say("何师傅", RIDERS, "港新路12号门口井盖没了，是个大窟窿")
    chat.expect(RIDERS, "收到，编号2611-0001*")
    assert chat.rows(Case.tier) == ["T1"]
    chat.skip_officers()
    chat.say("赵航", RIDERS, "/活动 发布 雨后看一遍窨井盖；明天上午9点；港新路口；1小时；限5人")
    chat.expect(RIDERS, "【志愿活动】雨后看一遍窨井盖*/报名 1")
    told = chat.expect("赵航", "1号活动已发布。现场签到码是*")
    chat.say("何师傅", RIDERS, "/报名 1")
    chat.expect(RIDERS, "报好了：雨后看一遍窨井盖*")
    chat.wait(days=1)
    chat.skip_officers()
    chat.skip(RIDERS, "何师傅")
    code = re.search(r"签到码是(\d{4})", told.what.text)
    assert code
    chat.say("何师傅", PRIVATE, f"/签到 {code[1]}")
    chat.say("赵航", PRIVATE, "/活动 结束 1")
    chat.skip_officers()
    chat.skip(RIDERS, "何师傅")
    assert chat.rows(Volunteer.hours, Volunteer.points) == [(1.0, 10)]


def test_seed_24_the_leader_of_a_micro_grid_hears_its_wishes_and_so_does_the_grid_around_it(chat: Scenario) -> None:
    give(chat, "马宏", "grid_worker", "grid", "GX0101")
    chat.say("黄老板", STREET, "想请人帮忙给店里的老人教一教用手机挂号")
    chat.expect(STREET, "收到，编号2611-0001*")
    assert chat.rows(Case.kind, Case.grid_code) == [("wish", "GX0101")]
    for who, there in (("马宏", True), ("王建国", True), ("李敏", False)):
        chat.skip(who)
        chat.say(who, PRIVATE, "/待办")
        assert ("2611-0001" in chat.expect(who, "*").what.text) is there
    chat.skip_officers()


@pytest.mark.one_cell
def test_seed_26_a_hundred_standard_questions_in_fourteen_classes_are_at_hand(chat: Scenario) -> None:
    ready = AnswerLibrary.load(CONTENT / "answers").served(chat.clock().date())
    assert len(ready) >= 98
    assert len({answer.class_ for answer in ready}) >= 14


def test_seed_26_questions_are_answered_at_once_day_and_night_and_the_rest_reaches_a_desk(tmp_path: Path) -> None:
    night = datetime(2026, 11, 24, 19, 30, tzinfo=UTC)  # half past three in Shanghai
    with Scenario(tmp_path, start=night) as chat:
        for asked in ("居住证怎么办", "身份证丢了怎么补办", "驾驶证扣满12分怎么弄"):
            chat.say("徐妈妈", PRIVATE, asked)
            chat.expect("徐妈妈", "*\n（依据：*核对）")
        chat.say("徐妈妈", ONE, "@值班 这么晚了还有人在吗")
        chat.expect(ONE, "已请值班的*来看，编号2611-0001。急事请先打110、119、120。")
        chat.expect("王建国", "【找值班】港新1号网格：*\n回答：/回复 2611-0001 答复")
        chat.skip_officers()
