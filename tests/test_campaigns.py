"""Campaigns: who gets which post, and a reason in a row for whoever does not."""

from __future__ import annotations

import time as wall
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, col, func, select, update

from bot.campaigns import Plan, PostRules, Request, Skipped, finish_campaigns
from bot.campaigns.rules import LotSize
from bot.notices import Lane
from content.expressions import EVERY, any_of
from content.posts import PostLibrary
from content.refusal import Refusal
from storage.tables import Alarm, Campaign, Case, Group, Notice
from tests.posting import DAY, MONDAY_TEN, SHANGHAI, District, library, write_post

EVERYBODY = ("gx01", "gx02", "hotpot", "riders", "market", "school", "elders", "work")


@pytest.fixture
def district(tmp_path: Path) -> Iterator[District]:
    district = District(library(tmp_path, "law/a", "law/b", "law/c", "health/h"))
    yield district
    district.writer.close()


def send(
    district: District, what: str, *labels: str, no_repeat: timedelta = timedelta(0), late_for: datetime | None = None
) -> tuple[int, Plan]:
    def work(session: Session) -> tuple[int, Plan]:
        request = Request(what, any_of(labels), "officer:E501", no_repeat, late_for)
        campaign, plan = district.campaigns(session, district.clock()).send(request)
        return campaign.id or 0, plan

    return district.writer.run_now(work)


def refused(district: District, what: str, *labels: str) -> str:
    with pytest.raises(Refusal) as caught:
        send(district, what, *labels)
    assert district.writer.run_now(lambda session: session.exec(select(func.count()).select_from(Campaign)).one()) == 0
    return caught.value.phrase


def test_one_post_goes_to_every_group_with_its_names(district: District) -> None:
    campaign, plan = send(district, "law/a")
    assert (plan.sent, plan.reasons) == (8, {})
    assert district.outcomes(campaign) == dict.fromkeys(EVERYBODY, "law/a")
    notices = {notice.chat: notice for notice in district.notices()}
    assert set(notices) == set(EVERYBODY)
    assert notices["gx01"].text.startswith("【普法宣传】law/a 标题\n")
    assert notices["gx01"].text.endswith("law/a：找社区民警王建国，港新1号网格，港新派出所。")
    assert notices["hotpot"].text.endswith("找社区民警王建国，火锅街微网格，港新派出所。"), "the officer of the grid around it"
    assert notices["riders"].text.endswith("找社区民警，咱们片区，港新派出所。"), "a group without a grid"
    notice = notices["gx01"]
    assert (notice.key, notice.lane, notice.campaign_id) == (f"post:{campaign}:{notice.group_id}", Lane.CAMPAIGN, campaign)
    openings = Counter(notice.text.splitlines()[1] for notice in notices.values())
    assert len(openings) > 2, "not one identical text for all"


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        (("class:综合",), {"gx01", "gx02"}),
        (("class:综合", "industry:农贸"), {"gx01", "gx02", "market"}),
        (("board:商业街区",), {"hotpot", "riders", "market"}),
        (("grid:GX01",), {"gx01", "hotpot", "school"}),
        (("grid:GX0101",), {"hotpot"}),
        (("platform:web",), set(EVERYBODY)),
    ],
)
def test_labels_choose_the_groups(district: District, labels: tuple[str, ...], groups: set[str]) -> None:
    campaign, _ = send(district, "law/a", *labels)
    assert set(district.outcomes(campaign)) == groups


def test_the_labels_of_the_post_count_too(tmp_path: Path) -> None:
    write_post(tmp_path, "law/only-work", labels=["class:工作"])
    district = District(PostLibrary.load(tmp_path))
    campaign, _ = send(district, "law/only-work", "class:综合", "class:工作")
    assert district.outcomes(campaign) == {"gx01": "[nothing fits]", "gx02": "[nothing fits]", "work": "law/only-work"}
    district.writer.close()


def test_posts_rotate_and_none_comes_again_within_its_weeks(district: District) -> None:
    seen = []
    for _ in range(4):
        campaign, _ = send(district, "law", "class:综合", no_repeat=timedelta(weeks=8))
        seen.append(district.outcomes(campaign)["gx01"])
        district.clock.advance(7 * DAY)
    assert seen == ["law/a", "law/b", "law/c", "[had it lately]"]
    district.clock.advance(timedelta(weeks=8) - 28 * DAY)
    campaign, _ = send(district, "law", "class:综合", no_repeat=timedelta(weeks=8))
    assert district.outcomes(campaign)["gx01"] == "law/a", "exactly eight weeks later"


def test_a_group_that_had_the_post_by_hand_gets_the_next_one(district: District) -> None:
    send(district, "law/a", "grid:GX02")
    district.clock.advance(DAY)
    campaign, plan = send(district, "law", "class:综合", no_repeat=timedelta(weeks=8))
    assert district.outcomes(campaign) == {"gx01": "law/b", "gx02": "law/b"}
    send(district, "law/c", "grid:GX01")
    district.clock.advance(DAY)
    assert [post.slug for post in plan.posts] == ["law/b"]
    campaign, _ = send(district, "law", "class:综合", no_repeat=timedelta(weeks=8))
    assert district.outcomes(campaign) == {"gx01": "law/a", "gx02": "law/c"}


