"""Sending to thousands of groups: within the limits, past a resident's word, and as fast as it goes.

    python -m benchmarks.broadcast [--groups 1500] [limits enqueue drain]   (--groups 6017: the whole)

* limits: wall time by plan (groups / (bots x 29/s)), refusals by a platform that bears 30 in any second, requests inside its
  pauses, and how many slots a resident's reply waits. On a clock of its own that jumps from slot to slot, so that a busy
  machine changes nothing; `make cluster` is the same on the real clock.
* enqueue: a campaign written down for all its groups, beside raw commits of one row by the standard library's sqlite3 on the same
  disk: what it does in each group, and the notices of the first five.
* drain: no limit at all, against a Bot API that answers at once: our outbox and adapter with claims, caps and receipts on disk;
  the least that one would write by hand to send and know it (HTTP on open sockets that reads status, heads and answer, with a
  time-out; claims of 256 rows and receipts of 128 in a file of its own, on disk); and without any record, the same HTTP,
  python-telegram-bot's own client and aiohttp's. Under uvloop.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
import warnings
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import aiohttp
import uvloop
from sqlalchemy import text
from sqlmodel import Session
from telegram import Bot
from telegram.request import HTTPXRequest

from benchmarks.bot_api import TOKEN, served
from bot.campaigns.lots import NAME, SOON, USUAL, let_go, make
from bot.errors import RetryLater
from bot.messages import Address, Outbound, Receipt
from bot.notices import Lane, NewNotice, cancel_campaign, enqueue, enqueue_all
from bot.outbox import Outbox
from bot.pacing import Pacing, PacingRule
from bot.platforms.base import Capabilities, Feed, Health
from bot.platforms.telegram import TelegramPlatform, TelegramSettings
from storage.caps import Caps
from storage.database import OldLibrary, prepare
from storage.lots import Part, insert_groups, next_groups, waiting
from storage.tables import Campaign, Group
from storage.writer import Writer

AT_A_TIME = 32
TRIAL = 5  # groups that get a campaign first
BEARS, PACE = 30, 29.0
SLOT = 1 / PACE
TALK = 0.05  # replies to a slot: a resident's answer takes a slot of its bot from the campaign
START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
WORDS = "陌生来电说您涉案要转账，都是诈骗。先挂断，再打96110。"
PARTS = tuple(Part("law/x", text=f"{opening}{WORDS}") for opening in ("各位好。", f"{NAME}好。", "请看。", f"{NAME}的邻居，"))


def open_writer(folder: Path, name: str) -> Writer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OldLibrary)
        return prepare(f"sqlite:///{folder}/{name}.db")


class Jumping:
    """Time that goes on when nobody has anything to do."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class Platform:
    """One bot's platform: bears `BEARS` messages in any second, tells a pause now and then, and remembers everything."""

    name = "telegram"
    can = Capabilities()

    def __init__(self, account: str, clock: Jumping, pause_at: int) -> None:
        self.account = account
        self._clock = clock
        self._pause_at = pause_at
        self._recent: deque[datetime] = deque()
        self.paused_until: datetime | None = None
        self.sent: dict[str, datetime] = {}
        self.requests = self.refused = self.in_pause = 0
        self.paused = timedelta(0)

    async def send(self, to: Address, what: Outbound) -> Receipt:
        now = self._clock()
        self.requests += 1
        if self.paused_until is not None and now < self.paused_until:
            self.in_pause += 1
        if self.requests == self._pause_at:
            self.paused_until, self.paused = now + timedelta(seconds=3), timedelta(seconds=3)
            raise RetryLater(3, "account", "a pause of the platform's own")
        while self._recent and (now - self._recent[0]).total_seconds() >= 1.0:
            self._recent.popleft()
        if len(self._recent) >= BEARS:
            self.refused += 1
            raise RetryLater(1, "account", "too fast")
        self._recent.append(now)
        self.sent[what.key] = now
        return Receipt(what.key, now)

    async def listen(self, feed: Feed) -> None: ...

    async def recall(self, to: Address, message_id: str) -> bool:
        return False

    async def fetch(self, attachment: object, limit: int) -> bytes:
        return b""

    def health(self) -> Health:
        return Health(listening=True)


