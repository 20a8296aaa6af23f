"""The rooms forget: after seven days, or with the process, down to the last byte of every file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.messages import Outbound
from bot.platforms.web import RoomSeed, UserSeed, WebSettings
from tests.platforms.web.conftest import GROUP, ROOM, Bot, Chat, picture, running

SECRET = "三单元二零一王小明的电话"


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_after_seven_days_nothing_of_it_is_in_any_file(chat: Chat) -> None:
    browser = await chat.persona("zhang")
    tab = await browser.tab()
    _, photo = await browser.upload(picture(600, 600))
    _, loose = await browser.upload(picture(300, 300))
    _, raw = await browser.get(f"/api/photos/{photo['photo']}")
    await tab.say(SECRET, photos=[photo["photo"]])
    await chat.platform.send(GROUP, Outbound("k", f"收到：{SECRET}"))
    assert SECRET.encode() not in bytes_in(chat.folder)  # sealed from the first moment
    assert len(await tab.page()) == 2
    chat.clock.move(days=6)
    await tab.say("还在的")
    assert await chat.platform.retain() == 0
    assert (await browser.get(f"/api/photos/{loose['photo']}"))[0] == 404
    assert len(await tab.page()) == 3
    chat.clock.move(days=1, seconds=1)
    assert await chat.platform.retain() == 2
    assert [message["text"] for message in await tab.page()] == ["还在的"]
    assert (await browser.get(f"/api/photos/{photo['photo']}"))[0] == 404
    left = bytes_in(chat.folder)
    assert SECRET.encode() not in left
    assert raw[200:400] not in left
    # numbers go on where they were: what a browser has seen stays seen
    assert (await tab.say("新的"))["seq"] == 4


async def test_what_was_recalled_is_gone_from_the_files_with_the_next_round(chat: Chat) -> None:
    tab = await (await chat.persona("zhang")).tab()
    said = await tab.say(SECRET)
    await tab.send("recall", room=ROOM, message=said["id"])
    await tab.get("recalled")
    await tab.page()
    await chat.platform.retain()
    assert SECRET.encode() not in bytes_in(chat.folder)


async def test_a_message_the_bot_never_took_goes_with_the_rest(chat: Chat) -> None:
    async def deaf(_: object) -> None:
        raise OSError

    chat.bot.before = deaf
    await (await (await chat.persona("zhang")).tab()).say(SECRET)
    chat.clock.move(days=8)
    await chat.platform.retain()
    chat.bot = Bot()
    await chat.restart()
    assert chat.bot.heard == []
    assert SECRET.encode() not in bytes_in(chat.folder)


async def test_with_zero_days_words_live_in_memory_and_people_in_the_file(tmp_path: Path) -> None:
    async with running(WebSettings(port=0, demo=True, keep_days=0), tmp_path) as chat:
        browser = await chat.persona("zhang")
        tab = await browser.tab()
        _, photo = await browser.upload(picture(600, 600))
        _, raw = await browser.get(f"/api/photos/{photo['photo']}")
        first = await tab.say(SECRET, photos=[photo["photo"]])
        await tab.send("read", room=ROOM, seq=first["seq"])
        assert len(await tab.page()) == 1
        assert SECRET.encode() not in bytes_in(chat.folder)
        assert raw[200:400] not in bytes_in(chat.folder)
        chat.clock.move(seconds=5)
        await chat.restart()
        # the token still opens the room, which is empty and counts on from above what the browser has seen
        tab = await browser.tab(since={ROOM: first["seq"]})
        assert await tab.page() == []
        assert (await tab.say("又来了"))["seq"] > first["seq"]
        assert (await tab.page())[0]["text"] == "又来了"


async def test_going_from_seven_days_to_zero_empties_the_file(chat: Chat) -> None:
    tab = await (await chat.persona("zhang")).tab()
    await tab.say(SECRET)
    await chat.restart(keep_days=0)
    assert SECRET.encode() not in bytes_in(chat.folder)


async def test_without_a_file_everything_is_in_memory(tmp_path: Path) -> None:
    chat = Chat(WebSettings(port=0, demo=True, keep_days=0), tmp_path)
    chat.file = None
    chat.platform = chat.build()
    try:
        await chat.start()
        tab = await (await chat.persona("zhang")).tab()
        await tab.say(SECRET)
        assert await chat.platform.retain() == 0
        assert list(tmp_path.iterdir()) == []
    finally:
        await chat.close()


async def test_seeding_again_changes_names_and_forgets_nobody(chat: Chat) -> None:
    tab = await (await chat.persona("zhang")).tab()
    await tab.say("先说一句")
    await chat.platform.seed([RoomSeed(ROOM, "港新一号网格", (), ("new",))], [UserSeed("new", "新来的")])
    cards = {card.id: card for card in await chat.platform.rooms()}
    assert (cards[ROOM].name, cards[ROOM].people) == ("港新一号网格", 4)
    fresh = await (await chat.persona("new")).tab()
    assert [message["text"] for message in await fresh.page()] == ["先说一句"]


@pytest.mark.parametrize("bad", ["", "群", "a b", "x" * 65, "bot"])
async def test_ids_that_no_frame_could_name_are_refused_when_seeding(chat: Chat, bad: str) -> None:
    with pytest.raises(ConfigError):
        await chat.platform.seed([RoomSeed(bad, "群")], [])


async def test_a_file_of_a_newer_version_is_not_touched(chat: Chat) -> None:
    import sqlite3

    await chat.stop()
    connection = sqlite3.connect(chat.folder / "web.sqlite3")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    chat.platform = chat.build()
    with pytest.raises(ConfigError, match="99"):
        await chat.platform.rooms()


async def test_the_file_is_for_its_owner_only(chat: Chat) -> None:
    mode = await asyncio.to_thread(lambda: (chat.folder / "web.sqlite3").stat().st_mode)
    assert mode & 0o077 == 0
