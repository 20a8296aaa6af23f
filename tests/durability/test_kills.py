"""`kill -9` at every named failpoint loses nothing that was acknowledged and repeats nothing but ambiguous sends."""

from __future__ import annotations

import os
import random

import pytest

from bot.messages import Address, Outbound
from storage.failpoints import NAMES
from tests.durability import street
from tests.durability.checker import Verdict, judge_marks
from tests.durability.conftest import Story
from tests.durability.life import START, history_of
from tests.kit.fake_platform import Arrival, FakePlatform

# more rounds of random kills, for a nightly run: QIANSHAO_KILL_ROUNDS=300 pytest tests/durability
ROUNDS = int(os.environ.get("QIANSHAO_KILL_ROUNDS", "3"))
PASSAGES = (1, 3)
IN_LOTS = frozenset(name for name in NAMES if name.startswith("lot."))
SCHEDULED = frozenset(name for name in NAMES if name.startswith("schedule."))


def kill_at(story: Story, name: str, plant: str = "") -> None:
    """Kill at the first passage, then at the second after the next start, and so on; then let it live."""
    for passage in PASSAGES:
        if not story.live(f"{name}:{passage}", plant):
            return
    story.live(plant=plant)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", sorted(NAMES - IN_LOTS))
def test_killed_at(name: str, story: Story) -> None:
    kill_at(story, name)
    verdict = story.judge()
    assert not verdict.faults
    assert story.deaths.kills, f"{name} was never passed"
    assert verdict.acknowledged >= 20
    assert verdict.repeated <= verdict.ambiguous


# of "lot.taken" the first passage is the first groups', the second the lot that is made when the campaign is let go
LATER_LOT = "lot.taken:3"
GROUPS = 8  # of the sample district, which get posts


@pytest.mark.timeout(600)
def test_killed_in_a_later_lot(story: Story) -> None:
    """Between taking it and writing its notices, then after its commit and before anybody is told of it."""
    story.lot = 1
    assert story.live(LATER_LOT), "there was no later lot"
    assert story.live("lot.committed"), "the lot was not made after all"
    story.live()
    verdict = story.judge()
    assert not verdict.faults
    # what a kill met in the hands of the bot, begun or not, waits for an officer, who may have it sent again
    assert verdict.reached + verdict.undecided == GROUPS
    assert verdict.repeated <= verdict.ambiguous


@pytest.mark.timeout(600)
def test_killed_with_posts_in_hand(story: Story) -> None:
    """None of them had begun, which nobody can know afterwards: they wait for an officer, and the other groups get theirs."""
    story.lot = 1
    assert story.live("outbox.claimed")
    in_hand = len(story.deaths.claimed)
    story.live()
    verdict = story.judge()
    assert not verdict.faults
    assert (verdict.reached, verdict.undecided) == (GROUPS - in_hand, in_hand)
    assert verdict.repeated == verdict.ambiguous == 0


def test_what_is_read_twice_has_to_say_so() -> None:
    """The same words that are put into the same message twice are read once."""
    said, again = (Outbound(key="a", text=text) for text in ("已受理", "（重发）已受理"))
    platform = FakePlatform()
    chat = Address("web", "main", "g")
    for what, message in ((said, "m1"), (said, "m1"), (again, "m2")):
        platform.arrived.append(Arrival(chat, what, message, START))
    verdict = Verdict()
    judge_marks(platform, verdict)
    assert not verdict.faults
    platform.arrived.append(Arrival(chat, said, "m3", START))
    judge_marks(platform, verdict)
    assert verdict.faults == ["duplicated: a arrived again and does not say so"]


@pytest.mark.timeout(600)
def test_a_lot_that_is_taken_without_its_notices_is_found(story: Story) -> None:
    story.lot = 1
    assert story.live("lot.committed", "lot taken apart")
    story.live(plant="lot taken apart")
    faults = story.judge().faults
    assert any("was taken and has no notice" in fault for fault in faults), faults


@pytest.mark.timeout(600)
@pytest.mark.postgres
@pytest.mark.parametrize(
    "name", ["inbox.before_commit", "inbox.committed", "work.before_commit", "work.committed", "outbox.sent"]
)
def test_killed_at_on_postgresql(name: str, postgres_story: Story) -> None:
    kill_at(postgres_story, name)
    verdict = postgres_story.judge()
    assert not verdict.faults
    assert postgres_story.deaths.kills


@pytest.mark.timeout(0)
def test_killed_at_random(story: Story) -> None:
    chance = random.Random(os.environ.get("QIANSHAO_KILL_SEED", "20261123"))
    for _ in range(ROUNDS):
        story.live(kill_after=chance.uniform(0.05, 1.2))
    story.live()
    assert not story.judge().faults


@pytest.mark.timeout(600)
def test_killed_while_people_begin_to_talk(story: Story) -> None:
    """Not the bot is cut short but the story, in the middle of a line: who has not spoken yet does so in the next life."""
    platform = FakePlatform(street.PLATFORM, street.PLATFORM, path=history_of(story.folder))
    for line in street.OPENING[:3]:
        street.say(platform, line, line.text)
    with history_of(story.folder).open("a", encoding="utf-8") as history:
        history.write('{"what": "event", "event": {"event_id": "report-2"')
    story.live()
    verdict = story.judge()
    assert not verdict.faults
    assert verdict.acknowledged == len(street.LINES)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("plant", "name", "fault"),
    [
        ("confirm before commit", "inbox.before_commit", "lost"),
        ("done apart", "work.committed", ""),
        ("claim forgotten", "outbox.sent", "lost"),
        ("repeated blindly", "outbox.receipt", "duplicated"),
    ],
)
def test_a_planted_bug_is_found(plant: str, name: str, fault: str, story: Story) -> None:
    kill_at(story, name, plant)
    faults = story.judge().faults
    assert any(found.startswith(fault) for found in faults), faults
