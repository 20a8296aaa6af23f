"""Nobody answers the call-back, or it comes back after four weeks, or another unit looks again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import Session, select

from bot.config import load_settings
from cases.lifecycle import ABOUT, State
from storage.tables import Case, CaseReview
from tests.kit.fake_platform import Arrival
from tests.kit.scenario import PRIVATE, Scenario, jpeg

GROUP = "港新1号网格"
CHARGING = "3号楼2单元楼道有人给电动车充电"  # of a category that tends to come back
LAMP = "5号楼路灯坏了好几天"  # of one that does not


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC)


def resolved(chat: Scenario, text: str = CHARGING, by: str = "马宏") -> Arrival:
    chat.hears_clocks = False
    chat.say("张阿姨", GROUP, text)
    chat.expect(GROUP, "收到，编号*")
    chat.say(by, PRIVATE, f"/接单 {chat.number}")
    chat.say(by, PRIVATE, f"/办结 {chat.number} 都处理好了")
    asked = chat.expect(GROUP, f"{chat.number}处理好了：*")
    chat.skip("张阿姨")
    chat.skip_officers()
    return asked


def confirmed(chat: Scenario, text: str = CHARGING) -> None:
    resolved(chat, text)
    chat.say("张阿姨", GROUP, "解决了")
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()


def state(chat: Scenario) -> str:
    return chat.rows(Case.state)[0]


def test_three_questions_in_72_hours_then_a_supervisor_closes_it_as_not_reached(chat: Scenario) -> None:
    resolved(chat)
    chat.wait(hours=23)
    chat.silence()
    chat.wait(hours=1)
    chat.expect(GROUP, "2611-0001（都处理好了）您看解决了吗？*")
    chat.wait(hours=24)
    chat.expect(GROUP, "2611-0001（都处理好了）您看解决了吗？*")
    chat.expect("马宏", "2611-0001（*）问了三次还没有回话，请打电话或上门问一下*")
    chat.say("刘卫东", PRIVATE, "/未联系 2611-0001")
    chat.expect("刘卫东", "没有执行：2611-0001才问了3次。问满3次、过72小时还没有回话*")
    chat.wait(hours=24)
    card = chat.expect("刘卫东", "【没联系上】2611-0001 *问了3次，72小时没有回话。*")
    chat.silence()
    chat.say("马宏", PRIVATE, "/未联系 2611-0001")
    chat.expect("马宏", "没有执行：“/未联系”不在您的权限里。*")
    chat.offers(card, "/未联系 2611-0001")
    chat.tap("刘卫东", card, "/未联系 2611-0001")
    chat.expect("刘卫东", "2611-0001按“未联系上”办结，不算满意。*")
    chat.skip("马宏")
    assert state(chat) == "closed_unreached"
    chat.say("刘卫东", PRIVATE, "/统计")
    chat.expect_photo("刘卫东", "*反映人确认办结0，没联系上1*")
    chat.wait(days=2)
    chat.silence()


@pytest.mark.parametrize(("word", "end"), [("解决了", "closed_confirmed"), ("没解决，又推回来了", "reopened")])
def test_a_late_answer_still_counts(chat: Scenario, word: str, end: str) -> None:
    asked = resolved(chat)
    chat.wait(hours=24)
    chat.wait(hours=24)
    chat.wait(hours=24)
    chat.say("刘卫东", PRIVATE, "/未联系 2611-0001")
    chat.skip(GROUP)
    chat.skip_officers()
    assert state(chat) == "closed_unreached"
    chat.say("张阿姨", GROUP, word, quoting=asked)
    assert state(chat) == end
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()


def test_nobody_is_asked_at_night(tmp_path: Path) -> None:
    with Scenario(tmp_path, start=local("2026-11-23 22:30")) as chat:
        chat.hears_clocks = False
        chat.say("张阿姨", GROUP, CHARGING)
        chat.say("马宏", PRIVATE, "/接单 2611-0001")
        chat.skip(GROUP, "张阿姨")
        chat.skip_officers()
        chat.say("马宏", PRIVATE, "/办结 2611-0001 车已清走了")
        chat.expect("马宏", "2611-0001已报办结，现在是休息时间，早上再问反映人。*")
        chat.say("马宏", PRIVATE, photo=jpeg())
        chat.expect("马宏", "照片已加到2611-0001的结果里，早上问反映人时一起发。")
        chat.silence()
        assert state(chat) == "resolved"
        chat.wait(hours=9, minutes=29)
        chat.silence()
        chat.wait(minutes=1)
        assert chat.expect(GROUP, "2611-0001处理好了：车已清走了*").what.photo
        assert state(chat) == "verifying"


def test_the_next_question_waits_for_a_decent_hour_too(tmp_path: Path) -> None:
    with Scenario(tmp_path, start=local("2026-11-23 20:50")) as chat:
        resolved(chat)
        chat.wait(hours=24)
        chat.expect(GROUP, "*您看解决了吗？*")
        chat.wait(hours=24)
        chat.skip(GROUP)
        chat.skip_officers()
        at = [chat.clock().astimezone(ZoneInfo("Asia/Shanghai")).hour]
        assert all(8 <= hour < 21 for hour in at)


def test_what_tends_to_come_back_is_asked_about_after_four_weeks(chat: Scenario) -> None:
    confirmed(chat)
    chat.wait(days=27)
    chat.silence()
    chat.wait(days=1)
    asked = chat.expect(GROUP, "2611-0001（3号楼2单元楼道，*）办结有四周了，后来又出现过吗？*")
    chat.offers(asked, "没再出现", "又出现了")
    chat.tap("张阿姨", asked, "没再出现")
    chat.expect(GROUP, "那就好，谢谢您告诉我们。")
    assert state(chat) == "closed_confirmed"
    chat.wait(days=60)
    chat.silence()


def test_it_came_back_and_is_opened_again_with_the_reason(chat: Scenario) -> None:
    confirmed(chat)
    chat.wait(days=28)
    asked = chat.expect(GROUP, "*后来又出现过吗？*")
    chat.tap("张阿姨", asked, "又出现了")
    chat.expect(GROUP, "好的，还差在哪里？*")
    chat.say("张阿姨", GROUP, "上周起又有三辆车在充")
    chat.expect(GROUP, "知道了，2611-0001重新办理*")
    chat.expect("马宏", "2611-0001反映人说没解决：上周起又有三辆车在充。*")
    assert (state(chat), chat.rows(Case.reopened)) == ("reopened", [1])


def test_a_lamp_is_not_asked_about_again(chat: Scenario) -> None:
    chat.hears_clocks = False
    resolved(chat, LAMP, by="王建国")
    chat.say("张阿姨", GROUP, "解决了")
    chat.skip(GROUP, "张阿姨")
    chat.wait(days=40)
    chat.silence()


# --- 抽查回访 ---


def reviewing(folder: Path) -> Scenario:
    return Scenario(folder, environ={"QIANSHAO_DESK__REVIEW_SHARE": "1"})


def test_another_unit_asks_once_more_and_agrees(tmp_path: Path) -> None:
    with reviewing(tmp_path) as chat:
        resolved(chat)
        chat.say("张阿姨", GROUP, "解决了")
        chat.skip(GROUP, "张阿姨")
        chat.expect("王建国", "【抽查回访】2611-0001 *（安居物业港新服务处办的）\n结果：都处理好了。*")
        chat.silence_in("马宏")
        chat.say("马宏", PRIVATE, "/回访 2611-0001 属实")
        chat.expect("马宏", "没有执行：2611-0001是您或您单位办的，抽查要由别的单位来做。")
        chat.say("王建国", PRIVATE, "/回访 2611-0001 好的")
        chat.expect("王建国", "还差一点：请发 /回访 号 属实，或者：号 不属实 还差在哪里*")
        chat.say("王建国", PRIVATE, "/回访 2611-0001 属实 电话里说都清走了")
        chat.expect("王建国", "2611-0001抽查属实，已记下。")
        chat.say("王建国", PRIVATE, "/review 2611-0001 属实")
        chat.expect("王建国", "2611-0001没有等着的抽查回访。")
        assert chat.rows(CaseReview.agreed) == [True]
        assert state(chat) == "closed_confirmed"
        chat.skip_officers()


def test_another_unit_hears_that_it_is_not_solved(tmp_path: Path) -> None:
    with reviewing(tmp_path) as chat:
        confirmed(chat)
        chat.say("王建国", PRIVATE, "/回访 2611-0001 不属实 车只是挪到了隔壁单元")
        chat.expect("王建国", "2611-0001已重新办理，原因已告诉承办人。")
        chat.expect("马宏", "2611-0001反映人说没解决：车只是挪到了隔壁单元。*")
        chat.expect("张阿姨", "我们又核对了一遍，2611-0001还没有真正解决，已经重新办理。")
        assert state(chat) == "reopened"
        chat.say("刘卫东", PRIVATE, "/统计")
        chat.expect_photo("刘卫东", "*抽查回访1件，其中1件没有真正解决*")


@pytest.mark.parametrize(("drawn", "asked"), [(0.049, 1), (0.05, 0)])
def test_one_confirmed_case_in_twenty_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: float, asked: int) -> None:
    """As the settings say by default; the lot is drawn from the machine's own randomness, which nobody can foresee."""
    monkeypatch.setattr("handlers.closing.secrets.SystemRandom", lambda: SimpleNamespace(random=lambda: drawn))
    share = load_settings(None, {}).desk.review_share
    with Scenario(tmp_path, environ={"QIANSHAO_DESK__REVIEW_SHARE": str(share)}) as chat:
        confirmed(chat)
        chat.skip_officers()
        assert len(chat.rows(CaseReview.id)) == asked


