"""Too much, too fast, too slow, too large: every one gets an answer, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from aiohttp import WSMsgType
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import RetryLater
from bot.messages import Attachment, Outbound
from bot.platforms.web import RoomSeed, UserSeed, WebSettings
from bot.platforms.web.hub import Line, Outbox
from bot.platforms.web.wire import BadFrame, parse
from tests.platforms.web.conftest import GROUP, ROOM, Chat, running, until


async def test_too_many_frames_a_second_are_put_off_and_arrive_at_the_retry(chat: Chat) -> None:
    tab = await (await chat.persona("zhang")).tab()
    for number in range(60):
        await tab.send("say", cid=f"c{number}", room=ROOM, text=f"第{number}句")
    acked: set[str] = set()
    refused: list[str] = []
    while len(acked) + len(refused) < 60:
        frame = await tab.next()
        if frame["t"] == "ack":
            acked.add(frame["cid"])
        elif frame["t"] == "refused":
            assert (frame["code"], frame["text"]) == ("slow_down", "发得太快了，稍等一下会自动再发。")
            refused.append(frame["cid"])
    assert refused
    assert len(acked) >= 20
    while refused:
        cid = refused.pop(0)
        answer = await tab.say(f"第{cid[1:]}句", cid=cid)
        if answer["t"] == "refused":
            assert answer["code"] == "slow_down"
            refused.append(cid)
        else:
            acked.add(cid)
    assert len(chat.bot.heard) == len(acked) == 60


async def test_pings_are_answered_even_when_too_fast(chat: Chat) -> None:
    tab = await (await chat.persona("zhang")).tab()
    for _ in range(100):
        await tab.send("ping")
    for _ in range(100):
        assert (await tab.next())["t"] == "pong"


async def test_frames_that_are_none_get_a_sentence_and_cost_nothing(chat: Chat) -> None:
    tab = await (await chat.persona("zhang")).tab()
    for raw in (
        "",
        "[]",
        "{",
        "nonsense",
        "[" * 5000,
        '{"t":"dance"}',
        '{"t":"hello","token":null}',
        '{"t":"say"}',
        '{"t":"read","room":"gangxin-1","seq":1.5}',
        '{"t":"older","room":"gangxin-1","before":true}',
    ):
        await tab.socket.send_str(raw)
        assert (await tab.get("refused"))["code"] == "bad", raw
    await tab.socket.send_str('{"t":"say","cid":"c-9","room":"gangxin-1","text":7}')
    assert (await tab.get("refused"))["cid"] == "c-9"
    await tab.socket.send_bytes(b"\x00")
    assert (await tab.get("refused"))["code"] == "bad"


async def test_a_frame_above_64_kb_gets_a_sentence_and_a_huge_one_ends_the_connection(chat: Chat) -> None:
    tab = await (await chat.persona("zhang")).tab()
    await tab.send("read", room=ROOM, seq=0, padding="x" * 70_000)
    assert (await tab.get("refused"))["code"] == "too_big"
    assert (await tab.say("长" * 20_000))["code"] == "too_long"
    await tab.socket.send_str("x" * 300_000)
    assert (await tab.socket.receive()).type is WSMsgType.CLOSE
    assert tab.socket.close_code == 1009


async def test_who_does_not_say_hello_is_let_go(tmp_path: Path) -> None:
    async with running(WebSettings(port=0, demo=True, hello_seconds=0.05), tmp_path) as chat:
        browser = await chat.persona("zhang")
        silent, rude = await browser.connect(), await browser.connect()
        assert (await silent.socket.receive()).data == 4400
        await rude.send("say", cid="c", room=ROOM, text="我先说")
        assert (await rude.socket.receive()).data == 4400
        assert chat.bot.heard == []


async def test_a_wrong_token_is_shown_the_door(chat: Chat) -> None:
    for token in (None, "", "x", "x" * 1000):
        tab = await chat.browser().connect()
        await tab.send("hello", token=token, since={})
        assert await tab.next() == {"t": "bye", "code": "signed_out", "text": "您已退出登录。"}


async def test_connections_from_one_address_are_counted(tmp_path: Path) -> None:
    async with running(WebSettings(port=0, demo=True, connections_per_address=3), tmp_path) as chat:
        browser = await chat.persona("zhang")
        tabs = [await browser.tab() for _ in range(3)]
        fourth = await browser.connect()
        assert (await fourth.next())["code"] == "too_many"
        tabs[0].cut()
        counted = chat.platform._house.server._sockets._from  # type: ignore[union-attr]
        await until(lambda: counted["127.0.0.1"] == 2)
        await browser.tab()


async def test_a_slow_reader_is_let_go_and_the_others_are_not_held_up(chat: Chat) -> None:
    slow = await (await chat.persona("wang")).tab()
    connection = slow.socket._response.connection
    assert connection is not None
    assert connection.transport is not None
    connection.transport.pause_reading()
    hub = chat.platform._house.server.hub  # type: ignore[union-attr]
    number = 0
    # the kernel's buffers on both sides fill first, then ours
    while hub.of("wang"):
        await chat.platform.send(GROUP, Outbound(f"k{number}", "长" * 5000))
        number += 1
        assert number < 5000
    slow.cut()
    zhang = await (await chat.persona("zhang")).tab()
    assert (await zhang.say("我还在"))["t"] == "ack"
    assert len(await zhang.page()) == 50


class StuckSocket:
    """A browser that reads nothing until told."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.closed = False
        self.reading = asyncio.Event()

    async def send_str(self, data: str) -> None:
        await self.reading.wait()
        self.sent.append(data)

    async def close(self, *, code: int = 1000, message: bytes = b"") -> bool:
        self.closed = True
        return True


