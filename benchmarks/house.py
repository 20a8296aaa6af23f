"""Our side of the benchmarks: the bot as the composition root builds it, and its pure part from a frame to the handler."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ahocorasick_rs import AhoCorasick

from benchmarks.corpus import GROUPS, PEOPLE, Said
from bot.app import CONTENT, App, Library, open_database
from bot.clock import Clock
from bot.config import load_settings
from bot.glance import glance
from bot.jobs import Job
from bot.messages import Kind
from bot.photos import PhotoWorker
from bot.platforms.web.handover import Handover
from bot.platforms.web.people import Person, Room
from bot.platforms.web.said import Event
from bot.platforms.web.socket import Budget
from bot.platforms.web.wire import Say, parse
from bot.router import Call, Handler
from bot.understanding.meaning import Hint, Intent
from storage.writer import Writer
from tests.kit.fake_platform import FakePlatform

IDS_REMEMBERED = 200_000


def build(
    folder: Path,
    writer: Writer | None = None,
    *,
    platform: FakePlatform | None = None,
    photos: PhotoWorker | None = None,
    environ: Mapping[str, str] | None = None,
) -> App:
    """The bot on a new database in the folder."""
    settings = load_settings(Path("config.toml"), {"QIANSHAO_BOT__DATA_DIR": str(folder)} | dict(environ or {}))
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        writer = writer or open_database(settings.database_url)
    clock = Clock()
    return App(
        settings, writer, Library.load(CONTENT, clock()), [platform or FakePlatform("web", "web")], photos or PhotoWorker(), clock
    )


def web_frame(one: Said) -> object:
    """What a browser sends for it. Who speaks is known from the connection."""
    return {
        "t": "say",
        "cid": f"c{one.number:08d}-{one.person}",
        "room": f"room-{one.group}",
        "text": one.text,
        "photos": [],
        "reply_to": None,
        "mentions": [],
    }


class _People:
    """The rooms and people of the stream, in memory as the web chat has them."""

    def __init__(self) -> None:
        self.bot = Person("bot", "前哨", "bot")
        self._rooms = {f"room-{n}": Room(f"room-{n}", f"港新{n}号网格", "group", ()) for n in range(GROUPS)}
        self._people = {f"p{n}": Person(f"p{n}", f"居民{n}", "resident") for n in range(PEOPLE)}

    def room(self, name: str) -> Room | None:
        return self._rooms.get(name)

    def person(self, name: str) -> Person | None:
        return self._people.get(name)


def keyword_glance(keywords: list[str]) -> Callable[[str], Hint]:
    """A report is what has one of the keywords."""
    automaton = AhoCorasick(keywords)
    report, quiet = Hint(report=True), Hint()

    def look(text: str) -> Hint:
        return report if automaton.find_matches_as_indexes(text) else quiet

    return look


class Intake:
    """Everything between a browser's frame and the handler that does no I/O, put together as the bot runs it."""

    def __init__(self, folder: Path, keywords: list[str] | None = None) -> None:
        """With `keywords` the words of our lexicon and the reading make room for exactly these, which is what other bots get."""
        self._photos = PhotoWorker()
        self.app = build(folder, photos=self._photos)
        self._senses = self.app.inbox._senses
        self._keywords = keywords is not None
        if keywords is not None:
            self._senses = replace(self._senses, glance=keyword_glance(keywords), certain=lambda text: False)
        self._clock = Clock()
        people: Any = _People()
        unused: Any = None
        self._handover = Handover(people, unused, self._clock)
        self._budgets: dict[str, Budget] = {}
        self._ids: dict[str, None] = {}

    def choose(self, raw: bytes) -> Handler | None:
        """The handler of a frame; None for what is forgotten."""
        frame = parse(raw.decode())
        if not isinstance(frame, Say):
            raise TypeError("the stream has only messages")
        person = "p" + frame.cid.rpartition("-")[2]
        budget = self._budgets.get(person)
        if budget is None:
            budget = self._budgets[person] = Budget(1_000_000)
        if not budget.spend():
            raise RuntimeError("the stream is slower than the limit")
        now = self._clock()
        event = self._handover._inbound(Event(frame.cid, Kind.MESSAGE, frame.room, person, frame.cid, frame.text, frame.cid, now))
        if event is None or self._seen(event.event_id):
            return None
        job = glance(event, self.app.mind, self._senses, now)
        return None if job is None else self._handler(job)

    def _seen(self, event_id: str) -> bool:
        if event_id in self._ids:
            return True
        self._ids[event_id] = None
        if len(self._ids) > IDS_REMEMBERED:
            del self._ids[next(iter(self._ids))]
        return False

    def _handler(self, job: Job) -> Handler | None:
        """As `bot.turn.Turn` goes through them, without the questions that only storage can answer."""
        router = self.app.router
        if job.hint.danger is not None:
            return router.danger
        found = router.find_command(job.event.text)
        if isinstance(found, Call):
            return found.command.handler
        if job.told_as_tip:
            return router.intents.get(Intent.TIP)
        if self._keywords:
            return router.intents.get(Intent.HAZARD) if job.hint.report else router.addition
        meaning = self.app.library.understanding.read(job.event.text)
        handler: Callable[..., None] | None = router.intents.get(meaning.intent)
        return handler or router.addition

    async def close(self) -> None:
        await self._photos.close()
        self.app.writer.close()
