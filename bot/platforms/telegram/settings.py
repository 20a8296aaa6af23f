"""What the Telegram platform is told from outside."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bot.errors import ConfigError

_TOKEN = re.compile(r"\d{1,20}:[A-Za-z0-9_-]{1,256}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")


@dataclass(frozen=True, slots=True)
class TelegramSettings:
    """How we talk to the Bot API. Times in seconds, sizes in bytes.

    `base_url` is the Bot API's root, without `/bot<token>`. With `webhook_url` Telegram calls us there, and we listen on
    `webhook_host`:`webhook_port` behind something that speaks HTTPS; without it we ask for updates ourselves.
    """

    token: str = field(repr=False)
    base_url: str = "https://api.telegram.org"
    webhook_url: str = ""
    webhook_host: str = "127.0.0.1"
    webhook_port: int = 8312
    webhook_secret: str = field(default="", repr=False)  # empty: a fresh one at every start
    poll_seconds: int = 25  # how long the server may hold a question for updates
    read_seconds: float = 20.0  # for an answer to anything else
    connect_seconds: float = 10.0
    stall_seconds: float = 90.0  # without a successful poll: everything is built anew
    most_body_bytes: int = 1_000_000  # of one call of the webhook
    section: str = "telegram"  # where these settings stand, for the operator

    def check(self) -> None:
        """Raise ConfigError with the mend for settings that cannot work. Never quotes the token."""
        if problem := token_problem(self.token):
            raise ConfigError(f"{self.section}.token: {problem}")
        if problem := root_problem(self.base_url):
            raise ConfigError(f"{self.section}.base_url: {problem}")
        if self.webhook_url and not self.webhook_url.startswith("https://"):
            raise ConfigError(f'{self.section}.webhook_url: Telegram calls only HTTPS; write "https://bot.example.cn/telegram"')
        if self.webhook_secret and not _SECRET.fullmatch(self.webhook_secret):
            raise ConfigError(f"{self.section}.webhook_secret: use 1 to 256 of A-Z a-z 0-9 _ -")

    @property
    def root(self) -> str:
        """`base_url` without a slash at the end."""
        return self.base_url.rstrip("/")

    @property
    def account(self) -> str:
        """The bot's own id, which a token begins with."""
        return self.token.partition(":")[0]

    @property
    def local(self) -> bool:
        """Whether the Bot API runs on this machine; then no proxy is asked."""
        host = urlsplit(self.base_url).hostname or ""
        try:
            return host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


def token_problem(token: str) -> str:
    """What is wrong with a token, without quoting it; empty when it looks right."""
    if not token:
        return "is missing; @BotFather gives one, it looks like 123456789:AA…"
    if _TOKEN.fullmatch(token):
        return ""
    return "does not look like a token of @BotFather (digits, a colon, letters); copy it again, all of it"


def root_problem(url: str) -> str:
    """What is wrong with the Bot API's root; empty when it is one."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return 'write "https://api.telegram.org" or the root of your own Bot API server'
    return "" if "/bot" not in parts.path else "is the root only, without /bot and the token"