async def limits(folder: Path, groups: int, bots: int, pause: bool, talk: float) -> dict[str, float]:
    """One campaign to all groups on the jumping clock; `talk` is how often a resident gets an answer in between, in slots."""
    clock = Jumping()
    writer = open_writer(folder, f"limits{bots}{pause}{talk}")
    pause_at = groups // bots // 3 if pause else 0
    platforms = [Platform(f"b{n}", clock, pause_at) for n in range(bots)]
    adapters = {("telegram", one.account): one for one in platforms}
    outbox = Outbox(writer, adapters, Pacing(default=PacingRule()), clock, node="n", rng=random.Random(1))  # type: ignore[arg-type]
    notices = [NewNotice(f"c{n}", Lane.CAMPAIGN, Address("telegram", f"b{n % bots}", f"g{n}"), WORDS) for n in range(groups)]
    await writer.run(lambda session: enqueue_all(session, notices, clock()))
    outbox.wake()
    chance, waits, number = random.Random(2), [], 0
    asked: dict[str, tuple[Platform, datetime]] = {}
    left = sum(len(one.sent) for one in platforms)
    while left < groups:
        come_back = await outbox._round()
        while outbox._tasks:
            await asyncio.wait(outbox._tasks)
            come_back = await outbox._round()
        if chance.random() < talk:
            number += 1
            one = chance.choice(platforms)
            if one.paused_until is None or one.paused_until <= clock.now:
                reply = NewNotice(f"r{number}", Lane.REPLY, Address("telegram", one.account, f"g{number}r"), "收到")
                asked[reply.key] = one, clock.now
                await writer.run(lambda session, reply=reply: enqueue(session, reply, clock()))  # type: ignore[misc]
                outbox.wake()
                continue
        if come_back is None or come_back <= clock.now:
            come_back = clock.now + timedelta(milliseconds=1)
        clock.now = min(come_back, clock.now + timedelta(seconds=1))
        left = sum(1 for one in platforms for key in one.sent if key.startswith("c")) if number % 7 == 0 else _sent(platforms)
    last = max(at for one in platforms for key, at in one.sent.items() if key.startswith("c"))
    replies = sum(1 for one in platforms for key in one.sent if key.startswith("r"))
    waits = [(one.sent[key] - at).total_seconds() / SLOT for key, (one, at) in asked.items() if key in one.sent]
    most = max(len(one.sent) for one in platforms)
    writer.close()
    paused = max(one.paused.total_seconds() for one in platforms)
    took = (last - START).total_seconds()
    return {
        "took_s": took,
        "planned_s": groups / (bots * PACE),
        "ratio": (took - paused) / (groups / (bots * PACE)),
        "ratio_with_replies": (took - paused) / (most / PACE),
        "refused": float(sum(one.refused for one in platforms)),
        "in_pause": float(sum(one.in_pause for one in platforms)),
        "replies": float(replies),
        "longest_wait_slots": max(waits, default=0.0),
    }


def _sent(platforms: list[Platform]) -> int:
    return sum(1 for one in platforms for key in one.sent if key.startswith("c"))


