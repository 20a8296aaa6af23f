"""Systems that run elsewhere and whose work is the desk's (docs/coverage.md), each as the conversation in which it happens."""

from __future__ import annotations

import pytest
from sqlmodel import Session, select

from cases.routing import set_route
from storage.tables import Attachment, Case, CaseAssist, Grid, Group, Notice, Unit
from tests.kit.scenario import PRIVATE, Scenario, jpeg

GROUP, STREET, SCHOOL = "港新1号网格", "火锅街商户群", "港新小学二（3）班家长"
CYLINDERS = "港新路火锅店把液化气罐放在棚子里，太危险了"


def route(chat: Scenario, category: str, *codes: str, grid: str | None = None) -> None:
    def work(session: Session) -> None:
        units = [session.exec(select(Unit).where(Unit.code == code)).one() for code in codes]
        where = session.exec(select(Grid.id).where(Grid.code == grid)).one() if grid else None
        set_route(session, category, where, units)

    chat.app.writer.run_now(work)


def test_seed_02_gas_cylinders_in_a_shed_are_cleared_and_every_group_that_reported_hears_it(chat: Scenario) -> None:
    """A volunteer's photo, a joint inspection of several units, the result back in all groups concerned, in one evening."""
    route(chat, "gas.install", "station", "fire", "community", grid="GX01")
    chat.say("张阿姨", GROUP, CYLINDERS, photo=jpeg())
    chat.expect(GROUP, "收到，编号2611-0001（液化气罐*）。已转港新派出所、港新消防救援站、港新社区居委会，*")
    chat.expect("王建国", "【派单】2611-0001 液化气罐* T2（1张照片） *")
    chat.expect("周小琴", "【派单】2611-0001 *")
    chat.say("何师傅", STREET, "火锅店棚子里放着液化气罐，太危险了")
    chat.expect(STREET, "收到，*2611-000*")
    chat.skip_officers()
    if chat.rows(Case.state) == ["dispatched", "dispatched"]:  # not surely the same: a dispatcher says so
        chat.say("赵航", PRIVATE, "/并单 2611-0002 2611-0001")
        chat.skip("赵航", "何师傅")
        chat.skip_officers()
    assert chat.rows(Case.state) == ["dispatched", "duplicate"]
    chat.say("王建国", PRIVATE, "/接单 2611-0001")
    chat.expect("张阿姨", "2611-0001已由港新派出所接手。")
    chat.say("王建国", PRIVATE, "/联系 2611-0001 和消防、社区一起去看了")
    chat.say("王建国", PRIVATE, "/办结 2611-0001 气罐搬到了专用间，装了报警器", photo=jpeg(1))
    asked = chat.expect(GROUP, "2611-0001处理好了：气罐搬到了专用间，装了报警器——港新派出所*")
    assert asked.what.photo
    chat.tap("张阿姨", asked, "解决了")
    assert chat.expect(GROUP, "2611-0001处理前。").what.photo
    line = "2611-0001（*）已解决，2位邻居反映过，反映的邻居确认过了。——港新派出所、港新消防救援站、港新社区居委会"
    assert chat.expect(GROUP, line).what.photo
    assert chat.expect(STREET, line).what.photo
    chat.silence_in(STREET)
    chat.skip("张阿姨")
    chat.skip_officers()


