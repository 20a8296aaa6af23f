"""Starts that have to be refused with a sentence, and one that must not be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import Session, select

from bot.app import open_database, serving
from bot.app.alone import alone_on
from bot.app.keys import REMEMBERED, file_problems, give_up_keys, key_problems, remember_keys
from bot.config import Settings, load_settings
from bot.errors import ConfigError
from cases.tips import TipKeys, Tips
from content.refusal import Refusal
from storage.tables import Counter, Group, Officer, OfficerRole
from storage.writer import Writer
from tests.cli.terminal import MONDAY_TEN
from tests.kit.scenario import library


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    environ = {"QIANSHAO_BOT__DATA_DIR": str(tmp_path / "data"), "QIANSHAO_WEB__PORT": "0", "QIANSHAO_BOT__DEMO": "false"}
    return load_settings(Path("config.toml"), environ)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    opened = open_database(f"sqlite:///{tmp_path}/data/qianshao.sqlite3")
    yield opened
    opened.close()


async def start(settings: Settings) -> str:
    """The rooms of the web chat once the bot runs."""
    async with serving(settings, library=library()) as app:
        assert app.web is not None
        return " ".join(room.id for room in await app.web.rooms())


async def test_a_second_bot_on_one_database_is_refused(settings: Settings, tmp_path: Path) -> None:
    async with serving(settings, library=library()):
        with pytest.raises(ConfigError, match=r"a bot runs on this database already \(process \d+\); stop it first"):
            await start(settings)
    with alone_on(tmp_path / "data/qianshao.sqlite3"):
        pass  # once it has stopped the next one may start


async def test_a_data_folder_that_cannot_be_made(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file lies in its way")
    with pytest.raises(ConfigError, match=r"data: cannot be used \(File exists\); bot.data_dir has to be a folder"):
        await start(settings)


async def test_a_damaged_key_is_named_before_anything_is_sealed_with_it(settings: Settings, tmp_path: Path) -> None:
    keys = tmp_path / "data/keys"
    keys.mkdir(parents=True)
    (keys / "tips.key").write_bytes(b"short")
    with pytest.raises(ConfigError, match=r"tips.key: is damaged, 5 bytes instead of 32; put the right one there"):
        await start(settings)


async def test_one_room_or_badge_that_the_web_chat_cannot_have_does_not_end_every_start(
    settings: Settings, writer: Writer
) -> None:
    def add(session: Session) -> None:
        session.add(Group(platform="web", account="web", chat="a b", name="从前收下的群"))
        session.add(Group(platform="web", account="web", chat="xf1", name="幸福1号群"))
        session.add(Officer(badge="民警001", name="王五", title="民警"))

    writer.run_now(add)
    assert await start(settings) == "xf1"


@pytest.mark.parametrize(
    "proxy", [{"QIANSHAO_WEB__PUBLIC_URL": "https://chat.example.cn"}, {"QIANSHAO_WEB__BEHIND_PROXY": "true"}]
)
async def test_a_page_for_others_is_never_a_demonstration(
    settings: Settings, writer: Writer, tmp_path: Path, proxy: dict[str, str]
) -> None:
    environ = {"QIANSHAO_BOT__DATA_DIR": str(tmp_path / "data"), "QIANSHAO_WEB__PORT": "0", **proxy}
    public = load_settings(Path("config.toml"), environ)
    assert await start(public) == ""
    assert writer.read_now(lambda session: session.exec(select(Officer)).all()) == []
    writer.run_now(lambda session: session.add(Counter(name="demo", value=1)))  # what a tour in this folder leaves
    with pytest.raises(ConfigError, match="holds the sample district, in which anybody may be anybody"):
        await start(public)


def test_keys_that_are_not_the_databases_are_named_and_only_then_given_up(writer: Writer, tmp_path: Path) -> None:
    folder = tmp_path / "data/keys"
    writer.run_now(lambda session: remember_keys(session, folder))
    assert problems(writer, folder) == []
    first = told(writer, folder)
    assert "开赌局" in read(writer, folder, first)
    for file in REMEMBERED.values():
        (folder / file).rename(tmp_path / file)
    assert [problem.partition(": ")[2][:10] for problem in problems(writer, folder)] == ["is missing"] * 3
    assert not list(folder.glob("inbox.key")), "to look makes none"
    for file in REMEMBERED.values():
        (folder / file).write_bytes(bytes(32))
    assert all("is another key than" in problem for problem in problems(writer, folder))

    writer.run_now(lambda session: give_up_keys(session, folder))
    assert problems(writer, folder) == []
    with pytest.raises(Refusal):
        read(writer, folder, first)
    assert "开赌局" in read(writer, folder, told(writer, folder)), "new tips can be read again"


def problems(writer: Writer, folder: Path) -> list[str]:
    return [*file_problems(folder), *writer.read_now(lambda session: list(key_problems(session, folder)))]


def told(writer: Writer, folder: Path) -> str:
    """The name of a tip that a custodian may read."""

    def work(session: Session) -> str:
        officer = session.exec(select(Officer)).first()
        if officer is None:
            officer = Officer(badge="1", name="李敏", title="民警")
            session.add(officer)
            session.flush()
            session.add(OfficerRole(officer_id=officer.id, role="custodian", scope_kind="district"))
        return Tips(session, TipKeys(folder), MONDAY_TEN).receive("4号楼有人开赌局").designation

    return writer.run_now(work)


def read(writer: Writer, folder: Path, name: str) -> str:
    def work(session: Session) -> str:
        tips = Tips(session, TipKeys(folder), MONDAY_TEN)
        officer = session.exec(select(Officer)).one()
        return tips.read(tips.find(name, officer), officer)[0].text

    return writer.run_now(work)
