"""What people do in a group arrives at the bot, over a real puppet service."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func
from sqlmodel import Session, col, select

from bot.errors import RefusedInput, RetryLater
from bot.messages import Kind
from storage.tables import Group, WechatRoom
from tests.kit.puppet import BOT, NAME
from tests.platforms.wechat.conftest import ROOM, Line, until

pytestmark = [pytest.mark.timeout(120), pytest.mark.filterwarnings("ignore::storage.database.OldLibrary")]


async def test_words_pictures_places_and_what_is_taken_back(line: Line) -> None:
    puppet, feed = line.puppet, line.feed
    async with line.platform() as platform:
        await puppet.say("张阿姨", ROOM, "楼道堆了纸箱")
        picture = await puppet.photo("张阿姨", ROOM, b"\xff\xd8\xff" + b"x" * 150_000)
        small = await puppet.photo("张阿姨", ROOM, b"\xff\xd8\xff small")
        place = {"accuracy": 15, "address": "港新路12号", "latitude": 31.9, "longitude": 121.2, "name": "幸福小区"}
        await puppet.say("张阿姨", ROOM, sort="location", location=place)
        said = await puppet.say("李叔", ROOM, "写错了")
        await puppet.say("李叔", ROOM, said, sort="recalled")
        await puppet.say("张阿姨", BOT, "悄悄说一句")
        await feed.until(lambda: len(feed.taken) == 8)

        joined, text, first, second, pinned, wrong, recalled, private = sorted(feed.taken, key=order)
        assert (joined.kind, joined.group_name) == (Kind.JOINED, "港新1号网格")
        assert (text.text, text.sender.name, text.event_id) == ("楼道堆了纸箱", "张阿姨", text.message_id)
        assert pinned.location is not None
        assert pinned.location.name == "幸福小区 港新路12号"
        assert (recalled.kind, recalled.message_id) == (Kind.RECALL, wrong.message_id)
        assert (private.address.private, private.address.chat, private.text) == (True, "张阿姨", "悄悄说一句")
        assert (first.message_id, second.message_id) == (picture, small)
        assert len(await platform.fetch(first.attachments[0], 1_000_000)) == 150_003
        assert await platform.fetch(second.attachments[0], 1_000_000) == b"\xff\xd8\xff small"
        with pytest.raises(RefusedInput, match=r"photo\.too_large"):
            await platform.fetch(first.attachments[0], 100_000)
        with pytest.raises(RefusedInput, match=r"photo\.gone"):
            await platform.fetch(replace(first.attachments[0], id="image:nobody"), 100_000)
        assert feed.put_away == []


def order(event: object) -> int:
    kind, message_id = event.kind, event.message_id  # type: ignore[attr-defined]
    return -1 if kind is Kind.JOINED else int((event.event_id if kind is Kind.RECALL else message_id).removeprefix("in"))  # type: ignore[attr-defined]


async def test_everybody_is_heard_in_order(line: Line) -> None:
    puppet, feed = line.puppet, line.feed
    async with line.platform({"order_seconds": 60.0}):
        await puppet.say("张阿姨", ROOM, "第0句话")
        await feed.until(lambda: len(feed.taken) == 2)
        await puppet.fault("messagePayload", delay=400)  # the first of the next ones
        for number in range(1, 30):
            await puppet.say("张阿姨", ROOM, f"第{number}句话")
        await feed.until(lambda: len(feed.taken) == 31)
        assert line.heard() == [f"第{number}句话" for number in range(30)]


async def test_nobody_waits_for_a_slow_payload(line: Line) -> None:
    puppet, feed = line.puppet, line.feed
    async with line.platform({"order_seconds": 0.1}):
        await puppet.say("李叔", ROOM, "我先来")
        await feed.until(lambda: "我先来" in line.heard())
        await puppet.fault("messagePayload", delay=4000)
        await puppet.say("张阿姨", ROOM, "这句慢得很")
        await puppet.say("李叔", ROOM, "我不等他")
        await feed.until(lambda: "这句慢得很" in line.heard())
        assert line.heard()[-2:] == ["我不等他", "这句慢得很"]


async def test_a_payload_that_comes_late_or_never(line: Line) -> None:
    puppet, feed = line.puppet, line.feed
    async with line.platform():
        await puppet.fault("messagePayload", error="no payload found", times=2)
        await puppet.say("张阿姨", ROOM, "终于来了")
        await feed.until(lambda: "终于来了" in line.heard())
        await puppet.again("never-said")
        await puppet.say("李叔", ROOM, "后面的人")
        await feed.until(lambda: "后面的人" in line.heard() and len(feed.put_away) == 1)
        assert b"never-said" in feed.put_away[0][1]


async def test_a_broken_event_is_put_into_quarantine_and_blocks_nobody(line: Line) -> None:
    puppet, feed = line.puppet, line.feed
    async with line.platform():
        await puppet.deed("event", name="message", payload={"messageId": 5})
        await puppet.deed("event", name="room-join", payload={"roomId": ROOM, "inviteeIdList": "all"})
        await puppet.say("李叔", ROOM, "后面的人")
        await feed.until(lambda: "后面的人" in line.heard() and len(feed.put_away) == 2)


async def test_what_cannot_be_taken_now_is_kept_and_what_breaks_the_bot_is_put_away(line: Line) -> None:
    puppet, feed = line.puppet, line.feed
    async with line.platform():
        refused = 0

        def refuse(event: object) -> bool:
            nonlocal refused
            refused += event.text == "存不下"  # type: ignore[attr-defined]
            return event.text == "存不下" and refused <= 3  # type: ignore[attr-defined]

        feed.refuse = refuse
        feed.break_on = lambda event: event.text == "有毒"
        await puppet.say("张阿姨", ROOM, "存不下")
        await puppet.say("张阿姨", ROOM, "她的下一句")
        await puppet.say("李叔", ROOM, "别人不等")
        await puppet.say("李叔", ROOM, "有毒")
        await puppet.say("李叔", ROOM, "还能说话")
        await feed.until(lambda: {"存不下", "她的下一句", "别人不等", "还能说话"} <= set(line.heard()))
        heard = line.heard()
        assert heard.index("存不下") < heard.index("她的下一句")
        assert heard.index("别人不等") < heard.index("存不下")
        assert len(feed.put_away) == 1


async def test_the_same_words_under_another_id_are_heard_once_and_a_report_is_never_swallowed(line: Line) -> None:
    puppet, feed = line.puppet, line.feed
    await puppet.room("g2@chatroom", "港新2号网格", ["张阿姨"])
    async with line.platform() as platform:
        report = "3号楼2单元楼道有人给电动车充电"
        await puppet.say("张阿姨", ROOM, report)
        await puppet.say("张阿姨", ROOM, report)  # WeChat tells it again with a new id
        await puppet.say("李叔", ROOM, report)  # a neighbour who saw the same
        await puppet.say("张阿姨", "g2@chatroom", report)  # the same person elsewhere
        await puppet.say("张阿姨", ROOM, "好")
        await puppet.say("张阿姨", ROOM, "好")  # two answers to two questions
        await puppet.say("李叔", ROOM, "就这些")
        await feed.until(lambda: line.heard().count("好") == 2 and "就这些" in line.heard() and line.heard().count(report) == 3)
        await until(lambda: platform.waiting == 0)
        assert line.heard().count(report) == 3
        assert platform.duplicates.left_out == 1

        # the first could not be kept: then its repetition is the report
        feed.break_on = lambda event: event.event_id == "lost"
        await puppet.say("张阿姨", ROOM, "5号楼的墙要倒了", message_id="lost")
        await puppet.say("张阿姨", ROOM, "5号楼的墙要倒了", message_id="again")
        await feed.until(lambda: "5号楼的墙要倒了" in line.heard())
        assert len(feed.put_away) == 1


async def test_a_mention_counts_by_the_contact_s_id(line: Line) -> None:
    puppet, feed = line.puppet, line.feed
    async with line.platform() as platform:
        await until(lambda: platform.me is not None and platform.me.name == NAME)
        await puppet.say("张阿姨", ROOM, f"@{NAME}\u2005有人吗", mentions=[BOT])
        await puppet.say("李叔", ROOM, f"@{NAME} 假装叫你")
        await feed.until(lambda: len(feed.taken) == 3)
        called = {event.text: event.mentions_me for event in feed.taken if event.kind is Kind.MESSAGE}
        assert called == {"有人吗": True, f"@{NAME} 假装叫你": False}


async def test_a_group_s_new_name_and_our_coming_and_going(line: Line) -> None:
    puppet, feed, writer = line.puppet, line.feed, line.writer
    writer.run_now(lambda session: session.add(Group(platform="wechat", account="main", chat=ROOM, name="港新1号网格")))
    async with line.platform():
        await puppet.joined(ROOM, ["王五"])  # somebody else
        await puppet.joined(ROOM, [BOT], "李叔")
        await feed.until(lambda: len(feed.taken) == 1)
        assert (feed.taken[0].kind, feed.taken[0].group_name, feed.taken[0].sender.id) == (Kind.JOINED, "港新1号网格", "李叔")
        await puppet.topic(ROOM, "幸福小区群")
        name = select(Group.name)
        await until(lambda: writer.read_now(lambda session: session.exec(name).one()) == "幸福小区群")
        await puppet.left(ROOM, [BOT])
        await feed.until(lambda: len(feed.taken) == 2)
        assert feed.taken[1].kind is Kind.LEFT
        here = select(WechatRoom.present, WechatRoom.announced)
        assert writer.read_now(lambda session: session.exec(here).one()) == (False, False)

        # and in again, noticed by a message although nobody told
        await puppet.deed("joined", room=ROOM, members=[], by="")
        await puppet.say("张阿姨", ROOM, "你又来了")
        await feed.until(lambda: len(feed.taken) == 4)
        assert [event.kind for event in feed.taken[2:]] == [Kind.JOINED, Kind.MESSAGE]


async def test_a_name_that_the_station_gave_stays(line: Line) -> None:
    line.writer.run_now(lambda session: session.add(Group(platform="wechat", account="main", chat=ROOM, name="一号群（老年）")))
    async with line.platform():
        await line.puppet.topic(ROOM, "新名字")
        await line.puppet.say("张阿姨", ROOM, "改名了")
        await line.feed.until(lambda: "改名了" in line.heard())
        assert line.writer.read_now(lambda session: session.exec(select(Group.name)).one()) == "一号群（老年）"


async def test_friends_are_made_so_that_people_can_write_privately(line: Line) -> None:
    async with line.platform():
        await line.puppet.contact("小周")
        await line.puppet.deed("friendship", id="f1", contact="小周", type=2)
        await line.puppet.deed("invitation", id="i1")
        await line.puppet.until(lambda: sorted(line.puppet.accepted) == ["f1", "i1"])
        await line.puppet.deed("friendship", id="f2", contact="小周", type=1)
        await line.feed.until(lambda: len(line.feed.taken) == 1)
        assert (line.feed.taken[0].kind, line.feed.taken[0].address.chat) == (Kind.MET, "小周")


async def test_a_file_needs_a_connection(line: Line) -> None:
    async with line.platform() as platform:
        await line.puppet.photo("张阿姨", ROOM, b"x" * 100)
        await line.feed.until(lambda: len(line.feed.taken) == 2)
        attachment = line.feed.taken[1].attachments[0]
    with pytest.raises(RetryLater):
        await platform.fetch(attachment, 1000)


def asked(session: Session) -> int:
    """How many groups the service has been asked about."""
    return session.exec(select(func.count()).select_from(WechatRoom).where(col(WechatRoom.fetched_at).is_not(None))).one()


async def test_six_thousand_groups_do_not_open_six_thousand_calls(line: Line) -> None:
    rests: list[float] = []

    async def sleep(seconds: float) -> None:
        rests.append(seconds)
        await asyncio.sleep(min(seconds, 0.2) if seconds != 0.5 else 0)

    await line.puppet.deed("rooms", count=6000, members=["张阿姨", BOT])
    async with line.platform({"sleep": sleep}):
        await line.puppet.say("张阿姨", ROOM, "我也在")
        await line.feed.until(lambda: "我也在" in line.heard())
        await until(lambda: rests.count(0.5) >= 6001, seconds=90)
        await until(lambda: line.writer.read_now(asked) == 6001)
        calls, most = await line.puppet.calls()
        assert calls["roomList"] == 1
        assert calls["roomPayload"] >= 6000
        assert most <= 8  # four looking at groups, and what listening itself needs
        assert rests.count(0.5) >= 6000  # a rest after each, so that it takes some twelve minutes in life
        assert [event.kind for event in line.feed.taken].count(Kind.JOINED) == 1  # and nobody is greeted in 6,000 groups at once
