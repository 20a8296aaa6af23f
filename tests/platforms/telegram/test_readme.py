"""The README's way to connect Telegram, step by step, as somebody walks it who has never seen this program."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.kit.fake_bot_api import TOKEN, FakeBotApi

ROOT = Path(__file__).parents[3]
QIANSHAO = Path(sys.executable).with_name("qianshao")

pytestmark = pytest.mark.timeout(400)


def commands(readme: str, heading: str) -> list[str]:
    """The lines of the section's block for the shell."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    section = re.split(r"^## ", text.split(f"## {heading}")[1], flags=re.MULTILINE)[0]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block
    return [line.strip() for line in block[1].strip().splitlines()]


def test_both_languages_say_the_same_commands() -> None:
    english, chinese = commands("README.md", "Connect Telegram"), commands("README.zh-CN.md", "接入 Telegram")
    assert english == chinese
    assert [line.rpartition("/")[2] for line in english if not line.startswith("export")] == ["qianshao check", "qianshao run"]


class Shell:
    """A terminal in which the README's lines are typed."""

    def __init__(self, api: FakeBotApi, folder: Path) -> None:
        self.environ = {key: value for key, value in os.environ.items() if not key.startswith("QIANSHAO_")}
        self.environ |= {
            "QIANSHAO_TELEGRAM__BASE_URL": api.root,  # a new user's would be Telegram's own
            "QIANSHAO_BOT__DATA_DIR": str(folder),
            "QIANSHAO_BOT__DEMO": "false",
            "QIANSHAO_WEB__ENABLED": "false",
        }

    def export(self, line: str) -> None:
        name, _, value = line.removeprefix("export ").partition("=")
        self.environ[name] = value.replace("123456789:AA...", TOKEN)

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            QIANSHAO, *words, cwd=ROOT, env=self.environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )

    async def run(self, *words: str) -> tuple[int, str]:
        process = await self.start(*words)
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode()

    @asynccontextmanager
    async def running(self, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await self.start(*words)
        try:
            yield process
        finally:
            process.terminate()
            await process.communicate()


async def test_step_by_step(tmp_path: Path) -> None:
    async with FakeBotApi() as api:
        shell = Shell(api, tmp_path)
        await shell.run("unit", "add", "station", "幸福派出所", "--kind", "police")
        await shell.run("grid", "add", "G1", "幸福1号网格", "--unit", "station")
        _, told = await shell.run(
            *("officer", "add", "3201", "王建国", "--title", "社区民警", "--unit", "station"),
            *("--role", "officer grid:G1", "--role", "dispatcher"),
        )
        code = re.search(r"\d{8}", told)
        assert code, told
        for line in commands("README.md", "Connect Telegram"):
            if line.startswith("export"):
                shell.export(line)
        status, said = await shell.run("check")
        assert status == 0, said
        assert "@qianshao_test_bot, in no group yet: add it to one in Telegram" in said

        async with shell.running("run"):
            await api.until(lambda: api.polls > 0)
            api.say("王建国", "", "/start")
            api.say("王建国", "", f"/绑定 {code[0]}")
            await api.until(lambda: any("绑定好了：社区民警王建国" in text for text in api.texts()))
            group = api.group("幸福1号楼群", type="group")
            api.membership(group, "left", "member")
            await api.until(lambda: any("进了一个新群：“幸福1号楼群”" in text for text in api.texts()))
            assert sum(text.startswith("大家好，我是前哨") for text in api.texts(group)) == 1
            number = re.search(r"/群 (\d+) 网格", "\n".join(api.texts()))
            assert number
            api.say("王建国", "", f"/群 {number[1]} G1 综合")
            await api.until(lambda: any("网格是幸福1号网格，标签是综合" in text for text in api.texts()))
            api.say("张阿姨", group, "3号楼2单元楼道有人给电动车充电")
            await api.until(lambda: any(text.startswith("收到，编号") for text in api.texts(group)))

        status, said = await shell.run("check")
        assert status == 0, said
        assert "@qianshao_test_bot, 1 group; hears everything in 1 (幸福1号楼群)" in said

        # an id begins with a minus, and whoever reads of a problem reads whose it is, too
        assert await shell.run("group", "assign", str(group.id), "none") == (0, "幸福1号楼群: no grid\n")
        api.me["can_read_all_group_messages"] = False
        status, said = await shell.run("check")
        assert status == 1, said
        assert "problem  telegram: privacy mode is on" in said
        assert "seen     telegram: @qianshao_test_bot, 1 group; hears only what is said to it in 1 (幸福1号楼群)" in said
