"""The sections of config.toml that are about no platform: the bot itself, posts, the desk, how long what is kept …"""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from bot.config.kinds import Category, ClockTime, DatabaseUrl, DueDays, FilePath, Label, OptionalPath, OrAuto, Section, ZoneName
from bot.days import Days, parse_days


class BotSettings(Section):
    """The bot itself."""

    data_dir: FilePath = Field(
        default=Path("data"), description="folder of everything that is kept; relative to where the bot is started"
    )
    demo: OrAuto = Field(
        default=None, description='sample district: true, false, or "auto" (when the roster is empty and the web chat is local)'
    )
    name: str = Field(default="前哨", min_length=1, description="what the bot is called in chats")
    station: str = Field(
        default="", description="police station named in posts; empty: the first unit of kind police on the roster"
    )
    timezone: ZoneName = Field(default="Asia/Shanghai", description="time zone of schedules, quiet hours and dates")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least important log line that is written"
    )
    handlers: tuple[FilePath, ...] = Field(default=(), description="handler files of your own, loaded after ours")
    gazetteer: OptionalPath = Field(
        default=None, description="TOML file of the district's own places, see docs/places.md; empty: none"
    )
    read_pictures: bool = Field(
        default=True,
        description="read screenshots and QR codes brought to the bot, if the extra pictures is installed",
    )
    photo_wait_seconds: int = Field(default=120, ge=0, le=600, description="how long a photo and its words wait for each other")
    least_shown: int = Field(
        default=5, ge=1, le=50, description="statistics and exports show smaller numbers of people as “fewer than this”; 1: all"
    )

    @property
    def zone(self) -> ZoneInfo:
        """The time zone as a value."""
        return ZoneInfo(self.timezone)


class StorageSettings(Section):
    """The database."""

    url: DatabaseUrl = Field(default="", description="sqlite:///… or postgresql://…; empty: qianshao.sqlite3 in the data folder")


class PostSettings(Section):
    """Rules for posts."""

    weekly_cap: int = Field(
        default=5, ge=0, le=50, description="posts that one group gets in seven days; a group may have its own number"
    )
    daily_cap: int = Field(default=2, ge=0, le=20, description="posts that one group gets in one day")
    quiet_from: ClockTime = Field(default=time(21, 30), description="from then on no post is sent")
    quiet_to: ClockTime = Field(default=time(7, 30), description="until then no post is sent")
    gap_after_report_minutes: int = Field(
        default=10, ge=0, le=1440, description="a group that just reported something gets no post for so long"
    )
    cards: bool = Field(default=True, description="send the picture of a post along, where the post has one")
    approve_over_groups: int = Field(
        default=50, ge=0, le=1_000_000, description="a post to more groups than this needs a second person, /批准"
    )
    trial_groups: int = Field(
        default=5, ge=0, le=100, description="a campaign starts with so many groups and goes on when they got it; 0: all at once"
    )


class ScheduleSettings(Section):
    """One schedule: a post of a category, to groups by label, on days at a time."""

    name: str = Field(
        min_length=1, pattern=r"^[a-z0-9][a-z0-9_-]*$", description="its name, in small letters; renaming makes a new schedule"
    )
    category: Category = Field(description="folder of content/posts")
    labels: tuple[Label, ...] = Field(default=(), description="groups that get it, any of these; empty: every group")
    days: DueDays = Field(description='"mon,wed,fri", "mon-fri", "*", or days of the month "1,15"')
    time: ClockTime = Field(description="time of day in bot.timezone")
    late_minutes: int = Field(
        default=120, ge=1, le=2880, description="after downtime: sent with a note up to so many minutes late"
    )
    on_late: Literal["send", "skip"] = Field(default="send", description='after downtime: "send" late with a note, or "skip"')
    no_repeat_weeks: int = Field(
        default=8, ge=0, le=104, description="a group does not get the same post again for so many weeks"
    )

    @property
    def due_days(self) -> Days:
        """The days as a value."""
        return parse_days(self.days)


