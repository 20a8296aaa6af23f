"""A cluster for one test: nodes in processes of their own, one database, one world, and everything that can happen to them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, insert, select

from bot.messages import Address
from bot.notices import Lane, NewNotice, enqueue_all
from storage.database import OldLibrary, prepare
from storage.sealing import Sealer
from storage.tables import Group, InboxEvent, Notice, Occurrence
from storage.writer import StorageUnavailable, Writer
from tests.cluster.checker import Trouble, Verdict, judge
from tests.cluster.editor import Editor, is_in_lots, unfinished
from tests.cluster.history import histories
from tests.cluster.node import Order
from tests.cluster.remote import PLATFORM
from tests.cluster.world import World
from tests.kit.postgres import PostgresServer, spent
from tests.kit.proxy import FaultProxy

ACCOUNTS = ("a1", "a2", "a3")
LOT = 2
LAST_LINES = 15  # of a log, which hold the end of a traceback
CHATS = tuple((account, f"{account}-g{n}") for account in ACCOUNTS for n in range(4))


class NotUp(Exception):
    """A node ended by itself, or nobody hears an account; the words carry the ends of the logs."""


class Nursery:
    """Forks nodes: the content is read once."""

    def __init__(self, log: Path) -> None:
        self._path = log
        self._log = log.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.node"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def start(self, order: Order) -> int:
        """The new node's process id. NotUp when the process that all nodes are made from has ended."""
        if self._process.stdin is None or self._process.stdout is None:
            raise OSError("no pipe")
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(order.line())
            self._process.stdin.flush()
        if not (answer := self._process.stdout.readline()):
            raise NotUp(f"no node can be started\n{_end_of(self._path)}")
        return int(answer)

    def close(self) -> None:
        self._process.communicate(timeout=10)
        self._log.close()


