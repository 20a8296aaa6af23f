"""The same conversation on PostgreSQL: nothing of the bot knows which engine it runs on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest
from sqlmodel import Session, select

from bot.messages import Sender
from cases.book import CaseBook
from content.refusal import Refusal
from storage.engine import open_engine
from storage.tables import Attachment, Case, CaseEntry, InboxEvent, Officer
from tests.kit.desks import desk_of, officers, open_case
from tests.kit.scenario import PRIVATE, Scenario, jpeg
from tests.storage.conftest import postgres_server, postgres_template, postgres_url  # noqa: F401

pytestmark = pytest.mark.postgres
GROUP = "港新1号网格"


def test_from_report_to_confirmed_case_over_a_restart(tmp_path: Path, postgres_url: str) -> None:  # noqa: F811
    with Scenario(tmp_path, url=postgres_url) as chat:
        chat.say("张阿姨", GROUP, "3号楼2单元楼道有人给电动车充电", photo=jpeg())
        chat.expect(GROUP, "收到，编号2611-0001*")
        chat.expect("马宏", "【派单】2611-0001*")
        chat.say("马宏", PRIVATE, "/接单 2611-0001")
        chat.expect("马宏", "2611-0001归您了*")
        chat.skip(GROUP, "张阿姨")
        chat.restart()
        chat.say("马宏", PRIVATE, "/办结 2611-0001 线已拆，车推到充电棚了")
        chat.expect("马宏", "2611-0001已报办结*")
        chat.expect(GROUP, "*您看解决了吗*")
        chat.say("张阿姨", GROUP, "解决了")
        chat.expect(GROUP, "2611-0001（*）已解决*")
        chat.expect("张阿姨", "谢谢您。*")
        chat.say("张阿姨", PRIVATE, "5")
        chat.expect("张阿姨", "谢谢您的评价。")


def test_an_emergency_and_a_tip(tmp_path: Path, postgres_url: str) -> None:  # noqa: F811
    with Scenario(tmp_path, url=postgres_url) as chat:
        chat.say("陈大爷", GROUP, "家里好大的煤气味，怎么办")
        chat.expect(GROUP, "先别碰任何开关*")
        chat.expect("王建国", "【紧急】*")
        chat.wait(minutes=2)
        chat.expect("王建国", "【紧急，第2次】*")
        chat.say("王建国", PRIVATE, "/值班")
        chat.expect("王建国", "已记下由您接手*")
        chat.expect(GROUP, "值班*已经接到*")
        chat.say("林小雨", PRIVATE, "/举报 有人在小区里租房开赌局，天天半夜散场")
        chat.expect("林小雨", "收到了，已加密保存*")
        chat.expect("李敏", "有一条新线索*")


def test_an_album_is_one_report_whoever_claims_its_parts(tmp_path: Path, postgres_url: str) -> None:  # noqa: F811
    with Scenario(tmp_path, url=postgres_url) as chat:
        chat.say("张阿姨", GROUP, "谁家的猫跑到楼道里睡觉了，好可爱")
        for n, words in enumerate(("", "3号楼2单元楼道有人给电动车充电", "")):
            chat.platform.say(Sender("zhang", "张阿姨"), chat.address("张阿姨", GROUP), words, photo=jpeg(n), album="album-1")
        chat.settle()
        chat.expect(GROUP, "收到，编号2611-0001*")
        chat.skip_officers()
        assert len(chat.rows(Attachment.sha256)) == 3
        assert set(chat.rows(InboxEvent.state)) == {"done"}


# --- two officers at the same moment, on two nodes ---


def taken_on_two_nodes(chat: Scenario) -> str:
    """王建国 is just taking the case on another node when 周小琴 takes it on ours; gives what she is told."""
    chat.say("张阿姨", GROUP, "5号楼路灯坏了好几天")
    chat.skip(GROUP)
    chat.skip_officers()
    url = chat.settings.database_url
    engine = open_engine(url)
    try:
        with Session(engine, expire_on_commit=False) as elsewhere:
            officer = elsewhere.exec(select(Officer).where(Officer.name == "王建国")).one()
            desk = desk_of(elsewhere, officer, chat.clock())
            desk.take(desk.find("2611-0001"))
            elsewhere.flush()
            chat.shout("周小琴", PRIVATE, "/接单 2611-0001")
            chat.run(one_waits_for_another(url))
            elsewhere.commit()
    finally:
        engine.dispose()
    chat.settle()
    said = chat.unseen("周小琴")[-1].what.text
    chat.skip_officers()
    chat.skip(GROUP, "张阿姨")
    return said


async def one_waits_for_another(url: str) -> None:
    """Until our node stands before what the other one holds."""
    async with asyncio.timeout(60), await psycopg.AsyncConnection.connect(url, autocommit=True) as looking:
        while await (await looking.execute("SELECT 1 FROM pg_locks WHERE NOT granted")).fetchone() is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def test_two_officers_on_two_nodes_take_one_case_at_the_same_moment(tmp_path: Path, postgres_url: str) -> None:  # noqa: F811
    with Scenario(tmp_path, url=postgres_url) as chat:
        assert taken_on_two_nodes(chat).startswith("已经由王建国")
        assert [line for line in chat.rows(CaseEntry.state) if line == "signed"] == ["signed"]


def test_control_without_the_lock_both_would_have_it(
    tmp_path: Path,
    postgres_url: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def find(book: CaseBook, number: str) -> Case:
        return book._session.exec(select(Case).where(Case.number == number)).one()

    with Scenario(tmp_path, url=postgres_url) as chat:
        monkeypatch.setattr(CaseBook, "find", find)
        assert "归您了" in taken_on_two_nodes(chat)
        assert [line for line in chat.rows(CaseEntry.state) if line == "signed"] == ["signed", "signed"]


def test_a_case_that_was_read_before_it_was_locked_is_read_again(postgres_url: str) -> None:  # noqa: F811
    engine = open_engine(postgres_url)
    with Session(engine, expire_on_commit=False) as here, Session(engine, expire_on_commit=False) as elsewhere:
        first, second, _, _ = officers(here)
        number = open_case(desk_of(here, first)).number
        here.commit()
        desk = desk_of(here, first)
        before = here.exec(select(Case).where(Case.number == number)).one()
        other = desk_of(elsewhere, second)
        other.accept(other.find(number))
        other.take(other.find(number))
        elsewhere.commit()
        with pytest.raises(Refusal):
            desk.take(desk.find(number))
        assert before.officer_id == second.id
    engine.dispose()
