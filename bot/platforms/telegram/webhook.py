"""The other way in: Telegram calls us. It is told 200 only after the update is kept, else it calls again."""

from __future__ import annotations

import asyncio
import hmac
import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from bot.platforms.telegram.intake import Intake
from bot.platforms.telegram.parse import order_key
from bot.platforms.telegram.settings import TelegramSettings

log = structlog.get_logger(__name__)

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 (the header's name)


@dataclass(slots=True)
class Turn:
    """The calls about one person in one chat: how many there are, and the lock that they follow one another by."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    calls: int = 0


class Webhook:
    """A small server on `webhook_host`:`webhook_port`, for whatever speaks HTTPS in front of it."""

    def __init__(self, settings: TelegramSettings, secret: str, intake: Intake) -> None:
        self._settings = settings
        self._secret = secret.encode()
        self._intake = intake
        self._turns: dict[tuple[object, object], Turn] = {}
        self._runner: web.AppRunner | None = None
        self.port = settings.webhook_port

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        app = web.Application(client_max_size=self._settings.most_body_bytes)
        app.router.add_post(urlsplit(self._settings.webhook_url).path or "/", self._called)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=5.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.webhook_host, self._settings.webhook_port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening; calls under way end."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _called(self, request: web.Request) -> web.Response:
        given = request.headers.get(SECRET_HEADER, "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._secret):
            log.warning("telegram.stranger")
            return web.Response(status=403)
        try:
            raw = json.loads(await request.read())
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413)
        except (ValueError, RecursionError):
            return web.Response(status=400)
        done = await self._in_order(raw)
        # 503: Telegram keeps the update and calls again
        return web.Response(status=200 if done else 503)

    async def _in_order(self, raw: object) -> bool:
        """Telegram calls on many connections at once; one person in one chat stays in the order in which the calls came."""
        key = order_key(raw)
        turn = self._turns.setdefault(key, Turn())
        turn.calls += 1
        try:
            async with turn.lock:
                return (await self._intake.take([raw]))[0]
        finally:
            turn.calls -= 1
            if not turn.calls:  # a free lock may still have somebody who is about to take it
                del self._turns[key]
