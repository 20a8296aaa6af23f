"""Campaigns and schedules on both databases; four nodes with skewed clocks fire every due time once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from sqlmodel import Session, func, select

from bot.campaigns import PostRules, finish_campaigns
from bot.clock import ManualClock
from bot.config import ScheduleSettings
from bot.say import Voice
from bot.schedule import ScheduleLoop
from storage.tables import Campaign, CampaignGroup, Notice, Occurrence
from storage.writer import Writer, open_engine
from tests.posting import PHRASES, SHANGHAI, District, library

NODES = 4


def schedule(name: str, at: str) -> ScheduleSettings:
    return ScheduleSettings.model_validate(
        {"name": name, "category": "law", "days": "*", "time": at, "labels": ["class:综合"], "no_repeat_weeks": 0}
    )


async def test_four_nodes_fire_every_due_time_once(url: str, tmp_path: Path) -> None:
    district = District(library(tmp_path, "law/a", "law/b"), PostRules(SHANGHAI, weekly_cap=50, daily_cap=20), url)
    schedules = (schedule("early", "10:30"), schedule("late", "19:00"))
    writers = [district.writer, *(Writer(open_engine(url)) for _ in range(NODES - 1))]
    clocks = [ManualClock(district.clock() + timedelta(seconds=skew)) for skew in (-2, 0, 1, 2)]
    loops = [
        ScheduleLoop(writer, clock, schedules, SHANGHAI, Voice(PHRASES, {"web": "web"}), district.campaigns, lambda: None)
        for writer, clock in zip(writers, clocks, strict=True)
    ]
    for _ in range(40):
        await asyncio.gather(*(loop.run_due() for loop in loops))
        for clock in clocks:
            clock.advance(timedelta(minutes=30))
    found = district.writer.run_now(lambda session: session.exec(select(Occurrence).where(Occurrence.state != "due")).all())
    assert [row.state for row in found] == ["sent", "sent"]
    assert len({row.campaign_id for row in found}) == 2
    counts = district.writer.run_now(
        lambda session: [
            session.exec(select(func.count()).select_from(table)).one() for table in (Campaign, CampaignGroup, Notice)
        ]
    )
    assert counts == [2, 4, 4]
    for writer in writers[1:]:
        writer.close()
    district.writer.close()


async def test_a_campaign_is_finished_when_nothing_is_left_to_send(url: str, tmp_path: Path) -> None:
    district = District(library(tmp_path, "law/a"), url=url)
    clock = ManualClock(district.clock() + timedelta(minutes=30))
    loop = ScheduleLoop(
        district.writer, district.clock, [schedule("x", "10:30")], SHANGHAI, Voice(PHRASES, {}), district.campaigns, lambda: None
    )
    await loop.run_due()
    district.clock.advance(clock() - district.clock())
    await loop.run_due()
    assert district.writer.run_now(finish_campaigns) == 0

    def send_all(session: Session) -> None:
        for notice in session.exec(select(Notice)).all():
            notice.state = "sent"
            session.add(notice)

    district.writer.run_now(send_all)
    assert district.writer.run_now(finish_campaigns) == 1
    states = district.writer.run_now(lambda session: session.exec(select(Campaign.state)).all())
    assert states == ["done"]
    district.writer.close()