def enqueueing(folder: Path, groups: int) -> dict[str, float]:
    """A campaign to all groups, in raw commits of one row, as `Campaigns.carry_out` does it with the words ready.

    trial: its row, a row for each group, and the notices of the first five; let_go: with the notices of its first lot; lot: each
    of the others, a transaction of its own; stop: of a campaign that is not let go yet; objects: notices by one object for each
    row, as handlers write theirs. The post has four openings, two of which name the group.
    """
    writer = open_writer(folder, "enqueue")
    raw = sqlite3.connect(folder / "raw.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        raw.execute(f"PRAGMA {pragma}")
    raw.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, body TEXT)")
    places = [
        Group(platform="telegram", account="b", chat=f"-100{n * 7919 % 1_000_003:07d}", name=f"群{n}") for n in range(groups)
    ]
    writer.run_now(lambda session: session.add_all(places))
    found: dict[str, list[float]] = {}

    def measure(name: str, work: Callable[[Session], object]) -> None:
        commit = _raw_commit(raw)
        began, spent = time.perf_counter(), time.process_time()
        writer.run_now(work)
        took, spent = time.perf_counter() - began, time.process_time() - spent
        found.setdefault(f"{name}_ms", []).append(1000 * took)
        found.setdefault(f"{name}_cpu_ms", []).append(1000 * spent)
        found.setdefault(f"{name}_commits", []).append(2 * took / (commit + _raw_commit(raw)))
        found.setdefault("commit_ms", []).append(1000 * commit)

    its = {group: group * 7919 % len(PARTS) for group in range(1, groups + 1)}
    for n in range(1, 15, 2):
        measure("trial", partial(carry_out, n, PARTS, its, TRIAL))
        measure("let_go", lambda session, n=n: let_go(session, session.get_one(Campaign, n), START))  # type: ignore[misc]
        lots = 0
        while writer.read_now(lambda session, n=n: waiting(session.connection(), n)):  # type: ignore[misc]
            writer.run_now(_send)
            measure("lot", lambda session, n=n: make(session, session.get_one(Campaign, n), _next(session, n), START))  # type: ignore[misc]
            lots += 1
        found.setdefault("longest_lot_ms", []).append(max(found["lot_ms"][-lots:]))
        writer.run_now(_send)
        writer.run_now(partial(carry_out, n + 1, PARTS, its, TRIAL))
        measure("stop", lambda session, n=n: cancel_campaign(session, n + 1))  # type: ignore[misc]
        notices = [NewNotice(f"{n}:{i}", Lane.CAMPAIGN, Address("telegram", "b", f"g{i}"), WORDS) for i in range(groups)]
        measure("objects", lambda session, notices=notices: enqueue_all(session, notices, START))  # type: ignore[misc]
    writer.close()
    return {name: statistics.median(each) for name, each in found.items()}


def carry_out(number: int, parts: Sequence[Part], its: Mapping[int, int], trial: int, session: Session) -> None:
    """The transaction of `Campaigns.carry_out` with the words ready."""
    campaign = Campaign(id=number, post="law/x", origin="shell", state="trial", created_at=START, began_at=START)
    session.add(campaign)
    session.flush()
    insert_groups(session.connection(), number, parts, its)
    make(session, campaign, list(range(1, trial + 1)), START)


def _send(session: Session) -> None:
    """Everything that was made so far is sent."""
    sent = "UPDATE outbox SET state = 'sent', message_id = id, sent_at = created_at WHERE state = 'pending'"
    session.connection().exec_driver_sql(sent)


def _next(session: Session, number: int) -> list[int]:
    return next_groups(session.connection(), number, 1_000_000, USUAL.most, START + SOON)[0]


def _raw_commit(raw: sqlite3.Connection) -> float:
    """Seconds of one row and its commit, median."""
    commits = []
    for _ in range(60):
        began = time.perf_counter()
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("INSERT INTO row (body) VALUES (?)", (WORDS,))
        raw.execute("COMMIT")
        commits.append(time.perf_counter() - began)
    return statistics.median(commits)


@dataclass(frozen=True, slots=True)
class Drained:
    """Messages a second, and the microseconds of our processor time that each took."""

    rate: float
    spent: float


async def timed(messages: int, work: Callable[[], Awaitable[object]]) -> Drained:
    began, spent = time.perf_counter(), time.process_time()
    await work()
    return Drained(messages / (time.perf_counter() - began), 1e6 * (time.process_time() - spent) / messages)


