"""Our own client of the Wechaty puppet protocol: a deadline for every call, a limit to calls at a time, the token in no message.

`wechaty_grpc.PuppetStub` speaks what it knows; what it does not know, or gets wrong (it has no streams to the service), goes over
the same grpclib channel with the messages of `wire`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import betterproto
import msgspec
import structlog
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from wechaty_grpc.wechaty import PuppetStub, puppet

from bot.platforms.wechat import proto, wire
from bot.platforms.wechat.calls import RawCalls
from bot.platforms.wechat.channel import PuppetChannel, WrongCertificate
from bot.platforms.wechat.settings import WechatSettings

log = structlog.get_logger(__name__)

PIECE = 64 * 1024  # of a file on its way to the service; the service refuses messages above 4 MiB
MOST_REASON = 160
MESSAGE = "/wechaty.Puppet/MessagePayload"
MEMBER = "/wechaty.Puppet/RoomMemberPayload"

T = TypeVar("T")
M = TypeVar("M", bound=betterproto.Message | bytes)


class CallFailed(Exception):
    """A call that brought nothing. `arrived` says whether the service can have acted on it; the text is for the operator."""

    def __init__(self, why: str, *, arrived: bool = False) -> None:
        super().__init__(why)
        self.arrived = arrived


class NoConnection(CallFailed):
    """The service cannot be reached: nothing left us."""


class Lost(CallFailed):
    """The connection broke, or no answer came in time, after the call had left."""

    def __init__(self, why: str) -> None:
        super().__init__(why, arrived=True)


class Refused(CallFailed):
    """The service answered with an error. `reason` is its own sentence, which may quote a message: never logged."""

    def __init__(self, status: Status, reason: str) -> None:
        # a puppet that throws says UNKNOWN whatever it had done by then
        super().__init__(f"the service said {status.name}", arrived=status in (Status.UNKNOWN, Status.INTERNAL, Status.ABORTED))
        self.status = status
        self.reason = reason[:MOST_REASON]


class NotUs(CallFailed):
    """The service does not know our token. Its answer quotes the token and is therefore dropped."""


class Told(msgspec.Struct, frozen=True):
    """One event of the stream: `sort` is the number of wechaty_grpc's EventType, `data` its JSON, checked by nobody."""

    sort: int
    data: str


class Payload(msgspec.Struct, frozen=True):
    """A message as the service describes it. `stamp` is in milliseconds or seconds, as the puppet likes."""

    id: str
    sort: int
    text: str
    talker: str
    room: str
    listener: str
    mentions: tuple[str, ...]
    stamp: int
    filename: str


@dataclass(frozen=True, slots=True)
class Room:
    """A group as the service describes it."""

    id: str
    topic: str
    owner: str
    members: int


@dataclass(frozen=True, slots=True)
class Contact:
    """A person as the service describes them. `sort` 1 is a person, 2 an official account, 3 a company's."""

    id: str
    name: str
    sort: int


