"""The settings: `config.toml`, each key of which the environment can set as QIANSHAO_<SECTION>__<KEY>.

Unknown keys and wrong values are refused with the file, the line (or the environment key) and the mend, all at once. The
descriptions here are the ones of docs/configuration.md; a test compares the two.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bot.allowance import AccountRule
from bot.days import Days, parse_days
from bot.errors import ConfigError
from bot.pacing import PacingRule
from content.labels import label_problem
from content.posts import CATEGORIES
from content.toml import Mistake, TomlMistakes, explain, known_keys, parse_toml

PREFIX = "QIANSHAO_"
DEFAULT_FILE = Path("config.toml")
OUTSIDE = frozenset({"QIANSHAO_FAILPOINT"})  # read elsewhere, before there are settings

T = TypeVar("T")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise ValueError(f'{name!r} is no time zone; write one like "Asia/Shanghai"') from None
    return name


def _url(text: str) -> str:
    if not text:
        return text
    try:
        backend = make_url(text).get_backend_name()
    except ArgumentError:
        backend = ""
    if backend not in ("sqlite", "postgresql"):
        raise ValueError('write "sqlite:///folder/file.sqlite3" or "postgresql://user:password@host/database"')
    return text


def _days(text: str) -> str:
    parse_days(text)
    return text


def _clock(value: object) -> object:
    if not isinstance(value, str | time):
        raise ValueError('a time of day is written "10:00"')
    return value


def _category(name: str) -> str:
    if name not in CATEGORIES:
        raise ValueError(f"{name!r} is no category of posts; there are {', '.join(CATEGORIES)}")
    return name


def _label(text: str) -> str:
    if problem := label_problem(text):
        raise ValueError(problem)
    return text


def _on_off(value: object) -> object:
    return {True: "on", False: "off", "true": "on", "false": "off"}.get(value, value) if isinstance(value, bool | str) else value


def _maybe(value: object) -> object:
    return None if value == "auto" else value


ClockTime = Annotated[time, BeforeValidator(_clock)]
Label = Annotated[str, AfterValidator(_label)]
Demo = Annotated[bool | None, BeforeValidator(_maybe)]


class Section(BaseModel):
    """A table of config.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BotSettings(Section):
    """The bot itself."""

    data_dir: Path = Field(
        default=Path("data"), description="folder of everything that is kept; relative to where the bot is started"
    )
    demo: Demo = Field(
        default=None, description='sample district: true, false, or "auto" (when the roster is empty and the web chat is local)'
    )
    name: str = Field(default="前哨", min_length=1, description="what the bot is called in chats")
    station: str = Field(
        default="", description="police station named in posts; empty: the first unit of kind police on the roster"
    )
    timezone: Annotated[str, AfterValidator(_zone)] = Field(
        default="Asia/Shanghai", description="time zone of schedules, quiet hours and dates"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least important log line that is written"
    )
    handlers: tuple[Path, ...] = Field(default=(), description="handler files of your own, loaded after ours")
    gazetteer: Annotated[Path | None, BeforeValidator(lambda value: value or None)] = Field(
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

    url: Annotated[str, AfterValidator(_url)] = Field(
        default="", description="sqlite:///… or postgresql://…; empty: qianshao.sqlite3 in the data folder"
    )


class WebSettings(Section):
    """The web group chat."""

    enabled: bool = Field(default=True, description="serve the web group chat")
    host: str = Field(
        default="127.0.0.1", min_length=1, description="address to listen on; anything but loopback needs public_url"
    )
    port: int = Field(default=8311, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    public_url: str = Field(default="", description='how people reach the page, e.g. "https://chat.example.cn"')
    behind_proxy: bool = Field(default=False, description="a proxy in front names the caller in X-Forwarded-For")
    keep_days: int = Field(default=7, ge=0, le=365, description="days that rooms keep their messages; 0: in memory only")


class TelegramAccountSettings(Section):
    """One bot of @BotFather."""

    token: str = Field(default="", repr=False, description="what @BotFather gave; better set by the environment than here")
    base_url: str = Field(
        default="https://api.telegram.org", min_length=1, description="root of the Bot API, without /bot and the token"
    )
    webhook_url: str = Field(default="", description="where Telegram calls us, https://…; empty: we ask Telegram (long polling)")
    webhook_host: str = Field(default="127.0.0.1", min_length=1, description="address to listen on for these calls")
    webhook_port: int = Field(default=8312, ge=0, le=65535, description="port to listen on for these calls")
    webhook_secret: str = Field(
        default="", repr=False, description="what Telegram's calls have to bring along; empty: a new one at every start"
    )

    @property
    def account(self) -> str:
        """The bot's own id, which a token begins with."""
        return self.token.partition(":")[0]


class TelegramSection(TelegramAccountSettings):
    """Telegram. What cannot work is told by `bot.platforms.telegram.TelegramSettings.check` when it is enabled."""

    enabled: bool = Field(default=False, description="be a bot in Telegram groups; docs/telegram.md says how to connect it")
    accounts: tuple[TelegramAccountSettings, ...] = Field(
        default=(), description="further bots, each with token, base_url, webhook_url, webhook_host, webhook_port, webhook_secret"
    )

    @model_validator(mode="after")
    def _one_token_each(self) -> TelegramSection:
        ids = [each.account for each in self.all_accounts if each.token]
        ports = [(each.webhook_host, each.webhook_port) for each in self.all_accounts if each.webhook_url and each.webhook_port]
        if len(set(ids)) < len(ids):
            raise ValueError("two accounts have the token of the same bot; every bot of @BotFather has one of its own")
        if len(set(ports)) < len(ports):
            raise ValueError("two accounts listen on the same webhook_port; give each its own")
        return self

    @property
    def all_accounts(self) -> tuple[TelegramAccountSettings, ...]:
        """The first bot and the further ones."""
        return self, *self.accounts


class WechatAccountSettings(Section):
    """One WeChat account on a puppet service of its own."""

    account: str = Field(default="main", min_length=1, description="our own name for the account; never change it")
    endpoint: str = Field(default="", description='where its Wechaty puppet service listens, like "127.0.0.1:8788"')
    token: str = Field(
        default="", repr=False, description="the token with which that service was started; better set by the environment"
    )
    tls: Annotated[Literal["on", "off"], BeforeValidator(_on_off)] = Field(
        default="on", description='"on"; "off" only for a service on this machine'
    )
    ca_file: str = Field(
        default="", description="certificate of the authority that signed the service's (PEM); empty: the system's authorities"
    )
    pin: str = Field(default="", description="SHA-256 fingerprint of the service's own certificate; any other one is refused")
    tls_name: str = Field(default="", description="the name in the service's certificate, if it is not the endpoint's host")


class WechatSection(WechatAccountSettings):
    """WeChat. What cannot work is told by `bot.platforms.wechat.WechatSettings.check` when it is enabled."""

    enabled: bool = Field(default=False, description="be a WeChat account in groups; docs/wechat.md says how to connect it")
    accounts: tuple[WechatAccountSettings, ...] = Field(
        default=(), description="further accounts, each with account, endpoint, token, tls, ca_file, pin, tls_name"
    )
    file_hosts: tuple[str, ...] = Field(
        default=(), description='hosts from which a file may be fetched that the service cannot give itself, "*.example.cn"'
    )
    accept_friends: bool = Field(default=True, description="accept friend requests, without which nobody can write privately")
    accept_invitations: bool = Field(default=True, description="accept invitations into groups")
    introductions_per_hour: int = Field(
        default=60,
        ge=0,
        le=3600,
        description="introductions in groups in which the account was before the bot; 0: when spoken to",
    )
    gap_told_seconds: int = Field(
        default=60, ge=1, le=86400, description="groups are told when nothing was heard for longer than this"
    )
    hold_minutes: int = Field(
        default=30, ge=1, le=480, description="after a warning of WeChat only emergencies are sent for so long; doubled each time"
    )
    slow_hours: int = Field(default=24, ge=0, le=168, description="and for so long after that the account goes at half its pace")

    @model_validator(mode="after")
    def _one_account_each(self) -> WechatSection:
        names = [self.account, *(each.account for each in self.accounts)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two WeChat accounts are named {name!r}; give each its own name")
        return self

    @property
    def all_accounts(self) -> tuple[WechatAccountSettings, ...]:
        """The first account and the further ones."""
        return self, *self.accounts


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
    category: Annotated[str, AfterValidator(_category)] = Field(description="folder of content/posts")
    labels: tuple[Label, ...] = Field(default=(), description="groups that get it, any of these; empty: every group")
    days: Annotated[str, AfterValidator(_days)] = Field(description='"mon,wed,fri", "mon-fri", "*", or days of the month "1,15"')
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


class PacingSettings(Section):
    """What one platform bears."""

    per_account_per_second: float = Field(default=200.0, gt=0, description="messages of one account in a second")
    per_chat_interval: float = Field(default=0.0, ge=0, lt=60, description="seconds between two messages in one chat")
    per_chat_per_minute: int = Field(default=120, ge=1, description="messages in one chat in a minute, private or a group")
    per_group_per_minute: int = Field(default=120, ge=1, description="messages in one group in a minute, if that is less")
    chat_reserve: int = Field(default=20, ge=0, description="of both, kept for answers to residents")

    @model_validator(mode="after")
    def _keep_some(self) -> PacingSettings:
        for name in ("per_chat_per_minute", "per_group_per_minute"):
            if self.chat_reserve >= getattr(self, name):
                raise ValueError(f"chat_reserve must be below {name}")
        return self

    @property
    def rule(self) -> PacingRule:
        """The same as a rule."""
        return PacingRule(
            self.per_account_per_second,
            self.per_chat_interval,
            self.per_chat_per_minute,
            self.chat_reserve,
            self.per_group_per_minute,
        )


class TelegramPacing(PacingSettings):
    """What Telegram bears, with a margin below its limits that was measured to cause no refusals."""

    per_account_per_second: float = Field(default=29.0, gt=0, description="messages of one account in a second")
    per_chat_interval: float = Field(default=1.0, ge=0, lt=60, description="seconds between two messages in one chat")
    per_chat_per_minute: int = Field(default=60, ge=1, description="messages in one chat in a minute, private or a group")
    per_group_per_minute: int = Field(default=20, ge=1, description="messages in one group in a minute, if that is less")
    chat_reserve: int = Field(default=5, ge=0, description="of both, kept for answers to residents")


class WechatPacing(PacingSettings):
    """What a WeChat account bears. WeChat publishes no limits: these are cautious, and yours to change."""

    per_account_per_second: float = Field(default=1.0, gt=0, description="messages of one account in a second")
    per_chat_interval: float = Field(default=1.5, ge=0, lt=60, description="seconds between two messages in one chat")
    per_chat_per_minute: int = Field(default=10, ge=1, description="messages in one chat in a minute, private or a group")
    per_group_per_minute: int = Field(default=10, ge=1, description="messages in one group in a minute, if that is less")
    chat_reserve: int = Field(default=4, ge=0, description="of both, kept for answers to residents")
    between_chats_from: float = Field(
        default=3.0, ge=0, le=600, description="shortest pause between messages to two chats, seconds"
    )
    between_chats_to: float = Field(default=5.0, ge=0, le=600, description="longest such pause")
    per_account_per_minute: int = Field(default=15, ge=1, description="messages of one account in a minute")
    minute_reserve: int = Field(default=5, ge=0, description="of these, kept for answers to residents")
    per_account_per_day: int = Field(default=500, ge=1, description="messages of one account in 24 hours, emergencies aside")
    day_reserve: int = Field(default=200, ge=0, description="of these, kept for answers to residents")

    @model_validator(mode="after")
    def _whole(self) -> WechatPacing:
        if self.between_chats_from > self.between_chats_to:
            raise ValueError("between_chats_from must not be above between_chats_to")
        if self.minute_reserve >= self.per_account_per_minute or self.day_reserve >= self.per_account_per_day:
            raise ValueError("minute_reserve and day_reserve must be below the account's messages in a minute and in a day")
        return self

    @property
    def rule(self) -> PacingRule:
        """The same as a rule."""
        account = AccountRule(
            (self.between_chats_from, self.between_chats_to),
            self.per_account_per_minute,
            self.minute_reserve,
            self.per_account_per_day,
            self.day_reserve,
        )
        return replace(super().rule, account=account)


class PacingTable(Section):
    """How fast the bot may speak."""

    overall_per_second: float = Field(default=math.inf, gt=0, description="messages of all accounts in a second; inf: no limit")
    web: PacingSettings = Field(default=PacingSettings(), description="the web group chat")
    telegram: TelegramPacing = Field(default=TelegramPacing(), description="Telegram")
    wechat: WechatPacing = Field(default=WechatPacing(), description="WeChat")

    @property
    def rules(self) -> dict[str, PacingRule]:
        """The rules by platform."""
        return {"web": self.web.rule, "telegram": self.telegram.rule, "wechat": self.wechat.rule}


class Settings(BaseSettings):
    """All of it."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__")

    bot: BotSettings = BotSettings()
    storage: StorageSettings = StorageSettings()
    web: WebSettings = WebSettings()
    telegram: TelegramSection = TelegramSection()
    wechat: WechatSection = WechatSection()
    posts: PostSettings = PostSettings()
    schedules: tuple[ScheduleSettings, ...] = ()
    confirmations: ConfirmationSettings = ConfirmationSettings()
    alarms: AlarmSettings = AlarmSettings()
    tips: TipSettings = TipSettings()
    desk: DeskSettings = DeskSettings()
    retention: RetentionSettings = RetentionSettings()
    pacing: PacingTable = PacingTable()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load_settings` hands over: it reads the environment itself, so that a mistake can be told by its key."""
        return (init_settings,)

    @model_validator(mode="after")
    def _one_name_each(self) -> Settings:
        names = [schedule.name for schedule in self.schedules]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two schedules are named {name!r}; give each its own name")
        return self

    @property
    def database_url(self) -> str:
        """The database, whether it was named or not."""
        return self.storage.url or f"sqlite:///{self.bot.data_dir / 'qianshao.sqlite3'}"


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Settings from a file and the environment, which wins. Raises ConfigError that names everything to mend.

    Without a path `config.toml` in the current folder is read if there is one.
    """
    text, shown = _read(path)
    try:
        table = parse_toml(text)
    except TomlMistakes as error:
        raise ConfigError("\n".join(f"{shown}:{mistake.line}: {mistake.problem}" for mistake in error.mistakes)) from error
    merged = _merge(table, _from_environment(environ))
    try:
        return Settings(**merged)  # type: ignore[arg-type]
    except ValidationError as error:
        mistakes = explain(error, Settings, text)
        raise ConfigError("\n".join(_told(mistake, shown, environ) for mistake in mistakes)) from error


def environment_key(path: tuple[str | int, ...]) -> str:
    """QIANSHAO_WEB__PORT for ("web", "port")."""
    return PREFIX + "__".join(str(part) for part in path).upper()


def _read(path: Path | None) -> tuple[str, str]:
    if path is None and not DEFAULT_FILE.exists():
        return "", str(DEFAULT_FILE)
    file = path or DEFAULT_FILE
    try:
        return file.read_text(encoding="utf-8-sig"), str(file)
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such file; copy config.toml there, or leave --config out") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is not UTF-8 ({error.reason}); save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    ours = {key: value for key, value in environ.items() if key.startswith(PREFIX) and key not in OUTSIDE}
    sections = known_keys(Settings, ())
    problems = [_unknown_variable(key, sections) for key in sorted(ours) if _section_of(key) not in sections]
    if problems:
        raise ConfigError("\n".join(problems))
    source = EnvSettingsSource(Settings)
    source.env_vars = {key.lower(): value for key, value in ours.items()}
    try:
        return dict(source())
    except SettingsError:
        wrong = ", ".join(key for key in sorted(ours) if ours[key][:1] in ("[", "{")) or ", ".join(sorted(ours))
        raise ConfigError(f'{wrong}: lists and tables are written as JSON here, e.g. ["a", "b"]') from None


def _section_of(key: str) -> str:
    return key.removeprefix(PREFIX).lower().partition("__")[0]


def _unknown_variable(key: str, sections: tuple[str, ...]) -> str:
    for section in sections:
        if _section_of(key).startswith(f"{section}_"):
            rest = key.removeprefix(PREFIX)[len(section) + 1 :]
            return f"{key}: unknown; two underscores part section and key: {PREFIX}{section.upper()}__{rest}"
    near = difflib.get_close_matches(_section_of(key), sections, n=1)
    mend = f"did you mean {PREFIX}{near[0].upper()}__…?" if near else f"sections are {', '.join(sections)}"
    return f"{key}: unknown section; {mend}"


def _merge(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    merged = dict(below)
    for key, value in above.items():
        lower = merged.get(key)
        merged[key] = _merge(lower, value) if isinstance(lower, dict) and isinstance(value, dict) else value
    return merged


def _told(mistake: Mistake, shown: str, environ: Mapping[str, str]) -> str:
    given = {key.upper() for key in environ}
    for length in range(len(mistake.path), 0, -1):
        if (key := environment_key(mistake.path[:length])) in given:
            return f"{key}: {mistake.problem}"
    return f"{shown}:{mistake.line}: {mistake.problem}"
