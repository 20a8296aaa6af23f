"""A group that becomes a supergroup keeps its place in the house, and old message ids are never taken for new ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import Session, select

from bot.app import open_database
from bot.dialogs import Awaited, DialogKey
from bot.lanes import LaneKey
from bot.messages import Address
from bot.mind import Mind
from bot.notices import Lane, NewNotice, enqueue
from bot.platforms.telegram import Moved, move_chat, move_mind
from storage.lots import Part, insert_groups
from storage.tables import Alarm, Campaign, CampaignGroup, Case, CaseEntry, Dialog, Group, Notice
from storage.writer import Writer
from tests.kit.empty import lay_empty

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ACCOUNT = "1000001"
OLD, NEW = "-4000001", "-1002000000001"
MOVED = Moved(OLD, NEW)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    url = f"sqlite:///{tmp_path / 'q.sqlite3'}"
    lay_empty(url)
    opened = open_database(url)
    yield opened
    opened.close()


def here(chat: str = OLD) -> dict[str, str]:
    return {"platform": "telegram", "account": ACCOUNT, "chat": chat}


def fill(session: Session) -> None:
    group = Group(**here(), name="好邻居群", board="平安", introduced_at=NOW)
    other = Group(platform="web", account="web", chat=OLD, name="别处")
    session.add(group)
    session.add(other)
    session.flush()
    case = Case(
        number="2611-0001", kind="hazard", category="fire", tier="T2", state="submitted", text="x", private=False,
        reporter="42", message_id="7", group_id=group.id, created_at=NOW, state_since=NOW, **here(),
    )  # fmt: skip
    session.add(case)
    session.flush()
    session.add(CaseEntry(case_id=case.id or 0, at=NOW, kind="report", author="reporter", message_id="7"))
    session.add(Alarm(danger="fire", message_id="7", private=False, sender="42", started_at=NOW, group_id=group.id, **here()))
    session.add(Dialog(sender="42", name="callback", expires_at=NOW, **here()))
    address = Address("telegram", ACCOUNT, OLD)
    enqueue(session, NewNotice("waits", Lane.REPLY, address, "还没说", group_id=group.id, reply_to="7"), NOW)
    enqueue(session, NewNotice("said", Lane.REPLY, address, "说过了", group_id=group.id), NOW)
    said = session.exec(select(Notice).where(Notice.key == "said")).one()
    said.state, said.message_id = "sent", "9"
    session.add(said)


def test_everything_follows(writer: Writer) -> None:
    writer.run_now(fill)
    assert writer.run_now(lambda session: move_chat(session, ACCOUNT, MOVED))
    assert not writer.run_now(lambda session: move_chat(session, ACCOUNT, MOVED))

    def look(session: Session) -> None:
        group = session.exec(select(Group).where(Group.platform == "telegram")).one()
        assert (group.chat, group.board, group.active) == (NEW, "平安", True)
        assert session.exec(select(Group).where(Group.platform == "web")).one().chat == OLD
        case = session.exec(select(Case)).one()
        assert (case.chat, case.message_id, case.group_id) == (NEW, "", group.id)
        assert session.exec(select(CaseEntry)).one().message_id == "moved:7"
        assert session.exec(select(Alarm)).one().chat == NEW
        assert session.exec(select(Dialog)).one().chat == NEW
        waits, said = session.exec(select(Notice).order_by(Notice.key.desc())).all()  # type: ignore[attr-defined]
        assert (waits.chat, waits.reply_to, waits.state) == (NEW, None, "pending")
        assert (said.chat, said.message_id) == (NEW, "moved:9")

    writer.run_now(look)


def test_a_group_that_was_made_meanwhile_is_merged(writer: Writer) -> None:
    writer.run_now(fill)

    def meanwhile(session: Session) -> None:
        newer = Group(**here(NEW), name="好邻居群")
        session.add(newer)
        session.flush()
        enqueue(session, NewNotice("new", Lane.REPLY, Address("telegram", ACCOUNT, NEW), "x", group_id=newer.id), NOW)
        session.add(Dialog(sender="42", name="photo.words", expires_at=NOW, **here(NEW)))

    writer.run_now(meanwhile)
    writer.run_now(lambda session: move_chat(session, ACCOUNT, MOVED))

    def look(session: Session) -> None:
        group = session.exec(select(Group).where(Group.platform == "telegram")).one()
        assert (group.chat, group.board) == (NEW, "平安")
        assert {notice.group_id for notice in session.exec(select(Notice))} == {group.id}
        assert session.exec(select(Dialog)).one().name == "photo.words"

    writer.run_now(look)


def test_what_campaigns_do_in_a_group_goes_along(writer: Writer) -> None:
    """One was planned while both rows were there, another one for the newer alone: each reaches the group once."""
    writer.run_now(fill)

    def meanwhile(session: Session) -> None:
        older = session.exec(select(Group.id).filter_by(**here())).one()
        newer = Group(**here(NEW), name="好邻居群")
        session.add(newer)
        for number in (1, 2):
            session.add(Campaign(id=number, post="law/a", origin="x", created_at=NOW))
        session.flush()
        insert_groups(session.connection(), 1, [Part("law/a", text="x")], {older or 0: 0, newer.id or 0: 0})
        insert_groups(session.connection(), 2, [Part("law/a", text="x")], {newer.id or 0: 0})

    writer.run_now(meanwhile)
    writer.run_now(lambda session: move_chat(session, ACCOUNT, MOVED))

    def look(session: Session) -> None:
        group = session.exec(select(Group.id).where(Group.chat == NEW)).one()
        found = session.exec(select(CampaignGroup.campaign_id, CampaignGroup.group_id, CampaignGroup.waits)).all()
        assert sorted(found) == [(1, group, True), (2, group, True)]

    writer.run_now(look)


def test_what_is_remembered_follows() -> None:
    mind = Mind()
    old, elsewhere = Address("telegram", ACCOUNT, OLD), Address("telegram", ACCOUNT, "-5")
    mind.alarms = {old: 1, elsewhere: 2}
    mind.reports = {LaneKey(old, "42"): NOW}
    mind.dialogs = {DialogKey.of(old, "42"): (Awaited("callback", NOW),)}
    move_mind(mind, ACCOUNT, MOVED)
    new = Address("telegram", ACCOUNT, NEW)
    assert mind.alarms == {new: 1, elsewhere: 2}
    assert mind.reports == {LaneKey(new, "42"): NOW}
    assert list(mind.dialogs) == [DialogKey.of(new, "42")]