async def test_a_slow_reader_hears_why() -> None:
    socket = StuckSocket()
    outbox = Outbox(socket, 1000, lambda: None)
    line = Line("zhang", "s", outbox, '{"t":"bye","code":"slow"}')
    line.caught_up()
    for seq in range(20):
        line.post_numbered(ROOM, seq, "x" * 100)
    socket.reading.set()
    await until(lambda: socket.closed)
    assert socket.sent[-1] == '{"t":"bye","code":"slow"}'
    assert len(socket.sent) <= 2
    await outbox.stop()


async def test_one_slow_page_after_another_for_who_catches_up(chat: Chat) -> None:
    browser = await chat.persona("wang")
    zhang = await (await chat.persona("zhang")).tab()
    first = await zhang.say("开始")
    for number in range(300):
        await chat.platform.send(GROUP, Outbound(f"k{number}", "长" * 2500))
    tab = await browser.tab(since={ROOM: first["seq"]})
    seen = [await tab.next() for _ in range(300)]
    assert [frame["message"]["seq"] for frame in seen] == list(range(2, 302))


NAMES = ("t", "cid", "room", "text", "photos", "reply_to", "mentions", "since", "token", "seq", "before", "message", "value")
VALUES = st.one_of(
    st.sampled_from(["say", "hello", "tap", "recall", "read", "older", "ping", "c-1", "\ud800", None, True, -1, 2**60, 0.5]),
    st.text(max_size=5),
    st.lists(st.text(max_size=3) | st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES) | VALUES)
@settings(max_examples=300, deadline=None)
def test_whatever_comes_is_a_frame_or_a_bad_frame(found: object) -> None:
    try:
        frame = parse(json.dumps(found))
    except BadFrame:
        return
    assert frame is not None


@pytest.mark.parametrize("t", ["say", "tap"])
def test_a_cid_is_found_in_a_bad_frame(t: str) -> None:
    with pytest.raises(BadFrame) as bad:
        parse(json.dumps({"t": t, "cid": "c-1"}))
    assert bad.value.cid == "c-1"


async def test_a_locked_file_loses_nothing(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.writer.LOCK_PATIENCE_SECONDS", 0.0)
    tab = await (await chat.persona("zhang")).tab()
    other = sqlite3.connect(chat.folder / "web.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        refused = await tab.say("门口有人打架", cid="c-1")
        assert (refused["code"], chat.bot.heard) == ("not_taken", [])
        with pytest.raises(RetryLater):
            await chat.platform.send(GROUP, Outbound("k", "收到"))
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert (await tab.say("门口有人打架", cid="c-1"))["t"] == "ack"
    await chat.platform.send(GROUP, Outbound("k", "收到"))
    assert [message["text"] for message in await tab.page()] == ["门口有人打架", "收到"]


async def test_after_closing_nothing_is_opened_again(chat: Chat) -> None:
    await chat.stop()
    with pytest.raises(RetryLater):
        await chat.platform.send(GROUP, Outbound("k", "收到"))
    with pytest.raises(RetryLater):
        await chat.platform.fetch(Attachment("p", "photo"), 100)
    assert not await chat.platform.recall(GROUP, "m")


async def test_in_a_large_room_officers_and_oneself_are_listed_first(chat: Chat) -> None:
    people = [UserSeed(f"u{n}", f"邻居{n}") for n in range(300)]
    await chat.platform.seed([RoomSeed(ROOM, "港新1号网格", (), tuple(person.id for person in people))], people)
    tab = await (await chat.persona("u250")).tab()
    (room,) = (room for room in tab.passed[0]["rooms"] if room["id"] == ROOM)
    assert [member["id"] for member in room["members"]][:3] == ["bot", "li", "u250"]
    assert len(room["members"]) == 200
