"""The platform `web`: a small chat server with rooms of its own, behind the contract that every platform keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from argon2 import PasswordHasher

from bot.errors import ConfigError, NeverDelivered, RefusedInput, RetryLater
from bot.messages import Address, Attachment, Outbound, Receipt
from bot.photos import PhotoWorker
from bot.platforms.base import Capabilities, Feed, Health
from bot.platforms.web.handover import Handover
from bot.platforms.web.http import Front
from bot.platforms.web.hub import Hub
from bot.platforms.web.people import People, Room, private_room
from bot.platforms.web.rooms import Book
from bot.platforms.web.said import NewMessage
from bot.platforms.web.server import OnHealth, OnMetrics, Server
from bot.platforms.web.sessions import Sessions, SignIn
from bot.platforms.web.settings import (
    ACCOUNT,
    BOT_ID,
    OfficerGate,
    OfficerRooms,
    RoomCard,
    RoomSeed,
    TrySeed,
    UserSeed,
    WebSettings,
    usable_id,
)
from bot.platforms.web.socket import Sockets
from bot.platforms.web.store import checkpoint, forget, millis, open_store
from bot.platforms.web.talk import Talk
from bot.platforms.web.texts import Texts, load_texts
from bot.platforms.web.tipform import TipDoor, TipForm
from bot.platforms.web.uploads import Album, Uploads
from bot.platforms.web.wire import Painter
from storage.media import opened
from storage.writer import StorageUnavailable, Writer

log = structlog.get_logger(__name__)

RETENTION_SECONDS = 3600.0
LOOSE_PHOTO_DAYS = 1  # photos that were uploaded and never sent


@dataclass(frozen=True, slots=True)
class _House:
    """Everything that exists once the file is open."""

    accounts: Writer  # people, rooms, sessions
    rooms: Writer  # what is said; the same writer, or memory
    people: People
    book: Book
    album: Album
    sessions: Sessions
    handover: Handover
    talk: Talk
    server: Server


class WebPlatform:
    """The group chat in the browser.

    It keeps the contract of `bot.platforms.base.Adapter`: a message is stored, then given to the bot, and only then acknowledged
    to the browser; what the bot did not take is given to it again, at the next start in the order in which it was said.
    """

    def __init__(
        self,
        settings: WebSettings,
        *,
        rooms_file: Path | None,
        gate: OfficerGate,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        data_dir: Path | None = None,
        photos: PhotoWorker | None = None,
        texts: Mapping[str, str] | None = None,
        on_health: OnHealth | None = None,
        on_metrics: OnMetrics | None = None,
        hasher: PasswordHasher | None = None,
        tips: TipDoor | None = None,
        officer_rooms: OfficerRooms | None = None,
    ) -> None:
        """`rooms_file` None keeps accounts in memory, too. `data_dir` (default: where `rooms_file` lies) is below what the photos
        of outgoing messages lie. `on_health` gives every enabled platform's health, `on_metrics` the Prometheus text. A given
        `photos` is shared and closed by its owner. `tips` opens the form at /tip. `officer_rooms` tells the groups of a badge.
        Raises ConfigError for settings that must not be served and missing texts."""
        settings.check()
        self._settings = settings
        self._rooms_file = rooms_file
        self._gate = gate
        self._clock = clock
        self._data_dir = data_dir or (rooms_file.parent if rooms_file else None)
        self._photos = photos or PhotoWorker(most_bytes=settings.max_upload_bytes)
        self._owns_photos = photos is None
        self._texts = Texts(load_texts() if texts is None else texts)
        self._on_health: OnHealth = on_health or (lambda: {"web": self.health()})
        self._on_metrics = on_metrics
        self._tips = tips
        self._officer_rooms = officer_rooms
        self._hasher = hasher or PasswordHasher()
        self._house: _House | None = None
        self._opening = asyncio.Lock()
        self._closed = False
        self._tries: Sequence[TrySeed] = ()
        self._started = asyncio.Event()

    @property
    def name(self) -> str:
        """Always "web"."""
        return "web"

    @property
    def account(self) -> str:
        """Always "web": there is one bot account."""
        return ACCOUNT

    @property
    def can(self) -> Capabilities:
        """What this platform can do."""
        return Capabilities(
            recall=True,
            edit=True,
            choices=True,
            mention=True,
            exactly_once=True,
            max_text=self._settings.max_text,
            max_photo_bytes=self._settings.max_upload_bytes,
        )

    @property
    def url(self) -> str:
        """How people reach the chat, without a slash at the end."""
        return self._settings.address(self._house.server.port if self._house else self._settings.port)

    # --- the contract -------------------------------------------------------------------------------------------------

    async def listen(self, feed: Feed) -> None:
        """Serve until cancelled. Raises OSError when the port is taken."""
        house = await self._open()
        house.handover.feed = feed
        try:
            # before anybody can say something new, the bot hears what it is still owed, in order
            await house.handover.give_all(house.talk.tell_settled)
            await self.retain()
            await house.server.start()
            self._started.set()
            async with asyncio.TaskGroup() as jobs:
                jobs.create_task(self._every(self._settings.retry_seconds, self._give_again))
                jobs.create_task(self._every(RETENTION_SECONDS, self.retain))
        finally:
            self._started.clear()
            await house.server.stop()
            await house.talk.rest()
            await house.handover.rest()
            house.handover.feed = None

    async def started(self) -> None:
        """Return once people can connect."""
        await self._started.wait()

    async def send(self, to: Address, what: Outbound) -> Receipt:
        """Say it in the room. The same key in the same room again gives the first receipt."""
        if len(what.text) > self._settings.max_text:
            raise NeverDelivered(f"the text is longer than {self._settings.max_text} characters")
        try:
            house = await self._open()
            room = await self._room(house, to)
            new = NewMessage(
                room=room.id,
                person=BOT_ID,
                text=self._called(house, what),
                photos=await self._photo(house, room, what),
                reply_to=what.reply_to,
                mentions=(what.mention,) if what.mention else (),
                choices=what.choices,
                key=what.key,
                secret=what.secret,
            )
            said = await house.talk.say_as_bot(new)
        except StorageUnavailable as problem:
            raise RetryLater(5, "account", "the rooms' file cannot be written") from problem
        return Receipt(said.id, said.at)

    async def edit(self, to: Address, message_id: str, what: Outbound) -> bool:
        """Let a message of the bot say something else; everybody in the room sees it at once. Raises RetryLater."""
        if len(what.text) > self._settings.max_text:
            return False
        try:
            house = await self._open()
            room = await self._room(house, to)
            return await house.talk.change_as_bot(room.id, message_id, self._called(house, what), what.choices)
        except StorageUnavailable as problem:
            raise RetryLater(5, "account", "the rooms' file cannot be written") from problem

    async def recall(self, to: Address, message_id: str) -> bool:
        """Take a message of the bot back, whenever it was said."""
        try:
            house = await self._open()
            return await house.talk.recall_as_bot((await self._room(house, to)).id, message_id)
        except (NeverDelivered, StorageUnavailable):
            return False

    async def unsay(self, event_id: str) -> None:
        """Remove what was said in this event from the rooms' file (`bot.platforms.base.Forgetful`)."""
        await (await self._open()).book.unsay(event_id)

    async def forget_person(self, person: str) -> None:
        """Remove what a person said in the rooms and everything in their private chat, in answer to "forget me"."""
        await (await self._open()).book.forget_person(person, private_room(person))

    async def fetch(self, attachment: Attachment, limit: int) -> bytes:
        """The JPEG of a photo that somebody sent. Raises RefusedInput `photo.too_large` or `photo.gone`."""
        try:
            house = await self._open()
            size = await house.album.size_of(attachment.id)
            if size is not None and size > limit:
                raise RefusedInput("photo.too_large", megabytes=max(1, limit // 1_000_000))
            jpeg = await house.album.bytes_of(attachment.id)
        except StorageUnavailable as problem:
            raise RetryLater(5, "message", "the rooms' file cannot be read") from problem
        if jpeg is None:
            raise RefusedInput("photo.gone")
        return jpeg

    def health(self) -> Health:
        """How we are doing."""
        if self._house is None:
            return Health(listening=False)
        handover = self._house.handover
        return Health(self._started.is_set(), handover.last_inbound, handover.last_error)

    # --- for the composition root -------------------------------------------------------------------------------------

    async def seed(self, rooms: Sequence[RoomSeed], users: Sequence[UserSeed], tries: Sequence[TrySeed] = ()) -> None:
        """Make sure that these rooms and people exist. Again and again is fine; nothing is removed. Raises ConfigError for an id
        that cannot be used."""
        for wanted in [room.id for room in rooms] + [user.id for user in users]:
            if not usable_id(wanted):
                raise ConfigError(f'"{wanted}" cannot be an id in the web chat: use 1 to 64 of A-Z a-z 0-9 _ . : -')
        house = await self._open()
        await house.people.seed(rooms, users, personas=self._settings.demo)
        await house.book.open_rooms(room.id for room in house.people.rooms())
        self._tries = house.server.tries = tuple(tries)

    async def invite(self, room_id: str) -> str:
        """A link that lets whoever has it into this room, for `invite_days`. Raises KeyError for an unknown room."""
        house = await self._open()
        room = house.people.room(room_id)
        if room is None or room.kind != "group":
            raise KeyError(room_id)
        until = millis(self._clock() + timedelta(days=self._settings.invite_days))
        return f"{self.url}/join?invite={await house.people.make_invite(room_id, until)}"

    async def revoke_invites(self, room_id: str) -> int:
        """End every invitation to this room; how many there were."""
        return await (await self._open()).people.revoke_invites(room_id)

    async def rooms(self) -> list[RoomCard]:
        """Every group room."""
        people = (await self._open()).people
        return [
            RoomCard(room.id, room.name, room.labels, len(people.members(room.id)) - 1)
            for room in people.rooms()
            if room.kind == "group"
        ]

    async def remove(self, room_id: str, user_id: str) -> None:
        """Take a person out of a room; the pages of that person reconnect and no longer show it."""
        house = await self._open()
        await house.people.leave(room_id, user_id)
        for line in house.server.hub.of(user_id):
            line.end("restart", self._texts("bye.restart"))

    async def retain(self) -> int:
        """Remove what is older than `keep_days`, and what ran out; how many messages went. Runs every hour by itself."""
        house = await self._open()
        now = self._clock()
        await house.sessions.purge()
        loose = now - timedelta(days=LOOSE_PHOTO_DAYS)
        keep = timedelta(days=self._settings.keep_days) if self._settings.keep_days else timedelta(days=1)
        gone = await house.book.forget(now - keep, loose)
        if self._rooms_file is not None:
            await asyncio.to_thread(checkpoint, house.accounts)
        return gone

    async def close(self) -> None:
        """Close the file and the photo worker. `listen` must have ended."""
        self._closed = True
        house, self._house = self._house, None
        if self._owns_photos:
            await self._photos.close()
        if house is not None:
            for writer in {id(one): one for one in (house.accounts, house.rooms)}.values():
                await asyncio.to_thread(writer.close)

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _open(self) -> _House:
        async with self._opening:
            if self._closed:
                raise StorageUnavailable("the web chat is closed")
            if self._house is None:
                self._house = await self._build()
            return self._house

    async def _build(self) -> _House:
        settings, clock = self._settings, self._clock
        accounts = await asyncio.to_thread(open_store, self._rooms_file)
        in_memory = settings.keep_days == 0 and self._rooms_file is not None
        rooms = await asyncio.to_thread(open_store, None) if in_memory else accounts
        if in_memory:
            # what was kept while more days were allowed goes now
            everything = millis(clock()) + 1
            await accounts.run(lambda session: forget(session, everything, everything))
            await asyncio.to_thread(checkpoint, accounts)
        people = People(accounts, settings.bot_name)
        await people.load()
        # memory counts from the time of day, so that a browser that saw more before the restart misses nothing after it
        lost = in_memory or self._rooms_file is None
        book = Book(rooms, int(clock().timestamp()) if lost else 0)
        await book.open_rooms(room.id for room in people.rooms())
        sessions = Sessions(settings, accounts, people, self._gate, clock)
        await sessions.load()
        hub = Hub()
        handover = Handover(people, book, clock)
        painter = Painter(people.person, self._texts("show.somebody"), self._texts("show.recalled"), self._texts("show.unsaid"))
        talk = Talk(settings, people, book, hub, handover, painter, clock)
        front = Front(settings, sessions, self._texts)
        album = Album(rooms, clock)
        server = Server(
            settings,
            front,
            people,
            book,
            sessions,
            SignIn(people, sessions, self._gate, clock, self._hasher),
            hub,
            talk,
            Sockets(settings, front, sessions, hub, talk, self._texts),
            Uploads(settings, front, people, album, self._photos),
            self._texts,
            clock,
            self._on_health,
            self._on_metrics,
            TipForm(settings, front, self._tips, clock, self._photos) if self._tips is not None else None,
        )
        server.tries, server.officer_rooms = self._tries, self._officer_rooms
        return _House(accounts, rooms, people, book, album, sessions, handover, talk, server)

    async def _room(self, house: _House, to: Address) -> Room:
        wanted = private_room(to.chat) if to.private else to.chat
        if house.people.room(wanted) is None:
            await house.people.load()  # made by another process since we started
        room = house.people.room(wanted)
        if to.platform != "web" or room is None or (room.kind == "private") is not to.private:
            raise NeverDelivered("no such room in the web chat", gone=True)
        return room

    @staticmethod
    def _called(house: _House, what: Outbound) -> str:
        person = house.people.person(what.mention) if what.mention else None
        if person is None or f"@{person.name}" in what.text:
            return what.text
        return f"@{person.name} {what.text}"

    async def _photo(self, house: _House, room: Room, what: Outbound) -> tuple[str, ...]:
        if what.photo is None:
            return ()
        if self._data_dir is None:
            raise NeverDelivered("there is no data directory to take the photo from")
        base = await asyncio.to_thread(self._data_dir.resolve)
        try:
            path = await asyncio.to_thread((base / what.photo).resolve)
            if not path.is_relative_to(base):
                raise NeverDelivered("the photo does not lie in the data directory")
            photo = await self._photos.normalise(await asyncio.to_thread(lambda: opened(path.read_bytes())))
        except (OSError, ValueError) as problem:
            raise NeverDelivered("the photo cannot be read") from problem
        except RefusedInput as refusal:
            if refusal.phrase == "photo.busy":
                raise RetryLater(5, "message", "photos are waiting") from refusal
            raise NeverDelivered(f"the photo cannot be shown: {refusal.phrase}") from refusal
        return ((await house.album.add(BOT_ID, photo, f"{room.id} {what.key}")).id,)

    async def _give_again(self) -> None:
        if self._house is not None:
            await self._house.handover.give_all(self._house.talk.tell_settled)

    @staticmethod
    async def _every(seconds: float, job: Callable[[], Awaitable[object]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await job()
            except Exception as problem:
                # the next round tries again; a chat that stops because it could not tidy up helps nobody
                log.warning("web.job_failed", problem=type(problem).__name__)
