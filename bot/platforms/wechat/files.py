"""Files that people sent: through the service's own streams, with a cap on size and time; an address only from the allow-list.

A FileBox may say "fetch this address for me", and an address can be anything: the machine next door, a cloud's secrets. The
service is asked to fetch it first. Only when it cannot, and only for hosts that the settings name, we do it ourselves: resolved
once, never to an address that is not public, no redirects.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ipaddress
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver
from grpclib.const import Status

from bot.errors import RefusedInput, RetryLater
from bot.messages import Attachment
from bot.platforms.wechat.client import CallFailed, Lost, NoConnection, Puppet, Refused
from bot.platforms.wechat.settings import WechatSettings
from bot.platforms.wechat.wire import BoxSort

PIECE = 64 * 1024
FIRST_PIECE_SECONDS = 3.0
_PROTOCOLS = ipaddress.ip_network("192.0.0.0/24")  # for protocols' own use (RFC 6890); older Pythons call a part of it global


class TooLarge(Exception):
    """More bytes than the caller wants."""


class Files:
    """Fetches over the connection that `current` gives."""

    def __init__(self, settings: WechatSettings, current: Callable[[], Puppet | None]) -> None:
        self._settings = settings
        self._current = current

    async def fetch(self, attachment: Attachment, limit: int) -> bytes:
        """The bytes, at most `limit` of them. Raises RefusedInput `photo.too_large` or `photo.gone`, RetryLater."""
        sort, _, message_id = attachment.id.partition(":")
        puppet = self._current()
        if puppet is None:
            raise RetryLater(2.0, "message", "no connection")
        try:
            async with asyncio.timeout(self._settings.fetch_seconds):
                return await self._fetch(puppet, message_id, limit, image=sort == "image")
        except TooLarge:
            raise RefusedInput("photo.too_large", megabytes=max(1, limit // 1_000_000)) from None
        except Refused as problem:
            if problem.status in (Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED):
                raise RetryLater(2.0, "message", str(problem)) from None
            raise RefusedInput("photo.gone") from None
        except (CallFailed, TimeoutError, aiohttp.ClientError, OSError) as problem:
            raise RetryLater(2.0, "message", type(problem).__name__) from None

    async def _fetch(self, puppet: Puppet, message_id: str, limit: int, *, image: bool) -> bytes:
        try:
            box = read_box(await puppet.box(message_id, image=image))
        except Refused as refusal:
            # older services write the whole file into the box, which then is larger than a message may be; the newest one
            # (1.19.9) cannot write a box for a file below 20 KB that lies in its memory. The stream works in both cases, but
            # says nothing at all when there is no such file.
            try:
                return await gather(puppet.pieces_of(message_id, image=image), limit, first=FIRST_PIECE_SECONDS)
            except TimeoutError:
                raise refusal from None
        sort = box.get("type")
        if sort == BoxSort.UUID:
            return await gather(puppet.download(str(box.get("uuid", ""))), limit)
        if sort == BoxSort.BASE64:
            return from_base64(str(box.get("base64", "")), limit)
        try:
            return await gather(puppet.pieces_of(message_id, image=image), limit)
        except (Refused, Lost):
            url = box.get("url") or box.get("remoteUrl")
            if sort != BoxSort.URL or not isinstance(url, str) or not allowed(url, self._settings.file_hosts):
                raise
        return await download(url, limit)


def read_box(text: str) -> Mapping[str, Any]:
    """A FileBox written as JSON; an empty one when it is none."""
    try:
        box = json.loads(text)
    except ValueError:
        return {}
    return box if isinstance(box, dict) else {}


def from_base64(text: str, limit: int) -> bytes:
    """Raises TooLarge; Lost for what is no base64."""
    if len(text) // 4 * 3 > limit + 3:
        raise TooLarge
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Lost("a file that is no base64") from None
    if len(data) > limit:
        raise TooLarge
    return data


async def gather(pieces: AsyncIterator[bytes], limit: int, first: float | None = None) -> bytes:
    """All pieces together. Raises TooLarge as soon as there are too many, TimeoutError when none comes within `first` seconds."""
    data = bytearray()
    async with asyncio.timeout(first) as patience:
        async for piece in pieces:
            data += piece
            if len(data) > limit:
                raise TooLarge
            patience.reschedule(None)
    return bytes(data)


def allowed(url: str, hosts: tuple[str, ...]) -> bool:
    """Whether an address lies on a host that the settings name, over HTTPS or HTTP on their own ports."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    host = (parts.hostname or "").rstrip(".").lower()
    if parts.scheme not in ("https", "http") or not host or parts.username is not None or parts.password is not None:
        return False
    if port not in (None, 443 if parts.scheme == "https" else 80):
        return False
    return any(host == name.lower() or (name.startswith("*.") and host.endswith(name[1:].lower())) for name in hosts)


async def download(url: str, limit: int, resolver: AbstractResolver | None = None) -> bytes:
    """Fetch an address that `allowed` let through. Raises TooLarge, NoConnection, aiohttp.ClientError."""
    if _literal(urlsplit(url).hostname or ""):
        raise NoConnection("files are fetched from named hosts only")
    connector = aiohttp.TCPConnector(resolver=resolver or PublicOnly(), use_dns_cache=False, limit=2)
    async with (
        aiohttp.ClientSession(connector=connector, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        if answer.status != 200:
            raise NoConnection("the file's host does not give it")
        if answer.content_length is not None and answer.content_length > limit:
            raise TooLarge
        return await gather(answer.content.iter_chunked(PIECE), limit)


class PublicOnly(AbstractResolver):
    """Resolves to public addresses or not at all. The connection goes to exactly what was looked at here."""

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or DefaultResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Raises OSError when one of the host's addresses is not public: a host with two faces is not asked."""
        found = await self._inner.resolve(host, port, family)
        if not found or not all(is_public(one["host"]) for one in found):
            raise OSError(None, "not a public address")
        return found

    async def close(self) -> None:
        """Give the inner resolver back."""
        await self._inner.close()


def is_public(address: str) -> bool:
    """Whether an address is one of the public network, also behind the forms that wrap an IPv4 address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is None and found in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast and found not in _PROTOCOLS


def _literal(host: str) -> bool:
    try:
        socket.inet_aton(host)
    except OSError:
        return ":" in host
    return True
