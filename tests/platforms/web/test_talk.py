"""Saying, quoting, calling, taking back, pressing, reading: as the people in the room and the bot see it."""

from __future__ import annotations

from bot.messages import Address, Choice, Kind, Location, Outbound, Quote
from tests.platforms.web.conftest import GROUP, OFFICERS_ROOM, OTHER_ROOM, ROOM, Chat

PRIVATE = "private-zhang"


async def test_what_one_says_all_in_the_room_see_and_the_bot_hears(chat: Chat) -> None:
    zhang, wang = await (await chat.persona("zhang")).tab(), await (await chat.persona("wang")).tab()
    ack = await zhang.say("楼道里有煤气味", cid="c-1")
    assert ack["t"] == "ack"
    own, other = await zhang_message(zhang), (await wang.get("message"))["message"]
    assert (own["cid"], other["cid"]) == ("c-1", None)
    assert {**own, "cid": None} == other
    assert other["from"] == {"id": "zhang", "name": "张阿姨", "role": "resident", "title": ""}
    assert (other["id"], other["seq"], other["at"]) == (ack["id"], ack["seq"], "2026-11-23T09:00:00.000Z")
    (heard,) = chat.bot.heard
    assert (heard.event_id, heard.message_id, heard.text) == (ack["id"], ack["id"], "楼道里有煤气味")
    assert heard.address == GROUP
    assert (heard.sender.id, heard.sender.name, heard.group_name) == ("zhang", "张阿姨", "港新1号网格")
    assert (heard.kind, heard.mentions_me, heard.at) == (Kind.MESSAGE, False, chat.clock.now)


async def zhang_message(tab):  # type: ignore[no-untyped-def]
    for frame in tab.passed:
        if frame["t"] == "message":
            return frame["message"]
    return (await tab.get("message"))["message"]


async def test_the_bot_is_called_by_mention_or_by_name(chat: Chat) -> None:
    tab = await (await chat.persona("zhang")).tab()
    await tab.say("在吗", mentions=["bot", "wang", "nobody"])
    await tab.say("@前哨 在吗")
    await tab.say("＠前哨在吗")
    await tab.say("前哨站在哪")
    assert [heard.mentions_me for heard in chat.bot.heard] == [True, True, True, False]
    page = await tab.page()
    assert page[0]["mentions"] == ["bot", "wang"]


async def test_an_answer_to_the_bot_quotes_it_in_full(chat: Chat) -> None:
    tab = await (await chat.persona("zhang")).tab()
    long = "已登记。" * 100
    receipt = await chat.platform.send(GROUP, Outbound("k", long))
    await tab.say("在三楼", reply_to=receipt.message_id)
    assert chat.bot.heard[-1].quote == Quote(receipt.message_id, long, mine=True)
    ack = await tab.say("好的", reply_to=chat.bot.heard[-1].message_id)
    assert chat.bot.heard[-1].quote == Quote(chat.bot.heard[0].message_id, "在三楼", mine=False)
    quoted = [message["reply"] for message in await tab.page() if message["id"] == ack["id"]]
    assert quoted == [{"id": chat.bot.heard[0].message_id, "name": "张阿姨", "text": "在三楼"}]


async def test_a_place_is_shown_to_all_and_told_to_the_bot_until_it_is_taken_back(chat: Chat) -> None:
    zhang, wang = await (await chat.persona("zhang")).tab(), await (await chat.persona("wang")).tab()
    place = {"latitude": 31.2304, "longitude": 121.4737}
    ack = await zhang.say(location=place)
    assert ((await wang.get("message"))["message"]["text"], (await wang.page())[0]["location"]) == ("", place)
    assert chat.bot.heard[-1].location == Location(31.2304, 121.4737)
    await zhang.send("recall", room=ROOM, message=ack["id"])
    await wang.get("recalled")
    assert (await wang.page())[0]["location"] is None
    assert (await zhang.say("这里", location={"latitude": 91, "longitude": 0}))["code"] == "bad"


async def test_a_quote_from_another_room_is_left_out(chat: Chat) -> None:
    tab = await (await chat.persona("li")).tab()
    foreign = await tab.say("这里是二号", room=OTHER_ROOM)
    await tab.say("看这个", reply_to=foreign["id"])
    assert chat.bot.heard[-1].quote is None


async def test_the_private_chat_is_met_once_and_has_an_address_of_its_own(chat: Chat) -> None:
    tab = await (await chat.persona("zhang")).tab()
    await tab.send("read", room=PRIVATE, seq=0)
    met = await chat.bot.hears(1)
    assert (met.kind, met.event_id, met.address) == (Kind.MET, "met:zhang", Address("web", "web", "zhang", private=True))
    await tab.send("read", room=PRIVATE, seq=0)
    await tab.say("我想举报", room=PRIVATE)
    assert [heard.kind for heard in chat.bot.heard] == [Kind.MET, Kind.MESSAGE]
    assert chat.bot.heard[1].address == Address("web", "web", "zhang", private=True)
    await chat.platform.send(Address("web", "web", "zhang", private=True), Outbound("k", "您说。"))
    assert (await tab.get("message"))["room"] == PRIVATE


