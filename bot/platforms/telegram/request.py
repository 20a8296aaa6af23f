"""python-telegram-bot's requests, over connections of our own, with the two things that its own client does not tell.

* Whether a request that failed can have arrived: `NotSent` (it certainly has not), `Refused` (the server says itself that it did
  nothing), `NoAnswer` (nobody knows).
* Nothing of an answer or of the address is ever logged or quoted: the address has the token in it, the answer what people said.

JSON goes over `Connections`; files, and whatever has a proxy on its way, over aiohttp (decision 0255).
"""

from __future__ import annotations

import asyncio
import json
import math
import ssl
from collections.abc import Awaitable, Hashable, Mapping
from functools import lru_cache
from typing import Any, TypeVar, cast
from urllib.request import getproxies, proxy_bypass

import msgspec
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, NetworkError, TelegramError
from telegram.request import BaseRequest, RequestData
from yarl import URL

from bot.platforms.telegram.connections import Connections
from bot.platforms.telegram.failures import NoAnswer, NotSent, Refused, SlowDown
from bot.platforms.telegram.session import Form, Json, Session, Upload, form_of, form_with

MOST_ANSWER_BYTES = 64_000_000

T = TypeVar("T")

_KINDS: dict[int, type[TelegramError]] = {400: BadRequest, 401: InvalidToken, 403: Forbidden, 404: InvalidToken, 409: Conflict}


class _Target(msgspec.Struct, frozen=True):
    """Where a method is, and its request up to the length of its body."""

    server: tuple[str, str, int]  # scheme, host, port
    head: bytes


class ApiRequest(BaseRequest):
    """One pool of connections. Times in seconds. `proxies`: whether HTTPS_PROXY and its like are obeyed, as the pool finds them
    when it is opened."""

    def __init__(self, *, connections: int, read: float, connect: float, proxies: bool) -> None:
        self._connections = connections
        self._read = read
        self._connect = connect
        self._proxies = proxies
        self._ways: dict[tuple[str, str, int], Connections | URL] = {}  # to a server: ours, or the proxy on the way there
        self._session: Session | None = None

    @property
    def read_timeout(self) -> float | None:
        """How long an answer may take."""
        return self._read

    @property
    def ready(self) -> bool:
        """Whether the pool is open."""
        return self._session is not None

    async def initialize(self) -> None:
        """Open the pool; again and again is fine."""
        if self._session is None:
            self._session = Session(connections=self._connections, connect=self._connect)

    async def shutdown(self) -> None:
        """Close the pool; what is under way ends with NoAnswer."""
        session, self._session = self._session, None
        ways, self._ways = self._ways, {}
        for way in ways.values():
            if isinstance(way, Connections):
                way.close()
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
        if method == "POST" and (request_data is None or not request_data.contains_files):
            status, payload = await self._post(url, b"{}" if request_data is None else request_data.json_payload, read)
        else:
            form = form_of(request_data) if request_data is not None else None
            status, payload = await self._other_way(method, url, form, read, MOST_ANSWER_BYTES)
        _check(status, payload)
        return status, payload

    async def call(self, url: str, parameters: Mapping[str, object], read: float) -> object:
        """The `result` of a method as it was decoded, for answers that the library's types would refuse as a whole. Raises like
        `do_request`, and what the status means."""
        status, payload = await self._post(url, _encode(parameters), read)
        _check(status, payload)
        answer = self.parse_json_payload(payload)
        if status == 200 and answer.get("ok") is True:
            return answer["result"]
        raise _refusal(status, answer)

    async def ask(self, url: str, parameters: Mapping[str, object], kind: type[T], upload: Upload | None = None) -> T:
        """The `result` of a method as a `kind`, of which only what `kind` names is made; with a file where one is given. What is
        None is left out. Raises like `call`."""
        given = {name: value for name, value in parameters.items() if value is not None}
        if upload is None:
            status, payload = await self._post(url, _encode(given), self._read)
        else:
            form = form_with({name: _plain(value) for name, value in given.items()}, upload)
            status, payload = await self._other_way("POST", url, form, self._read, MOST_ANSWER_BYTES)
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
        status, payload = await self._other_way("GET", url, None, self._read, limit)
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

    def _post(self, url: str, body: bytes, read: float) -> Awaitable[tuple[int, bytes]]:
        target = _target(url)
        way = self._ways.get(target.server)
        if isinstance(way, Connections):
            return way.post(b"%b%d\r\n\r\n%b" % (target.head, len(body), body), read, MOST_ANSWER_BYTES)
        return self._post_first(target, url, body, read)

    async def _post_first(self, target: _Target, url: str, body: bytes, read: float) -> tuple[int, bytes]:
        """The way there is not known yet, or is through a proxy."""
        way = await self._find_way(target)
        if isinstance(way, URL):
            return await self._other_way("POST", url, Json(body), read, MOST_ANSWER_BYTES)
        return await self._post(url, body, read)

    async def _other_way(self, method: str, url: str, body: Json | Form | None, read: float, limit: int) -> tuple[int, bytes]:
        """By aiohttp."""
        target = _target(url)
        way = await self._find_way(target)
        if self._session is None:
            raise NotSent("closed")
        return await self._session.ask(method, url, body, read, limit, way if isinstance(way, URL) else None)

    async def _find_way(self, target: _Target) -> Connections | URL:
        """The environment's proxy on the way there, looked for once; else our own connections."""
        scheme, host, port = target.server
        if (known := self._ways.get(target.server)) is not None:
            return known
        if self._proxies and not proxy_bypass(host) and (found := getproxies().get(scheme)):
            way: Connections | URL = URL(found if "://" in found else f"http://{found}")
        else:
            # the certificates that are trusted are read from files
            tls = await asyncio.to_thread(_tls) if scheme == "https" else None
            way = Connections(host, port, tls, most=self._connections, connect=self._connect)
        if self._session is None:
            raise NotSent("closed")
        return self._ways.setdefault(target.server, way)


_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


@lru_cache(maxsize=64)
def _target(url: str) -> _Target:
    where = URL(url, encoded=True)
    path, host, port = where.raw_path_qs, where.raw_host, where.port
    if host is None or port is None or not path.isascii() or not path.isprintable() or " " in path:
        raise NotSent("no address")
    name = f"[{host}]" if ":" in host else host
    if not where.is_default_port():
        name = f"{name}:{port}"
    # who is asked for no compression needs no defence against what a few bytes of it may unfold to
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {name}\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    )
    return _Target((where.scheme, host, port), head.encode("ascii"))


def _plain(value: object) -> str:
    """A value as a form has it."""
    return value if isinstance(value, str) else _encode(value).decode()


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
