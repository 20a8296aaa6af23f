"""The district's rules for posts: when a group has had enough, when it has to be left in peace, what two people decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from bot.config import Settings
from content.small_numbers import LEAST
from storage.caps import Caps

ALARM_LASTS = timedelta(hours=2)  # an emergency that nobody declared over keeps posts away for so long
WEEK = timedelta(days=7)
TWO_PEOPLE = frozenset({"police_notice", "lost_and_missing"})  # categories that a second person has to approve


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


class Kind(StrEnum):
    """What a campaign is: a post of the library, the correction of one, or a link of a missing person's chain."""

    POST = "post"
    CORRECTION = "correction"
    ALERT = "alert"
    UPDATE = "update"
    CANCEL = "cancel"

    @property
    def capped(self) -> bool:
        """Whether the caps of a group and its peace after a report count. Whoever got something wrong has to get the mend."""
        return self is Kind.POST

    @property
    def waits_for_morning(self) -> bool:
        """Whether quiet hours count; they do not when a person is missing."""
        return self in (Kind.POST, Kind.CORRECTION)


class CampaignState(StrEnum):
    """Where a campaign stands."""

    WAITING = "waiting"  # for a second person
    PLANNED = "planned"  # for its time
    TRIAL = "trial"  # the first few groups have it on the way
    SENDING = "sending"
    HALTED = "halted"  # by itself, because of errors; an officer decides
    STOPPED = "stopped"
    DONE = "done"


OVER = frozenset({CampaignState.STOPPED, CampaignState.DONE})


@dataclass(frozen=True, slots=True)
class LotSize:
    """How many notices of a campaign are made at a time (decision 0276).

    `ahead` wait for one account: 500 are 17 seconds at the 29 a second that Telegram bears. `most` are made in one transaction,
    which residents' messages wait for.
    """

    ahead: int = 500
    most: int = 500


@dataclass(frozen=True, slots=True)
class PostRules:
    """The district's rules for posts. `rates` are messages per second of one account, by platform."""

    zone: ZoneInfo
    station: str = ""
    weekly_cap: int = 5
    daily_cap: int = 2
    quiet_from: time = time(21, 30)
    quiet_to: time = time(7, 30)
    gap_after_report: timedelta = timedelta(minutes=10)
    approve_over: int = 50
    trial_groups: int = 5
    cards: bool = True
    rates: Mapping[str, float] = field(default_factory=dict)
    least_shown: int = LEAST  # smaller numbers of people are not told
    lots: LotSize = LotSize()

    @staticmethod
    def of(settings: Settings) -> PostRules:
        """The rules that the settings say."""
        posts = settings.posts
        return PostRules(
            settings.bot.zone,
            settings.bot.station,
            posts.weekly_cap,
            posts.daily_cap,
            posts.quiet_from,
            posts.quiet_to,
            timedelta(minutes=posts.gap_after_report_minutes),
            posts.approve_over_groups,
            posts.trial_groups,
            posts.cards,
            {platform: rule.per_account_per_second for platform, rule in settings.pacing.rules.items()},
            settings.bot.least_shown,
        )

    def is_quiet(self, now: datetime) -> bool:
        """Whether posts must wait at this time."""
        clock = now.astimezone(self.zone).time()
        if self.quiet_from <= self.quiet_to:
            return self.quiet_from <= clock < self.quiet_to
        return clock >= self.quiet_from or clock < self.quiet_to

    def after_quiet(self, at: datetime) -> datetime:
        """`at`, or the end of the quiet hours that it falls into."""
        if not self.is_quiet(at):
            return at
        there = at.astimezone(self.zone)
        end = datetime.combine(there.date(), self.quiet_to, self.zone)
        return (end if end > there else end + timedelta(days=1)).astimezone(at.tzinfo)

    def meets_quiet(self, starts: datetime, ends: datetime) -> bool:
        """Whether quiet hours lie between two times, or one of them in quiet hours."""
        if self.is_quiet(starts) or self.is_quiet(ends):
            return True
        there = starts.astimezone(self.zone)
        quiet = datetime.combine(there.date(), self.quiet_from, self.zone)
        quiet = quiet if quiet > there else quiet + timedelta(days=1)
        return self.quiet_from != self.quiet_to and quiet <= ends

    def caps(self, now: datetime) -> Caps:
        """The rules as they are enforced at this time where notices are claimed."""
        quiet_until = self.after_quiet(now) if self.is_quiet(now) else None
        day_began = self.midnight(now).astimezone(UTC)
        return Caps(self.daily_cap, self.weekly_cap, day_began, quiet_until, self.gap_after_report, ALARM_LASTS)

    def today(self, now: datetime) -> date:
        """The district's date."""
        return now.astimezone(self.zone).date()

    def midnight(self, now: datetime) -> datetime:
        """When the district's day began."""
        return datetime.combine(self.today(now), time(), self.zone)

    def day(self, at: datetime) -> str:
        """The district's day of a time, as an editor reads it."""
        there = at.astimezone(self.zone)
        return f"{there.month}月{there.day}日"

    def local(self, at: datetime, now: datetime) -> str:
        """A time as an editor reads it: "15:00", or with the day when it is another one."""
        there = at.astimezone(self.zone)
        return f"{there:%H:%M}" if there.date() == self.today(now) else f"{there.month}月{there.day}日{there:%H:%M}"