def test_what_was_told_in_private_is_answered_in_private_and_its_grid_hears_nothing(chat: Scenario) -> None:
    """docs/decisions/0204; a neighbour who said the same in the group brings the group its line, without the private picture."""
    chat.say("张阿姨", PRIVATE, "3号楼2单元楼道有人给电动车充电", photo=jpeg())
    chat.expect("张阿姨", "收到，编号2611-0001*")
    chat.skip_officers()
    chat.say("马宏", PRIVATE, "/接单 2611-0001")
    chat.say("马宏", PRIVATE, "/办结 2611-0001 已经劝离并清走电线", photo=jpeg(1))
    chat.say("张阿姨", PRIVATE, "解决了")
    chat.skip("张阿姨")
    chat.skip_officers()
    assert chat.rows(Case.state) == ["closed_confirmed"]
    chat.silence_in(GROUP)

    chat.say("张阿姨", PRIVATE, "5号楼1单元楼道有人给电动车充电", photo=jpeg(2))
    chat.say("何师傅", GROUP, "5号楼1单元楼道里在给电动车充电", photo=jpeg(3))
    chat.skip("张阿姨", GROUP, "何师傅")
    if "duplicate" not in chat.rows(Case.state):
        chat.say("赵航", PRIVATE, "/并单 2611-0003 2611-0002")
        chat.skip("赵航", "何师傅", GROUP)
    chat.say("马宏", PRIVATE, "/接单 2611-0002")
    chat.say("马宏", PRIVATE, "/办结 2611-0002 已经劝离，装了禁停牌", photo=jpeg(4))
    chat.skip("张阿姨", GROUP)
    chat.say("张阿姨", PRIVATE, "解决了")
    line = chat.expect(GROUP, "2611-0002（*）已解决，2位邻居反映过，反映的邻居确认过了。——*")
    assert line.what.photo is not None
    [photo] = [photo for photo, text in chat.rows(Notice.photo, Notice.text) if text == line.what.text]
    assert photo == chat.rows(Attachment.path)[-1]  # the unit's, not the private one
    chat.silence_in(GROUP)
    chat.skip("张阿姨")
    chat.skip_officers()


def test_seed_15_one_tap_ticket_right_unit_wrong_one_goes_back_once_and_the_resident_sees_each_step(chat: Scenario) -> None:
    chat.hears_clocks = False
    chat.say("张阿姨", GROUP, "3号楼2单元楼道有人给电动车充电")
    chat.expect(GROUP, "收到，编号2611-0001*已转安居物业港新服务处*")
    chat.expect("马宏", "【派单】*")
    chat.say("马宏", PRIVATE, "/退单 2611-0001 车是街面商户的，该派消防")
    chat.expect("马宏", "*已退给调度员。")
    chat.expect("赵航", "【退单】2611-0001 *该派消防*")
    chat.say("赵航", PRIVATE, "/派单 2611-0001 消防 物业")
    chat.skip("赵航")
    chat.expect("张阿姨", "2611-0001已转港新消防救援站、安居物业港新服务处。")
    chat.say("刘卫东", PRIVATE, "/退单 2611-0001 还是不对，请再看看")
    chat.expect("刘卫东", "没有执行：2611-0001已经退过一次*")
    chat.say("刘卫东", PRIVATE, "/接单 2611-0001")
    chat.expect("张阿姨", "2611-0001已由港新消防救援站接手。")
    chat.say("张阿姨", GROUP, "/查 2611-0001")
    chat.expect(GROUP, "2611-0001（*）：已接单，港新消防救援站。")
    chat.skip_officers()


@pytest.mark.parametrize(
    ("text", "tier"),
    [
        ("3号楼门口井盖没了，是个大窟窿", "T1"),
        ("3号楼2单元楼道有人给电动车充电", "T2"),
        ("5号楼路灯坏了好几天", "T3"),
    ],
)
def test_seed_16_every_report_has_a_tier_and_a_category_and_none_stays_without_an_answer(
    chat: Scenario, text: str, tier: str
) -> None:
    chat.say("张阿姨", GROUP, text)
    chat.expect(GROUP, "收到，编号2611-0001（*）*")
    assert chat.rows(Case.tier) == [tier]
    chat.skip_officers()
    chat.wait(hours=30)  # nobody answers: those above hear of it, with the promise that was missed
    supervisor = [arrival.what.text for arrival in chat._unseen(chat._key("刘卫东"))]
    assert any(said.startswith("【超时】2611-0001") for said in supervisor)
    chat.skip_officers()


