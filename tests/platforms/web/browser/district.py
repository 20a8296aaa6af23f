"""A small district with a scripted bot, for the browser tests: the real chat server, and nobody clever behind it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from argon2 import PasswordHasher

from bot.messages import Address, Choice, Inbound, Kind, Outbound
from bot.photos import PhotoWorker
from bot.platforms.web import OfficerCard, RoomSeed, TrySeed, UserSeed, WebPlatform, WebSettings, officer_id
from bot.platforms.web.adapter import _House
from bot.platforms.web.people import hashed
from bot.platforms.web.said import NewMessage
from bot.platforms.web.store import change

GRID = "grid-1"
WORK = "work"
NOTICES = "notices"

RESIDENTS = (
    UserSeed("r-zhang", "张阿姨", title="3 号楼居民"),
    UserSeed("r-li", "李建国"),
    UserSeed("r-zhao", "赵小敏"),
    UserSeed("r-sun", "孙大爷"),
    UserSeed("r-zhou", "周老师"),
    UserSeed("r-wu", "吴师傅"),
    UserSeed("r-ma", "马店长", title="港新路商户"),
)
OFFICERS = (
    UserSeed("officer-1001", "陈卫国", "officer", "社区民警", "1001"),
    UserSeed("officer-1002", "林小雨", "officer", "网格员", "1002"),
    UserSeed("officer-1003", "何主任", "officer", "指挥长", "1003"),
)
EVERYBODY = tuple(user.id for user in RESIDENTS + OFFICERS)
ROOMS = (
    RoomSeed(GRID, "港新1号网格", ("综合", "平安板块"), EVERYBODY),
    RoomSeed("grid-2", "港新2号网格", ("综合",), EVERYBODY[:5] + EVERYBODY[-2:]),
    RoomSeed("shops", "港新路商户群", ("行业", "餐饮"), ("r-ma", "r-wu", "officer-1001", "officer-1003", "r-zhang")),
    RoomSeed(NOTICES, "港新社区通知", ("专属",), EVERYBODY, officers_only=True),
    RoomSeed(WORK, "港新派出所工作群", ("工作",), tuple(user.id for user in OFFICERS)),
)
TRIES = (
    TrySeed("随口聊一句", "大家早上好！", "r-zhang", GRID),
    TrySeed("反映一处隐患", "港新路火锅店把液化气罐放在棚子里，太危险了", "r-zhang", GRID),
    TrySeed("问一个问题", "@前哨 居住证怎么办？", "r-li", GRID),
    TrySeed("看看待办", "/待办", "officer-1001", WORK),
    TrySeed("悄悄说一件事", "我想反映一件不方便在群里说的事", "r-zhao", "private-r-zhao"),
)
ONE_TIME_CODE = "ABCD-1234"


class Roster:
    """One officer with one code."""

    def __init__(self) -> None:
        self._codes = {"1001": ONE_TIME_CODE}

    async def check_code(self, badge: str, code: str) -> OfficerCard | None:
        if self._codes.get(badge) != code:
            return None
        del self._codes[badge]
        return await self.officer(badge)

    async def officer(self, badge: str) -> OfficerCard | None:
        found = next((user for user in OFFICERS if user.badge == badge), None)
        return OfficerCard(badge, found.name, found.title) if found else None


class Bot:
    """Hears everything; answers gas bottles, being called, and button presses."""

    def __init__(self) -> None:
        self.platform: WebPlatform | None = None
        self.heard: list[Inbound] = []
        self.deaf = False

    async def take(self, event: Inbound) -> None:
        if self.deaf:
            raise ConnectionError
        self.heard.append(event)
        if self.platform is None or event.kind not in (Kind.MESSAGE, Kind.TAP):
            return
        if event.kind is Kind.TAP:
            await self.platform.send(event.address, Outbound(event.event_id, f"收到：{event.text}。谢谢您！"))
        elif "液化气" in event.text:
            text = "已登记 2611-0042（燃气隐患），网格员林小雨会在 1 小时内受理。\n有进展会在群里告诉您。"
            await self.platform.send(event.address, Outbound(event.event_id, text, reply_to=event.message_id))
        elif event.mentions_me:
            choices = (Choice("解决了", "解决了"), Choice("没有解决", "没有解决"))
            text = "您昨天反映的路灯不亮（2611-0038），现在解决了吗？"
            await self.platform.send(event.address, Outbound(event.event_id, text, choices=choices, mention=event.sender.id))

    async def quarantine(self, platform: str, account: str, event_id: str, raw: bytes, why: str) -> None:
        raise AssertionError(f"{event_id}: {why}")


class District:
    """The running chat."""

    def __init__(self, *, demo: bool = True, port: int = 0, photos: PhotoWorker | None = None) -> None:
        self.bot = Bot()
        self.ahead = timedelta()
        settings = WebSettings(demo=demo, port=port)
        hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        self.platform = WebPlatform(settings, rooms_file=None, gate=Roster(), clock=self.now, hasher=hasher, photos=photos)
        self.bot.platform = self.platform
        self._users = RESIDENTS + OFFICERS if demo else OFFICERS

    def now(self) -> datetime:
        """The district's clock."""
        return datetime.now(UTC) + self.ahead

    @property
    def url(self) -> str:
        return self.platform.url

    @property
    def _house(self) -> _House:
        assert self.platform._house is not None
        return self.platform._house

    def lines(self, user: str) -> int:
        """How many pages of this person are connected."""
        return len(self._house.server.hub.of(user))

    def drop_lines(self, user: str) -> None:
        """Cut the connections of this person without a word."""
        for line in self._house.server.hub.of(user):
            line._outbox._abort()

    async def say(self, user: str, text: str, room: str = GRID, reply_to: str | None = None) -> str:
        """Somebody without a page says something; the message's id."""
        said = NewMessage(room, user, text, (), reply_to)
        return (await self._house.talk._say(said, tell_bot=False)).said.id

    async def say_many(self, user: str, texts: list[str], room: str = GRID) -> None:
        """A long conversation of one, in order."""
        await asyncio.gather(*(self.say(user, text, room) for text in texts))

    async def recall(self, user: str, message: str, room: str = GRID) -> None:
        """Somebody without a page takes a message back."""
        await self._house.talk._recall(room, message, user, self.now(), None)

    async def newcomer(self, name: str) -> str:
        """Somebody with this name in the first group; their id."""
        person = await self._house.people.add_resident(name)
        await self._house.people.join(GRID, person.id, 0)
        return person.id

    async def sign_out(self, token: str) -> None:
        """End a session as another page of the same person would."""
        await self._house.sessions.end(token)
        for user in EVERYBODY:
            for line in self._house.server.hub.of(user):
                if line.session == hashed(token):
                    line.end("signed_out", "您已退出登录。")

    async def take_choices(self, message: str) -> None:
        """Remove the buttons of a message without telling anybody."""
        await self._house.rooms.run(lambda session: change(session, "UPDATE message SET choices = '[]' WHERE id = ?", message))

    async def bot_says(self, text: str, room: str = GRID, **more: object) -> str:
        """The bot says something by itself; the message's id."""
        address = Address("web", "web", room)
        receipt = await self.platform.send(address, Outbound(f"test:{datetime.now(UTC).timestamp()}", text, **more))  # type: ignore[arg-type]
        return receipt.message_id

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[District]:
        """Serve while the block runs."""
        users = self._users
        known = {user.id for user in users}
        rooms = [RoomSeed(r.id, r.name, r.labels, tuple(m for m in r.members if m in known), r.officers_only) for r in ROOMS]
        await self.platform.seed(rooms, users, TRIES if len(users) > len(OFFICERS) else ())
        listening = asyncio.create_task(self.platform.listen(self.bot))
        try:
            while not self.platform.health().listening:
                if listening.done():
                    listening.result()
                await asyncio.sleep(0.01)
            yield self
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
            await self.platform.close()


__all__ = ["EVERYBODY", "GRID", "NOTICES", "OFFICERS", "ONE_TIME_CODE", "RESIDENTS", "ROOMS", "WORK", "District", "officer_id"]
