"""The clocks of a case: warned on the way, missed once, standing still while somebody else has to act."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session, select

from cases.clocks import TIMER
from cases.desk import CaseDesk
from content.desk import DeskError, DeskRules, Length, parse_length
from storage.tables import Case, CaseClock, CaseEntry, Officer
from tests.kit.desks import NOW, ZONE, Alarmclock, desk_of, memory, officers, open_case, rules

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def session() -> Iterator[Session]:
    with memory() as opened:
        yield opened


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


class Day:
    """One officer's desk on a clock that the test moves; what strikes is collected the way the bot's timer would do it."""

    def __init__(self, session: Session, start: datetime = NOW) -> None:
        self.session = session
        self.now = start
        self.waker = Alarmclock()
        self.me: Officer
        self.me, self.other, self.unit, _ = officers(session)

    @property
    def desk(self) -> CaseDesk:
        return desk_of(self.session, self.me, self.now, self.waker)

    def until(self, end: datetime, case: Case) -> list[tuple[str, int, datetime]]:
        """Move on to `end`; every mark on the way with its time."""
        told = []
        while (wait := self.waker.set.get((TIMER, str(case.id)))) is not None and self.now + wait <= end:
            self.now += wait
            self.waker.set.pop((TIMER, str(case.id)))
            told += [(strike.clock, strike.mark, self.now) for strike in self.desk.strike(case)]
        self.waker.set = {key: self.now + wait - end for key, wait in self.waker.set.items()}
        self.now = end
        return told

    def due(self, case: Case, name: str = "resolve") -> datetime | None:
        return self.desk.clocks.due(case, name)


@pytest.mark.parametrize(
    ("tier", "kind", "take", "first", "resolve"),
    [  # reported on Friday, 27 November 2026, at 16:00
        ("T1", "hazard", "2026-11-27 16:10", "2026-11-27 18:00", "2026-11-28 16:00"),
        ("T1", "missing", "2026-11-27 16:10", "2026-11-27 16:20", "2026-11-28 16:00"),
        ("T2", "hazard", "2026-11-27 17:00", "2026-11-28 16:00", "2026-12-02 16:00"),
        ("T3", "hazard", "2026-11-30 11:00", "2026-11-30 16:00", "2026-12-04 16:00"),
        ("T4", "hazard", "2026-11-30 16:00", "2026-12-01 16:00", "2026-12-14 17:30"),  # the fifteenth day is a Saturday
        ("TQ", "question", None, None, "2026-11-30 16:00"),
    ],
)
def test_what_is_promised_by_tier(session: Session, tier: str, kind: str, take: str, first: str, resolve: str) -> None:
    day = Day(session, local("2026-11-27 16:00"))
    case = open_case(day.desk, tier=tier, kind=kind)
    for name, wanted in (("take", take), ("first_reply", first), ("resolve", resolve)):
        assert day.due(case, name) == (local(wanted) if wanted else None), name


def test_warned_at_half_at_four_fifths_a_quarter_before_and_missed_once(session: Session) -> None:
    day = Day(session)
    case = open_case(day.desk, tier="T1")
    told = [mark for mark in day.until(NOW + 3 * HOUR, case) if mark[0] == "first_reply"]
    assert [(mark, at - NOW) for _, mark, at in told] == [
        (50, 60 * MINUTE), (80, 96 * MINUTE), (95, 105 * MINUTE), (100, 120 * MINUTE), (200, 180 * MINUTE)
    ]  # fmt: skip
    misses = session.exec(select(CaseEntry.text).where(CaseEntry.kind == "miss", CaseEntry.case_id == case.id)).all()
    assert sorted(misses) == ["first_reply", "take"]


def test_a_short_clock_has_no_quarter_of_an_hour(session: Session) -> None:
    day = Day(session)
    case = open_case(day.desk, tier="T1")
    assert [mark for name, mark, _ in day.until(NOW + HOUR, case) if name == "take"] == [50, 80, 100, 200]


def test_after_a_downtime_only_the_latest_mark_is_told(session: Session) -> None:
    day = Day(session)
    case = open_case(day.desk, tier="T1")
    day.now += 119 * MINUTE
    assert [(s.clock, s.mark) for s in day.desk.strike(case)] == [("take", 100), ("first_reply", 95)]
    assert [(s.clock, s.mark) for s in day.desk.strike(case)] == [("take", 200)]
    assert day.desk.strike(case) == []


def test_taking_stops_the_take_clock_and_talking_starts_the_next_reply(session: Session) -> None:
    day = Day(session)
    case = open_case(day.desk, tier="T1")
    day.until(NOW + 3 * MINUTE, case)
    day.desk.take(case)
    assert day.due(case, "take") is None
    day.desk.contact(case, "打过电话了")
    assert day.due(case, "first_reply") is None
    assert day.due(case, "next_reply") == day.now + 4 * HOUR
    day.now += HOUR
    day.desk.note(case, "师傅在路上", "message")
    assert day.due(case, "next_reply") == day.now + 4 * HOUR


def test_a_question_to_the_reporter_stops_time_for_working_clocks_over_a_weekend(session: Session) -> None:
    day = Day(session, local("2026-11-27 09:30"))  # a Friday
    case = open_case(day.desk, tier="T3")
    day.desk.take(case)
    assert day.due(case) == local("2026-12-04 09:30")
    day.now = local("2026-11-27 16:30")  # seven working hours later
    day.desk.request(case, "哪一盏灯？")
    assert day.due(case) is None
    assert day.until(local("2026-11-30 10:00"), case) == []
    day.desk.add(case, "门口那盏", (), "reporter")
    assert day.due(case) == local("2026-12-04 12:00")  # what was left, from Monday at ten on


def test_the_pause_of_a_clock_that_runs_day_and_night_is_wall_time(session: Session) -> None:
    day = Day(session)
    case = open_case(day.desk, tier="T1")
    day.desk.take(case)
    day.now += 4 * HOUR
    day.desk.request(case, "哪一盏灯？")
    day.now += 48 * HOUR
    day.desk.go_on(case)
    assert day.due(case) == day.now + 20 * HOUR


def test_an_extension_stops_time_and_is_given_once(session: Session) -> None:
    day = Day(session)
    case = open_case(day.desk, tier="T2")
    day.desk.take(case)
    before = day.due(case)
    day.desk.ask_hold(case, 3, "等配件")
    assert day.due(case) == before  # asking alone stops nothing
    assert day.desk.hold(case) == 3
    assert day.due(case) is None
    day.now += timedelta(days=7)
    day.desk.hold_over(case)
    assert before is not None
    assert day.due(case) == before + timedelta(days=7)


def test_after_coming_back_everything_is_promised_anew_and_old_misses_stay(session: Session) -> None:
    day = Day(session)
    case = open_case(day.desk, tier="T1")
    day.until(NOW + 30 * MINUTE, case)
    day.desk.take(case)
    day.desk.resolve(case, "换了灯泡")
    assert day.desk.clocks.running(case) == []
    day.desk.call_back(case)
    day.now += timedelta(days=2)
    day.desk.deny(case, "又不亮了")
    assert day.due(case) == day.now + 24 * HOUR
    rows = session.exec(select(CaseClock).where(CaseClock.case_id == case.id, CaseClock.name == "take")).all()
    assert [(row.round, row.missed_at is not None) for row in rows] == [(1, True), (2, False)]


def test_a_merged_case_stands_still_and_starts_again_when_they_part(session: Session) -> None:
    day = Day(session)
    master = open_case(day.desk, sender="first")
    case = open_case(day.desk, sender="second")
    day.desk.merge(case, master)
    assert day.desk.clocks.running(case) == []
    assert (TIMER, str(case.id)) not in day.waker.set
    day.desk.unmerge(case)
    assert {clock.name for clock in day.desk.clocks.running(case)} == {"take", "first_reply", "resolve"}


def test_control_a_miss_that_is_told_twice_would_be_noticed(session: Session) -> None:
    day = Day(session)
    case = open_case(day.desk, tier="T1")
    day.until(NOW + HOUR, case)
    for clock in day.desk.clocks.running(case):
        clock.warned = 80  # what a forgetful clock would do
    again = [mark for _, mark, _ in day.until(NOW + 2 * HOUR, case)]
    assert 100 in again


# --- the file ---


@pytest.mark.parametrize(
    ("text", "length"), [("4wh", Length(4, "wh")), ("10min", Length(10, "min")), ("15 d", Length(15, "d")), ("", None)]
)
def test_lengths_are_read(text: str, length: Length | None) -> None:
    assert parse_length(text) == length


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('take = "4wh"', 'take = "4 hours"', "is no length"),
        ('needs_info = "48h"', 'needs_info = "2wd"', "write a number and min, h or d"),
        ("extensions = 1", "extension = 1", "unknown key"),
        ("join = 0.85", "join = 2", "join"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line(tmp_path: object, old: str, new: str, told: str) -> None:
    from pathlib import Path

    from bot.app import CONTENT

    file = Path(str(tmp_path)) / "desk.toml"
    file.write_text((CONTENT / "desk.toml").read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DeskError, match=rf"desk\.toml:\d+: .*{told}"):
        DeskRules.load(file)


def test_every_tier_of_the_taxonomy_that_becomes_a_case_has_clocks() -> None:
    assert set(rules().tiers) == {"T0", "T1", "T2", "T3", "T4", "TQ"}
