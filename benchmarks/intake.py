"""Fifty people at once over HTTP: POST, parse, glance, durable inbox row, 200.

    python -m benchmarks.intake ours|memory|unkept|sqlmodel [CONNECTIONS]

`unkept` is the same server without storage: the same handler, which glances, weighs and hands over, and leaves out what storage
alone needs: sealing, the row, the commit and the wait for it. `memory` only parses and glances, the stricter measure.
`sqlmodel` writes the row as a textbook does: one AsyncSession on aiosqlite and one commit for each request, with the same table,
journal and synchronisation. All glance for 300 keywords: how well a text is understood is no matter of this benchmark. The
client is a process of its own and as light as can be.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web

from benchmarks.corpus import stream
from benchmarks.house import keyword_glance
from benchmarks.start import cost
from bot.clock import Clock
from bot.glance import Senses, glance
from bot.inbox import Inbox
from bot.jobs import Job
from bot.lanes import Lanes
from bot.messages import Address, Inbound, Sender
from bot.mind import Mind
from storage.database import OldLibrary, prepare
from storage.sealing import Sealer
from storage.tables import InboxEvent

SECONDS = 4.0
TEXT = "3号楼2单元楼道有人给电动车充电，线从楼上拉下来，太危险了"
Keep = Callable[[Inbound], Awaitable[None]]


async def ours(folder: Path, senses: Senses, lanes: Lanes[Job]) -> Keep:
    """The bot's own way in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OldLibrary)
        writer = prepare(f"sqlite:///{folder}/qianshao.db")
    inbox = Inbox(writer, Sealer(folder / "key"), senses, lanes, Mind(), Clock(), timedelta(minutes=2))

    async def keep(event: Inbound) -> None:
        await inbox.take(event)
        if inbox.flood.repeated:
            raise ValueError("this was said already and is not kept")

    return keep


async def memory(folder: Path, senses: Senses, lanes: Lanes[Job]) -> Keep:
    """Nothing but the glance."""
    mind = Mind()

    async def keep(event: Inbound) -> None:
        if glance(event, mind, senses, datetime.now(UTC)) is None:
            raise ValueError("this is no report")

    return keep


