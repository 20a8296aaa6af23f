"""The form at /tip: for those who need more than a chat can promise. No account, no script, no cookie, no address kept.

It is plain HTML, so that it works in a browser that forbids scripts. The caller's address is used in memory alone, to slow down
who guesses receipts, and never as itself.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs

from aiohttp import BodyPartReader, web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.errors import RefusedInput
from bot.photos import PhotoWorker
from bot.platforms.web.http import Front, read_body
from bot.platforms.web.sessions import Throttle
from bot.platforms.web.settings import WebSettings
from content.refusal import Refusal

PAGES = Path(__file__).resolve().parent / "pages"
MOST_BYTES = 64_000  # of the words
MOST_PICTURES = 3
MOST_WORDS = 5_000
SHORTEST = 6
POSTS_A_MINUTE = 10
MOST_PARTS = 12
FORMS_AT_ONCE = 4  # forms whose pictures are held in memory
FORM_SECONDS = 120.0


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

    async def tell(self, words: str, pictures: Sequence[bytes]) -> str:
        """Keep a tip with its pictures (drawn anew); the receipt as it is shown."""
        ...

    async def look(self, receipt: str, more: str, who: str, pictures: Sequence[bytes] = ()) -> TipAnswer:
        """The state of a tip after `more` was added to it. `who` tells guessers apart and is kept in memory alone."""
        ...

    async def picture(self, token: str) -> bytes:
        """The picture behind an officer's link; recorded. Refusal when it is over."""
        ...

    def why(self, refusal: Refusal) -> str:
        """The sentence of a refusal."""
        ...


class _NoPicture(Exception):
    """A picture of the form could not be taken; `words` go back into it."""

    def __init__(self, why: RefusedInput, words: str) -> None:
        super().__init__(why.phrase)
        self.why = why
        self.words = words


async def _bytes_of(part: BodyPartReader, most: int, too_large: str) -> bytes:
    """One part of a form, at most `most` bytes; RefusedInput for more, without reading it all."""
    read = bytearray()
    while chunk := await part.read_chunk(65_536):
        read += chunk
        if len(read) > most:
            raise RefusedInput(too_large, megabytes=most // 1_000_000)
    return bytes(read)


class TipForm:
    """`GET` and `POST /tip`, and the pictures for officers below it."""

    def __init__(
        self, settings: WebSettings, front: Front, door: TipDoor, clock: Callable[[], datetime], photos: PhotoWorker
    ) -> None:
        self._settings = settings
        self._photos = photos
        self._reading = asyncio.Semaphore(FORMS_AT_ONCE)
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
        words = ""
        try:
            async with self._reading:
                fields, pictures = await self._read(request)
            words = fields.get("words", "").strip()
            if fields.get("step") == "look":
                more = fields.get("more", "").strip()[:MOST_WORDS]
                answer = await self._door.look(fields.get("receipt", ""), more, who, pictures)
                return self._show(answer=answer, added=bool(more or pictures))
            if len(words) < SHORTEST and not pictures:
                raise Refusal("tips.more_words")
            return self._show(receipt=await self._door.tell(words[:MOST_WORDS], pictures))
        except _NoPicture as refused:
            problem = self._door.why(Refusal(refused.why.phrase, **refused.why.values))
            return self._show(problem=problem, words=refused.words, status=422)
        except Refusal as refusal:
            return self._show(problem=self._door.why(refusal), words=words, status=422)

    async def picture(self, request: web.Request) -> web.Response:
        """A picture of a tip for the officer who was given this link a moment ago; nothing of it stays in the browser."""
        try:
            jpeg = await self._door.picture(request.match_info["token"])
        except Refusal as refusal:
            return self._show(problem=self._door.why(refusal), status=404)
        return web.Response(body=jpeg, content_type="image/jpeg", headers={"Cache-Control": "no-store"})

    async def _read(self, request: web.Request) -> tuple[dict[str, str], list[bytes]]:
        """The fields of the form, and its pictures drawn anew. What comes is read piece by piece, each with its own limit, and a
        picture is decoded in the worker's process alone."""
        if request.content_type != "multipart/form-data":
            body = await read_body(request, MOST_BYTES, "request.too_big")
            found = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10)
            return {name: values[0] for name, values in found.items()}, []
        fields: dict[str, str] = {}
        pictures: list[bytes] = []
        problem: RefusedInput | None = None
        async with asyncio.timeout(FORM_SECONDS):
            parts = await request.multipart()
            for _ in range(MOST_PARTS):
                part = await parts.next()
                if part is None:
                    break
                if not isinstance(part, BodyPartReader):
                    raise RefusedInput("request.bad")
                if part.name == "pictures":
                    raw = await _bytes_of(part, self._settings.max_upload_bytes, "photo.too_large")
                    if not raw:
                        continue  # the browser sends an empty part when no file was chosen
                    if len(pictures) == MOST_PICTURES:
                        problem = RefusedInput("tips.too_many_pictures", most=MOST_PICTURES)
                        continue
                    try:
                        pictures.append((await self._photos.normalise(raw)).jpeg)
                    except RefusedInput as refusal:
                        problem = refusal  # said once the words were read, so that they stand in the form again
                else:
                    fields[part.name or ""] = (await _bytes_of(part, MOST_BYTES, "request.too_big")).decode("utf-8", "replace")
        if problem is not None:
            raise _NoPicture(problem, fields.get("words", ""))
        return fields, pictures

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
            most_pictures=MOST_PICTURES,
            tls=self._settings.tls,
            bot_name=self._settings.bot_name,
        )
        return web.Response(text=text, content_type="text/html", status=status, headers={"Cache-Control": "no-store"})
