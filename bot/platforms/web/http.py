"""What every HTTP call has in common: who asks, from which page, and how a refusal is said."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import structlog
from aiohttp import web

from bot.errors import RefusedInput
from bot.platforms.web.people import Person
from bot.platforms.web.sessions import Sessions
from bot.platforms.web.settings import WebSettings
from bot.platforms.web.texts import Texts
from bot.platforms.web.wire import BadFrame, body
from storage.writer import StorageUnavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MOST_JSON_BYTES = 16_384
BODY_SECONDS = 180.0
TIP = "/tip"  # the form without an account
FORM_CSP = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

STATUS: Mapping[str, int] = {
    "photo.busy": 429,
    "photo.too_large": 413,
    "photo.gone": 404,
    "request.csrf": 403,
    "request.failed": 503,
    "request.not_found": 404,
    "request.origin": 403,
    "request.session": 401,
    "signin.bad_code": 401,
    "signin.wait": 429,
    "signin.wrong": 401,
}


class Front:
    """The door in front of every handler."""

    def __init__(self, settings: WebSettings, sessions: Sessions, texts: Texts) -> None:
        self._settings = settings
        self._sessions = sessions
        self._texts = texts
        self._origins: frozenset[str] = frozenset()
        self._hosts: frozenset[str] = frozenset()
        self._csp = ""

    def open(self, port: int) -> None:
        """We listen on this port; from now on it is known which pages are ours."""
        self._origins = self._settings.origins(port)
        self._hosts = frozenset(origin.partition("://")[2] for origin in self._origins)
        # named for browsers whose 'self' does not cover WebSockets; an IPv6 address cannot stand in a policy
        sockets = " ".join(sorted(origin.replace("http", "ws", 1) for origin in self._origins if "[" not in origin))
        self._csp = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; "
            f"connect-src 'self' {sockets}; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse foreign pages, and answer every refusal with a sentence for a person."""
        try:
            if request.path not in ("/healthz", "/metrics"):
                self._check_host(request)
            if request.path == TIP and request.method == "POST":
                # nobody is signed in there, so no foreign page could act in somebody's name; it must not post in our name either
                self.check_origin(request)
            elif request.method not in SAFE_METHODS:
                self.check_origin(request)
                if not self._sessions.csrf_fits(self._cookie(request, "visit"), request.headers.get("X-Csrf")):
                    raise RefusedInput("request.csrf")
            return await handler(request)
        except RefusedInput as refusal:
            return self.refusal(refusal, say_it=request.path == TIP)
        except web.HTTPException as problem:
            if problem.status < 400:
                raise
            return self.refusal(
                RefusedInput("request.not_found" if problem.status in (404, 405) else "request.bad"), problem.status
            )
        except (BadFrame, UnicodeError):
            return self.refusal(RefusedInput("request.bad"))
        except (StorageUnavailable, TimeoutError) as problem:
            log.warning("web.request_failed", path=request.path, problem=type(problem).__name__)
            return self.refusal(RefusedInput("request.failed"))
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as problem:
            # the traceback may quote what somebody said; its kind and place do not
            log.error("web.request_bug", path=request.path, problem=type(problem).__name__, where=_place(problem))
            return self.refusal(RefusedInput("request.failed"), 500)

    async def dress(self, request: web.Request, response: web.StreamResponse) -> None:
        """Headers of every answer."""
        headers = response.headers
        form = request.path == TIP
        headers["Content-Security-Policy"] = FORM_CSP if form else self._csp
        headers["X-Content-Type-Options"] = "nosniff"
        # with "no-referrer" browsers send a form without its origin
        headers["Referrer-Policy"] = "same-origin" if form else "no-referrer"
        headers["X-Frame-Options"] = "DENY"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers["Permissions-Policy"] = "camera=(self), geolocation=(self), microphone=()"
        headers.setdefault("Cache-Control", "no-store" if request.path.startswith("/api/") else "no-cache")
        headers.pop("Server", None)
        if self._settings.tls:
            headers["Strict-Transport-Security"] = "max-age=31536000"

    def check_origin(self, request: web.Request) -> None:
        """Raise RefusedInput unless the request comes from a page of ours."""
        if request.headers.get("Origin") not in self._origins:
            raise RefusedInput("request.origin")

    def refusal(self, refusal: RefusedInput, status: int | None = None, *, say_it: bool = False) -> web.Response:
        """`{"error":{"code","text"}}`; with `say_it` the sentence alone, for a page without scripts."""
        text = self._texts.of(refusal)
        if say_it:
            return web.Response(text=text, status=status or STATUS.get(refusal.phrase, 400))
        response = web.json_response(
            {"error": {"code": code_of(refusal), "text": text}}, status=status or STATUS.get(refusal.phrase, 400)
        )
        if "seconds" in refusal.values:
            response.headers["Retry-After"] = str(refusal.values["seconds"])
        return response

    def address(self, request: web.Request) -> str:
        """Who calls, as an IP address."""
        forwarded = request.headers.get("X-Forwarded-For", "") if self._settings.behind_proxy else ""
        return forwarded.rpartition(",")[2].strip()[:60] or request.remote or ""

    def is_near(self, request: web.Request) -> bool:
        """Whether the caller is on this machine or in a private network; others learn nothing about our state."""
        try:
            return ipaddress.ip_address(self.address(request)).is_private
        except ValueError:
            return False

    # --- cookies and tokens -------------------------------------------------------------------------------------------

    def token(self, request: web.Request) -> str | None:
        """The tab's own token, else the browser's cookie."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return given.strip()
        return self.cookie_token(request)

    def cookie_token(self, request: web.Request) -> str | None:
        """The token in the cookie; in the demonstration every tab has one of its own instead."""
        return None if self._settings.demo else self._cookie(request, "session")

    async def asker(self, request: web.Request) -> Person:
        """Who asks. Raises RefusedInput `request.session` for somebody who is not signed in."""
        person = await self._sessions.person(self.token(request))
        if person is None:
            raise RefusedInput("request.session")
        return person

    def visit(self, request: web.Request) -> tuple[str, str]:
        """(this browser's visit, what its pages have to send along)."""
        visit = self._cookie(request, "visit") or secrets.token_urlsafe(18)
        return visit, self._sessions.csrf(visit)

    def set_cookie(self, response: web.StreamResponse, name: str, value: str, seconds: int | None = None) -> None:
        """Set a cookie that no script reads and no other site sends along. Without `seconds` it ends with the browser."""
        response.set_cookie(
            self._name(name), value, max_age=seconds, path="/", secure=self._settings.tls, httponly=True, samesite="Strict"
        )

    def drop_cookie(self, response: web.StreamResponse, name: str) -> None:
        """Remove a cookie."""
        response.del_cookie(self._name(name), path="/", secure=self._settings.tls, httponly=True, samesite="Strict")

    def _cookie(self, request: web.Request, name: str) -> str | None:
        return request.cookies.get(self._name(name))

    def _name(self, name: str) -> str:
        # the prefix makes browsers refuse the cookie from anybody but this host through TLS
        return f"__Host-qianshao-{name}" if self._settings.tls else f"qianshao-{name}"

    def _check_host(self, request: web.Request) -> None:
        # a foreign name that was made to point at this machine must not reach a server that trusts its neighbours
        if not self._settings.public_url and request.headers.get("Host", "") not in self._hosts:
            raise RefusedInput("request.origin")


async def read_json(request: web.Request, kind: type[T]) -> T:
    """The JSON object in the body, as a `kind` of Struct. Raises BadFrame."""
    return body(await read_body(request, MOST_JSON_BYTES, "request.bad"), kind)


async def read_body(request: web.Request, most: int, too_large: str) -> bytes:
    """The body, at most `most` bytes; RefusedInput with the phrase `too_large` for more, without reading it all."""
    refusal = RefusedInput(too_large, megabytes=most // 1_000_000)
    if (request.content_length or 0) > most:
        raise refusal
    read = bytearray()
    async with asyncio.timeout(BODY_SECONDS):
        async for chunk in request.content.iter_chunked(65_536):
            read += chunk
            if len(read) > most:
                raise refusal
    return bytes(read)


def code_of(refusal: RefusedInput) -> str:
    """The code that goes along with the sentence: the phrase without its table."""
    return refusal.phrase.rpartition(".")[2]


def _place(problem: BaseException) -> str:
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else ""
