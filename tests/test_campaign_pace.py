"""Campaigns in simulated time: 270 groups within three minutes, and nothing more two seconds after a stop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, col, func, select, update

from bot.campaigns import PostRules, Request
from bot.campaigns.loop import CampaignLoop
from bot.campaigns.missing import verify
from bot.outbox import Outbox, OutboxRule
from bot.pacing import Pacing, PacingRule
from bot.say import Voice
from content.expressions import any_of
from storage.tables import Campaign, Case, Group, Missing, Notice, Officer, OfficerAccount
from tests.kit.fake_platform import FakePlatform
from tests.posting import PHRASES, SHANGHAI, District, library

TELEGRAM = PacingRule()  # 29 messages a second
SLOW = PacingRule(per_account_per_second=0.25, per_chat_interval=0, per_chat_per_minute=20)  # fifteen a minute


class Night:
    """A district of 270 groups on one account, with a bot that lives in steps of the clock."""

    def __init__(self, folder: Path, rule: PacingRule) -> None:
        self.district = District(library(folder, "law/a"), PostRules(SHANGHAI, approve_over=1000))
        self.clock = self.district.clock
        self.writer = self.district.writer
        groups = [Group(platform="telegram", account="a", chat=f"t{n}", name=f"群{n}", class_label="专属") for n in range(270)]
        self.writer.run_now(lambda session: session.add_all(groups))
        self.platform = FakePlatform("telegram", "a", clock=self.clock)
        self._rule = rule
        self.outbox = self.another_outbox()
        voice = Voice(PHRASES, {"telegram": "a"})
        self.loop = CampaignLoop(self.writer, self.clock, voice, self.district.campaigns, folder, lambda: self.outbox.wake())

    def another_outbox(self) -> Outbox:
        """As a new process of the same node has it."""
        return Outbox(
            self.writer,
            {("telegram", "a"): self.platform},
            Pacing(default=self._rule),
            self.clock,
            node="n",
            caps=self.district.rules.caps,
            rule=OutboxRule(),
        )

    def die_while_sending(self) -> None:
        """The bot is killed with everything claimed that it may send, and starts again."""
        waits = col(Notice.campaign_id).is_not(None), Notice.state == "pending", col(Notice.due_at).is_(None)
        claimed = {"attempt": 1, "owner": "n/dead", "lease_until": self.clock() + timedelta(minutes=2)}
        self.writer.run_now(lambda session: session.exec(update(Notice).where(*waits).values(**claimed)))
        self.outbox = self.another_outbox()

    def send_a_post(self) -> None:
        """To all 270 groups, planned by an officer who reads of it on the same platform."""

        def send(session: Session) -> None:
            session.add(OfficerAccount(officer_id=1, platform="telegram", user_id="u1", bound_at=self.clock()))
            request = Request("law/a", any_of(["platform:telegram"]), planner=1)
            self.district.campaigns(session, self.clock()).send(request)

        self.writer.run_now(send)

    def report_in(self, chat: str) -> None:
        """Somebody reports something there."""

        def report(session: Session) -> None:
            group = session.exec(select(Group).where(Group.chat == chat)).one()
            where = {"platform": "telegram", "account": "a", "chat": chat, "private": False, "group_id": group.id}
            case = Case(
                number="2611-0009", kind="hazard", category="fire.exit", tier="T3", state="submitted", text="x",
                created_at=self.clock(), state_since=self.clock(), **where,
            )  # fmt: skip
            session.add(case)

        self.writer.run_now(report)

    def put_off(self, chat: str) -> None:
        """As the outbox does with a post to a group that has just reported something."""
        later = update(Notice).where(col(Notice.chat) == chat).values(due_at=self.clock() + self.district.rules.gap_after_report)
        self.writer.run_now(lambda session: session.exec(later))

    def reached(self) -> set[str]:
        """The groups that have got something."""
        return {arrival.to.chat for arrival in self.platform.arrived if not arrival.to.private}

    def told(self) -> list[str]:
        """What the officer has read."""
        return [arrival.what.text for arrival in self.platform.arrived if arrival.to.private]

    async def live(self, seconds: float, step: float = 0.05) -> None:
        for _ in range(round(seconds / step)):
            self.clock.advance(timedelta(seconds=step))
            await self.loop.run_due()
            await self.outbox.drain()

    def start_alert(self) -> None:
        def work(session: Session) -> None:
            now = self.clock()
            where = {"platform": "telegram", "account": "a", "chat": "x", "private": True}
            case = Case(
                number="2611-0001", kind="missing", category="missing.adult", tier="T1", state="submitted", text="x",
                created_at=now, state_since=now, **where,
            )  # fmt: skip
            session.add(case)
            session.flush()
            missing = Missing(case_id=case.id or 0, text="王奶奶，78岁", labels="platform:telegram", officer_id=1, created_at=now)
            session.add(missing)
            session.flush()
            verify(self.district.campaigns(session, now), missing, case, session.get_one(Officer, 2), "【寻人】王奶奶，78岁")

        self.writer.run_now(work)


@pytest.fixture
async def night(tmp_path: Path) -> AsyncIterator[Night]:
    made = Night(tmp_path, TELEGRAM)
    yield made
    made.writer.close()


async def test_seed_27_an_alert_reaches_270_groups_within_three_minutes(night: Night) -> None:
    began = night.clock()
    night.start_alert()
    await night.live(20)
    assert len({arrival.to.chat for arrival in night.platform.arrived}) == 270
    assert len(night.platform.arrived) == 270
    took = max(arrival.at for arrival in night.platform.arrived) - began
    assert took <= timedelta(seconds=270 / 29 + 1), "the platform's pace and a look at the first five"


async def test_two_seconds_after_a_stop_nothing_leaves_even_on_a_slow_account(tmp_path: Path) -> None:
    night = Night(tmp_path, SLOW)

    def send(session: Session) -> Campaign:
        return night.district.campaigns(session, night.clock()).send(Request("law/a", any_of(["platform:telegram"])))[0]

    night.writer.run_now(send)
    await night.live(45, step=0.5)
    before = len(night.platform.arrived)
    assert before > 5, "it was on its way"
    night.writer.run_now(lambda session: night.district.campaigns(session, night.clock()).stop())
    stopped = night.clock()
    await night.live(120, step=0.5)
    late = [arrival for arrival in night.platform.arrived if arrival.at > stopped + timedelta(seconds=2)]
    assert late == []
    night.writer.close()


async def test_where_nothing_can_be_changed_the_planner_gets_few_messages_instead(night: Night) -> None:
    """270 groups: what the first ones did, then each quarter, then the end; with a live line none of the quarters."""

    night.send_a_post()
    await night.live(40, step=0.25)
    told = night.told()
    assert told[0] == "推送1号：先发的5个群收到了，接着发其余265个群。"
    assert told[-1] == "推送1号（《law/a 标题》）发完了：270个群收到。"
    assert 1 <= len(told[1:-1]) <= 3
    assert all("共270个" in text for text in told[1:-1])


async def test_a_group_that_has_just_reported_something_keeps_nobody_waiting(tmp_path: Path) -> None:
    """One of the first five is put off by ten minutes; the others get it now, it gets it then."""
    night = Night(tmp_path, PacingRule.unlimited())

    night.send_a_post()
    night.report_in("t1")
    await night.live(2, step=0.25)
    assert night.reached() == {f"t{n}" for n in range(270)} - {"t1"}
    night.clock.advance(timedelta(minutes=10))
    await night.live(1, step=0.25)
    assert night.reached() == {f"t{n}" for n in range(270)}
    night.writer.close()


async def test_what_is_on_its_way_has_not_ended(night: Night) -> None:
    """The planner hears that it is over when the last one has arrived, and that all have it."""
    night.send_a_post()
    await night.live(1)
    last = night.writer.read_now(lambda session: session.exec(select(func.max(Notice.id)).where(Notice.state == "pending")).one())

    def lent(owner: str) -> None:
        """Somebody is sending it, or nobody is."""
        whose = update(Notice).where(col(Notice.id) == last).values(owner=owner, lease_until=night.clock() + timedelta(hours=1))
        night.writer.run_now(lambda session: session.exec(whose))

    lent("m/other")
    await night.live(20)
    assert len(night.reached()) == 269
    assert "发完了" not in night.told()[-1]
    lent("")
    night.outbox.wake()
    await night.live(6)
    assert night.told()[-1] == "推送1号（《law/a 标题》）发完了：270个群收到。"


async def test_a_kill_while_the_first_five_are_sent_halts_nothing(night: Night) -> None:
    """Nobody knows whether those five have it, and they are not told twice; another five go first, and then the rest."""
    night.send_a_post()
    night.die_while_sending()
    await night.live(14)
    assert len(night.reached()) == 265
    last = night.told()[-1].split("\n")
    assert last[0] == "推送1号（《law/a 标题》）发完了：265个群收到。"
    assert last[1].startswith("没通知到5个群：群")


async def test_after_such_a_kill_a_group_that_has_just_reported_something_keeps_nobody_waiting(night: Night) -> None:
    """Four of the first five may have it and the fifth gets it in ten minutes: five others go first, and then the rest."""
    night.send_a_post()
    night.report_in("t1")
    night.put_off("t1")
    night.die_while_sending()
    await night.live(14)
    assert len(night.reached()) == 265
    night.clock.advance(timedelta(minutes=10))
    await night.live(1)
    assert len(night.reached()) == 266


async def test_a_post_that_two_kills_met_waits_for_an_officer(night: Night) -> None:
    night.send_a_post()
    night.die_while_sending()
    await night.outbox.drain()
    night.clock.advance(timedelta(seconds=3))
    await night.loop.run_due()
    night.die_while_sending()
    await night.live(20, step=0.5)
    card = night.told()[-1].split("\n")
    assert card[0] == "推送1号先停下了：10个群不知道收到没有，已发0个，还有260个没发。"
    assert card[1].startswith("不知道收到没有的群不会重发，请到群里看一眼：群")
    assert card[1].count("、") == 9, "ten names"
    assert card[2:] == ["没问题了，回：/推送 1 继续", "不发了，回：/停止 1"]
    assert not [arrival for arrival in night.platform.arrived if not arrival.to.private]
