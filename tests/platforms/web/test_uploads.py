"""Photos: what is taken in, what gets a sentence, who sees them, and that nothing of the original but the picture is left."""

from __future__ import annotations

import io
import json
import struct
import zlib

import aiohttp
import pytest
from PIL import Image

from bot.errors import RefusedInput
from bot.messages import Attachment
from tests.platforms.web.conftest import OTHER_ROOM, ROOM, Browser, Chat, picture

HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(200)


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it has `width` times `height` pixels, and does."""
    rows = zlib.compress(bytes(height * (width // 8 + 1)), 9)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack("!I", len(body)) + kind + body + struct.pack("!I", zlib.crc32(kind + body))

    head = struct.pack("!IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def with_place() -> bytes:
    """A JPEG from a phone: lying on its side, with the place and the phone's name in it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "SecretPhone"
    exif.get_ifd(0x8825).update({1: "N", 2: (31.0, 13.0, 49.44), 3: "E", 4: (121.0, 28.0, 25.32)})
    return picture(400, 200, exif=exif, comment=b"SecretComment")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_a_photo_goes_in_and_comes_out(chat: Chat, kind: str) -> None:
    browser = await chat.persona("zhang")
    status, answer = await browser.upload(picture(3000, 1000, kind))
    assert (status, answer["width"], answer["height"]) == (200, 2048, 683)
    tab = await browser.tab()
    ack = await tab.say("看照片", photos=[answer["photo"]])
    (message,) = await tab.page()
    assert message["photos"] == [{"id": answer["photo"], "width": 2048, "height": 683}]
    for size, longest in (("full", 2048), ("thumb", 480)):
        status, raw = await browser.get(f"/api/photos/{answer['photo']}?size={size}")
        with Image.open(io.BytesIO(raw)) as shown:
            assert (status, shown.format, max(shown.size)) == (200, "JPEG", longest)
    (heard,) = chat.bot.heard
    (attachment,) = heard.attachments
    assert (heard.message_id, attachment.kind, attachment.mime) == (ack["id"], "photo", "image/jpeg")
    raw = await chat.platform.fetch(attachment, 10_000_000)
    assert len(raw) == attachment.size
    with pytest.raises(RefusedInput, match=r"photo\.too_large"):
        await chat.platform.fetch(attachment, attachment.size - 1)
    with pytest.raises(RefusedInput, match=r"photo\.gone"):
        await chat.platform.fetch(Attachment("nothing", "photo"), 1000)


async def test_place_phone_and_comment_are_gone_and_the_photo_stands_upright(chat: Chat) -> None:
    browser = await chat.persona("zhang")
    raw = with_place()
    assert b"SecretPhone" in raw
    _, answer = await browser.upload(raw)
    assert (answer["width"], answer["height"]) == (200, 400)
    for size in ("full", "thumb"):
        _, shown = await browser.get(f"/api/photos/{answer['photo']}?size={size}")
        assert b"Secret" not in shown
        assert b"Exif" not in shown
    tab = await browser.tab()
    await tab.say("看照片", photos=[answer["photo"]])
    (attachment,) = chat.bot.heard[-1].attachments
    assert attachment.point == pytest.approx((31.2304, 121.4737))  # for the case alone
    assert "31.2" not in json.dumps(await tab.page())


async def test_a_see_through_picture_gets_a_white_ground(chat: Chat) -> None:
    browser = await chat.persona("zhang")
    out = io.BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(out, "PNG")
    _, answer = await browser.upload(out.getvalue())
    _, shown = await browser.get(f"/api/photos/{answer['photo']}")
    with Image.open(io.BytesIO(shown)) as drawn:
        assert drawn.getpixel((10, 10)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("raw", "status", "words"),
    [
        (b"", 400, "没有收到照片内容"),
        (b"MZ this is a program", 400, "不是照片"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 400, "不是照片"),
        (picture(8, 8, "GIF"), 400, "不是照片"),
        (HEIC, 400, "截个图"),
        (picture()[:400], 400, "打不开"),
        (b"\xff\xd8\xff" + b"not really a JPEG" * 20, 400, "打不开"),
        (bomb(20_000, 20_000), 400, "尺寸太大"),
        (bomb(60_000, 600), 200, ""),
        (bytes(30_000_000), 413, "最多 15 兆"),
        (b"\xff\xd8\xff" + bytes(15_000_000), 413, "最多 15 兆"),
    ],
    ids=["empty", "program", "svg", "gif", "heic", "cut off", "only a head", "bomb", "long but small", "30 MB", "just too large"],
)
async def test_what_is_no_photo_gets_a_sentence(chat: Chat, raw: bytes, status: int, words: str) -> None:
    browser = await chat.persona("zhang")
    answered, answer = await browser.upload(raw)
    assert answered == status, answer
    assert words in answer.get("error", {}).get("text", "")
    assert (await browser.upload(picture()))[0] == 200


