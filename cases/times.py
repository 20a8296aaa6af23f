"""Times as people type them: "12月1日19:00", "明天下午3点半", "周六上午9点"."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from content.dates import DAYS, EVENINGS, NUMBERS, date_from, hour_of, weekday_from

_HOUR = r"\d{1,2}|十[一二]?|[一二两三四五六七八九]"
_DAY = re.compile(
    r"(?:(?P<year>20\d\d)[年/-])?(?P<month>\d{1,2})[月/-](?P<day>\d{1,2})[日号]?|(?P<word>大后天|今天|今晚|明天|明晚|后天)"
    r"|(?P<next>下)?(?:本|这)?(?:个)?(?:周|星期|礼拜)(?P<week>[一二三四五六日天])"
)
_TIME = re.compile(
    rf"(?P<part>凌晨|早上|上午|中午|下午|傍晚|晚上|夜里)?\s*(?P<hour>{_HOUR})(?:[:](?P<minute>[0-5]\d)|点(?:(?P<half>半)|(?P<spoken>[0-5]?\d)分?)?)"
)
_LASTS = re.compile(r"(\d+(?:\.\d)?|[一二两三四五六])个?(?:小时|钟头)(半)?")


@dataclass(frozen=True, slots=True)
class Found:
    """A time (UTC) and the text without it."""

    at: datetime
    rest: str


def when_in(text: str, now: datetime, zone: ZoneInfo) -> Found | None:
    """The first day with a time of day in a text; None when either is missing or there is no such day.

    A day without a year is the next one to come; a weekday is the next of its name, with 下 that of the week after this one.
    """
    plain = unicodedata.normalize("NFKC", text)
    day = _DAY.search(plain)
    if day is None:
        return None
    clock = _TIME.search(plain, day.end())
    if clock is None:
        return None
    on = _date(day, now.astimezone(zone).date())
    hours = _time(clock, evening=day["word"] in EVENINGS)
    if on is None or hours is None:
        return None
    rest = plain[: day.start()] + plain[day.end() : clock.start()] + plain[clock.end() :]
    return Found(datetime.combine(on, hours, zone).astimezone(UTC), rest.strip(" ,，。;；"))


def hours_in(text: str) -> tuple[float, str] | None:
    """ "2小时" or "一个半小时": how many hours, and the text without it."""
    plain = unicodedata.normalize("NFKC", text).replace("个半小时", "小时半")
    found = _LASTS.search(plain)
    if found is None:
        return None
    hours = float(NUMBERS.get(found[1], 0) or found[1]) + (0.5 if found[2] else 0.0)
    return hours, (plain[: found.start()] + plain[found.end() :]).strip(" ,，。;；")


def _date(found: re.Match[str], today: date) -> date | None:
    if found["word"]:
        return today + timedelta(days=DAYS[found["word"]])
    if found["week"]:
        return weekday_from(today, found["week"], following=found["next"] is not None)
    try:
        return date_from(today, found["year"], found["month"], found["day"])
    except ValueError:
        return None


def _time(found: re.Match[str], *, evening: bool) -> time | None:
    hour = hour_of(NUMBERS.get(found["hour"], 0) or int(found["hour"]), found["part"], evening=evening)
    minute = 30 if found["half"] else int(found["minute"] or found["spoken"] or 0)
    return time(hour, minute) if hour < 24 else None
