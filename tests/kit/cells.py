"""The cells of the scenario matrix: a platform's peer and a database engine for every scenario.

`cell` is the one in which a test runs; a `Scenario` that is not told otherwise takes it. By default that is the fake web platform
on a SQLite file. With QIANSHAO_MATRIX=all every test of tests/scenarios runs in all of them (see tests/scenarios/conftest.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

import psycopg

from tests.kit.fake_platform import FakePlatform
from tests.kit.peer import Peer
from tests.kit.telegram_peer import TelegramPeer
from tests.kit.wechat_peer import WechatPeer

NowFunction = Callable[[], datetime]
PeerMaker = Callable[[NowFunction], Peer]


def web_peer(clock: NowFunction) -> Peer:
    """The stand-in that scenarios use by default."""
    return FakePlatform("web", "web", clock=clock)


PEERS: dict[str, PeerMaker] = {"web": web_peer, "telegram": TelegramPeer, "wechat": WechatPeer}
ENGINES = ("sqlite", "postgresql")
DEFAULT = "web-sqlite"


class Postgres:
    """Databases on one running server: the sample district is laid once for each platform and copied after that."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._laid: set[str] = set()

    def named(self, name: str) -> str:
        """The URL of a database of this name."""
        return self.url.replace("/postgres?", f"/{name}?")

    def template(self, name: str, lay: Callable[[str], None]) -> str:
        """The database `name`; the first time `lay(url)` fills it."""
        if name not in self._laid:
            self._run(f"CREATE DATABASE {name}")
            lay(self.named(name))
            self._laid.add(name)
        return name

    def copy(self, template: str) -> str:
        """The URL of a new database with the content of `template`."""
        name = f"s{uuid.uuid4().hex[:12]}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.named(name)

    def drop(self, url: str) -> None:
        """The database is needed no longer."""
        name = urlsplit(url).path.lstrip("/")
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as admin:
            admin.execute(statement)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. `plain` means the default one, in which nothing is spared for speed's sake."""

    peer: PeerMaker = field(default=web_peer)
    postgres: Postgres | None = None
    plain: bool = True


cell: ContextVar[Cell] = ContextVar("cell", default=Cell())  # noqa: B039 (frozen)


def names(which: str) -> list[str]:
    """The names of the cells that the environment asks for: "all", or some separated by commas, or nothing for the default."""
    everything = [f"{platform}-{engine}" for platform in PEERS for engine in ENGINES]
    wanted = everything if which == "all" else [name.strip() for name in (which or DEFAULT).split(",")]
    unknown = sorted(set(wanted) - set(everything))
    if unknown:
        raise ValueError(f"QIANSHAO_MATRIX: there is no {unknown}; there are {everything}")
    return wanted
