"""The README's way to connect WeChat, as somebody types it who has never seen this program."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.kit.puppet import TOKEN, Puppet
from tests.platforms.telegram.test_readme import QIANSHAO, ROOT, commands

pytestmark = [pytest.mark.timeout(170), pytest.mark.filterwarnings("ignore::storage.database.OldLibrary")]


def typed(readme: str, heading: str) -> list[str]:
    return [line.partition("#")[0].rstrip() for line in commands(readme, heading)]


def test_both_languages_say_the_same_commands() -> None:
    english, chinese = typed("README.md", "Connect WeChat"), typed("README.zh-CN.md", "接入微信")
    assert english == chinese
    assert [line.rpartition("/")[2] for line in english if not line.startswith("export")] == ["qianshao check", "qianshao run"]


async def test_check_with_the_readmes_settings_says_who_the_account_is(tmp_path: Path) -> None:
    async with Puppet() as puppet:
        await puppet.room("g1@chatroom", "港新1号网格", ["张阿姨"])
        environ = {key: value for key, value in os.environ.items() if not key.startswith("QIANSHAO_")}
        environ |= {"QIANSHAO_BOT__DATA_DIR": str(tmp_path), "QIANSHAO_WEB__ENABLED": "false"}
        for line in typed("README.md", "Connect WeChat"):
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").partition("=")
                environ[name] = value.replace("127.0.0.1:8788", f"127.0.0.1:{puppet.port}").replace("...", TOKEN)
        process = await asyncio.create_subprocess_exec(
            QIANSHAO, "check", cwd=ROOT, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said = (await process.communicate())[0].decode()
        assert process.returncode == 0, said
        assert "wechat: main: 前哨 by puppet" in said
        assert "1 groups seen" in said
        assert TOKEN not in said
