"""The shelf: what somebody means by a post, a category or a group, what may be sent on a day, and which post suits a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from sqlmodel import Session, col, select

from bot.audience import Audiences, MeantGroup
from bot.campaigns.history import History, read_history
from bot.campaigns.plan import Planned
from bot.campaigns.rules import CampaignState, Kind, PostRules, Skipped
from content.calendar import Calendar
from content.expressions import Whom, parse_whom, spell
from content.labels import matches
from content.phrases import PhraseBook
from content.posts import CATEGORIES, Post, PostLibrary, category_of
from content.refusal import Refusal
from storage.tables import Campaign

MOST_LABELS = 30  # that are named to whoever used an unknown one
MOST_ALIKE = 4  # titles that are offered for what nobody has
MOST_ECHOED = 20  # characters of what nobody understood
THEME = "theme:"


class Shelf:
    """Posts and groups as editors speak of them, inside the caller's transaction."""

    def __init__(
        self,
        session: Session,
        now: datetime,
        library: PostLibrary,
        phrases: PhraseBook,
        rules: PostRules,
        calendar: Calendar | None = None,
    ) -> None:
        self.session = session
        self.now = now
        self.library = library
        self.phrases = phrases
        self.rules = rules
        self.calendar = calendar or Calendar()
        self._audiences: Audiences | None = None
        self._texts: dict[tuple[str, str, datetime | None], str] = {}  # what many groups read alike

    @property
    def audiences(self) -> Audiences:
        """The groups as posts see them, read once."""
        if self._audiences is None:
            self._audiences = Audiences(self.session, self.phrases, self.rules.station)
        return self._audiences

    def resolve(self, words: str) -> str:
        """The category, the post's slug or the theme that somebody means, in Chinese or by its file name. Raises Refusal."""
        named = words.strip()
        if category := category_of(named):
            return category
        if post := self.library.find(named):
            return post.slug
        if theme := self.calendar.find(named.removeprefix(THEME)):
            return f"{THEME}{theme.key}"
        near = "、".join(f"《{post.title}》" for post in self.library.alike(named, MOST_ALIKE))
        raise Refusal("posts.unknown_post", what=named[:MOST_ECHOED], near=near)

    def whom(self, words: str) -> Whom:
        """The groups that somebody means by an expression over labels. Raises Refusal."""
        try:
            return parse_whom(words, self.audiences.label_of)
        except Refusal as refusal:
            if refusal.phrase == "posts.unknown_label":
                known = sorted(
                    self.audiences.known_labels, key=lambda label: label.startswith("grid:")
                )  # of these there are many
                refusal.values["known"] = "、".join(map(self.audiences.name_of, known[:MOST_LABELS]))
                refusal.values["all"] = len(known)
                refusal.values["left_out"] = len(known) > MOST_LABELS
            raise

    def spell(self, whom: Whom) -> str:
        """The groups in Chinese."""
        return spell(whom, self.audiences.name_of) or self.phrases.say("posts.everybody")

    def name_of(self, what: str) -> str:
        """What is sent, as an editor reads it."""
        if what in CATEGORIES:
            return CATEGORIES[what]
        if what.startswith(THEME):
            theme = self.calendar.find(what.removeprefix(THEME))
            return theme.name if theme else what
        found = [self.library.posts.get(slug) for slug in what.split(",")]
        return "、".join(f"《{post.title}》" for post in found if post is not None) or what

    def why(self, reasons: Mapping[Skipped, int]) -> str:
        """The reasons as an editor reads them."""
        return "；".join(
            self.phrases.say(f"posts.reason.{reason.value.replace(' ', '_')}", count=count) for reason, count in reasons.items()
        )

    def say(self, key: str, **values: object) -> str:
        """A phrase about schedules, for the editors."""
        return self.phrases.say(f"posts.schedule.{key}", **values)

    def refusal(self, refusal: Refusal) -> str:
        """What a refusal says."""
        return self.phrases.say(refusal.phrase, **refusal.values)

    def text(self, post: Post, group: MeantGroup, late_for: datetime | None = None) -> str:
        """What this group would read."""
        body = post.render(group.audience)
        same = post.slug, body, late_for
        text = self._texts.get(same)
        if text is None:
            text = self._texts[same] = self._framed(post, body, late_for)
        return text

    def sendable(self, slug: str, today: date) -> Post:
        """The post with this slug; Refusal when it may not be sent on that day."""
        post = self.library.posts.get(slug)
        if post is None:
            raise Refusal("posts.unknown_post", what=slug, near="")
        if reason := post.why_not(today):
            phrase = {"draft": "posts.draft", "expired": "posts.expired"}.get(reason, "posts.unchecked")
            raise Refusal(phrase, title=post.title, day=post.expires_on.isoformat())
        return post

    def candidates(self, category: str) -> Sequence[Post]:
        """The posts of a category that may be sent today, in order of their slugs."""
        return self._candidates(category, self.now)

    def last_sent(self, slugs: Sequence[str]) -> Mapping[str, datetime]:
        """When the district last sent each of these posts; those that it never did are left out."""
        return read_history(self.session, self.now, self.rules, slugs, timedelta(0)).last

    def _framed(self, post: Post, body: str, late_for: datetime | None) -> str:
        if post.link:
            body = self.phrases.say("posts.link", body=body, link=post.link, name=post.link_name)
        category = CATEGORIES[post.category]
        if late_for is None:
            return self.phrases.say("posts.text", body=body, title=post.title, category=category)
        said = self.rules.local(late_for, self.now)
        return self.phrases.say("posts.late", body=body, due=said, title=post.title, category=category)

    def booked(self) -> set[str]:
        """The posts of campaigns that still wait: whoever wants the category meanwhile gets another one."""
        waits = col(Campaign.state).in_((CampaignState.WAITING, CampaignState.PLANNED))
        kept = self.session.exec(select(Campaign.post).where(waits, Campaign.kind == Kind.POST)).all()
        return {slug for posts in kept for slug in posts.split(",")}

    def _candidates(self, what: str, at: datetime) -> list[Post]:
        today = self.rules.today(at)
        if what in CATEGORIES or what.startswith(THEME):
            if what in CATEGORIES:
                out_of_season = self.calendar.out_of_season(today)
                posts = [post for post in self.library.in_category(what, today) if post.slug not in out_of_season]
            else:
                wanted = self.calendar.posts_of_theme(what.removeprefix(THEME))
                posts = [post for post in self.library.posts.values() if post.slug in wanted and post.why_not(today) is None]
            if not posts:
                raise Refusal("posts.empty_category", category=self.name_of(what))
            return posts
        return [self.sendable(slug, today) for slug in what.split(",")]

    def _plan_group(self, group: MeantGroup, posts: Sequence[Post], history: History, quiet: bool) -> Planned:
        if reason := self._why_silent(group, history, quiet):
            return Planned(group, None, reason)
        fitting = [post for post in posts if matches(post.labels, group.labels)]
        for post in fitting:
            if (group.id, post.slug) not in history.recent:
                return Planned(group, post)
        return Planned(group, None, Skipped.HAD_IT if fitting else Skipped.NOTHING_FITS)

    def _why_silent(self, group: MeantGroup, history: History, quiet: bool) -> Skipped | None:
        weekly = self.rules.weekly_cap if group.weekly_cap is None else group.weekly_cap
        checks = (
            (group.posts_off, Skipped.POSTS_OFF),
            (group.id in history.alarmed, Skipped.EMERGENCY),
            (group.id in history.reported, Skipped.REPORTED),
            (quiet, Skipped.QUIET),
            (history.day[group.id] >= self.rules.daily_cap, Skipped.DAILY_CAP),
            (history.week[group.id] >= weekly, Skipped.WEEKLY_CAP),
        )
        return next((reason for holds, reason in checks if holds), None)
