"""Photos on their way in and out of the rooms."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from aiohttp import web
from sqlmodel import Session

from bot.errors import RefusedInput
from bot.photos import Photo, PhotoWorker
from bot.platforms.web.http import Front, read_body
from bot.platforms.web.people import People
from bot.platforms.web.said import Picture, point_text
from bot.platforms.web.settings import WebSettings
from bot.platforms.web.store import SEAL_BYTES, change, millis, row, rows
from storage.writer import Writer

MOST_AT_ONCE = 16  # uploads held in memory
MOST_OF_ONE = 4


class Album:
    """The photos in the rooms' file."""

    def __init__(self, writer: Writer, clock: Callable[[], datetime]) -> None:
        self._writer = writer
        self._clock = clock

    async def add(self, who: str, photo: Photo, client_id: str | None) -> Picture:
        """Store a photo of this person; the same client id again gives the first one."""
        picture = Picture(f"p{secrets.token_hex(12)}", photo.width, photo.height)

        def work(session: Session) -> Picture:
            known = _known(session, who, client_id)
            if known is not None:
                return known
            change(
                session,
                "INSERT INTO photo (id, person, client_id, width, height, at, full, thumb, point)"
                " VALUES (?, ?, ?, ?, ?, ?, sealed(?), sealed(?), sealed(?))",
                *(picture.id, who, client_id, photo.width, photo.height, millis(self._clock()), photo.jpeg, photo.thumb),
                photo.point and point_text(photo.point),
            )
            return picture

        return await self._writer.run(work)

    async def known(self, who: str, client_id: str | None) -> Picture | None:
        """The photo that came with this client id before."""
        return await self._writer.read(lambda s: _known(s, who, client_id))

    async def bytes_of(self, photo: str, *, thumb: bool = False) -> bytes | None:
        """The JPEG, or None when it is gone."""
        column = "thumb" if thumb else "full"
        found = await self._writer.read(lambda s: row(s, f"SELECT opened({column}) FROM photo WHERE id = ?", photo))  # noqa: S608
        return None if found is None else bytes(found[0])

    async def size_of(self, photo: str) -> int | None:
        """How many bytes the full picture has, or None when it is gone."""
        found = await self._writer.read(lambda s: row(s, "SELECT length(full) - ? FROM photo WHERE id = ?", SEAL_BYTES, photo))
        return None if found is None else int(found[0])

    async def where(self, photo: str) -> tuple[str | None, list[tuple[str, int]]]:
        """(who uploaded it, [(room, seq) in which it was shown])."""

        def work(session: Session) -> tuple[str | None, list[tuple[str, int]]]:
            owner = row(session, "SELECT person FROM photo WHERE id = ?", photo)
            places = rows(
                session, "SELECT m.room, m.seq FROM shown s JOIN message m ON m.id = s.message WHERE s.photo = ?", photo
            )
            return (str(owner[0]) if owner else None), [(place[0], place[1]) for place in places]

        return await self._writer.read(work)


class Uploads:
    """`POST /api/photos` and `GET /api/photos/{id}`."""

    def __init__(self, settings: WebSettings, front: Front, people: People, album: Album, worker: PhotoWorker) -> None:
        self._settings = settings
        self._front = front
        self._people = people
        self._album = album
        self._worker = worker
        self._turn = asyncio.Semaphore(MOST_AT_ONCE)
        self._busy: Counter[str] = Counter()

    async def post(self, request: web.Request) -> web.Response:
        """Take a photo in, drawn anew."""
        person = await self._front.asker(request)
        if self._busy[person.id] >= MOST_OF_ONE:
            raise RefusedInput("photo.busy")
        client_id = request.headers.get("X-Client-Id", "")[:64] or None
        self._busy[person.id] += 1
        try:
            async with self._turn:
                raw = await read_body(request, self._settings.max_upload_bytes, "photo.too_large")
                picture = await self._album.known(person.id, client_id)
                if picture is None:
                    picture = await self._album.add(person.id, await self._worker.normalise(raw), client_id)
        finally:
            self._busy[person.id] -= 1
            if not self._busy[person.id]:
                del self._busy[person.id]
        return web.json_response({"photo": picture.id, "width": picture.width, "height": picture.height})

    async def get(self, request: web.Request) -> web.Response:
        """Give a photo out, to those who were in a room in which it was shown, and to whoever uploaded it."""
        person = await self._front.asker(request)
        photo = request.match_info["photo"]
        owner, places = await self._album.where(photo)
        seen = any(
            membership is not None and seq > membership.since
            for room, seq in places
            for membership in (self._people.membership(room, person.id),)
        )
        # to somebody who may not see it, it looks like one that is gone
        jpeg = (
            await self._album.bytes_of(photo, thumb=request.query.get("size") == "thumb") if seen or owner == person.id else None
        )
        if jpeg is None:
            raise RefusedInput("photo.gone")
        # kept by the browser for this person only, and not for long: a recalled photo should vanish
        headers = {"Cache-Control": "private, max-age=300", "Vary": "Authorization, Cookie"}
        return web.Response(body=jpeg, content_type="image/jpeg", headers=headers)


def _known(session: Session, who: str, client_id: str | None) -> Picture | None:
    if client_id is None:
        return None
    found = row(session, "SELECT id, width, height FROM photo WHERE person = ? AND client_id = ?", who, client_id)
    return None if found is None else Picture(found[0], found[1], found[2])
