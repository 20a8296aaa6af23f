"""A web chat on a real socket, with a clock that stands still, a roster and a bot that only listens."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from argon2 import PasswordHasher
from PIL import Image

from bot.messages import Address, Inbound
from bot.platforms.web import OfficerCard, RoomSeed, TrySeed, UserSeed, WebPlatform, WebSettings

ROOM = "gangxin-1"
OTHER_ROOM = "gangxin-2"
OFFICERS_ROOM = "station"
GROUP = Address("web", "web", ROOM)
ROOMS = (
    RoomSeed(ROOM, "港新1号网格", ("class:综合", "board:平安"), ("zhang", "wang", "li")),
    RoomSeed(OTHER_ROOM, "港新2号网格", ("class:综合",), ("li",)),
    RoomSeed(OFFICERS_ROOM, "港新所工作群", ("class:工作",), ("li", "zhang"), officers_only=True),
)
USERS = (UserSeed("zhang", "张阿姨"), UserSeed("wang", "老王"), UserSeed("li", "李警官", "officer", "社区民警"))
TRIES = (TrySeed("报一个隐患", "楼道里停着电动车充电", "zhang", ROOM),)
PATIENCE = 40.0


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


class Roster:
    """Officers, and the one-time codes that they were given."""

    def __init__(self) -> None:
        self.cards = {"0371": OfficerCard("0371", "李警官", "社区民警"), "0372": OfficerCard("0372", "陈警官", "副所长")}
        self.codes = {"0371": "K7QM-2XPD", "0372": "AAAA-BBBB"}

    async def check_code(self, badge: str, code: str) -> OfficerCard | None:
        if self.codes.get(badge) != code:
            return None
        del self.codes[badge]
        return self.cards.get(badge)

    async def officer(self, badge: str) -> OfficerCard | None:
        return self.cards.get(badge)


class Bot:
    """The bot's feed: it remembers what it was told; `before` may refuse."""

    def __init__(self) -> None:
        self.heard: list[Inbound] = []
        self.before: Callable[[Inbound], Awaitable[None]] | None = None

    async def take(self, event: Inbound) -> None:
        if self.before is not None:
            await self.before(event)
        self.heard.append(event)

    async def quarantine(self, platform: str, account: str, event_id: str, raw: bytes, why: str) -> None:
        raise AssertionError("the web chat parses its own messages")

    async def hears(self, number: int) -> Inbound:
        """The `number`-th event, as soon as it has come."""
        await until(lambda: len(self.heard) >= number)
        return self.heard[number - 1]


async def until(condition: Callable[[], bool]) -> None:
    """Give way to others until `condition` holds."""
    async with asyncio.timeout(PATIENCE):
        # what is waited for is the state of a real server, which has no event for every one of them
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


class Tab:
    """One WebSocket of one person."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.passed: list[dict[str, Any]] = []

    async def send(self, t: str, **fields: Any) -> None:
        await self.socket.send_str(json.dumps({"t": t, **fields}))

    async def next(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.socket.receive_json(timeout=PATIENCE)
        return found

    async def get(self, t: str, **fields: Any) -> dict[str, Any]:
        """The next frame of this kind; what comes before it is kept in `passed`."""
        while True:
            frame = await self.next()
            if frame["t"] == t and all(frame.get(name) == value for name, value in fields.items()):
                return frame
            self.passed.append(frame)

    async def say(self, text: str = "", *, room: str = ROOM, cid: str | None = None, **more: Any) -> dict[str, Any]:
        """Say something; the answer, `ack` or `refused`."""
        cid = cid or str(uuid4())
        await self.send("say", cid=cid, room=room, text=text, **{"photos": [], "reply_to": None, "mentions": [], **more})
        return await self.answer(cid)

    async def answer(self, cid: str | None) -> dict[str, Any]:
        while True:
            frame = await self.next()
            if frame["t"] in ("ack", "refused") and frame["cid"] == cid:
                return frame
            self.passed.append(frame)

    async def page(self, room: str = ROOM, before: int = 2**40) -> list[dict[str, Any]]:
        """The last messages of a room."""
        await self.send("older", room=room, before=before)
        frame = await self.get("messages")
        messages: list[dict[str, Any]] = frame["messages"]
        return messages

    def cut(self) -> None:
        """Break the connection as a lost network does."""
        connection = self.socket._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()


class Browser:
    """One browser with its cookies; `token` is that of its tab."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url
        self.token: str | None = None
        self.csrf = ""
        self._tabs: list[Tab] = []

    def headers(self, **more: str) -> dict[str, str]:
        bearer = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {"Origin": self.url, "X-Csrf": self.csrf, **bearer, **more}

    async def look(self) -> dict[str, Any]:
        """GET /api/session."""
        async with self.session.get(f"{self.url}/api/session", headers=self.headers()) as answer:
            found: dict[str, Any] = await answer.json()
        self.csrf = found["csrf"]
        return found

    async def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        async with self.session.post(self.url + path, json=body, headers=self.headers()) as answer:
            return answer.status, await answer.json()

    async def get(self, path: str) -> tuple[int, bytes]:
        async with self.session.get(self.url + path, headers=self.headers()) as answer:
            return answer.status, await answer.read()

    async def upload(self, raw: bytes, client_id: str = "") -> tuple[int, dict[str, Any]]:
        headers = self.headers(**{"X-Client-Id": client_id})
        async with self.session.post(f"{self.url}/api/photos", data=io.BytesIO(raw), headers=headers) as answer:
            return answer.status, await answer.json()

    async def become(self, user: str) -> Browser:
        await self.look()
        status, answer = await self.post("/api/persona", {"user": user})
        assert status == 200, answer
        self.token = answer["token"]
        return self

    async def connect(self, since: dict[str, int] | None = None) -> Tab:
        """A connected WebSocket that has not said hello."""
        socket = await self.session.ws_connect(f"{self.url}/ws", headers={"Origin": self.url}, max_msg_size=0)
        tab = Tab(socket)
        self._tabs.append(tab)
        return tab

    async def tab(self, since: dict[str, int] | None = None) -> Tab:
        """A tab that has said hello; its welcome is the first in `passed`."""
        tab = await self.connect()
        await tab.send("hello", token=self.token, since=since or {})
        tab.passed.append(await tab.get("welcome"))
        return tab

    async def close(self) -> None:
        for tab in self._tabs:
            await tab.socket.close()
        await self.session.close()


