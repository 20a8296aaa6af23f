"""The whole bot in Telegram groups: from being added to a case with an album, on the fake server."""

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
from tests.kit.fake_bot_api import KICKED, TOKEN, FakeBotApi
from tests.kit.scenario import jpeg, library

pytestmark = [pytest.mark.timeout(120), pytest.mark.filterwarnings("ignore::storage.database.OldLibrary")]


@asynccontextmanager
async def bot_on(api: FakeBotApi, folder: Path) -> AsyncIterator[App]:
    environ = {
        "QIANSHAO_BOT__DATA_DIR": str(folder),
        "QIANSHAO_BOT__DEMO": "true",
        "QIANSHAO_WEB__ENABLED": "false",
        "QIANSHAO_TELEGRAM__ENABLED": "true",
        "QIANSHAO_TELEGRAM__TOKEN": TOKEN,
        "QIANSHAO_TELEGRAM__BASE_URL": api.root,
        "QIANSHAO_PACING__TELEGRAM__PER_CHAT_INTERVAL": "0",
    }
    async with serving(load_settings(Path("config.toml"), environ), library=library()) as app:
        yield app


def photos_of(session: Session) -> int:
    return len(session.exec(select(CaseEntry.id).where(col(CaseEntry.attachment_id).is_not(None))).all())


async def test_a_group_from_the_first_word_to_the_last(tmp_path: Path) -> None:
    async with FakeBotApi() as api, bot_on(api, tmp_path) as app:
        group = api.group("好邻居群", type="group")
        api.membership(group, "left", "member")
        await api.until(lambda: len(api.sent) == 1)
        assert api.texts()[0].startswith("大家好，我是前哨")

        # an album: the caption is the report, the rest belongs to it, and there is one answer
        album = "album1"
        api.say("张阿姨", group, caption="3号楼2单元楼道有人给电动车充电", photo=api.photo(jpeg(1)), media_group_id=album)
        api.say("张阿姨", group, photo=api.photo(jpeg(2)), media_group_id=album)
        api.say("张阿姨", group, photo=api.photo(jpeg(3)), media_group_id=album)
        api.say("李叔", group, "早上好")
        await api.all_confirmed()
        await app.lanes.drained()
        await api.until(lambda: len(api.texts(group)) == 2)
        found = re.search(r"\d{4}-\d{4}", api.texts(group)[1])
        assert found
        assert api.sent[-1]["reply"] is not None
        cases = await app.writer.read(lambda session: session.exec(select(Case.number)).all())
        assert list(cases) == [found[0]]
        assert await app.writer.read(photos_of) == 3

        # the group becomes a supergroup: what is asked there is still about the same case
        new = api.migrate(group)
        api.say("张阿姨", new, f"/show {found[0]}")
        await api.until(lambda: len(api.texts(new)) == 1)
        assert found[0] in api.texts(new)[0]
        chats = await app.writer.read(lambda session: session.exec(select(Group.chat).where(Group.platform == "telegram")).all())
        assert list(chats) == [str(new.id)]

        # a command that is edited, forwarded or anonymous does nothing
        api.say("张阿姨", new, f"/withdraw {found[0]}", forward_date=1)
        api.update(edited_message=api.message(new, api.person("张阿姨"), text=f"/withdraw {found[0]}", edit_date=1795400000))
        await api.all_confirmed()
        await app.lanes.drained()
        assert await app.writer.read(lambda session: session.exec(select(Case.state)).one()) != "withdrawn"

        # thrown out: nothing more is tried there
        api.fail("sendMessage", KICKED, chat=new.id)
        api.say("张阿姨", new, "着火了，5号楼着火了")
        await api.all_confirmed()
        await api.until_failed("sendMessage")
        await app.outbox.drain()
        active = await app.writer.read(
            lambda session: session.exec(select(Group.active).where(Group.platform == "telegram")).one()
        )
        assert not active
        dead = await app.writer.read(lambda session: session.exec(select(Notice.problem).where(Notice.state == "dead")).all())
        assert any("kicked" in problem for problem in dead)


async def test_a_post_that_waits_follows_a_group_that_moved_unnoticed(tmp_path: Path) -> None:
    """The bot was away when the group moved, and hears of it only by the refusal of what it sends."""
    async with FakeBotApi() as api, bot_on(api, tmp_path) as app:
        group = api.group("老群", type="group")
        api.membership(group, "left", "member")
        await api.until(lambda: len(api.sent) == 1)
        api.say("张阿姨", group, "3号楼2单元楼道有人给电动车充电")
        await api.all_confirmed()
        await app.lanes.drained()
        await api.until(lambda: len(api.sent) == 2)
        new = api.migrate(group, tell=False)
        api.say("张阿姨", group, "着火了，5号楼着火了")
        await api.until(lambda: len(api.texts(new)) >= 1)
        await app.outbox.drain()
        chats = await app.writer.read(lambda session: session.exec(select(Group.chat).where(Group.platform == "telegram")).all())
        assert list(chats) == [str(new.id)]
