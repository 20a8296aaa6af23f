"""A TCP proxy that can be cut: what two machines see when the network between them goes.

async with FaultProxy("/path/to/socket") as proxy:   # or ("host", port)
    proxy.port
    proxy.partition()     # bytes are swallowed in both directions, connections stay open, new ones get no answer
    proxy.heal()          # what was swallowed is lost: those connections are closed
"""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType


class FaultProxy:
    """Passes bytes on between its port and `target`, a Unix socket's path or (host, port)."""

    def __init__(self, target: str | tuple[str, int]) -> None:
        self._target = target
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._swallowed: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections = 0

    async def __aenter__(self) -> FaultProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in {*self._writers, *self._swallowed}:
            writer.transport.abort()
        await asyncio.sleep(0.01)  # transports close themselves in the loop's next turns

    def partition(self) -> None:
        """Nothing comes through from now on."""
        self._open.clear()

    def heal(self) -> None:
        """Everything comes through again on new connections."""
        for writer in self._swallowed:
            writer.transport.abort()
        self._swallowed.clear()
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        self.connections += 1
        self._writers.add(writer)
        try:
            if not self._open.is_set():
                self._swallowed.add(writer)
                await self._open.wait()
                return
            if isinstance(self._target, str):
                there_reader, there = await asyncio.open_unix_connection(self._target)
            else:
                there_reader, there = await asyncio.open_connection(*self._target)
            self._writers.add(there)
            try:
                async with asyncio.TaskGroup() as ways:
                    ways.create_task(self._pass(reader, there, writer))
                    ways.create_task(self._pass(there_reader, writer, there))
            finally:
                self._writers.discard(there)
                there.transport.abort()
        except* (OSError, asyncio.CancelledError):
            pass  # somebody closed, or the end of the test
        finally:
            self._writers.discard(writer)
            writer.transport.abort()
            self._tasks.discard(task)  # type: ignore[arg-type]

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, other: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not self._open.is_set():
                self._swallowed.update((writer, other))  # these bytes are gone, and with them the connection
                await self._open.wait()
                raise OSError("partitioned")
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()
        raise OSError("closed")
