"""Somebody says that who is looked for is found: nobody forgets a search that waits for an answer."""

from __future__ import annotations

import pytest

from storage.tables import Alarm, Campaign, Case, Missing
from tests.kit.scenario import PRIVATE, Scenario, jpeg
from tests.scenarios.searching import CHIEF, ONE, WRITER, send_out, write

ASKED = "【寻人{}】10分钟前港新1号网格有人说找到了：找到了*"


def said(chat: Scenario, who: str = "张阿姨") -> str:
    """The family cried, an officer took it over and wrote the search down; now `who` says that she is found."""
    chat.say("张阿姨", ONE, "奶奶走丢了，找不到了")
    chat.say(WRITER, PRIVATE, "/值班")
    chat.skip_officers()
    number = write(chat)
    chat.say(who, ONE, "找到了")
    chat.skip(ONE)
    chat.skip_officers()
    return number


@pytest.mark.every_cell
@pytest.mark.parametrize("who", ["张阿姨", "陈大爷"])
def test_who_is_responsible_is_reminded_once_of_what_was_said(chat: Scenario, who: str) -> None:
    chat.hears_clocks = False
    number = said(chat, who)
    chat.wait(minutes=9)
    chat.silence()
    chat.restart(minutes=1)
    for officer in (WRITER, CHIEF):
        chat.expect(officer, f"{ASKED.format(number)}/找到 {number}*/批准 {number} 照发*/寻人 {number} 还没找到")
    chat.wait(minutes=30)
    chat.silence()


@pytest.mark.parametrize("end", ["/找到 {}", "/寻人 {} 撤回"])
def test_nobody_is_reminded_of_what_is_ended(chat: Scenario, end: str) -> None:
    chat.hears_clocks = False
    number = said(chat)
    chat.say(CHIEF, PRIVATE, end.format(number))
    chat.skip_officers()
    chat.wait(minutes=30)
    chat.silence()


def test_of_a_search_that_is_out_it_is_asked_too(chat: Scenario) -> None:
    chat.hears_clocks = False
    number = send_out(chat)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.say("陈大爷", ONE, "人找到了")
    chat.skip_officers()
    chat.wait(minutes=10)
    for officer in (WRITER, CHIEF):
        chat.expect(
            officer, f"【寻人{number}】10分钟前{ONE}有人说找到了：人找到了\n*/找到 {number}\n还没找到就不用回，寻人照旧。"
        )
    chat.wait(minutes=30)
    chat.silence()


@pytest.mark.parametrize("words", ["还没找到", "搞错了，人没找到", "不好意思认错人了，不是我奶奶"])
@pytest.mark.parametrize("first", ["张阿姨", "陈大爷"])
def test_that_it_was_not_so_takes_the_search_up_again(chat: Scenario, words: str, first: str) -> None:
    chat.hears_clocks = False
    number = said(chat, first)
    chat.say("张阿姨", ONE, words)
    chat.expect(ONE, "知道了，已经告诉民警，接着找。")
    for officer in (WRITER, CHIEF):
        chat.expect(
            officer, f"【寻人{number}】{ONE}又有人说还没找到：{words}\n寻人还没发出，接着等核实。属实，回：/批准 {number}"
        )
    chat.wait(minutes=3)
    chat.expect(CHIEF, f"【还没核实】寻人{number}*")
    chat.skip_officers()
    chat.say(CHIEF, PRIVATE, f"/批准 {number}")
    chat.expect(CHIEF, f"寻人{number}正在发到*")
    chat.skip_officers()
    for _ in range(3):
        chat.wait(seconds=5)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.skip_officers()
    chat.wait(minutes=30)
    chat.silence()
    assert chat.rows(Alarm.safe_at) == [None]  # "找到了" will be heard as the first time


def test_a_neighbour_takes_back_what_he_said_and_the_group_hears_nothing(chat: Scenario) -> None:
    number = said(chat, "陈大爷")
    for words in ("找错人了", "还没找到"):
        chat.say("陈大爷", ONE, words)
    chat.expect(CHIEF, f"【寻人{number}】{ONE}又有人说还没找到：找错人了*")
    chat.expect(WRITER, f"【寻人{number}】*")
    chat.say("林小雨", ONE, "还没找到吗")
    chat.silence()


