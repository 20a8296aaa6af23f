"""Days and hours as people name them, for whoever reads a time out of words."""

from __future__ import annotations

from datetime import date, timedelta

NUMBERS = {word: number for number, word in enumerate("一二三四五六七八九十", 1)} | {"两": 2, "十一": 11, "十二": 12}
DAYS = {"今天": 0, "今晚": 0, "明天": 1, "明早": 1, "明晚": 1, "后天": 2, "大后天": 3}  # from today on
EVENINGS = ("今晚", "明晚")  # days that say the part of the day, too
AFTERNOON = ("下午", "傍晚", "晚上")


def weekday_from(today: date, name: str, *, following: bool) -> date:
    """The next day of this name (一 to 日 or 天), today included; with `following` (下周) that of the week after this one."""
    ahead = "一二三四五六日".index(name.replace("天", "日")) - today.weekday()
    return today + timedelta(days=ahead + 7 if following else ahead % 7)


def date_from(today: date, year: str | None, month: str, day: str) -> date:
    """That day; without a year the next one to come. Raises ValueError when there is no such day."""
    found = date(int(year or today.year), int(month), int(day))
    return found if year or found >= today else found.replace(year=today.year + 1)


def hour_of(hour: int, part: str | None, *, evening: bool) -> int:
    """The hour of 24: 3 in the afternoon is 15, 1 at noon is 13. `evening`: the day was named as one (明晚)."""
    later = part in AFTERNOON or (part == "中午" and hour < 3) or (evening and not part)
    return hour + 12 if hour < 12 and later else hour
