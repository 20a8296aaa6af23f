"""Several bots in one house: each with groups of its own, and one voice in a group in which two of them are."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from bot.app import App, serving, telegram_settings
from bot.config import load_settings
from bot.errors import ConfigError
from bot.platforms.telegram.owners import Owners
from storage.tables import Case, Group
from tests.kit.fake_bot_api import TOKEN, FakeBotApi
from tests.kit.scenario import library

pytestmark = [pytest.mark.timeout(120), pytest.mark.filterwarnings("ignore::storage.database.OldLibrary")]

SECOND = "2000002:test-token-of-nobody"
REPORT = "3号楼2单元楼道有人给电动车充电"


def environ(first: str, second: str, folder: Path) -> dict[str, str]:
    return {
        "QIANSHAO_BOT__DATA_DIR": str(folder),
        "QIANSHAO_BOT__DEMO": "true",
        "QIANSHAO_WEB__ENABLED": "false",
        "QIANSHAO_TELEGRAM__ENABLED": "true",
        "QIANSHAO_TELEGRAM__TOKEN": TOKEN,
        "QIANSHAO_TELEGRAM__BASE_URL": first,
        "QIANSHAO_TELEGRAM__ACCOUNTS": json.dumps([{"token": SECOND, "base_url": second}]),
        "QIANSHAO_PACING__TELEGRAM__PER_CHAT_INTERVAL": "0",
    }


@asynccontextmanager
async def two_bots(folder: Path) -> AsyncIterator[tuple[App, FakeBotApi, FakeBotApi]]:
    async with (
        FakeBotApi() as one,
        FakeBotApi(token=SECOND) as other,
        serving(load_settings(Path("config.toml"), environ(one.root, other.root, folder)), library=library()) as app,
    ):
        yield app, one, other


def groups(session: Session) -> list[tuple[str, str, bool]]:
    rows = session.exec(select(Group).where(Group.platform == "telegram").order_by(col(Group.id))).all()
    return [(row.account, row.name, row.active) for row in rows]


def cases(session: Session) -> list[str]:
    return list(session.exec(select(Case.account).where(Case.platform == "telegram").order_by(col(Case.id))).all())


async def heard(app: App, *servers: FakeBotApi) -> None:
    for api in servers:
        await api.all_confirmed()
    await app.lanes.drained()
    await app.outbox.drain()


async def test_each_bot_has_groups_of_its_own(tmp_path: Path) -> None:
    async with two_bots(tmp_path) as (app, one, other):
        other.group("别处")  # each server numbers its groups from the same number on
        first, second = one.group("一号群"), other.group("二号群")
        one.membership(first, "left", "member")
        other.membership(second, "left", "member")
        await heard(app, one, other)
        one.say("张阿姨", first, REPORT)
        other.say("李叔", second, REPORT.replace("3", "5"))
        await heard(app, one, other)
        assert sorted(app.writer.read_now(cases)) == ["1000001", "2000002"]
        assert len(one.texts(first)) == len(other.texts(second)) == 2
        assert set(app.health()) == {"telegram", "telegram:2000002"}


async def test_in_a_group_with_two_of_them_one_speaks_until_it_has_left(tmp_path: Path) -> None:
    async with two_bots(tmp_path) as (app, one, other):
        here, there = one.group("都在的群"), other.group("都在的群")
        assert here.id == there.id
        one.membership(here, "left", "member")
        await heard(app, one)
        other.membership(there, "left", "member")
        for api, chat in ((one, here), (other, there)):
            api.say("张阿姨", chat, REPORT)
        await heard(app, one, other)
        assert len(app.writer.read_now(cases)) == 1
        assert other.texts(there) == []
        assert app.writer.read_now(groups) == [("1000001", "都在的群", True)]

        one.membership(here, "member", "left")
        await heard(app, one)
        for adapter in app.adapters.values():
            adapter._owners._known.clear()  # type: ignore[attr-defined]  # as if half a minute had passed
        other.say("李叔", there, REPORT.replace("3", "5"))
        await heard(app, other)
        assert other.texts(there)[0].startswith("大家好，我是前哨")
        assert len(app.writer.read_now(cases)) == 2
        assert app.writer.read_now(groups) == [("1000001", "都在的群", False), ("2000002", "都在的群", True)]


async def test_who_owns_a_group_is_remembered_for_half_a_minute_and_an_unknown_group_not_at_all() -> None:
    now, found, asked = [0.0], {"g": "b"}, []

    async def find(chat: str) -> str | None:
        asked.append(chat)
        return found.get(chat)

    owners = Owners("a", find, lambda: now[0])
    assert not await owners.mine("g")
    found["g"] = "a"
    assert not await owners.mine("g")
    now[0] = 31.0
    assert await owners.mine("g")
    assert await owners.mine("new")
    found["new"] = "b"
    assert not await owners.mine("new")
    assert asked == ["g", "g", "new", "new"]


def test_two_accounts_with_one_token_are_refused(tmp_path: Path) -> None:
    given = environ("http://127.0.0.1:1", "http://127.0.0.1:2", tmp_path)
    given["QIANSHAO_TELEGRAM__ACCOUNTS"] = json.dumps([{"token": TOKEN}])
    with pytest.raises(ConfigError, match="the token of the same bot") as problem:
        load_settings(Path("config.toml"), given)
    assert TOKEN not in str(problem.value)


def test_a_further_account_names_itself_in_what_is_wrong(tmp_path: Path) -> None:
    given = environ("http://127.0.0.1:1", "http://127.0.0.1:2", tmp_path)
    given["QIANSHAO_TELEGRAM__ACCOUNTS"] = json.dumps([{"token": "nonsense"}])
    settings = telegram_settings(load_settings(Path("config.toml"), given))
    settings[0].check()
    with pytest.raises(ConfigError, match=r"telegram\.accounts\[1\]\.token"):
        settings[1].check()
