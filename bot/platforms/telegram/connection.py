"""One connection to a server: a POST and its whole answer, then the next one. HTTP/1.1 by llhttp, which refuses what is unclear.

Whoever writes a request here has let it out of the house: from then on every failure is `NoAnswer`, never `NotSent`.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from telegram.error import TelegramError

from bot.platforms.telegram.failures import NoAnswer, NotSent, TooLarge

MOST_HEAD_BYTES = 65_536
IDLE_SECONDS = 20.0  # an idle connection that the server closes is the usual way to lose an answer, so we are first
LOOK_AGAIN_SECONDS = 0.5  # after so much idleness it is looked at before it is trusted

Answer = tuple[int, bytes]  # status and body


class Connection(asyncio.Protocol):
    """Used by one request at a time. `on_lost` is told once when the connection has ended while nobody used it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_lost: Callable[[Connection], None]) -> None:
        self._loop = loop
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._poll: select.poll | None = None
        self._parser: HttpResponseParser | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = 0.0
        self._until = 0.0  # when patience with the answer, or idleness, ends
        self._limit = 0
        self._come = 0  # bytes of this answer so far, and of them its body's
        self._size = 0
        self._parts: list[bytes] = []
        self._head_ended = False
        self._ends_with_connection = False
        self._keep = True
        self.idle_since = 0.0

    # --- what the pool asks ------------------------------------------------------------------------------------------

    def ask(self, request: bytes, patience: float, limit: int) -> asyncio.Future[Answer]:
        """Write `request`; the future gets the answer, `NotSent` if it ended before, `NoAnswer` after so many seconds, or
        `TooLarge` beyond `limit` bytes."""
        transport = self._transport
        self._answer = answer = self._loop.create_future()
        if transport is None or transport.is_closing():
            self._answer = None
            answer.set_exception(NotSent("closed"))
            return answer
        self._parser = self._parser or HttpResponseParser(self)
        self._limit = limit
        self._come = self._size = 0
        self._parts = []
        self._head_ended = False
        self._wait_until(self._loop.time() + patience)
        transport.write(request)
        return answer

    def reusable(self) -> bool:
        """Whether the last answer came whole and nothing speaks against a next one. The connection is idle from now on."""
        transport = self._transport
        if self._answer is not None or not self._keep or transport is None or transport.is_closing():
            return False
        if transport.get_write_buffer_size():
            return False  # answered before it was asked to the end
        self.idle_since = self._loop.time()
        self._wait_until(self.idle_since + IDLE_SECONDS)
        return True

    def fresh(self) -> bool:
        """Whether it may be used again: what came while it was idle, the server's good-bye above all, may not be read yet."""
        if self._transport is None or self._transport.is_closing():
            return False
        if self._poll is None or self._loop.time() - self.idle_since < LOOK_AGAIN_SECONDS:
            return True
        return not self._poll.poll(0)

    def close(self, why: str = "closed") -> None:
        """End it; a request under way has no answer."""
        self._keep = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
        self._fail(NoAnswer(why))

    # --- what the event loop tells -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        socket = transport.get_extra_info("socket")
        if socket is not None and socket.fileno() >= 0:
            self._poll = select.poll()
            self._poll.register(socket.fileno(), select.POLLIN)
        self.idle_since = self._loop.time()

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._parser is None:
            self.close()  # nobody asked: whatever it is, the next one must not take it for an answer
            return
        self._come += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as problem:
            self._keep = False
            ours = problem.__context__
            self._fail(ours if isinstance(ours, TelegramError) else NoAnswer(type(problem).__name__))
            return
        if self._come > (self._limit + MOST_HEAD_BYTES if self._head_ended else MOST_HEAD_BYTES):
            self._fail(TooLarge("too large"))

    def eof_received(self) -> bool:
        if self._answer is not None and self._head_ended and self._ends_with_connection:
            self.on_message_complete()
            self._keep = False
        return False

    def connection_lost(self, problem: Exception | None) -> None:
        self._transport = self._poll = None
        self.close(type(problem).__name__ if problem is not None else "disconnected")
        self._on_lost(self)

    def _check_patience(self) -> None:
        self._timer = None
        now = self._loop.time()
        if now < self._until:
            self._wait_until(self._until)
        elif self._answer is not None:
            self.close("TimeoutError")
        else:
            self.close("idle")

    def _wait_until(self, until: float) -> None:
        """One timer for all requests: it is only set anew when it would ring too late."""
        self._until = until
        if self._timer is not None and self._rings_at > until:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._rings_at = until
            self._timer = self._loop.call_at(until, self._check_patience)

    def _fail(self, problem: TelegramError) -> None:
        answer, self._answer = self._answer, None
        self._keep = False
        if answer is not None and not answer.done():
            answer.set_exception(problem)

    # --- what the parser finds ---------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._ends_with_connection = True
        if self._answer is None:
            self._keep = False  # a second answer to one question

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"content-length":
            self._ends_with_connection = False
            if int(value) > self._limit:
                raise TooLarge("too large")
        elif name == b"transfer-encoding":
            self._ends_with_connection = False  # llhttp knows chunked and refuses what it does not know
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise NoAnswer("ContentEncoding")  # we asked for none

    def on_headers_complete(self) -> None:
        self._head_ended = True

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > self._limit:
            raise TooLarge("too large")
        self._parts.append(body)

    def on_message_complete(self) -> None:
        parser = self._parser
        answer = self._answer
        if parser is None or answer is None:
            return
        status = parser.get_status_code()
        if 100 <= status < 200:  # the answer itself is still to come
            self._head_ended = False
            self._parts = []
            return
        self._answer = None
        self._keep = parser.should_keep_alive()
        parts = self._parts
        if not answer.done():
            answer.set_result((status, parts[0] if len(parts) == 1 else b"".join(parts)))
