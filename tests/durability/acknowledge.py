"""Acknowledge events the way the bot does, for a tracer of system calls to watch.

    python -m tests.durability.acknowledge FOLDER EVENTS [NORMAL]

Half of the events come one by one, half from eight groups at once; each confirmation is one line in FOLDER/history.jsonl. With
NORMAL the writer answers before the disk has the row, which is what the tracer must notice.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from datetime import timedelta
from pathlib import Path

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
from tests.kit.fake_platform import FakePlatform

ACCOUNTS = 8


async def acknowledge(folder: Path, events: int, synchronous: str) -> None:
    """Half of the events on one account, then the other half spread over eight."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OldLibrary)
        writer = prepare(f"sqlite:///{folder}/qianshao.db")
    if synchronous:
        await writer.run(lambda session: None)
        writer._cursor.execute(f"PRAGMA synchronous={synchronous}")
    senses = Senses(lambda text: Hint(report=True), lambda text: None, lambda text: False)
    lanes: Lanes[Job] = Lanes(_nothing)  # nobody works, so that every write is an acknowledgement's
    clock = Clock()
    inbox = Inbox(writer, Sealer(folder / "inbox.key"), senses, lanes, Mind(), clock, timedelta(minutes=2))
    platforms = [FakePlatform("web", f"account-{n}", path=folder / "history.jsonl") for n in range(ACCOUNTS)]
    for platform, count in ((platforms[0], events // 2), *((one, events // 2 // ACCOUNTS) for one in platforms)):
        platform.path = None  # what is said is not part of what is watched
        for n in range(count):
            number = len(platform.heard)
            address = Address("web", platform.account, f"g{n % 5}")
            platform.inject(Inbound(f"{platform.account}-{number}", address, Sender("s", "s"), clock(), text="有人求助"))
        platform.path = folder / "history.jsonl"
        if platform is platforms[0] and not platform.confirmed:
            await _listen(inbox, [platform])
    await _listen(inbox, platforms)
    writer.close()


async def _nothing(job: Job) -> None:
    raise AssertionError("nobody works here")


async def _listen(inbox: Inbox, platforms: list[FakePlatform]) -> None:
    tasks = [asyncio.create_task(platform.listen(inbox)) for platform in platforms]
    await asyncio.gather(*(platform.all_confirmed() for platform in platforms))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(acknowledge(Path(sys.argv[1]), int(sys.argv[2]), "".join(sys.argv[3:])))
