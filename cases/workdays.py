"""Working time: days that are worked in China, with holidays and make-up days, and the hours of a day.

The days come from the chinesecalendar package (the State Council's yearly notices) or from a yearly file of content, which wins.
For a year that neither knows only weekends are off; `ends` says when that begins, and the operator is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from chinese_calendar import is_workday
from chinese_calendar.constants import holidays as library_holidays

from content.workdays import YearDays

FARTHEST = 800  # days ahead; nothing of the desk is that long, so more is a mistake in the hours
SATURDAY = 5


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """When work is done: from `opens` to `closes`, in `zone`, on working days. `years` are the content's own."""

    zone: ZoneInfo
    opens: time = time(8, 30)
    closes: time = time(17, 30)
    years: Mapping[int, YearDays] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.opens >= self.closes:
            raise ValueError(f"working hours end ({self.closes}) before they begin ({self.opens})")

    @property
    def day(self) -> timedelta:
        """Working time of one day."""
        return datetime.combine(date.min, self.closes) - datetime.combine(date.min, self.opens)

    def known(self, year: int) -> bool:
        """Whether the holidays of that year are known."""
        return year in self.years or year in _LIBRARY_YEARS

    @property
    def ends(self) -> date:
        """The last day whose holidays are known, counted on from the library's years without a gap."""
        year = max(_LIBRARY_YEARS)
        while year + 1 in self.years:
            year += 1
        return date(year, 12, 31)

    def works(self, day: date) -> bool:
        """Whether that day is worked; in a year that is not known: Monday to Friday."""
        own = self.years.get(day.year)
        if own is not None:
            return day in own.make_up or (day.weekday() < SATURDAY and day not in own.holidays)
        if day.year in _LIBRARY_YEARS:
            return bool(is_workday(day))
        return day.weekday() < SATURDAY

    def after(self, start: datetime, work: timedelta) -> datetime:
        """The UTC time at which `work` of working time has passed since `start`."""
        left, day = work, start.astimezone(self.zone).date()
        for _ in range(FARTHEST):
            if self.works(day):
                opens, closes = self._hours(day)
                begins = max(start, opens)
                if begins < closes:
                    if left <= closes - begins:
                        return begins + left
                    left -= closes - begins
            day += timedelta(days=1)
        raise ValueError(f"{work} of working time is too far ahead")

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Working time from `start` to `end`; none when it is not after it."""
        total, day, last = timedelta(0), start.astimezone(self.zone).date(), end.astimezone(self.zone).date()
        while day <= last:
            if self.works(day):
                opens, closes = self._hours(day)
                total += max(timedelta(0), min(end, closes) - max(start, opens))
            day += timedelta(days=1)
        return total

    def not_before_work(self, at: datetime) -> datetime:
        """`at`, or the end of the next working day when that day is not worked: what ends on a Sunday may end on Monday."""
        day = at.astimezone(self.zone).date()
        if self.works(day):
            return at
        while not self.works(day):
            day += timedelta(days=1)
        return self._hours(day)[1]

    def _hours(self, day: date) -> tuple[datetime, datetime]:
        opens = datetime.combine(day, self.opens, self.zone)
        return opens.astimezone(UTC), datetime.combine(day, self.closes, self.zone).astimezone(UTC)


_LIBRARY_YEARS = frozenset({day.year for day in library_holidays})
