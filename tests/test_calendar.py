"""Recurring themes: on which days, with which posts, and what rotation makes of them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session

from bot.campaigns import Campaigns, Request
from content.calendar import Calendar
from content.posts import PostLibrary
from content.refusal import Refusal
from tests.posting import MONDAY_TEN, PHRASES, ROOT, District, library

HEAD = 'source = "x"\nchecked_on = 2026-11-23\n'


def calendar(folder: Path, *themes: str, known: PostLibrary | None = None) -> Calendar:
    path = folder / "calendar.toml"
    path.write_text("\n".join(f"[[themes]]\n{theme}\n{HEAD}" for theme in themes), encoding="utf-8")
    return Calendar.load(path, known.posts if known else None)


def test_ours_is_sound_and_every_theme_has_a_ready_post() -> None:
    posts = PostLibrary.load(ROOT / "content/posts")
    ours = Calendar.load(ROOT / "content/calendar.toml", posts.posts)
    assert ours.broken == ()
    today = date(2026, 11, 26)
    for theme in ours.themes:
        span = theme.next_from(today)
        assert span is not None, f"{theme.key} has no days ahead"
        assert any(not posts.posts[slug].draft for slug in theme.posts), theme.key


@pytest.mark.parametrize(
    ("day", "themes"),
    [
        (date(2026, 11, 9), {"119-day", "fire-day-news"}),
        (date(2026, 12, 4), {"winter-heating", "constitution-day", "constitution-news", "ice", "traffic-day", "pay-season"}),
        (date(2027, 2, 5), {"winter-heating", "spring-festival", "fireworks", "ice", "pay-season"}),
        (date(2027, 6, 15), {"flood-season", "anti-fraud-month", "summer-heat"}),
        (date(2027, 4, 4), {"qingming"}),
        (date(2027, 8, 30), {"flood-season", "university-enrolment", "summer-heat", "school-opens", "summer-holidays"}),
        (date(2026, 10, 18), {"elders-day"}),
        (date(2027, 5, 1), set()),
    ],
)
def test_the_themes_of_a_day(day: date, themes: set[str]) -> None:
    assert {theme.key for theme in Calendar.load(ROOT / "content/calendar.toml").on(day)} == themes


def test_a_theme_over_the_turn_of_the_year(tmp_path: Path) -> None:
    ours = calendar(tmp_path, 'key = "w"\nname = "冬"\nstarts = "12-20"\nends = "01-10"\nposts = ["law/a"]')
    (theme,) = ours.themes
    around = (date(2026, 12, 19), date(2026, 12, 20), date(2027, 1, 10), date(2027, 1, 11))
    assert [theme.on(day) for day in around] == [False, True, True, False]
    span = theme.next_from(date(2027, 1, 11))
    assert span is not None
    assert span.starts == date(2027, 12, 20)


@pytest.mark.parametrize(
    ("theme", "problem"),
    [
        ('key = "x"\nname = "x"\nposts = []', "give starts and ends, or dates"),
        ('key = "x"\nname = "x"\nposts = []\nstarts = "06-01"', "give starts and ends, or dates"),
        ('key = "x"\nname = "x"\nposts = []\nstarts = "06-31"\nends = "07-01"', "are no days of a year"),
        ('key = "x"\nname = "x"\nposts = ["law/none"]\nstarts = "06-01"\nends = "07-01"', "there is no post law/none"),
        ('key = "x"\nname = "x"\nposts = []\nbegins = "06-01"', "begins"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, theme: str, problem: str) -> None:
    found = calendar(tmp_path, theme, known=library(tmp_path / "posts", "law/a"))
    assert found.themes == ()
    assert problem in "; ".join(map(str, found.broken))


def test_rotation_takes_the_days_theme_first_and_leaves_other_seasons_out(tmp_path: Path) -> None:
    posts = library(tmp_path / "posts", "law/a", "law/b", "law/c")
    themes = calendar(
        tmp_path,
        'key = "now"\nname = "现在"\nstarts = "11-20"\nends = "11-30"\nposts = ["law/c"]',
        'key = "summer"\nname = "夏天"\nstarts = "06-01"\nends = "08-31"\nposts = ["law/a"]\nonly = true',
    )
    district = District(posts)

    def chosen(what: str, days: int = 0) -> str:
        def work(session: Session) -> str:
            campaigns = Campaigns(session, MONDAY_TEN + timedelta(days=days), posts, PHRASES, district.rules, themes)
            return campaigns.plan(Request(campaigns.resolve(what))).posts[0].slug

        return district.writer.run_now(work)

    assert chosen("law") == "law/c"
    assert chosen("law", days=30) == "law/b", "the summer's post is out of season"
    assert chosen("law", days=200) == "law/a"
    assert chosen("law/a") == "law/a", "by its title it goes at any time"
    assert chosen("夏天") == "law/a", "and so does a theme by its name"
    with pytest.raises(Refusal):
        chosen("火星")
    district.writer.close()