async def test_saying_something_first_meets_the_bot_too(chat: Chat) -> None:
    tab = await (await chat.persona("wang")).tab()
    await tab.say("你好", room="private-wang")
    assert [heard.kind for heard in chat.bot.heard] == [Kind.MET, Kind.MESSAGE]
    await chat.restart()
    tab = await (await chat.persona("wang")).tab()
    await tab.say("又来了", room="private-wang")
    assert [heard.kind for heard in chat.bot.heard] == [Kind.MET, Kind.MESSAGE, Kind.MESSAGE]


async def test_nobody_speaks_where_they_are_not(chat: Chat) -> None:
    tab = await (await chat.persona("wang")).tab()
    for room in (OTHER_ROOM, PRIVATE, "nowhere"):
        assert (await tab.say("喂", room=room))["code"] == "no_room"
        await tab.send("older", room=room, before=9)
        assert (await tab.get("refused"))["code"] == "no_room"
    assert chat.bot.heard == []


async def test_in_the_officers_room_residents_only_read(chat: Chat) -> None:
    zhang, li = await (await chat.persona("zhang")).tab(), await (await chat.persona("li")).tab()
    may = {room["id"]: room["can_post"] for room in zhang.passed[0]["rooms"]}
    assert may == {ROOM: True, OFFICERS_ROOM: False, PRIVATE: True}
    assert (await zhang.say("我也说一句", room=OFFICERS_ROOM))["code"] == "read_only"
    assert (await li.say("明早集合", room=OFFICERS_ROOM))["t"] == "ack"
    assert (await zhang.get("message"))["message"]["text"] == "明早集合"


async def test_texts_that_cannot_be_said_get_a_sentence(chat: Chat) -> None:
    tab = await (await chat.persona("zhang")).tab()
    refusals = [
        await tab.say(""),
        await tab.say(" \n\u202e\x1b "),
        await tab.say("长" * 20_000),
        await tab.say("图", photos=[f"p{n}" for n in range(10)]),
        await tab.say("图", photos=["p-unknown"]),
    ]
    assert [refusal["code"] for refusal in refusals] == ["empty", "empty", "too_long", "too_many_photos", "photo_gone"]
    assert refusals[2]["text"] == "太长了，一条最多 5000 个字，请分几条发。"
    assert await tab.page() == []
    assert chat.bot.heard == []


async def test_terminal_escapes_and_turned_text_are_taken_out(chat: Chat) -> None:
    tab = await (await chat.persona("zhang")).tab()
    await tab.say("\x1b[31m<b>红</b>\u202e字\x00\ud800\r\n第二行")
    assert chat.bot.heard[0].text == "[31m<b>红</b>字\n第二行"


async def test_recall_within_two_minutes(chat: Chat) -> None:
    zhang, wang = await (await chat.persona("zhang")).tab(), await (await chat.persona("wang")).tab()
    said = await zhang.say("发错了")
    await wang.say("什么", reply_to=said["id"])
    chat.clock.move(seconds=120)
    await wang.send("recall", room=ROOM, message=said["id"])
    assert (await wang.get("refused"))["code"] == "not_yours"
    await zhang.send("recall", room=ROOM, message=said["id"])
    recalled = await wang.get("recalled")
    assert (recalled["message"], recalled["by"]["name"], recalled["seq"]) == (said["id"], "张阿姨", 3)
    heard = await chat.bot.hears(3)
    assert (heard.kind, heard.message_id, heard.event_id) == (Kind.RECALL, said["id"], f"recall:{said['id']}")
    first, answer = await wang.page()
    assert (first["recalled"], first["text"]) == (True, "")
    assert answer["reply"]["text"] == "原消息已撤回"
    await zhang.send("recall", room=ROOM, message=said["id"])
    later = await zhang.say("再说一次")
    assert later["seq"] == 4
    assert len(chat.bot.heard) == 4


async def test_recall_after_two_minutes_is_too_late(chat: Chat) -> None:
    tab = await (await chat.persona("zhang")).tab()
    said = await tab.say("留着吧")
    chat.clock.move(seconds=121)
    await tab.send("recall", room=ROOM, message=said["id"])
    assert (await tab.get("refused"))["code"] == "too_late"
    assert (await tab.page())[0]["text"] == "留着吧"


async def test_what_was_recalled_before_the_bot_heard_it_is_not_told(chat: Chat) -> None:
    tab = await (await chat.persona("zhang")).tab()

    async def deaf(_: object) -> None:
        raise OSError

    chat.bot.before = deaf
    await tab.say("家里的电话是", cid="c")
    message = (await tab.page())[0]["id"]
    await tab.send("recall", room=ROOM, message=message)
    await tab.get("recalled")
    chat.bot.before = None
    await chat.restart()
    assert [heard.kind for heard in chat.bot.heard] == [Kind.RECALL]