@pytest.mark.parametrize("quoted", [False, True])
def test_an_officer_who_knows_better_takes_it_up(chat: Scenario, quoted: bool) -> None:
    number = said(chat)
    card = chat.last(WRITER)
    if quoted:
        chat.say(WRITER, PRIVATE, "还没找到", quoting=card)
    else:
        chat.say(WRITER, PRIVATE, f"/寻人 {number} 还没找到")
    chat.expect(WRITER, f"好，寻人{number}接着办。")
    chat.expect(CHIEF, f"【寻人{number}】社区民警王建国又说还没找到：还没找到*/批准 {number}")
    chat.silence()
    chat.wait(minutes=3)
    chat.expect(CHIEF, f"【还没核实】寻人{number}*")
    chat.skip_officers()
    assert chat.rows(Campaign.id) == []
    assert chat.rows(Missing.text)[0].startswith("王奶奶")


def test_found_after_all_ends_it_as_before(chat: Scenario) -> None:
    number = said(chat)
    chat.say("张阿姨", ONE, "还没找到")
    chat.skip(ONE)
    chat.skip_officers()
    chat.say("张阿姨", ONE, "找到了")
    chat.expect(ONE, "找到就好，已经告诉民警。")
    chat.expect(CHIEF, f"【寻人{number}】{ONE}求助的人说找到了：找到了*")
    chat.skip_officers()


@pytest.mark.every_cell
def test_where_no_officer_wrote_it_down_the_case_reads_so(chat: Scenario) -> None:
    chat.say("张阿姨", ONE, "奶奶走丢了，找不到了")
    chat.say(WRITER, PRIVATE, "/值班")
    chat.say("张阿姨", ONE, "找到了")
    chat.skip(ONE)
    chat.skip_officers()
    chat.say("张阿姨", ONE, "认错人了，还没找到")
    chat.expect(ONE, "知道了，已经告诉民警，接着找。")
    assert any("认错人了，还没找到" in card.what.text for card in chat.unseen(WRITER))
    chat.skip_officers()
    assert chat.rows(Case.id) == [1]


ADVICE = "现在就打110，不用等24小时*"
CHILD = "我家孩子还没找到，帮我们找找"


@pytest.mark.every_cell
@pytest.mark.parametrize("hours", [3, 72])
@pytest.mark.parametrize("who", ["张阿姨", "陈大爷"])
def test_another_who_is_missing_is_cried_for_whatever_was_said_before(chat: Scenario, who: str, hours: int) -> None:
    number = said(chat, who)
    if hours == 3:
        chat.say(who, ONE, "认错人了")
        chat.skip(ONE)
    else:
        chat.say(CHIEF, PRIVATE, f"/找到 {number}")
    chat.wait(hours=hours)
    chat.skip_officers()
    chat.say(who, ONE, CHILD)
    chat.expect(ONE, ADVICE)
    chat.expect(WRITER, "【紧急】港新1号网格有人求助：老人或孩子走失*")
    chat.skip_officers()


def test_a_name_with_not_found_is_a_cry_and_takes_the_search_up(chat: Scenario) -> None:
    number = said(chat, "张阿姨")
    chat.wait(minutes=2)
    chat.say("张阿姨", ONE, "奶奶到现在还没找到")
    chat.expect(ONE, ADVICE)
    assert any(f"【寻人{number}】" in card.what.text and "还没找到" in card.what.text for card in chat.unseen(CHIEF))
    chat.skip_officers()


@pytest.mark.every_cell
@pytest.mark.parametrize("hours", [1, 25])
def test_what_no_search_takes_is_a_cry(chat: Scenario, hours: int) -> None:
    """It is known, or the day is over in which it belongs to what was said."""
    said(chat, "陈大爷")
    if hours == 1:
        chat.say("陈大爷", ONE, "认错人了，还没找到")
    chat.wait(hours=hours)
    chat.skip(ONE)
    chat.skip_officers()
    chat.say("陈大爷", ONE, "还没找到，大家帮忙找找")
    chat.expect(ONE, ADVICE)
    chat.skip_officers()


