"""The HTTP server of the web chat: pages, sign-in and the state for machines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from aiohttp import web

from bot.errors import RefusedInput
from bot.platforms.base import Health
from bot.platforms.web.http import TIP, Front, read_json
from bot.platforms.web.hub import Hub
from bot.platforms.web.people import People, Person, clean_name, hashed
from bot.platforms.web.rooms import Book
from bot.platforms.web.sessions import Sessions, SignIn, Throttle
from bot.platforms.web.settings import OfficerRooms, TrySeed, WebSettings
from bot.platforms.web.socket import Sockets
from bot.platforms.web.store import millis
from bot.platforms.web.talk import Talk
from bot.platforms.web.texts import Texts
from bot.platforms.web.tipform import TipForm
from bot.platforms.web.uploads import Uploads
from bot.platforms.web.wire import FirstSignInAsked, JoinAsked, Json, PersonaAsked, SignInAsked, moment, user

STATIC = Path(__file__).resolve().parent / "static"
GOODBYE_SECONDS = 2.0
NEWCOMERS_A_MINUTE = 60

OnHealth = Callable[[], Mapping[str, Health]]
OnMetrics = Callable[[], Awaitable[str]]


class Server:
    """Everything under our address."""

    def __init__(
        self,
        settings: WebSettings,
        front: Front,
        people: People,
        book: Book,
        sessions: Sessions,
        sign_in: SignIn,
        hub: Hub,
        talk: Talk,
        sockets: Sockets,
        uploads: Uploads,
        texts: Texts,
        clock: Callable[[], datetime],
        on_health: OnHealth,
        on_metrics: OnMetrics | None,
        tip_form: TipForm | None,
    ) -> None:
        self._settings = settings
        self._front = front
        self._people = people
        self._book = book
        self._sessions = sessions
        self._sign_in = sign_in
        self.hub = hub
        self._talk = talk
        self._sockets = sockets
        self._uploads = uploads
        self._texts = texts
        self._clock = clock
        self._on_health = on_health
        self._on_metrics = on_metrics
        self._tip_form = tip_form
        # a whole meeting may join from one address; a link that leaked must not fill the rooms with made-up people
        self._newcomers = Throttle(clock, NEWCOMERS_A_MINUTE)
        self._runner: web.AppRunner | None = None
        self.tries: Sequence[TrySeed] = ()
        self.officer_rooms: OfficerRooms | None = None
        self.port = settings.port

    async def start(self) -> None:
        """Begin to listen. Raises OSError when the port is taken."""
        app = web.Application(middlewares=[self._front.guard])
        app.on_response_prepare.append(self._front.dress)
        self._add_routes(app.router)
        # no access log: addresses and invitation tokens would stand in it
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=GOODBYE_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._settings.host, self._settings.port).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self.port = int(runner.addresses[0][1])
        self._front.open(self.port)
        self._sockets.start()

    async def stop(self) -> None:
        """Say goodbye to everybody and close."""
        self._sockets.stop()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def _add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/", self._page("index.html"))
        router.add_get("/static/{file:.+}", self._static)
        router.add_get("/api/session", self._session)
        router.add_post("/api/signout", self._signout)
        router.add_post("/api/photos", self._uploads.post)
        router.add_get("/api/photos/{photo}", self._uploads.get)
        router.add_get("/ws", self._sockets.open)
        router.add_get("/healthz", self._healthz)
        router.add_get("/metrics", self._metrics)
        router.add_get("/join", self._page("join.html"))
        router.add_get("/signin", self._page("signin.html"))
        if self._tip_form is not None:
            router.add_get(TIP, self._tip_form.get)
            router.add_post(TIP, self._tip_form.post)
            router.add_get(f"{TIP}/picture/{{token}}", self._tip_form.picture)
        if self._settings.demo:
            router.add_post("/api/persona", self._persona)
        else:
            router.add_post("/api/join", self._join)
            router.add_post("/api/signin", self._signin)
            router.add_post("/api/firstsignin", self._first_signin)

    # --- pages --------------------------------------------------------------------------------------------------------

    def _page(self, name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def page(_: web.Request) -> web.StreamResponse:
            return await self._file(STATIC / name)

        return page

    async def _static(self, request: web.Request) -> web.StreamResponse:
        return await self._file((STATIC / request.match_info["file"]).resolve())

    @staticmethod
    async def _file(path: Path) -> web.StreamResponse:
        inside = path.is_relative_to(STATIC)
        if not inside or not await asyncio.to_thread(path.is_file):
            raise RefusedInput("request.not_found")
        return web.FileResponse(path)

    # --- who one is ---------------------------------------------------------------------------------------------------

    async def _session(self, request: web.Request) -> web.Response:
        person = await self._sessions.person(self._front.token(request))
        visit, csrf = self._front.visit(request)
        answer: dict[str, Json] = {
            "mode": "demo" if self._settings.demo else "normal",
            "me": user(person) if person else None,
            "csrf": csrf,
        }
        if self._settings.demo:
            answer["personas"] = [user(persona) for persona in self._people.personas()]
            answer["try"] = [
                {"title": one.title, "text": one.text, "persona": one.persona, "room": one.room} for one in self.tries
            ]
        response = web.json_response(answer)
        self._front.set_cookie(response, "visit", visit)
        return response

    async def _persona(self, request: web.Request) -> web.Response:
        person = self._people.person((await read_json(request, PersonaAsked)).user)
        if person is None or not person.persona:
            raise RefusedInput("request.bad")
        return web.json_response({"token": await self._sessions.start(person), "me": user(person)})

    async def _join(self, request: web.Request) -> web.Response:
        asked = await read_json(request, JoinAsked)
        room = await self._people.invited_to(asked.invite[:100], millis(self._clock()))
        if room is not None and self._people.room(room) is None:
            await self._people.load()  # made by another process since we started
        place = self._people.room(room) if room else None
        if place is None:
            raise RefusedInput("join.bad_invite")
        token = self._front.token(request)
        person = await self._sessions.person(token)
        if person is None or token is None:
            person = await self._newcomer(asked.name or "", self._front.address(request))
            token = await self._sessions.start(person)
        await self._book.open_rooms(room.id for room in self._people.rooms_of(person.id))
        await self._people.join(place.id, person.id, await self._book.head(place.id))
        await self._talk.show_room(place)
        _, frame = await self._talk.room_for(person, place)
        return self._signed_in(person, token, {"room": frame})

    async def _newcomer(self, raw: str, address: str) -> Person:
        name = clean_name(raw)
        if not name:
            raise RefusedInput("join.name_empty")
        if self._people.name_is_taken(name):
            raise RefusedInput("join.name_taken")
        seconds = self._newcomers.wait(address)
        if seconds:
            raise RefusedInput("signin.wait", seconds=seconds)
        self._newcomers.count(address)
        return await self._people.add_resident(name)

    async def _signin(self, request: web.Request) -> web.Response:
        asked = await read_json(request, SignInAsked)
        person = await self._sign_in.sign_in(asked.badge.strip().upper(), asked.password, self._front.address(request))
        return await self._officer_in(person)

    async def _first_signin(self, request: web.Request) -> web.Response:
        asked = await read_json(request, FirstSignInAsked)
        person = await self._sign_in.first(asked.badge.strip().upper(), asked.code, asked.password, self._front.address(request))
        return await self._officer_in(person)

    async def _officer_in(self, person: Person) -> web.Response:
        await self._seat(person)
        await self._book.open_rooms(room.id for room in self._people.rooms_of(person.id))
        return self._signed_in(person, await self._sessions.start(person), {})

    async def _seat(self, person: Person) -> None:
        """An officer who signs in is in the groups that the roster gives them by now, also in those made since we started."""
        rooms = await self.officer_rooms(person.badge) if self.officer_rooms and person.badge else ()
        if any(self._people.room(room) is None for room in rooms):
            await self._people.load()
        for room in rooms:
            if self._people.room(room) is not None and self._people.membership(room, person.id) is None:
                await self._people.join(room, person.id, 0)

    def _signed_in(self, person: Person, token: str, more: dict[str, Json]) -> web.Response:
        response = web.json_response({"token": token, "me": user(person), **more})
        officer = person.role == "officer"
        days = self._settings.resident_session_days
        self._front.set_cookie(response, "session", token, None if officer else days * 86_400)
        return response

    async def _signout(self, request: web.Request) -> web.Response:
        token = self._front.token(request)
        if token:
            await self._sessions.end(token)
            for line in self.hub.all():
                if line.session == hashed(token):
                    line.end("signed_out", self._texts("bye.signed_out"))
        response = web.json_response({})
        self._front.drop_cookie(response, "session")
        return response

    # --- for machines -------------------------------------------------------------------------------------------------

    async def _healthz(self, _: web.Request) -> web.Response:
        platforms = self._on_health()
        well = all(health.listening for health in platforms.values())
        told: dict[str, Json] = {
            name: {"listening": health.listening, "last_inbound": moment(health.last_inbound) if health.last_inbound else None}
            for name, health in platforms.items()
        }
        return web.json_response({"ok": well, "platforms": told}, status=200 if well else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        if self._on_metrics is None or not self._front.is_near(request):
            raise RefusedInput("request.not_found")
        return web.Response(text=await self._on_metrics(), content_type="text/plain", charset="utf-8")
