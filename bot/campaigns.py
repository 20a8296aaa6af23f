"""Campaigns: which groups get which post, and why the others do not.

A plan is made from rows alone and carried out in the same transaction: one `CampaignGroup` row for every group that was meant,
with the post it got or the reason why there is none, and one notice in the campaign lane for every group that gets one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, func, insert, select, update

from bot.audience import Audiences, MeantGroup
from bot.config import Settings
from bot.messages import Address
from bot.notices import Lane, NewNotice, cancel_campaign, enqueue_all
from content.labels import matches
from content.phrases import PhraseBook
from content.posts import CATEGORIES, Post, PostLibrary, category_of
from content.refusal import Refusal
from storage.tables import Alarm, Campaign, CampaignGroup, Case, Notice

ALARM_LASTS = timedelta(hours=2)  # an emergency that nobody declared over keeps posts away for so long
WEEK = timedelta(days=7)
OPEN_STATES = ("pending", "sending")
EVERYBODY = frozenset({"全部", "所有", "all"})


class Skipped(StrEnum):
    """Why a group that was meant gets nothing."""

    POSTS_OFF = "posts off"
    QUIET = "quiet hours"
    EMERGENCY = "emergency"
    REPORTED = "just reported"
    DAILY_CAP = "daily cap"
    WEEKLY_CAP = "weekly cap"
    HAD_IT = "had it lately"
    NOTHING_FITS = "nothing fits"


@dataclass(frozen=True, slots=True)
class PostRules:
    """The district's rules for posts."""

    zone: ZoneInfo
    station: str = ""
    weekly_cap: int = 5
    daily_cap: int = 2
    quiet_from: time = time(21, 30)
    quiet_to: time = time(7, 30)
    gap_after_report: timedelta = timedelta(minutes=10)

    @staticmethod
    def of(settings: Settings) -> PostRules:
        """The rules that the settings say."""
        posts = settings.posts
        gap = timedelta(minutes=posts.gap_after_report_minutes)
        return PostRules(
            settings.bot.zone, settings.bot.station, posts.weekly_cap, posts.daily_cap, posts.quiet_from, posts.quiet_to, gap
        )

    def is_quiet(self, now: datetime) -> bool:
        """Whether posts must wait at this time."""
        clock = now.astimezone(self.zone).time()
        if self.quiet_from <= self.quiet_to:
            return self.quiet_from <= clock < self.quiet_to
        return clock >= self.quiet_from or clock < self.quiet_to

    def today(self, now: datetime) -> date:
        """The district's date."""
        return now.astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody, or a schedule, wants sent.

    `what` is a category or a post's slug. `labels` are any-of, empty for every group. `origin` is "schedule:<name>",
    "officer:<badge>" or "shell". A post that a group had within `no_repeat` does not go there again. `late_for` is the time at
    which it should have been sent.
    """

    what: str
    labels: tuple[str, ...]
    origin: str
    no_repeat: timedelta = timedelta(0)
    late_for: datetime | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """One group in a plan: a post, or the reason why there is none."""

    meant: MeantGroup
    post: Post | None
    skipped: Skipped | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What would happen now."""

    request: Request
    groups: tuple[Planned, ...]

    @property
    def sent(self) -> int:
        return sum(planned.post is not None for planned in self.groups)

    @property
    def reasons(self) -> Mapping[Skipped, int]:
        """How many groups are left out, by reason."""
        return Counter(planned.skipped for planned in self.groups if planned.skipped is not None)

    @property
    def posts(self) -> tuple[Post, ...]:
        """The posts that are used, the most used first."""
        used = Counter(planned.post.slug for planned in self.groups if planned.post)
        found = {planned.post.slug: planned.post for planned in self.groups if planned.post}
        return tuple(found[slug] for slug, _ in used.most_common())


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign is: notices by state, and groups left out by reason."""

    campaign: Campaign
    notices: Mapping[str, int]
    skipped: Mapping[str, int]

    @property
    def open(self) -> int:
        return sum(self.notices.get(state, 0) for state in OPEN_STATES)


@dataclass(slots=True)
class _History:
    """What the groups had lately, by group."""

    week: Counter[int] = field(default_factory=Counter)
    day: Counter[int] = field(default_factory=Counter)
    recent: set[tuple[int, str]] = field(default_factory=set)
    last: dict[str, datetime] = field(default_factory=dict)
    alarmed: set[int] = field(default_factory=set)
    reported: set[int] = field(default_factory=set)


class Campaigns:
    """Posts going out, inside the caller's transaction. Wake the outbox once it is committed."""

    def __init__(self, session: Session, now: datetime, library: PostLibrary, phrases: PhraseBook, rules: PostRules) -> None:
        self._session = session
        self._now = now
        self._library = library
        self._phrases = phrases
        self._rules = rules
        self._audiences: Audiences | None = None

    @property
    def library(self) -> PostLibrary:
        return self._library

    @property
    def rules(self) -> PostRules:
        return self._rules

    @property
    def audiences(self) -> Audiences:
        """The groups as posts see them, read once."""
        if self._audiences is None:
            self._audiences = Audiences(self._session, self._phrases, self._rules.station)
        return self._audiences

    def resolve(self, words: str) -> str:
        """The category or the post's slug that somebody means, in Chinese or by its file name. Raises Refusal."""
        named = words.strip()
        if category := category_of(named):
            return category
        if post := self._library.find(named):
            return post.slug
        raise Refusal("posts.unknown_post", what=named)

    def labels(self, words: Iterable[str]) -> tuple[str, ...]:
        """The labels that somebody means by bare words; "全部" (all) stands for every group. Raises Refusal."""
        found = []
        for word in words:
            if word in EVERYBODY:
                return ()
            label = self.audiences.label_of(word)
            if label is None:
                raise Refusal("posts.unknown_label", word=word, known="、".join(self.audiences.known_labels))
            found.append(label)
        return tuple(found)

    def plan(self, request: Request) -> Plan:
        """What sending it now would do. Raises Refusal when nothing of it may be sent to anybody."""
        posts = self._candidates(request.what)
        meant = [group for group in self.audiences.groups if matches(request.labels, group.labels)]
        if not meant:
            raise Refusal("posts.no_group", labels="、".join(request.labels) or "全部")
        history = self._history([post.slug for post in posts], request.no_repeat)
        # the post that the district has not seen for longest comes first, for all groups alike
        posts = sorted(
            posts, key=lambda post: (history.last.get(post.slug, datetime.min.replace(tzinfo=self._now.tzinfo)), post.slug)
        )
        quiet = self._rules.is_quiet(self._now)
        return Plan(request, tuple(self._plan_group(group, posts, history, quiet) for group in meant))

    def send(self, request: Request) -> tuple[Campaign, Plan]:
        """Plan it and write it down: one row for every group that was meant, one notice for every group that gets a post."""
        plan = self.plan(request)
        campaign = Campaign(
            post=request.what,
            labels=",".join(request.labels),
            origin=request.origin,
            state="sending" if plan.sent else "done",
            created_at=self._now,
        )
        self._session.add(campaign)
        self._session.flush()
        # thousands of rows: one statement each instead of one object each, because the writer serves residents meanwhile
        rows = [
            {
                "campaign_id": campaign.id,
                "group_id": planned.meant.id,
                "post": planned.post.slug if planned.post else request.what,
                "at": self._now,
                "skipped": planned.skipped.value if planned.skipped else "",
            }
            for planned in plan.groups
        ]
        self._session.connection().execute(insert(CampaignGroup), rows)
        notices = (
            self._notice(campaign, planned.meant, planned.post, request.late_for) for planned in plan.groups if planned.post
        )
        enqueue_all(self._session, notices, self._now)
        return campaign, plan

    def text(self, post: Post, group: MeantGroup, late_for: datetime | None = None) -> str:
        """What this group would read."""
        body = post.render(group.audience)
        if late_for is None:
            return self._phrases.say("posts.text", body=body, title=post.title, category=CATEGORIES[post.category])
        due = late_for.astimezone(self._rules.zone)
        said = f"{due:%H:%M}" if due.date() == self._rules.today(self._now) else f"{due.month}月{due.day}日{due:%H:%M}"
        return self._phrases.say("posts.late", body=body, due=said, title=post.title, category=CATEGORIES[post.category])

    def stop(self, campaign_id: int | None = None) -> tuple[Campaign, int]:
        """Stop a campaign (None: the newest that is still going out); returns it and how many notices will not be sent."""
        wanted = select(Campaign).order_by(col(Campaign.id).desc()).limit(1)
        wanted = wanted.where(Campaign.state == "sending") if campaign_id is None else wanted.where(Campaign.id == campaign_id)
        campaign = self._session.exec(wanted).first()
        if campaign is None or campaign.id is None:
            raise Refusal("posts.nothing_to_stop" if campaign_id is None else "posts.no_campaign", number=campaign_id or 0)
        progress = self.progress(campaign)
        if campaign.state != "sending" or not progress.open:
            raise Refusal("posts.already_over", number=campaign.id, sent=progress.notices.get("sent", 0))
        cancelled = cancel_campaign(self._session, campaign.id)
        campaign.state = "stopped"
        self._session.add(campaign)
        self._session.flush()
        return campaign, cancelled

    def why(self, reasons: Mapping[Skipped, int]) -> str:
        """The reasons as an editor reads them."""
        return "；".join(
            self._phrases.say(f"posts.reason.{reason.value.replace(' ', '_')}", count=count) for reason, count in reasons.items()
        )

    def say(self, key: str, **values: object) -> str:
        """A phrase about schedules, for the editors."""
        return self._phrases.say(f"posts.schedule.{key}", **values)

    def refusal(self, refusal: Refusal) -> str:
        """What a refusal says."""
        return self._phrases.say(refusal.phrase, **refusal.values)

    def progress(self, campaign: Campaign) -> Progress:
        """How far it is, counted from rows."""
        notices = self._session.exec(
            select(Notice.state, func.count()).where(Notice.campaign_id == campaign.id).group_by(Notice.state)
        ).all()
        skipped = self._session.exec(
            select(CampaignGroup.skipped, func.count())
            .where(CampaignGroup.campaign_id == campaign.id, CampaignGroup.skipped != "")
            .group_by(CampaignGroup.skipped)
        ).all()
        return Progress(campaign, dict(notices), dict(skipped))

    def _candidates(self, what: str) -> list[Post]:
        today = self._rules.today(self._now)
        if what in CATEGORIES:
            posts = list(self._library.in_category(what, today))
            if not posts:
                raise Refusal("posts.empty_category", category=CATEGORIES[what])
            return posts
        post = self._library.posts.get(what)
        if post is None:
            raise Refusal("posts.unknown_post", what=what)
        if reason := post.why_not(today):
            phrase = {"draft": "posts.draft", "expired": "posts.expired"}.get(reason, "posts.unchecked")
            raise Refusal(phrase, title=post.title, day=post.expires_on.isoformat())
        return [post]

    def _plan_group(self, group: MeantGroup, posts: Sequence[Post], history: _History, quiet: bool) -> Planned:
        if reason := self._why_silent(group, history, quiet):
            return Planned(group, None, reason)
        fitting = [post for post in posts if matches(post.labels, group.labels)]
        for post in fitting:
            if (group.id, post.slug) not in history.recent:
                return Planned(group, post)
        return Planned(group, None, Skipped.HAD_IT if fitting else Skipped.NOTHING_FITS)

    def _why_silent(self, group: MeantGroup, history: _History, quiet: bool) -> Skipped | None:
        weekly = self._rules.weekly_cap if group.weekly_cap is None else group.weekly_cap
        checks = (
            (group.posts_off, Skipped.POSTS_OFF),
            (group.id in history.alarmed, Skipped.EMERGENCY),
            (group.id in history.reported, Skipped.REPORTED),
            (quiet, Skipped.QUIET),
            (history.day[group.id] >= self._rules.daily_cap, Skipped.DAILY_CAP),
            (history.week[group.id] >= weekly, Skipped.WEEKLY_CAP),
        )
        return next((reason for holds, reason in checks if holds), None)

    def _history(self, slugs: Sequence[str], no_repeat: timedelta) -> _History:
        history, session, now = _History(), self._session, self._now
        midnight = datetime.combine(self._rules.today(now), time(), self._rules.zone)
        went = (
            select(CampaignGroup.group_id, func.count()).where(CampaignGroup.skipped == "").group_by(col(CampaignGroup.group_id))
        )
        history.week.update(dict(session.exec(went.where(CampaignGroup.at > now - WEEK)).all()))
        history.day.update(dict(session.exec(went.where(CampaignGroup.at >= midnight)).all()))
        had = select(CampaignGroup.group_id, CampaignGroup.post).where(
            CampaignGroup.skipped == "", col(CampaignGroup.post).in_(slugs), CampaignGroup.at > now - no_repeat
        )
        history.recent = set(session.exec(had.distinct()).all()) if no_repeat else set()
        last = select(CampaignGroup.post, func.max(CampaignGroup.at)).where(
            CampaignGroup.skipped == "", col(CampaignGroup.post).in_(slugs)
        )
        history.last = dict(session.exec(last.group_by(CampaignGroup.post)).all())
        history.alarmed = _ids(
            session.exec(select(Alarm.group_id).where(col(Alarm.safe_at).is_(None), Alarm.started_at > now - ALARM_LASTS)).all()
        )
        history.reported = _ids(
            session.exec(select(Case.group_id).where(Case.created_at > now - self._rules.gap_after_report)).all()
        )
        return history

    def _notice(self, campaign: Campaign, group: MeantGroup, post: Post, late_for: datetime | None) -> NewNotice:
        return NewNotice(
            key=f"post:{campaign.id}:{group.id}",
            lane=Lane.CAMPAIGN,
            to=Address(group.platform, group.account, group.chat),
            text=self.text(post, group, late_for),
            group_id=group.id,
            campaign_id=campaign.id,
        )


def finish_campaigns(session: Session) -> int:
    """Mark the campaigns of which nothing is left to send as done; returns how many."""
    still = select(Notice.campaign_id).where(col(Notice.campaign_id).is_not(None), col(Notice.state).in_(OPEN_STATES))
    over = update(Campaign).where(col(Campaign.state) == "sending", col(Campaign.id).not_in(still)).values(state="done")
    return int(session.exec(over).rowcount)


def _ids(found: Iterable[int | None]) -> set[int]:
    return {group for group in found if group is not None}