async def test_a_large_body_without_a_length_is_cut_off(chat: Chat) -> None:
    browser = await chat.persona("zhang")

    async def endless():  # type: ignore[no-untyped-def]
        for _ in range(300):
            yield bytes(100_000)

    async with browser.session.post(f"{browser.url}/api/photos", data=endless(), headers=browser.headers()) as answer:
        assert answer.status == 413


async def test_the_same_upload_again_is_the_same_photo(chat: Chat) -> None:
    browser = await chat.persona("zhang")
    _, first = await browser.upload(picture(), "client-1")
    assert (await browser.upload(picture(), "client-1"))[1] == first
    assert (await browser.upload(picture(), "client-2"))[1]["photo"] != first["photo"]
    assert (await (await chat.persona("wang")).upload(picture(), "client-1"))[1]["photo"] != first["photo"]


async def test_only_who_was_there_sees_a_photo(chat: Chat) -> None:
    zhang, wang, li = await chat.persona("zhang"), await chat.persona("wang"), await chat.persona("li")
    _, answer = await li.upload(picture())
    path = f"/api/photos/{answer['photo']}"

    async def seen(browser: Browser) -> int:
        return (await browser.get(path))[0]

    assert [await seen(browser) for browser in (li, zhang, wang)] == [200, 404, 404]
    tab = await li.tab()
    await tab.say("二号的", room=OTHER_ROOM, photos=[answer["photo"]])
    assert [await seen(browser) for browser in (li, zhang, wang)] == [200, 404, 404]
    said = await tab.say("一号的", room=ROOM, photos=[answer["photo"]])
    assert [await seen(browser) for browser in (li, zhang, wang)] == [200, 200, 200]
    await tab.send("recall", room=ROOM, message=said["id"])
    await tab.get("recalled")
    assert [await seen(browser) for browser in (li, zhang, wang)] == [200, 404, 404]
    assert (await chat.browser().get(path))[0] == 401


async def test_nobody_sends_a_photo_of_somebody_else(chat: Chat) -> None:
    zhang, wang = await chat.persona("zhang"), await chat.persona("wang")
    _, answer = await zhang.upload(picture())
    refused = await (await wang.tab()).say("我的", photos=[answer["photo"]])
    assert refused["code"] == "photo_gone"


async def test_a_recalled_photo_is_deleted_and_others_uploads_are_not(chat: Chat) -> None:
    zhang, wang = await chat.persona("zhang"), await chat.persona("wang")
    _, sent = await zhang.upload(picture())
    _, waiting = await wang.upload(picture())
    tab = await zhang.tab()
    said = await tab.say("", photos=[sent["photo"]])
    await tab.send("recall", room=ROOM, message=said["id"])
    await tab.get("recalled")
    assert (await zhang.get(f"/api/photos/{sent['photo']}"))[0] == 404
    assert (await (await wang.tab()).say("", photos=[waiting["photo"]]))["t"] == "ack"


async def test_uploads_need_a_session(chat: Chat) -> None:
    browser = chat.browser()
    await browser.look()
    status, answer = await browser.upload(picture())
    assert (status, answer["error"]["text"]) == (401, "请先登录，或者点邀请链接进群。")


async def test_one_person_cannot_fill_the_memory_with_half_sent_photos(chat: Chat) -> None:
    browser = await chat.persona("zhang")
    host, port = browser.url.removeprefix("http://").split(":")
    head = "".join(f"{name}: {value}\r\n" for name, value in browser.headers().items())
    cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in browser.session.cookie_jar)
    import asyncio

    half = [await asyncio.open_connection(host, int(port)) for _ in range(4)]
    for _, writer in half:
        request = f"POST /api/photos HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {cookies}\r\n{head}Content-Length: 9000\r\n\r\n"
        writer.write(request.encode() + b"\xff\xd8\xff")
        await writer.drain()
    busy = chat.platform._house.server._uploads._busy  # type: ignore[union-attr]
    from tests.platforms.web.conftest import until

    await until(lambda: busy["zhang"] == 4)
    assert (await browser.upload(picture()))[1]["error"]["code"] == "busy"
    for _, writer in half:
        writer.close()
        await writer.wait_closed()
    await until(lambda: busy["zhang"] == 0)
    assert (await browser.upload(picture()))[0] == 200
    assert isinstance(browser.session, aiohttp.ClientSession)