@pytest.mark.every_cell
@pytest.mark.parametrize("first", ["张阿姨", "陈大爷"])
def test_what_an_officer_has_ended_may_be_somebody_else(chat: Scenario, first: str) -> None:
    number = said(chat, first)
    chat.say(WRITER, PRIVATE, f"/找到 {number}")
    chat.skip_officers()
    chat.say(first, ONE, "认错人了，还没找到")
    for officer in (WRITER, CHIEF):
        chat.expect(officer, f"【寻人{number}】已经结束了，{ONE}又有人说还没找到：认错人了，还没找到\n请马上联系家属*/寻人 描述*")
    if first == "张阿姨":
        chat.expect(ONE, "知道了，已经告诉民警，接着找。")
        assert chat.rows(Alarm.safe_at) == [None]
    chat.skip_officers()


def test_of_a_search_without_a_cry_the_advice_is_said(chat: Scenario) -> None:
    number = send_out(chat)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.say("陈大爷", ONE, "人找到了")
    chat.say(CHIEF, PRIVATE, f"/找到 {number}")
    chat.say(WRITER, PRIVATE, f"/办结 {number} 已送回家")
    for _ in range(3):
        chat.wait(seconds=5)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.skip_officers()
    chat.say("陈大爷", ONE, "认错人了")
    chat.expect(ONE, ADVICE)
    for officer in (WRITER, CHIEF):
        chat.expect(officer, f"【寻人{number}】已经结束了，{ONE}又有人说还没找到：认错人了*")
    chat.skip_officers()


def test_found_again_after_it_was_not_so_is_told_and_asked_about(chat: Scenario) -> None:
    chat.hears_clocks = False
    number = said(chat, "陈大爷")
    chat.wait(minutes=1)
    chat.say("陈大爷", ONE, "认错人了")
    chat.skip_officers()
    chat.wait(minutes=1)
    chat.say("林小雨", ONE, "奶奶找到了")
    chat.skip(ONE)
    chat.expect(CHIEF, f"【寻人{number}】{ONE}有人说找到了：奶奶找到了*")
    chat.skip_officers()
    chat.wait(minutes=10)
    chat.expect(CHIEF, f"【寻人{number}】10分钟前{ONE}有人说找到了：奶奶找到了*")
    chat.skip_officers()


def test_found_not_found_and_found_is_one_case(chat: Scenario) -> None:
    chat.say("张阿姨", ONE, "奶奶走丢了，找不到了")
    chat.say(WRITER, PRIVATE, "/值班")
    chat.say("张阿姨", ONE, "找到了")
    number = chat.rows(Case.number)[0]
    chat.skip(ONE)
    chat.skip_officers()
    chat.say("张阿姨", ONE, "认错人了，还没找到")
    chat.skip(ONE)
    opened = [card.what.text for card in chat.unseen(WRITER)]
    assert f"【紧急】{ONE}又有人说还没找到：认错人了，还没找到。求助还没有结束，请马上联系求助的人。" in opened
    chat.wait(minutes=15)
    chat.skip_officers()
    chat.say("张阿姨", ONE, "找到了")
    chat.expect(ONE, f"人没事就好。已记为{number}*")
    chat.expect(WRITER, f"*{number}*找到了*")
    chat.skip_officers()
    assert chat.rows(Case.number) == [number]
    assert chat.rows(Alarm.safe_at) != [None]


