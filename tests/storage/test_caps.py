"""Caps hold where notices are claimed, whatever a caller puts into the outbox, on both engines and with several nodes."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import pytest
from sqlmodel import Session, func, select

import storage.claims as rows
import storage.notices as notices
import storage.receipts as receipts
from bot.campaigns import PostRules
from bot.messages import Address
from bot.notices import Lane, NewNotice, enqueue_all
from bot.outbox import Outbox, OutboxRule
from bot.pacing import Pacing
from storage.caps import URGENT_DAILY
from storage.tables import Alarm, Campaign, Case, Group, Notice
from storage.writer import Writer
from tests.kit.fake_platform import FakePlatform
from tests.posting import SHANGHAI
from tests.storage.conftest import open_writer

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # a Monday, twelve o'clock in Shanghai
DAY = timedelta(days=1)
ME = ("telegram", "a")
FLOOD = int(os.environ.get("QIANSHAO_CAPS_FLOOD", "3000"))  # messages of the faulty caller
RULES = PostRules(SHANGHAI, weekly_cap=5, daily_cap=2, quiet_from=time(21, 30), quiet_to=time(7, 30))


class Street:
    """One group, a clock, and any number of nodes."""

    def __init__(self, writer: Writer, url: str) -> None:
        self.writer = writer
        self.url = url
        self.now = NOON
        self.platform = FakePlatform(*ME, clock=lambda: self.now)
        self.capped = True
        self.writer.run_now(lambda session: session.add(Group(platform=ME[0], account=ME[1], chat="g", name="群")))

    def node(self, name: str, writer: Writer | None = None) -> Outbox:
        caps = RULES.caps if self.capped else None
        pacing = Pacing.unlimited()
        return Outbox(
            writer or self.writer, {ME: self.platform}, pacing, lambda: self.now, node=name, caps=caps, rule=OutboxRule()
        )

    def campaign(self, kind: str = "post") -> int:
        def work(session: Session) -> int:
            campaign = Campaign(kind=kind, post="law/a", origin="shell", created_at=self.now)
            session.add(campaign)
            session.flush()
            return campaign.id or 0

        return self.writer.run_now(work)

    def put(self, count: int, *, campaign: int | None = None, group_id: int | None = 1, lane: Lane = Lane.CAMPAIGN) -> None:
        """A caller who knows no measure."""
        start = self.writer.run_now(lambda session: session.exec(select(func.count()).select_from(Notice)).one())
        notices = [
            NewNotice(f"n{start + n}", lane, Address(*ME, "g"), str(n), group_id=group_id, campaign_id=campaign)
            for n in range(count)
        ]
        self.writer.run_now(lambda session: enqueue_all(session, notices, self.now))

    async def drain(self) -> int:
        """How many messages the group has read."""
        await self.node("n").drain()
        return len(self.platform.arrived)

    def states(self) -> Counter[tuple[str, str]]:
        found = self.writer.run_now(lambda session: session.exec(select(Notice.state, Notice.problem)).all())
        return Counter((state, problem) for state, problem in found)


@pytest.fixture
def street(url: str) -> Iterator[Street]:
    writer = open_writer(url)
    yield Street(writer, url)
    writer.close()


@pytest.mark.parametrize("known", [True, False])
async def test_a_faulty_caller_sends_no_more_than_the_cap(street: Street, known: bool) -> None:
    street.put(FLOOD, campaign=street.campaign() if known else None, group_id=1 if known else None)
    assert await street.drain() == RULES.daily_cap
    assert street.states() == {("sent", ""): 2, ("cancelled", "daily cap"): FLOOD - 2}
    for _ in range(6):
        street.now += DAY
        street.put(50, campaign=street.campaign())
        await street.drain()
    assert len(street.platform.arrived) == RULES.weekly_cap, "a week holds five, however many days try"
    street.now += DAY
    street.put(50)
    assert await street.drain() == RULES.weekly_cap + 2, "a week later the first two no longer count"


async def test_without_the_check_the_same_caller_floods_the_group(street: Street) -> None:
    """The planted bug: the test above does notice when nobody looks at caps."""
    street.capped = False
    street.put(200, campaign=street.campaign())
    assert await street.drain() == 200


async def test_several_nodes_together_keep_the_cap(street: Street) -> None:
    street.put(2_000, campaign=street.campaign())
    others = [open_writer(street.url) for _ in range(3)] if street.url.startswith("postgresql") else []
    nodes = [street.node(f"n{index}", writer) for index, writer in enumerate([street.writer, *others])]
    await asyncio.gather(*(node.drain() for node in nodes))
    assert len(street.platform.arrived) == RULES.daily_cap
    for writer in others:
        writer.close()


async def test_a_group_has_its_own_cap_or_none(street: Street) -> None:
    def change(session: Session, **values: object) -> None:
        group = session.get_one(Group, 1)
        for name, value in values.items():
            setattr(group, name, value)
        session.add(group)

    street.writer.run_now(lambda session: change(session, weekly_cap=1))
    street.put(3)
    assert await street.drain() == 1
    assert street.states() == {("sent", ""): 1, ("cancelled", "weekly cap"): 2}
    street.writer.run_now(lambda session: change(session, weekly_cap=None, posts_off=True))
    street.now += 8 * DAY
    street.put(3)
    assert await street.drain() == 1
    assert street.states()[("cancelled", "posts off")] == 3


async def test_corrections_and_alerts_pass_the_caps_up_to_a_limit_of_their_own(street: Street) -> None:
    street.put(2, campaign=street.campaign())
    street.put(1, campaign=street.campaign("correction"))
    assert await street.drain() == 3
    street.put(500, campaign=street.campaign("alert"))
    assert await street.drain() == 2 + URGENT_DAILY
    assert street.states()[("cancelled", "urgent cap")] == 500 - (URGENT_DAILY - 1)


async def test_a_reply_is_never_capped(street: Street) -> None:
    street.put(5, lane=Lane.REPLY)
    assert await street.drain() == 5
    street.put(1)
    assert await street.drain() == 6, "and replies do not use up what posts may"


async def test_quiet_hours_put_off_posts_and_corrections_but_no_alert(street: Street) -> None:
    street.now = NOON + timedelta(hours=10)
    street.put(1, campaign=street.campaign())
    street.put(1, campaign=street.campaign("correction"))
    street.put(1, campaign=street.campaign("alert"))
    assert await street.drain() == 1
    street.now = NOON + timedelta(hours=19, minutes=29)
    assert await street.drain() == 1
    street.now += timedelta(minutes=1)
    assert await street.drain() == 3


async def test_ten_minutes_of_peace_after_a_report_and_while_an_emergency_is_open(street: Street) -> None:
    common = {"platform": ME[0], "account": ME[1], "chat": "g", "private": False, "group_id": 1, "message_id": "m"}
    about = {"kind": "hazard", "category": "x", "tier": "T3", "state": "submitted", "text": "x", "state_since": NOON}
    street.writer.run_now(lambda session: session.add(Case(number="2611-0001", created_at=NOON, **about, **common)))
    street.put(1, campaign=street.campaign())
    street.now += timedelta(minutes=9)
    assert await street.drain() == 0
    street.now += timedelta(minutes=1)
    assert await street.drain() == 1
    alarm = {**common, "sender": "x", "danger": "fire"}
    street.writer.run_now(lambda session: session.add(Alarm(started_at=street.now, **alarm)))
    street.put(1, campaign=street.campaign())
    street.put(1, campaign=street.campaign("alert"))
    for _ in range(11):
        street.now += timedelta(minutes=10)
        assert await street.drain() == 2, "the alert alone"
    street.now += timedelta(minutes=10)
    assert await street.drain() == 3, "two hours later it counts as over"


async def test_what_may_have_arrived_counts_as_sent(street: Street) -> None:
    street.put(2, campaign=street.campaign())

    def lose(session: Session) -> None:
        for notice in session.exec(select(Notice)).all():
            notice.state = "unknown"
            session.add(notice)

    street.writer.run_now(lose)
    street.put(1, campaign=street.campaign())
    assert await street.drain() == 0


def test_a_held_campaign_is_not_claimed_and_a_given_back_claim_is_held_again(street: Street) -> None:
    number = street.campaign()
    street.put(2, campaign=number)

    def take(session: Session) -> list[rows.Claim]:
        claims, _ = rows.claim(
            session.connection(),
            ME,
            owner="a/1",
            now=street.now,
            lease=timedelta(seconds=60),
            room=lambda _: 9,
            ready=lambda *_: True,
        )
        return claims

    (claim,) = street.writer.run_now(take)

    def halt(session: Session) -> None:
        session.get_one(Campaign, number).state = "halted"
        session.flush()
        notices.hold(session.connection(), number)
        receipts.write_back(session.connection(), "a/1", [receipts.Waiting(claim, None, used=False)])

    street.writer.run_now(halt)
    assert street.states() == {("held", ""): 2}
    assert street.writer.run_now(take) == []
    street.writer.run_now(lambda session: notices.let_go(session.connection(), number))
    assert len(street.writer.run_now(take)) == 1