async def draining(folder: Path, messages: int, rounds: int) -> dict[str, float]:
    """All sides by turns against one server; the medians of the rounds and of their ratios."""
    found: dict[str, list[Drained]] = {"bot": [], "aiohttp": [], "bare": [], "by_hand": [], "ours": []}
    with served() as server:
        for n in range(rounds):
            found["bot"].append(await _by_bot(server.root, messages // 10))
            found["aiohttp"].append(await _by_aiohttp(server.root, messages))
            found["bare"].append(await _bare(server.root, messages))
            found["by_hand"].append(await _by_hand(folder, server.root, messages, n))
            found["ours"].append(await _by_outbox(folder, server.root, messages, n))
    told = {f"{name}_per_s": statistics.median(one.rate for one in each) for name, each in found.items()}
    told |= {f"{name}_us": statistics.median(one.spent for one in each) for name, each in found.items()}
    for name in ("bot", "aiohttp", "bare", "by_hand"):
        pairs = list(zip(found["ours"], found[name], strict=True))
        told[f"beside_{name}"] = statistics.median(mine.rate / other.rate for mine, other in pairs)
        told[f"beside_{name}_cpu"] = statistics.median(other.spent / mine.spent for mine, other in pairs)
    return told


async def _by_bot(root: str, messages: int) -> Drained:
    """python-telegram-bot's own client, as many at a time as it has connections."""
    request = HTTPXRequest(connection_pool_size=AT_A_TIME, httpx_kwargs={"trust_env": False})
    bot = Bot(TOKEN, f"{root}/bot", request=request, get_updates_request=request)
    await request.initialize()
    left = iter(range(messages))

    async def one() -> None:
        for _ in left:
            await bot.send_message(-100123, WORDS)

    drained = await timed(messages, lambda: asyncio.gather(*(one() for _ in range(AT_A_TIME))))
    await request.shutdown()
    return drained


async def _by_aiohttp(root: str, messages: int) -> Drained:
    """A loop over aiohttp's client, without any record of what was sent."""
    left = iter(range(messages))

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_A_TIME)) as session:

        async def one() -> None:
            for _ in left:
                body = json.dumps({"chat_id": -100123, "text": WORDS}).encode()
                headers = {"Content-Type": "application/json"}
                async with session.post(f"{root}/bot{TOKEN}/sendMessage", data=body, headers=headers) as answer:
                    await answer.json()

        return await timed(messages, lambda: asyncio.gather(*(one() for _ in range(AT_A_TIME))))


class Line:
    """One open connection: a request, its whole answer, the next one."""

    def __init__(self, root: str) -> None:
        self._host, _, port = root.removeprefix("http://").partition(":")
        self._port = int(port)
        self._start = b"POST /bot%b/sendMessage HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\nContent-Length: " % (
            TOKEN.encode(),
            self._host.encode(),
        )

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    async def send(self, chat: int, words: str) -> int:
        """The id of the message; exits when the answer is anything else."""
        body = json.dumps({"chat_id": chat, "text": words}).encode()
        async with asyncio.timeout(30):
            self._writer.write(b"%b%d\r\n\r\n%b" % (self._start, len(body), body))
            status, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            heads = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            answer = json.loads(await self._reader.readexactly(int(heads["content-length"])))
        if status.split(" ", 2)[1] != "200" or not answer["ok"] or heads.get("connection", "").lower() == "close":
            sys.exit(f"not sent: {status}")
        return int(answer["result"]["message_id"])

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


async def _bare(root: str, messages: int) -> Drained:
    """HTTP/1.1 by hand on open connections, without any record of what was sent: what is left when nothing can be left out."""
    left = iter(range(messages))

    async def one() -> None:
        line = Line(root)
        await line.open()
        for _ in left:
            await line.send(-100123, WORDS)
        await line.close()

    return await timed(messages, lambda: asyncio.gather(*(one() for _ in range(AT_A_TIME))))


