"""What a message of WeChat means, case by case, without a service."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from bot.messages import Kind, Quote
from bot.platforms.wechat.client import Payload
from bot.platforms.wechat.parse import Malformed, Me, at_place, change_of, parse_message, passed_on, read_json, text_of
from bot.platforms.wechat.places import _shift, to_wgs84
from bot.platforms.wechat.wire import LocationPayload, MessageSort

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ME = Me("wxid_bot", "main", "前哨")
TEXT = Payload("m1", MessageSort.TEXT, "楼道堆了纸箱", "wxid_a", "g@chatroom", "", (), 1795399200000, "")
DASHES = "- " * 15


def read(**changed: object):  # type: ignore[no-untyped-def]
    return parse_message(replace(TEXT, **changed), ME, NOW)  # type: ignore[arg-type]


def test_a_text_in_a_group() -> None:
    event = read()
    assert (event.event_id, event.message_id, event.text) == ("m1", "m1", "楼道堆了纸箱")
    assert (event.address.platform, event.address.account, event.address.chat) == ("wechat", "main", "g@chatroom")
    assert event.sender.id == "wxid_a"
    assert event.sender.personal
    assert not event.address.private
    assert event.at == datetime.fromtimestamp(1795399200, UTC)


def test_a_private_word_goes_to_the_private_chat() -> None:
    event = read(room="")
    assert event.address.private
    assert event.address.chat == "wxid_a"


@pytest.mark.parametrize("stamp", [1795399200, 1795399200000])
def test_seconds_and_milliseconds(stamp: int) -> None:
    assert read(stamp=stamp).at == datetime.fromtimestamp(1795399200, UTC)


@pytest.mark.parametrize("stamp", [0, 1, 10**18, 2**63 - 1])
def test_a_time_that_cannot_be_is_now(stamp: int) -> None:
    assert read(stamp=stamp).at == NOW


def test_only_a_mention_by_contact_id_calls_us() -> None:
    assert not read(text="@前哨\u2005你好").mentions_me
    called = read(text="@前哨\u2005你好", mentions=("wxid_bot",))
    assert called.mentions_me
    assert called.text == "你好"


def test_the_name_that_the_group_gave_us_is_taken_out_too() -> None:
    assert read(text="@港新小助手\u2005/查 2611-0042", mentions=("wxid_bot",)).text == "/查 2611-0042"


def test_with_several_called_only_our_own_name_is_taken_out() -> None:
    both = read(text="@李叔\u2005@前哨\u2005看一下", mentions=("wxid_b", "wxid_bot"))
    assert both.text == "@李叔\u2005 \u2005看一下".strip()


def test_a_quote_is_read_and_what_was_quoted_is_no_word_of_the_sender() -> None:
    event = read(text=f"「前哨：收到，编号2611-0042。」\n{DASHES}\n/撤回")
    assert event.text == "/撤回"
    assert event.quote == Quote("", "收到，编号2611-0042。", mine=False)


def test_a_quote_of_several_lines() -> None:
    event = read(text=f"「李叔：第一行\n第二行」\n{DASHES}\n看到了")
    assert event.quote is not None
    assert event.quote.text == "第一行\n第二行"


def test_brackets_alone_are_no_quote() -> None:
    assert read(text="「安全」二字要记牢\n谢谢").quote is None


def test_a_picture_keeps_no_words_of_its_xml() -> None:
    event = read(sort=MessageSort.IMAGE, text="<msg><img aeskey='x'/></msg>")
    assert event.text == ""
    assert (event.attachments[0].id, event.attachments[0].kind) == ("image:m1", "photo")
    assert event.lone_photo


def test_a_file_that_is_a_picture_is_a_photo_and_another_is_not() -> None:
    assert read(sort=MessageSort.ATTACHMENT, filename="a.JPG").attachments[0].kind == "photo"
    assert read(sort=MessageSort.ATTACHMENT, filename="a.pdf").attachments[0].kind == "file"


def test_a_voice_is_heard_only_in_private() -> None:
    assert read(sort=MessageSort.AUDIO) is None
    assert read(sort=MessageSort.AUDIO, room="").attachments[0].kind == "file"


def test_a_recall_names_the_message() -> None:
    event = read(id="m2", sort=MessageSort.RECALLED, text="m1")
    assert (event.kind, event.message_id, event.event_id) == (Kind.RECALL, "m1", "m2")
    xml = "<sysmsg><revokemsg><newmsgid>778899</newmsgid></revokemsg></sysmsg>"
    assert read(id="m2", sort=MessageSort.RECALLED, text=xml).message_id == "778899"
    assert read(id="m2", sort=MessageSort.RECALLED, text="") is None


@pytest.mark.parametrize("sort", [MessageSort.CHAT_HISTORY, MessageSort.URL, MessageSort.MINI_PROGRAM])
def test_a_card_is_passed_on_and_never_the_sender_s_own_words(sort: MessageSort) -> None:
    event = read(sort=sort, text="<msg><title>群聊的聊天记录</title><des><![CDATA[王五: /办结 2611-0042 好了]]></des></msg>")
    assert event.copied
    assert event.text == "群聊的聊天记录\n王五: /办结 2611-0042 好了"


def test_passed_on_words_are_plain() -> None:
    assert passed_on("<title>a &amp; b</title>") == "a & b"
    assert passed_on("只是字") == "只是字"
    assert len(passed_on("字" * 5000)) == 2000


@pytest.mark.parametrize("sort", [MessageSort.EMOTICON, MessageSort.RED_ENVELOPE, MessageSort.TRANSFER, MessageSort.CONTACT, 99])
def test_what_is_none_of_our_business(sort: int) -> None:
    assert read(sort=sort) is None


@pytest.mark.parametrize("talker", ["wxid_bot", "gh_official", "weixin", "fmessage"])
def test_we_do_not_listen_to_ourselves_and_to_accounts_that_are_no_person(talker: str) -> None:
    assert read(talker=talker) is None


def test_without_a_talker_it_is_malformed_or_small_print() -> None:
    assert read(talker="") is None
    with pytest.raises(Malformed):
        read(talker="", room="")
    with pytest.raises(Malformed):
        read(id="")


@pytest.mark.parametrize("data", ["", "[]", "{", "1", "[" * 100_000])
def test_an_event_that_is_no_object(data: str) -> None:
    with pytest.raises(Malformed):
        read_json(data)


@pytest.mark.parametrize("event", [{}, {"messageId": ""}, {"messageId": 5}, {"messageId": None}])
def test_an_event_without_its_id(event: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        text_of(event, "messageId")


def test_a_change_of_a_group() -> None:
    change = change_of(
        {"inviteeIdList": ["a"], "inviterId": "b", "roomId": "g", "timestamp": 1795399200}, "inviteeIdList", "inviterId", NOW
    )
    assert (change.room, change.people, change.by, change.at) == ("g", ("a",), "b", datetime.fromtimestamp(1795399200, UTC))
    with pytest.raises(Malformed):
        change_of({"inviteeIdList": [1], "roomId": "g"}, "inviteeIdList", "inviterId", NOW)
    with pytest.raises(Malformed):
        change_of({"inviteeIdList": []}, "inviteeIdList", "inviterId", NOW)


def test_a_place_is_moved_from_china_s_map_to_the_world_s() -> None:
    # the offset at Tian'anmen is about 550 m to the south-west, the way back has to end where it began
    latitude, longitude = to_wgs84(39.908692, 116.397477)
    assert (round(latitude, 3), round(longitude, 3)) == (39.907, 116.391)
    north, east = _shift(latitude, longitude)
    assert math.isclose(latitude + north, 39.908692, abs_tol=1e-8)
    assert math.isclose(longitude + east, 116.397477, abs_tol=1e-8)
    assert to_wgs84(48.8584, 2.2945) == (48.8584, 2.2945)


def test_a_place_outside_the_earth() -> None:
    event = read(sort=MessageSort.LOCATION, text="<msg/>")
    placed = at_place(event, LocationPayload(latitude=31.9, longitude=121.2, name="港新路", address="12号"))
    assert placed.location is not None
    assert placed.location.name == "港新路 12号"
    for latitude, longitude in ((91.0, 0.0), (0.0, 181.0), (0.0, 0.0)):
        with pytest.raises(Malformed):
            at_place(event, LocationPayload(latitude=latitude, longitude=longitude))
