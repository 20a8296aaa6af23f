"""Somebody is in danger: the right sentence first, then the duty officer, and a case only when people are safe."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from bot.messages import Attachment, Inbound
from bot.turn import StoredPhoto
from bot.understanding.meaning import Danger
from storage.tables import Alarm, Case, Notice
from storage.tables import Attachment as StoredPhotoRow
from tests.kit.scenario import PRIVATE, Scenario, jpeg, library

GROUP = "港新1号网格"
CALLS = {
    Danger.FIRE: "3号楼着火了，快来人",
    Danger.GAS: "家里好大的煤气味，怎么办",
    Danger.ELECTRIC: "电线掉下来了，在冒火花",
    Danger.VIOLENCE: "楼下有人打架动刀子了",
    Danger.INTRUDER: "有人撬门进来了",
    Danger.MEDICAL: "有人晕倒了，没反应",
    Danger.DROWNING: "有人掉河里了",
    Danger.COLLAPSE: "墙塌了压着人",
    Danger.SELF_HARM: "我不想活了",
    Danger.MISSING: "奶奶走丢了，找不到了",
    Danger.MONEY: "刚把钱转给骗子了",
}
CALL = CALLS[Danger.FIRE]


def advice(danger: Danger) -> str:
    return library().phrases.say(f"emergency.{danger.value}")


@pytest.mark.one_cell
@pytest.mark.parametrize("danger", list(Danger))
def test_the_fixed_texts_say_whom_to_call_and_ask_for_nothing(danger: Danger) -> None:
    text = advice(danger)
    assert re.search(r"1(?:10|19|20)", text)
    assert not re.search(r"[?？!！]|吗|哪里|什么位置|照片|拍|编号|请问", text.replace("最后在哪里见到", ""))
    if danger is Danger.GAS:
        assert text.index("别碰任何开关") < text.index("楼外") < text.index("119")


def test_every_kind_is_answered_first_and_makes_no_case(chat: Scenario) -> None:
    for danger, call in CALLS.items():
        chat.say("张阿姨", GROUP, call)
        chat.expect(GROUP, advice(danger))
        chat.expect("王建国", "【紧急】港新1号网格有人求助：*接手请回：/值班")
        chat.silence()
    assert chat.rows(Case.id) == []
    assert len(chat.rows(Alarm.id)) == len(Danger)


def test_a_scene_within_a_danger_has_its_own_words_and_officers_read_what_it_is(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "孩子喝了半瓶洁厕灵，在吐")
    chat.expect(GROUP, library().phrases.say("emergency.poison"))
    chat.expect("王建国", "【紧急】港新1号网格有人求助：有人突发急病、受伤或中毒。*")
    chat.say("陈大爷", GROUP, "我跟我妈被关在电梯里，灯灭了")
    chat.expect(GROUP, library().phrases.say("emergency.lift"))
    chat.expect("王建国", "【紧急】港新1号网格有人求助：坍塌或有人被困。*")
    chat.silence()


def test_the_duty_officer_is_called_every_two_minutes_until_he_answers(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, CALL)
    chat.expect(GROUP, "马上打119*")
    chat.expect("王建国", "【紧急】*")
    chat.silence()  # the officer of the other grid hears nothing
    chat.wait(seconds=119)
    chat.silence()
    chat.wait(seconds=1)
    chat.expect("王建国", "【紧急，第2次】*")
    chat.silence()
    chat.wait(minutes=2)
    chat.expect("王建国", "【紧急，第3次】*")
    chat.expect("刘卫东", "【紧急，第3次】*")  # from the third round on the supervisor too
    chat.say("王建国", PRIVATE, "/值班")
    chat.expect("王建国", "已记下由您接手：10:00，港新1号网格，着火或冒烟。*")
    chat.expect(GROUP, "值班社区民警已经接到，正在处理。*")
    chat.wait(minutes=10)
    chat.silence()


@pytest.mark.every_cell
def test_the_calls_go_on_after_a_restart(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, CALL)
    chat.skip(GROUP, "王建国")
    chat.restart()
    chat.wait(minutes=2)
    chat.expect("王建国", "【紧急，第2次】*")
    chat.say("王建国", GROUP, "/duty")
    chat.skip(GROUP)


def test_an_officer_of_another_grid_cannot_take_it_over(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, CALL)
    chat.skip(GROUP, "王建国")
    chat.say("李敏", PRIVATE, "/值班")
    chat.expect("李敏", "现在的紧急求助不在您负责的范围，没有替您接手。")
    chat.say("张阿姨", PRIVATE, "/值班")
    chat.expect("张阿姨", "这个命令只有登记过的民警和网格员能用。*")
    assert chat.rows(Alarm.acknowledged_at) == [None]


def test_the_same_emergency_is_one_alarm_and_another_voice_gets_the_advice_again(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, CALL)
    chat.expect(GROUP, "马上打119*")
    chat.say("张阿姨", GROUP, "着火了着火了快跑")
    chat.say("陈大爷", GROUP, "是3号楼着火了")
    chat.expect(GROUP, "马上打119*")
    chat.expect("王建国", "【紧急】*")
    chat.silence()


def test_a_case_is_made_when_somebody_says_that_people_are_safe(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, CALL)
    chat.skip(GROUP, "王建国")
    chat.say("陈大爷", GROUP, "我在楼下，腿都软了")
    chat.silence()
    assert chat.rows(Case.id) == []
    chat.say("陈大爷", GROUP, "火已经扑灭了，人都出来了")
    chat.expect(GROUP, "人没事就好。已记为2611-0001（*），由值班民警跟进。")
    chat.expect("王建国", "港新1号网格说人已安全，转为2611-0001*接单请回：/接单 2611-0001")
    chat.say("林小雨", GROUP, "人都出来了，没事了")
    chat.silence()


def test_that_people_are_safe_says_nothing_where_nobody_was_in_danger(chat: Scenario) -> None:
    chat.say("陈大爷", GROUP, "人都出来了，没事了")
    chat.say("陈大爷", "港新2号网格", "虚惊一场")
    chat.silence()


def test_a_day_later_it_is_another_matter(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, CALL)
    chat.say("王建国", PRIVATE, "/值班")
    chat.skip(GROUP, "王建国")
    chat.wait(hours=25)
    chat.say("陈大爷", GROUP, "人都出来了，没事了")
    chat.silence()


def test_it_goes_before_the_question_where(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "楼道里又停满了电动车，还在充电")
    chat.expect(GROUP, "*在哪个位置？*")
    chat.say("张阿姨", GROUP, "着火了，3号楼")
    chat.expect(GROUP, "马上打119*")
    chat.expect("王建国", "【紧急】*")
    chat.say("张阿姨", GROUP, "人都出来了，没事了")
    chat.expect(GROUP, "人没事就好。已记为2611-0002*")
    chat.expect("王建国", "*转为2611-0002*")
    chat.say("张阿姨", GROUP, "3号楼2单元")
    chat.expect(GROUP, "好的，3号楼2单元，记下了。*")
    chat.skip_officers()


def test_it_goes_before_the_reason_of_a_call_back(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "3号楼2单元楼道有人给电动车充电")
    chat.say("马宏", PRIVATE, "/接单 2611-0001")
    chat.say("马宏", PRIVATE, "/办结 2611-0001 车已清走")
    chat.say("张阿姨", GROUP, "没解决")
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()
    chat.say("张阿姨", GROUP, "着火了，快来人")
    chat.expect(GROUP, "马上打119*")
    chat.expect("王建国", "【紧急】*")
    chat.say("张阿姨", GROUP, "楼道里车又停满了")
    chat.expect(GROUP, "知道了，2611-0001重新办理*")
    chat.expect("马宏", "*没解决：楼道里车又停满了。*")


@pytest.mark.parametrize(
    ("line", "follows"), [("/问 家里着火了怎么办", ""), ("/举报 有人在家放火，着火了", "收到了，已加密保存。*")]
)
def test_in_a_command_it_is_answered_first_and_the_command_still_runs(chat: Scenario, line: str, follows: str) -> None:
    chat.say("张阿姨", PRIVATE, line)
    chat.expect("张阿姨", "马上打119*")
    if follows:
        chat.expect("张阿姨", follows)
    chat.silence_in("张阿姨")
    assert chat.rows(Case.id) == []
    chat.skip_officers()


def test_an_officer_who_writes_down_what_happened_calls_for_no_help(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "3号楼2单元楼道有人给电动车充电")
    chat.say("马宏", PRIVATE, "/接单 2611-0001")
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()
    chat.say("马宏", PRIVATE, "/办结 2611-0001 现场电线着火了，断电后换了新线")
    chat.expect("马宏", "2611-0001已报办结*")
    chat.expect(GROUP, "2611-0001处理好了：*")
    assert chat.rows(Alarm.id) == []


def test_passed_on_news_alarms_nobody_in_a_group_but_brought_to_us_it_does(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, CALL, copied=True)
    chat.silence()
    chat.say("张阿姨", PRIVATE, CALL, copied=True)
    chat.expect("张阿姨", "马上打119*")
    chat.expect("刘卫东", "【紧急】私聊有人求助*")


def test_nobody_waits_while_a_photo_is_fetched(chat: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    advised: list[int] = []
    keep = chat.app.worker._album.keep

    async def note_and_keep(event: Inbound, wanted: Sequence[Attachment]) -> tuple[tuple[StoredPhoto, ...], list[str]]:
        if wanted:
            advised.append(sum(text.startswith("马上打119") for text in chat.rows(Notice.text)))
        return await keep(event, wanted)

    monkeypatch.setattr(chat.app.worker._album, "keep", note_and_keep)
    chat.say("张阿姨", GROUP, CALL, photo=b"no picture")
    chat.expect(GROUP, "马上打119*")
    chat.expect("王建国", "【紧急】港新1号网格有人求助：*")
    assert advised == [1]
    assert not list(chat.folder.rglob("*.photo"))


def test_the_photo_of_a_cry_follows_the_call(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, CALL, photo=jpeg())
    chat.expect(GROUP, advice(Danger.FIRE))
    chat.expect("王建国", "【紧急】港新1号网格有人求助：*接手请回：/值班")
    assert chat.expect("王建国", "【紧急】港新1号网格求助的人发来照片：*").what.photo is not None
    chat.silence()
    assert chat.rows(Case.id) == []


def test_a_photo_before_and_after_the_cry_reaches_whoever_has_it(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, photo=jpeg(1))
    chat.silence()
    chat.say("张阿姨", GROUP, CALLS[Danger.MISSING])
    chat.expect(GROUP, advice(Danger.MISSING))
    chat.expect("王建国", "【紧急】*有人求助：*")
    assert chat.expect("王建国", "【紧急】港新1号网格求助的人发来照片：老人或孩子走失。").what.photo is not None
    chat.say("刘卫东", PRIVATE, "/值班")
    chat.skip(GROUP, "刘卫东")
    chat.say("陈大爷", GROUP, photo=jpeg(2))
    chat.silence()  # of somebody else it may be anything
    chat.say("张阿姨", GROUP, photo=jpeg(3))
    chat.say("张阿姨", GROUP, "3号楼2单元501")
    for officer in ("刘卫东", "王建国"):
        assert chat.expect(officer, "【紧急】港新1号网格求助的人发来照片：*").what.photo is not None
        chat.expect(officer, "【紧急】港新1号网格求助的人又说：3号楼2单元501")
    chat.say("张阿姨", GROUP, "奶奶回来了")
    chat.expect(GROUP, "人没事就好。已记为2611-0001*")
    chat.skip_officers()
    assert chat.rows(StoredPhotoRow.case_id) == [1, 1]
    chat.say("张阿姨", GROUP, photo=jpeg(4))
    for officer in ("刘卫东", "王建国"):
        chat.expect(officer, "2611-0001（港新1号网格）有补充：求助的人发来照片（1张照片）")
    chat.silence()


def test_who_cries_in_private_is_heard_on(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, CALLS[Danger.SELF_HARM])
    chat.expect("张阿姨", advice(Danger.SELF_HARM))
    chat.expect("刘卫东", "【紧急】私聊有人求助：*")
    chat.say("张阿姨", PRIVATE, "我在3号楼顶上")
    chat.expect("张阿姨", "已转给值班民警。该打的电话请马上打。")
    chat.expect("刘卫东", "【紧急】私聊求助的人又说：我在3号楼顶上")
    chat.wait(minutes=1)
    chat.say("张阿姨", PRIVATE, photo=jpeg(2))
    chat.expect("张阿姨", "已转给值班民警。*")
    chat.expect("刘卫东", "【紧急】私聊求助的人发来照片：*")
    assert chat.rows(Case.id) == []


@pytest.mark.parametrize("words", ["找到了", "人找到了，谢谢大家", "回来了！", "奶奶找着了"])
def test_after_an_officer_took_it_over_that_who_was_missing_is_found_reaches_him(chat: Scenario, words: str) -> None:
    chat.say("张阿姨", GROUP, CALLS[Danger.MISSING])
    chat.say("刘卫东", PRIVATE, "/值班")
    chat.skip(GROUP, "王建国", "刘卫东")
    chat.say("张阿姨", GROUP, words)
    chat.expect(GROUP, "人没事就好。已记为2611-0001（*走失）*")
    for officer in ("刘卫东", "王建国"):
        chat.expect(officer, "港新1号网格说人已安全，转为2611-0001*")


def test_that_somebody_else_found_something_only_tells_the_officers(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, CALLS[Danger.MISSING])
    chat.skip(GROUP, "王建国")
    chat.say("陈大爷", GROUP, "找到了")
    chat.expect("王建国", "【紧急】港新1号网格有人说找到了：找到了。不一定是同一个人*")
    for words in ("回来了", "找到了吗", "找到了就好", "钥匙找到了"):
        chat.say("陈大爷", GROUP, words)
    chat.silence()
    assert chat.rows(Alarm.safe_at) == [None]


def test_who_is_found_belongs_to_the_case_that_was_brought(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, "/寻人 我奶奶78岁，蓝棉袄，刚刚在菜市场走丢了，到处找不到")
    chat.skip("张阿姨")
    chat.skip_officers()
    chat.say("张阿姨", PRIVATE, "找到了，谢谢")
    chat.expect("张阿姨", "找到就好，已经告诉民警。")
    assert any("有补充：找到了，谢谢" in card.what.text for who in ("赵航", "王建国", "李敏") for card in chat.unseen(who))
    chat.skip_officers()
    assert chat.rows(Case.number) == ["2611-0001"]


def test_something_found_ends_no_fire(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, CALL)
    chat.skip(GROUP, "王建国")
    chat.say("张阿姨", GROUP, "找到了")
    chat.silence()
    assert chat.rows(Alarm.safe_at) == [None]


def test_in_a_group_without_a_grid_the_district_is_called(chat: Scenario) -> None:
    chat.say("何师傅", "港新骑手之家", "有人晕倒了，没反应")
    chat.expect("港新骑手之家", "马上打120*")
    chat.expect("刘卫东", "【紧急】港新骑手之家有人求助：*")


def test_who_is_on_duty(chat: Scenario) -> None:
    chat.say("王建国", GROUP, "/值班")
    chat.expect(GROUP, "现在值班：社区民警王建国。")
    chat.say("赵航", "港新警务工作群", "/值班")
    chat.expect("港新警务工作群", "现在值班：值班所长刘卫东。")
