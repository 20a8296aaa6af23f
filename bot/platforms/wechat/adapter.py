"""The platform `wechat`: one WeChat account on a puppet service, behind the contract that every platform keeps.

WeChat keeps nothing for a program that is away, and the service does not either: an event is delivered once, to whoever listens.
So the connection is never given up, every time without one is written down, and what was said then is said to be gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog
from grpclib.const import Status
from wechaty_grpc.wechaty.puppet import EventType

from bot.messages import Address, Attachment, Inbound, Outbound, Receipt
from bot.platforms.base import Capabilities, Feed, Health
from bot.platforms.owners import Owners
from bot.platforms.wechat import parse, safety
from bot.platforms.wechat.book import Book, Caution, Gap
from bot.platforms.wechat.client import CallFailed, NotUs, Puppet, Refused, Told
from bot.platforms.wechat.duplicates import Duplicates
from bot.platforms.wechat.files import Files
from bot.platforms.wechat.groups import Groups
from bot.platforms.wechat.intake import ORDER_SECONDS, Intake, Source
from bot.platforms.wechat.names import Names
from bot.platforms.wechat.parse import Malformed, Me
from bot.platforms.wechat.safety import Severity
from bot.platforms.wechat.sending import Sending
from bot.platforms.wechat.settings import WechatSettings
from bot.platforms.wechat.stream import Stream
from bot.platforms.wechat.text import MOST_TEXT
from storage.writer import StorageUnavailable, Writer

log = structlog.get_logger(__name__)

LOOK_SECONDS = 6 * 3600.0  # between two looks at the list of groups
ALIVE_SECONDS = 10.0  # between two notes that we are there
NOT_LOGGED_IN = "the account is not logged in; scan the code that the puppet service shows with the phone of the account"
TAKEN = "another program listens with this account; stop it: the service tells everything to one listener only"
MOST_ASIDE = 64
FRIENDS_PER_HOUR = 20  # more at once is what WeChat takes for a machine

OnGap = Callable[[Gap], Coroutine[object, object, None]]
OnCaution = Callable[[Caution, int], Awaitable[None]]


async def _nothing(*_: object) -> None:
    return None


class WechatPlatform:
    """One account. Keeps the contract of `bot.platforms.base.Adapter` but for one thing: nothing is ever delivered again.

    `data_dir` is below what the photos of outgoing messages lie. `siblings` are the names of all our WeChat accounts. `on_gap` is
    told of every gap once it is kept; `on_caution` what the account holds back, and the how manieth warning of a day brought it
    (0: it is an old one). `quiet` says whether nobody is to be greeted now. `monotonic` (seconds), `sleep` and `rng` are given by
    tests. `order_seconds`: see `Intake`.
    """

    def __init__(
        self,
        settings: WechatSettings,
        *,
        writer: Writer,
        data_dir: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        siblings: Sequence[str] = (),
        severity: Severity | None = None,
        on_gap: OnGap = _nothing,
        on_caution: OnCaution = _nothing,
        quiet: Callable[[datetime], bool] = lambda _: False,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        rng: random.Random | None = None,
        order_seconds: float = ORDER_SECONDS,
    ) -> None:
        """Raises ConfigError for settings that cannot work."""
        settings.check()
        self._settings = settings
        self._clock = clock
        self._severity = severity or Severity()
        self._on_gap = on_gap
        self._on_caution = on_caution
        self._quiet = quiet
        self._monotonic = monotonic
        self._sleep = sleep
        self._random = rng or random.Random()
        self._book = Book(writer, settings.account)
        self._limit = asyncio.Semaphore(settings.calls)
        self._owners = Owners(writer, self.name, settings.account, siblings, monotonic)
        self._names = Names(self._connection, settings.name_seconds, monotonic)
        self._groups = Groups(self._book, self._owners, settings, self._connection, self._who, clock, sleep)
        self.duplicates = Duplicates(settings.duplicate_seconds, lambda: clock().timestamp())
        self._sending = Sending(settings, data_dir, self._names, self._connection, self._warned)
        self._files = Files(settings, self._connection)
        self._side: set[asyncio.Task[None]] = set()
        self._friends: deque[float] = deque()
        self._puppet: Puppet | None = None
        self._me: Me | None = None
        self._open = False
        self._alive_at: datetime | None = None  # the last sign of life while logged in
        self._noted_at: datetime | None = None
        self._looked_at: float | None = None
        self._last_inbound: datetime | None = None
        self._trouble = ""
        self._broke = ""  # why the last connection ended
        self._intake: Intake | None = None
        self._caution = Caution()
        self.last_gap: Gap | None = None
        self.told = 0  # events that were for the bot, since the start
        self.order_seconds = order_seconds  # from the next `listen` on

    @property
    def name(self) -> str:
        """Always "wechat"."""
        return "wechat"

    @property
    def account(self) -> str:
        """Our own name for the account."""
        return self._settings.account

    @property
    def can(self) -> Capabilities:
        """What WeChat can do: no buttons, no edits, no quotes by programs."""
        return Capabilities(recall=True, mention=True, max_text=MOST_TEXT, max_photo_bytes=10_000_000)

    @property
    def me(self) -> Me | None:
        """Who we are; None before the first login."""
        return self._me

    @property
    def waiting(self) -> int:
        """Events that we were told of and have not taken yet."""
        return self._intake.waiting if self._intake is not None else 0

    @property
    def groups(self) -> Groups:
        """The groups that the account is in."""
        return self._groups

    # --- the contract -------------------------------------------------------------------------------------------------

    async def listen(self, feed: Feed) -> None:
        """Hear events until cancelled; every break is mended here, within two seconds if the service is there."""
        self._alive_at = await self._book.last_alive()
        self._caution = await self._book.caution()
        await self._on_caution(self._caution, 0)
        await self._groups.load()
        source = Source(self._connection, self._who, self._clock, self._sleep)
        self._intake = Intake(
            feed,
            source,
            self._book,
            self._groups,
            self._names,
            self.duplicates,
            self._sending.echoes.heard,
            self._on_heard,
            self.order_seconds,
        )
        tasks = {
            asyncio.create_task(self._intake.run(), name="wechat intake"),
            asyncio.create_task(self._stay(feed), name="wechat connection"),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._open = False
            for one in tasks:
                one.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._intake.close()

    async def send(self, to: Address, what: Outbound) -> Receipt:
        """Say it. Raises RetryLater, NeverDelivered, AnswerLost."""
        message_id = await self._sending.send(to, what)
        self.duplicates.spoke(to)
        return Receipt(message_id, self._clock())

    async def edit(self, to: Address, message_id: str, what: Outbound) -> bool:  # noqa: ARG002
        """WeChat lets nobody change what is said."""
        return False

    async def recall(self, to: Address, message_id: str) -> bool:  # noqa: ARG002
        """Take one of our own messages back; WeChat allows it for two minutes."""
        return await self._sending.recall(message_id)

    async def fetch(self, attachment: Attachment, limit: int) -> bytes:
        """The file's bytes. Raises RefusedInput `photo.too_large` or `photo.gone`, RetryLater."""
        return await self._files.fetch(attachment, limit)

    def health(self) -> Health:
        """How we are doing. While all is well `last_error` names the last time that nothing was heard, if any."""
        listening = self._open and self._me is not None and not self._trouble
        if listening:
            held, gap = self._caution.held_until, self.last_gap
            if held is not None and held > self._clock():
                said = f"WeChat has warned the account; until {held:%m-%d %H:%M} UTC only emergencies are sent"
                return Health(listening=True, last_inbound=self._last_inbound, last_error=said)
            said = f"away {gap.from_at:%m-%d %H:%M:%S} to {gap.to_at:%H:%M:%S} UTC; what was written then is gone" if gap else ""
            return Health(listening=True, last_inbound=self._last_inbound, last_error=said)
        return Health(
            listening=False, last_inbound=self._last_inbound, last_error=self._trouble or (NOT_LOGGED_IN if self._open else "")
        )

    async def close(self) -> None:
        """Give everything back. `listen` must have ended."""
        for task in list(self._side):
            task.cancel()
        await asyncio.gather(*self._side, return_exceptions=True)
        await self._names.close()
        if self._puppet is not None:
            self._puppet.close()
            self._puppet = None

    # --- staying there ------------------------------------------------------------------------------------------------

    async def _stay(self, feed: Feed) -> None:
        failures = 0
        while True:
            began = self._monotonic()
            wait = 0.0
            try:
                await self._live(feed)
            except NotUs as problem:
                self._trouble, wait = str(problem), 15.0
            except Refused as problem:
                self._trouble = TAKEN if problem.status is Status.ALREADY_EXISTS else str(problem)
            except CallFailed as problem:
                self._trouble = str(problem)
            except OSError as problem:  # a CA file that is gone or broken
                self._trouble, wait = f"wechat.ca_file: {type(problem).__name__}", 15.0
            self._broke = self._trouble
            failures = 1 if self._monotonic() - began > 10.0 else failures + 1
            plain = min(self._settings.longest_wait, self._settings.first_wait * 2 ** min(failures - 1, 16))
            wait = max(wait, plain * self._random.uniform(0.5, 1.0))
            log.warning("wechat.down", account=self.account, why=self._trouble, again_in=round(wait, 2))
            await self._sleep(wait)

    async def _live(self, feed: Feed) -> None:
        """One connection, from its beginning to its end."""
        puppet = Puppet(self._settings, self._limit)
        looking: asyncio.Task[None] | None = None

        def opened() -> None:
            nonlocal looking
            old, self._puppet, self._open = self._puppet, puppet, True
            if old is not None:
                old.close()
            looking = asyncio.create_task(self._settle_in(puppet, feed), name="wechat groups")

        try:
            stream = Stream(puppet, self._settings, opened, self._on_event, self._monotonic, self._sleep)
            await stream.run()
        finally:
            self._open = False
            if looking is not None:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)
            if self._puppet is puppet:
                self._puppet = None
            puppet.close()

    async def _settle_in(self, puppet: Puppet, feed: Feed) -> None:
        """What a fresh connection does beside listening: have the puppet started, and look at the groups now and then."""
        with contextlib.suppress(CallFailed):
            await puppet.start()
        while True:
            try:
                if self._me is not None and (self._looked_at is None or self._monotonic() - self._looked_at > LOOK_SECONDS):
                    found = await self._groups.look()
                    self._looked_at = self._monotonic()
                    log.info("wechat.groups", account=self.account, groups=found)
                if self._me is not None and not self._quiet(self._clock()):
                    await self._groups.introduce(feed)
            except CallFailed as problem:
                log.warning("wechat.groups_not_listed", why=str(problem))
            except StorageUnavailable:
                pass
            except Exception as problem:
                log.error("wechat.groups", problem=type(problem).__name__, exc_info=problem)
            await self._sleep(60.0)

    # --- what the stream tells ----------------------------------------------------------------------------------------

    async def _on_event(self, told: Told) -> None:
        match told.sort:
            case (
                EventType.EVENT_TYPE_MESSAGE
                | EventType.EVENT_TYPE_ROOM_JOIN
                | EventType.EVENT_TYPE_ROOM_LEAVE
                | EventType.EVENT_TYPE_ROOM_TOPIC
            ):
                self.told += 1
                if self._intake is not None:
                    await self._intake.put(told)
            case EventType.EVENT_TYPE_LOGIN:
                await self._logged_in(told)
            case EventType.EVENT_TYPE_LOGOUT:
                await self._logged_out(told)
            case EventType.EVENT_TYPE_SCAN:
                self._trouble = NOT_LOGGED_IN
            case EventType.EVENT_TYPE_ERROR:
                if safety.warns(told.data):
                    await self._warned()
            case EventType.EVENT_TYPE_FRIENDSHIP:
                self._aside(self._befriend(told))
            case EventType.EVENT_TYPE_ROOM_INVITE:
                self._aside(self._accept(told))
            case EventType.EVENT_TYPE_DIRTY:
                self._dirty(told)
        if self._open and self._me is not None and not self._trouble:
            await self._alive()

    async def _alive(self) -> None:
        """A sign of life; written down now and then, so that a restart knows since when nothing was heard."""
        self._alive_at = now = self._clock()
        if self._noted_at is not None and (now - self._noted_at).total_seconds() < ALIVE_SECONDS:
            return
        self._noted_at = now
        with contextlib.suppress(StorageUnavailable):
            await self._book.keep_alive(now)

    async def _logged_in(self, told: Told) -> None:
        try:
            contact = parse.text_of(parse.read_json(told.data), "contactId")
        except Malformed as problem:
            log.error("wechat.login", problem=str(problem))
            return
        known = self._me.name if self._me is not None and self._me.id == contact else ""
        self._me = Me(contact, self.account, known)
        self._trouble = ""
        log.info("wechat.connected", account=self.account)
        self._aside(self._learn_name(contact))
        before, now = self._alive_at, self._clock()
        if before is None or now <= before:
            return
        try:
            gap = await self._book.add_gap(before, now, self._broke or "the bot was not running")
        except StorageUnavailable:
            return  # the next sign of life does not hide it: alive_at in storage is still the old one
        self._alive_at = self._noted_at = now
        self.last_gap = gap
        log.warning("wechat.gap", account=self.account, seconds=round(gap.seconds, 1))
        self._aside(self._on_gap(gap))

    async def _logged_out(self, told: Told) -> None:
        self._trouble = self._broke = NOT_LOGGED_IN
        log.error("wechat.logged_out", account=self.account)
        if safety.warns(told.data):
            await self._warned()

    async def _learn_name(self, contact: str) -> None:
        puppet = self._puppet
        if puppet is None:
            return
        with contextlib.suppress(CallFailed):
            found = await puppet.contact(contact)
            self._me = Me(contact, self.account, found.name)

    async def _warned(self) -> None:
        """WeChat finds the account too busy."""
        with contextlib.suppress(StorageUnavailable):
            caution, number = await self._book.warn(self._clock(), self._severity)
            log.error("wechat.warned", account=self.account, warnings=number)
            self._caution = caution
            await self._on_caution(caution, number)

    async def _befriend(self, told: Told) -> None:
        """Whoever wants to talk privately has to be a friend first: requests are accepted, not too many at a time."""
        puppet = self._puppet
        if puppet is None or self._intake is None or self._me is None:
            return
        with contextlib.suppress(CallFailed, Malformed):
            friendship = parse.text_of(parse.read_json(told.data), "friendshipId")
            contact, sort = await puppet.friendship(friendship)
            if sort == 2 and self._settings.accept_friends:
                now = self._monotonic()
                while self._friends and now - self._friends[0] > 3600:
                    self._friends.popleft()
                if len(self._friends) < FRIENDS_PER_HOUR:
                    self._friends.append(now)
                    await puppet.accept_friendship(friendship)
            elif sort == 1:
                await self._intake.take(parse.met(contact, friendship, self._me, self._clock()))

    async def _accept(self, told: Told) -> None:
        puppet = self._puppet
        if puppet is None or not self._settings.accept_invitations:
            return
        with contextlib.suppress(CallFailed, Malformed):
            await puppet.accept_invitation(parse.text_of(parse.read_json(told.data), "roomInvitationId"))

    def _dirty(self, told: Told) -> None:
        with contextlib.suppress(Malformed):
            event = parse.read_json(told.data)
            match event.get("payloadType"):
                case parse.DIRTY_CONTACT | parse.DIRTY_MEMBER:
                    self._names.changed(parse.text_of(event, "payloadId"))
                case parse.DIRTY_ROOM:
                    self._aside(self._stale(parse.text_of(event, "payloadId")))

    async def _stale(self, room: str) -> None:
        with contextlib.suppress(StorageUnavailable):
            await self._groups.stale(room)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _connection(self) -> Puppet | None:
        return self._puppet

    def _who(self) -> Me | None:
        return self._me

    def _on_heard(self, event: Inbound) -> None:
        self._last_inbound = self._clock()
        if event.message_id and not event.address.private:
            self._sending.remember(event.address.chat, event.message_id, event.sender.id)

    def _aside(self, work: Coroutine[object, object, None]) -> None:
        """What the stream does not wait for."""
        if len(self._side) >= MOST_ASIDE:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._side.add(task)
        task.add_done_callback(self._side.discard)
