"""The pictures of posts: drawn when the first group gets one, kept below the data directory, never drawn on the writer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import structlog

from bot.messages import Address, Outbound, Receipt
from bot.platforms.base import Adapter
from bot.whisper import Opening
from content.phrases import PhraseBook
from content.posts import Audience, Post, PostLibrary
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


class Carded(Opening):
    """An adapter that opens what is sealed, and draws the picture of a post before it is sent. Without one the words go alone."""

    def __init__(self, adapter: Adapter, sealer: Sealer, cards: Cards) -> None:
        super().__init__(adapter, sealer)
        self._cards = cards

    async def send(self, to: Address, what: Outbound) -> Receipt:
        if what.photo is not None and what.photo.startswith(FOLDER) and not await self._cards.ready(what.photo):
            what = replace(what, photo=None)
        return await super().send(to, what)


def _write(post: Post, audience: Audience, file: Path) -> None:
    # Pillow takes a fifth of a second to import, which a start does not have to wait
    from content.cards import write_card

    write_card(post, audience, file)
