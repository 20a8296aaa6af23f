"""Memory over a long time: messages from 6,000 Telegram groups through parsing, glance, inbox, lanes, handlers and outbox.

    python -m benchmarks.telegram_memory [MESSAGES]          # 50,000 by default; the full size is 1000000

What is sent goes nowhere. The resident size after a tenth of the messages is compared with that at the end: at most 5 % more.
"""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bot.app import CONTENT, App, Library, open_database
from bot.clock import Clock
from bot.config import load_settings
from bot.logs import set_up_logs
from bot.messages import Address, Outbound, Receipt
from bot.pacing import Pacing
from bot.photos import PhotoWorker
from bot.platforms.base import Capabilities
from bot.platforms.telegram import TelegramPlatform, TelegramSettings
from bot.platforms.telegram.intake import Intake
from bot.platforms.telegram.parse import Me
from tests.kit.fake_platform import FakePlatform
from tests.understanding.chatter import chatter

TOKEN = "1000001:nobody"
GROUPS = 6_000
PEOPLE = 1_300_000
BATCH = 100  # as many as one getUpdates gives
MATTERS = ("{}号楼{}单元楼道有人给电动车充电", "{}号楼{}单元门口路灯坏了好几天", "{}号楼{}单元消防通道堵了")
ONE_IN = 200  # messages is a report


class Nowhere(FakePlatform):
    """Takes everything that is sent and remembers nothing of it."""

    def __init__(self) -> None:
        super().__init__("telegram", "1000001", can=Capabilities(recall=True, choices=True, mention=True))
        self.sent = 0

    async def send(self, to: Address, what: Outbound) -> Receipt:
        self.sent += 1
        return Receipt(f"{self.sent}", self.clock())


def updates(count: int) -> list[list[dict[str, Any]]]:
    """A stretch of a stream, as getUpdates would give it; told again and again with other ids and by other people."""
    dice = random.Random(7)
    talk = list(chatter(5_000))
    said = []
    for _ in range(count):
        text = dice.choice(talk)
        if dice.randrange(ONE_IN) == 0:
            text = dice.choice(MATTERS).format(dice.randrange(1, 90), dice.randrange(1, 9))
        said.append({"group": dice.randrange(GROUPS), "person": dice.randrange(PEOPLE), "text": text})
    return [said[start : start + BATCH] for start in range(0, count, BATCH)]


def raw(number: int, one: dict[str, Any], now: int) -> dict[str, Any]:
    """The update itself."""
    return {
        "update_id": number,
        "message": {
            "message_id": number,
            "from": {
                "id": 5_000_000 + (one["person"] + number * 31) % PEOPLE,
                "is_bot": False,
                "first_name": f"居民{number % 997}",
            },
            "chat": {"id": -1_001_000_000_000 - one["group"], "type": "supergroup", "title": f"{one['group']}号群"},
            "date": now,
            "text": one["text"],
        },
    }


def resident() -> float:
    """Megabytes that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


async def measure(folder: Path, messages: int) -> None:
    """Print the size on the way and the ratio at the end."""
    environ = {"QIANSHAO_BOT__DATA_DIR": str(folder), "QIANSHAO_SCHEDULES": "[]"}
    settings = load_settings(Path("config.toml"), environ)
    clock, sink = Clock(), Nowhere()
    writer = open_database(settings.database_url)
    app = App(settings, writer, Library.load(CONTENT, clock()), [sink], PhotoWorker(), clock, pacing=Pacing.unlimited())
    platform = TelegramPlatform(TelegramSettings(TOKEN), data_dir=folder)

    async def moved(_: object) -> None:
        """Nobody moves."""

    intake = Intake(app.inbox, Me(1000001, "bot", "1000001"), clock, platform._on_heard, moved)
    batches = updates(min(messages, 5_000))
    number, told, early = 0, 0, 0.0
    async with app.running():
        while number < messages:
            for batch in batches:
                now = int(time.time())
                done = await intake.take([raw(number + n, one, now) for n, one in enumerate(batch)])
                number += len(done)
                if number >= messages:
                    break
            await app.settle()
            gc.collect()
            if not early and number >= messages // 10:
                early = resident()
            if number * 10 // messages > told:
                told = number * 10 // messages
                print(f"{number:9} messages {app.inbox.kept:7} kept {sink.sent:7} sent {resident():8.1f} MB", flush=True)
    late = resident()
    await platform.close()
    writer.close()
    print(f"{late / early:.3f} of the size after a tenth (goal: at most 1.05)")


if __name__ == "__main__":
    set_up_logs("error")
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(measure(Path(home), int(sys.argv[1]) if len(sys.argv) > 1 else 50_000))
