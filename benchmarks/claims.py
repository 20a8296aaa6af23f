"""Claims of the outbox on PostgreSQL, beside pgqueuer's, in one run; and how sending grows with nodes.

    python -m benchmarks.claims [--rows 4000] [claims nodes]      (from .venv-bench; PostgreSQL comes from .venv)

* claims: 1, 10 and 50 workers take all rows, ten at a time, and write down that they are sent. Ours is `claim` and `write_back`
  of storage/notices.py in one transaction, which keeps the order in each chat (checked); pgqueuer's is `dequeue` and `log_jobs`.
* nodes: 1, 2 and 4 processes with an outbox each empty one table; every send takes 20 ms, as over a network.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import subprocess
import threading
import time
import uuid
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
from sqlalchemy import text
from sqlmodel import Session

from bot.leased import SendHold
from bot.leases import Leases, send_name
from bot.messages import Address
from bot.notices import Lane, NewNotice, enqueue_all
from bot.outbox import Outbox
from bot.pacing import Pacing
from storage import claims as rows
from storage.database import prepare
from storage.writer import Writer, open_engine
from tests.kit.fake_platform import FakePlatform

ACCOUNTS, BATCH = 50, 10
SERVER = [".venv/bin/python", "-m", "tests.kit.postgres"]


@contextmanager
def server() -> Iterator[str]:
    """A PostgreSQL from its wheel, which lies in the bot's own environment."""
    process = subprocess.Popen(SERVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip() if process.stdout else ""
    finally:
        process.communicate("")


def database(base: str) -> str:
    name = f"b{uuid.uuid4().hex[:10]}"
    with psycopg.connect(base, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    return base.replace("/postgres?", f"/{name}?")


def fill(url: str, count: int, accounts: int) -> Writer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        writer = prepare(url)
    now = datetime.now(UTC)
    notices = [
        NewNotice(f"k{n}", Lane.OFFICER, Address("telegram", f"a{n % accounts}", f"g{n % (accounts * 8)}"), "x" * 60)
        for n in range(count)
    ]
    writer.run_now(lambda session: enqueue_all(session, notices, now))
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as admin:
        admin.execute("ANALYZE")
    return writer


def ours(base: str, count: int, workers: int) -> float:
    """Rows a second. Exits when a chat's order was not kept."""
    url = database(base)
    fill(url, count, ACCOUNTS).close()
    engine = open_engine(url)
    taken: dict[str, list[int]] = defaultdict(list)
    lock, left = threading.Lock(), [count]

    def work(number: int) -> None:
        me, results, turn = f"w{number}/1", [], number
        connection = engine.connect()
        while left[0] > 0:
            now = datetime.now(UTC)
            with connection.begin():
                rows.write_back(connection, me, results)
                claims, _ = rows.claim(
                    connection,
                    ("telegram", f"a{turn % ACCOUNTS}"),
                    owner=me,
                    now=now,
                    lease=timedelta(seconds=60),
                    room=lambda lane: BATCH,
                    ready=lambda chat, lane: True,
                )
            with lock:
                for claim in claims:
                    taken[claim.chat].append(claim.id)
                left[0] -= len(results)
            results = [rows.Sent(claim, "m", now) for claim in claims]
            turn += 1
        connection.close()

    engine.dispose()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = count / (time.perf_counter() - began)
    if any(ids != sorted(ids) for ids in taken.values()):
        raise SystemExit("a chat's order was not kept")
    engine.dispose()
    return rate


async def theirs(base: str, count: int, workers: int) -> float:
    """The same by pgqueuer; it promises no order."""
    from pgqueuer.db import PsycopgDriver
    from pgqueuer.queries import EntrypointExecutionParameter, Queries

    url = database(base)
    connections = [await psycopg.AsyncConnection.connect(url, autocommit=True) for _ in range(workers)]
    queues = [Queries(PsycopgDriver(connection)) for connection in connections]
    await queues[0].install()
    await queues[0].enqueue(["send"] * count, [b"x" * 60] * count, [0] * count)
    await connections[0].execute("ANALYZE")
    asked = {"send": EntrypointExecutionParameter(0)}

    async def work(queue: Queries) -> None:
        mine = uuid.uuid4()
        while jobs := await queue.dequeue(BATCH, asked, mine, None, timedelta(seconds=60)):  # type: ignore[arg-type]
            await queue.log_jobs([(job, "successful", None) for job in jobs])

    began = time.perf_counter()
    await asyncio.gather(*(work(queue) for queue in queues))
    rate = count / (time.perf_counter() - began)
    for connection in connections:
        await connection.close()
    return rate


def node(url: str, number: int, accounts: int, go: object, done: object) -> None:
    """One node that sends what its leases give it."""

    async def live() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            writer = prepare(url)
        traffic = writer.traffic()
        keys = [("telegram", f"a{n}") for n in range(accounts)]
        names = {key: send_name(*key) for key in keys}
        leases = Leases(traffic, node=f"n{number}", holder=f"n{number}/1", wanted=list(names.values()), duties=["work"])
        platforms = {key: FakePlatform(*key, latency=0.02) for key in keys}
        outbox = Outbox(
            traffic,
            platforms,
            Pacing.unlimited(),
            lambda: datetime.now(UTC),
            node=f"n{number}",
            hold=SendHold(leases, names),
        )
        leases._changed = outbox.wake
        for _ in range(3):  # until everybody has its share
            await leases.tick()
            await asyncio.sleep(0.5)
        keeping = asyncio.create_task(leases.run())
        go.wait()  # type: ignore[attr-defined]
        sending = asyncio.create_task(outbox.run())
        outbox.wake()
        await asyncio.to_thread(done.wait)  # type: ignore[attr-defined]
        await outbox.stop()
        for task in (sending, keeping):
            task.cancel()
        traffic.close()
        writer.close()

    asyncio.run(live())


def growing(base: str, count: int, nodes: int, accounts: int = 8) -> float:
    """Messages a second of so many nodes together."""
    url = database(base)
    writer = fill(url, count, accounts)
    context = multiprocessing.get_context("spawn")
    go, done = context.Event(), context.Event()
    processes = [context.Process(target=node, args=(url, n, accounts, go, done)) for n in range(nodes)]
    for process in processes:
        process.start()
    time.sleep(8)
    go.set()
    began = time.perf_counter()

    def left(session: Session) -> int:
        found = session.connection().execute(text("SELECT count(*) FROM outbox WHERE state <> 'sent'")).scalar_one()
        return int(found)

    while writer.read_now(left):
        time.sleep(0.05)
    rate = count / (time.perf_counter() - began)
    done.set()
    for process in processes:
        process.join(20)
    writer.close()
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["claims", "nodes"])
    parser.add_argument("--rows", type=int, default=4000)
    given = parser.parse_args()
    with server() as base:
        if "claims" in given.what:
            for workers in (1, 10, 50):
                pairs = [(ours(base, given.rows, workers), asyncio.run(theirs(base, given.rows, workers))) for _ in range(3)]
                mine, other = (statistics.median(each) for each in zip(*pairs, strict=True))
                ratio = statistics.median(a / b for a, b in pairs)
                print(f"claims, {workers} workers: ours {mine:.0f}/s, pgqueuer {other:.0f}/s, ratio {ratio:.2f}", flush=True)
        if "nodes" in given.what:
            for nodes in (1, 2, 4):
                print(f"nodes {nodes}: {growing(base, given.rows, nodes):.0f} messages/s", flush=True)


if __name__ == "__main__":
    main()