def test_caps_of_the_day_and_of_the_week(tmp_path: Path) -> None:
    posts = library(tmp_path, *(f"law/p{n}" for n in range(9)))
    district = District(posts, PostRules(SHANGHAI, weekly_cap=3, daily_cap=2))
    district.change_group("gx02", weekly_cap=1)
    seen: list[dict[str, str]] = []
    for n in range(6):
        campaign, _ = send(district, f"law/p{n}", "class:综合")
        seen.append(district.outcomes(campaign))
        if n >= 2:
            district.clock.advance(DAY)
    assert [outcome["gx01"] for outcome in seen] == ["law/p0", "law/p1", "[daily cap]", "law/p3", "[weekly cap]", "[weekly cap]"]
    assert [outcome["gx02"] for outcome in seen] == ["law/p0", *["[weekly cap]"] * 5]
    district.clock.advance(4 * DAY)
    campaign, _ = send(district, "law/p8", "class:综合")
    assert district.outcomes(campaign) == {"gx01": "law/p8", "gx02": "law/p8"}, "a week later the first ones no longer count"
    district.writer.close()


def test_a_group_that_wants_none_and_a_group_that_is_gone(district: District) -> None:
    district.change_group("gx01", posts_off=True)
    district.change_group("gx02", active=False)
    district.change_group("market", left_at=MONDAY_TEN)
    campaign, plan = send(district, "law/a", "class:综合", "industry:农贸")
    assert district.outcomes(campaign) == {"gx01": "[posts off]"}
    assert (plan.sent, plan.reasons) == (0, {Skipped.POSTS_OFF: 1})
    assert district.notices() == []
    assert district.writer.run_now(lambda session: session.get_one(Campaign, campaign).state) == "done"


def group_id(session: Session, chat: str) -> int:
    return session.exec(select(Group.id).where(Group.chat == chat)).one() or 0


def test_an_emergency_or_a_fresh_report_keeps_posts_away(district: District) -> None:
    now = district.clock()

    def work(session: Session) -> None:
        common = {"platform": "web", "account": "web", "private": False, "message_id": "m"}
        session.add(
            Alarm(
                danger="fire",
                group_id=group_id(session, "gx01"),
                chat="gx01",
                sender="x",
                started_at=now - timedelta(minutes=90),
                **common,
            )
        )
        session.add(
            Alarm(
                danger="gas",
                group_id=group_id(session, "gx02"),
                chat="gx02",
                sender="x",
                started_at=now - timedelta(minutes=5),
                safe_at=now,
                **common,
            )
        )
        for chat, minutes in (("market", 9), ("school", 11)):
            at = now - timedelta(minutes=minutes)
            what = {"kind": "hazard", "category": "x", "tier": "T3", "state": "submitted", "text": "x", "state_since": now}
            where = {"group_id": group_id(session, chat), "chat": chat}
            session.add(Case(number=f"2611-00{minutes:02}", created_at=at, **what, **where, **common))

    district.writer.run_now(work)
    campaign, _ = send(district, "law/a", "class:综合", "industry:农贸", "class:专属")
    assert district.outcomes(campaign) == {"gx01": "[emergency]", "gx02": "law/a", "market": "[just reported]", "school": "law/a"}


@pytest.mark.parametrize(
    ("clock", "quiet"), [((7, 29), True), ((7, 30), False), ((21, 29), False), ((21, 30), True), ((0, 0), True)]
)
def test_quiet_hours(district: District, clock: tuple[int, int], quiet: bool) -> None:
    there = datetime(2026, 11, 24, *clock, tzinfo=SHANGHAI)
    district.clock.advance(there - district.clock())
    campaign, _ = send(district, "law/a", "class:综合")
    assert set(district.outcomes(campaign).values()) == ({"[quiet hours]"} if quiet else {"law/a"})


def test_quiet_hours_within_one_day() -> None:
    rules = PostRules(SHANGHAI, quiet_from=time(12, 0), quiet_to=time(14, 0))
    asked = [datetime(2026, 11, 24, hour, tzinfo=SHANGHAI) for hour in (11, 12, 13, 14)]
    assert [rules.is_quiet(when) for when in asked] == [False, True, True, False]


def test_drafts_and_expired_posts_never_go_out(tmp_path: Path) -> None:
    write_post(tmp_path, "law/draft", status="draft")
    write_post(tmp_path, "law/old", expires="2026-11-23")
    write_post(tmp_path, "law/last-day", expires="2026-11-24")
    district = District(PostLibrary.load(tmp_path))
    assert refused(district, "law/draft") == "posts.draft"
    assert refused(district, "law/old") == "posts.expired"
    assert refused(district, "law/none") == "posts.unknown_post"
    assert refused(district, "health") == "posts.empty_category"
    assert refused(district, "law/last-day", "class:专项") == "posts.no_group"
    campaign, _ = send(district, "law", "class:综合")
    assert set(district.outcomes(campaign).values()) == {"law/last-day"}
    district.clock.advance(DAY)
    with pytest.raises(Refusal, match=r"posts\.empty_category"):
        send(district, "law", "class:综合")
    district.writer.close()


