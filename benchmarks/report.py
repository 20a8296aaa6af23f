"""One durable report, from the call of `Inbox.take` to its return, beside the bare commit that it cannot do without.

    python -m benchmarks.report

The bare side is the standard library's sqlite3 with `BEGIN IMMEDIATE; INSERT; COMMIT`, synchronous=FULL, on a table and indexes
of the same make with a body of the same length. Both run under uvloop in one process, by turns, one by one, so that whatever
else the disk does meets both.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
import time
import warnings
from datetime import timedelta
from pathlib import Path

import uvloop

from bot.clock import Clock
from bot.glance import Senses
from bot.inbox import Inbox
from bot.jobs import Job
from bot.lanes import Lanes
from bot.messages import Address, Inbound, Sender
from bot.mind import Mind
from bot.understanding.meaning import Hint
from storage.database import OldLibrary, prepare
from storage.sealing import Sealer

ROUNDS, WARM = 1_500, 100
INSERT = (
    "INSERT INTO inbox (platform, account, event_id, state, urgent, body, received_at, due_at, tries, problem) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, '')"
)
TEXT = "3号楼2单元楼道有人给电动车充电，线从楼上拉下来，太危险了"


async def nothing(job: Job) -> None:
    """Nobody works on what was taken: only the way in is measured."""


def bare(folder: Path) -> sqlite3.Connection:
    """A connection as the writer's, to an empty copy of the bot's own tables."""
    made = folder / "made.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OldLibrary)
        prepare(f"sqlite:///{made}").close()
    made.rename(folder / "bare.db")
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON", "wal_autocheckpoint=0"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


async def measure(folder: Path) -> dict[str, float]:
    """Medians in microseconds of both."""
    connection = bare(folder)
    cursor = connection.cursor()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OldLibrary)
        writer = prepare(f"sqlite:///{folder}/qianshao.db")
    senses = Senses(lambda text: Hint(report=True), lambda text: None, lambda text: False)
    lanes: Lanes[Job] = Lanes(nothing)
    clock = Clock()
    inbox = Inbox(writer, Sealer(folder / "key"), senses, lanes, Mind(), clock, timedelta(minutes=2))
    ours: list[float] = []
    theirs: list[float] = []
    body = b"x" * 480
    for n in range(ROUNDS):
        event = Inbound(f"event-{n}", Address("web", "web", "gx01"), Sender(f"p{n}", "张阿姨"), clock(), text=TEXT)
        began = time.perf_counter()
        await inbox.take(event)
        ours.append(time.perf_counter() - began)
        row = ("web", "web", f"event-{n}", "kept", False, body, "2026-11-23 02:00:00.000000", None)
        began = time.perf_counter()
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute(INSERT, row)
        cursor.execute("COMMIT")
        theirs.append(time.perf_counter() - began)
    if inbox.kept != ROUNDS:
        raise RuntimeError("a report was not kept")
    connection.close()
    writer.close()
    kept = sorted(ours[WARM:]), sorted(theirs[WARM:])
    return {
        "ours_p50_us": kept[0][len(kept[0]) // 2] * 1e6,
        "bare_p50_us": kept[1][len(kept[1]) // 2] * 1e6,
        "ours_p99_us": kept[0][len(kept[0]) * 99 // 100] * 1e6,
        "bare_p99_us": kept[1][len(kept[1]) * 99 // 100] * 1e6,
    }


if __name__ == "__main__":
    # not in the system's temporary folder, which may be memory
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else ".") as directory:
        print(json.dumps(uvloop.run(measure(Path(directory).resolve()))))
