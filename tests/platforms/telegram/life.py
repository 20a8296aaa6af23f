"""A bot on Telegram in a process of its own, to be killed: `python -m tests.platforms.telegram.life ROOT FOLDER`."""

from __future__ import annotations

import asyncio
import sys
import warnings
from pathlib import Path

from bot.app import serving
from bot.config import load_settings
from tests.kit.fake_bot_api import TOKEN


async def live(root: str, folder: str) -> None:
    """Serve until killed."""
    environ = {
        "QIANSHAO_BOT__DATA_DIR": folder,
        "QIANSHAO_BOT__DEMO": "true",
        "QIANSHAO_WEB__ENABLED": "false",
        "QIANSHAO_TELEGRAM__ENABLED": "true",
        "QIANSHAO_TELEGRAM__TOKEN": TOKEN,
        "QIANSHAO_TELEGRAM__BASE_URL": root,
        "QIANSHAO_PACING__TELEGRAM__PER_CHAT_INTERVAL": "0",
        "QIANSHAO_PACING__TELEGRAM__PER_ACCOUNT_PER_SECOND": "500",
        "QIANSHAO_PACING__TELEGRAM__PER_CHAT_PER_MINUTE": "1000",
    }
    async with serving(load_settings(Path("config.toml"), environ)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    asyncio.run(live(sys.argv[1], sys.argv[2]))