async def sqlmodel(folder: Path, senses: Senses, lanes: Lanes[Job]) -> Keep:
    """One session and one commit a request."""
    from sqlalchemy import event as listen
    from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
    from sqlmodel.ext.asyncio.session import AsyncSession

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OldLibrary)
        prepare(f"sqlite:///{folder}/qianshao.db").close()
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder}/qianshao.db", connect_args={"timeout": 60})

    @listen.listens_for(engine.sync_engine, "connect")
    def set_up(connection: object, record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            cursor.execute(f"PRAGMA {pragma}")

    make = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
    mind = Mind()

    async def keep(event: Inbound) -> None:
        now = datetime.now(UTC)
        if glance(event, mind, senses, now) is None:
            raise ValueError("this is no report")
        async with make() as session:
            address = event.address
            row = InboxEvent(
                platform=address.platform,
                account=address.account,
                event_id=event.event_id,
                state="kept",
                body=event.text.encode(),
                received_at=now,
            )
            session.add(row)
            await session.commit()

    return keep


class Forgetful:
    """In place of the writer and the sealer: keeps nothing and says at once that it has."""

    async def append(self, sql: str, row: Sequence[object]) -> bool:
        return True

    def stamp(self, moment: datetime) -> object:
        return moment

    def seal_bytes(self, plain: bytes) -> bytes:
        return plain


async def unkept(folder: Path, senses: Senses, lanes: Lanes[Job]) -> Keep:
    """The bot's own way in with nothing behind it."""
    nowhere: Any = Forgetful()
    return Inbox(nowhere, nowhere, senses, lanes, Mind(), Clock(), timedelta(minutes=2)).take


STORES = {"ours": ours, "memory": memory, "unkept": unkept, "sqlmodel": sqlmodel}


async def nothing(job: Job) -> None:
    """Nobody works on what was taken: only the way in is measured."""


async def serve(name: str, folder: Path) -> None:
    """A server on a free port, named in one line on standard output, until standard input ends."""
    senses = Senses(keyword_glance([*stream(1).keywords, "电动车"]), lambda text: None, lambda text: False)
    lanes: Lanes[Job] = Lanes(nothing, workers=1)  # so that nothing piles up that the bot would have worked off
    working = asyncio.create_task(lanes.run())
    keep = await STORES[name](folder, senses, lanes)

    async def post(request: web.Request) -> web.Response:
        said = json.loads(await request.read())
        event = Inbound(
            said["id"],
            Address("web", "web", said["room"]),
            Sender(said["from"], said["from"]),
            datetime.now(UTC),
            message_id=said["id"],
            text=said["text"],
        )
        await keep(event)
        return web.Response(body=b'{"ok": true}', content_type="application/json")

    application = web.Application()
    application.router.add_post("/say", post)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    gc.freeze()  # as the bot does once it runs
    await asyncio.to_thread(sys.stdin.read)
    working.cancel()


class Talker(asyncio.Protocol):
    """One connection with one request under way at a time. The client must cost little: it shares two cores with the server."""

    def __init__(self, port: int, numbers: Iterator[int], end: float, times: list[float]) -> None:
        self._head = f"POST /say HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: "
        self._numbers = numbers
        self._end = end
        self._times = times
        self._began = 0.0
        self._transport: Any = None
        self._read = b""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._say()

    def data_received(self, data: bytes) -> None:
        self._read += data
        if not self._read.endswith(b'{"ok": true}'):
            return
        now = time.perf_counter()
        if self._read[:12] != b"HTTP/1.1 200":
            self._fail(RuntimeError(self._read[:100].decode()))
            return
        self._read = b""
        self._times.append(now - self._began)
        if now < self._end:
            self._say()
        else:
            self._transport.close()

    def connection_lost(self, problem: Exception | None) -> None:
        if not self.over.done():
            if self._read or time.perf_counter() < self._end:
                self.over.set_exception(RuntimeError(f"cut off: {self._read[:100]!r}"))
            else:
                self.over.set_result(None)

    def _say(self) -> None:
        n = next(self._numbers)
        said = f'{{"id": "e{n}", "room": "g{n % 40}", "from": "p{n}", "text": "{TEXT}"}}'.encode()
        self._began = time.perf_counter()
        self._transport.write(f"{self._head}{len(said)}\r\n\r\n".encode() + said)

    def _fail(self, problem: Exception) -> None:
        if not self.over.done():
            self.over.set_exception(problem)
        self._transport.close()


async def load(port: int, connections: int) -> dict[str, float]:
    """So many connections for some seconds."""
    times: list[float] = []
    numbers = iter(range(10_000_000))
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    end = began + SECONDS
    made = [
        await loop.create_connection(lambda: Talker(port, numbers, end, times), "127.0.0.1", port) for _ in range(connections)
    ]
    await asyncio.gather(*(talker.over for _, talker in made))
    rate = len(times) / (time.perf_counter() - began)
    times.sort()
    return {
        "rate": rate,
        "requests": len(times),
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
    }


def main() -> None:
    """Start the server beside us, load it, print the figures."""
    name = sys.argv[1]
    connections = int(sys.argv[2]) if sys.argv[2:] else 50
    with tempfile.TemporaryDirectory(dir=".") as folder:
        command = [sys.executable, "-m", "benchmarks.intake", "serve", name, str(Path(folder).resolve())]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            if server.stdout is None or server.stdin is None:
                raise OSError("no pipes")
            port = int(server.stdout.readline())
            before = cost(server.pid)["cpu_s"]
            found = uvloop.run(load(port, connections))
            spent = cost(server.pid)["cpu_s"] - before
            print(json.dumps({**found, "cpu_us": spent / found["requests"] * 1e6}))
            server.kill()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        uvloop.run(serve(sys.argv[2], Path(sys.argv[3])))
    else:
        main()
