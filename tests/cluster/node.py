"""One node of a cluster, in a process of its own.

    python -m tests.cluster.node

reads one order a line on standard input and forks a process for each, because the content then is read once for all of them; it
answers with the process id. A node ends by a signal, as a real one does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bot.schedule
import storage.writer
from bot.app import CONTENT, App, Library, open_database
from bot.clock import Clock, SharedClock
from bot.config import load_settings
from bot.leases import LeaseRule
from bot.pacing import Pacing, PacingRule
from bot.photos import PhotoWorker
from bot.roles import Duties, Role
from storage.failpoints import arm
from tests.cluster.editor import lot_size
from tests.cluster.plants import PLANTS
from tests.cluster.remote import RemotePlatform

# everything five times as fast as in service, for a node in a hurry
LEASES = LeaseRule(length=2.0, renew=0.5, margin=0.4)
IDLE_SECONDS = 1.0
SEND_TIMEOUT = 1.5
CLAIM_SECONDS = 3.0
PATROL = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Order:
    """`skew` is how many seconds this machine's clock is wrong; `environ` are settings; `per_second`, `overall`: the pace."""

    name: str
    roles: tuple[str, ...]
    folder: str
    url: str
    world: int
    accounts: tuple[str, ...]
    skew: float = 0.0
    plant: str = ""
    per_second: float = 0.0
    overall: float = 0.0
    environ: tuple[tuple[str, str], ...] = ()
    hurry: bool = True  # leases and patience a fifth of those in service, so that a test's troubles are over soon
    lot: int = 0  # notices of a campaign that are made at a time; 0: as in service
    failpoint: str = ""  # where it dies, as in QIANSHAO_FAILPOINT

    @property
    def ready(self) -> Path:
        """The file that is there as soon as the node is at work."""
        return Path(self.folder) / f"{self.name}.ready"

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"


class WrongClock(Clock):
    """A machine's clock that is wrong."""

    def __init__(self, skew: float) -> None:
        super().__init__()
        self._skew = timedelta(seconds=skew)
        self._right = Clock()  # the alarm itself is nobody's to set wrong

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._skew

    async def wait(self, until: datetime | None, wake: asyncio.Event) -> None:
        await self._right.wait(until - self._skew if until else None, wake)

    def close(self) -> None:
        self._right.close()


class NodeClock(SharedClock):
    """The database's clock on a machine whose own is wrong."""

    def __init__(self, skew: float) -> None:
        super().__init__()
        self._wall = WrongClock(skew)


async def live(order: Order, library: Library) -> None:
    """Start the node and serve until SIGTERM."""
    environ = {
        "QIANSHAO_BOT__DATA_DIR": f"{order.folder}/data",
        "QIANSHAO_STORAGE__URL": order.url,
        "QIANSHAO_BOT__HANDLERS": json.dumps([str(Path(__file__).parent / "echo.py")]),
        **dict(order.environ),
    }
    settings = load_settings(Path("config.toml"), environ)
    writer = await asyncio.to_thread(open_database, order.url)
    photos = PhotoWorker(patience_seconds=60)
    clock: Clock = WrongClock(order.skew) if order.plant == "own clock" else NodeClock(order.skew)
    rule = PacingRule(order.per_second, 0.0, 1_000_000_000, 0) if order.per_second else PacingRule.unlimited()
    pacing = Pacing(default=rule, overall_per_second=order.overall or float("inf"), booking=order.plant != "limiter in memory")
    adapters = [RemotePlatform(account, order.world, order.name) for account in order.accounts]
    leases = LEASES if order.hurry else LeaseRule()
    duties = Duties(Role(role) for role in order.roles)
    app = App(
        settings, writer, library, adapters, photos, clock, pacing=pacing, duties=duties, node=order.name, lease_rule=leases
    )
    if order.hurry:
        app.outbox.rule = replace(app.outbox.rule, send_timeout=SEND_TIMEOUT, lease=CLAIM_SECONDS, first_wait=0.05, patrol=1.0)
    app.services.post_rules = replace(app.services.post_rules, lots=lot_size(order.lot))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    arm(order.failpoint)
    async with app.running():
        order.ready.touch()
        await stop.wait()
    await photos.close()
    await asyncio.to_thread(writer.close)


def live_and_exit(order: Order, library: Library) -> None:
    """The child's whole life; never returns."""
    code = 3
    try:
        log = os.open(Path(order.folder) / f"{order.name}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if order.hurry:
            storage.writer.IDLE_SECONDS = IDLE_SECONDS
        bot.schedule.PATROL = PATROL
        plant: Callable[[], None] = PLANTS[order.plant]
        plant()
        asyncio.run(live(order, library))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Serve orders until the input ends; then nobody is left behind."""
    library = Library.load(CONTENT, datetime.now(UTC))
    answer: Any = sys.stdout
    children: list[int] = []
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever ends is nobody's zombie
    for line in sys.stdin:
        given = json.loads(line)
        for name in ("roles", "accounts"):
            given[name] = tuple(given[name])
        given["environ"] = tuple(tuple(pair) for pair in given["environ"])
        child = os.fork()
        if not child:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            live_and_exit(Order(**given), library)
        children.append(child)
        print(child, file=answer, flush=True)
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
