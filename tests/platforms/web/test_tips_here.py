"""Tips on the web platform, with the whole house on a real socket: the form without an account, and a private chat that keeps
nothing of what was told in confidence."""

from __future__ import annotations

import re
from pathlib import Path

import aiohttp
import pytest
from sqlmodel import select

from bot.app import App, serving
from bot.config import load_settings
from bot.platforms.web import tipform
from storage.tables import Tip, TipPicture
from tests.kit.scenario import jpeg, library
from tests.platforms.web.conftest import Browser

TIP = "有人在3号楼租房开赌局，天天半夜散场"
MORE = "大概两三点，有保安放风"
MORE_WORDS = "有人在4号楼地下室倒卖证件"


def in_files(folder: Path, *words: str) -> list[str]:
    """Which words stand in which files, in the encodings in which bytes could hide them."""
    found = []
    for path in sorted(folder.rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        found += [f"{path.name}: {word}" for word in words if word.encode() in data or word.encode("utf-16-le") in data]
    return found


async def form(session: aiohttp.ClientSession, url: str, **fields: str) -> tuple[int, str]:
    headers = {"Origin": url}
    async with session.post(f"{url}/tip", data=fields, headers=headers, allow_redirects=False) as answer:
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.status, await answer.text()


async def form_story(app: App, url: str, folder: Path) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/tip") as answer:
            page = await answer.text()
            assert "Set-Cookie" not in answer.headers
            assert "script" not in page
            assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Referrer-Policy"] == "same-origin"  # else the form would come without its origin
        status, page = await form(session, url, step="tell", words=TIP)
        found = re.search(r"(?:\d{4} ){4}\d{4}", page)
        assert (status, found is not None) == (200, True)
        receipt = found[0] if found else ""
        assert "还没有人看" in (await form(session, url, step="look", receipt=receipt, more=""))[1]
        assert "补充好了" in (await form(session, url, step="look", receipt=receipt, more=MORE))[1]
        status, page = await form(session, url, step="look", receipt="0" * 20, more=MORE)
        assert (status, "没有找到" in page) == (422, True)
        status, page = await form(session, url, step="tell", words=receipt)
        assert (status, "不要当成线索发" in page) == (422, True)
        assert (await form(session, url, step="tell", words="短"))[0] == 422
        await pictures_story(app, session, url, folder)
        async with session.post(f"{url}/tip", data={"words": TIP}, headers={"Origin": "https://elsewhere.example"}) as foreign:
            assert foreign.status == 403
        async with session.post(f"{url}/tip", data={"words": "<b>" * 20 + "&"}, headers={"Origin": url}) as markup:
            assert "<b>" not in await markup.text()
    tips = await app.writer.read(lambda session: session.exec(select(Tip)).all())
    assert len(tips) == 4
    assert in_files(folder, TIP, MORE, MORE_WORDS, receipt, receipt.replace(" ", ""), "127.0.0.1") == []


def with_pictures(*pictures: bytes, **fields: str) -> aiohttp.FormData:
    data = aiohttp.FormData()
    for name, value in fields.items():
        data.add_field(name, value)
    for number, raw in enumerate(pictures):
        data.add_field("pictures", raw, filename=f"IMG_{number}.jpg", content_type="image/jpeg")
    return data


async def pictures_story(app: App, session: aiohttp.ClientSession, url: str, folder: Path) -> None:
    """Pictures on the form: drawn anew, sealed, added with the receipt; what is none is said and the words stay in the form."""

    async def post(*pictures: bytes, **fields: str) -> tuple[int, str]:
        async with session.post(f"{url}/tip", data=with_pictures(*pictures, **fields), headers={"Origin": url}) as answer:
            return answer.status, await answer.text()

    def stored() -> int:
        return len(list((folder / "media").rglob("*.photo")))

    status, page = await post(b"", step="tell", words=MORE_WORDS)  # a browser sends an empty part when nothing was chosen
    assert (status, stored()) == (200, 0)
    status, page = await post(jpeg(1), jpeg(2), step="tell", words=MORE_WORDS)
    found = re.search(r"(?:\d{4} ){4}\d{4}", page)
    assert (status, found is not None, stored()) == (200, True, 2)
    receipt = found[0] if found else ""
    status, page = await post(jpeg(3), step="look", receipt=receipt, more="")
    assert (status, "补充好了" in page, stored()) == (200, True, 3)
    status, page = await post(jpeg(4), step="look", receipt="1" * 20, more="")
    assert (status, stored()) == (422, 3), "nobody fills the disk with a receipt that is none"
    status, page = await post(b"no picture", step="tell", words=MORE_WORDS)
    assert (status, "这个文件不是照片" in page, MORE_WORDS in page, stored()) == (422, True, True, 3)
    status, page = await post(*(jpeg(n) for n in range(4)), step="tell", words=MORE_WORDS)
    assert (status, stored()) == (422, 3)
    assert "最多" in page
    kept = await app.writer.read(lambda session: session.exec(select(TipPicture.path)).all())
    assert len(kept) == 3
    assert not any(b"JFIF" in (folder / path).read_bytes() for path in kept)
    async with session.get(f"{url}/tip/picture/none") as answer:
        assert (answer.status, "这个链接过期了" in await answer.text()) == (404, True)


async def chat_story(app: App, url: str, folder: Path) -> None:
    browser = await Browser(aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)), url).become("lin")
    try:
        tab = await browser.tab()
        room = "private-lin"
        await tab.say("我想举报一个人：" + TIP, room=room)
        await app.settle()
        while True:
            told = await tab.get("message", room=room)
            if found := re.search(r"(?:\d{4} ){4}\d{4}", told["message"]["text"]):
                receipt = found[0]
                break
        await tab.say(receipt, room=room)
        await app.settle()
        await tab.say(MORE, room=room)
        await app.settle()
        page = await tab.page(room)
        texts = [message["text"] for message in page]
        assert texts.count("（悄悄话，不留记录）") == 5  # tip, receipt shown, receipt said, status, more
        assert not any("赌局" in text or "放风" in text or receipt in text for text in texts)
        # not even with the key of the rooms: the words are out of the file, not only sealed in it
        house = app.web._house if app.web else None
        assert house is not None
        kept = await house.rooms.read(
            lambda session: session.connection().exec_driver_sql("SELECT opened(text) FROM message").scalars().all()
        )
        assert not any("赌局" in text or "放风" in text or receipt in text for text in kept)
        assert any("补充好了" in text for text in kept)  # control: what is said openly can be read there
        assert in_files(folder, "赌局", "放风", receipt, receipt.replace(" ", "")) == []
    finally:
        await browser.close()


async def test_the_form_and_the_private_chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tipform, "POSTS_A_MINUTE", 100)  # the story is longer than a person's
    environ = {
        "QIANSHAO_BOT__DATA_DIR": str(tmp_path),
        "QIANSHAO_WEB__PORT": "0",
        "QIANSHAO_BOT__DEMO": "true",
        "QIANSHAO_SCHEDULES": "[]",
    }
    async with serving(load_settings(Path("config.toml"), environ), library=library()) as app:
        assert app.web is not None
        await form_story(app, app.web.url, tmp_path)
        await chat_story(app, app.web.url, tmp_path)
        rows = await app.writer.read(
            lambda session: session.connection().exec_driver_sql("SELECT count(*) FROM inbox WHERE state = 'unsaying'").scalar()
        )
        assert rows == 0
