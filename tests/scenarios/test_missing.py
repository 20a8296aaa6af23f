"""Missing people: verified by a second officer, told to the groups, clues to the officers alone, and ended everywhere at once."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import pytest

from bot.errors import NeverDelivered
from bot.jobs import Job
from storage.tables import Attachment, Audit, Campaign, Case, CaseEntry, Missing, Notice
from tests.kit.scenario import PRIVATE, Scenario, jpeg
from tests.scenarios.searching import CHIEF, EDITOR, GRANNY, ONE, SHOP, TWO, WORK, WRITER, send_out, write


def files(chat: Scenario) -> list[Path]:
    return sorted((chat.folder / "media").rglob("*.photo"))


def test_nothing_goes_out_before_a_second_officer_verified_it(chat: Scenario) -> None:
    number = write(chat)
    card = chat.expect(
        CHIEF, f"【待核实的寻人】{number}，社区民警王建国写的。*属实，回：/批准 {number}\n不发，回：/寻人 {number} 撤回"
    )
    assert card.what.photo is not None
    chat.skip_officers()
    chat.wait(minutes=2)
    chat.silence()
    chat.say(WRITER, PRIVATE, f"/批准 {number}")
    chat.expect(WRITER, "自己写的寻人消息，要请另一位同事核实。")
    chat.say("张阿姨", PRIVATE, f"/批准 {number}")
    chat.expect("张阿姨", "*")
    chat.say(EDITOR, PRIVATE, f"/批准 {number}")
    chat.expect(EDITOR, "没有执行：*")
    assert chat.rows(Campaign.id) == []
    refused = [(row.action, row.target) for row in chat.rows(Audit) if not row.allowed]
    assert ("missing.verify", number) in refused


def test_whoever_can_verify_is_asked_again_because_minutes_count(chat: Scenario) -> None:
    number = write(chat)
    chat.skip_officers()
    for minutes in (3, 6, 9, 12, 15):
        chat.wait(minutes=3)
        chat.expect(CHIEF, f"【还没核实】寻人{number}写好{minutes}分钟了，等着发：\n{GRANNY}\n属实，回：/批准 {number}\n*撤回")
        if minutes in (3, 15):
            chat.expect(
                WRITER, f"寻人{number}过了{minutes}分钟还没人核实，没有发出。已再请值班所长刘卫东，也请您直接打电话催一下。"
            )
    chat.wait(minutes=4)
    assert not any("还没核实" in arrival.what.text for arrival in chat.unseen(CHIEF))
    chat.skip_officers()


def test_a_plain_yes_lets_nothing_go_and_says_so(chat: Scenario) -> None:
    number = write(chat)
    card = chat.expect(CHIEF, f"【待核实的寻人】{number}*")
    chat.skip_officers()
    chat.say(CHIEF, PRIVATE, "属实", quoting=card)
    chat.expect(CHIEF, f"还没有发出。属实、同意发，请回：/批准 {number}")
    chat.say(CHIEF, PRIVATE, "/批准", quoting=card)
    chat.expect(CHIEF, f"寻人{number}正在发到7个群*")
    chat.skip(*(row.name for row in chat.district.groups))
    chat.skip_officers()
    chat.wait(seconds=5)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.skip_officers()


def test_nobody_is_asked_again_once_it_is_out_or_off(chat: Scenario) -> None:
    first = send_out(chat)
    second = write(chat)
    chat.say(WRITER, PRIVATE, f"/寻人 {second} 撤回")
    chat.skip(*(row.name for row in chat.district.groups))
    chat.skip_officers()
    chat.wait(minutes=4)
    said = [arrival.what.text for arrival in chat.platform.arrived]
    assert not any("还没核实" in text for text in said), (first, second)
    chat.skip_officers()


def test_the_alert_goes_to_the_groups_of_residents_with_the_photo(chat: Scenario) -> None:
    number = send_out(chat)
    chat.skip_officers()
    alert = chat.expect(ONE, f"【寻人】编号{number}\n{GRANNY}\n见到的请打110，或者直接回复这条，告诉我时间和地点。")
    assert alert.what.photo is not None
    others = [row.name for row in chat.district.groups if row.name not in (ONE, WORK)]
    for group in others:
        chat.expect(group, f"【寻人】编号{number}*")
    chat.silence_in(WORK)
    chat.wait(minutes=1)
    chat.skip_officers()


def test_only_to_the_groups_that_are_named(chat: Scenario) -> None:
    number = send_out(chat, f"{GRANNY} 发到 港新1号网格 与 非 餐饮 或 农贸")
    reached = {arrival.to.chat for arrival in chat.platform.arrived if not arrival.to.private}
    assert chat.address("", SHOP).chat not in reached
    assert chat.address("", ONE).chat in reached
    assert chat.address("", TWO).chat not in reached
    assert number
    chat.skip(*(row.name for row in chat.district.groups))


def test_at_night_too_and_beyond_the_caps(chat: Scenario) -> None:
    chat.wait(hours=13)
    chat.skip_officers()
    send_out(chat)
    chat.expect(TWO, "【寻人】*")
    chat.skip(*(row.name for row in chat.district.groups))


def test_found_ends_it_in_exactly_the_groups_that_got_it(chat: Scenario) -> None:
    chat.platform.fail(NeverDelivered("no right to write"), chat=chat.address("", SHOP).chat)
    number = send_out(chat)
    chat.skip(*(row.name for row in chat.district.groups))
    got = {
        arrival.to.chat
        for arrival in chat.platform.arrived
        if arrival.what.text.startswith("【寻人】") and not arrival.to.private
    }
    chat.say(WRITER, PRIVATE, f"/找到 {number} 在河边公园，已经回家")
    chat.expect(WRITER, f"寻人{number}结束了：“已找到”正在发到收到过寻人的{len(got)}个群*/办结 {number} 结果")
    chat.wait(seconds=3)
    ended = {arrival.to.chat for arrival in chat.platform.arrived if arrival.what.text.startswith("【已找到】")}
    assert ended == got
    assert chat.address("", SHOP).chat not in ended
    assert {to.chat for to, _ in chat.platform.recalled} == got, "the photo is taken back where the platform can"
    chat.expect(ONE, f"【已找到】编号{number}\n人已经找到了：在河边公园，已经回家。谢谢大家。\n前面的寻人消息和照片，请勿再转。")
    chat.skip(*(row.name for row in chat.district.groups))
    chat.skip_officers()
    chat.say(WRITER, PRIVATE, f"/找到 {number}")
    chat.expect(WRITER, f"{number}的寻人已经结束了。*")


def test_the_photo_is_gone_within_a_day(chat: Scenario) -> None:
    number = send_out(chat)
    chat.skip(*(row.name for row in chat.district.groups))
    assert len(files(chat)) == 1
    chat.say(WRITER, PRIVATE, f"/找到 {number}")
    chat.wait(hours=11)
    assert len(files(chat)) == 1
    chat.restart(hours=1)
    assert files(chat) == []
    assert chat.rows(Attachment.id) == []
    assert chat.rows(Missing.photo, Missing.state) == [(None, "found")]
    assert [photo for photo in chat.rows(Notice.photo) if photo] == []
    assert [photo for photo in chat.rows(Campaign.photo) if photo] == []
    said = [text for text, campaign in chat.rows(Notice.text, Notice.campaign_id) if campaign is not None]
    assert said
    assert not any("王奶奶" in text for text in said), "the groups were told; we need not know it any longer"
    chat.skip(*(row.name for row in chat.district.groups))
    chat.skip_officers()


def test_a_late_forward_is_answered_once_an_hour(chat: Scenario) -> None:
    number = send_out(chat)
    alert = chat.expect(ONE, "【寻人】*")
    chat.say(WRITER, PRIVATE, f"/找到 {number}")
    for _ in range(3):
        chat.wait(seconds=5)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.skip_officers()
    for _ in range(3):
        chat.say("罗嫂", TWO, alert.what.text, copied=True)
    chat.expect(TWO, f"编号{number}：已找到，请勿再转。")
    chat.silence()
    chat.say("胡大姐", SHOP, f"大家帮忙转一下 {number} 寻人")
    chat.expect(SHOP, f"编号{number}：已找到，请勿再转。")
    chat.wait(hours=1)
    chat.say("罗嫂", TWO, alert.what.text, copied=True)
    chat.expect(TWO, f"编号{number}：已找到，请勿再转。")


def test_a_forward_while_it_is_active_is_left_alone(chat: Scenario) -> None:
    send_out(chat)
    alert = chat.expect(ONE, "【寻人】*")
    chat.skip(*(row.name for row in chat.district.groups))
    chat.say("罗嫂", TWO, alert.what.text, copied=True)
    chat.silence()


def test_more_about_it_goes_to_the_same_groups(chat: Scenario) -> None:
    number = send_out(chat, f"{GRANNY} 发到 综合")
    chat.skip(ONE, TWO)
    chat.say(WRITER, PRIVATE, f"/寻人 {number} 补充 换了一件红外套，下午3点在车站出现过")
    chat.expect(WRITER, f"寻人{number}的补充正在发到2个群。")
    for group in (ONE, TWO):
        chat.expect(group, f"【寻人补充】编号{number}\n换了一件红外套，下午3点在车站出现过*")
    chat.wait(seconds=3)
    chat.skip_officers()
    chat.say(WRITER, PRIVATE, f"/找到 {number}")
    chat.wait(seconds=3)
    assert sum(arrival.what.text.startswith("【已找到】") for arrival in chat.platform.arrived) == 2
    chat.skip(ONE, TWO)
    chat.skip_officers()


def test_withdrawn_before_and_after_it_went_out(chat: Scenario) -> None:
    number = write(chat)
    chat.skip_officers()
    chat.say(WRITER, PRIVATE, f"/寻人 {number} 撤回")
    chat.expect(WRITER, f"寻人{number}撤回了。照片半天后删除。")
    chat.say(CHIEF, PRIVATE, f"/批准 {number}")
    chat.expect(CHIEF, f"{number}的寻人消息不在等核实。*")


def test_after_three_days_it_is_over_by_itself(chat: Scenario) -> None:
    number = send_out(chat)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.wait(days=3)
    told = [arrival.what.text for arrival in chat.platform.arrived]
    assert any(text.startswith(f"寻人{number}发出三天了，已经自动结束，照片在一天内删除。") for text in told)
    chat.skip_officers()
    chat.say("罗嫂", TWO, "刚才在2号院门口看到一个穿蓝棉袄的老人往河边走了")
    chat.expect(TWO, "收到，编号*（发现疑似走失的人）*")  # a report of its own, as if there had been no alert
    chat.skip_officers()
    alert = next(one for one in chat.platform.arrived if one.what.text.startswith("【寻人】") and one.to == chat.address("", TWO))
    chat.say("罗嫂", TWO, "我见到她了，在医院门口坐着", quoting=alert)
    chat.expect(TWO, "谢谢您，已经转给民警。*")
    chat.expect(WRITER, f"【线索】寻人{number}第1条*在医院门口坐着")
    chat.skip_officers()
    chat.wait(hours=12)
    assert files(chat) == []
    chat.skip_officers()
    chat.say(WRITER, PRIVATE, f"/找到 {number}")
    chat.expect(WRITER, f"寻人{number}结束了：“已找到”正在发到收到过寻人的7个群*")
    chat.expect(TWO, f"【已找到】编号{number}*")
    chat.skip(*(row.name for row in chat.district.groups))
    chat.skip_officers()


def test_a_resident_may_use_the_command_too(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, "/寻人")
    chat.expect("张阿姨", "请马上打110，不用等24小时。*")
    chat.say("张阿姨", PRIVATE, "/寻人 邻居李师傅，45岁，昨天下午去爬山，穿灰夹克")
    chat.expect("张阿姨", "*编号*")
    chat.skip_officers()
    assert chat.rows(Missing.id) == [], "what a resident writes is a report; the notice is an officer's"


def test_an_officer_makes_the_notice_from_the_case(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, "/寻人 邻居李师傅，45岁，昨天下午去爬山，穿灰夹克", photo=jpeg(5))
    chat.skip_officers()
    chat.skip("张阿姨")
    number = chat.rows(CaseEntry.case_id) and chat.app.writer.run_now(_first_number)
    chat.say("赵航", PRIVATE, f"/寻人 {number}")
    said = chat.expect("赵航", "寻人*写好了，还没发出。*李师傅*").what.text
    assert "没有照片" not in said
    chat.skip_officers()
    chat.say(CHIEF, PRIVATE, f"/批准 {number}")
    chat.skip_officers()
    chat.wait(seconds=3)
    chat.expect(ONE, f"【寻人】编号{number}*李师傅*")
    chat.say("赵航", PRIVATE, f"/找到 {number}")
    chat.wait(seconds=3)
    chat.expect("张阿姨", f"您报的{number}，人找到了。照片会在一天内删除。")
    chat.skip(*(row.name for row in chat.district.groups))
    chat.skip_officers()


def _first_number(session: object) -> str:
    from sqlmodel import Session, select

    from storage.tables import Case

    assert isinstance(session, Session)
    return session.exec(select(Case.number)).one()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("/寻人 王奶奶", "请写清楚：性别、年龄*"),
        ("/寻人 2611-9999", "*"),
        ("/寻人 " + "很长" * 300, "*最多400个字*"),
        (f"/寻人 {GRANNY} 发到 火星", "没有带“火星”的群。*"),
        ("/找到 2611-9999", "*"),
        ("/批准", "批准哪一个？*"),
    ],
)
def test_wrong_words_are_told_the_next_step(chat: Scenario, words: str, says: str) -> None:
    chat.say(WRITER, PRIVATE, words)
    chat.expect(WRITER, says)
    assert chat.rows(Missing.id) == []


def test_a_resident_whose_child_is_missing_now_gets_the_advice_first_and_the_case_keeps_the_photo(chat: Scenario) -> None:
    chat.say("徐妈妈", PRIVATE, "/寻人 我女儿6岁，红裙子，刚刚在菜市场走丢了，到处找不到", photo=jpeg(5))
    chat.expect("徐妈妈", "*110*")
    chat.expect("徐妈妈", "收到，编号*（*）*")
    number = chat.number
    assert len(files(chat)) == 1
    assert chat.rows(Attachment.case_id) == chat.rows(Case.id)
    chat.skip_officers()
    chat.say("赵航", PRIVATE, f"/寻人 {number}")
    assert "没有照片" not in chat.expect("赵航", "寻人*写好了，还没发出*").what.text
    chat.skip_officers()


def photos_of_a_call_after_two_photos(chat: Scenario) -> list[int | None]:
    """As on WeChat, where an album is a message for each of its photos and the words come after them; the photos' cases.

    Looking at the photos takes as long as it takes until the words have overtaken them.
    """
    memory, overtaken = chat.app.memory, asyncio.Event()
    park, goes_in_turn = memory.park, memory.goes_in_turn

    async def wait_and_park(job: Job, now: datetime) -> None:
        await overtaken.wait()
        await park(job, now)

    async def overtake(job: Job) -> bool:
        overtaken.set()
        return await goes_in_turn(job)

    memory.park, memory.goes_in_turn = wait_and_park, overtake  # type: ignore[method-assign]
    for shade in (5, 6):
        chat.shout("徐妈妈", PRIVATE, photo=jpeg(shade))
    chat.say("徐妈妈", PRIVATE, "/寻人 我女儿6岁，红裙子，刚刚在菜市场走丢了，到处找不到")
    said = [arrival.what.text for arrival in chat.unseen("徐妈妈")]
    advice = next(place for place, text in enumerate(said) if "110" in text)
    [receipt] = [place for place, text in enumerate(said) if "收到，编号" in text]
    assert advice < receipt
    chat.skip("徐妈妈")
    chat.skip_officers()
    assert len(chat.rows(Case.id)) == 1
    return chat.rows(Attachment.case_id)


def test_that_the_family_found_them_stops_what_is_not_out_and_reaches_who_searches(chat: Scenario) -> None:
    chat.say("张阿姨", ONE, "奶奶走丢了，找不到了")
    chat.say(WRITER, PRIVATE, "/值班")
    chat.skip(ONE)
    chat.skip_officers()
    number = write(chat)
    chat.skip_officers()
    chat.say("张阿姨", ONE, "找到了")
    chat.expect(ONE, "找到就好，已经告诉民警。")
    for officer in (WRITER, CHIEF):
        chat.expect(
            officer,
            f"【寻人{number}】{ONE}求助的人说找到了：找到了\n请马上联系家属核实。\n*先不发。*/找到 {number}*",
        )
    chat.say(CHIEF, PRIVATE, f"/批准 {number}")
    chat.expect(CHIEF, f"有人说人已经找到了：找到了。寻人{number}先没发*")
    assert chat.rows(Campaign.id) == []
    chat.say(CHIEF, PRIVATE, f"/找到 {number}")
    chat.expect(CHIEF, f"寻人{number}结束了*")
    assert chat.rows(Missing.state) == ["found"]
    assert chat.rows(Case.id) == [1]
    chat.silence()


def test_it_goes_out_all_the_same_when_an_officer_knows_better(chat: Scenario) -> None:
    chat.say("张阿姨", ONE, "奶奶走丢了，找不到了")
    chat.skip(ONE)
    number = write(chat)
    chat.say("陈大爷", ONE, "找到了")
    chat.skip_officers()
    chat.say(CHIEF, PRIVATE, f"/批准 {number} 照發。")
    chat.expect(CHIEF, f"寻人{number}正在发到*")
    chat.skip_officers()
    for _ in range(3):
        chat.wait(seconds=5)
    chat.wait(minutes=11)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.skip_officers()
    chat.say("罗嫂", TWO, "人找到了，在河边")
    chat.expect(WRITER, f"【寻人{number}】{TWO}有人说找到了：人找到了，在河边*/找到 {number}，会告诉收到寻人的群。")
    chat.skip_officers()
    chat.say("罗嫂", TWO, "找到了！")
    chat.silence()  # a group repeats good news
    assert chat.rows(Missing.state) == ["active"]


def test_photos_sent_just_before_belong_to_it(chat: Scenario) -> None:
    assert photos_of_a_call_after_two_photos(chat) == [1, 1]


def test_control_what_is_not_put_behind_its_photos_overtakes_them(chat: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stay(*_: object) -> bool:
        return False

    monkeypatch.setattr(chat.app.memory, "goes_in_turn", stay)
    assert photos_of_a_call_after_two_photos(chat) == []


def test_a_photo_that_cannot_be_had_does_not_hold_up_the_advice(chat: Scenario) -> None:
    chat.say("徐妈妈", PRIVATE, "/寻人 我女儿6岁，红裙子，刚刚在菜市场走丢了，到处找不到", photo=b"no picture")
    chat.expect("徐妈妈", "*110*")
    chat.expect("徐妈妈", "收到，编号*（*）*")
    chat.skip_officers()


def test_only_whoever_may_verify_is_asked_and_may_say_no(chat: Scenario) -> None:
    number = write(chat)
    assert chat.unseen("周小琴") == [], "a grid worker could not answer it"
    chat.say(CHIEF, PRIVATE, f"/寻人 {number} 撤回")
    chat.skip(CHIEF)
    assert chat.rows(Missing.state) == ["withdrawn"]


def test_a_short_addition_is_told_and_a_slip_behind_the_number_is_not(chat: Scenario) -> None:
    number = send_out(chat, f"{GRANNY} 发到 {ONE}")
    chat.skip(ONE, SHOP, "港新小学二（3）班家长")
    chat.say(WRITER, PRIVATE, f"/寻人 {number} 补充 拐")
    chat.expect(WRITER, f"补充什么？比如：/寻人 {number} 补充 拄拐杖*")
    chat.say(WRITER, PRIVATE, f"/寻人 {number} 补充 拄拐杖")
    chat.expect(WRITER, f"寻人{number}的补充正在发到*")
    chat.expect(ONE, f"【寻人补充】编号{number}\n拄拐杖*")
    chat.say(WRITER, PRIVATE, f"/找到 {number}x")
    chat.expect(WRITER, f"寻人{number}结束了*")
    chat.expect(ONE, f"【已找到】编号{number}\n人已经找到了。谢谢大家。*")
    chat.skip(SHOP, "港新小学二（3）班家长")
    chat.skip_officers()
