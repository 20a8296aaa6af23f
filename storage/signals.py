"""Hearing of other nodes' commits (`LISTEN`), with a heartbeat that tells how late we may be; and one node to a name.

One connection of its own, in the event loop. A signal carries at most a row's number and never what somebody said. After every
connection, the first included, whoever depends on signals reads its rows again, so a lost signal is only ever a late one.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime

import psycopg
import structlog
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import make_url

from storage.engine import PATIENCE
from storage.watchdog import cut
from storage.writer import StorageUnavailable

log = structlog.get_logger(__name__)

CHANNELS = ("qianshao_inbox", "qianshao_outbox", "qianshao_timer", "qianshao_alarm", "qianshao_dialog", "qianshao_campaign")
NAME_LOCK = 7_265_033  # any number of our own: the class of the locks on names of nodes
HEARTBEAT_SECONDS = 0.5
ANSWER_SECONDS = 3.0  # a heartbeat that takes longer ends the connection
FRESH_SECONDS = 2.0  # what was heard counts as complete for so long after the last heartbeat began
AGAIN_SECONDS = 0.3

OnSignal = Callable[[str], None]
TellTime = Callable[[datetime, float, float], None]
Connection = psycopg.AsyncConnection[tuple[object, ...]]


class NameTaken(Exception):
    """Another process with this node's name is alive."""


class Signals:
    """Calls `hear(channel, handler)`'s handlers with the payload, and `on_connect` after every connection.

    `tell_time` gets the database's clock and the monotonic times before and after it was asked.
    """

    def __init__(self, url: str, node: str, tell_time: TellTime | None = None) -> None:
        parsed = make_url(url).set(drivername="postgresql")
        self._address = make_conninfo(parsed.render_as_string(hide_password=False), **PATIENCE)
        self._node = node
        self._tell_time = tell_time
        self._handlers: dict[str, OnSignal] = {}
        self._on_connect: list[Callable[[], Awaitable[None]]] = []
        self._fresh_until = 0.0
        self._fresh = asyncio.Event()
        self._named = asyncio.Event()

    def hear(self, channel: str, handler: OnSignal) -> None:
        """Call `handler` with the payload of every signal on this channel."""
        self._handlers[channel] = handler

    def on_connect(self, read_again: Callable[[], Awaitable[None]]) -> None:
        """Call this after every connection, before its signals."""
        self._on_connect.append(read_again)

    async def started(self) -> None:
        """Return once this node's name is ours and everything was read for the first time."""
        await self._named.wait()
        await self._fresh.wait()

    @property
    def fresh(self) -> bool:
        """Whether we know everything that was committed more than `FRESH_SECONDS` ago."""
        return time.monotonic() < self._fresh_until

    async def freshness(self) -> None:
        """Wait until we know again."""
        while not self.fresh:
            self._fresh.clear()
            await self._fresh.wait()

    async def run(self) -> None:
        """Listen until cancelled. Raises NameTaken when another process goes by this node's name."""
        while True:
            try:
                await self._listen()
            except (psycopg.Error, StorageUnavailable, TimeoutError, OSError) as problem:
                log.warning("signals.lost", problem=type(problem).__name__)
            self._fresh_until = 0.0
            await asyncio.sleep(AGAIN_SECONDS)

    async def _listen(self) -> None:
        connection: Connection = await psycopg.AsyncConnection.connect(self._address, autocommit=True)
        try:
            with _patience(connection):
                await self._claim_name(connection)
                for channel in CHANNELS:
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            for read_again in self._on_connect:
                await read_again()
            while True:
                await self._beat(connection)
                async for signal in connection.notifies(timeout=HEARTBEAT_SECONDS):
                    self._pass_on(signal.channel, signal.payload)
        finally:
            cut(connection.fileno())  # a connection without answers cannot be closed politely
            with contextlib.suppress(psycopg.Error, OSError):
                await connection.close()

    async def _claim_name(self, connection: Connection) -> None:
        """Hold the name for as long as this connection lives. A predecessor's lock ends with its process."""
        lock = zlib.crc32(self._node.encode()) & 0x7FFFFFFF
        cursor = await connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (NAME_LOCK, lock))
        row = await cursor.fetchone()
        if row is None or not row[0]:
            raise NameTaken(self._node)
        self._named.set()

    async def _beat(self, connection: Connection) -> None:
        """Ask for the time; whatever was committed before the answer has been heard or lies in the connection's buffer."""
        asked = time.monotonic()
        with _patience(connection):
            cursor = await connection.execute("SELECT clock_timestamp()")
            row = await cursor.fetchone()
        if row is not None and isinstance(row[0], datetime) and self._tell_time is not None:
            self._tell_time(row[0].astimezone(UTC), asked, time.monotonic())
        self._fresh_until = asked + FRESH_SECONDS
        self._fresh.set()

    def _pass_on(self, channel: str, payload: str) -> None:
        handler = self._handlers.get(channel)
        if handler is not None:
            handler(payload)


@contextlib.contextmanager
def _patience(connection: Connection) -> Iterator[None]:
    """Cut the line when there is no answer in time: cancelling a query would wait for the server once more."""
    overdue = asyncio.get_running_loop().call_later(ANSWER_SECONDS, cut, connection.fileno())
    try:
        yield
    finally:
        overdue.cancel()
