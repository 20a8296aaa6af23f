"""The other way to the Bot API: aiohttp, for files up and down and through a proxy."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import IO

import aiohttp
import msgspec
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import BytesPayload
from multidict import CIMultiDict
from telegram.error import TelegramError
from telegram.request import RequestData
from yarl import URL

from bot.platforms.telegram.connection import IDLE_SECONDS
from bot.platforms.telegram.failures import NoAnswer, NotSent, TooLarge, reason_of

_JSON = "application/json"
_JSON_HEADERS = CIMultiDict({"Content-Type": _JSON})


class _Leaving:
    """Mixed into a body: whether its request may have left us. aiohttp holds the head back until the body is written."""

    left = False

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        self.left = True
        await super().write_with_length(writer, content_length)  # type: ignore[misc]


class Json(_Leaving, BytesPayload):
    """A body that is JSON already."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body, content_type=_JSON)


class Form(_Leaving, aiohttp.MultipartWriter):
    """A body with files in it."""

    def __init__(self) -> None:
        super().__init__("form-data")


class Upload(msgspec.Struct, frozen=True):
    """A file on its way up: the name of its field, its own name, its bytes and their kind."""

    field: str
    name: str
    data: bytes | IO[bytes]
    mime: str


class Session:
    """At most `connections` at a time; `connect` is the patience with a connection, in seconds."""

    def __init__(self, *, connections: int, connect: float) -> None:
        self._connect = connect
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=IDLE_SECONDS), cookie_jar=aiohttp.DummyCookieJar()
        )

    async def close(self) -> None:
        """End all connections."""
        await self._session.close()

    async def ask(
        self, method: str, url: str, body: Json | Form | None, read: float, limit: int, proxy: URL | None
    ) -> tuple[int, bytes]:
        """Status and body of the answer. Raises NotSent, NoAnswer, TooLarge (an answer of more than `limit` bytes)."""
        try:
            async with self._session.request(
                method,
                _url(url),
                data=body,
                headers=_JSON_HEADERS if isinstance(body, Json) else None,
                timeout=_patience(read, self._connect),
                allow_redirects=False,
                proxy=proxy,
            ) as answer:
                return answer.status, await _read(answer, limit)
        except TelegramError:
            raise
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, RuntimeError) as problem:
            failed_before = isinstance(problem, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
            if failed_before or (body is not None and not body.left):
                raise NotSent(reason_of(problem)) from None
            raise NoAnswer(type(problem).__name__) from None


def form_of(data: RequestData) -> Form:
    """A request of python-telegram-bot's with files."""
    form = Form()
    _add_fields(form, data.json_parameters)
    for name, (filename, content, mime) in (data.multipart_data or {}).items():
        _add_file(form, Upload(name, filename, content, mime))
    return form


def form_with(fields: Mapping[str, str], upload: Upload) -> Form:
    """These fields and the file."""
    form = Form()
    _add_fields(form, fields)
    _add_file(form, upload)
    return form


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


@lru_cache(maxsize=64)
def _url(url: str) -> URL:
    return URL(url, encoded=True)


@lru_cache(maxsize=64)
def _patience(read: float, connect: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=read + connect, connect=connect, sock_read=read)


def _add_fields(form: Form, fields: Mapping[str, str]) -> None:
    for name, value in fields.items():
        form.append(value).set_content_disposition("form-data", name=name)


def _add_file(form: Form, upload: Upload) -> None:
    part = form.append(upload.data, {"Content-Type": upload.mime})
    part.set_content_disposition("form-data", quote_fields=False, name=upload.field, filename=upload.name)
