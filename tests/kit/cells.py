"""The cells of the scenario matrix: a platform's peer and a database engine for every scenario.

`cell` is the one in which a test runs; a `Scenario` that is not told otherwise takes it: the fake web platform on a SQLite file.
With QIANSHAO_MATRIX=turn every test of tests/scenarios runs in the cell whose turn it is, another platform on PostgreSQL; with
QIANSHAO_MATRIX=all in all of them (see tests/scenarios/conftest.py).
"""

from __future__ import annotations

import uuid
import zlib
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
TURN = "turn"
TURNS = ("telegram-postgresql", "wechat-postgresql")


# what a database needs to be as it was laid: its rows and counters apart, and how they come back
_KEEP = """
CREATE SCHEMA laid;
CREATE TABLE laid.counters AS SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public';
CREATE TABLE laid.names AS SELECT table_name AS tablename, string_agg(quote_ident(column_name), ', ') AS columns
    FROM information_schema.columns WHERE table_schema = 'public' AND is_generated = 'NEVER' GROUP BY table_name;
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM laid.names LOOP
        EXECUTE format('CREATE TABLE laid.%I AS TABLE public.%I', 'of ' || name, name);
    END LOOP;
END $$;
CREATE FUNCTION laid.restore() RETURNS void LANGUAGE plpgsql AS $$ DECLARE name text; columns text; BEGIN
    SET LOCAL session_replication_role = replica;
    FOR name, columns IN SELECT * FROM laid.names LOOP
        EXECUTE format('DELETE FROM public.%I', name);
        EXECUTE format(
            'INSERT INTO public.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM laid.%I', name, columns, columns, 'of ' || name
        );
    END LOOP;
    PERFORM setval(format('public.%I', sequencename)::regclass, coalesce(last_value, 1), last_value IS NOT NULL)
        FROM laid.counters;
END $$;
"""
_ALONE = "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"


class Postgres:
    """Databases on one running server: the sample district is laid once for each platform and copied after that.

    A copy takes a third of a second of a processor, so it is lent to one test after the other; in between its rows are put back.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._idle: dict[str, list[str]] = {}  # by template
        self._lent: dict[str, str] = {}  # url -> template

    def named(self, name: str) -> str:
        """The URL of a database of this name."""
        return self.url.replace("/postgres?", f"/{name}?")

    def lend(self, template: str, lay: Callable[[str], None]) -> str:
        """The URL of a database with what `lay(url)` put into `template` the first time."""
        if template not in self._idle:
            with self._connected() as admin:
                admin.execute(f"CREATE DATABASE {template}")  # type: ignore[arg-type]
            lay(self.named(template))
            with self._connected(template) as inside:
                inside.execute(_KEEP)
            with self._connected() as admin:
                admin.execute(f"ALTER DATABASE {template} ALLOW_CONNECTIONS false")  # type: ignore[arg-type]
                # one that is still leaving would forbid the copy
                admin.execute(_ALONE, (template,))
            self._idle[template] = []
        if self._idle[template]:
            url = self._idle[template].pop()
        else:
            name = f"s{uuid.uuid4().hex[:12]}"
            with self._connected() as admin:
                admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")  # type: ignore[arg-type]
            url = self.named(name)
        self._lent[url] = template
        return url

    def take_back(self, url: str) -> None:
        """The database is needed no longer: nobody is left in it, and the next one finds it as it was laid."""
        name = urlsplit(url).path.lstrip("/")
        with self._connected(name) as inside:
            inside.execute(_ALONE, (name,))
            inside.execute("SELECT laid.restore()")
        self._idle[self._lent.pop(url)].append(url)

    def _connected(self, name: str = "") -> psycopg.Connection:
        return psycopg.connect(self.named(name) if name else self.url, autocommit=True)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. `plain` means the default one, in which nothing is spared for speed's sake."""

    peer: PeerMaker = field(default=web_peer)
    postgres: Postgres | None = None
    plain: bool = True


cell: ContextVar[Cell] = ContextVar("cell", default=Cell())  # noqa: B039 (frozen)


def names(which: str) -> list[str]:
    """The names of the cells that the environment asks for: "all", or some separated by commas, or nothing for the usual one.

    "turn" stands for the cell whose turn it is for a test.
    """
    everything = [f"{platform}-{engine}" for platform in PEERS for engine in ENGINES]
    wanted = everything if which == "all" else [name.strip() for name in (which or DEFAULT).split(",")]
    unknown = sorted(set(wanted) - {*everything, TURN})
    if unknown:
        raise ValueError(f"QIANSHAO_MATRIX: there is no {unknown}; there are {everything}")
    return wanted


def turn(test: str, differs: Callable[[str], bool]) -> str:
    """The cell whose turn it is for a test: of the two always the same one, unless the test differs there alone."""
    first = zlib.crc32(test.encode()) % len(TURNS)
    order = (*TURNS[first:], *TURNS[:first])
    return next((name for name in order if not differs(name)), order[0])
