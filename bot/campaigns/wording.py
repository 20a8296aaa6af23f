"""When, over how long and by which accounts, in words: "明天9:00", "11月25日下午3点", "历时2小时", "账号 telegram"."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from content.dates import DAYS, EVENINGS, NUMBERS, date_from, hour_of, weekday_from
from content.refusal import Refusal

LONGEST = timedelta(days=7)
FARTHEST = timedelta(days=90)
_WHEN = re.compile(
    r"(?:^|(?<=\s))(?P<day>大后天|今天|今晚|明天|明早|明晚|后天|(?:(?P<year>\d{4})[-年/])?(?P<month>\d{1,2})[-月/](?P<date>\d{1,2})日?"
    r"|(?P<next>下)?(?:周|星期)(?P<weekday>[一二三四五六日天]))?\s*(?P<half>早上|上午|中午|下午|傍晚|晚上)?\s*"
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2})|点(?P<spoken>半|\d{1,2}分?)?)(?=\s|$|发)发?"
)
_OVER = re.compile(
    r"(?:^|(?<=\s))(?:历时|用时|分|用|在)?\s*(?P<number>半|\d+(?:\.\d)?|[一两二三四五六七八九十])\s*个?(?P<unit>小时|分钟|天)(?:内|里)?(?:发完)?(?=\s|$)"
)
_LATER = re.compile(
    r"(?:^|(?<=\s))(?:过|再过)?(?P<number>半|\d+(?:\.\d)?|[一两二三四五六七八九十])\s*个?(?P<unit>小时|分钟|天)(?:以|之|过)?后(?=\s|$|发)发?"
)
# what looks like a time and was not understood is no label either
_LIKE_A_TIME = re.compile(r"\S*(?:\d{1,2}:\d{1,2}|\d点|\d{1,2}月\d|昨天|前天|明年|去年|后年|下个?月|月底)\S*")
_ACCOUNTS = re.compile(r"(?:^|(?<=\s))账号\s*[::= ]?\s*(?P<names>[\w.@:-]+(?:\s*[,、]\s*[\w.@:-]+)*)")


@dataclass(frozen=True, slots=True)
class Wording:
    """What was said besides the groups. `rest` is what is left."""

    rest: str
    starts_at: datetime | None = None
    over: timedelta = timedelta(0)
    accounts: tuple[str, ...] = ()


def read_wording(text: str, now: datetime, zone: ZoneInfo, known: frozenset[str]) -> Wording:
    """Take times and accounts out of an editor's words. `known` are our accounts, "platform:account".

    Raises Refusal for a time that is over, is no time, or lies too far ahead, and for an unknown account.
    """
    text = unicodedata.normalize("NFKC", text)
    starts_at, over = None, timedelta(0)
    accounts: tuple[str, ...] = ()
    if found := _ACCOUNTS.search(text):
        accounts = tuple(account for name in re.split(r"\s*[,、]\s*", found["names"]) for account in _account(name, known))
        text = text[: found.start()] + " " + text[found.end() :]
    if found := _WHEN.search(text):
        starts_at = _when(found, now, zone)
        text = text[: found.start()] + " " + text[found.end() :]
    elif found := _LATER.search(text):
        starts_at = now + _span(found)
        if starts_at - now > FARTHEST:
            raise Refusal("posts.too_far")
        text = text[: found.start()] + " " + text[found.end() :]
    if found := _OVER.search(text):
        over = _span(found)
        if over > LONGEST:
            raise Refusal("posts.too_long")
        if not over:
            raise Refusal("posts.too_short")
        text = text[: found.start()] + " " + text[found.end() :]
    if left := _LIKE_A_TIME.search(text):
        raise Refusal("posts.no_time", text=left[0])
    return Wording(" ".join(text.split()), starts_at, over, accounts)


def _span(found: re.Match[str]) -> timedelta:
    amount = 0.5 if found["number"] == "半" else NUMBERS.get(found["number"]) or float(found["number"])
    return timedelta(minutes=amount * {"分钟": 1, "小时": 60, "天": 1440}[found["unit"]])


def _account(name: str, known: frozenset[str]) -> tuple[str, ...]:
    """One account by its whole name, or all accounts of a platform."""
    found = tuple(sorted(account for account in known if name in (account, account.partition(":")[0])))
    if not found:
        raise Refusal("posts.unknown_account", name=name, known="、".join(sorted(known)))
    return found


def _when(found: re.Match[str], now: datetime, zone: ZoneInfo) -> datetime:
    there = now.astimezone(zone)
    hour = hour_of(int(found["hour"]), found["half"], evening=found["day"] in EVENINGS)
    spoken = found["spoken"] or ""
    minute = 30 if spoken == "半" else int(found["minute"] or spoken.rstrip("分") or 0)
    try:
        clock = time(hour, minute)
        day = _day(found, there, clock)
        at = datetime.combine(day, clock, zone)
    except ValueError:
        raise Refusal("posts.no_time", text=found[0].strip()) from None
    if at <= there:
        raise Refusal("posts.time_past", text=found[0].strip())
    if at - there > FARTHEST:
        raise Refusal("posts.too_far")
    return at.astimezone(now.tzinfo)


def _day(found: re.Match[str], there: datetime, clock: time) -> date:
    today = there.date()
    if found["day"] is None:
        return today if datetime.combine(today, clock, there.tzinfo) > there else today + timedelta(days=1)
    if found["day"] in DAYS:
        return today + timedelta(days=DAYS[found["day"]])
    if found["weekday"]:
        following = found["next"] is not None
        day = weekday_from(today, found["weekday"], following=following)
        over = day == today and not following and datetime.combine(day, clock, there.tzinfo) <= there
        return day + timedelta(days=7) if over else day
    return date_from(today, found["year"], found["month"], found["date"])
