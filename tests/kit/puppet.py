"""A real puppet service in a process of its own, driven as people use WeChat, and a stand-in for FakePlatform on top of it.

async with Puppet() as puppet:                        # npm wechaty-puppet-service, tests/peers/wechat/peer.mjs
    await puppet.room("g1@chatroom", "港新1号网格", ["张阿姨"])
    await puppet.say("张阿姨", "g1@chatroom", "3号楼2单元楼道有人给电动车充电")
    await puppet.until(lambda: len(puppet.sent) == 1)  # what the bot said, as the service got it
    await puppet.fault("messageSendText", error="操作过于频繁")
    puppet.kill(); puppet.freeze(); puppet.thaw()     # kill -9, SIGSTOP, SIGCONT
    await puppet.revive()                             # a successor on the same port; rooms and people are told to it again
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from bot.platforms.base import Feed
from bot.platforms.wechat import WechatPlatform, WechatSettings
from tests.kit.ports import HeldPort

FOLDER = Path(__file__).resolve().parents[1] / "peers" / "wechat"
TOKEN = "puppet_workpro_canary1234567890"
STOP_SECONDS = 3.0
BOT = "wxid_bot"
NAME = "前哨"
MEND = "install Node.js 18 or newer (apt-get install nodejs npm), then: make peers"


def missing() -> str:
    """Why the service cannot run here; empty when it can."""
    if shutil.which("node") is None:
        return f"there is no node; {MEND}"
    if not (FOLDER / "node_modules" / "wechaty-puppet-service").is_dir():
        return "the peers are not installed; run: make peers"
    return ""


@dataclass(frozen=True, slots=True)
class Sent:
    """One message that the service was asked to send. `kind` is "text", "image", "file" or "url"."""

    id: str
    conversation: str
    kind: str
    text: str = ""
    mentions: tuple[str, ...] = ()
    name: str = ""
    file: bytes = b""
    title: str = ""
    url: str = ""
    description: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Process:
    """One process of peer.mjs. Started once and lent to one test after the other, because loading it takes a second."""

    _idle: ClassVar[list[Process]] = []

    def __init__(self) -> None:
        node = shutil.which("node")
        if node is None:
            raise RuntimeError(MEND)
        self._popen = subprocess.Popen(
            [node, str(FOLDER / "peer.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        atexit.register(self.end)
        self._port = 0

    @classmethod
    def take(cls) -> Process:
        """One that waits to be told what to do."""
        return cls._idle.pop() if cls._idle else cls()

    def give_back(self) -> None:
        """For the next test."""
        Process._idle.append(self)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection for telling it."""
        if not self._port:
            self._port = await asyncio.to_thread(self._first_word)
        return await asyncio.open_connection("127.0.0.1", self._port, limit=64 * 1024 * 1024)

    def signal(self, number: int) -> None:
        """kill."""
        os.kill(self._popen.pid, number)

    def end(self) -> None:
        """Kill it, if it runs."""
        atexit.unregister(self.end)
        if self._popen.poll() is None:
            self._popen.kill()
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                pipe.close()
        self._popen.wait()

    def _first_word(self) -> int:
        if self._popen.stdout is None:
            raise RuntimeError("the service has no standard output")
        return int(json.loads(self._popen.stdout.readline())["port"])