class Puppet:
    """One connection. Every call raises CallFailed or one of its kinds and nothing else on purpose.

    `limit` bounds the calls at a time over all connections of an account; the event stream is not counted.
    """

    def __init__(self, settings: WechatSettings, limit: asyncio.Semaphore) -> None:
        self._settings = settings
        self._limit = limit
        self._channel = PuppetChannel(settings)
        self._metadata = {"authorization": f"Wechaty {settings.token}"}
        self._calls = RawCalls(self._channel, self._metadata)
        self._stub = PuppetStub(self._channel, metadata=self._metadata)
        self.most_at_once = 0
        self._now = 0

    def close(self) -> None:
        """Give the connection back; calls under way end as Lost."""
        self._channel.close()

    # --- hearing ------------------------------------------------------------------------------------------------------

    async def events(self, opened: Callable[[], None]) -> AsyncGenerator[Told, None]:
        """The event stream; there can be only one for an account. `opened` is called when the service has accepted it."""
        with _as_failure():
            told = self._calls.listen("/wechaty.Puppet/Event", b"", self._settings.connect_seconds, opened)
            async with contextlib.aclosing(told) as events:
                async for event in events:
                    yield _told(event)

    async def start(self) -> None:
        """Have the service bring its puppet up; nothing happens when it is."""
        await self._ask(lambda: self._stub.start(), 20.0)

    async def ding(self, data: str) -> None:
        """Ask for a sign of life on the event stream."""
        await self._ask(lambda: self._stub.ding(data=data))

    async def version(self) -> str:
        """What the service calls itself."""
        return str((await self._ask(lambda: self._stub.version())).version)

    async def message(self, message_id: str) -> Payload:
        """What was said. Raises Refused when the service does not know it any more."""
        return _payload(message_id, await self._raw(MESSAGE, proto.string(1, message_id)))

    async def location(self, message_id: str) -> wire.LocationPayload:
        """The place that a message pins."""
        answer = await self._unary("MessageLocation", wire.LocationRequest(id=message_id), wire.LocationResponse)
        return answer.location

    async def rooms(self) -> tuple[str, ...]:
        """The ids of the groups that the account is in, as far as the service knows them."""
        return tuple((await self._ask(lambda: self._stub.room_list(), 30.0)).ids)

    async def room(self, room_id: str) -> Room:
        """A group."""
        found = await self._ask(lambda: self._stub.room_payload(id=room_id))
        return Room(room_id, found.topic, found.owner_id, len(found.member_ids))

    async def contact(self, contact_id: str) -> Contact:
        """A person."""
        found = await self._ask(lambda: self._stub.contact_payload(id=contact_id))
        return Contact(contact_id, found.name, int(found.type))

    async def member_name(self, room_id: str, contact_id: str) -> str:
        """What a person is called in a group: the name chosen for the group, else the person's own."""
        answer = await self._raw(MEMBER, proto.string(1, room_id) + proto.string(2, contact_id))
        with _as_garbled():
            found = {number: value for number, value in proto.fields(answer) if number in (2, 5)}
            return proto.text_of(found.get(2) or found.get(5, b""))

    async def friendship(self, friendship_id: str) -> tuple[str, int]:
        """Whose request it is, and its sort: 1 confirmed, 2 received, 3 to be verified by them."""
        found = await self._ask(lambda: self._stub.friendship_payload(id=friendship_id))
        return found.contact_id, int(found.type)

    async def accept_friendship(self, friendship_id: str) -> None:
        """Become friends, which WeChat wants before a private word."""
        await self._ask(lambda: self._stub.friendship_accept(id=friendship_id))

    async def accept_invitation(self, invitation_id: str) -> None:
        """Come into a group."""
        await self._ask(lambda: self._stub.room_invitation_accept(id=invitation_id))

    # --- saying -------------------------------------------------------------------------------------------------------

    async def send_text(self, chat: str, text: str, mentions: Sequence[str] = ()) -> str:
        """Say it; returns the message id, empty when the service does not tell it."""
        request = puppet.MessageSendTextRequest(conversation_id=chat, text=text, mentonal_ids=list(mentions))
        return (await self._send("MessageSendText", request)).message_id

    async def send_link(self, chat: str, title: str, description: str, url: str) -> str:
        """Send a link card."""
        card = json.dumps({"title": title, "description": description, "url": url}, ensure_ascii=False)
        request = puppet.MessageSendUrlRequest(conversation_id=chat, url_link=card)
        return (await self._send("MessageSendUrl", request)).message_id

    async def send_file(self, chat: str, name: str, data: bytes) -> str:
        """Send an image or another file, in pieces."""

        async def pieces() -> AsyncIterator[betterproto.Message]:
            yield puppet.MessageSendFileStreamRequest(conversation_id=chat)
            yield puppet.MessageSendFileStreamRequest(file_box_chunk=puppet.FileBoxChunk(name=name))
            for start in range(0, len(data), PIECE):
                yield puppet.MessageSendFileStreamRequest(file_box_chunk=puppet.FileBoxChunk(data=data[start : start + PIECE]))

        async def send() -> wire.SentResponse:
            async with self._channel.request(
                "/wechaty.Puppet/MessageSendFileStream",
                Cardinality.STREAM_UNARY,
                puppet.MessageSendFileStreamRequest,
                wire.SentResponse,
                metadata=self._metadata,
            ) as stream:
                async for piece in pieces():
                    await stream.send_message(piece)
                await stream.end()
                return _some(await stream.recv_message())

        return (await self._ask(send, 2 * self._settings.send_seconds)).message_id

    async def recall(self, message_id: str) -> bool:
        """Take a message of ours back; false when WeChat would not."""
        return bool((await self._ask(lambda: self._stub.message_recall(id=message_id))).success)

    # --- files --------------------------------------------------------------------------------------------------------

    async def box(self, message_id: str, *, image: bool) -> str:
        """The FileBox of a message, as JSON."""
        if image:
            return str((await self._ask(lambda: self._stub.message_image(id=message_id, type=puppet.ImageType(3)))).filebox)
        return str((await self._ask(lambda: self._stub.message_file(id=message_id))).filebox)

    async def download(self, uuid: str) -> AsyncIterator[bytes]:
        """The pieces of a file that the service holds under a UUID."""
        request = wire.DownloadRequest(id=uuid)
        async for answer in self._pieces("Download", request, wire.DownloadResponse):
            yield answer.chunk

    async def pieces_of(self, message_id: str, *, image: bool) -> AsyncIterator[bytes]:
        """The pieces of a message's file, fetched by the service from wherever it lies."""
        if image:
            request = puppet.MessageImageStreamRequest(id=message_id, type=puppet.ImageType(3))
            async for shown in self._pieces("MessageImageStream", request, puppet.MessageImageStreamResponse):
                yield shown.file_box_chunk.data
            return
        wanted = puppet.MessageFileStreamRequest(id=message_id)
        async for part in self._pieces("MessageFileStream", wanted, puppet.MessageFileStreamResponse):
            yield part.file_box_chunk.data

    async def _pieces(self, method: str, request: betterproto.Message, answer: type[M]) -> AsyncIterator[M]:
        with _as_failure():
            async with (
                self._limit,
                self._channel.request(
                    f"/wechaty.Puppet/{method}", Cardinality.UNARY_STREAM, type(request), answer, metadata=self._metadata
                ) as stream,
            ):
                await stream.send_message(request, end=True)
                async for piece in stream:
                    yield piece

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _unary(self, method: str, request: betterproto.Message, answer: type[M], seconds: float | None = None) -> M:
        async def call() -> M:
            async with self._channel.request(
                f"/wechaty.Puppet/{method}", Cardinality.UNARY_UNARY, type(request), answer, metadata=self._metadata
            ) as stream:
                await stream.send_message(request, end=True)
                return _some(await stream.recv_message())

        return await self._ask(call, seconds)

    async def _raw(self, method: str, request: bytes) -> bytes:
        """A call for which both messages are bytes already."""
        return await self._ask(lambda: self._calls.ask(method, request))

    async def _send(self, method: str, request: betterproto.Message) -> wire.SentResponse:
        return await self._unary(method, request, wire.SentResponse, self._settings.send_seconds)

    async def _ask(self, call: Callable[[], Awaitable[T]], seconds: float | None = None) -> T:
        """One call, when it is its turn: connecting has a deadline of its own, so that "not sent" is known for certain."""
        async with self._limit:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            try:
                if not self._channel._connected:
                    await self._connect()
                with _as_failure():
                    async with asyncio.timeout(self._settings.call_seconds if seconds is None else seconds):
                        return await call()
            finally:
                self._now -= 1

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self._settings.connect_seconds):
                await self._channel.__connect__()
        except TimeoutError:
            raise NoConnection("the service does not answer") from None
        except OSError as problem:
            raise NoConnection(_reached(problem)) from None


