"""Times, durations and accounts in an editor's words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.campaigns.wording import read_wording
from content.refusal import Refusal
from tests.posting import MONDAY_TEN, SHANGHAI

KNOWN = frozenset({"web:web", "telegram:one", "telegram:two"})


@pytest.mark.parametrize(
    ("text", "rest", "at"),
    [
        ("综合 明天9:00", "综合", "11-24 09:00"),
        ("综合 明天 9:00", "综合", "11-24 09:00"),
        ("明天上午9点 综合", "综合", "11-24 09:00"),
        ("综合 明天9点半发", "综合", "11-24 09:30"),
        ("综合 今天下午3点", "综合", "11-23 15:00"),
        ("综合 今晚8点", "综合", "11-23 20:00"),
        ("综合 15:30", "综合", "11-23 15:30"),
        ("综合 8:00", "综合", "11-24 08:00"),
        ("综合 11月25日 10:30", "综合", "11-25 10:30"),
        ("综合 2026-12-01 9:00", "综合", "12-01 09:00"),
        ("综合 周三 9点", "综合", "11-25 09:00"),
        ("综合 下周一9点", "综合", "11-30 09:00"),
        ("综合 周一 11:00", "综合", "11-23 11:00"),
        ("综合 周一 9:00", "综合", "11-30 09:00"),
        ("综合 明天９：００", "综合", "11-24 09:00"),
        ("综合 10分钟后", "综合", "11-23 10:10"),
        ("半小时以后发 综合", "综合", "11-23 10:30"),
        ("综合 两天后", "综合", "11-25 10:00"),
        ("综合 与 港新1号网格", "综合 与 港新1号网格", None),
    ],
)
def test_when(text: str, rest: str, at: str | None) -> None:
    said = read_wording(text, MONDAY_TEN, SHANGHAI, KNOWN)
    found = f"{said.starts_at.astimezone(SHANGHAI):%m-%d %H:%M}" if said.starts_at else None
    assert (said.rest, found) == (rest, at)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("综合 历时2小时", 120),
        ("综合 2小时内发完", 120),
        ("综合 两个小时", 120),
        ("综合 半小时", 30),
        ("综合 用时90分钟", 90),
        ("综合", 0),
    ],
)
def test_over_how_long(text: str, minutes: int) -> None:
    said = read_wording(text, MONDAY_TEN, SHANGHAI, KNOWN)
    assert (said.rest, said.over) == ("综合", timedelta(minutes=minutes))


def test_accounts_by_name_or_platform() -> None:
    said = read_wording("综合 账号 telegram 明天9:00 历时1小时", MONDAY_TEN, SHANGHAI, KNOWN)
    assert said.accounts == ("telegram:one", "telegram:two")
    assert (said.rest, said.over) == ("综合", timedelta(hours=1))
    assert read_wording("综合 账号:web:web", MONDAY_TEN, SHANGHAI, KNOWN).accounts == ("web:web",)


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("综合 今天9:00", "posts.time_past"),
        ("综合 2026-11-01 9:00", "posts.time_past"),
        ("综合 明天25:00", "posts.no_time"),
        ("综合 2月30日 9:00", "posts.no_time"),
        ("综合 2027-06-01 9:00", "posts.too_far"),
        ("综合 历时9天", "posts.too_long"),
        ("综合 账号 qq", "posts.unknown_account"),
    ],
)
def test_what_cannot_be_is_told(text: str, phrase: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_wording(text, MONDAY_TEN, SHANGHAI, KNOWN)
    assert caught.value.phrase == phrase


def test_a_month_of_next_year() -> None:
    said = read_wording("综合 1月5日 9:00", MONDAY_TEN, SHANGHAI, KNOWN)
    assert said.starts_at == datetime(2027, 1, 5, 1, 0, tzinfo=UTC)
