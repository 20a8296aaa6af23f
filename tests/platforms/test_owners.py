"""Several accounts in one chat that nobody has spoken in yet: one of them has it, whatever they hear at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlmodel import Session, col, select

import bot.platforms.owners
from bot.platforms.owners import Owners
from cases.groups import forget_group
from storage.chats import move_owner
from storage.notices import close_chat
from storage.tables import ChatOwner, Group
from storage.writer import Writer
from tests.storage.conftest import open_writer, postgres_server, postgres_template, postgres_url, sqlite_url, url  # noqa: F401

pytestmark = pytest.mark.filterwarnings("ignore::storage.database.OldLibrary")

NOW = datetime(2026, 11, 27, tzinfo=UTC)
ACCOUNTS = ("a", "b")
CHATS = [f"chat{number}" for number in range(20)]


@pytest.fixture
def nodes(url: str) -> Iterator[tuple[Writer, Writer]]:  # noqa: F811
    """Two writers on one database: on PostgreSQL two nodes, on SQLite twice the one that there can be."""
    one = open_writer(url)
    other = open_writer(url) if one.shared else one
    yield one, other
    one.close()
    if other is not one:
        other.close()


def both(nodes: tuple[Writer, Writer], siblings: tuple[str, ...] = ACCOUNTS) -> list[Owners]:
    return [Owners(writer, "telegram", account, siblings, lambda: 0.0) for writer, account in zip(nodes, ACCOUNTS, strict=True)]


async def ask(owners: list[Owners]) -> list[list[bool]]:
    """Both ask about every chat at once."""

    async def one(each: Owners) -> list[bool]:
        return await asyncio.gather(*(each.mine(chat) for chat in CHATS))

    return await asyncio.gather(*(one(each) for each in owners))


async def test_of_two_that_ask_at_once_about_a_new_chat_exactly_one_has_it(nodes: tuple[Writer, Writer]) -> None:
    owners = both(nodes)
    first, second = await ask(owners)
    assert [one + other for one, other in zip(first, second, strict=True)] == [1] * len(CHATS)
    assert await ask(owners) == [first, second]
    assert await ask(both(nodes)) == [first, second]  # after a restart, too


async def test_without_the_claim_both_have_it(nodes: tuple[Writer, Writer], monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: to be the owner as long as nobody is was the mistake."""
    monkeypatch.setattr(bot.platforms.owners, "claim_chat", lambda _session, _platform, _chat, account, _accounts: account)
    first, second = await ask(both(nodes))
    assert all(first)
    assert all(second)


async def test_a_chat_is_free_again_when_its_account_has_left(nodes: tuple[Writer, Writer]) -> None:
    one, _ = both(nodes)
    now = [0.0]
    later = Owners(nodes[1], "telegram", "b", ACCOUNTS, lambda: now[0])
    for chat in ("left", "thrown out"):
        assert await one.mine(chat)
        await one.enlist(chat, "")
        assert not await later.mine(chat)

    def leave(session: Session) -> None:
        group = session.exec(select(Group).where(Group.chat == "left")).one()
        forget_group(session, group, NOW, "left")
        close_chat(session.connection(), "telegram", "a", "thrown out", "kicked", NOW)

    await nodes[0].run(leave)
    assert not await later.mine("left")  # for half a minute what was known counts
    now[0] = 31.0
    assert await later.mine("left")
    assert await later.mine("thrown out")
    assert not await one.mine("left", anew=True)


async def test_a_group_on_the_list_stays_with_the_account_that_is_in_it(nodes: tuple[Writer, Writer]) -> None:
    """Groups that were there before there was a second account; and an account that is configured no more has none."""
    alone = Owners(nodes[0], "telegram", "a")
    assert await alone.mine("old")
    await alone.enlist("old", "老群")
    one, other = both(nodes)
    assert not await other.mine("old")
    assert await one.mine("old")
    heir = Owners(nodes[1], "telegram", "b", ("b", "c"))
    assert await heir.mine("old")


async def test_a_chat_that_gets_another_id_stays_whose_it_was(nodes: tuple[Writer, Writer]) -> None:
    one, other = both(nodes)
    assert await one.mine("before")
    assert await other.mine("after")
    await nodes[0].run(lambda session: move_owner(session, "telegram", "a", "before", "after"))

    def rows(session: Session) -> list[tuple[str, str]]:
        return [(row.chat, row.account) for row in session.exec(select(ChatOwner).order_by(col(ChatOwner.chat))).all()]

    assert await nodes[0].read(rows) == [("after", "a")]


async def test_a_group_has_its_row_before_anything_is_kept_of_it_and_only_one(nodes: tuple[Writer, Writer]) -> None:
    one, _ = both(nodes)
    await asyncio.gather(*(one.enlist("new", "新群") for _ in range(8)))
    assert not await one.introduced("new")

    def groups(session: Session) -> list[Group]:
        return list(session.exec(select(Group)).all())

    (group,) = await nodes[0].read(groups)
    assert (group.account, group.name, group.grid_id, group.active, group.introduced_at) == ("a", "新群", None, True, None)
