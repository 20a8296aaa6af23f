"""What the WeChat platform is told from outside."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path

from bot.errors import ConfigError

_ENDPOINT = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)):(?P<port>\d{1,5})")
_TOKEN = re.compile(r"[\x21-\x7e]{1,512}")
_PIN = re.compile(r"[0-9a-f]{64}")
_HOST = re.compile(r"(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class WechatSettings:
    """How we talk to one puppet service, which holds one WeChat account. Times in seconds, sizes in bytes.

    `account` is our own name for it. With `tls` the service proves who it is by a certificate that `ca_file` (or the system)
    vouches for and that names `tls_name` (or the host), or by being exactly the one with the SHA-256 `pin`.
    """

    endpoint: str
    token: str = field(repr=False)
    account: str = "main"
    tls: bool = True
    ca_file: Path | None = None
    pin: str = ""
    tls_name: str = ""
    file_hosts: tuple[str, ...] = ()  # where a file that the service names only by its address may be fetched; "*.example.cn"
    accept_friends: bool = True
    accept_invitations: bool = True
    introductions_per_hour: int = 60  # in groups where the account was before the bot
    connect_seconds: float = 5.0
    call_seconds: float = 10.0
    send_seconds: float = 15.0
    echo_seconds: float = 4.0  # how long the message itself is waited for when the answer to a send was lost
    fetch_seconds: float = 12.0
    name_seconds: float = 0.5  # how long a message may wait for the name of who wrote it
    calls: int = 32  # at a time
    room_calls: int = 4  # of these, for looking at groups
    room_fresh_seconds: float = 86_400.0
    ding_seconds: float = 10.0
    dead_seconds: float = 30.0  # without a sign of life
    first_wait: float = 0.2  # before the first reconnect, growing
    longest_wait: float = 2.0
    duplicate_seconds: float = 5.0

    def check(self) -> None:
        """Raise ConfigError with the mend for settings that cannot work. Never quotes the token."""
        for key, problem in (
            ("endpoint", endpoint_problem(self.endpoint)),
            ("token", token_problem(self.token)),
            ("account", "" if NAME.fullmatch(self.account) else 'use letters, digits, - and _, like "main"'),
            ("pin", pin_problem(self.pin)),
            ("ca_file", self._ca_problem()),
            ("tls", self._tls_problem()),
            ("file_hosts", hosts_problem(self.file_hosts)),
        ):
            if problem:
                raise ConfigError(f"wechat.{key}: {problem}")

    @property
    def host(self) -> str:
        """The endpoint's host."""
        return _split(self.endpoint)[0]

    @property
    def port(self) -> int:
        """The endpoint's port."""
        return _split(self.endpoint)[1]

    @property
    def fingerprint(self) -> str:
        """`pin` as 64 small hexadecimal digits; empty when there is none."""
        return bare_pin(self.pin)

    def _tls_problem(self) -> str:
        if self.tls or is_loopback(self.host):
            return ""
        return 'without TLS anybody on the way reads the token and every message; "off" is only for a service on this machine'

    def _ca_problem(self) -> str:
        if self.ca_file is None or self.ca_file.is_file():
            return ""
        return f"{self.ca_file} is no file; give the certificate of the authority that signed the service's certificate (PEM)"


def endpoint_problem(endpoint: str) -> str:
    """What is wrong with an endpoint; empty when it is one."""
    if not endpoint:
        return 'is missing; write where your puppet service listens, like "127.0.0.1:8788"'
    found = _ENDPOINT.fullmatch(endpoint)
    if found is None or not 0 < int(found["port"]) < 65536:
        return 'write host and port only, like "127.0.0.1:8788" or "gateway.example.cn:8788"'
    return ""


def token_problem(token: str) -> str:
    """What is wrong with a token, without quoting it; empty when it can be sent."""
    if not token:
        return "is missing; it is the token with which the puppet service was started"
    return "" if _TOKEN.fullmatch(token) else "has blanks or characters beyond ASCII; copy it again, all of it and nothing else"


def pin_problem(pin: str) -> str:
    """What is wrong with a certificate's fingerprint; empty when it is one, or none."""
    if not pin or _PIN.fullmatch(bare_pin(pin)):
        return ""
    return "is no SHA-256 fingerprint; `openssl x509 -in cert.pem -noout -fingerprint -sha256` prints one"


def hosts_problem(hosts: tuple[str, ...]) -> str:
    """What is wrong with the list of hosts for files; empty when nothing is."""
    for host in hosts:
        if not _HOST.fullmatch(host):
            return f'{host!r} is no host name; write "files.example.cn", or "*.example.cn" for all below it'
    return ""


def bare_pin(pin: str) -> str:
    """The fingerprint without colons and blanks, in small letters."""
    return re.sub(r"[\s:]", "", pin.rpartition("=")[2]).lower()


def is_loopback(host: str) -> bool:
    """Whether the host is this machine, by its name alone: nothing is looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(endpoint: str) -> tuple[str, int]:
    found = _ENDPOINT.fullmatch(endpoint)
    if found is None:
        raise ConfigError(f"wechat.endpoint: {endpoint_problem(endpoint)}")
    return found["six"] or found["host"], int(found["port"])