async def test_a_button_is_pressed_once(chat: Chat) -> None:
    browser = await chat.persona("zhang")
    here, there = await browser.tab(), await browser.tab()
    choices = (Choice("解决了", "是"), Choice("没有", "否"))
    receipt = await chat.platform.send(GROUP, Outbound("k", "解决了吗？", choices=choices))
    message = (await here.get("message"))["message"]
    assert message["choices"] == [{"label": "解决了", "value": "是"}, {"label": "没有", "value": "否"}]
    await here.send("tap", cid="t-1", room=ROOM, message=receipt.message_id, value="是")
    assert (await here.answer("t-1"))["t"] == "ack"
    assert (await there.get("taken"))["value"] == "是"
    heard = chat.bot.heard[0]
    assert (heard.kind, heard.text, heard.message_id) == (Kind.TAP, "是", receipt.message_id)
    assert heard.quote == Quote(receipt.message_id, "解决了吗？", mine=True)
    await here.send("tap", cid="t-1", room=ROOM, message=receipt.message_id, value="是")
    assert (await here.answer("t-1"))["t"] == "ack"
    await here.send("tap", cid="t-2", room=ROOM, message=receipt.message_id, value="否")
    assert (await here.answer("t-2"))["code"] == "other"
    await here.send("tap", cid="t-3", room=ROOM, message=receipt.message_id, value="别的")
    assert (await here.answer("t-3"))["code"] == "gone"
    assert len(chat.bot.heard) == 1
    assert (await here.page())[-1]["choices"] == []
    wang = await (await chat.persona("wang")).tab()
    assert len((await wang.page())[-1]["choices"]) == 2


async def test_unread_counts_others_messages_and_moves_in_every_tab(chat: Chat) -> None:
    browser = await chat.persona("wang")
    tab, other = await browser.tab(), await browser.tab()
    zhang = await (await chat.persona("zhang")).tab()
    for text in ("一", "二", "三"):
        await zhang.say(text)
    await tab.say("四")
    assert unread(await browser.tab()) == 3
    await tab.send("read", room=ROOM, seq=2)
    assert (await other.get("read"))["seq"] == 2
    assert unread(await browser.tab()) == 1
    await tab.send("read", room=ROOM, seq=1)
    await tab.say("五")
    assert unread(await browser.tab()) == 1
    await chat.restart()
    assert unread(await browser.tab()) == 1


def unread(tab) -> int:  # type: ignore[no-untyped-def]
    return int(next(room["unread"] for room in tab.passed[0]["rooms"] if room["id"] == ROOM))


async def test_older_pages_go_back_to_the_first_message(chat: Chat) -> None:
    tab = await (await chat.persona("zhang")).tab()
    for number in range(120):
        await chat.platform.send(GROUP, Outbound(f"k{number}", str(number)))
    seen: list[str] = []
    before, more = 2**40, True
    while more:
        await tab.send("older", room=ROOM, before=before)
        frame = await tab.get("messages")
        seen = [message["text"] for message in frame["messages"]] + seen
        before, more = frame["messages"][0]["seq"], frame["more"]
    assert seen == [str(number) for number in range(120)]


async def test_since_gives_exactly_what_was_missed(chat: Chat) -> None:
    browser = await chat.persona("wang")
    zhang = await (await chat.persona("zhang")).tab()
    first = await zhang.say("先说一句")
    tab = await browser.tab(since={ROOM: first["seq"]})
    tab.cut()
    second = await zhang.say("第二句")
    for number in range(130):
        await chat.platform.send(GROUP, Outbound(f"k{number}", f"推送{number}"))
    await zhang.send("recall", room=ROOM, message=first["id"])
    await zhang.get("recalled")
    await zhang.send("recall", room=ROOM, message=second["id"])
    await zhang.get("recalled")
    tab = await browser.tab(since={ROOM: first["seq"], "nowhere": 3})
    last = await zhang.say("到这里")
    frames = []
    while (
        not frames
        or frames[-1].get("message", {}) == {}
        or frames[-1]["t"] != "message"
        or frames[-1]["message"]["id"] != last["id"]
    ):
        frames.append(await tab.next())
    messages = [frame["message"] for frame in frames if frame["t"] == "message"]
    assert [message["seq"] for message in messages] == [2, *range(3, 133), 135]
    assert messages[0]["recalled"]
    assert first["id"] in [frame["message"] for frame in frames if frame["t"] == "recalled"]
    again = await browser.tab(since={ROOM: last["seq"]})
    await zhang.say("新的")
    assert (await again.next())["message"]["text"] == "新的"