def _end_of(log: Path) -> str:
    """A log's last lines."""
    words = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return f"--- {log.stem}\n" + ("\n".join(words.splitlines()[-LAST_LINES:]) or "(its log is empty)")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Cluster:
    """Four nodes, of which two can listen, three can send and two serve schedules; "cut" talks to the database by a proxy."""

    ROLES: ClassVar[dict[str, tuple[str, ...]]] = {
        "ear": ("ingest",),
        "cut": ("ingest", "work", "schedule"),
        "left": ("work",),
        "right": ("work", "schedule"),
    }
    SKEWS: ClassVar[dict[str, float]] = {"ear": 75.0, "cut": -40.0, "left": 0.0, "right": 3600.0}

    def __init__(
        self,
        nursery: Nursery,
        server: PostgresServer,
        world: World,
        proxy: FaultProxy,
        folder: Path,
        chats: Sequence[tuple[str, str]] = CHATS,
    ) -> None:
        self.world = world
        self.chats = chats
        self.accounts = tuple(sorted({account for account, _ in chats}))
        self.proxy = proxy
        self.troubles: list[Trouble] = []
        self.plant = ""
        self.per_second = 0.0
        self.overall = 0.0
        self.hurry = True
        self.lot = LOT  # a campaign to twelve groups has five first ones, and its others come in several lots
        self.environ: dict[str, str] = {
            "QIANSHAO_POSTS__QUIET_FROM": "00:00",
            "QIANSHAO_POSTS__QUIET_TO": "00:00",
            "QIANSHAO_POSTS__DAILY_CAP": "20",
            "QIANSHAO_POSTS__WEEKLY_CAP": "50",
        }
        self._nursery = nursery
        self._server = server
        self._folder = folder
        self._pids: dict[str, int] = {}
        self._orders: dict[str, Order] = {}
        self._said: dict[str, int] = {}
        self._bulk = 0
        name = f"c{uuid.uuid4().hex[:10]}"
        self._url = server.url(name)
        self._cut_url = server.proxied_url(name, proxy.port)
        self.writer = self._prepare()
        Sealer(folder / "data" / "keys" / "inbox.key"), Sealer(folder / "data" / "keys" / "tips.key")

    def _prepare(self) -> Writer:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OldLibrary)
            writer = prepare(self._url)

        now = datetime.now(UTC)
        rows = [
            Group(platform=PLATFORM, account=account, chat=chat, name=chat, class_label="综合", introduced_at=now).model_dump(
                exclude={"id"}
            )
            for account, chat in self.chats
        ]

        def lay(session: Session) -> None:
            # rows made beforehand: on a busy machine thousands of objects take longer than a transaction may stand idle
            session.connection().execute(insert(Group), rows)

        writer.run_now(lay)
        return writer

    # --- nodes ---

    def start(self, *names: str, failpoint: str = "") -> None:
        for name in names or self.ROLES:
            order = Order(
                name,
                self.ROLES[name],
                str(self._folder),
                self._cut_url if name == "cut" else self._url,
                self.world.port,
                self.accounts,
                self.SKEWS[name],
                self.plant,
                self.per_second,
                self.overall,
                tuple(self.environ.items()),
                self.hurry,
                self.lot,
                failpoint,
            )
            order.ready.unlink(missing_ok=True)
            self._pids[name] = self._nursery.start(order)
            self._orders[name] = order

    def kill(self, name: str) -> None:
        self._trouble("kill", name)
        os.kill(self._pids.pop(name), signal.SIGKILL)

    async def dies(self, name: str) -> None:
        """Return when a node has come to the failpoint that it was started with."""
        pid = self._pids[name]
        async with asyncio.timeout(60):
            while _lives(pid):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        self._trouble("death at its failpoint", name)
        del self._pids[name]

    async def pause(self, name: str, seconds: float) -> None:
        """SIGSTOP, longer than its leases run."""
        self._trouble("pause", name)
        os.kill(self._pids[name], signal.SIGSTOP)
        await asyncio.sleep(seconds)
        os.kill(self._pids[name], signal.SIGCONT)

    async def partition(self, seconds: float) -> None:
        """The node "cut" loses the database, and the database it."""
        self._trouble("partition", "cut")
        self.proxy.partition()
        await asyncio.sleep(seconds)
        self.proxy.heal()

    async def power_cut(self) -> None:
        """`pg_ctl stop -m immediate`, and the start after it; a node on its way up would end, for its keeper to start anew."""
        await self._at_work(time.monotonic() + 60.0)
        self._trouble("power cut", "")
        await asyncio.to_thread(self._server.stop, "immediate")
        await asyncio.to_thread(self._server.start)

    def _trouble(self, what: str, node: str) -> None:
        self.troubles.append(Trouble(what, node, time.monotonic()))

    # --- people ---

    def say(self, rounds: int = 1) -> None:
        """In every group two people say their next line."""
        for _ in range(rounds):
            for account, chat in self.chats:
                for person in ("zhang", "li"):
                    sender = f"{chat}-{person}"
                    number = self._said[sender] = self._said.get(sender, 0) + 1
                    self.world.say(account, chat, sender, f"/回声 {number}")

    async def write(self, each: int) -> None:
        """So many notices to every group, as an officer writes them."""
        lane = Lane.OFFICER
        notices = []
        for _ in range(each):
            self._bulk += 1
            notices += [
                NewNotice(f"bulk:{lane.name}:{chat}:{self._bulk}", lane, Address(PLATFORM, account, chat), f"通知{self._bulk}")
                for account, chat in self.chats
            ]
        await self._run(lambda session: enqueue_all(session, notices, datetime.now(UTC)))

    async def post(self) -> None:
        """A post to every group, unless the last one is still being made. Its officer lets it go on when it has halted."""
        await self._run(self.editor.go_on)
        await self._run(self.editor.send_next)

    async def posts(self, count: int) -> None:
        """So many posts to every group at once."""
        for _ in range(count):
            await self._run(self.editor.send)

    async def week_passes(self) -> None:
        """No group has had enough of posts any more."""
        await self._run(self.editor.let_a_week_pass)

    async def in_lots(self) -> None:
        """Return when a campaign is being made in lots, of which some are still to come."""
        async with asyncio.timeout(120):
            while not await self._run(is_in_lots):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def _run(self, work: Callable[[Session], Any]) -> Any:
        for _ in range(100):
            with contextlib.suppress(StorageUnavailable):
                return await self.writer.run(work)
            await asyncio.sleep(0.1)
        raise StorageUnavailable("the database is gone for good")

    @cached_property
    def editor(self) -> Editor:
        """Who sends posts here, by the settings that the nodes have."""
        return Editor(self.environ, self.lot)

    def schedule_in(self, seconds: float) -> None:
        """A post that is due soon, for the nodes that start from now on."""
        due = (datetime.now(UTC) + timedelta(seconds=seconds)).astimezone(ZoneInfo("Asia/Shanghai"))
        table = [{"name": "soon", "category": "antifraud", "days": "*", "time": due.strftime("%H:%M:%S"), "late_minutes": 60}]
        self.environ["QIANSHAO_SCHEDULES"] = json.dumps(table)

    async def up(self, seconds: float = 120.0) -> None:
        """Return when every node is at work and every account is heard, or when the patience ends. NotUp when a node ends."""
        deadline = time.monotonic() + seconds
        await self._at_work(deadline)
        for account, chat in dict(self.chats).items():
            self._said[f"{chat}-first"] = 1
            self.world.say(account, chat, f"{chat}-first", "/回声 1")
        await self.quiet(deadline - time.monotonic(), self.all_live)

    async def _at_work(self, deadline: float) -> None:
        """Return when every node that was started is at work, or at the deadline. NotUp when one ends."""
        while not all(order.ready.exists() for order in self._orders.values()) and time.monotonic() < deadline:
            self.all_live()
            await asyncio.sleep(0.05)

    def all_live(self) -> None:
        """Raise NotUp, with its last words, when a node has ended that nobody has killed."""
        if ended := [name for name, pid in self._pids.items() if not _lives(pid)]:
            raise NotUp(f"ended by itself: {', '.join(ended)}\n{self.logs(*ended)}")

    async def sending(self, most: int = 12) -> str:
        """The node that is in the middle of sending: it has just said so many things, and has more to say."""
        before = len(self.world.attempts)
        async with asyncio.timeout(120):
            while len(self.world.attempts) < before + most:  # noqa: ASYNC110
                await asyncio.sleep(0.002)
        return self.world.attempts[-1].node

    async def quiet(self, seconds: float = 150.0, look: Callable[[], None] = lambda: None) -> None:
        """Return when everything is confirmed, handled and sent, or when the patience ends; `look` is called meanwhile."""
        deadline = time.monotonic() + seconds
        still = 0
        while still < 3 and time.monotonic() < deadline:
            look()
            try:
                posts, halted = await self.writer.read(unfinished)
                if halted:
                    await self.writer.run(self.editor.go_on)
                busy = posts or await self.writer.read(self._busy)
            except StorageUnavailable:
                busy = True
            confirmed = len(self.world.confirmed) == len(self.world.heard)
            still = still + 1 if confirmed and not busy else 0
            await asyncio.sleep(0.1)

    @staticmethod
    def _busy(session: Session) -> bool:
        open_rows = (
            select(Notice.id).where(col(Notice.state).in_(("pending", "held"))),
            select(InboxEvent.id).where(col(InboxEvent.state).in_(("kept", "waiting"))),
            select(Occurrence.id).where(Occurrence.state == "due", Occurrence.due_at <= datetime.now(UTC)),
        )
        return any(session.exec(rows.limit(1)).first() is not None for rows in open_rows)

    @property
    def processor_seconds(self) -> dict[str, float]:
        """What each node, the database and the test's own process have used of the processors."""
        used = {name: spent(pid) for name, pid in self._pids.items()}
        return used | {"PostgreSQL": self._server.processor_seconds, "this program": spent(os.getpid())}

    def judge(self) -> Verdict:
        verdict = self.writer.read_now(lambda session: judge(session, self.world, self.troubles))
        verdict.lost += [f"the node {name} ended by itself" for name, pid in self._pids.items() if not _lives(pid)]
        return verdict

    def what_happened(self, verdict: Verdict) -> str:
        """Everything that is known about a verdict's faults, for a test that failed."""
        told = self.writer.read_now(lambda session: histories(session, self.world, self.troubles, verdict.faults))
        return f"{verdict}\n{told}\n{self.logs()}"

    async def comes_to(self, fault: str, seconds: float) -> list[str]:
        """What is wrong as soon as this is: for a planted bug that needs its time."""
        deadline = time.monotonic() + seconds
        while True:
            faults = self.judge().faults
            if any(fault in found for found in faults) or time.monotonic() > deadline:
                return faults
            await asyncio.sleep(0.2)

    @property
    def unheard(self) -> list[str]:
        """The accounts of which nobody has confirmed a word."""
        heard = {self.world.heard[event]["account"] for event in self.world.confirmed}
        return [account for account in self.accounts if account not in heard]

    def logs(self, *names: str) -> str:
        """The end of each of these nodes' logs, or of all."""
        return "\n".join(_end_of(self._folder / f"{name}.log") for name in names or self._orders)

    async def close(self) -> None:
        for pid in self._pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(self.writer.close)