def test_all_searches_that_were_taken_for_over_go_on(chat: Scenario) -> None:
    chat.say("张阿姨", ONE, "奶奶走丢了，找不到了")
    chat.say(WRITER, PRIVATE, "/值班")
    chat.skip_officers()
    one = write(chat)
    chat.skip_officers()
    two = write(chat, "王奶奶的老伴，80岁，黑棉袄，今早9点在公园走失，说话带海门口音")
    chat.say("张阿姨", ONE, "找到了")
    chat.skip(ONE)
    chat.skip_officers()
    chat.say("张阿姨", ONE, "认错人了，还没找到")
    chat.skip(ONE)
    said = [card.what.text for card in chat.unseen(CHIEF)]
    for number in (one, two):
        assert any(text.startswith(f"【寻人{number}】{ONE}又有人说还没找到") for text in said)
        chat.skip_officers()
        chat.say(CHIEF, PRIVATE, f"/批准 {number}")
        chat.expect(CHIEF, f"寻人{number}正在发到*")
    for _ in range(3):
        chat.wait(seconds=5)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.skip_officers()


def test_what_was_sent_all_the_same_is_not_asked_about(chat: Scenario) -> None:
    chat.hears_clocks = False
    number = said(chat)
    chat.wait(minutes=2)
    chat.say(CHIEF, PRIVATE, f"/批准 {number} 照发")
    for _ in range(3):
        chat.wait(seconds=5)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.skip_officers()
    chat.wait(minutes=30)
    chat.silence()


def test_after_a_stop_it_is_asked_with_the_true_time(chat: Scenario) -> None:
    chat.hears_clocks = False
    number = said(chat)
    chat.restart(minutes=180)
    assert any(card.what.text.startswith(f"【寻人{number}】3小时前{ONE}有人说找到了") for card in chat.unseen(CHIEF))
    chat.skip_officers()


def test_a_search_without_a_cry_names_the_group(chat: Scenario) -> None:
    number = send_out(chat)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.say("陈大爷", ONE, "人找到了")
    chat.skip_officers()
    chat.say("陈大爷", ONE, "认错人了")
    chat.expect(WRITER, f"【寻人{number}】{ONE}又有人说还没找到：认错人了\n寻人没有停，照旧。")
    chat.skip_officers()


@pytest.mark.parametrize("who", ["张阿姨", "陈大爷"])
def test_what_is_said_twice_within_minutes_calls_nobody_again(chat: Scenario, who: str) -> None:
    said(chat, who)
    chat.say(who, ONE, "认错人了，还没找到")
    chat.skip(ONE)
    chat.skip_officers()
    chat.wait(minutes=2)
    chat.say(who, ONE, "不是我奶奶，还没找到")
    if who == "张阿姨":
        chat.expect(ONE, "知道了，已经告诉民警，接着找。")
    chat.silence()
    assert chat.rows(Alarm.danger) == ["missing"]


@pytest.mark.parametrize("words", ["奶奶到现在还没找到", "认错人了，还没找到"])
def test_what_goes_on_after_more_than_half_an_hour_is_still_one_emergency_and_one_case(chat: Scenario, words: str) -> None:
    chat.say("张阿姨", ONE, "奶奶走丢了，找不到了")
    chat.say(WRITER, PRIVATE, "/值班")
    chat.say("张阿姨", ONE, "找到了")
    number = chat.rows(Case.number)[0]
    chat.wait(minutes=40)
    chat.say("张阿姨", ONE, words)
    chat.wait(minutes=5)
    chat.skip(ONE)
    chat.skip_officers()
    chat.say("张阿姨", ONE, "找到了")
    chat.expect(ONE, f"人没事就好。已记为{number}*")
    chat.skip_officers()
    assert chat.rows(Case.number) == [number]
    assert len(chat.rows(Alarm.safe_at)) == 1
    assert None not in chat.rows(Alarm.safe_at)


def test_a_second_cry_of_the_same_person_ends_with_the_first(chat: Scenario) -> None:
    chat.say("张阿姨", ONE, "奶奶走丢了，找不到了")
    chat.say(WRITER, PRIVATE, "/值班")
    chat.say("张阿姨", ONE, "找到了")
    number = chat.rows(Case.number)[0]
    chat.say("张阿姨", ONE, "认错人了，还没找到")
    chat.wait(minutes=50)
    chat.say("张阿姨", ONE, "奶奶走丢了，大家帮忙找找")
    chat.skip(ONE)
    chat.skip_officers()
    chat.say("张阿姨", ONE, "找到了")
    chat.expect(ONE, f"人没事就好。已记为{number}*")
    chat.skip_officers()
    assert len(chat.rows(Alarm.safe_at)) == 2
    assert None not in chat.rows(Alarm.safe_at)
    assert chat.rows(Case.number) == [number]


