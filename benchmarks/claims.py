"""Claims of the outbox on PostgreSQL, beside pgqueuer's, in one run; and how sending grows with nodes.

    python -m benchmarks.claims [--rows 16000] [claims enqueue nodes]      (from .venv-bench; PostgreSQL comes from .venv)

* claims: 1, 10 and 50 workers take all rows, ten (or a hundred) at a time, and write down that they are sent. Ours is `claim` of
  storage/claims.py and `write_back` of storage/receipts.py in one transaction, which keeps the order in each chat (four rows
  each, checked); pgqueuer's is `dequeue` and `log_jobs`, of the same number at a time.
* enqueue: a campaign to 6,017 groups, with the notices of the first five, beside as many jobs by pgqueuer.
* nodes: 1, 2 and 4 processes with an outbox each empty one table; every send takes 20 ms, as over a network.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import statistics
import subprocess
import threading
import time
import uuid
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psycopg
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool
from sqlmodel import Session

from benchmarks.broadcast import PARTS, carry_out
from bot.leased import SendHold
from bot.leases import Leases, send_name
from bot.messages import Address
from bot.notices import Lane, NewNotice, enqueue_all
from bot.outbox import Outbox
from bot.pacing import Pacing
from storage import claims as rows
from storage import prepared, receipts
from storage.database import prepare
from storage.tables import Group
from storage.writer import Writer
from tests.kit.fake_platform import FakePlatform

PER_CHAT = 4
BATCH, LARGE = 10, 100  # pgqueuer takes ten at a time unless told otherwise
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
    """Rows of a campaign and its like: `PER_CHAT` in each chat, and as many chats with each account."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        writer = prepare(url)
    now, chats = datetime.now(UTC), count // PER_CHAT
    notices = [
        NewNotice(f"k{n}", Lane.OFFICER, Address("telegram", f"a{n % chats % accounts}", f"g{n % chats}"), "x" * 60)
        for n in range(count)
    ]
    writer.run_now(lambda session: enqueue_all(session, notices, now))
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as admin:
        admin.execute("VACUUM ANALYZE")
    return writer


@dataclass(frozen=True, slots=True)
class Found:
    """Rows a second, and the microseconds of processor time of each, ours and the server's together, whatever else runs."""

    rate: float
    spent: float


def server_seconds(backends: list[int]) -> float:
    """The processor time that these processes of the server have used."""
    ticks = 0
    for pid in backends:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def ours(base: str, count: int, workers: int, batch: int) -> Found:
    """Every worker has an account, as by a lease. Exits when a row was lost or a chat's order was not kept."""
    url = database(base)
    fill(url, count, workers).close()
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    prepared.attend(engine)
    connections = [engine.connect() for _ in range(workers)]
    backends = [connection.execute(text("SELECT pg_backend_pid()")).scalar_one() for connection in connections]
    for connection in connections:
        connection.rollback()
    taken: dict[str, list[int]] = defaultdict(list)

    def work(number: int) -> None:
        me, account, connection = f"w{number}/1", ("telegram", f"a{number}"), connections[number]
        results: list[receipts.Sent] = []
        claims: list[rows.Claim] = []
        while True:
            now = datetime.now(UTC)
            taking: list[rows.Taken] = []
            with connection.begin():
                receipts.write_back(connection, me, results)
                claims, _ = rows.claim(
                    connection,
                    account,
                    owner=me,
                    now=now,
                    lease=timedelta(seconds=60),
                    room=lambda lane: batch,
                    ready=lambda chat, lane, private: True,
                    taking=taking,
                )
            claims = rows.really(claims, taking)
            for claim in claims:
                taken[claim.chat].append(claim.id)
            results = [receipts.Sent(claim, "m", now) for claim in claims]
            if not claims:
                return

    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    spent = -time.process_time() - server_seconds(backends)
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = count / (time.perf_counter() - began)
    spent += time.process_time() + server_seconds(backends)
    for connection in connections:
        connection.close()
    if sum(map(len, taken.values())) != count or any(ids != sorted(ids) for ids in taken.values()):
        raise SystemExit("a row was lost, or a chat's order was not kept")
    return Found(rate, 1e6 * spent / count)


