"""The whole bot in WeChat groups, on a real puppet service: from being added to a case with a photo."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from bot.app import App, serving
from bot.config import load_settings
from storage.tables import Case, CaseEntry, Group, Notice
from tests.kit.puppet import BOT, TOKEN, Puppet
from tests.kit.scenario import jpeg, library
from tests.platforms.wechat.conftest import ROOM, Line, until

pytestmark = [pytest.mark.timeout(120), pytest.mark.filterwarnings("ignore::storage.database.OldLibrary")]

QUICK = {
    "QIANSHAO_PACING__WECHAT__PER_CHAT_INTERVAL": "0",
    "QIANSHAO_PACING__WECHAT__PER_CHAT_PER_MINUTE": "1000",
    "QIANSHAO_PACING__WECHAT__BETWEEN_CHATS_FROM": "0",
    "QIANSHAO_PACING__WECHAT__BETWEEN_CHATS_TO": "0",
    "QIANSHAO_PACING__WECHAT__PER_ACCOUNT_PER_SECOND": "500",
    "QIANSHAO_PACING__WECHAT__PER_ACCOUNT_PER_MINUTE": "1000",
    "QIANSHAO_PACING__WECHAT__PER_ACCOUNT_PER_DAY": "10000",
}


@asynccontextmanager
async def bot_on(puppet: Puppet, folder: Path, **more: str) -> AsyncIterator[App]:
    environ = {
        "QIANSHAO_BOT__DATA_DIR": str(folder / "house"),
        "QIANSHAO_BOT__DEMO": "true",
        "QIANSHAO_WEB__ENABLED": "false",
        "QIANSHAO_WECHAT__ENABLED": "true",
        "QIANSHAO_WECHAT__ENDPOINT": f"127.0.0.1:{puppet.port}",
        "QIANSHAO_WECHAT__TOKEN": TOKEN,
        "QIANSHAO_WECHAT__TLS": "off",
        "QIANSHAO_WECHAT__INTRODUCTIONS_PER_HOUR": "0",
        "QIANSHAO_SCHEDULES": "[]",
        **QUICK,
        **more,
    }
    async with serving(load_settings(Path("config.toml"), environ), library=library()) as app:
        await until(lambda: app.health()["wechat"].listening)  # before that nothing is heard
        yield app


def wechat_groups(session: Session) -> list[tuple[str, str, bool, int | None]]:
    rows = session.exec(select(Group).where(Group.platform == "wechat")).all()
    return [(row.chat, row.name, row.active, row.grid_id) for row in rows]


async def test_a_group_from_the_first_word_to_the_last(line: Line, tmp_path: Path) -> None:
    puppet = line.puppet
    await puppet.room("new@chatroom", "好邻居群", ["张阿姨", "李叔"])
    async with bot_on(puppet, tmp_path) as app:
        await puppet.joined("new@chatroom", [BOT], "李叔")
        await puppet.until(lambda: len(puppet.texts("new@chatroom")) == 1)
        assert puppet.texts("new@chatroom")[0].startswith("大家好，我是前哨")
        assert await app.writer.read(wechat_groups) == [("new@chatroom", "好邻居群", True, None)]

        # a report and its photo: one case, answered to the person by name
        await puppet.say("张阿姨", "new@chatroom", "3号楼2单元楼道有人给电动车充电")
        await puppet.photo("张阿姨", "new@chatroom", jpeg(1))
        await puppet.say("李叔", "new@chatroom", "早上好")
        await puppet.until(lambda: len(puppet.texts("new@chatroom")) >= 2)
        answer = puppet.sent[-1]
        assert answer.text.startswith("@张阿姨\u2005")
        assert answer.mentions == ("张阿姨",)
        found = re.search(r"\d{4}-\d{4}", answer.text)
        assert found

        def photos(session: Session) -> int:
            return len(session.exec(select(CaseEntry.id).where(col(CaseEntry.attachment_id).is_not(None))).all())

        await until(lambda: app.writer.read_now(photos) == 1)
        assert list(await app.writer.read(lambda session: session.exec(select(Case.number)).all())) == [found[0]]

        # quoting the bot's own answer is about the same case
        quoted = answer.text.split("\u2005")[-1]
        await puppet.say("张阿姨", "new@chatroom", f"「前哨：{quoted}」\n{'- ' * 15}\n/查")
        await puppet.until(lambda: len(puppet.texts("new@chatroom")) >= 3)
        assert found[0] in puppet.texts("new@chatroom")[-1]

        # thrown out: nothing more is tried there
        await puppet.left("new@chatroom", [BOT])
        await until(lambda: not app.writer.read_now(wechat_groups)[0][2])


async def test_removed_without_a_word_is_noticed_at_the_next_message(line: Line, tmp_path: Path) -> None:
    async with bot_on(line.puppet, tmp_path) as app:
        await line.puppet.say("张阿姨", ROOM, "你好")
        await line.puppet.until(lambda: len(line.puppet.texts(ROOM)) == 1)
        await line.puppet.fault("messageSendText", error="bot is not in this room")
        await line.puppet.say("张阿姨", ROOM, "3号楼2单元楼道有人给电动车充电")
        await until(lambda: not app.writer.read_now(wechat_groups)[0][2])
        dead = await app.writer.read(lambda session: session.exec(select(Notice.problem).where(Notice.state == "dead")).all())
        assert any("not in this chat" in problem for problem in dead)
