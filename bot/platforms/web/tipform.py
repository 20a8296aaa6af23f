"""The form at /tip: for those who need more than a chat can promise. No account, no script, no cookie, no address kept.

It is plain HTML, so that it works in a browser that forbids scripts. The caller's address is used in memory alone, to slow down
who guesses receipts, and never as itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.platforms.web.http import Front, read_body
from bot.platforms.web.sessions import Throttle
from bot.platforms.web.settings import WebSettings
from content.refusal import Refusal

PAGES = Path(__file__).resolve().parent / "pages"
MOST_BYTES = 64_000
MOST_WORDS = 5_000
SHORTEST = 6
POSTS_A_MINUTE = 10


@dataclass(frozen=True, slots=True)
class TipAnswer:
    """What a receipt shows: (day, answer) of officers, how many have read, and what became of the identity that was left."""

    lines: tuple[tuple[str, str], ...]
    readers: int
    identity: bool
    asked: int
    allowed: int


class TipDoor(Protocol):
    """Where the form leads. Refusals carry the phrase that says why."""

    @property
    def days(self) -> int:
        """How long a tip is kept."""
        ...

    async def tell(self, words: str) -> str:
        """Keep a tip; the receipt as it is shown."""
        ...

    async def look(self, receipt: str, more: str, who: str) -> TipAnswer:
        """The state of a tip after `more` was added to it. `who` tells guessers apart and is kept in memory alone."""
        ...

    def why(self, refusal: Refusal) -> str:
        """The sentence of a refusal."""
        ...


class TipForm:
    """`GET` and `POST /tip`."""

    def __init__(self, settings: WebSettings, front: Front, door: TipDoor, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._front = front
        self._door = door
        self._throttle = Throttle(clock, POSTS_A_MINUTE)
        self._salt = secrets.token_bytes(32)
        pages = Environment(loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined)
        self._page = pages.get_template("tip.html")

    async def get(self, _: web.Request) -> web.Response:
        """The empty form."""
        return self._show()

    async def post(self, request: web.Request) -> web.Response:
        """Tell, or look with a receipt."""
        who = blake2b(self._front.address(request).encode(), key=self._salt, digest_size=16).hexdigest()
        seconds = self._throttle.wait(who)
        if seconds:
            return self._show(problem=self._door.why(Refusal("tips.wait", minutes=1)), status=429)
        self._throttle.count(who)
        body = await read_body(request, MOST_BYTES, "request.too_big")
        fields = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace"), max_num_fields=10).items()}
        words = fields.get("words", "").strip()
        try:
            if fields.get("step") == "look":
                more = fields.get("more", "").strip()[:MOST_WORDS]
                return self._show(answer=await self._door.look(fields.get("receipt", ""), more, who), added=bool(more))
            if len(words) < SHORTEST:
                raise Refusal("tips.more_words")
            return self._show(receipt=await self._door.tell(words[:MOST_WORDS]))
        except Refusal as refusal:
            return self._show(problem=self._door.why(refusal), words=words, status=422)

    def _show(
        self,
        *,
        receipt: str = "",
        answer: TipAnswer | None = None,
        added: bool = False,
        problem: str = "",
        words: str = "",
        status: int = 200,
    ) -> web.Response:
        text = self._page.render(
            receipt=receipt,
            answer=answer,
            added=added,
            problem=problem,
            words=words,
            days=self._door.days,
            tls=self._settings.tls,
            bot_name=self._settings.bot_name,
        )
        return web.Response(text=text, content_type="text/html", status=status, headers={"Cache-Control": "no-store"})
