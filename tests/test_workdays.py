"""Working time: weekends, holidays, make-up days, and the year in which the known holidays end."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases.workdays import WorkCalendar
from content.workdays import WorkdaysError, YearDays, load_years

ZONE = ZoneInfo("Asia/Shanghai")
CALENDAR = WorkCalendar(ZONE, time(8, 30), time(17, 30))
HOUR = timedelta(hours=1)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2026-11-23", True),  # a Monday
        ("2026-11-28", False),  # a Saturday
        ("2026-10-01", False),  # National Day, a Thursday
        ("2026-10-10", True),  # a Saturday that is worked for it
        ("2026-02-14", True),  # a Saturday worked for Spring Festival
        ("2026-02-17", False),  # Spring Festival
    ],
)
def test_holidays_and_make_up_days_of_the_state_council(day: str, works: bool) -> None:
    assert CALENDAR.works(date.fromisoformat(day)) is works


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-11-23 10:00", 4, "2026-11-23 14:00"),
        ("2026-11-23 16:00", 4, "2026-11-24 11:00"),  # over the night
        ("2026-11-27 16:00", 4, "2026-11-30 11:00"),  # over a weekend
        ("2026-11-28 12:00", 4, "2026-11-30 12:30"),  # begins on a Saturday
        ("2026-11-23 22:00", 1, "2026-11-24 09:30"),  # begins at night
        ("2026-11-23 06:00", 1, "2026-11-23 09:30"),  # begins before work
        ("2026-09-30 16:30", 2, "2026-10-08 09:30"),  # over seven days of holidays
        ("2026-10-09 16:30", 2, "2026-10-10 09:30"),  # into a Saturday that is worked
        ("2026-10-10 16:30", 2, "2026-10-12 09:30"),  # and out of it
        ("2026-11-23 16:30", 1, "2026-11-23 17:30"),  # ends with the day, not with the next one's beginning
    ],
)
def test_working_time_from_a_minute_on(start: str, hours: int, end: str) -> None:
    due = CALENDAR.after(local(start), hours * HOUR)
    assert due == local(end)
    assert CALENDAR.between(local(start), due) == hours * HOUR


@settings(max_examples=200, deadline=None)
@given(
    st.datetimes(local("2026-01-01").replace(tzinfo=None), local("2027-06-01").replace(tzinfo=None)),
    st.integers(0, 60 * 60),
    st.integers(0, 60 * 60),
)
def test_two_spans_are_one_and_time_only_goes_on(start: datetime, first: int, second: int) -> None:
    begins = start.replace(tzinfo=UTC)
    one, two = timedelta(minutes=first), timedelta(minutes=second)
    middle = CALENDAR.after(begins, one)
    whole = CALENDAR.after(begins, one + two)
    assert CALENDAR.between(begins, middle) == one
    assert CALENDAR.between(begins, whole) == one + two
    assert CALENDAR.between(middle, whole) == two
    assert begins <= middle <= whole


def test_beyond_the_end_only_weekends_are_off_and_the_end_is_known() -> None:
    assert CALENDAR.ends == date(2026, 12, 31)
    assert not CALENDAR.known(2027)
    assert CALENDAR.works(date(2027, 1, 1))  # a Friday: that it is a holiday nobody has told us
    assert not CALENDAR.works(date(2027, 1, 2))


def test_a_yearly_file_is_used_and_moves_the_end(tmp_path: Path) -> None:
    (tmp_path / "2027.toml").write_text(
        'source = "made up for this test"\nchecked_on = 2026-11-20\n'
        'holidays = ["2027-01-01/2027-01-03", "2027-02-08"]\nmake_up = ["2027-01-09"]\n',
        encoding="utf-8",
    )
    calendar = WorkCalendar(ZONE, years=load_years(tmp_path))
    assert calendar.ends == date(2027, 12, 31)
    assert [calendar.works(date(2027, 1, day)) for day in (1, 3, 4, 9, 10)] == [False, False, True, True, False]
    assert not calendar.works(date(2027, 2, 8))
    assert calendar.works(date(2026, 11, 23))


def test_a_file_of_a_year_after_a_gap_does_not_move_the_end() -> None:
    assert WorkCalendar(ZONE, years={2028: YearDays(frozenset(), frozenset())}).ends == date(2026, 12, 31)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("next.toml", "", "name it after its year"),
        ("2027.toml", 'source = "x"\nchecked_on = 2026-11-20\nholidays = ["2026-01-01"]\n', "is not in 2027"),
        ("2027.toml", 'source = "x"\nchecked_on = 2026-11-20\nholidays = ["1.1."]\n', "write a day as"),
        ("2027.toml", 'source = "x"\nchecked_on = 2026-11-20\nholidays = ["2027-01-03/2027-01-01"]\n', "ends before it begins"),
        ("2027.toml", "holidays = []\n", "the key source is missing"),
    ],
)
def test_a_wrong_file_is_told_with_its_mend(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(WorkdaysError, match=told):
        load_years(tmp_path)


def test_hours_that_end_before_they_begin_are_refused() -> None:
    with pytest.raises(ValueError, match="before they begin"):
        WorkCalendar(ZONE, time(18), time(9))


def test_control_counting_by_the_clock_would_be_noticed() -> None:
    friday = local("2026-11-27 16:00")
    assert CALENDAR.after(friday, 4 * HOUR) != friday + 4 * HOUR
