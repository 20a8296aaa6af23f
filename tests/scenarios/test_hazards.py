"""A resident reports: words, photos, or both become one case with one answer."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import ExifTags, Image

from bot.messages import Location
from storage.tables import Attachment, Case, Grid, InboxEvent
from tests.kit.scenario import PRIVATE, Scenario, jpeg

GROUP = "港新1号网格"
CHARGING = "3号楼2单元楼道有人给电动车充电"


def photos_of(chat: Scenario) -> list[int | None]:
    return chat.rows(Attachment.case_id)


def reported(chat: Scenario, who: str = "张阿姨", where: str = GROUP, text: str = CHARGING) -> str:
    chat.say(who, where, text)
    chat.expect(who if where == PRIVATE else where, "收到，编号*")
    chat.skip_officers()
    return chat.number


def test_a_report_becomes_a_case_with_one_answer(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "港新路火锅店把液化气罐放在棚子里，太危险了")
    chat.expect(GROUP, "收到，编号2611-0001（*）。已转*有进展会告诉您。*")
    chat.silence_in(GROUP)
    chat.silence_in("张阿姨")
    chat.skip_officers()


def test_the_responsible_unit_reads_a_card_with_the_next_command(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, CHARGING)
    chat.expect(GROUP, "收到，编号*")
    card = chat.expect("马宏", "【派单】2611-0001 * 3号楼2单元楼道\n*")
    assert card.what.text.endswith("接单：/接单 2611-0001")


@pytest.mark.every_cell
def test_the_place_is_asked_once_and_the_next_message_is_the_answer(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "楼道里又停满了电动车，还在充电")
    chat.expect(GROUP, "收到，编号*（*）。在哪个位置？*")
    chat.silence()
    chat.say("陈大爷", GROUP, "今天菜场的鱼不错")
    chat.silence()
    chat.say("张阿姨", GROUP, "3号楼2单元")
    chat.expect(GROUP, "好的，3号楼2单元，记下了。*")
    chat.silence_in(GROUP)
    chat.skip_officers()


@pytest.mark.parametrize("words", ["好的谢谢", "收到"])
def test_thanks_are_no_place(chat: Scenario, words: str) -> None:
    chat.say("张阿姨", GROUP, "楼道里又停满了电动车，还在充电")
    chat.expect(GROUP, "*在哪个位置？*")
    chat.say("张阿姨", GROUP, words)
    chat.silence()
    chat.say("张阿姨", GROUP, "3号楼2单元")
    chat.expect(GROUP, "好的，3号楼2单元，记下了。*")
    chat.skip_officers()


def test_whoever_cannot_say_where_is_not_asked_again(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "楼道里又停满了电动车，还在充电")
    chat.expect(GROUP, "*在哪个位置？*")
    chat.say("张阿姨", GROUP, "我也说不清")
    chat.expect(GROUP, "没关系，2611-0001先转给社区*")
    chat.expect("赵航", "【新，位置没说】2611-0001*")


def test_nobody_answers_where_and_a_dispatcher_gets_the_case(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "楼道里又停满了电动车，还在充电")
    chat.expect(GROUP, "*在哪个位置？*")
    chat.wait(minutes=11)
    chat.expect("赵航", "【新，位置没说】2611-0001*")
    chat.say("张阿姨", GROUP, "今天天气真好")
    chat.silence()


def test_photo_then_words_is_one_case_and_one_answer(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, photo=jpeg())
    chat.silence()
    chat.wait(seconds=90)
    reported(chat)
    chat.silence()
    assert photos_of(chat) == [1]


def test_words_then_photo_is_one_case_and_one_answer(chat: Scenario) -> None:
    reported(chat)
    chat.wait(seconds=90)
    chat.say("张阿姨", GROUP, photo=jpeg())
    chat.silence_in(GROUP)
    assert photos_of(chat) == [1]


@pytest.mark.every_cell
def test_words_and_photos_in_one_message(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, CHARGING, photos=3)
    chat.expect(GROUP, "收到，编号2611-0001*")
    chat.expect("马宏", "【派单】*（3张照片）*")
    chat.silence_in(GROUP)
    assert photos_of(chat) == [1, 1, 1]


def test_a_photo_while_the_place_is_awaited_is_kept_and_the_question_stands(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "楼道里又停满了电动车，还在充电")
    chat.expect(GROUP, "*在哪个位置？*")
    chat.say("张阿姨", GROUP, photo=jpeg())
    chat.silence()
    chat.say("张阿姨", GROUP, "3号楼2单元")
    chat.expect(GROUP, "好的，3号楼2单元*")
    chat.skip_officers()
    assert photos_of(chat) == [1]


def test_a_photo_alone_in_a_group_stays_unanswered_and_is_forgotten(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, photo=jpeg())
    chat.wait(minutes=3)
    chat.silence()
    assert photos_of(chat) == []
    assert not list(chat.folder.rglob("*.photo"))


def test_a_photo_after_two_minutes_does_not_belong(chat: Scenario) -> None:
    reported(chat)
    chat.wait(seconds=121)
    chat.say("张阿姨", GROUP, photo=jpeg())
    chat.silence()
    assert photos_of(chat) == []


def test_words_two_minutes_after_the_photo_do_not_take_it(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, photo=jpeg())
    chat.wait(seconds=121)
    reported(chat)
    assert photos_of(chat) == []


def test_a_recalled_photo_does_not_wait_for_words(chat: Scenario) -> None:
    said = chat.say("张阿姨", GROUP, photo=jpeg())
    chat.recall(said)
    reported(chat)
    assert photos_of(chat) == []


@pytest.mark.parametrize("where", [GROUP, PRIVATE])
def test_a_photo_alone_that_is_said_to_the_bot_is_asked_about_once(chat: Scenario, where: str) -> None:
    answers = "张阿姨" if where == PRIVATE else where
    for _ in range(2):
        chat.say("张阿姨", where, photo=jpeg(), mention=where == GROUP)
    chat.expect(answers, "收到照片了。照片里是什么情况、在哪个位置？*")
    chat.silence()
    chat.say("张阿姨", where, "3号楼后面这个坑，晚上看不见")
    chat.expect(answers, "收到，编号2611-0001*")
    chat.skip_officers()
    assert photos_of(chat) == [1, 1]


def test_text_then_photo_in_the_private_chat(chat: Scenario) -> None:
    reported(chat, where=PRIVATE)
    chat.say("张阿姨", PRIVATE, photo=jpeg())
    chat.silence()
    assert photos_of(chat) == [1]


def test_two_people_at_once_keep_their_photos_apart(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, photo=jpeg(1))
    chat.say("陈大爷", GROUP, photo=jpeg(2))
    chat.say("陈大爷", GROUP, "5号楼路灯坏了好几天")
    chat.expect(GROUP, "收到，编号2611-0001*")
    chat.say("张阿姨", GROUP, CHARGING)
    chat.expect(GROUP, "收到，编号2611-0002*")
    chat.skip_officers()
    assert photos_of(chat) == [1, 2]
    assert len({chat.app.writer.read_now(lambda s, n=n: s.get(Attachment, n).sha256) for n in (1, 2)}) == 2  # type: ignore[misc]


def test_the_same_words_again_are_the_same_case(chat: Scenario) -> None:
    reported(chat)
    chat.say("张阿姨", GROUP, CHARGING + "！")
    chat.silence()
    assert len(chat.rows(Case.id)) == 1


@pytest.mark.parametrize(
    ("first", "second"), [("3号楼消防通道堵了", "5号楼消防通道堵了"), ("三号楼消防通道堵了", "五号楼消防通道堵了")]
)
def test_the_same_words_about_another_house_are_another_case(chat: Scenario, first: str, second: str) -> None:
    reported(chat, text=first)
    assert reported(chat, text=second) == "2611-0002"
    assert len(chat.rows(Case.id)) == 2


def test_quoting_the_answer_adds_to_the_case(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, CHARGING)
    answer = chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()
    chat.say("陈大爷", GROUP, "我也看见了，天天晚上充", quoting=answer)
    chat.expect(GROUP, "好的，已补充到2611-0001。")
    chat.expect("马宏", "2611-0001（3号楼2单元楼道）有补充：我也看见了，天天晚上充")


def test_thanks_for_the_answer_is_no_addition(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, CHARGING)
    answer = chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()
    chat.say("张阿姨", GROUP, "好的，谢谢你们", quoting=answer)
    chat.silence()


def test_naming_the_number_adds_to_the_case_with_a_photo(chat: Scenario) -> None:
    number = reported(chat)
    chat.wait(minutes=5)
    chat.say("张阿姨", GROUP, f"{number} 今天又停了五辆", photo=jpeg())
    chat.expect(GROUP, f"好的，已补充到{number}。")
    chat.expect("马宏", f"{number}（*）有补充：*（1张照片）")
    chat.say("张阿姨", PRIVATE, f"/补充 {number} 充电器发烫")
    chat.expect("张阿姨", f"好的，已补充到{number}。")
    chat.expect("马宏", f"{number}（*）有补充：充电器发烫")
    assert photos_of(chat) == [1]


@pytest.mark.parametrize("line", ["{} 今天又停了五辆", "/补充 {} 今天又停了五辆", "/查 {}", "/撤回 {}"])
@pytest.mark.parametrize("addressed", [False, True])
def test_a_number_of_another_group_is_like_one_that_never_was(chat: Scenario, line: str, addressed: bool) -> None:
    foreign = reported(chat)
    for number in (foreign, "2611-0999"):
        chat.say("罗嫂", "港新2号网格", line.format(number), mention=addressed)
        if addressed or line.startswith("/"):
            chat.expect("港新2号网格", f"没有查到{number}。请核对编号，或引用原来的消息。")
        chat.silence()


def test_eight_digits_in_a_report_are_no_case_number(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, "3号楼2单元楼道电表25101234那里有人给电动车充电")
    chat.expect("张阿姨", "收到，编号2611-0001*")
    chat.skip_officers()


def test_a_call_by_name_is_not_part_of_the_report(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "@前哨 " + CHARGING)
    chat.expect(GROUP, "收到，编号*")
    card = chat.expect("马宏", "【派单】*")
    assert "@前哨" not in card.what.text


def test_withdrawing_ones_own_case(chat: Scenario) -> None:
    number = reported(chat)
    chat.say("陈大爷", GROUP, f"/撤回 {number}")
    chat.expect(GROUP, f"{number}不是您反映的，不能由您撤回。*")
    chat.say("张阿姨", GROUP, f"／撤回{number}")
    chat.expect(GROUP, f"{number}已撤回。*")
    chat.expect("马宏", f"{number}（*）反映人撤回了，不用再办。")
    chat.say("张阿姨", GROUP, f"/补充 {number} 还是想说一句")
    chat.expect(GROUP, f"{number}现在是“已撤回”*")


@pytest.mark.every_cell
def test_recalling_the_message_takes_the_case_back_until_somebody_has_it(chat: Scenario) -> None:
    first = chat.say("张阿姨", GROUP, CHARGING)
    chat.expect(GROUP, "收到，编号2611-0001*")
    chat.skip_officers()
    chat.recall(first)
    chat.expect("张阿姨", "您撤回了消息，2611-0001也一起撤回了。*")
    chat.expect("马宏", "2611-0001（*）反映人撤回了，不用再办。")
    second = chat.say("张阿姨", GROUP, "5号楼路灯坏了好几天")
    chat.expect(GROUP, "收到，编号2611-0002*")
    chat.skip_officers()
    chat.say("周小琴", PRIVATE, "/接单 2611-0002")
    chat.skip("周小琴", "张阿姨")
    chat.recall(second)
    chat.expect("周小琴", "2611-0002（*）反映人撤回了原来那条消息，事情还在办。*")
    assert chat.rows(Case.state)[1] == "signed"


def test_an_edited_report_reaches_the_officer_and_the_old_words_stay(chat: Scenario) -> None:
    said = chat.say("张阿姨", GROUP, CHARGING)
    chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()
    chat.edit(said, "4号楼2单元楼道有人给电动车充电")
    chat.expect("马宏", "2611-0001（*）反映人改了原话：4号楼2单元*")
    chat.silence_in(GROUP)
    assert chat.rows(Case.text) == [CHARGING]


def test_a_forwarded_report_in_a_group_is_nobodys_report(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, CHARGING, copied=True)
    chat.silence()
    chat.say("张阿姨", PRIVATE, CHARGING, copied=True)
    chat.expect("张阿姨", "收到，编号*")
    chat.skip_officers()


HERE = Location(30.005, 124.012)  # in grid 2 of the sample district


def test_whoever_sends_a_pin_is_not_asked_where_and_the_case_goes_to_its_grid(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "楼道里又停满了电动车，还在充电", location=HERE)
    chat.expect(GROUP, "收到，编号*已转*")
    chat.silence_in(GROUP)
    chat.skip_officers()
    assert chat.rows(Case.place, Case.latitude, Case.longitude, Case.located_by) == [
        ("30.00500,124.01200", 30.005, 124.012, "pin")
    ]
    assert chat.rows(Case.grid_id) == chat.rows(Grid.id)[2:3]


@pytest.mark.parametrize("first", [True, False])
def test_a_pin_alone_belongs_to_the_words_next_to_it(chat: Scenario, first: bool) -> None:
    if first:
        chat.say("张阿姨", GROUP, location=HERE)
        chat.silence()
        chat.say("张阿姨", GROUP, "有人在路上乱倒垃圾，臭得很")
        chat.expect(GROUP, "收到，编号*已转*")
    else:
        chat.say("张阿姨", GROUP, "菜场后面有人乱倒垃圾，臭得很")
        chat.expect(GROUP, "收到，编号*已转*")
        chat.skip_officers()
        chat.say("张阿姨", GROUP, location=HERE)
    chat.silence_in(GROUP)
    chat.skip_officers()
    assert chat.rows(Case.latitude) == [30.005]


def test_a_pin_answers_where(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, "楼道里又停满了电动车，还在充电")
    chat.expect("张阿姨", "*在哪个位置？*")
    chat.say("张阿姨", PRIVATE, location=Location(30.005, 124.012, "老年食堂"))
    chat.expect("张阿姨", "好的，老年食堂，记下了。*")
    chat.skip_officers()
    assert chat.rows(Case.grid_id) == chat.rows(Grid.id)[2:3]


def test_a_pin_that_nobody_needs_is_forgotten(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, location=HERE)
    chat.wait(minutes=3)
    chat.silence()
    assert chat.rows(InboxEvent.body) == [None]
    chat.say("张阿姨", PRIVATE, location=HERE)
    chat.expect("张阿姨", "收到位置了。那里是什么情况？*")


def test_a_known_place_in_the_words_leads_to_its_grid(chat: Scenario) -> None:
    chat.say("黄老板", PRIVATE, "菜场后面的路灯坏了")
    chat.expect("黄老板", "收到，编号*")
    chat.skip_officers()
    assert chat.rows(Case.place, Case.located_by) == [("港新菜市场后面", "gazetteer")]
    assert chat.rows(Case.grid_id) == chat.rows(Grid.id)[2:3]


def test_a_photo_sent_as_a_file_tells_where_it_was_taken(chat: Scenario) -> None:
    taken = photo_taken_at(30.005, 124.012)
    file = replace(chat.platform.keep_photo("f1", taken), kind="file")
    chat.say("张阿姨", GROUP, "路灯坏了好几天，晚上黑得很", files=(file,))
    chat.expect(GROUP, "收到，编号*已转*")
    chat.skip_officers()
    assert chat.rows(Case.located_by, Case.latitude, Case.longitude) == [("photo", 30.005, 124.012)]
    assert chat.rows(Case.grid_id) == chat.rows(Grid.id)[2:3]


def photo_taken_at(latitude: float, longitude: float) -> bytes:
    """A photo whose camera knew where it was."""
    exif = Image.Exif()
    north, east = divmod(latitude, 1), divmod(longitude, 1)
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(
        {
            ExifTags.GPS.GPSLatitudeRef: "N",
            ExifTags.GPS.GPSLatitude: (north[0], north[1] * 60, 0.0),
            ExifTags.GPS.GPSLongitudeRef: "E",
            ExifTags.GPS.GPSLongitude: (east[0], east[1] * 60, 0.0),
        }
    )
    data = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 40, 40)).save(data, "JPEG", exif=exif)
    return data.getvalue()
