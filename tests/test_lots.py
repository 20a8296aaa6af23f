"""Notices of a campaign are made in lots: every group gets its own once, and the outbox stays small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, func, select, update

from bot.campaigns import CampaignState, PostRules, Request, correct, lots
from bot.campaigns.correction import not_reached
from bot.campaigns.loop import CampaignLoop
from bot.campaigns.proof import prove
from bot.campaigns.rules import LotSize
from bot.errors import NeverDelivered
from bot.outbox import Outbox, OutboxRule
from bot.pacing import Pacing, PacingRule
from bot.say import Voice
from content.expressions import any_of
from storage.notices import unfinished
from storage.tables import Appeal, Campaign, CampaignPart, Group, Notice
from tests.kit.fake_platform import FakePlatform
from tests.posting import PHRASES, SHANGHAI, District, library

EACH = 60  # groups of each of two accounts; those of the second come after all of the first
AHEAD = 20
ACCOUNTS = ("a", "b")


class Town:
    """Two accounts with sixty groups each, and a bot that lives in steps of the clock."""

    def __init__(self, folder: Path, trial: int = 5) -> None:
        rules = PostRules(SHANGHAI, approve_over=1000, trial_groups=trial, lots=LotSize(AHEAD, 30))
        self.district = District(library(folder, "law/a"), rules)
        self.clock, self.writer = self.district.clock, self.district.writer
        groups = [
            Group(platform="telegram", account=account, chat=f"{account}{n}", name=f"群{account}{n}", class_label="专属")
            for account in ACCOUNTS
            for n in range(EACH)
        ]
        self.writer.run_now(lambda session: session.add_all(groups))
        self.platforms = {account: FakePlatform("telegram", account, clock=self.clock) for account in ACCOUNTS}
        self.outbox = Outbox(
            self.writer,
            {("telegram", account): platform for account, platform in self.platforms.items()},
            Pacing(default=PacingRule(per_account_per_second=10)),
            self.clock,
            node="n",
            caps=self.district.rules.caps,
            rule=OutboxRule(),
        )
        voice = Voice(PHRASES, {"telegram": "a"})
        self.loop = CampaignLoop(self.writer, self.clock, voice, self.district.campaigns, folder, self.outbox.wake)
        self.most_open = 0

    def send(self, over: timedelta = timedelta(0)) -> None:
        request = Request("law/a", any_of(["platform:telegram"]), over=over)
        self.writer.run_now(lambda session: self.district.campaigns(session, self.clock()).send(request))

    async def live(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.25)):
            self.clock.advance(timedelta(seconds=0.25))
            await self.loop.run_due()
            self.most_open = max(self.most_open, *self.open().values(), 0)
            await self.outbox.drain()

    def open(self) -> Counter[str]:
        """Notices that wait, by account."""
        waiting = select(Notice.account, func.count()).where(Notice.state == "pending").group_by(col(Notice.account))
        return Counter({"": 0, **dict(self.writer.read_now(lambda session: session.exec(waiting).all()))})

    def arrived(self) -> list[str]:
        return [arrival.to.chat for platform in self.platforms.values() for arrival in platform.arrived]

    def look(self, what: Any) -> Any:
        """Of the first campaign: `what(campaigns, campaign)`."""

        def work(session: Session) -> Any:
            campaigns = self.district.campaigns(session, self.clock())
            return what(campaigns, campaigns.get(1))

        return self.writer.run_now(work)

    def outcomes(self) -> Counter[str]:
        return Counter(proof.outcome for proof in self.look(prove))

    def states(self) -> dict[str, int]:
        return dict(self.look(lambda campaigns, campaign: campaigns.progress(campaign).notices))


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path)
    yield made
    made.writer.close()


async def test_every_group_gets_it_once_and_the_outbox_stays_small(town: Town) -> None:
    town.send()
    assert town.states() == {"pending": 5, "held": 2 * EACH - 5}
    await town.live(3)
    assert all(platform.arrived for platform in town.platforms.values()), "no account waits for another one's groups"
    await town.live(17)
    assert Counter(town.arrived()) == Counter(f"{account}{n}" for account in ACCOUNTS for n in range(EACH))
    assert 0 < town.most_open <= AHEAD
    assert town.states() == {"sent": 2 * EACH}
    said = {arrival.to.chat: arrival.what.text for arrival in town.platforms["a"].arrived}
    named = {chat for chat, text in said.items() if f"群{chat}好。" in text}
    assert named, "half of them read their own name"
    assert not [chat for chat in set(said) - named if "各位好。" not in said[chat]]
    assert not [text for text in said.values() if lots.NAME in text]


async def test_a_stop_counts_the_notices_that_are_never_made(town: Town) -> None:
    town.send()
    await town.live(3)
    before = len(town.arrived())
    assert 10 < before < 2 * EACH
    cancelled = town.look(lambda campaigns, _: campaigns.stop())[1]
    assert cancelled == 2 * EACH - before
    await town.live(10)
    assert len(town.arrived()) == before
    assert town.outcomes() == {"sent": before, "cancelled": cancelled}
    assert town.states() == {"sent": before, "cancelled": cancelled}
    assert len(town.look(not_reached)) == cancelled
    assert town.look(lambda campaigns, campaign: correct(campaigns, campaign, "更正", None, "x").groups) == before


async def test_a_halt_keeps_what_is_to_come_until_an_officer_goes_on(town: Town) -> None:
    town.send()
    await town.live(1)
    for n in range(10, EACH):
        town.platforms["b"].fail(NeverDelivered("no right to write"), chat=f"b{n}")
    await town.live(10)
    campaign: Campaign = town.look(lambda _, campaign: campaign)
    assert campaign.state == CampaignState.HALTED
    before = town.states()
    assert set(before) == {"sent", "dead", "held"}
    assert sum(before.values()) == 2 * EACH
    assert town.writer.read_now(lambda session: unfinished(session.connection()))["held"] == before["held"]
    await town.live(5)
    assert town.states() == before
    assert town.outcomes() == {"sent": before["sent"], "failed": before["dead"], "waiting": before["held"]}
    for platform in town.platforms.values():
        platform.script.clear()
    assert town.look(lambda campaigns, campaign: campaigns.go_on(campaign)) == before["held"]
    await town.live(20)
    assert town.states() == {"sent": 2 * EACH - before["dead"], "dead": before["dead"]}
    assert max(Counter(town.arrived()).values()) == 1


async def test_a_group_that_was_left_meanwhile_gets_none_and_is_told(town: Town) -> None:
    town.send()
    gone = update(Group).where(col(Group.chat) == "b50").values(active=False, name="走了")
    town.writer.run_now(lambda session: session.exec(gone))
    await town.live(20)
    assert "b50" not in town.arrived()
    assert town.states() == {"sent": 2 * EACH - 1, "dead": 1}
    assert town.look(not_reached) == ("走了",)


async def test_lots_that_are_due_follow_one_another_at_once(town: Town) -> None:
    """With many accounts one lot is a few groups of each: the next one must not wait for a patrol."""
    town.district.rules = replace(town.district.rules, trial_groups=0, lots=LotSize(2 * EACH, 10))
    town.send()
    due, until = town.clock(), town.clock() + timedelta(seconds=1)
    while due < until:
        town.clock.advance(due - town.clock())
        due = await town.loop.run_due() or until
    assert sum(town.open().values()) == 2 * EACH


async def test_what_was_put_off_keeps_nobody_elses_notice_from_being_made(town: Town) -> None:
    town.send()
    for _ in range(20):
        town.clock.advance(timedelta(seconds=0.25))
        await town.loop.run_due()
        if min(town.open()[account] for account in ACCOUNTS) > AHEAD / 2:
            break
        await town.outbox.drain()
    later = update(Notice).where(col(Notice.state) == "pending").values(due_at=town.clock() + timedelta(hours=2))
    put_off = town.writer.run_now(lambda session: session.exec(later).rowcount)
    assert put_off > AHEAD, "as many as an account has ahead"
    await town.live(30)
    assert len(town.arrived()) == 2 * EACH - put_off


async def test_a_clock_that_is_set_back_keeps_no_lot_waiting(town: Town) -> None:
    town.send()
    await town.live(3)
    assert len(town.arrived()) < 2 * EACH
    town.clock.advance(-timedelta(hours=1))
    await town.live(30)
    assert len(town.arrived()) == 2 * EACH


async def test_a_slow_campaign_is_tried_first_and_its_notices_are_made_when_they_are_due(town: Town) -> None:
    """By its place among all, the first group of the second account would keep the trial going for half of the time."""
    town.send(over=timedelta(hours=1))
    town.most_open, arrived = 0, [0]
    for _ in range(13):
        for _ in range(10):
            town.clock.advance(timedelta(seconds=30))
            await town.loop.run_due()
            await town.outbox.drain()
        if len(arrived) == 1:
            assert town.look(lambda _, campaign: campaign.state) == CampaignState.SENDING
            assert town.platforms["b"].arrived
        town.most_open = max(town.most_open, *town.open().values())
        arrived.append(len(town.arrived()))
    assert arrived[-1] == 2 * EACH
    assert max(after - before for before, after in pairwise(arrived)) <= 11, "evenly, and no crowd at the end"
    assert town.most_open <= 3


async def test_words_that_were_still_to_be_sent_are_forgotten_once_they_are(town: Town) -> None:
    town.send()
    town.platforms["a"].fail(RuntimeError("no answer"), chat="a0")
    await town.live(3)
    over = Appeal(
        number="1", text="x", state="ended", officer_id=1, campaign_id=1, created_at=town.clock(), purge_at=town.clock()
    )
    town.writer.run_now(lambda session: session.add(over))
    await town.live(30)
    assert town.states() == {"unknown": 1, "sent": 2 * EACH - 1}
    assert not [arrival for platform in town.platforms.values() for arrival in platform.arrived if not arrival.what.text]
    town.clock.advance(timedelta(days=1))
    await town.loop.run_due()

    def kept(session: Session) -> tuple[set[str], set[str], Any]:
        said, parts = session.exec(select(Notice.text).where(Notice.campaign_id == 1)), session.exec(select(CampaignPart.text))
        return set(said.all()), set(parts.all()), session.exec(select(Appeal.purge_at)).one()

    assert town.writer.read_now(kept) == ({""}, {""}, None)


class Killed(Exception):
    """The process ends here."""


def die_between(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The third lot is taken, and its notices are never written."""
    write, passed = lots.insert_for_groups, [0]

    def killed(*args: Any) -> None:
        passed[0] += 1
        if passed[0] == 3:
            raise Killed
        write(*args)

    monkeypatch.setattr(lots, "insert_for_groups", killed)
    return passed


async def test_a_crash_in_the_middle_of_a_lot_loses_nothing(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.send()
    passed = die_between(monkeypatch)
    await town.live(20)
    assert passed[0] > 3
    assert Counter(town.arrived()) == Counter(f"{account}{n}" for account in ACCOUNTS for n in range(EACH))


async def test_control_a_lot_that_is_taken_before_it_is_written_is_lost(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted bug: what was taken is committed although its notices were never written."""
    make = lots.make

    def planted(*args: Any) -> int:
        try:
            return make(*args)
        except Killed:
            return 0

    town.send()
    die_between(monkeypatch)
    monkeypatch.setattr(lots, "make", planted)
    await town.live(20)
    assert len(set(town.arrived())) < 2 * EACH
