"""Time passes at the desk: who is warned and who is told, and the cards that begin and end the officers' day."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import Session, delete, select

from storage.tables import Case, CaseClock, Duty, Notice
from tests.kit.scenario import PRIVATE, Scenario

GROUP, WORK = "港新1号网格", "港新警务工作群"
MANHOLE = "3号楼门口井盖没了，是个大窟窿"  # T1
CHARGING = "3号楼2单元楼道有人给电动车充电"  # T2
LAMP = "5号楼路灯坏了好几天"  # T3
CARDS = {"QIANSHAO_DESK__CARDS": "true"}


def reported(chat: Scenario, text: str = CHARGING) -> str:
    chat.say("张阿姨", GROUP, text)
    chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()
    return chat.number


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC)


def test_nobody_takes_it_and_it_goes_up_step_by_step(chat: Scenario) -> None:
    number = reported(chat)
    chat.wait(minutes=31)
    chat.expect("马宏", f"【时限】{number} 电动车*\n接单：还有29分钟，11月23日11:00到期\n请尽快处理。*")
    chat.silence()
    chat.wait(minutes=18)  # four fifths: whoever can give it to somebody hears of it, too
    chat.expect("马宏", f"【时限】{number} *接单：还有11分钟*")
    for who in ("赵航", "王建国"):
        chat.expect(who, f"【时限】{number} *还没有人接，请派人。*")
    chat.silence()
    chat.wait(minutes=11)
    chat.expect("马宏", f"【超时】{number} *接单：已超*11月23日11:00到期*请尽快处理。*")
    for who in ("赵航", "王建国"):
        chat.expect(who, f"【超时】{number} *还没有人接，请派人。*")
    chat.expect("刘卫东", f"【超时】{number} *请督促。*")
    chat.silence()
    chat.wait(minutes=30)
    chat.expect("刘卫东", f"【超时】{number} *超时已久，请您过问。*")
    chat.skip_officers()
    chat.say("马宏", PRIVATE, f"/接单 {number}")
    chat.skip("马宏", "张阿姨")
    chat.wait(hours=3)
    chat.silence()


def test_nothing_lies_unassigned_for_longer_than_its_take_clock_without_somebody_being_told(chat: Scenario) -> None:
    """No unit, no officer, no dispatcher of the grid: the district still hears of it."""
    chat.say("张阿姨", GROUP, "小区东门一棵树快倒了")
    chat.skip(GROUP)
    chat.skip_officers()
    assert chat.rows(Case.unit_id) == [None]
    chat.wait(hours=1)
    chat.wait(minutes=1)
    for who in ("赵航", "王建国", "刘卫东"):
        chat.skip(who) if who != "刘卫东" else chat.expect(who, "【超时】2611-0001 *请督促。*")
    chat.skip_officers()


def test_whoever_took_it_is_warned_alone_until_it_is_late(chat: Scenario) -> None:
    number = reported(chat, MANHOLE)
    chat.say("王建国", PRIVATE, f"/接单 {number}")
    chat.expect("王建国", "*归您了*")
    chat.skip("张阿姨")
    chat.wait(minutes=61)
    chat.expect("王建国", f"【时限】{number} *第一次回复反映人：还有59分钟*")
    chat.silence()
    chat.say("王建国", PRIVATE, f"/联系 {number} 已经到现场围起来了")
    chat.expect("王建国", "*已记下联系情况。")
    chat.wait(hours=1)
    chat.silence()


def test_the_clock_stands_still_while_the_reporter_is_asked_and_goes_on_after_48_hours(chat: Scenario) -> None:
    number = reported(chat, LAMP)
    chat.say("王建国", PRIVATE, f"/追问 {number} 哪一盏？")
    chat.skip("王建国", GROUP)
    chat.wait(hours=47)
    chat.silence()
    assert [row.name for row in chat.rows(CaseClock) if row.stopped_at is None and row.running_since is not None] == []
    chat.wait(hours=1)
    for who in ("王建国", "周小琴"):
        chat.expect(who, f"{number}（5号楼）问了48小时没有补充，时限接着走。*")
    assert chat.rows(Case.state) == ["dispatched"]


def test_a_miss_is_counted_once_for_each_case_in_the_statistics(chat: Scenario) -> None:
    number = reported(chat)
    chat.hears_clocks = False
    chat.wait(hours=30)
    chat.say("刘卫东", PRIVATE, "/统计")
    chat.expect_photo("刘卫东", "*超时：接单1件，第一次回复反映人1件*")
    assert number == "2611-0001"


def test_a_case_is_not_warned_of_after_it_is_over(chat: Scenario) -> None:
    number = reported(chat)
    chat.say("张阿姨", GROUP, f"/撤回 {number}")
    chat.skip(GROUP)
    chat.skip_officers()
    chat.wait(hours=5)
    chat.silence()


# --- cards ---


@pytest.fixture
def carded(tmp_path: Path) -> Scenario:
    return Scenario(tmp_path, start=local("2026-11-27 16:00"), environ=CARDS)  # a Friday


def test_a_card_ends_the_day_and_one_begins_the_next_working_day(carded: Scenario) -> None:
    with carded as chat:
        number = reported(chat, LAMP)
        chat.wait(hours=1, minutes=30)
        chat.expect(
            WORK,
            f"【收班】11月27日\n今天新报1件，确认办结0件。还在办1件：没人接1件，已超时0件。\n{number} 路灯不亮 5号楼*夜里值班：*",
        )
        chat.hears_clocks = False
        chat.wait(hours=15)  # Saturday morning
        chat.wait(hours=9)
        chat.silence_in(WORK)
        chat.wait(hours=38, minutes=55)
        chat.silence_in(WORK)
        chat.wait(minutes=10)  # Monday, half past eight
        chat.expect(WORK, "【早报】11月30日\n昨天到现在新报0件*在办1件：还没人接1件，今天到期0件，已超时0件。*今天值班：*")
        chat.restart()
        chat.silence_in(WORK)
        chat.skip_officers()


def test_on_a_saturday_that_is_worked_there_is_a_card(tmp_path: Path) -> None:
    with Scenario(tmp_path, start=local("2026-10-10 08:00"), environ=CARDS) as chat:
        chat.wait(minutes=31)
        chat.expect(WORK, "【早报】10月10日\n*")


def test_a_card_that_is_hours_late_is_left_out_and_the_next_one_comes(tmp_path: Path) -> None:
    with Scenario(tmp_path, start=local("2026-11-24 08:00"), environ=CARDS) as chat:
        chat.restart(hours=5)
        chat.silence_in(WORK)
        chat.wait(hours=5)
        chat.expect(WORK, "【收班】11月24日\n*")
        assert len([text for text in chat.rows(Notice.key) if text.startswith("card:")]) == 1


def test_the_card_says_that_nobody_is_on_duty_and_that_the_known_holidays_end(tmp_path: Path) -> None:
    def nobody(session: Session) -> None:
        session.execute(delete(Duty))

    with Scenario(tmp_path, start=local("2026-12-07 08:00"), environ=CARDS) as chat:
        chat.app.writer.run_now(nobody)
        chat.wait(minutes=31)
        chat.expect(WORK, "【早报】12月7日\n*今天还没有排值班，请安排。\n节假日安排只知道到2026年底，请管理员更新。")


# --- duty ---


def test_the_duty_is_handed_over_and_the_next_emergency_calls_the_successor(chat: Scenario) -> None:
    chat.say("王建国", PRIVATE, "/交班")
    chat.expect("王建国", "还差一点：请发 /交班 接班人的工号")
    chat.say("王建国", PRIVATE, "/交班 9999")
    chat.expect("王建国", "没有查到工号9999*")
    chat.say("王建国", PRIVATE, "/交班 3202")
    chat.expect("王建国", "值班已交给社区民警李敏。")
    chat.expect("李敏", "社区民警王建国把值班交给您了*")
    chat.say("王建国", PRIVATE, "/handover 3202")
    chat.expect("王建国", "您现在没有在值班，不用交班。")
    chat.say("陈大爷", GROUP, "家里好大的煤气味，怎么办")
    chat.expect("李敏", "【紧急】港新1号网格有人求助：闻到燃气味*")
    chat.silence_in("王建国")
    chat.skip(GROUP)
    chat.skip_officers()


def test_a_shift_ends_by_itself_and_the_district_is_called(chat: Scenario) -> None:
    def shift(session: Session) -> None:
        for duty in session.exec(select(Duty)).all():
            if duty.grid_id is not None:
                duty.ends_at = local("2026-11-23 12:00")

    chat.app.writer.run_now(shift)
    chat.wait(hours=3)
    chat.say("陈大爷", GROUP, "家里好大的煤气味，怎么办")
    chat.expect("刘卫东", "【紧急】港新1号网格有人求助：*")
    chat.silence_in("王建国")
    chat.skip(GROUP)
    chat.skip_officers()
