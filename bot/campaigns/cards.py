"""The pictures of posts: drawn when the first group gets one, kept below the data directory, never drawn on the writer."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import structlog
from msgspec.structs import replace

from bot.messages import Address, Outbound, Receipt
from bot.platforms.base import Adapter
from bot.whisper import Opening
from content import charts
from content.phrases import PhraseBook
from content.posts import Audience, Post, PostLibrary
from storage.private import opener
from storage.sealing import Sealer

log = structlog.get_logger(__name__)

FOLDER = "cards/"


class Cards:
    """The pictures of a library's posts. `station` is the name in their corner."""

    def __init__(self, library: PostLibrary, phrases: PhraseBook, station: str, data_dir: Path) -> None:
        self._posts: dict[str, Post] = {post.card_path: post for post in library.posts.values() if post.card_path}
        self._audience = Audience(
            key="",
            group=phrases.say("posts.neighbours"),
            grid=phrases.say("posts.no_grid"),
            officer=phrases.say("posts.no_officer"),
            station=station or phrases.say("posts.station"),
        )
        self._data_dir = data_dir
        self._drawing: dict[str, asyncio.Lock] = {}

    async def ready(self, path: str) -> bool:
        """Whether the picture is there; it is drawn once, however many sends ask for it at the same time."""
        file = self._data_dir / path
        async with self._drawing.setdefault(path, asyncio.Lock()):
            if await asyncio.to_thread(file.is_file):
                return True
            post = self._posts.get(path)
            if post is None:
                return False  # the post has been changed since; its words still go
            try:
                await asyncio.to_thread(_write, post, self._audience, file)
            except OSError as problem:
                log.error("card_not_drawn", post=post.slug, problem=type(problem).__name__)
                return False
            return True

    async def chart(self, photo: str) -> str | None:
        """Draw a picture of figures; its path below the data directory, or None when that is not possible: the words still go."""
        path = f"{charts.FOLDER}{secrets.token_hex(8)}.jpg"
        try:
            await asyncio.to_thread(_write_chart, photo, self._data_dir / path)
        except (OSError, ValueError) as problem:
            log.error("chart_not_drawn", problem=type(problem).__name__)
            return None
        return path

    def drop(self, path: str) -> None:
        """Remove the file of a chart."""
        (self._data_dir / path).unlink(missing_ok=True)


class Carded(Opening):
    """An adapter that opens what is sealed, and draws the picture of a post before it is sent. Without one the words go alone."""

    def __init__(self, adapter: Adapter, sealer: Sealer, cards: Cards) -> None:
        super().__init__(adapter, sealer)
        self._cards = cards

    async def send(self, to: Address, what: Outbound) -> Receipt:
        if what.photo is not None and what.photo.startswith(charts.FOLDER):
            return await self._with_chart(to, what, what.photo)
        if what.photo is not None and what.photo.startswith(FOLDER) and not await self._cards.ready(what.photo):
            what = replace(what, photo=None)
        return await super().send(to, what)

    async def _with_chart(self, to: Address, what: Outbound, photo: str) -> Receipt:
        """A picture of figures is a file only as long as it is being sent."""
        file = await self._cards.chart(photo)
        try:
            return await super().send(to, replace(what, photo=file))
        finally:
            if file is not None:
                await asyncio.to_thread(self._cards.drop, file)


def _write(post: Post, audience: Audience, file: Path) -> None:
    # Pillow takes a fifth of a second to import, which a start does not have to wait
    from content.cards import write_card

    write_card(post, audience, file)


def _write_chart(photo: str, file: Path) -> None:
    from content.figures import draw_chart

    picture = draw_chart(charts.Chart.of_photo(photo))
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(file, "wb", opener=opener) as target:
        target.write(picture)
