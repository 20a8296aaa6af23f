"""What the bot says: once per key, into rooms that exist, with photos out of the data directory only."""

from __future__ import annotations

import asyncio
import io

import pytest
from PIL import Image

from bot.errors import NeverDelivered
from bot.messages import Address, Choice, Outbound
from tests.platforms.web.conftest import GROUP, OTHER_ROOM, Chat, picture

OTHER = Address("web", "web", OTHER_ROOM)


async def test_the_same_key_appears_once_and_gives_the_first_receipt(chat: Chat) -> None:
    tab = await (await chat.persona("zhang")).tab()
    first = await chat.platform.send(GROUP, Outbound("notice-1", "已登记"))
    chat.clock.move(seconds=30)
    again = await asyncio.gather(*(chat.platform.send(GROUP, Outbound("notice-1", "已登记（重发）")) for _ in range(5)))
    assert set(again) == {first}
    await chat.restart()
    assert await chat.platform.send(GROUP, Outbound("notice-1", "已登记")) == first
    tab = await (await chat.persona("zhang")).tab()
    assert [message["text"] for message in await tab.page()] == ["已登记"]
    elsewhere = await chat.platform.send(OTHER, Outbound("notice-1", "另一个群"))
    assert elsewhere.message_id != first.message_id


@pytest.mark.parametrize(
    "to",
    [
        Address("web", "web", "nowhere"),
        Address("web", "web", "zhang"),
        Address("web", "web", "private-zhang"),
        Address("web", "web", "gangxin-1", private=True),
        Address("telegram", "web", "gangxin-1"),
    ],
)
async def test_an_unknown_room_is_never_delivered_to(chat: Chat, to: Address) -> None:
    with pytest.raises(NeverDelivered) as refused:
        await chat.platform.send(to, Outbound("k", "喂"))
    assert refused.value.gone
    assert not await chat.platform.recall(to, "m")


async def test_too_long_a_text_is_never_delivered(chat: Chat) -> None:
    with pytest.raises(NeverDelivered):
        await chat.platform.send(GROUP, Outbound("k", "长" * 5001))
    await chat.platform.send(GROUP, Outbound("k", "长" * 5000))


async def test_a_person_is_called_by_name_once(chat: Chat) -> None:
    tab = await (await chat.persona("zhang")).tab()
    await chat.platform.send(GROUP, Outbound("k1", "登记好了", mention="zhang"))
    await chat.platform.send(GROUP, Outbound("k2", "@张阿姨 处理好了", mention="zhang"))
    first, second = await tab.page()
    assert [first["text"], second["text"]] == ["@张阿姨 登记好了", "@张阿姨 处理好了"]
    assert first["mentions"] == second["mentions"] == ["zhang"]


async def test_a_photo_is_drawn_anew_and_shown_to_the_room(chat: Chat) -> None:
    (chat.folder / "photos").mkdir()
    (chat.folder / "photos" / "result.jpg").write_bytes(picture(3000, 1500, comment=b"SecretComment"))
    browser = await chat.persona("zhang")
    tab = await browser.tab()
    for _ in range(2):
        await chat.platform.send(GROUP, Outbound("k", "处理结果", photo="photos/result.jpg"))
    absolute = str(chat.folder / "photos" / "result.jpg")
    await chat.platform.send(OTHER, Outbound("k", "同一张", photo=absolute))
    (message,) = await tab.page()
    (photo,) = message["photos"]
    assert (photo["width"], photo["height"]) == (2048, 1024)
    _, raw = await browser.get(f"/api/photos/{photo['id']}")
    assert b"SecretComment" not in raw
    with Image.open(io.BytesIO(raw)) as shown:
        assert shown.size == (2048, 1024)


@pytest.mark.parametrize("path", ["../outside.jpg", "/etc/hostname", "missing.jpg", "text.jpg", ".", "a\0b"])
async def test_a_photo_that_cannot_be_shown_is_never_delivered(chat: Chat, path: str) -> None:
    (chat.folder.parent / "outside.jpg").write_bytes(picture())
    (chat.folder / "text.jpg").write_text("no picture")
    with pytest.raises(NeverDelivered):
        await chat.platform.send(GROUP, Outbound("k", "看", photo=path))


async def test_the_bot_takes_its_own_messages_back_and_nobody_elses(chat: Chat) -> None:
    zhang = await (await chat.persona("zhang")).tab()
    said = await zhang.say("我的话")
    receipt = await chat.platform.send(GROUP, Outbound("k", "发错了"))
    chat.clock.move(days=2)
    assert await chat.platform.recall(GROUP, receipt.message_id)
    assert (await zhang.get("recalled"))["by"]["role"] == "bot"
    assert not await chat.platform.recall(GROUP, said["id"])
    assert not await chat.platform.recall(OTHER, receipt.message_id)
    assert not await chat.platform.recall(GROUP, "nothing")
    assert len(chat.bot.heard) == 1


async def test_before_anybody_listens_the_bot_may_speak(chat: Chat) -> None:
    await chat.stop()
    chat.platform = chat.build()
    assert not chat.platform.health().listening
    await chat.platform.send(GROUP, Outbound("early", "早上好"))
    await chat.start(rooms=(), users=())
    assert chat.platform.health().listening
    tab = await (await chat.persona("zhang")).tab()
    assert [message["text"] for message in await tab.page()] == ["早上好"]


async def test_what_the_bot_said_can_say_something_else(chat: Chat) -> None:
    zhang = await (await chat.persona("zhang")).tab()
    receipt = await chat.platform.send(GROUP, Outbound("k", "收到", choices=(Choice("好", "好"),)))
    said = await zhang.get("message")
    away = await (await chat.persona("wang")).tab()
    seen = said["message"]["seq"]
    await away.socket.close()
    assert await chat.platform.edit(GROUP, receipt.message_id, Outbound("k2", "收到\n进展：已接单"))
    changed = await zhang.get("changed")
    assert (changed["message"], changed["text"], changed["choices"]) == (receipt.message_id, "收到\n进展：已接单", [])
    assert changed["seq"] > seen
    # the same words again are no news, and who was away gets them when coming back
    assert await chat.platform.edit(GROUP, receipt.message_id, Outbound("k2", "收到\n进展：已接单"))
    back = await (await chat.persona("wang")).tab(since={GROUP.chat: seen})
    assert (await back.get("changed"))["text"] == "收到\n进展：已接单"
    assert [message["text"] for message in await back.page()] == ["收到\n进展：已接单"]


async def test_only_words_of_the_bot_that_stand_can_be_changed(chat: Chat) -> None:
    zhang = await (await chat.persona("zhang")).tab()
    said = await zhang.say("我的话")
    receipt = await chat.platform.send(GROUP, Outbound("k", "收到"))
    for where, which in ((GROUP, said["id"]), (OTHER, receipt.message_id), (GROUP, "nothing")):
        assert not await chat.platform.edit(where, which, Outbound("k2", "别的话"))
    assert not await chat.platform.edit(GROUP, receipt.message_id, Outbound("k2", "长" * 5001))
    assert await chat.platform.recall(GROUP, receipt.message_id)
    assert not await chat.platform.edit(GROUP, receipt.message_id, Outbound("k2", "别的话"))
