"""The platform `telegram`: one bot account, behind the contract that every platform keeps."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path

import structlog
from msgspec.structs import replace
from telegram.error import InvalidToken, TelegramError
from telegram.ext import ExtBot

from bot.errors import ConfigError
from bot.messages import Address, Attachment, Inbound, Kind, Outbound, Receipt, Sender
from bot.platforms.base import Capabilities, Feed, Health
from bot.platforms.owners import Owners
from bot.platforms.telegram.failures import NoAnswer, words_of
from bot.platforms.telegram.files import Files
from bot.platforms.telegram.intake import Intake
from bot.platforms.telegram.limiter import Limits
from bot.platforms.telegram.parse import Heard, Me, Moved, standing_of
from bot.platforms.telegram.polling import NO_SUCH_BOT, Polling, Stalled
from bot.platforms.telegram.request import ApiRequest
from bot.platforms.telegram.sending import Sending
from bot.platforms.telegram.settings import TelegramSettings
from bot.platforms.telegram.text import MOST_TEXT
from bot.platforms.telegram.webhook import Webhook
from storage.writer import StorageUnavailable

log = structlog.get_logger(__name__)

ALLOWED = ["message", "edited_message", "callback_query", "my_chat_member"]
CONNECTIONS = 48  # the outbox sends at most 40 at a time
MOST_NAMES = 10_000

PRIVACY = (
    "privacy mode is on: in groups the bot hears only commands, answers to itself and its own name, so it misses reports and "
    "photos; in @BotFather choose /setprivacy, this bot, Disable, then remove the bot from its groups and add it again "
    "(or make it an administrator there)"
)

OnMove = Callable[[Moved], Awaitable[None]]


async def _nothing(_moved: Moved) -> None:
    return None


class TelegramPlatform:
    """One bot of @BotFather. Keeps the contract of `bot.platforms.base.Adapter`.

    `data_dir` is below what the photos of outgoing messages lie. `on_move` is called when a group's id changes and returns once
    that is kept. `limits` is how fast may be asked what no notice is. `owners` tells whether a group is ours and not
    another bot's of the house, and whether the bot has introduced itself there. `monotonic` (seconds) and `sleep` are given by
    tests.
    """

    def __init__(
        self,
        settings: TelegramSettings,
        *,
        data_dir: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_move: OnMove = _nothing,
        limits: Limits | None = None,
        owners: Owners | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Raises ConfigError for settings that cannot work."""
        settings.check()
        self._settings = settings
        self._clock = clock
        self._on_move = on_move
        self._monotonic = monotonic
        self._sleep = sleep
        self._asking = self._pool(2)
        self._saying = self._pool(CONNECTIONS)
        root = settings.root
        limits = limits or Limits(monotonic=monotonic, sleep=sleep)
        self._bot: ExtBot[None] = ExtBot(
            settings.token,
            base_url=f"{root}/bot",
            base_file_url=f"{root}/file/bot",
            request=self._saying,
            get_updates_request=self._asking,
            rate_limiter=limits,
        )
        self._names: OrderedDict[str, str] = OrderedDict()  # what people are called, to call them by name
        self._sending = Sending(self._bot, self._saying, limits, data_dir, self._names, self._moved, monotonic)
        self._files = Files(self._bot, self._saying, limits)
        self._owners = owners
        self._introduced: set[str] = set()  # groups of ours that the bot knows
        self._side: set[asyncio.Task[None]] = set()
        self._looked_at: set[str] = set()  # groups whose standing is known since the start
        self._feed: Feed | None = None
        self._started = clock()
        self._listening = False
        self._last_inbound: datetime | None = None
        self._trouble = ""
        self.me: Me | None = None
        self.webhook_port: int | None = None

    @property
    def name(self) -> str:
        """Always "telegram"."""
        return "telegram"

    @property
    def account(self) -> str:
        """The bot's own id, as text."""
        return self._settings.account

    @property
    def can(self) -> Capabilities:
        """What Telegram can do."""
        return Capabilities(recall=True, edit=True, choices=True, mention=True, max_text=MOST_TEXT, max_photo_bytes=10_000_000)

    # --- the contract -------------------------------------------------------------------------------------------------

    async def listen(self, feed: Feed) -> None:
        """Hear updates until cancelled. Raises Stalled when nothing has come for too long, ConfigError for a wrong token."""
        try:
            await self._open()
            self._feed = feed
            self.me = me = await self._who_am_i()
            intake = Intake(
                feed, me, self._clock, self._on_heard, self._moved, self._is_ours if self._owners is not None else None
            )
            if self._settings.webhook_url:
                await self._be_called(intake)
            else:
                await self._ask(intake)
        except Stalled as problem:
            self._trouble = str(problem)
            log.error("telegram.stalled", problem=str(problem))
            raise
        except TelegramError as problem:
            self._trouble = words_of(problem)
            raise Stalled(self._trouble) from None
        finally:
            self._listening = False
            # a pool that is wedged must not outlive its loop
            await self._asking.shutdown()

    async def send(self, to: Address, what: Outbound) -> Receipt:
        """Say it. Raises RetryLater, NeverDelivered, AnswerLost."""
        if not self._saying.ready:
            await self._saying.initialize()
        return Receipt(await self._sending.send(to, what), self._clock())

    async def edit(self, to: Address, message_id: str, what: Outbound) -> bool:
        """Change one of our own messages, whenever it was said. Raises like `send`."""
        await self._saying.initialize()
        return await self._sending.edit(to, message_id, what)

    async def recall(self, to: Address, message_id: str) -> bool:
        """Delete one of our own messages; Telegram allows it for 48 hours, to administrators always."""
        await self._saying.initialize()
        return await self._sending.recall(to, message_id)

    async def fetch(self, attachment: Attachment, limit: int) -> bytes:
        """The file's bytes. Raises RefusedInput `photo.too_large` or `photo.gone`, RetryLater."""
        await self._saying.initialize()
        return await self._files.fetch(attachment, limit)

    def health(self) -> Health:
        """How we are doing. While all is well `last_error` names what the bot cannot see, if anything."""
        blind = PRIVACY if self.me is not None and not self.me.sees_all else ""
        return Health(self._listening, self._last_inbound, self._trouble or blind)

    async def close(self) -> None:
        """Give the connections back. `listen` must have ended."""
        for task in list(self._side):
            task.cancel()
        await asyncio.gather(*self._side, return_exceptions=True)
        await self._asking.shutdown()
        await self._saying.shutdown()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _pool(self, connections: int) -> ApiRequest:
        settings = self._settings
        return ApiRequest(
            connections=connections, read=settings.read_seconds, connect=settings.connect_seconds, proxies=not settings.local
        )

    async def _open(self) -> None:
        await self._asking.initialize()
        await self._saying.initialize()

    async def _who_am_i(self) -> Me:
        try:
            user = await self._bot.get_me()
        except InvalidToken:
            raise ConfigError(f"telegram.token: {NO_SUCH_BOT}") from None
        me = Me(user.id, user.username or "", self.account, user.can_read_all_group_messages is not False)
        log.info("telegram.connected", bot=me.username, sees_everything=me.sees_all)
        if not me.sees_all:
            log.warning("telegram.privacy_mode", advice=PRIVACY)
        return me

    async def _ask(self, intake: Intake) -> None:
        """Long polling."""
        with contextlib.suppress(TelegramError):
            # what is waiting stays waiting: it is what people said while we were away
            await self._bot.delete_webhook(drop_pending_updates=False)
        settings = self._settings
        polling = Polling(
            self._get_updates,
            intake,
            patience=settings.poll_seconds + 10.0,
            stall=settings.stall_seconds,
            on_success=self._polled,
            on_trouble=self._not_polled,
            monotonic=self._monotonic,
            sleep=self._sleep,
        )
        self._listening = True
        await polling.run()

    async def _get_updates(self, offset: int | None, patience: float) -> list[object]:
        """One getUpdates call, only decoded: python-telegram-bot's objects refuse a whole batch for one bad update."""
        parameters = {"timeout": str(self._settings.poll_seconds), "limit": "100", "allowed_updates": json.dumps(ALLOWED)}
        if offset is not None:
            parameters["offset"] = str(offset)
        answer = await self._asking.call(f"{self._bot.base_url}/getUpdates", parameters, read=patience)
        if not isinstance(answer, list):
            raise NoAnswer("updates are no list")
        return answer

    async def _be_called(self, intake: Intake) -> None:
        """The webhook."""
        secret = self._settings.webhook_secret or secrets.token_urlsafe(32)
        webhook = Webhook(self._settings, secret, intake)
        await webhook.start()
        try:
            self.webhook_port = webhook.port
            await self._bot.set_webhook(
                self._settings.webhook_url, secret_token=secret, allowed_updates=ALLOWED, drop_pending_updates=False
            )
            self._listening, self._trouble = True, ""
            await asyncio.Event().wait()
        finally:
            await webhook.stop()

    def _polled(self, updates: int) -> None:
        self._listening, self._trouble = True, ""
        if updates:
            self._last_inbound = self._clock()

    def _not_polled(self, why: str) -> None:
        if why != self._trouble:
            log.warning("telegram.not_polled", why=why)
        self._listening, self._trouble = False, why

    def _on_heard(self, heard: Heard) -> None:
        self._last_inbound = self._clock()
        sender = heard.event.sender
        if sender.personal:
            self._names[sender.id] = sender.name
            self._names.move_to_end(sender.id)
            if len(self._names) > MOST_NAMES:
                self._names.popitem(last=False)
        if heard.callback:
            self._aside(self._answer(heard.callback))
        event = heard.event
        if self.me is None or self.me.sees_all or event.address.private or event.address.chat in self._looked_at:
            return
        if len(self._looked_at) >= MOST_NAMES:
            self._looked_at.clear()
        self._looked_at.add(event.address.chat)
        if event.standing is None and event.kind is Kind.MESSAGE:
            self._aside(self._find_standing(event, self.me))

    async def _is_ours(self, event: Inbound) -> bool:
        """Of several bots in a group one speaks and listens; the next one has it when that one has left.

        Before its first message in a group the bot hears that it is there: Telegram may have told so long ago, or another bot.
        """
        owners, chat = self._owners, event.address.chat
        if owners is None or event.address.private or event.kind is Kind.TAP:
            return True
        if event.kind is Kind.LEFT:
            owners.forget(chat)
            self._introduced.discard(chat)
            return True
        if not await owners.mine(chat, anew=event.kind is Kind.JOINED):
            self._introduced.discard(chat)
            return False
        if event.kind is Kind.JOINED:
            await owners.enlist(chat, event.group_name)
        elif chat not in self._introduced and self.me is not None:
            if not await owners.introduced(chat) and self._feed is not None:
                joined = await self._standing(event, self.me)
                if joined is None:
                    return True  # said before we were taken out, and heard after it
                await owners.enlist(chat, event.group_name)
                await self._feed.take(joined)
                self._looked_at.add(chat)
            if len(self._introduced) >= MOST_NAMES:
                self._introduced.clear()
            self._introduced.add(chat)
        return True

    async def _standing(self, event: Inbound, me: Me) -> Inbound | None:
        """That we are in the group of an event, and what we can hear there if Telegram says so; None when we are not."""
        standing = None
        with contextlib.suppress(TelegramError, ValueError):
            member = await self._bot.get_chat_member(int(event.address.chat), me.id)
            if member.status in ("left", "kicked"):
                return None
            standing = standing_of(member.status, bool(getattr(member, "can_send_messages", False)), me)
        return Inbound(
            event_id=f"standing:{event.address.chat}:{int(self._started.timestamp())}",
            address=replace(event.address, thread=None),
            sender=Sender(str(me.id), me.username, personal=False),
            at=self._clock(),
            kind=Kind.JOINED,
            group_name=event.group_name,
            standing=standing,
        )

    async def _find_standing(self, event: Inbound, me: Me) -> None:
        """Tell the bot what it can hear in a group that it has been in since before it last started."""
        found = await self._standing(event, me)
        if self._feed is not None and found is not None and found.standing is not None:
            with contextlib.suppress(StorageUnavailable):
                await self._feed.take(found)

    async def _answer(self, callback: str) -> None:
        """Let the button stop turning."""
        with contextlib.suppress(TelegramError):
            await self._bot.answer_callback_query(callback)

    def _aside(self, work: Coroutine[object, object, None]) -> None:
        """What nobody waits for."""
        if len(self._side) >= CONNECTIONS:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._side.add(task)
        task.add_done_callback(self._side.discard)

    async def _moved(self, moved: Moved) -> None:
        self._sending.moved[moved.old] = moved.new
        await self._on_move(moved)
