"""Raw updates as Telegram sends them, and what each means for us."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.messages import Address, Inbound, Kind, Location, Quote, Sender
from bot.platforms.telegram.fields import Malformed
from bot.platforms.telegram.parse import Heard, Me, Moved, order_key, parse_update

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ME = Me(1000001, "Qianshao_Bot", "1000001")
GROUP = {"id": -100123, "type": "supergroup", "title": "好邻居群"}
AUNT = {"id": 42, "is_bot": False, "first_name": "张", "last_name": "阿姨"}
BOT = {"id": 1000001, "is_bot": True, "first_name": "前哨", "username": "Qianshao_Bot"}
PRIVATE = {"id": 42, "type": "private", "first_name": "张"}
HERE = Address("telegram", "1000001", "-100123")


def message(**fields: Any) -> dict[str, Any]:
    made = {"message_id": 7, "date": 1795399200, "chat": GROUP, "from": AUNT, **fields}
    return {key: value for key, value in made.items() if value is not None}


def heard(**fields: Any) -> Inbound:
    parsed = parse_update({"update_id": 900, "message": message(**fields)}, ME, NOW)
    assert isinstance(parsed, Heard)
    return parsed.event


def nothing(**fields: Any) -> bool:
    return parse_update({"update_id": 900, "message": message(**fields)}, ME, NOW) is None


def entity(kind: str, offset: int, length: int, **more: Any) -> list[dict[str, Any]]:
    return [{"type": kind, "offset": offset, "length": length, **more}]


def test_a_plain_message() -> None:
    assert heard(text="楼道有人充电") == Inbound(
        event_id="900:-100123:7",
        address=HERE,
        sender=Sender("42", "张 阿姨"),
        at=datetime.fromtimestamp(1795399200, UTC),
        message_id="7",
        text="楼道有人充电",
        group_name="好邻居群",
    )


def test_a_photo_is_its_largest_size() -> None:
    sizes = [
        {"file_id": "s", "width": 90, "height": 60, "file_size": 900},
        {"file_id": "b", "width": 1280, "height": 960, "file_size": 210000},
        {"file_id": "m", "width": 320, "height": 240, "file_size": 9000},
    ]
    event = heard(photo=sizes, caption="井盖没了", media_group_id="g1")
    assert [(one.id, one.kind, one.mime, one.size) for one in event.attachments] == [("b", "photo", "image/jpeg", 210000)]
    assert (event.text, event.album, event.lone_photo) == ("井盖没了", "g1", False)
    assert heard(photo=sizes).lone_photo
    assert heard(photo=sizes, caption="看这个").lone_photo  # words that only point at it are none of their own


@pytest.mark.parametrize(
    ("field", "mime", "kind"),
    [("document", "image/png", "photo"), ("document", "application/pdf", "file"), ("video", "video/mp4", "file")],
)
def test_a_document_that_is_an_image_is_a_photo(field: str, mime: str, kind: str) -> None:
    event = heard(**{field: {"file_id": "d", "mime_type": mime, "file_size": 5}})
    assert [(one.kind, one.mime) for one in event.attachments] == [(kind, mime)]


def test_a_voice_counts_only_in_private() -> None:
    assert nothing(voice={"file_id": "v", "mime_type": "audio/ogg"})
    assert heard(voice={"file_id": "v", "mime_type": "audio/ogg"}, chat=PRIVATE).attachments


def test_places() -> None:
    spot = {"latitude": 31.2, "longitude": 121.5}
    assert heard(location=spot).location == Location(31.2, 121.5)
    venue = {"location": spot, "title": "港新公园", "address": "港新路1号"}
    assert heard(location=spot, venue=venue).location == Location(31.2, 121.5, "港新公园 港新路1号")
    with pytest.raises(Malformed):
        heard(location={"latitude": 231.2, "longitude": 121.5})


def test_answers_and_quotes() -> None:
    ours = {"message_id": 3, "date": 1, "chat": GROUP, "from": BOT, "text": "收到，编号2611-0001"}
    assert heard(text="好了", reply_to_message=ours).quote == Quote("3", "收到，编号2611-0001", mine=True)
    assert heard(text="好了", reply_to_message=ours, quote={"text": "2611-0001", "position": 5}).quote == Quote(
        "3", "2611-0001", mine=True
    )
    theirs = {"message_id": 4, "date": 1, "chat": GROUP, "from": AUNT, "caption": "照片"}
    assert heard(text="是的", reply_to_message=theirs).quote == Quote("4", "照片", mine=False)
    assert heard(text="别处的", quote={"text": "传言", "position": 0}, external_reply={}).quote == Quote("", "传言")


def test_a_thread_is_a_topic_only_when_it_says_so() -> None:
    opened = {"message_id": 50, "date": 1, "chat": GROUP, "from": BOT, "forum_topic_created": {"name": "报修"}}
    event = heard(text="灯坏了", message_thread_id=50, is_topic_message=True, reply_to_message=opened)
    assert (event.address.thread, event.quote) == ("50", None)
    assert heard(text="灯坏了", message_thread_id=50).address.thread is None


def test_our_name_is_found_by_utf16_offsets_and_taken_out() -> None:
    event = heard(text="😀😀 @qianshao_bot 灯坏了", entities=entity("mention", 5, 13))
    assert (event.mentions_me, event.text) == (True, "😀😀   灯坏了")
    event = heard(text="前哨 灯坏了", entities=entity("text_mention", 0, 2, user=BOT))
    assert (event.mentions_me, event.text) == (True, "灯坏了")
    assert not heard(text="@other_bot 灯坏了", entities=entity("mention", 0, 10)).mentions_me
    assert heard(photo=[{"file_id": "p"}], caption="@qianshao_bot", caption_entities=entity("mention", 0, 13)).mentions_me
    assert heard(text="@qianshao_bot", entities=entity("mention", 0, 13)).mentions_me


def test_commands_name_their_bot() -> None:
    assert heard(text="/show@Qianshao_Bot 2611-0001").text == "/show 2611-0001"
    assert heard(text="/查@qianshao_bot").mentions_me
    assert nothing(text="/show@other_bot 2611-0001")
    assert heard(text="/show 2611-0001").text == "/show 2611-0001"


# every shape in which the words of a command can come: (what is added, who may be meant by it)
FRESH = "fresh"  # the person's own fresh words: it runs
COPIED = "copied"  # passed on: never runs
SHARED = "shared"  # an identity of several people: never runs
EDITED = "edited"  # never runs
NOT_OURS = "not ours"
ANYBODY = {"id": 1087968824, "is_bot": True, "first_name": "Group"}
CHANNEL = {"id": 136817688, "is_bot": True, "first_name": "Channel"}
SHAPES: list[tuple[str, dict[str, Any], str]] = [
    ("plain", {}, FRESH),
    ("with our name", {"text": "/接单@qianshao_bot 2611-0001"}, FRESH),
    ("as an answer", {"reply_to_message": {"message_id": 3, "chat": GROUP, "from": BOT, "text": "x"}}, FRESH),
    ("in a topic", {"message_thread_id": 50, "is_topic_message": True}, FRESH),
    ("as a caption", {"text": None, "caption": "/接单 2611-0001", "photo": [{"file_id": "p"}]}, FRESH),
    ("for another bot", {"text": "/接单@other_bot 2611-0001"}, NOT_OURS),
    ("forwarded from a person", {"forward_origin": {"type": "user", "date": 1, "sender_user": AUNT}}, COPIED),
    ("forwarded from hiding", {"forward_origin": {"type": "hidden_user", "date": 1, "sender_user_name": "x"}}, COPIED),
    ("forwarded, old form", {"forward_date": 1, "forward_from": AUNT}, COPIED),
    ("from the linked channel", {"is_automatic_forward": True, "sender_chat": {"id": -1009, "type": "channel"}}, COPIED),
    ("via another bot", {"via_bot": {"id": 9, "is_bot": True, "first_name": "gif"}}, COPIED),
    ("anonymous administrator", {"from": ANYBODY, "sender_chat": GROUP}, SHARED),
    ("anonymous, without the chat", {"from": ANYBODY}, SHARED),
    ("as a channel", {"from": CHANNEL, "sender_chat": {"id": -1009, "title": "频道"}}, SHARED),
    ("from another bot", {"from": {"id": 9, "is_bot": True, "first_name": "gif"}}, SHARED),
    ("without a sender", {"from": None}, SHARED),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "more", "meant"), SHAPES, ids=[shape for shape, _, _ in SHAPES])
def test_who_may_be_meant_by_a_command(shape: str, more: dict[str, Any], meant: str) -> None:
    body = message(**{"text": "/接单 2611-0001", **more})
    parsed = parse_update({"update_id": 900, "message": body}, ME, NOW)
    if meant == NOT_OURS:
        assert parsed is None
        return
    assert isinstance(parsed, Heard)
    event = parsed.event
    assert event.text == "/接单 2611-0001"
    assert (event.copied, event.sender.personal) == (meant == COPIED, meant not in (SHARED,) and "sender_chat" not in more)
    edited = parse_update({"update_id": 901, "edited_message": {**body, "edit_date": 1795399999}}, ME, NOW)
    assert isinstance(edited, Heard)
    assert edited.event.kind is Kind.EDIT
    assert edited.event.message_id == event.message_id


def test_an_edit_is_a_new_event_of_the_same_message() -> None:
    first = parse_update({"update_id": 1, "edited_message": message(text="a", edit_date=1795399300)}, ME, NOW)
    assert isinstance(first, Heard)
    assert (first.event.kind, first.event.message_id, first.event.text) == (Kind.EDIT, "7", "a")
    assert first.event.at == datetime.fromtimestamp(1795399300, UTC)
    moving = message(location={"latitude": 1, "longitude": 2, "live_period": 60}, edit_date=1795399300)
    assert parse_update({"update_id": 2, "edited_message": moving}, ME, NOW) is None


def test_a_tap() -> None:
    shown = {"message_id": 9, "date": 1, "chat": GROUP, "from": BOT, "text": "解决了吗？"}
    query = {"id": "q1", "from": AUNT, "chat_instance": "1", "data": "解决了", "message": shown}
    parsed = parse_update({"update_id": 5, "callback_query": query}, ME, NOW)
    assert isinstance(parsed, Heard)
    assert parsed.callback == "q1"
    event = parsed.event
    assert (event.kind, event.text, event.message_id, event.at) == (Kind.TAP, "解决了", "9", NOW)
    assert event.quote == Quote("9", "解决了吗？", mine=True)
    assert event.sender == Sender("42", "张 阿姨")
    old = {**query, "message": {"message_id": 9, "date": 0, "chat": GROUP}}
    assert isinstance(parse_update({"update_id": 6, "callback_query": old}, ME, NOW), Heard)
    assert parse_update({"update_id": 7, "callback_query": {**query, "message": None}}, ME, NOW) is None


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("left", "member", Kind.JOINED),
        ("kicked", "administrator", Kind.JOINED),
        ("member", "administrator", Kind.JOINED),
        ("administrator", "member", Kind.JOINED),
        ("member", "kicked", Kind.LEFT),
        ("administrator", "left", Kind.LEFT),
        ("left", "kicked", None),
    ],
)
def test_our_own_standing(before: str, after: str, kind: Kind | None) -> None:
    change = {
        "chat": GROUP,
        "from": AUNT,
        "date": 1795399200,
        "old_chat_member": {"status": before, "user": BOT},
        "new_chat_member": {"status": after, "user": BOT},
    }
    parsed = parse_update({"update_id": 5, "my_chat_member": change}, ME, NOW)
    if kind is None:
        assert parsed is None
        return
    assert isinstance(parsed, Heard)
    assert (parsed.event.kind, parsed.event.address, parsed.rank) == (kind, HERE, after)
    assert parsed.event.group_name == "好邻居群"
    assert parse_update({"update_id": 5, "my_chat_member": {**change, "chat": PRIVATE}}, ME, NOW) is None


def test_joined_and_left_as_the_group_tells_it() -> None:
    assert heard(new_chat_members=[AUNT, BOT]).kind is Kind.JOINED
    assert heard(left_chat_member=BOT).kind is Kind.LEFT
    assert nothing(new_chat_members=[AUNT])
    assert nothing(left_chat_member=AUNT)


def test_a_group_that_moves() -> None:
    assert parse_update({"update_id": 5, "message": message(migrate_to_chat_id=-100999)}, ME, NOW) == Moved("-100123", "-100999")
    assert parse_update({"update_id": 5, "message": message(migrate_from_chat_id=-5)}, ME, NOW) == Moved("-5", "-100123")


def test_the_private_chat() -> None:
    event = heard(chat=PRIVATE, text="/start")
    assert (event.kind, event.text, event.address) == (Kind.MET, "", Address("telegram", "1000001", "42", private=True))
    assert heard(chat=PRIVATE, text="/start tip").kind is Kind.MET
    assert heard(chat=PRIVATE, text="/started").kind is Kind.MESSAGE
    assert heard(chat=GROUP, text="/start").kind is Kind.MESSAGE


@pytest.mark.parametrize(
    "fields",
    [
        {"sticker": {"file_id": "s"}},
        {"animation": {"file_id": "a"}, "document": {"file_id": "a", "mime_type": "video/mp4"}},
        {"pinned_message": {"message_id": 3}},
        {"poll": {"id": "1"}},
        {"chat": {"id": -9, "type": "channel", "title": "x"}, "text": "x"},
    ],
)
def test_what_is_nothing_for_us(fields: dict[str, Any]) -> None:
    assert nothing(**fields)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {},
        {"update_id": "7"},
        {"update_id": True},
        {"update_id": 1, "message": 5},
        {"update_id": 1, "message": {}},
        {"update_id": 1, "message": message(chat=5, text="x")},
        {"update_id": 1, "message": message(text=5)},
        {"update_id": 1, "message": message(text="x", date="now")},
        {"update_id": 1, "message": message(text="x", date=10**18)},
        {"update_id": 1, "message": message(photo=[{"width": 5}])},
        {"update_id": 1, "message": message(text="x", entities=[{"type": "mention"}])},
        {"update_id": 1, "message": message(text="x", **{"from": {"id": "x"}})},
    ],
)
def test_what_is_no_update(raw: object) -> None:
    with pytest.raises(Malformed) as caught:
        parse_update(raw, ME, NOW)
    assert "x" not in str(caught.value).split()


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_nothing_but_malformed_is_ever_raised(data: st.DataObject) -> None:
    """Any field of a real update replaced by anything."""
    base = {
        "update_id": 1,
        "message": message(
            text="@qianshao_bot 😀",
            entities=entity("mention", 0, 13),
            photo=[{"file_id": "p", "width": 1, "height": 1}],
            venue={"location": {"latitude": 1, "longitude": 2}, "title": "t", "address": "a"},
            reply_to_message={"message_id": 3, "chat": GROUP, "from": BOT, "text": "x"},
            quote={"text": "x"},
            sender_chat={"id": 4, "title": "t"},
        ),
    }
    junk = st.recursive(
        st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=4,
    )
    raw = json.loads(json.dumps(base))
    spot = raw["message"]
    key = data.draw(st.sampled_from(sorted(spot)))
    if isinstance(spot[key], dict) and data.draw(st.booleans()):
        spot = spot[key]
        key = data.draw(st.sampled_from(sorted(spot)))
    spot[key] = data.draw(junk)
    order_key(raw)
    with contextlib.suppress(Malformed):
        assert isinstance(parse_update(raw, ME, NOW), Heard | Moved | None)