class Puppet:
    """A service. `tls` is a pair of PEM texts (certificate, key)."""

    def __init__(
        self,
        *,
        token: str = TOKEN,
        tls: tuple[str, str] | None = None,
        account: str = BOT,
        synthetic: dict[str, Any] | None = None,
    ) -> None:
        self._place = HeldPort()  # ours before the service listens, and when it was killed
        self.port = self._place.number
        self.token = token
        self.account = account
        self.sent: list[Sent] = []
        self.on_sent: Callable[[Sent], None] = lambda _: None
        self.on_recalled: Callable[[str], None] = lambda _: None
        self.recalled: list[str] = []
        self.accepted: list[str] = []
        self.emitted = 0  # events, but for what the account hears of itself
        self._options: dict[str, Any] = {
            "token": token,
            "tls": {"cert": tls[0], "key": tls[1]} if tls else None,
            "account": account,
            "name": NAME,
            "synthetic": synthetic,
        }
        self._process: Process | None = None
        self._spare: Process | None = None
        self._stopped = False
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._count = 0
        self._news = asyncio.Condition()
        self.world: list[dict[str, Any]] = []  # rooms and people, for a successor
        self._unlaid: list[dict[str, Any]] = []
        self._said: set[str] = set()

    async def __aenter__(self) -> Puppet:
        if problem := missing():
            raise RuntimeError(problem)
        await self.revive()
        return self

    async def __aexit__(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is not None:
            try:
                if self._stopped:
                    raise ConnectionError
                # a download that the service cannot end keeps it from stopping; then it is killed
                async with asyncio.timeout(STOP_SECONDS):
                    await self._do("stop")
                process.give_back()
            except (ConnectionError, TimeoutError):
                process.end()
        await self._hang_up()
        self._place.give_back()
        if self._spare is not None:
            self._spare.give_back()

    # --- the process --------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Start a successor that waits, so that `revive` takes no time."""
        if self._spare is None:
            self._spare = Process.take()

    async def revive(self) -> None:
        """A service listens on the port again; what was said meanwhile is gone, rooms and people are there."""
        self.prepare()
        old, self._process, self._spare = self._process, self._spare, None
        await self._hang_up()
        if old is not None:
            old.end()
        if self._process is None:
            raise RuntimeError("no service")
        reader, self._writer = await self._process.connect()
        self._reading = asyncio.create_task(self._follow(reader))
        self._stopped = False
        self._unlaid = []
        await self._tell("listen", port=self.port, **self._options)
        self._unlaid = list(self.world)
        await self.lay_all()

    def kill(self) -> None:
        """kill -9."""
        self._stopped = True
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """The process stands still; its connections stay."""
        self._stopped = True
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._stopped = False
        self._signal(signal.SIGCONT)

    # --- people and groups --------------------------------------------------------------------------------------------

    async def contact(self, person: str, name: str = "", sort: int = 1) -> None:
        """A person with an account; the id is the name unless another one is given."""
        await self._lay(do="contact", id=person, name=name or person, type=sort)

    async def renamed(self, person: str, name: str) -> None:
        """Somebody is called otherwise from now on, and the service says that what it told is no longer so."""
        for deed in self.world:
            if deed["do"] == "contact" and deed["id"] == person:
                deed["name"] = name
        await self._do("contact", id=person, name=name, type=1)
        await self._do("event", name="dirty", payload={"payloadType": 2, "payloadId": person})

    async def room(self, room: str, topic: str, members: list[str]) -> None:
        """A group in which the bot is."""
        for person in members:
            await self.contact(person)
        await self._lay(do="room", id=room, topic=topic, members=[*members, self.account])

    async def say(
        self, who: str, where: str, text: str = "", *, message_id: str | None = None, sort: str = "text", **more: Any
    ) -> str:
        """Somebody writes in a group (its id) or, with the bot's own id, to the bot alone. Returns the message id."""
        self._count += 1
        message_id = message_id or f"in{self._count}"
        self.emitted += 1
        self._said.add(message_id)
        await self._do("say", id=message_id, talker=who, conversation=where, type=sort, text=text, **more)
        return message_id

    async def photo(self, who: str, where: str, data: bytes, name: str = "photo.jpg", **more: Any) -> str:
        """Somebody sends a picture."""
        file = {"name": name, "data": base64.b64encode(data).decode()}
        return await self.say(who, where, "<msg><img/></msg>", sort="image", file=file, **more)

    async def again(self, message_id: str) -> None:
        """The service tells of a message a second time."""
        self.emitted += 1
        await self._do("again", id=message_id)

    async def joined(self, room: str, members: list[str], by: str = "群主") -> None:
        """People come into a group."""
        self.emitted += 1
        await self._do("joined", room=room, members=members, by=by)

    async def left(self, room: str, members: list[str], by: str = "群主") -> None:
        """People leave a group."""
        self.emitted += 1
        await self._do("left", room=room, members=members, by=by)

    async def topic(self, room: str, topic: str) -> None:
        """A group is renamed."""
        self.emitted += 1
        await self._do("topic", room=room, topic=topic, by="群主")

    async def deed(self, do: str, **given: Any) -> dict[str, Any]:
        """Anything else that peer.mjs can do."""
        return await self._do(do, **given)

    async def fault(self, method: str, *, times: int = 1, **how: Any) -> None:
        """The next calls of a method meet a fault: error="…", delay=ms, lost=True (done, but the answer never comes)."""
        await self._do("fault", method=method, times=times, **how)

    async def calls(self) -> tuple[dict[str, int], int]:
        """How often each method was called, and the most that were under way at once."""
        answer = await self._do("ask")
        return answer["calls"], answer["most"]

    def texts(self, conversation: str | None = None) -> list[str]:
        """What the bot said, in order."""
        return [one.text for one in self.sent if conversation in (None, one.conversation)]

    async def until(self, true: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until something is true that changes when the service speaks."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(true)

    # --- inside -------------------------------------------------------------------------------------------------------

    def lay(self, **deed: Any) -> None:
        """A person or a group, put into the service with the next deed and into every successor."""
        if deed not in self.world:
            self.world.append(deed)
            self._unlaid.append(deed)

    def knows(self, message_id: str) -> bool:
        """Whether somebody said this already."""
        return message_id in self._said

    async def _lay(self, **deed: Any) -> None:
        self.lay(**deed)
        await self.lay_all()

    async def lay_all(self) -> None:
        """Put into the service what is not there yet."""
        waiting, self._unlaid = self._unlaid, []
        await asyncio.gather(*(self._tell(**deed) for deed in waiting))

    async def _do(self, do: str, **given: Any) -> dict[str, Any]:
        await self.lay_all()
        return await self._tell(do, **given)

    async def _tell(self, do: str, **given: Any) -> dict[str, Any]:
        if self._writer is None:
            raise RuntimeError("the service does not run")
        self._count += 1
        number = self._count
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._writer.write((json.dumps({"do": do, "n": number, **given}) + "\n").encode())
        try:
            async with asyncio.timeout(60):
                done = await answer
        finally:
            self._answers.pop(number, None)
        if "failed" in done:
            raise AssertionError(done["failed"])
        return done

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.signal(number)

    async def _hang_up(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()
        self._reading, self._writer = None, None

    async def _follow(self, lines: asyncio.StreamReader) -> None:
        asked: dict[str, Any] = {}
        with contextlib.suppress(ConnectionError):
            while line := await lines.readline():
                told = json.loads(line)
                if "calls" in told:
                    asked = told
                elif "done" in told:
                    future = self._answers.get(told["done"])
                    if future is not None and not future.done():
                        future.set_result({**asked, **told})
                    asked = {}
                else:
                    self._heard(told)
                async with self._news:
                    self._news.notify_all()
        for future in self._answers.values():
            if not future.done():
                future.set_exception(ConnectionError("the service is gone"))

    def _heard(self, told: dict[str, Any]) -> None:
        if "said" in told:
            known = {key: told[key] for key in ("text", "name", "title", "url", "description") if key in told}
            sent = Sent(
                told["said"],
                told["conversation"],
                told["kind"],
                mentions=tuple(told.get("mentions", ())),
                file=base64.b64decode(told.get("file", "")),
                **known,
            )
            self.sent.append(sent)
            self.on_sent(sent)
        elif "recalled" in told:
            self.recalled.append(told["recalled"])
            self.on_recalled(told["recalled"])
        elif "accepted" in told:
            self.accepted.append(told["accepted"])


def quick(port: int, **changed: Any) -> WechatSettings:
    """Settings for tests on this machine: plain text, and no waiting."""
    plain = WechatSettings(
        f"127.0.0.1:{port}",
        TOKEN,
        tls=False,
        connect_seconds=2.0,
        call_seconds=5.0,
        send_seconds=5.0,
        echo_seconds=0.5,
        first_wait=0.02,
        longest_wait=0.1,
        introductions_per_hour=0,
        name_seconds=20.0,
    )
    return replace(plain, **changed)


@asynccontextmanager
async def listening(platform: WechatPlatform, feed: Feed) -> AsyncIterator[WechatPlatform]:
    """The platform at work, without the rest of the bot."""
    task = asyncio.create_task(platform.listen(feed))
    try:
        async with asyncio.timeout(60):
            while not platform.health().listening:
                if task.done():
                    task.result()
                await asyncio.sleep(0.01)
        yield platform
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await platform.close()
