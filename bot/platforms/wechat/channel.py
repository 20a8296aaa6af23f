"""The connection to a puppet service: HTTP/2 over TLS, or in plain text on this machine alone."""

from __future__ import annotations

import hashlib
import hmac
import ssl

from grpclib.client import Channel
from grpclib.config import Configuration
from grpclib.protocol import H2Protocol

from bot.platforms.wechat.settings import WechatSettings, is_loopback


class WrongCertificate(ConnectionError):
    """The service is not the one that the settings describe."""


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
        super().__init__(settings.host, settings.port, ssl=context, config=Configuration())

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
