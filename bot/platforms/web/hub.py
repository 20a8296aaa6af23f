"""Who is connected right now, and that each of them gets what is said in order, even while they catch up."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from bot.platforms.web.wire import Json, dump

GOODBYE_SECONDS = 1.0
MOST_HELD = 5000  # frames that wait while a browser catches up


class Socket(Protocol):
    """The part of a WebSocket that is written to."""

    async def send_str(self, data: str) -> None: ...

    async def close(self, *, code: int = 1000, message: bytes = b"") -> bool: ...


class Outbox:
    """Frames on their way to one browser. It makes nobody wait: whoever reads too slowly is let go."""

    def __init__(self, socket: Socket, most_bytes: int, abort: Callable[[], None]) -> None:
        """`abort` cuts the connection when even the goodbye does not get through."""
        self._socket = socket
        self._most_bytes = most_bytes
        self._abort = abort
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._work = asyncio.Event()
        self._space = asyncio.Event()
        self._space.set()
        self._last: str | None = None  # the frame after which the connection ends
        self._task = asyncio.create_task(self._carry())

    def put(self, frame: str, *, whatever_size: bool = False) -> bool:
        """Queue a frame; false when too much is queued already and the connection has to end."""
        if self._last is not None:
            return True
        coded = frame.encode("utf-8", "replace")
        if self._bytes + len(coded) > self._most_bytes and not whatever_size:
            return False
        self._frames.append(coded)
        self._bytes += len(coded)
        if self._bytes > self._most_bytes // 4:
            self._space.clear()
        self._work.set()
        return True

    async def space(self) -> bool:
        """Return when there is room for another page; false when the connection ends instead."""
        await self._space.wait()
        return self._last is None

    def end(self, last: str, *, drop: bool = False) -> None:
        """Send what is queued (unless `drop`), then `last`, then close."""
        if self._last is not None:
            return
        self._last = last
        if drop:
            self._frames.clear()
        self._space.set()
        self._work.set()
        asyncio.get_running_loop().call_later(GOODBYE_SECONDS, self._abort)

    async def stop(self) -> None:
        """The socket is gone: forget what is queued."""
        self._last = self._last or ""
        self._space.set()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _carry(self) -> None:
        # a connection that breaks while we write is found by its reader; here it only ends the writing
        with contextlib.suppress(ConnectionError, RuntimeError):
            while True:
                while self._frames:
                    frame = self._frames.popleft()
                    await self._socket.send_str(frame.decode())
                    self._bytes -= len(frame)
                    if self._bytes <= self._most_bytes // 4:
                        self._space.set()
                if self._last is not None:
                    await self._socket.send_str(self._last)
                    await self._socket.close()
                    return
                self._work.clear()
                await self._work.wait()


class Line:
    """One connected browser of one person: numbered frames in the order of their numbers, each once."""

    def __init__(self, person: str, session: str, outbox: Outbox, slow: str) -> None:
        """`session` is the hash of the token; `slow` the goodbye to a reader who is too slow."""
        self.person = person
        self.session = session
        self._outbox = outbox
        self._slow = slow
        self._seen: dict[str, int] = {}
        self._held: list[tuple[str, int, str]] | None = []

    def welcome(self, frame: dict[str, Json]) -> None:
        """Send the first frame. Somebody in very many rooms has a long one, and is no slow reader for it."""
        self._outbox.put(dump(frame), whatever_size=True)

    def post(self, frame: dict[str, Json]) -> None:
        """Send a frame that has no number."""
        self._put(dump(frame))

    def post_numbered(self, room: str, seq: int, frame: str) -> None:
        """Send what just happened in a room; it waits while this browser still has to hear what came before."""
        if self._held is None:
            self.pass_on(room, seq, frame)
        elif len(self._held) < MOST_HELD:
            self._held.append((room, seq, frame))
        else:
            self._outbox.end(self._slow, drop=True)

    def start_at(self, room: str, seq: int) -> None:
        """Everything in this room up to `seq` is known on the other side."""
        self._seen[room] = seq

    def pass_on(self, room: str, seq: int, frame: str) -> None:
        """Send a numbered frame now, unless it was sent before."""
        if seq > self._seen.get(room, -1):
            self._seen[room] = seq
            self._put(frame)

    def caught_up(self) -> None:
        """Let through what waited."""
        held, self._held = self._held or [], None
        for room, seq, frame in held:
            self.pass_on(room, seq, frame)

    async def space(self) -> bool:
        """Wait until another page may be queued; false when the connection ends."""
        return await self._outbox.space()

    def end(self, code: str, text: str) -> None:
        """Say goodbye and close."""
        self._outbox.end(dump({"t": "bye", "code": code, "text": text}))

    def _put(self, frame: str) -> None:
        if not self._outbox.put(frame):
            self._outbox.end(self._slow, drop=True)


class Hub:
    """Every line, by person."""

    def __init__(self) -> None:
        self._lines: dict[str, set[Line]] = {}

    def add(self, line: Line) -> None:
        """A browser is connected."""
        self._lines.setdefault(line.person, set()).add(line)

    def remove(self, line: Line) -> None:
        """It is gone."""
        lines = self._lines.get(line.person, set())
        lines.discard(line)
        if not lines:
            self._lines.pop(line.person, None)

    def of(self, person: str) -> list[Line]:
        """This person's lines."""
        return list(self._lines.get(person, ()))

    def all(self) -> list[Line]:
        """Everybody's lines."""
        return [line for lines in self._lines.values() for line in lines]

    def tell(self, people: Iterable[str], room: str, seq: int, frame: Callable[[str], str]) -> None:
        """Send a numbered frame to everybody of `people` who is here; `frame` makes it for one person."""
        for person in people:
            lines = self._lines.get(person)
            if lines:
                made = frame(person)
                for line in list(lines):
                    line.post_numbered(room, seq, made)