# --- every state, every answer ---

ANSWERS = ("解决了", "没解决，灯又灭了", "没解决", "我明天去看看")
YES, NO, BARE_NO = ANSWERS[:3]
WANTED = {
    ("resolved", YES): "closed_confirmed",
    ("verifying", YES): "closed_confirmed",
    ("closed_unreached", YES): "closed_confirmed",
    ("resolved", NO): "reopened",
    ("verifying", NO): "reopened",
    ("closed_confirmed", NO): "reopened",
    ("closed_unreached", NO): "reopened",
    ("needs_info", YES): "in_progress",  # whatever was said, it is the answer to what was asked
    ("needs_info", NO): "in_progress",
    ("needs_info", BARE_NO): "in_progress",
    ("needs_info", ANSWERS[3]): "in_progress",
}
ASKED_WHY = {"resolved", "verifying", "closed_confirmed", "closed_unreached"}


@pytest.mark.parametrize("before", [state for state in State if state is not State.DUPLICATE])
def test_the_answer_of_the_reporter_in_every_state(chat: Scenario, before: State) -> None:
    """He quotes the bot's line. Only a state that waits for his word, or an end that can still be doubted, is moved by it."""
    chat.hears_clocks = False
    for n, answer in enumerate(ANSWERS, 1):
        chat.say("张阿姨", GROUP, f"{n}号楼路灯坏了好几天")
        line = chat.expect(GROUP, "收到，编号*")
        number = chat.number

        def put(session: Session, number: str = number) -> None:
            case = session.exec(select(Case).where(Case.number == number)).one()
            officer = session.exec(select(Case.officer_id)).first()
            case.state, case.officer_id = before, officer or 1
            case.closed_at = None if ABOUT[before].open else chat.clock()
            session.add(case)

        chat.app.writer.run_now(put)
        chat.say("张阿姨", GROUP, answer, quoting=line)
        [after] = [row.state for row in chat.rows(Case) if row.number == number]
        assert after == WANTED.get((before, answer), before), answer
        said = [arrival.what.text for arrival in chat._unseen(chat._key(GROUP))]
        assert said, "a word to the bot about a case is never left without an answer"
        if answer == BARE_NO and before in ASKED_WHY:
            assert said[-1].startswith("好的，还差在哪里？")
            chat.say("张阿姨", GROUP, "灯又灭了")
            [after] = [row.state for row in chat.rows(Case) if row.number == number]
            assert after == "reopened"
        chat.skip(GROUP, "张阿姨")
        chat.skip_officers()
        chat.wait(minutes=11)
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()


def test_whoever_had_himself_forgotten_is_not_asked_and_a_supervisor_decides(chat: Scenario) -> None:
    chat.hears_clocks = False
    chat.say("张阿姨", GROUP, CHARGING)
    chat.say("马宏", PRIVATE, "/接单 2611-0001")
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()

    def forget(session: Session) -> None:
        case = session.exec(select(Case)).one()
        case.reporter, case.reporter_name = None, ""
        session.add(case)

    chat.app.writer.run_now(forget)
    chat.say("马宏", PRIVATE, "/办结 2611-0001 车已清走了")
    chat.expect("马宏", "2611-0001已报办结*")
    card = chat.expect("刘卫东", "【没有人可问】2611-0001 *没法回访。*")
    chat.silence()
    chat.offers(card, "/未联系 2611-0001")
    chat.tap("刘卫东", card, "/未联系 2611-0001")
    chat.expect("刘卫东", "2611-0001按“未联系上”办结*")
    chat.skip("马宏")
    assert state(chat) == "closed_unreached"
    chat.wait(days=5)
    chat.silence()
