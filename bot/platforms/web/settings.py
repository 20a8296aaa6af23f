"""What the web platform is told from outside: settings, officers and the people and rooms to start with."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, Protocol, TypeAlias
from urllib.parse import urlsplit

from bot.errors import ConfigError

Role = Literal["resident", "officer", "bot"]

ACCOUNT = "web"
BOT_ID = "bot"
BADGE = re.compile(r"[A-Za-z0-9_\-]{1,40}")  # what an officer can sign in with
_ID = re.compile(r"[A-Za-z0-9_.:\-]{1,64}")


@dataclass(frozen=True, slots=True)
class WebSettings:
    """How the web chat serves. Times in the unit that the name says; sizes in bytes or characters."""

    host: str = "127.0.0.1"
    port: int = 8311
    demo: bool = False  # anybody may be any of the sample people; loopback only
    public_url: str = ""  # as people type it, e.g. "https://chat.example.cn"; needed when not on loopback
    allowed_origins: tuple[str, ...] = ()  # further origins whose pages may talk to us
    behind_proxy: bool = False  # then the last X-Forwarded-For entry names the caller
    keep_days: int = 7  # messages and photos; 0 keeps them in memory only
    bot_name: str = "前哨"
    max_upload_bytes: int = 15_000_000
    max_text: int = 5000
    max_photos: int = 9
    recall_seconds: int = 120
    invite_days: int = 7
    resident_session_days: int = 30
    officer_session_hours: int = 12
    hello_seconds: float = 10.0
    connections_per_address: int = 64
    frames_per_second: int = 20
    most_queued_bytes: int = 1_000_000
    retry_seconds: float = 10.0  # how long after a failed hand-over to the bot the next attempt comes

    def check(self) -> None:
        """Raise ConfigError when these settings would open something that has to stay shut."""
        if self.demo and not is_loopback(self.host):
            raise ConfigError(
                f'web.host = "{self.host}": the demonstration lets anybody be anybody and runs only on 127.0.0.1 or ::1; '
                "set web.host to 127.0.0.1, or bot.demo = false"
            )
        if self.demo and not self.local:
            raise ConfigError(
                "the demonstration lets anybody be anybody and is only for this machine; take web.public_url and "
                "web.behind_proxy away, or set bot.demo = false"
            )
        if not is_loopback(self.host) and not self.public_url:
            raise ConfigError('web.public_url is missing: say how people reach the page, e.g. "https://chat.example.cn"')
        if self.public_url and not (urlsplit(self.public_url).scheme in ("http", "https") and urlsplit(self.public_url).netloc):
            raise ConfigError(f'web.public_url = "{self.public_url}": an address like "https://chat.example.cn" is needed')

    @property
    def local(self) -> bool:
        """Whether the page is for this machine alone: a loopback address, and nothing in front that passes others on to it."""
        public = urlsplit(self.public_url).hostname
        return is_loopback(self.host) and not self.behind_proxy and (public is None or is_loopback(public))

    @property
    def tls(self) -> bool:
        """Whether people reach us through TLS; cookies are then bound to it."""
        return self.public_url.startswith("https://")

    def origins(self, port: int) -> frozenset[str]:
        """Origins of our own pages when we listen on `port`."""
        own = {origin.rstrip("/") for origin in self.allowed_origins}
        if self.public_url:
            parts = urlsplit(self.public_url)
            own.add(f"{parts.scheme}://{parts.netloc}")
        if is_loopback(self.host):
            own.update(f"http://{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]"))
        return frozenset(own)

    def address(self, port: int) -> str:
        """How people reach us, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{port}").rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class OfficerCard:
    """An officer of the roster, as the chat shows them."""

    badge: str
    name: str
    title: str


OfficerRooms: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]  # ids of the groups that an officer's roles reach, by badge


class OfficerGate(Protocol):
    """What the web platform asks of the roster. It never learns more than the card."""

    async def check_code(self, badge: str, code: str) -> OfficerCard | None:
        """Use up a one-time code; None when it is wrong, used, expired or not this badge's."""
        ...

    async def officer(self, badge: str) -> OfficerCard | None:
        """The officer as of now; None when no longer on the roster."""
        ...


def officer_id(badge: str) -> str:
    """The web account of the officer with this badge. The roster binds (web, web, this id)."""
    plain = f"officer-{badge}"
    if usable_id(plain):
        return plain
    return f"officer:{blake2b(badge.encode(), digest_size=12).hexdigest()}"  # 民警001


def usable_id(text: str) -> bool:
    """Whether a room or a person of the web chat can have this id."""
    return _ID.fullmatch(text) is not None and text != BOT_ID


@dataclass(frozen=True, slots=True)
class UserSeed:
    """A person who is there from the start. In the demonstration everybody seeded can be played; outside it only officers are
    seeded (`id` from officer_id, with their badge), so that they are in their rooms when they sign in."""

    id: str
    name: str
    role: Role = "resident"
    title: str = ""
    badge: str | None = None


@dataclass(frozen=True, slots=True)
class RoomSeed:
    """A group room; its id is 1 to 64 of A-Z a-z 0-9 _ . : -. `members` are user ids; the bot is in every room. In an officers'
    room residents only read."""

    id: str
    name: str
    labels: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    officers_only: bool = False


@dataclass(frozen=True, slots=True)
class TrySeed:
    """One suggestion of the guided list: be `persona`, go to `room`, say `text`."""

    title: str
    text: str
    persona: str
    room: str


@dataclass(frozen=True, slots=True)
class RoomCard:
    """A group room as an administrator sees it."""

    id: str
    name: str
    labels: tuple[str, ...]
    people: int
