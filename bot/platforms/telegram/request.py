"""python-telegram-bot's requests on aiohttp, with the two things that its own client does not tell.

* Whether a request that failed can have arrived: `NotSent` (it certainly has not), `Refused` (the server says itself that it did
  nothing), `NoAnswer` (nobody knows).
* Nothing of an answer or of the address is ever logged or quoted: the address has the token in it, the answer what people said.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import IO, Any, TypeVar, cast
from urllib.request import getproxies, proxy_bypass

import aiohttp
import msgspec
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import BytesPayload
from multidict import CIMultiDict
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData
from yarl import URL

MOST_ANSWER_BYTES = 64_000_000

T = TypeVar("T")


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
_JSON = "application/json"


class _Leaving:
    """Mixed into a body: whether its request may have left us. aiohttp holds the head back until the body is written."""

    left = False

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        self.left = True
        await super().write_with_length(writer, content_length)  # type: ignore[misc]


class _Bytes(_Leaving, BytesPayload):
    pass


class _Form(_Leaving, aiohttp.MultipartWriter):
    pass


class Upload(msgspec.Struct, frozen=True):
    """A file on its way up: the name of its field, its own name, its bytes and their kind."""

    field: str
    name: str
    data: bytes | IO[bytes]
    mime: str


class AiohttpRequest(BaseRequest):
    """One pool of connections. Times in seconds. `proxies`: whether HTTPS_PROXY and its like are obeyed, as the pool finds them
    when it is opened."""

    def __init__(self, *, connections: int, read: float, connect: float, proxies: bool) -> None:
        self._connections = connections
        self._read = read
        self._connect = connect
        self._proxies = proxies
        self._ways: dict[tuple[str, str], URL | None] = {}  # scheme and host -> the proxy on the way there
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float | None:
        """How long an answer may take."""
        return self._read

    async def initialize(self) -> None:
        """Open the pool; again and again is fine."""
        if self._session is not None and not self._session.closed:
            return
        self._ways.clear()
        self._session = aiohttp.ClientSession(
            # an idle connection that the server closes is the usual way to lose an answer, so ours are given up before that
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=20),
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
        _check(status, payload)
        return status, payload

    async def call(self, url: str, parameters: Mapping[str, object], read: float) -> object:
        """The `result` of a method as it was decoded, for answers that the library's types would refuse as a whole. Raises like
        `do_request`, and what the status means."""
        status, payload = await self._ask("POST", url, _Bytes(_encode(parameters), content_type=_JSON), read, MOST_ANSWER_BYTES)
        _check(status, payload)
        answer = self.parse_json_payload(payload)
        if status == 200 and answer.get("ok") is True:
            return answer["result"]
        raise _refusal(status, answer)

    async def ask(self, url: str, parameters: Mapping[str, object], kind: type[T], upload: Upload | None = None) -> T:
        """The `result` of a method as a `kind`, of which only what `kind` names is made; with a file where one is given. What is
        None is left out. Raises like `call`."""
        given = {name: value for name, value in parameters.items() if value is not None}
        body = _Bytes(_encode(given), content_type=_JSON) if upload is None else _form(given, upload)
        status, payload = await self._ask("POST", url, body, self._read, MOST_ANSWER_BYTES)
        if status == 200:
            try:
                return cast(T, _decoder(cast(Hashable, kind)).decode(payload).result)
            except (msgspec.DecodeError, RecursionError):
                pass  # told apart below
        _check(status, payload)
        answer = self.parse_json_payload(payload)
        if status == 200 and answer.get("ok") is True:
            try:
                return msgspec.convert(answer["result"], kind)
            except (msgspec.ValidationError, RecursionError):
                raise NoAnswer("the answer is not the method's") from None
        raise _refusal(status, answer)

    async def download(self, url: str, limit: int) -> bytes:
        """A file's bytes. Raises TooLarge, NotSent, NoAnswer."""
        status, payload = await self._ask("GET", url, None, self._read, limit)
        if status != 200:
            raise NoAnswer(f"the file was not given ({status})")
        return payload

    @staticmethod
    def parse_json_payload(payload: bytes) -> Any:
        """The decoded answer; unlike the original it logs nothing of one that cannot be decoded."""
        answer = _json(payload)
        if answer is None:
            raise NoAnswer("the answer is no JSON")
        if not isinstance(answer, dict) or (answer.get("ok") is not False and "result" not in answer):
            raise NoAnswer("the answer is not the Bot API's")
        return answer

    async def _ask(self, method: str, url: str, body: _Bytes | _Form | None, read: float, limit: int) -> tuple[int, bytes]:
        if self._session is None:
            raise NotSent("closed")
        where = _url(url)
        try:
            async with self._session.request(
                method,
                where,
                data=body,
                headers=_JSON_HEADERS if isinstance(body, _Bytes) else None,
                timeout=_patience(read, self._connect),
                allow_redirects=False,
                proxy=self._way(where),
            ) as answer:
                return answer.status, await _read(answer, limit)
        except TelegramError:
            raise
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, RuntimeError) as problem:
            # only the type is told: texts of these exceptions have addresses in them
            why = type(problem).__name__
            failed_before = isinstance(problem, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
            if failed_before or (body is not None and not body.left):
                raise NotSent(why) from None
            raise NoAnswer(why) from None

    def _way(self, where: URL) -> URL | None:
        """The proxy on the way there. aiohttp asks the environment, and a netrc, in a thread at every request."""
        if not self._proxies:
            return None
        host = where.scheme, where.host or ""
        if host not in self._ways:
            found = None if proxy_bypass(host[1]) else getproxies().get(host[0])
            self._ways[host] = URL(found if "://" in found else f"http://{found}") if found else None
        return self._ways[host]


async def _read(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    length = answer.content_length
    if length is not None and length > limit:
        raise TooLarge("too large")
    if length is not None and "Content-Encoding" not in answer.headers:
        return await answer.read()
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_chunked(65536):
        size += len(part)
        if size > limit:
            raise TooLarge("too large")
        parts.append(part)
    return b"".join(parts)


_encode = msgspec.json.Encoder().encode
_JSON_HEADERS = CIMultiDict({"Content-Type": _JSON})


@lru_cache(maxsize=64)
def _url(url: str) -> URL:
    return URL(url, encoded=True)


@lru_cache(maxsize=64)
def _patience(read: float, connect: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=read + connect, connect=connect, sock_read=read)


@lru_cache(maxsize=64)
def _decoder(kind: Hashable) -> msgspec.json.Decoder[Any]:
    """Of an answer that went well; every other one does not decode, because it has no result."""
    return msgspec.json.Decoder(msgspec.defstruct("Answer", [("result", kind)]))


def _json(payload: bytes) -> object:
    """What it says; None for what is no JSON. A wrong byte in what somebody wrote costs that byte and nothing more."""
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return json.loads(payload.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _body(data: RequestData | None) -> _Bytes | _Form | None:
    if data is None:
        return None
    if not data.contains_files:
        return _Bytes(data.json_payload, content_type=_JSON)
    form = _Form("form-data")
    _add_fields(form, data.json_parameters)
    for name, (filename, content, mime) in (data.multipart_data or {}).items():
        _add_file(form, Upload(name, filename, content, mime))
    return form


def _form(parameters: Mapping[str, object], upload: Upload) -> _Form:
    form = _Form("form-data")
    _add_fields(form, {name: value if isinstance(value, str) else _encode(value).decode() for name, value in parameters.items()})
    _add_file(form, upload)
    return form


def _add_fields(form: _Form, fields: Mapping[str, str]) -> None:
    for name, value in fields.items():
        form.append(value).set_content_disposition("form-data", name=name)


def _add_file(form: _Form, upload: Upload) -> None:
    part = form.append(upload.data, {"Content-Type": upload.mime})
    part.set_content_disposition("form-data", quote_fields=False, name=upload.field, filename=upload.name)


def _check(status: int, payload: bytes) -> None:
    """Raises what a status means whatever was asked. The Bot API's own error says that nothing was done; a page of some proxy in
    between says nothing at all."""
    if status == 429:
        raise SlowDown(_wait_of(payload))
    if status < 500:
        return
    answer = _json(payload)
    if isinstance(answer, dict) and answer.get("ok") is False:
        raise Refused(f"the server failed ({status})")
    raise NoAnswer(f"the server failed ({status})")


def _refusal(status: int, answer: Mapping[str, Any]) -> TelegramError:
    parameters = answer.get("parameters")
    if isinstance(parameters, dict) and isinstance(new := parameters.get("migrate_to_chat_id"), int):
        return ChatMigrated(new)
    said = str(answer.get("description", ""))[:200] or f"status {status}"
    return _KINDS.get(status, NetworkError)(said)


def _wait_of(payload: bytes) -> int:
    """The wait that was named, in whole seconds; one where none was."""
    answer = _json(payload)
    try:
        wait = answer["parameters"]["retry_after"]  # type: ignore[index]
    except (LookupError, TypeError):
        return 1
    return max(1, math.ceil(wait)) if isinstance(wait, int | float) and math.isfinite(wait) else 1
