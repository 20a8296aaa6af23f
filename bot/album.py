"""The photos of a message: fetched from the platform, drawn anew, and stored durably when a case keeps them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bot.errors import RefusedInput, RetryLater
from bot.messages import Attachment, Inbound
from bot.photos import MOST_BYTES, Photo, PhotoWorker
from bot.platforms.base import Adapter
from bot.turn import StoredPhoto
from storage.failpoints import failpoint
from storage.media import store

MOST_PHOTOS = 10  # as many as the largest album has (Telegram)
MOST_TRIES = 3
FETCH_SECONDS = 15.0


class Album:
    """Photos of all platforms, in the folder `media`."""

    def __init__(self, adapters: Mapping[tuple[str, str], Adapter], photos: PhotoWorker, media: Path) -> None:
        self._adapters = adapters
        self._photos = photos
        self._media = media

    async def keep(self, event: Inbound, wanted: Sequence[Attachment]) -> tuple[tuple[StoredPhoto, ...], list[str]]:
        """The photos, stored, and for each that cannot be had the phrase that says why (empty: nobody knows)."""
        photos: list[StoredPhoto] = []
        whys: list[str] = []
        for attachment in wanted[:MOST_PHOTOS]:
            found = await self.look(event, attachment)
            if isinstance(found, str):
                whys.append(found)
            else:
                photos.append(await asyncio.to_thread(_store, self._media, found))
                failpoint("photo.stored")
        return tuple(photos), whys

    async def look(self, event: Inbound, attachment: Attachment) -> Photo | str:
        """One photo, nowhere stored; or the phrase that says why it cannot be had."""
        adapter = self._adapters.get((event.address.platform, event.address.account))
        if adapter is None:
            return ""
        if attachment.kind != "photo" and not attachment.mime.startswith("image/"):
            return "photo.not_image"
        for attempt in range(MOST_TRIES):
            try:
                raw = await asyncio.wait_for(adapter.fetch(attachment, MOST_BYTES), FETCH_SECONDS)
                failpoint("photo.fetched")
                photo = await self._photos.normalise(raw)
                return photo if photo.point is not None else replace(photo, point=attachment.point)
            except RefusedInput as refusal:
                return refusal.phrase
            except (RetryLater, TimeoutError):
                await asyncio.sleep(0.3 * (attempt + 1))
        return ""


def _store(media: Path, photo: Photo) -> StoredPhoto:
    """Write the photo durably, sealed, before any row knows of it."""
    stored = store(media, photo.jpeg)
    return StoredPhoto(
        stored.path,
        hashlib.sha256(photo.jpeg).hexdigest(),
        photo.width,
        photo.height,
        len(photo.jpeg),
        photo.fingerprint,
        photo.point,
        stored.seal,
        stored.key,
    )
