"""Fifty people at once over HTTP: POST, parse, glance, durable inbox row, 200.

    python -m benchmarks.intake ours|memory|sqlmodel [CONNECTIONS]

`memory` is the same server without the row; `sqlmodel` writes the row as a textbook does: one AsyncSession on aiosqlite and one
commit for each request, with the same table, journal and synchronisation. The client is a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import uvloop
from aiohttp import web

from benchmarks.corpus import CONTENT
from benchmarks.start import cost
from bot.clock import Clock
from bot.inbox import Inbox, Job, Mind, Senses, glance
from bot.lanes import Lanes
from bot.messages import Address, Inbound, Sender
from bot.understanding.understanding import Understanding
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
    return Inbox(writer, Sealer(folder / "key"), senses, lanes, Mind(), Clock(), timedelta(minutes=2)).take


async def memory(folder: Path, senses: Senses, lanes: Lanes[Job]) -> Keep:
    """The same without storage."""
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


STORES = {"ours": ours, "memory": memory, "sqlmodel": sqlmodel}


async def nothing(job: Job) -> None:
    """Nobody works on what was taken: only the way in is measured."""


async def serve(name: str, folder: Path) -> None:
    """A server on a free port, named in one line on standard output, until standard input ends."""
    understanding = Understanding.load(CONTENT)
    senses = Senses(understanding.glance, lambda text: None, lambda text: False)
    keep = await STORES[name](folder, senses, Lanes(nothing, most_waiting=10_000_000))

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
        return web.json_response({"ok": True})

    application = web.Application()
    application.router.add_post("/say", post)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


async def load(port: int, connections: int) -> dict[str, float]:
    """So many connections, each with one request under way at a time, for some seconds."""
    times: list[float] = []
    numbers = iter(range(10_000_000))
    url = f"http://127.0.0.1:{port}/say"
    end = time.perf_counter() + SECONDS

    async def talk(session: aiohttp.ClientSession) -> None:
        while (began := time.perf_counter()) < end:
            n = next(numbers)
            said = {"id": f"e{n}", "room": f"g{n % 40}", "from": f"p{n % 500}", "text": TEXT}
            async with session.post(url, data=json.dumps(said, ensure_ascii=False).encode()) as answer:
                await answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"{answer.status}")
            times.append(time.perf_counter() - began)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        began = time.perf_counter()
        await asyncio.gather(*(talk(session) for _ in range(connections)))
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
