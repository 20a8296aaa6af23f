"""The connection to a puppet service: HTTP/2 over TLS, or in plain text on this machine alone."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl
from typing import Any, cast

from grpclib.client import Channel
from grpclib.config import Configuration
from grpclib.encoding.proto import ProtoCodec
from grpclib.protocol import H2Protocol

from bot.platforms.wechat.settings import WechatSettings, is_loopback


class WrongCertificate(ConnectionError):
    """The service is not the one that the settings describe."""


class GatheringTransport:
    """A transport that writes once in a turn of the event loop: grpclib writes the head, the body and every acknowledgement of a
    call one by one, and each is a call of the system."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Soon, together with whatever else is written now."""
        if not data:
            return
        if not self._parts:
            self._loop.call_soon(self._write)
        self._parts.append(data)

    def close(self) -> None:
        """Write what is left, then close."""
        self._write()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._parts.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the transport below knows."""
        return self._transport.get_extra_info(name, default)

    def _write(self) -> None:
        parts, self._parts = self._parts, []
        if parts and not self._transport.is_closing():
            self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))


class GatheringProtocol(H2Protocol):
    """grpclib's protocol on a gathering transport."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        super().connection_made(cast(asyncio.Transport, GatheringTransport(cast(asyncio.Transport, transport))))


class RawCodec(ProtoCodec):
    """Where the type of a message is `bytes`, its bytes as they are."""

    def encode(self, message: Any, message_type: Any) -> bytes:
        """The bytes of a message."""
        return message if message_type is bytes else super().encode(message, message_type)

    def decode(self, data: bytes, message_type: Any) -> Any:
        """The message of the bytes."""
        return data if message_type is bytes else super().decode(data, message_type)


class PuppetChannel(Channel):
    """A grpclib channel that refuses plain text beyond loopback and, with a pin, every other certificate.

    Nothing that we say, the token least of all, leaves before the other side has proved itself.
    """

    def __init__(self, settings: WechatSettings) -> None:
        """Raises ValueError for plain text to another machine, OSError for a CA file that cannot be read."""
        if not settings.tls and not is_loopback(settings.host):
            raise ValueError("plain text only on loopback")
        self._pin = settings.fingerprint
        self._named = (settings.tls_name or settings.host) if settings.tls else None
        context = tls_context(settings) if settings.tls else None
        super().__init__(settings.host, settings.port, ssl=context, config=Configuration(), codec=RawCodec())

    def _protocol_factory(self) -> H2Protocol:
        # as grpclib's own, but gathering
        made: H2Protocol = super()._protocol_factory()
        return GatheringProtocol(made.handler, made.config, made.h2_config)

    async def _create_connection(self) -> H2Protocol:
        transport, protocol = await self._loop.create_connection(
            self._protocol_factory, self._host, self._port, ssl=self._ssl, server_hostname=self._named
        )
        if self._pin:
            certificate = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
            if not hmac.compare_digest(hashlib.sha256(certificate or b"").hexdigest(), self._pin):
                transport.abort()
                raise WrongCertificate("the service's certificate is not the one of wechat.pin")
        return protocol


def tls_context(settings: WechatSettings) -> ssl.SSLContext:
    """What the service's certificate has to fulfil. With a pin and no CA file only the pin counts."""
    context = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    if settings.pin and settings.ca_file is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
