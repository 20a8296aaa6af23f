"""Several bots in one house: each with groups of its own, and one voice in a group in which two of them are."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

import bot.platforms.owners
from bot.app import App, serving, telegram_settings
from bot.config import load_settings
from bot.errors import ConfigError
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
        "QIANSHAO_PACING__TELEGRAM__PER_ACCOUNT_PER_SECOND": "100000",  # draining the outbox waits for no slot
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


def group_of_the_case(session: Session) -> int | None:
    return session.exec(select(Case.group_id).where(Case.platform == "telegram")).one()


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


async def test_a_group_that_nobody_has_spoken_in_is_answered_by_one_of_them(tmp_path: Path) -> None:
    """Both have been in it since before the program began, and hear the same report at the same time."""
    async with two_bots(tmp_path) as (app, one, other):
        here, there = one.group("老群"), other.group("老群")
        assert here.id == there.id
        one.say("张阿姨", here, REPORT)
        other.say("张阿姨", there, REPORT)
        await heard(app, one, other)
        ((account, _, _),) = app.writer.read_now(groups)
        speaker = one if account == "1000001" else other
        await speaker.until(lambda: len(speaker.texts(here)) >= 2)
        said = [*one.texts(here), *other.texts(there)]
        assert [text.startswith("大家好，我是前哨") for text in said] == [True, False]
        assert "收到，编号" in said[1]
        assert len(app.writer.read_now(cases)) == len(app.writer.read_now(groups)) == 1
        assert app.writer.read_now(group_of_the_case) is not None


async def test_what_is_heard_late_brings_no_group_back(tmp_path: Path) -> None:
    """Said before the bot was taken out, and heard after it: the group stays what it is, gone."""
    async with two_bots(tmp_path) as (app, one, _):
        here = one.group("老群")
        one.membership(here, "left", "member")
        await heard(app, one)
        one.membership(here, "member", "left")
        await heard(app, one)
        one.say("张阿姨", here, "/帮助")
        one.say("张阿姨", one.group("没听说过的群"), "/帮助")
        await heard(app, one)
        assert app.writer.read_now(groups) == [("1000001", "老群", False), ("1000001", "没听说过的群", True)]


async def test_without_the_claim_such_a_group_is_answered_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: as long as nobody has the group, everybody does."""
    monkeypatch.setattr(bot.platforms.owners, "claim_chat", lambda _session, _platform, _chat, account, _accounts: account)
    async with two_bots(tmp_path) as (app, one, other):
        here, there = one.group("老群"), other.group("老群")
        one.say("张阿姨", here, REPORT)
        other.say("张阿姨", there, REPORT)
        await heard(app, one, other)
        for api in (one, other):
            await api.until(lambda api=api: any("我是前哨" in text for text in api.texts(here)))  # type: ignore[misc]


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
