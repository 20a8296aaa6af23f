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
import base64
import json
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.platforms.base import Feed
from bot.platforms.wechat import WechatPlatform, WechatSettings

FOLDER = Path(__file__).resolve().parents[1] / "peers" / "wechat"
TOKEN = "puppet_workpro_canary1234567890"
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


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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


class Puppet:
    """The service's process. `tls` is a pair of PEM texts (certificate, key)."""

    def __init__(
        self,
        *,
        token: str = TOKEN,
        tls: tuple[str, str] | None = None,
        account: str = BOT,
        port: int | None = None,
        synthetic: dict[str, Any] | None = None,
    ) -> None:
        self.port = port or free_port()
        self.token = token
        self.account = account
        self.sent: list[Sent] = []
        self.recalled: list[str] = []
        self.accepted: list[str] = []
        self.emitted = 0
        self._options = {
            "token": token,
            "tls": {"cert": tls[0], "key": tls[1]} if tls else None,
            "account": account,
            "name": NAME,
            **({"synthetic": synthetic} if synthetic else {}),
        }
        self._process: asyncio.subprocess.Process | None = None
        self._spare: asyncio.subprocess.Process | None = None
        self._reading: set[asyncio.Task[None]] = set()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._count = 0
        self._news = asyncio.Condition()
        self._world: list[dict[str, Any]] = []  # rooms and people, for a successor

    async def __aenter__(self) -> Puppet:
        if problem := missing():
            raise RuntimeError(problem)
        await self.revive()
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in (self._process, self._spare):
            await _end(process)
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)

    # --- the process --------------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Start a successor that waits, so that `revive` takes no time."""
        if self._spare is None:
            self._spare = await self._spawn()

    async def revive(self) -> None:
        """A service listens on the port again."""
        await self.prepare()
        old, self._process, self._spare = self._process, self._spare, None
        await _end(old)
        self._follow()
        await self._do("listen", port=self.port)
        for deed in list(self._world):
            await self._do(**deed)

    def kill(self) -> None:
        """kill -9."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """The process stands still; its connections stay."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    # --- people and groups --------------------------------------------------------------------------------------------

    async def contact(self, person: str, name: str = "", sort: int = 1) -> None:
        """A person with an account; the id is the name unless another one is given."""
        await self._lay(do="contact", id=person, name=name or person, type=sort)

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

    async def until(self, true: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait until something is true that changes when the service speaks."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(true)

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _lay(self, **deed: Any) -> None:
        if deed not in self._world:
            self._world.append(deed)
            await self._do(**deed)

    async def _do(self, do: str, **given: Any) -> dict[str, Any]:
        process = self._process
        if process is None or process.stdin is None:
            raise RuntimeError("the service does not run")
        self._count += 1
        number = self._count
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        process.stdin.write((json.dumps({"do": do, "n": number, **given}) + "\n").encode())
        try:
            async with asyncio.timeout(30):
                done = await answer
        finally:
            self._answers.pop(number, None)
        if "failed" in done:
            raise AssertionError(done["failed"])
        return done

    async def _spawn(self) -> asyncio.subprocess.Process:
        node = shutil.which("node")
        if node is None:
            raise RuntimeError(MEND)
        return await asyncio.create_subprocess_exec(
            node,
            str(FOLDER / "peer.mjs"),
            json.dumps(self._options),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=64 * 1024 * 1024,
        )

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            os.kill(self._process.pid, number)

    def _follow(self) -> None:
        process = self._process
        if process is None or process.stdout is None:
            return
        lines = process.stdout

        async def read() -> None:
            asked: dict[str, Any] = {}
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

        task = asyncio.create_task(read())
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    def _heard(self, told: dict[str, Any]) -> None:
        if "said" in told:
            known = {key: told[key] for key in ("text", "name", "title", "url", "description") if key in told}
            self.sent.append(
                Sent(
                    told["said"],
                    told["conversation"],
                    told["kind"],
                    mentions=tuple(told.get("mentions", ())),
                    file=base64.b64decode(told.get("file", "")),
                    **known,
                )
            )
            self.emitted += 1  # the account hears itself
        elif "recalled" in told:
            self.recalled.append(told["recalled"])
        elif "accepted" in told:
            self.accepted.append(told["accepted"])


async def _end(process: asyncio.subprocess.Process | None) -> None:
    if process is None:
        return
    if process.returncode is None:
        process.kill()
    await process.wait()
    process._transport.close()  # type: ignore[attr-defined]  # its pipes must not outlive the loop


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
        name_seconds=2.0,
    )
    return replace(plain, **changed)


@asynccontextmanager
async def listening(platform: WechatPlatform, feed: Feed) -> AsyncIterator[WechatPlatform]:
    """The platform at work, without the rest of the bot."""
    task = asyncio.create_task(platform.listen(feed))
    try:
        async with asyncio.timeout(20):
            while not platform.health().listening:
                if task.done():
                    task.result()
                await asyncio.sleep(0.01)
        yield platform
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await platform.close()
