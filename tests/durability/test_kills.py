"""`kill -9` at every named failpoint loses nothing that was acknowledged and repeats nothing but ambiguous sends."""

from __future__ import annotations

import os
import random

import pytest

from storage.failpoints import NAMES
from tests.durability.conftest import Story

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
    # a send that the second kill met halfway waits for an officer, who may have it sent again
    assert GROUPS - verdict.ambiguous <= verdict.sent <= GROUPS
    assert verdict.repeated <= verdict.ambiguous


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
