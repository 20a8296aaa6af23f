"""`GET /ws`: one connected browser, from its hello to its goodbye."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from functools import partial
from time import monotonic

import structlog
from aiohttp import WSMsgType, web

from bot.errors import RefusedInput
from bot.platforms.web.http import Front, code_of
from bot.platforms.web.hub import GOODBYE_SECONDS, Hub, Line, Outbox
from bot.platforms.web.people import Person, hashed
from bot.platforms.web.sessions import Sessions
from bot.platforms.web.settings import WebSettings
from bot.platforms.web.talk import Talk
from bot.platforms.web.texts import Texts
from bot.platforms.web.wire import (
    MOST_FRAME_BYTES,
    BadFrame,
    Frame,
    Hello,
    Json,
    Older,
    Ping,
    Read,
    Recall,
    Say,
    Tap,
    dump,
    parse,
)
from storage.writer import StorageUnavailable

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 30.0
MOST_WAITING_FRAMES = 100


class Budget:
    """So many frames a second, and as many at once."""

    def __init__(self, per_second: int) -> None:
        self._per_second = float(per_second)
        self._left = self._per_second
        self._at = monotonic()

    def spend(self) -> bool:
        """Whether one more is allowed now."""
        now = monotonic()
        left = self._left + (now - self._at) * self._per_second
        self._at = now
        if left > self._per_second:
            left = self._per_second
        self._left = left - 1 if left >= 1 else left
        return left >= 1


class Sockets:
    """All WebSockets."""

    def __init__(self, settings: WebSettings, front: Front, sessions: Sessions, hub: Hub, talk: Talk, texts: Texts) -> None:
        self._settings = settings
        self._front = front
        self._sessions = sessions
        self._hub = hub
        self._talk = talk
        self._texts = texts
        self._from: Counter[str] = Counter()
        self._strangers: dict[int, web.Request] = {}  # those who have not said hello
        self._closing = False

    def start(self) -> None:
        """Let people in."""
        self._closing = False

    def stop(self) -> None:
        """Say goodbye to everybody, and let nobody in any more."""
        self._closing = True
        for line in self._hub.all():
            line.end("restart", self._texts("bye.restart"))
        for request in self._strangers.values():
            _abort(request)

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Serve one browser until it goes."""
        self._front.check_origin(request)
        if self._closing:
            raise RefusedInput("request.failed")
        # a frame somewhat above the limit is still read, so that it gets a sentence instead of a broken connection
        socket = web.WebSocketResponse(
            timeout=GOODBYE_SECONDS, heartbeat=HEARTBEAT_SECONDS, max_msg_size=4 * MOST_FRAME_BYTES, compress=False
        )
        await socket.prepare(request)
        address = self._front.address(request)
        self._from[address] += 1
        try:
            if self._from[address] > self._settings.connections_per_address:
                await self._refuse(socket, "too_many")
            else:
                await self._greet(request, socket)
        except StorageUnavailable:
            await self._refuse(socket, "restart")
        except ConnectionError:
            pass
        finally:
            self._from[address] -= 1
            if not self._from[address]:
                del self._from[address]
        return socket

    async def _greet(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        hello = await self._hello(request, socket)
        if not isinstance(hello, Hello):
            await socket.close(code=4400)
            return
        token = hello.token or self._front.cookie_token(request)
        person = await self._sessions.person(token)
        if person is None or token is None:
            await self._refuse(socket, "signed_out")
            return
        if self._closing:
            await self._refuse(socket, "restart")
            return

        outbox = Outbox(socket, self._settings.most_queued_bytes, partial(_abort, request))
        line = Line(person.id, hashed(token), outbox, self._bye("slow"))
        self._hub.add(line)
        visit = Visit(self._settings, self._sessions, self._talk, self._texts, line, person, token)
        greeting = asyncio.create_task(visit.greet(dict(hello.since)))
        try:
            await self._listen(socket, visit)
        finally:
            self._hub.remove(line)
            greeting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await greeting
            await visit.stop()
            await outbox.stop()

    async def _hello(self, request: web.Request, socket: web.WebSocketResponse) -> Frame | None:
        self._strangers[id(request)] = request
        try:
            async with asyncio.timeout(self._settings.hello_seconds):
                raw = await socket.receive()
            return parse(raw.data) if raw.type is WSMsgType.TEXT else None
        except (TimeoutError, BadFrame):
            return None
        finally:
            del self._strangers[id(request)]

    async def _listen(self, socket: web.WebSocketResponse, visit: Visit) -> None:
        budget = Budget(self._settings.frames_per_second)
        async for raw in socket:
            if raw.type is not WSMsgType.TEXT:
                visit.refuse(None, RefusedInput("request.bad"))
                continue
            try:
                frame = parse(raw.data)
            except BadFrame as bad:
                frame, cid = None, bad.cid
            else:
                cid = frame.cid if isinstance(frame, Say | Tap) else None
            if isinstance(frame, Ping):
                visit.pong()
            elif not budget.spend():
                visit.refuse(cid, RefusedInput("request.slow_down"))
            elif frame is None or isinstance(frame, Hello):
                visit.refuse(cid, RefusedInput("request.bad"))
            elif len(raw.data.encode("utf-8", "replace")) > MOST_FRAME_BYTES:
                visit.refuse_size(frame, cid)
            else:
                visit.take(frame)

    async def _refuse(self, socket: web.WebSocketResponse, code: str) -> None:
        await socket.send_str(self._bye(code))
        await socket.close()

    def _bye(self, code: str) -> str:
        return dump({"t": "bye", "code": code, "text": self._texts(f"bye.{code}")})


class Visit:
    """What one person does over one connection, one thing after the other."""

    def __init__(
        self,
        settings: WebSettings,
        sessions: Sessions,
        talk: Talk,
        texts: Texts,
        line: Line,
        person: Person,
        token: str,
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._talk = talk
        self._texts = texts
        self._line = line
        self._person = person
        self._token = token
        self._waiting: asyncio.Queue[Frame] = asyncio.Queue(MOST_WAITING_FRAMES)
        self._task = asyncio.create_task(self._work())

    async def greet(self, since: dict[str, int]) -> None:
        """Bring the browser up to date."""
        try:
            await self._talk.greet(self._person, self._line, since)
        except (StorageUnavailable, RefusedInput) as problem:
            log.warning("web.greeting_failed", problem=type(problem).__name__)
            self._line.end("restart", self._texts("bye.restart"))

    def take(self, frame: Frame) -> None:
        """Put a frame in line."""
        try:
            self._waiting.put_nowait(frame)
        except asyncio.QueueFull:
            self.refuse(frame.cid if isinstance(frame, Say | Tap) else None, RefusedInput("request.slow_down"))

    def pong(self) -> None:
        """Alive."""
        self._line.post({"t": "pong"})

    def refuse(self, cid: str | None, refusal: RefusedInput) -> None:
        """Say why something was not accepted."""
        self._line.post({"t": "refused", "cid": cid, "code": code_of(refusal), "text": self._texts.of(refusal)})

    def refuse_size(self, frame: Frame, cid: str | None) -> None:
        """Say what is too large about a frame."""
        most = self._settings.max_text
        long = isinstance(frame, Say) and len(frame.text) > most
        self.refuse(cid, RefusedInput("say.too_long", most=most) if long else RefusedInput("request.too_big"))

    async def stop(self) -> None:
        """The connection is gone. What is being stored is finished by others; what waits comes again with its old cid."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _work(self) -> None:
        while True:
            frame = await self._waiting.get()
            cid = frame.cid if isinstance(frame, Say | Tap) else None
            try:
                person = await self._sessions.person(self._token)
                if person is None:
                    self._line.end("signed_out", self._texts("bye.signed_out"))
                    return
                answer = await self._do(person, frame)
                if answer is not None:
                    self._line.post(answer)
            except RefusedInput as refusal:
                self.refuse(cid, refusal)
            except StorageUnavailable:
                self.refuse(cid, RefusedInput("say.not_taken" if cid else "request.failed"))
            except Exception as problem:
                log.error("web.frame_bug", frame=type(frame).__name__, problem=type(problem).__name__)
                self.refuse(cid, RefusedInput("say.not_taken" if cid else "request.failed"))

    async def _do(self, person: Person, frame: Frame) -> dict[str, Json] | None:
        match frame:
            case Say():
                return await self._talk.say(person, frame)
            case Tap():
                return await self._talk.tap(person, frame)
            case Older():
                return await self._talk.older(person, frame)
            case Recall():
                await self._talk.recall(person, frame)
            case Read():
                await self._talk.read(person, frame)
            case _:
                raise RefusedInput("request.bad")
        return None


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
