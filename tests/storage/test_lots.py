"""Several nodes make lots of one campaign; and campaigns that were under way before there were lots."""

from __future__ import annotations

import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, select

import storage.lots as rows
import storage.notices as notices
from bot.campaigns import lots
from bot.campaigns.progress import progress_of
from bot.campaigns.rules import LotSize
from storage.database import prepare
from storage.tables import Campaign, CampaignGroup, CampaignPart, Group, Notice
from storage.writer import Writer
from tests.storage.conftest import open_writer
from tests.storage.test_migration_kills import at_revision

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
GROUPS = 60
SMALL = LotSize(ahead=1000, most=7)


def lay(writer: Writer) -> None:
    """A campaign that is sending, with nothing made of it yet."""

    def work(session: Session) -> None:
        session.add_all(
            [Group(id=n, platform="telegram", account="a", chat=f"g{n}", name=f"群{n}") for n in range(1, GROUPS + 1)]
        )
        session.add(Campaign(id=1, post="law/a", origin="x", state="sending", created_at=NOW, began_at=NOW, lot_at=NOW))
        session.flush()
        rows.insert_groups(session.connection(), 1, [rows.Part("law/a", text="x")], dict.fromkeys(range(1, GROUPS + 1), 0))

    writer.run_now(work)


def make_together(url: str, most: int = 200) -> Counter[int | None]:
    """Two nodes make lots until nothing waits: how many notices each group has."""
    writers = [open_writer(url), open_writer(url)]

    def node(writer: Writer) -> None:
        for second in range(most):
            writer.run_now(partial(lots.take_lot, campaign_id=1, now=NOW + timedelta(seconds=second), size=SMALL))
            if writer.read_now(lambda session: session.get_one(Campaign, 1).lot_at) is None:
                return

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(node, writers))
    made = writers[0].read_now(lambda session: Counter(session.exec(select(Notice.group_id)).all()))
    for writer in writers:
        writer.close()
    return made


def test_two_nodes_make_every_lot_once(url: str, writer: Writer) -> None:
    lay(writer)
    assert make_together(url) == Counter(range(1, GROUPS + 1))


def test_a_group_that_waits_no_more_is_not_taken_again(writer: Writer) -> None:
    """Who asked which groups are next before another node took them gets what is left of them."""
    lay(writer)
    first = writer.run_now(lambda session: rows.take(session.connection(), 1, [1, 2, 3]))
    then = writer.run_now(lambda session: rows.take(session.connection(), 1, [2, 3, 4]))
    assert [[one.group_id for one in taken] for taken in (first, then)] == [[1, 2, 3], [4]]


@pytest.mark.parametrize("state", ["halted", "stopped", "trial"])
def test_no_lot_is_made_of_a_campaign_that_is_not_sending(writer: Writer, state: str) -> None:
    """It was halted or stopped after its turn had come: it is asked no more until somebody lets it go on."""
    lay(writer)
    writer.run_now(lambda session: setattr(session.get_one(Campaign, 1), "state", state))
    assert not writer.run_now(lambda session: lots.take_lot(session, 1, NOW, SMALL))
    assert writer.read_now(lambda session: session.exec(select(Notice.group_id)).all()) == []
    assert writer.read_now(lambda session: rows.waiting(session.connection(), 1)) == GROUPS
    assert writer.read_now(lambda session: session.get_one(Campaign, 1).lot_at) is None


def test_control_a_lot_that_is_not_taken_is_made_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted bug: whether a group still waits is asked of nobody, and the key of a notice is new each time."""
    url = f"sqlite:///{tmp_path}/twice.db"
    writer = open_writer(url)
    lay(writer)

    def planted(connection: Any, campaign_id: int, groups: list[int]) -> list[rows.Taken]:
        where = col(CampaignGroup.campaign_id) == campaign_id, col(CampaignGroup.group_id).in_(groups)
        found = connection.execute(select(col(CampaignGroup.group_id)).where(*where)).all()
        return [rows.Taken(group, "", True, "x", None, None) for (group,) in found]

    monkeypatch.setattr(rows, "take", planted)
    anew = notices._TO_GROUPS["sqlite"].replace("'post:'", "'post:' || random()")
    monkeypatch.setitem(notices._TO_GROUPS, "sqlite", anew)
    assert max(make_together(url, most=4).values()) > 1
    writer.close()


@pytest.mark.filterwarnings("ignore::storage.database.OldLibrary")
def test_a_campaign_from_before_there_were_lots_goes_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    at_revision(url, "0019")
    at = "2026-11-23 08:00:00.000000"
    old = sqlite3.connect(tmp_path / "old.db")

    def lay(table: str, **values: object) -> None:
        places = ", ".join("?" * len(values))
        old.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", tuple(values.values()))

    for n in (1, 2, 3, 4):
        where = {"platform": "telegram", "account": "a", "chat": f"g{n}"}
        labels = {"class_label": "", "board": "", "industry": "", "posts_off": False, "active": True}
        lay("chat_group", id=n, name=f"群{n}", **where, **labels)
    campaign = {"kind": "post", "post": "law", "labels": "", "accounts": "", "origin": "x", "problem": "", "told": ""}
    lay("campaign", id=1, state="trial", created_at=at, over_seconds=0, forgiven=0, **campaign)
    for n, post, skipped in ((1, "law/a", ""), (2, "law/b", ""), (3, "law/a", ""), (4, "law", "weekly cap")):
        came = {"replies": n, "questions": 0, "opt_outs": 0}
        lay("campaign_group", campaign_id=1, group_id=n, post=post, at=at, skipped=skipped, **came)
    for n, state in ((1, "sent"), (2, "held"), (3, "held")):
        where = {"platform": "telegram", "account": "a", "chat": f"g{n}", "private": False, "group_id": n, "campaign_id": 1}
        rest = {"text": "x", "choices": "", "secret": False, "attempt": 0, "lost": 0, "owner": "", "problem": ""}
        lay("outbox", key=f"post:1:{n}", lane=3, state=state, created_at=at, **where, **rest)
    old.commit()
    old.close()
    writer = prepare(url)

    def look(session: Session) -> None:
        campaign = session.get_one(Campaign, 1)
        progress = progress_of(session, campaign)
        assert (dict(progress.notices), dict(progress.skipped)) == ({"sent": 1, "held": 2}, {"weekly cap": 1})
        assert campaign.began_at == NOW.replace(hour=8)
        its = select(CampaignGroup.group_id, CampaignPart.post, CampaignPart.skipped, CampaignGroup.replies)
        assert session.exec(its.join(CampaignPart, lots.its_part()).order_by(col(CampaignGroup.group_id))).all() == [
            (1, "law/a", "", 1), (2, "law/b", "", 2), (3, "law/a", "", 3), (4, "law", "weekly cap", 4),
        ]  # fmt: skip
        campaign.state = "sending"
        assert lots.let_go(session, campaign, NOW) == 2
        assert dict(progress_of(session, campaign).notices) == {"sent": 1, "pending": 2}
        assert campaign.lot_at is None

    writer.run_now(look)
    writer.close()
