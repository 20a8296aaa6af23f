"""A node's adapter for one account of the `World`, over a connection of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from datetime import UTC, datetime
from typing import Any

from bot.errors import AnswerLost, RetryLater
from bot.messages import Address, Attachment, Inbound, Outbound, Receipt, Sender
from bot.platforms.base import Capabilities, Feed, Health

PLATFORM = "world"


class RemotePlatform:
    """An Adapter. `node` is written into the world's history."""

    name = PLATFORM
    can = Capabilities()

    def __init__(self, account: str, port: int, node: str) -> None:
        self.account = account
        self._port = port
        self._node = node
        self._count = 0
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()

    async def listen(self, feed: Feed) -> None:
        while True:
            said = (await self._ask(op="poll"))["event"]
            event = Inbound(
                event_id=said["id"],
                address=Address(PLATFORM, self.account, said["chat"]),
                sender=Sender(said["sender"], said["sender"]),
                at=datetime.fromisoformat(said["at"]),
                text=said["text"],
                message_id=said["id"],
            )
            await feed.take(event)
            await self._ask(op="confirm", event=said["id"])

    async def send(self, to: Address, what: Outbound) -> Receipt:
        answer = await self._ask(op="send", key=what.key, chat=to.chat, text=what.text, node=self._node)
        if answer.get("lost"):
            raise AnswerLost("the world lost the answer")
        if "retry" in answer:
            raise RetryLater(answer["retry"], "account", "too fast")
        return Receipt(answer["id"], datetime.now(UTC))

    async def recall(self, to: Address, message_id: str) -> bool:
        return False

    async def fetch(self, attachment: Attachment, limit: int) -> bytes:
        raise RetryLater(1.0, why="no photos here")

    def health(self) -> Health:
        return Health(listening=True)

    async def _ask(self, **asked: object) -> dict[str, Any]:
        async with self._connecting:
            if self._writer is None:
                reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
                self._reading = asyncio.create_task(self._read(reader))
        self._count += 1
        number = self._count
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            asked["left"] = time.monotonic()
            self._writer.write(json.dumps({"n": number, "account": self.account, **asked}).encode() + b"\n")
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                said = json.loads(line)
                waiting = self._waiting.get(said["n"])
                if waiting is not None and not waiting.done():
                    waiting.set_result(said)