def test_found_after_it_was_sent_all_the_same_is_told(chat: Scenario) -> None:
    chat.hears_clocks = False
    number = said(chat, "陈大爷")
    chat.wait(minutes=2)
    chat.say(CHIEF, PRIVATE, f"/批准 {number} 照发")
    for _ in range(3):
        chat.wait(seconds=5)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.skip_officers()
    chat.wait(minutes=1)
    chat.say("林小雨", ONE, "奶奶找到了")
    chat.skip(ONE)
    chat.expect(CHIEF, f"【寻人{number}】{ONE}有人说找到了：奶奶找到了*")
    chat.skip_officers()
    chat.wait(minutes=10)
    chat.expect(CHIEF, f"【寻人{number}】10分钟前{ONE}有人说找到了：奶奶找到了*")
    chat.skip_officers()


def test_of_an_emergency_opened_again_the_photos_are_seen(chat: Scenario) -> None:
    chat.say("张阿姨", ONE, "奶奶走丢了，找不到了")
    chat.say(WRITER, PRIVATE, "/值班")
    chat.say("张阿姨", ONE, "找到了")
    chat.wait(minutes=90)
    chat.say("张阿姨", ONE, "认错人了，还没找到")
    chat.skip(ONE)
    chat.skip_officers()
    chat.wait(minutes=5)
    chat.say("张阿姨", ONE, "", photo=jpeg(3))
    chat.expect(WRITER, f"【紧急】{ONE}求助的人发来照片*")
    chat.skip_officers()


def test_an_emergency_of_the_day_before_is_not_opened_again_and_the_advice_is_said(chat: Scenario) -> None:
    chat.say("张阿姨", ONE, "奶奶走丢了，找不到了")
    chat.say(WRITER, PRIVATE, "/值班")
    chat.wait(hours=20)
    chat.say("张阿姨", ONE, "找到了")
    chat.wait(hours=10)
    chat.skip(ONE)
    chat.skip_officers()
    chat.say("张阿姨", ONE, "认错人了。")
    chat.expect(ONE, ADVICE)
    assert f"【紧急】{ONE}又有人说还没找到：认错人了。求助还没有结束，请马上联系求助的人。" in [
        card.what.text for card in chat.unseen(WRITER)
    ]
    chat.skip_officers()
    assert None not in chat.rows(Alarm.safe_at)


def test_that_it_was_not_so_is_heard_after_an_officer_ended_what_was_taken_up(chat: Scenario) -> None:
    number = said(chat)
    chat.say("张阿姨", ONE, "认错人了")
    chat.wait(minutes=20)
    chat.say(WRITER, PRIVATE, f"/找到 {number}")
    chat.wait(minutes=20)
    chat.skip(ONE)
    chat.skip_officers()
    chat.say("张阿姨", ONE, "认错人了")
    for officer in (WRITER, CHIEF):
        chat.expect(officer, f"【寻人{number}】已经结束了，{ONE}又有人说还没找到：认错人了*")
    chat.skip(ONE)
    chat.skip_officers()


def test_where_the_group_was_told_of_somebody_it_is_answered_that_the_search_goes_on(chat: Scenario) -> None:
    chat.say("张阿姨", ONE, "奶奶走丢了，找不到了")
    chat.say(WRITER, PRIVATE, "/值班")
    chat.skip_officers()
    send_out(chat)
    chat.say("张阿姨", ONE, "找到了")
    chat.skip(*(row.name for row in chat.district.groups))
    chat.skip_officers()
    chat.say("张阿姨", ONE, "奶奶到现在还没找到")
    assert any(line.what.text.startswith(("知道了", "现在就打110")) for line in chat.unseen(ONE))
    chat.skip(ONE)
    chat.skip_officers()
