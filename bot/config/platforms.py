"""The platforms' sections of config.toml, and how fast the bot may speak on each."""

from __future__ import annotations

import math
from dataclasses import replace

from pydantic import Field, model_validator

from bot.allowance import AccountRule
from bot.config.kinds import OnOff, Section
from bot.pacing import PacingRule


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
    tls: OnOff = Field(default="on", description='"on"; "off" only for a service on this machine')
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
