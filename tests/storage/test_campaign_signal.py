"""A campaign that one node writes down is heard of by the others, whose campaign loops would look after five seconds else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlmodel import Session

from bot.campaigns import Campaigns, PostRules, Request
from storage.signals import Signals
from storage.tables import Group
from storage.writer import StorageUnavailable
from tests.posting import MONDAY_TEN, PHRASES, SHANGHAI, library
from tests.storage.conftest import open_writer


@pytest.mark.postgres
async def test_a_campaign_is_heard_of_by_other_nodes(postgres_url: str, tmp_path: Path) -> None:
    heard = asyncio.Event()
    signals = Signals(postgres_url, "other")
    signals.hear("qianshao_campaign", lambda _: heard.set())
    listening = asyncio.create_task(signals.run())
    await signals.started()
    writer = open_writer(postgres_url)

    def send(session: Session) -> None:
        session.add(Group(platform="web", account="web", chat="g", name="群"))
        session.flush()
        Campaigns(session, MONDAY_TEN, library(tmp_path, "law/a"), PHRASES, PostRules(SHANGHAI)).send(Request("law/a"))

    await writer.run(send)
    async with asyncio.timeout(60):
        await heard.wait()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    writer.close()


@pytest.mark.postgres
async def test_a_reading_that_fails_ends_no_listening(postgres_url: str) -> None:
    """The line for signals stands again sooner than the one for reading: everything is read with the next one."""
    tries = 0

    async def read_again() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise StorageUnavailable("the server closed the connection")

    signals = Signals(postgres_url, "reader")
    signals.on_connect(read_again)
    listening = asyncio.create_task(signals.run())
    async with asyncio.timeout(60):
        await asyncio.wait([listening, asyncio.create_task(signals.started())], return_when=asyncio.FIRST_COMPLETED)
    assert signals.fresh, "the node would have ended"
    assert tries == 2
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