def test_a_late_post_says_so(district: District) -> None:
    send(district, "law/a", "grid:GX0101", late_for=MONDAY_TEN - timedelta(hours=1))
    send(district, "law/b", "grid:GX0101", late_for=MONDAY_TEN - timedelta(hours=14))
    texts = [notice.text.splitlines()[-1] for notice in district.notices()]
    assert texts == ["（这条本该09:00发，来晚了，请见谅。）", "（这条本该11月22日20:00发，来晚了，请见谅。）"]


def test_stopping_takes_back_what_is_not_out_yet(district: District) -> None:
    first, _ = send(district, "law/a", "class:综合")
    second, _ = send(district, "law/b")
    district.writer.run_now(
        lambda session: session.exec(update(Notice).where(col(Notice.chat).in_(["gx01", "gx02"])).values(state="sent"))
    )

    def stop(number: int | None) -> tuple[int, int, str]:
        def work(session: Session) -> tuple[int, int, str]:
            campaign, cancelled = district.campaigns(session, district.clock()).stop(number)
            return campaign.id or 0, cancelled, campaign.state

        return district.writer.run_now(work)

    assert stop(None) == (second, 6, "stopped")
    with pytest.raises(Refusal, match=r"posts\.already_over"):
        stop(second)
    with pytest.raises(Refusal, match=r"posts\.already_over"):
        stop(first)
    with pytest.raises(Refusal, match=r"posts\.no_campaign"):
        stop(99)
    assert district.writer.run_now(finish_campaigns) == 1
    with pytest.raises(Refusal, match=r"posts\.nothing_to_stop"):
        stop(None)
    states = Counter(notice.state for notice in district.notices())
    assert states == {"sent": 4, "cancelled": 6}


def test_words_of_an_editor(district: District) -> None:
    def work(session: Session) -> None:
        campaigns = district.campaigns(session, district.clock())
        assert [campaigns.resolve(words) for words in ("普法", "law", "law/a 标题", "h")] == ["law", "law", "law/a", "health/h"]
        assert str(campaigns.whom("综合 农贸 gx01 港新2号网格 board:校园周边")) == (
            "class:综合 or industry:农贸 or grid:GX01 or grid:GX02 or board:校园周边"
        )
        assert campaigns.whom("全部") == EVERY
        with pytest.raises(Refusal, match=r"posts\.unknown_label"):
            campaigns.whom("综和")

    district.writer.run_now(work)


def test_six_thousand_groups_are_planned_in_a_moment(tmp_path: Path) -> None:
    """Yiyang has 6,017 groups; a campaign to all of them must not hold up the writer, on which residents' reports wait."""
    district = District(library(tmp_path, "law/a"))
    many = [Group(platform="web", account="web", chat=f"c{n}", name=f"群{n}", class_label="综合", grid_id=1) for n in range(6017)]
    district.writer.run_now(lambda session: session.add_all(many))

    def work(session: Session) -> tuple[int, int, float]:
        started = wall.thread_time()
        campaigns = district.campaigns(session, district.clock())
        campaign, plan = campaigns.send(Request("law/a", any_of(["class:综合"])))
        seconds = wall.thread_time() - started
        return plan.sent, campaigns.progress(campaign).open, seconds

    sent, still, seconds = district.writer.run_now(work)
    assert (sent, still) == (6019, 6019)
    assert len(district.notices()) == LotSize().most, "the others are made while these are sent"
    assert seconds < 3.0, f"{seconds:.2f} s of computing on the writer"
    district.writer.close()


def test_what_waits_for_a_second_person_keeps_every_post_that_was_shown(tmp_path: Path) -> None:
    write_post(tmp_path, "police_notice/a", labels=["industry:餐饮"])
    write_post(tmp_path, "police_notice/b")
    district = District(PostLibrary.load(tmp_path))
    waiting = district.writer.run_now(
        lambda session: district.campaigns(session, MONDAY_TEN).send(Request("police_notice", origin="officer:E501"))[0].post
    )
    assert waiting == "police_notice/b,police_notice/a", "the most used one first"
    write_post(tmp_path, "police_notice/0")  # the next one of the rotation by now
    district.posts = PostLibrary.load(tmp_path)

    def approve(session: Session) -> int:
        campaigns = district.campaigns(session, MONDAY_TEN)
        return campaigns.approve(campaigns.get(1), 1)

    assert district.writer.run_now(approve) == 8
    posts = district.outcomes(1)
    assert posts.pop("hotpot") == "police_notice/a"
    assert set(posts.values()) == {"police_notice/b"}
    district.writer.close()
