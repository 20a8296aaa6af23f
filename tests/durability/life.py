"""One life of the whole bot, in a process of its own, from start to the end of the story or to its death.

    python -m tests.durability.life

reads one order a line on standard input (see `Order`) and forks a process for each: the content is read once, a life costs a
tenth of a second instead of two. It answers two lines: the process id, and how the life ended (0, an exit code, or minus the
signal).
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import sys
import time
import traceback
import warnings
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, or_, select

from bot.app import CONTENT, App, Library, open_database
from bot.campaigns import Request
from bot.campaigns.rules import LotSize
from bot.clock import Clock
from bot.config import load_settings
from bot.demo import load_district, seed
from bot.pacing import Pacing
from bot.photos import PhotoWorker
from storage.failpoints import arm
from storage.tables import Campaign, InboxEvent, Notice, Occurrence
from tests.durability import street
from tests.durability.plants import PLANTS
from tests.kit.fake_platform import FakePlatform
from tests.kit.scenario import MORNING

# two seconds before ten o'clock in Shanghai on a Monday, when a schedule of config.toml is due
START = MORNING - timedelta(seconds=2)
# a report puts posts off by ten minutes; what is due before then was put off by nobody, however long the story takes
PUT_OFF = START + timedelta(minutes=9)


@dataclass(frozen=True, slots=True)
class Order:
    """`folder` has the history and the data of the bot; `failpoint` as in QIANSHAO_FAILPOINT; `plant` names a planted bug; after
    `patience` seconds the life is given up. `lot`: nobody says anything, a post
    goes out, and so many notices of it are made at a time."""

    folder: str
    url: str
    failpoint: str = ""
    plant: str = ""
    patience: float = 60.0
    lot: int = 0

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"


class GoingClock(Clock):
    """A clock that began at `START` when the folder was new and has gone on ever since, through every death."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._wall = Clock()
        file = folder / "began"
        if not file.exists():
            # whole or not at all: a kill may come between opening a file and writing into it
            draft = file.with_suffix(".new")
            draft.write_text(repr(time.time()))
            draft.replace(file)
        self._ahead = START - datetime.fromtimestamp(float(file.read_text()), START.tzinfo)

    def __call__(self) -> datetime:
        return self._wall() + self._ahead

    async def wait(self, until: datetime | None, wake: asyncio.Event) -> None:
        await self._wall.wait(until - self._ahead if until else None, wake)


def history_of(folder: Path) -> Path:
    return folder / "history.jsonl"


async def live(order: Order, library: Library) -> None:
    """Start on what is there, let people go on, and return when everything is said, handled and sent."""
    folder = Path(order.folder)
    environ = {"QIANSHAO_BOT__DATA_DIR": str(folder / "data"), "QIANSHAO_STORAGE__URL": order.url}
    if order.lot:
        environ["QIANSHAO_SCHEDULES"] = "[]"
    settings = load_settings(Path("config.toml"), environ)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        writer = await asyncio.to_thread(open_database, order.url or settings.database_url)
    await writer.run(lambda session: seed(session, load_district(CONTENT / "demo" / "district.toml"), START))
    photos = PhotoWorker(patience_seconds=order.patience)
    clock = GoingClock(folder)
    platform = FakePlatform(street.PLATFORM, street.PLATFORM, clock=clock, path=history_of(folder))
    platform._note(what="life", failpoint=order.failpoint)
    app = App(settings, writer, library, [platform], photos, clock, pacing=Pacing.unlimited())
    app.outbox.rule = replace(app.outbox.rule, first_wait=0.05)
    if order.lot:
        small = LotSize(ahead=20 * order.lot, most=order.lot)
        app.services.post_rules = replace(app.services.post_rules, trial_groups=3, lots=small)
        await writer.run(lambda session: _carry_out(app, session))
    else:
        street.open_street(platform)
    arm(order.failpoint)
    asyncio.get_running_loop().call_later(order.patience - 2, _show_tasks)
    async with asyncio.timeout(order.patience), app.running():
        await _until_quiet(app, platform, street_lives=not order.lot)
    arm("")
    await photos.close()
    await asyncio.to_thread(writer.close)


def _carry_out(app: App, session: Session) -> None:
    """Somebody sends a post; once, however often this is told."""
    if session.exec(select(Campaign.id).limit(1)).first() is None:
        app.services.campaigns(session, app.clock()).send(Request("antifraud"))


async def _until_quiet(app: App, platform: FakePlatform, *, street_lives: bool) -> None:
    """Like `App.settle`, but only looking: the bot's own loops do the work, so that every failpoint is passed as in life."""
    still = 0
    while still < 3:
        said = street_lives and street.go_on(platform)
        await platform.all_confirmed()
        await app.lanes.drained()
        busy = await app.writer.read(_busy) or (street_lives and app.clock() < START + timedelta(seconds=2.5))
        still = 0 if said or busy else still + 1
        await asyncio.sleep(0.02)


def _show_tasks() -> None:
    """It is about to take too long: write down what everybody waits for."""
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)


def _busy(session: Session) -> bool:
    soon = or_(col(Notice.due_at).is_(None), col(Notice.due_at) <= PUT_OFF)
    notices = session.exec(select(Notice.id).where(Notice.state == "pending", soon).limit(1)).first()
    events = session.exec(select(InboxEvent.id).where(InboxEvent.state == "kept").limit(1)).first()
    due = Occurrence.state != "sent", Occurrence.state != "skipped", Occurrence.due_at <= START + timedelta(seconds=3)
    occurrences = session.exec(select(Occurrence.id).where(*due).limit(1)).first()
    trial = session.exec(select(Campaign.id).where(Campaign.state == "trial").limit(1)).first()  # the others wait for the first
    lot = session.exec(select(Campaign.id).where(col(Campaign.lot_at).is_not(None)).limit(1)).first()
    return any(found is not None for found in (notices, events, occurrences, trial, lot))


def live_and_exit(order: Order, library: Library) -> None:
    """The child's whole life; never returns."""
    code = 3
    try:
        log = os.open(Path(order.folder) / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        PLANTS[order.plant]()
        faulthandler.dump_traceback_later(order.patience + 15, exit=True)
        asyncio.run(live(order, library))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Serve orders until the input ends. A child that has ended keeps its number until the next order, so that nobody else who
    was given it is killed in its place."""
    library = Library.load(CONTENT, START)
    answer: Any = sys.stdout
    ended = 0
    for line in sys.stdin:
        if ended:
            os.waitpid(ended, 0)
        order = Order(**json.loads(line))
        child = os.fork()
        if not child:
            live_and_exit(order, library)
        print(child, file=answer, flush=True)
        end = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        ended = child
        print(end.si_status if end.si_code == os.CLD_EXITED else -end.si_status, file=answer, flush=True)


if __name__ == "__main__":
    main()
