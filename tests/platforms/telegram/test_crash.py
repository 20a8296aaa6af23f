"""200 updates, the bot killed three times while it takes them: none is lost."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from pathlib import Path

import pytest

from tests.kit.fake_bot_api import FakeBotApi

UPDATES = 200
KILLS = 3
LATER = 33  # said in each life
PEOPLE = 40


async def start(api: FakeBotApi, folder: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.platforms.telegram.life",
        api.root,
        str(folder),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


def kept(folder: Path) -> set[str]:
    """The event ids in the inbox."""
    with sqlite3.connect(f"file:{folder / 'qianshao.sqlite3'}?mode=ro", uri=True) as database:
        return {row[0] for row in database.execute("SELECT event_id FROM inbox")}


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_nothing_is_lost_over_three_kills(tmp_path: Path) -> None:
    async with FakeBotApi() as api:
        expected: set[str] = set()
        said = 0

        def say(count: int) -> None:
            nonlocal said
            for _ in range(count):
                said += 1
                # every update asks for help, so that each has to be kept and answered
                message = api.say(f"居民{said % PEOPLE}", f"群{said % 20}", "/help")
                update = api.every_update[-1]["update_id"]
                expected.add(f"{update}:{message['chat']['id']}:{message['message_id']}")

        say(UPDATES - KILLS * LATER)
        for life in range(KILLS + 1):
            process = await start(api, tmp_path)
            try:
                if life == KILLS:
                    await api.all_confirmed()
                    await api.until(lambda: len(api.sent) >= UPDATES)
                    break
                # at the first batch, right after its first answer, in the middle of the answers
                waited = (
                    (lambda: bool(api.given_out)),
                    (lambda: len(api.sent) >= 1),
                    (lambda: len(api.sent) >= 60),
                )[life]
                await api.until(waited)
                say(LATER)
            finally:
                process.kill()
                await process.wait()
            # what was confirmed to the platform is kept, whatever happened
            confirmed = set(api.confirmed)
            names = {name for name in expected if int(name.partition(":")[0]) in confirmed}
            if confirmed:
                assert names <= kept(tmp_path), "confirmed and not kept"
        assert not api.updates
        assert expected <= kept(tmp_path)