class Chat:
    """A running web chat that can be stopped and started again on the same file and port."""

    def __init__(self, settings: WebSettings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.file: Path | None = folder / "web.sqlite3"
        self.clock = Clock()
        self.roster = Roster()
        self.bot = Bot()
        self.options: dict[str, Any] = {}
        self.platform = self.build()
        self._task: asyncio.Task[None] | None = None
        self._browsers: list[Browser] = []

    def build(self) -> WebPlatform:
        return WebPlatform(
            self.settings,
            rooms_file=self.file,
            gate=self.roster,
            clock=self.clock,
            data_dir=self.folder,
            # as cheap as it can be: what is tested is who gets in, not the strength of the hash
            hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1),
            **self.options,
        )

    async def start(self, *, rooms: tuple[RoomSeed, ...] = ROOMS, users: tuple[UserSeed, ...] = USERS) -> None:
        await self.platform.seed(rooms, users, TRIES)
        self._task = asyncio.create_task(self.platform.listen(self.bot))
        started = asyncio.create_task(self.platform.started())
        await asyncio.wait({self._task, started}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            started.cancel()
            await self._task

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self.platform.close()

    async def restart(self, **options: Any) -> None:
        """Stop, and start anew where we were."""
        from dataclasses import replace

        port = int(self.platform.url.rpartition(":")[2])
        await self.stop()
        self.settings = replace(self.settings, port=port, **options)
        self.platform = self.build()
        await self.start(rooms=(), users=())

    def browser(self) -> Browser:
        session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        browser = Browser(session, self.platform.url)
        self._browsers.append(browser)
        return browser

    async def persona(self, user: str) -> Browser:
        return await self.browser().become(user)

    async def close(self) -> None:
        for browser in self._browsers:
            await browser.close()
        await self.stop()


@asynccontextmanager
async def running(settings: WebSettings, folder: Path, **options: Any) -> AsyncIterator[Chat]:
    """A chat that is closed at the end, whatever happens."""
    chat = Chat(settings, folder)
    chat.options = options
    if options:
        chat.platform = chat.build()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(chat.close)
        await chat.start()
        yield chat


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    """The demonstration."""
    async with running(WebSettings(port=0, demo=True), tmp_path) as running_chat:
        yield running_chat


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Chat]:
    """The same outside the demonstration: nobody is anybody without an invitation or a password."""
    chat = Chat(WebSettings(port=0), tmp_path)
    officer = UserSeed("officer-0371", "李警官", "officer", "社区民警", badge="0371")
    try:
        await chat.start(
            rooms=(RoomSeed(ROOM, "港新1号网格", (), ("officer-0371",)), RoomSeed(OTHER_ROOM, "港新2号网格")), users=(officer,)
        )
        yield chat
    finally:
        await chat.close()


def picture(width: int = 64, height: int = 48, kind: str = "JPEG", **options: Any) -> bytes:
    """A small picture file."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 40, 40)).save(out, kind, **options)
    return out.getvalue()