def test_seed_17_the_duty_is_called_by_name_in_the_group_and_reaches_whoever_has_it(chat: Scenario) -> None:
    chat.say("唐工", GROUP, "@值班 楼下有两个人吵起来了，要不要来看一下")
    chat.expect(GROUP, "*2611-0001*")
    told = [arrival.what.text for arrival in chat._unseen(chat._key("王建国"))]
    assert any(text.startswith("【找值班】港新1号网格：楼下有两个人吵起来了") for text in told)
    chat.skip_officers()
    chat.say("王建国", PRIVATE, "/交班 W101")
    chat.skip_officers()
    chat.say("林小雨", GROUP, "＠值班，今天晚上有人在吗")
    chat.expect(GROUP, "已请值班的网格员来看，编号2611-0002。急事请先打110、119、120。")
    card = chat.expect("周小琴", "【找值班】港新1号网格：今天晚上有人在吗\n回答：/回复 2611-0002 答复")
    chat.silence_in("王建国")
    chat.say("周小琴", PRIVATE, "/回复 在的，我在社区办公室，电话找居委会转", quoting=card)
    chat.expect(GROUP, "*在的，我在社区办公室*")
    chat.skip_officers()
    chat.say("丁丁", GROUP, "今天值班的保安挺好")  # nobody is called
    chat.silence()


def test_seed_17_an_emergency_under_that_name_gets_the_right_sentence_first(chat: Scenario) -> None:
    chat.say("唐工", GROUP, "@值班 着火了，3号楼冒烟")
    chat.expect(GROUP, "马上打119*")
    chat.expect("王建国", "【紧急】港新1号网格*")
    chat.skip(GROUP)
    chat.skip_officers()


def test_seed_18_the_police_grid_and_the_civic_grid_both_stand_on_the_case(chat: Scenario) -> None:
    chat.say("黄老板", STREET, CYLINDERS)
    chat.expect(STREET, "收到，编号*")
    chat.skip_officers()
    row = chat.rows(Case.grid_code, Case.police_grid)[0]
    assert tuple(row) in {("GX0101", "3201-01A"), ("GX01", "3201-01")}
    chat.say("赵航", PRIVATE, "/查 2611-0001")
    chat.expect("赵航", "*网格GX01*，警务网格3201-01*")
    assert chat.rows(Group.grid_id)  # the group's own grid stays what it was


def test_seed_28_several_departments_work_on_one_case_and_the_pattern_is_seen(chat: Scenario) -> None:
    """One leads, others assist, each sees the case as its own; the leader sees what is reported most, beside last month."""
    chat.hears_clocks = False
    route(chat, "ebike.*", "property", "fire", "station")
    chat.say("张阿姨", GROUP, "3号楼2单元楼道有人给电动车充电")
    chat.expect(GROUP, "收到，*已转安居物业港新服务处、港新消防救援站、港新派出所*")
    chat.skip_officers()
    assert len(chat.rows(CaseAssist.id)) == 2
    chat.say("刘卫东", PRIVATE, "/查 2611-0001")
    chat.expect("刘卫东", "*安居物业港新服务处、港新消防救援站、港新派出所*")
    chat.wait(days=14)
    chat.skip_officers()
    chat.say("张阿姨", GROUP, "7号楼门口好几辆电动车飞线充电")
    chat.say("陈大爷", GROUP, "9号楼1单元楼道里也有人给电动车充电")
    chat.skip(GROUP)
    chat.skip_officers()
    chat.say("刘卫东", PRIVATE, "/统计")
    chat.expect_photo("刘卫东", "2026年12月：共2件*最多的：电动车违规停放充电2件（上月1件）*")
    chat.say("刘卫东", PRIVATE, "/统计 上月")
    chat.expect_photo("刘卫东", "2026年11月：共1件*最多的：电动车违规停放充电1件（上月0件）*")
    chat.say("刘卫东", PRIVATE, "/统计 去年")
    chat.expect("刘卫东", "还差一点：请发 /统计*")