async def _by_hand(folder: Path, root: str, messages: int, n: int) -> Drained:
    """The same with a record: rows claimed 256 at a time with a lease, receipts written 128 at a time, both on disk at once.

    In the loop's own thread, as one would write it first; no order, no caps, no pacing, no second node.
    """
    store = sqlite3.connect(folder / f"hand{n}.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        store.execute(f"PRAGMA {pragma}")
    store.execute("CREATE TABLE job (id INTEGER PRIMARY KEY, chat INTEGER, body TEXT, state TEXT, lease REAL, message INTEGER)")
    store.execute("CREATE INDEX job_open ON job (id) WHERE state = 'pending'")
    store.execute("BEGIN IMMEDIATE")
    rows = [(-100 - i, WORDS) for i in range(messages)]
    store.executemany("INSERT INTO job (chat, body, state) VALUES (?, ?, 'pending')", rows)
    store.execute("COMMIT")
    claimed: deque[tuple[int, int, str]] = deque()
    sent: list[tuple[int, int]] = []

    def write_down() -> None:
        store.execute("BEGIN IMMEDIATE")
        store.executemany("UPDATE job SET state = 'sent', message = ? WHERE id = ?", sent)
        store.execute("COMMIT")
        sent.clear()

    def next_one() -> tuple[int, int, str] | None:
        if not claimed:
            store.execute("BEGIN IMMEDIATE")
            found = store.execute("SELECT id, chat, body FROM job WHERE state = 'pending' ORDER BY id LIMIT 256").fetchall()
            store.executemany(
                "UPDATE job SET state = 'sending', lease = ? WHERE id = ?", [(time.time() + 60, row[0]) for row in found]
            )
            store.execute("COMMIT")
            claimed.extend(found)
        return claimed.popleft() if claimed else None

    async def one() -> None:
        line = Line(root)
        await line.open()
        while (row := next_one()) is not None:
            sent.append((await line.send(row[1], row[2]), row[0]))
            if len(sent) >= 128:
                write_down()
        await line.close()

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(AT_A_TIME)))
        write_down()

    drained = await timed(messages, all_of_them)
    if store.execute("SELECT count(*) FROM job WHERE state = 'sent'").fetchone()[0] != messages:
        sys.exit("the hand-written one did not send everything")
    store.close()
    return drained


def caps(now: datetime) -> Caps:
    """What a group bears, as in the bot itself."""
    return Caps(3, 10, now - timedelta(hours=9), None, timedelta(minutes=10), timedelta(hours=2))


async def _by_outbox(folder: Path, root: str, messages: int, n: int) -> Drained:
    writer = open_writer(folder, f"drain{n}")
    platform = TelegramPlatform(TelegramSettings(token=TOKEN, base_url=root), data_dir=folder)
    account = platform.account
    adapters = {("telegram", account): platform}
    outbox = Outbox(writer, adapters, Pacing.unlimited(), lambda: datetime.now(UTC), node="n", caps=caps)
    notices = [NewNotice(f"k{i}", Lane.CAMPAIGN, Address("telegram", account, f"-{100 + i}"), WORDS) for i in range(messages)]
    await writer.run(lambda session: enqueue_all(session, notices, datetime.now(UTC)))
    drained = await timed(messages, outbox.drain)
    sent = writer.read_now(
        lambda session: session.connection().execute(text("SELECT count(*) FROM outbox WHERE state = 'sent'")).scalar()
    )
    if sent != messages:
        sys.exit(f"only {sent} of {messages} were sent")
    await platform.close()
    await asyncio.to_thread(writer.close)
    return drained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["limits", "enqueue", "drain"])
    parser.add_argument("--groups", type=int, default=1500)
    parser.add_argument("--messages", type=int, default=3000, help="of a drain")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    tell: Callable[[str], None] = lambda words: print(words, flush=True)  # noqa: E731
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "limits" in given.what:
            for bots in (1, 4, 7, 40):
                for pause, talk in ((False, 0.0), (False, TALK), (True, TALK)):
                    found = asyncio.run(limits(folder, given.groups, bots, pause, talk))
                    more = f"{', residents talk' if talk else ''}{', a pause of 3 s' if pause else ''}"
                    tell(f"limits, {bots} bots{more}: {_figures(found)}")
        if "enqueue" in given.what:
            tell(f"enqueue of 6017: {_figures(enqueueing(folder, 6017))}")
        if "drain" in given.what:
            tell(f"drain: {_figures(uvloop.run(draining(folder, given.messages, given.rounds)))}")


def _figures(found: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" if value < 100 else f"{name} {value:.0f}" for name, value in found.items())


if __name__ == "__main__":
    main()