class ConfirmationSettings(Section):
    """High-impact actions wait for a one-time password and a delay; docs/security.md says which."""

    enabled: bool = Field(default=True, description="false: large posts, tips' identities, access and roles take effect at once")
    delay_minutes: float = Field(
        default=10, ge=0, le=1440, description="between the one-time password and the action, in which it can be cancelled"
    )
    demo_delay_seconds: int = Field(default=30, ge=0, le=3600, description="the same in the sample district")
    over_groups: int = Field(default=50, ge=1, le=1_000_000, description="a post to more groups than this waits")

    def delay(self, *, demo: bool) -> timedelta:
        """The delay, shorter in the sample district so that it can be tried."""
        return timedelta(seconds=self.demo_delay_seconds) if demo else timedelta(minutes=self.delay_minutes)


class AlarmSettings(Section):
    """Emergencies."""

    repeat_seconds: int = Field(
        default=120, ge=10, le=3600, description="how often the duty officer is called until somebody acknowledges"
    )


class TipSettings(Section):
    """Confidential tips; docs/security.md says what they promise."""

    keep_days: int = Field(default=90, ge=1, le=365, description="days that a tip is kept; a custodian may put the end off")
    server_held_keys: bool = Field(
        default=True, description="officers without a passphrase read tips with a key that the server keeps; false: only with one"
    )
    web_form: bool = Field(
        default=True, description="the form at /tip that needs no account, sets no cookie and keeps no address"
    )


class DeskSettings(Section):
    """The desk: working hours, cards, second call-backs. The lengths of its clocks are in content/desk.toml."""

    work_from: ClockTime = Field(default=time(8, 30), description="working hours begin; clocks in working time run from then")
    work_to: ClockTime = Field(default=time(17, 30), description="working hours end")
    cards: bool = Field(
        default=True, description="a card in the officers' own groups (class 工作) when a working day begins and when it ends"
    )
    auto_dispatch: bool = Field(
        default=True, description="the bot accepts and dispatches routine categories by the routing table"
    )
    review_share: float = Field(
        default=0.05, ge=0, le=1, description="share of confirmed cases about which another unit asks the reporter once more"
    )
    talk_minutes: int = Field(
        default=15, ge=1, le=240, description="silence after which the bot takes a conversation back from an officer"
    )

    @model_validator(mode="after")
    def _some_hours(self) -> DeskSettings:
        if self.work_from >= self.work_to:
            raise ValueError("work_from must be before work_to")
        return self


class RetentionSettings(Section):
    """How long what is kept; docs/privacy.md explains each. What is over ends within six hours."""

    case_days: int = Field(default=730, ge=1, description="after a case has ended: then its words, photos and person go")
    found_days: int = Field(default=365, ge=1, description="lost and found things")
    missing_photo_hours: int = Field(default=24, ge=1, description="photos of a missing person, after the person was found")
    rating_days: int = Field(default=365, ge=1, description="after that a rating no longer says whom it rates")
    alarm_days: int = Field(default=180, ge=1, description="who reported an emergency")
    notice_days: int = Field(default=90, ge=1, description="what the bot said, except what was sent to many groups")
    event_days: int = Field(
        default=30, ge=7, description="ids of events against a second delivery, and events nobody could handle"
    )
    loose_photo_hours: int = Field(default=24, ge=1, description="photos that belong to no case")

    @property
    def terms(self) -> dict[str, timedelta]:
        """The same as spans, by the names of `cases.retention.Terms`."""
        return {
            "case": timedelta(days=self.case_days),
            "found": timedelta(days=self.found_days),
            "missing_photo": timedelta(hours=self.missing_photo_hours),
            "rating": timedelta(days=self.rating_days),
            "alarm": timedelta(days=self.alarm_days),
            "notice": timedelta(days=self.notice_days),
            "event": timedelta(days=self.event_days),
            "loose_photo": timedelta(hours=self.loose_photo_hours),
        }
