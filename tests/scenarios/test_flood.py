"""Floods: real reports are heard at once, nobody is refused, and the same words again and again become one thing.

QIANSHAO_FLOOD=20 makes 100,000 messages with 1,000 real reports of it for the lanes, and 2,200 for the whole bot;
`python -m benchmarks.flood` sends the 100,000 through the whole bot and measures.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.flood import GROUP, PERSON, Flood, Weight
from bot.lanes import LaneKey, Lanes
from bot.messages import Address, Inbound, Sender
from bot.notices import Lane
from storage.repeats import signature
from storage.tables import Case, Notice
from tests.kit.scenario import PRIVATE, Scenario

TIMES = int(os.environ.get("QIANSHAO_FLOOD", "1"))
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
PLACE = "港新1号网格"


def said(who: str, text: str, at: datetime, chat: str = "g1", number: int = 0) -> Inbound:
    return Inbound(f"{who}-{number}-{at.timestamp()}", Address("web", "web", chat), Sender(who, who), at, text=text)


@pytest.mark.one_cell
def test_whoever_talks_much_is_late_and_never_refused() -> None:
    flood = Flood()
    weights = [
        flood.weigh(said("robot", f"第{'甲乙丙丁戊己庚辛壬癸'[n % 10] * (n % 7 + 1)}个井盖坏了{n}", NOW), NOW) for n in range(60)
    ]
    assert weights[: int(PERSON.burst)] == [Weight.PROMPT] * int(PERSON.burst)
    assert Weight.LATE in weights
    assert flood.weigh(said("neighbour", "3号楼楼道有人充电", NOW), NOW) is Weight.PROMPT
    later = NOW + timedelta(minutes=5)
    assert flood.weigh(said("robot", "好了，路灯也坏了一盏", later), later) is Weight.PROMPT


@pytest.mark.one_cell
def test_a_full_group_lets_those_through_who_have_hardly_said_anything() -> None:
    flood = Flood()
    for number in range(int(GROUP.burst) * 3):
        flood.weigh(said(f"robot{number % 30}", f"{'天地玄黄宇宙洪荒'[number % 8]}第{number}条不一样的话，井盖坏了", NOW), NOW)
    assert flood.weigh(said("robot1", "还有一条不一样的话，井盖坏了", NOW), NOW) is Weight.LATE
    assert flood.weigh(said("neighbour", "3号楼楼道有人充电", NOW), NOW) is Weight.PROMPT


@pytest.mark.one_cell
def test_the_same_words_again_are_counted_once() -> None:
    flood = Flood()
    weights = [flood.weigh(said("robot", f"3号楼楼道有人充电{'！' * n}", NOW, number=n), NOW) for n in range(10)]
    assert weights == [Weight.PROMPT] * 3 + [Weight.REPEATED] * 7
    assert flood.repeated == 7
    assert (
        flood.weigh(said("neighbour", "3号楼楼道有人充电", NOW), NOW) is Weight.PROMPT
    )  # a second witness is not the same again
    assert flood.weigh(said("robot", "5号楼楼道有人充电", NOW), NOW) is Weight.PROMPT  # another house is another matter
    assert signature("３号楼 楼道有人充电。") == signature("3号楼，楼道有人充电")


async def flooded(flood: Flood | None) -> list[float]:
    """100,000 messages of 20 accounts in two minutes and among them 1,000 reports of 1,000 people (by default a twentieth of
    it), with a worker that needs as long as the flood lasts; how long each report waited in units of one piece of work."""
    worked: dict[str, int] = {}
    put: dict[str, int] = {}
    clock = [0]

    async def work(event: Inbound) -> None:
        clock[0] += 1
        worked.setdefault(event.event_id, clock[0])
        if clock[0] % 50 == 0:
            await asyncio.sleep(0)

    lanes: Lanes[Inbound] = Lanes(work, workers=1)
    task = asyncio.create_task(lanes.run())
    dice = random.Random(7)
    reports, spam = 50 * TIMES, 5_000 * TIMES
    at = NOW
    for number in range(spam + reports):
        at += timedelta(seconds=120 / (spam + reports))
        real = number % (spam // reports + 1) == 0
        who = f"neighbour{number}" if real else f"robot{dice.randrange(20)}"
        words = "".join(dice.choice("天地玄黄宇宙洪荒日月盈昃辰宿列张") for _ in range(12))
        event = said(who, words, at, chat=f"g{dice.randrange(5)}", number=number)
        weight = flood.weigh(event, at) if flood is not None else Weight.PROMPT
        if real:
            assert weight is Weight.PROMPT
            put[event.event_id] = clock[0]
        await lanes.put(LaneKey(event.address, who), event, late=weight is Weight.LATE)
        if number % 40 == 0:
            await asyncio.sleep(0)
    await lanes.drained()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(worked) == spam + reports  # late is not lost
    return sorted(worked[event] - before for event, before in put.items())


@pytest.mark.one_cell
async def test_a_thousand_reports_in_a_hundred_thousand_messages_wait_for_next_to_nothing() -> None:
    waited = await flooded(Flood())
    # a piece of work is a few milliseconds: 2 s are hundreds of them
    assert waited[int(len(waited) * 0.95)] <= 200


def test_every_real_report_of_a_flood_is_acknowledged(tmp_path: Path) -> None:
    """Through the whole bot: floods of varied nonsense that sounds like reports, and people who report something."""
    dice = random.Random(3)
    with Scenario(tmp_path) as chat:
        began = time.monotonic()
        for number in range(10 * TIMES):
            for _ in range(10):
                robot = f"机器人{dice.randrange(4)}"
                rubbish = "".join(dice.choice("天地玄黄宇宙洪荒日月盈昃") for _ in range(8))
                chat.platform.say(Sender(robot, robot), chat.address(robot, PLACE), f"{rubbish}的井盖坏了", mentions_me=False)
            who = f"邻居{number}"
            chat.platform.say(Sender(who, who), chat.address(who, PLACE), f"{number + 1}号楼2单元楼道有人给电动车充电")
        chat.settle()
        told = [arrival.what.text for arrival in chat.platform.arrived]
        for number in range(10 * TIMES):
            assert any(f"{number + 1}号楼2单元楼道" in text for text in told), number
        assert time.monotonic() - began < 600
        for row in chat.platform.arrived:
            chat._seen[(row.to.chat, row.to.private)] = len(chat.platform.arrived)


def test_a_report_bomb_is_one_case_a_person_and_no_more_urgent_for_it(tmp_path: Path) -> None:
    with Scenario(tmp_path) as chat:
        for number in range(40):
            who = f"账号{number % 5}"
            chat.platform.say(Sender(who, who), chat.address(who, PLACE), f"3号楼2单元楼道有人给电动车充电{'！' * (number % 9)}")
        chat.settle()
        cases = chat.rows(Case.number, Case.tier)
        assert len(cases) <= 5  # what several people say the same is the matter of cases.duplicates
        assert {tier for _, tier in cases} == {"T2"}  # no volume makes it more urgent
        for row in chat.platform.arrived:
            chat._seen[(row.to.chat, row.to.private)] = len(chat.platform.arrived)


def test_the_answers_of_whoever_talks_too_much_wait_too(tmp_path: Path) -> None:
    with Scenario(tmp_path) as chat:
        for number in range(int(PERSON.burst) + 4):
            chat.shout("丁丁", PRIVATE, f"/核验 10{number:02d}")
        chat.settle()
        lanes = chat.rows(Notice.lane)
        assert lanes == [Lane.REPLY] * int(PERSON.burst) + [Lane.OFFICER] * 4
        chat.skip("丁丁")


@pytest.mark.one_cell
async def test_control_without_weighing_reports_wait_behind_the_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.lanes.LATE_SHARE", 10**9)

    class First(Flood):
        """The planted bug: the flood goes first."""

        def weigh(self, event: Inbound, now: datetime) -> Weight:
            return Weight.LATE if super().weigh(event, now) is Weight.PROMPT else Weight.PROMPT

    with pytest.raises(AssertionError):
        await flooded(First())
