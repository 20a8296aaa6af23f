"""The fake Bot API of the tests, quick enough not to be what is measured: its own answer, recorded once and replayed.

aiohttp's server costs as much as our client, and on two processors it would be the limit of both. This one reads just so much of
HTTP/1.1 that it knows where a request ends. It runs in a process of its own and tells how much processor time it has used.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import cast

import uvloop

from tests.kit.fake_bot_api import TOKEN, FakeBotApi

__all__ = ["TOKEN", "Server", "record", "serve", "served"]

_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"


async def record(text: str) -> bytes:
    """What the fake Bot API of the tests answers to a sendMessage, every byte from the status line on."""
    async with FakeBotApi() as api:
        chat = api.group("群")
        body = b'{"chat_id": %d, "text": "%s"}' % (chat.id, text.encode())
        reader, writer = await asyncio.open_connection("127.0.0.1", int(api.root.rpartition(":")[2]))
        writer.write(
            b"POST /bot%s/sendMessage HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (TOKEN.encode(), len(body), body)
        )
        head = await reader.readuntil(_END)
        answer = head + await reader.readexactly(_length(head))
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        return answer


class Replay(asyncio.Protocol):
    """One connection; every request on it gets `answer`."""

    def __init__(self, answer: bytes, count: list[int]) -> None:
        self._answer = answer
        self._count = count
        self._come = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._come += data
        while (end := self._come.find(_END)) >= 0:
            whole = end + len(_END) + _length(self._come[: end + 2])
            if len(self._come) < whole:
                return
            self._come = self._come[whole:]
            self._count[0] += 1
            if self._transport is not None:
                self._transport.write(self._answer)


def _length(head: bytes) -> int:
    start = head.lower().find(_LENGTH)
    return int(head[start + len(_LENGTH) : head.find(b"\r\n", start + 2)]) if start >= 0 else 0


def serve(pipe: Connection) -> None:
    """Answer everything at once. The pipe gets the port, then for every word that comes the requests and the seconds so far."""

    async def main() -> None:
        answer = await record("收到，编号2611-0001")
        count = [0]
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Replay(answer, count), "127.0.0.1", 0)
        loop.add_reader(pipe.fileno(), lambda: (pipe.recv(), pipe.send((count[0], time.process_time()))))
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    uvloop.run(main())


@dataclass(slots=True)
class Server:
    """The server from outside."""

    root: str
    _pipe: Connection = field(repr=False)

    def used(self) -> tuple[int, float]:
        """How many requests it has answered, and the seconds of processor time that it has taken."""
        self._pipe.send("")
        answered, seconds = self._pipe.recv()
        return answered, seconds


@contextlib.contextmanager
def served() -> Iterator[Server]:
    """The server in a process of its own."""
    mine, other = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(other,), daemon=True)
    process.start()
    try:
        yield Server(f"http://127.0.0.1:{mine.recv()}", mine)
    finally:
        process.terminate()
        process.join()
