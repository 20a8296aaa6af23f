"""The connections to one server: at most so many, kept open and used again, the last one first.

What fails in here before a request is written is `NotSent`: no free connection, no such host, refused, no TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import ssl
from collections import deque
from collections.abc import Sequence
from typing import cast

from aiohappyeyeballs import AddrInfoType, start_connection

from bot.platforms.telegram.connection import Answer, Connection
from bot.platforms.telegram.failures import NotSent, reason_of

SECOND_ADDRESS_SECONDS = 0.25  # after so long the other family of addresses is tried beside (RFC 8305)
ADDRESS_SECONDS = 10.0  # an address that was looked up is believed for so long


class Connections:
    """To `host` and `port`, with TLS by `tls`. `connect` is how long a request may wait for a connection, in seconds."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, *, most: int, connect: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._host = host
        self._port = port
        self._tls = tls
        self._most = most
        self._connect = connect
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._opening = 0
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = False
        self._looking_up = asyncio.Lock()
        self._addresses: Sequence[AddrInfoType] = ()
        self._known_until = -math.inf

    async def post(self, request: bytes, patience: float, limit: int) -> Answer:
        """Status and body of the answer. Raises NotSent, NoAnswer, TooLarge (an answer of more than `limit` bytes)."""
        connection = self._free() or await self._another()
        try:
            return await connection.ask(request, patience, limit)
        finally:
            self._give_back(connection)

    def close(self) -> None:
        """End all connections; what is under way has no answer."""
        self._closed = True
        for connection in list(self._all):
            connection.close()
        self._all.clear()
        self._idle.clear()
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(NotSent("closed"))
        self._waiting.clear()

    def _free(self) -> Connection | None:
        """A connection that waits for work."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.fresh():
                return connection
            self._drop(connection)
        return None

    async def _another(self) -> Connection:
        """A new connection, or the first that is given back."""
        try:
            async with asyncio.timeout(self._connect):
                while True:
                    if self._closed:
                        raise NotSent("closed")
                    if len(self._all) + self._opening < self._most:
                        return await self._open()
                    connection = await self._wait()
                    if connection is not None:
                        return connection
        except (TimeoutError, OSError, ValueError) as problem:
            raise NotSent(reason_of(problem)) from None

    async def _wait(self) -> Connection | None:
        """What is given back next; None when there is room for a new one."""
        waiting: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiting.append(waiting)
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                given = waiting.result()  # given in the same moment in which we gave up
                self._pass_on(given)
            else:
                with contextlib.suppress(ValueError):
                    self._waiting.remove(waiting)
            raise

    async def _open(self) -> Connection:
        self._opening += 1
        made: Connection | None = None
        try:
            plain = await start_connection(await self._look_up(), happy_eyeballs_delay=SECOND_ADDRESS_SECONDS, interleave=1)
            try:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                _, made = await self._loop.create_connection(
                    lambda: Connection(self._loop, self._drop),
                    sock=plain,
                    ssl=self._tls,
                    server_hostname=self._host if self._tls is not None else None,
                )
            except BaseException:
                plain.close()
                raise
        finally:
            self._opening -= 1
            if made is None:
                self._pass_on(None)
        if self._closed:
            made.close()
            raise NotSent("closed")
        self._all.add(made)
        return made

    async def _look_up(self) -> Sequence[AddrInfoType]:
        """Where the host is; many who ask at once ask once."""
        async with self._looking_up:
            if self._loop.time() >= self._known_until:
                found = await self._loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
                self._addresses = cast(Sequence[AddrInfoType], found)
                self._known_until = self._loop.time() + ADDRESS_SECONDS
            return self._addresses

    def _give_back(self, connection: Connection) -> None:
        if connection in self._all and connection.reusable():
            self._pass_on(connection)
        else:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        """It is of no use any more."""
        if connection in self._all:
            self._all.discard(connection)
            connection.close()
            with contextlib.suppress(ValueError):
                self._idle.remove(connection)
            self._pass_on(None)

    def _pass_on(self, connection: Connection | None) -> None:
        """To who has waited longest: a connection, or the word that there is room for a new one."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(connection)
                return
        if connection is not None:
            self._idle.append(connection)
