"""python-telegram-bot's requests on aiohttp, with the two things that its own client does not tell.

* Whether a request that failed can have arrived: `NotSent` (it certainly has not), `Refused` (the server says itself that it did
  nothing), `NoAnswer` (nobody knows).
* Nothing of an answer or of the address is ever logged or quoted: the address has the token in it, the answer what people said.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import aiohttp
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

MOST_ANSWER_BYTES = 64_000_000


class NotSent(NetworkError):
    """The request never left: no connection, no free place, no such host."""


class Refused(NetworkError):
    """The server answered that it failed, in the Bot API's own form: nothing was done."""


class NoAnswer(TimedOut):
    """The request left us and no whole answer came."""


class SlowDown(TelegramError):
    """Too many requests; nothing was done. `seconds` is how long to wait. (The library's RetryAfter warns when it is made.)"""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"wait {seconds:.0f} s")
        self.seconds = seconds


class TooLarge(TelegramError):
    """A file has more bytes than were allowed."""


_KINDS: dict[int, type[TelegramError]] = {400: BadRequest, 401: InvalidToken, 403: Forbidden, 404: InvalidToken, 409: Conflict}


class AiohttpRequest(BaseRequest):
    """One pool of connections. Times in seconds. `proxies`: whether HTTPS_PROXY and its like are obeyed."""

    def __init__(self, *, connections: int, read: float, connect: float, proxies: bool) -> None:
        self._connections = connections
        self._read = read
        self._connect = connect
        self._proxies = proxies
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float | None:
        """How long an answer may take."""
        return self._read

    async def initialize(self) -> None:
        """Open the pool; again and again is fine."""
        if self._session is not None and not self._session.closed:
            return
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_note_leaving)
        self._session = aiohttp.ClientSession(
            # an idle connection that the server closes is the usual way to lose an answer, so ours are given up before that
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=20),
            trace_configs=[trace],
            trust_env=self._proxies,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def shutdown(self) -> None:
        """Close the pool; what is under way ends with NoAnswer."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ARG002 (the pool's own patience is enough)
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ARG002
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ARG002
    ) -> tuple[int, bytes]:
        """Ask and return status and body. Raises NotSent, Refused, NoAnswer, SlowDown."""
        read = self._read if read_timeout is BaseRequest.DEFAULT_NONE or read_timeout is None else float(read_timeout)
        status, payload = await self._ask(method, url, _body(request_data), read, MOST_ANSWER_BYTES)
        if status >= 500:
            raise _server_trouble(status, payload)
        if status == 429:
            raise SlowDown(_wait_of(payload))
        return status, payload

    async def call(self, url: str, parameters: Mapping[str, str], read: float) -> object:
        """The `result` of a method as it was decoded, for answers that the library's types would refuse as a whole. Raises like
        `do_request`, and what the status means."""
        status, payload = await self._ask("POST", url, dict(parameters), read, MOST_ANSWER_BYTES)
        if status >= 500:
            raise _server_trouble(status, payload)
        if status == 429:
            raise SlowDown(_wait_of(payload))
        answer = self.parse_json_payload(payload)
        if status == 200 and answer.get("ok") is True:
            return answer["result"]
        said = str(answer.get("description", ""))[:200] or f"status {status}"
        raise _KINDS.get(status, NetworkError)(said)

    async def download(self, url: str, limit: int) -> bytes:
        """A file's bytes. Raises TooLarge, NotSent, NoAnswer."""
        status, payload = await self._ask("GET", url, None, self._read, limit)
        if status != 200:
            raise NoAnswer(f"the file was not given ({status})")
        return payload

    @staticmethod
    def parse_json_payload(payload: bytes) -> Any:
        """The decoded answer; unlike the original it logs nothing of one that cannot be decoded."""
        try:
            answer = json.loads(payload.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            raise NoAnswer("the answer is no JSON") from None
        if not isinstance(answer, dict) or (answer.get("ok") is not False and "result" not in answer):
            raise NoAnswer("the answer is not the Bot API's")
        return answer

    async def _ask(self, method: str, url: str, body: Any, read: float, limit: int) -> tuple[int, bytes]:
        if self._session is None:
            raise NotSent("closed")
        left = SimpleNamespace(us=False)
        patience = aiohttp.ClientTimeout(total=read + self._connect, connect=self._connect, sock_read=read)
        try:
            async with self._session.request(
                method, url, data=body, timeout=patience, trace_request_ctx=left, allow_redirects=False
            ) as answer:
                return answer.status, await _read(answer, limit)
        except TelegramError:
            raise
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, RuntimeError) as problem:
            # only the type is told: texts of these exceptions have addresses in them
            why = type(problem).__name__
            failed_before = isinstance(problem, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
            if failed_before or not left.us:
                raise NotSent(why) from None
            raise NoAnswer(why) from None


async def _note_leaving(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.us = True


async def _read(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    if answer.content_length is not None and answer.content_length > limit:
        raise TooLarge("too large")
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_chunked(65536):
        size += len(part)
        if size > limit:
            raise TooLarge("too large")
        parts.append(part)
    return b"".join(parts)


def _body(data: RequestData | None) -> Any:
    if data is None:
        return None
    if not data.contains_files:
        return data.json_parameters
    form = aiohttp.FormData(quote_fields=False)
    for name, value in data.json_parameters.items():
        form.add_field(name, value)
    for name, (filename, content, mime) in (data.multipart_data or {}).items():
        form.add_field(name, content, filename=filename, content_type=mime)
    return form


def _server_trouble(status: int, payload: bytes) -> TelegramError:
    """The Bot API's own error says that nothing was done; a page of some proxy in between says nothing at all."""
    try:
        answer = json.loads(payload.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict) and answer.get("ok") is False:
        return Refused(f"the server failed ({status})")
    return NoAnswer(f"the server failed ({status})")


def _wait_of(payload: bytes) -> int:
    """The wait that was named, in whole seconds; one where none was."""
    try:
        wait = json.loads(payload.decode("utf-8", "replace"))["parameters"]["retry_after"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 1
    return max(1, math.ceil(wait)) if isinstance(wait, int | float) and math.isfinite(wait) else 1