@contextlib.contextmanager
def _as_failure() -> Iterator[None]:
    """What grpclib raises, by what it means."""
    try:
        yield
    except GRPCError as problem:
        if problem.status is Status.UNAUTHENTICATED:
            raise NotUs("the service does not know wechat.token; give it the token with which the service was started") from None
        if problem.status is Status.UNAVAILABLE:
            raise Lost("the service became unavailable") from None
        if problem.status is Status.CANCELLED:
            raise Lost("the service broke off") from None
        raise Refused(problem.status, problem.message or "") from None
    except (StreamTerminatedError, ProtocolError, TimeoutError) as problem:
        raise Lost("no answer in time" if isinstance(problem, TimeoutError) else "the connection broke") from None
    except OSError as problem:
        raise NoConnection(_reached(problem)) from None


def _reached(problem: OSError) -> str:
    """Why there is no connection, in words that quote nothing."""
    if isinstance(problem, WrongCertificate):
        return str(problem)
    said = type(problem).__name__
    reason = getattr(problem, "verify_message", "") or getattr(problem, "strerror", "") or ""
    return f"the service cannot be reached ({said}{': ' + reason if reason else ''})"[:MOST_REASON]


@contextlib.contextmanager
def _as_garbled() -> Iterator[None]:
    try:
        yield
    except proto.Garbled:
        raise Refused(Status.DATA_LOSS, "its answer cannot be read") from None


def _told(event: bytes) -> Told:
    """EventResponse; what cannot be read is an event of no sort with no data, which nobody acts on."""
    sort, data = 0, ""
    try:
        for number, value in proto.fields(event):
            if number == 1:
                sort = proto.number_of(value)
            elif number == 2:
                data = proto.text_of(value)
    except proto.Garbled as problem:
        log.error("wechat.garbled_event", problem=str(problem), bytes=len(event))
        return Told(0, "")
    return Told(sort, data)


def _payload(message_id: str, answer: bytes) -> Payload:
    """MessagePayloadResponse. Newer services tell the time in field 10, and the one in field 4 only besides."""
    texts: dict[int, str] = {}
    mentions: list[str] = []
    sort = stamp = received = 0
    with _as_garbled():
        for number, value in proto.fields(answer):
            if number == 4:
                stamp = proto.number_of(value)
            elif number == 5:
                sort = proto.number_of(value)
            elif number == 9:
                mentions.append(proto.text_of(value))
            elif number == 10:
                received = _milliseconds(value)
            elif number <= 8:
                texts[number] = proto.text_of(value)
    told = texts.get
    return Payload(
        told(1) or message_id,
        sort,
        told(3, ""),
        told(6, ""),
        told(7, ""),
        told(8, ""),
        tuple(mentions),
        stamp or received,
        told(2, ""),
    )


def _milliseconds(stamp: object) -> int:
    """google.protobuf.Timestamp."""
    if not isinstance(stamp, bytes):
        raise proto.Garbled("not a time")
    parts = dict(proto.fields(stamp))
    return 1000 * proto.number_of(parts.get(1, 0)) + proto.number_of(parts.get(2, 0)) // 1_000_000


def _some(answer: M | None) -> M:
    if answer is None:
        raise Lost("an answer without content")
    return answer