async def theirs(base: str, count: int, workers: int, batch: int) -> Found:
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
        while jobs := await queue.dequeue(batch, asked, mine, None, timedelta(seconds=60)):  # type: ignore[arg-type]
            await queue.log_jobs([(job, "successful", None) for job in jobs])

    backends = [connection.info.backend_pid for connection in connections]
    spent = -time.process_time() - server_seconds(backends)
    began = time.perf_counter()
    await asyncio.gather(*(work(queue) for queue in queues))
    rate = count / (time.perf_counter() - began)
    spent += time.process_time() + server_seconds(backends)
    for connection in connections:
        await connection.close()
    return Found(rate, 1e6 * spent / count)


def enqueueing(base: str, groups: int = 6017, trial: int = 5) -> float:
    """Milliseconds, median, of writing down a campaign in a transaction of its own: as `benchmarks.broadcast` does it."""
    url = database(base)
    writer = fill(url, 0, 1)
    places = [Group(platform="telegram", account="b", chat=f"-100{n:07d}", name=f"g{n}") for n in range(groups)]
    writer.run_now(lambda session: session.add_all(places))
    took = []
    for n in range(1, 8):
        began = time.perf_counter()
        writer.run_now(partial(carry_out, n, PARTS, {group: group % len(PARTS) for group in range(1, groups + 1)}, trial))
        took.append(1000 * (time.perf_counter() - began))
    writer.close()
    return statistics.median(took)


async def enqueueing_there(base: str, jobs: int = 6017) -> float:
    """The same of as many jobs by pgqueuer."""
    from pgqueuer.db import PsycopgDriver
    from pgqueuer.queries import Queries

    connection = await psycopg.AsyncConnection.connect(database(base), autocommit=True)
    queue = Queries(PsycopgDriver(connection))
    await queue.install()
    took = []
    for _ in range(7):
        began = time.perf_counter()
        await queue.enqueue(["send"] * jobs, [b"x" * 66] * jobs, [0] * jobs)
        took.append(1000 * (time.perf_counter() - began))
    await connection.close()
    return statistics.median(took)


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
        keeping = asyncio.create_task(leases.run())
        await asyncio.to_thread(go.wait)  # type: ignore[attr-defined]
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

    def shares(session: Session) -> list[int]:
        held = "SELECT count(*) FROM lease WHERE name LIKE 'send:%' AND until > now() GROUP BY holder"
        return [row[0] for row in session.connection().execute(text(held))]

    while writer.read_now(shares) != [accounts // nodes] * nodes:
        time.sleep(0.2)
    go.set()
    began = time.perf_counter()

    def left(session: Session) -> int:
        waiting = "SELECT count(*) FROM outbox WHERE state = 'pending'"
        return int(session.connection().execute(text(waiting)).scalar_one())

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
    parser.add_argument("what", nargs="*", default=["claims", "enqueue", "nodes"])
    # with 4000, fifty workers have eight rounds each, which is how a connection starts and not how it works
    parser.add_argument("--rows", type=int, help="of claims 16000 unless told otherwise, of nodes 4000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="*", help="only so many workers")
    given = parser.parse_args()
    with server() as base:
        if "claims" in given.what:
            for workers, batch in ((1, BATCH), (10, BATCH), (50, BATCH), (1, LARGE), (10, LARGE)):
                if given.workers and workers not in given.workers:
                    continue
                pairs = []
                for _ in range(given.rounds):
                    mine = ours(base, given.rows or 16000, workers, batch)
                    pairs.append((mine, asyncio.run(theirs(base, given.rows or 16000, workers, batch))))
                ratios = sorted(mine.rate / other.rate for mine, other in pairs)
                cheaper = statistics.median(other.spent / mine.spent for mine, other in pairs)
                mine, other = (statistics.median(one.rate for one in side) for side in zip(*pairs, strict=True))
                print(
                    f"claims, {workers} workers, {batch} at a time: ours {mine:.0f}/s, pgqueuer {other:.0f}/s, "
                    f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}), "
                    f"in processor time {cheaper:.2f}",
                    flush=True,
                )
        if "enqueue" in given.what:
            told = enqueueing(base), asyncio.run(enqueueing_there(base))
            print(f"enqueue of 6017: ours {told[0]:.0f} ms, pgqueuer {told[1]:.0f} ms", flush=True)
        if "nodes" in given.what:
            for nodes in (1, 2, 4):
                print(f"nodes {nodes}: {growing(base, given.rows or 4000, nodes):.0f} messages/s", flush=True)


if __name__ == "__main__":
    main()
