"""The composition root: builds the house from the settings and keeps it running. Only this room knows everybody."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import signal
import socket
import warnings
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlmodel import Session, col, select

from bot.campaigns import Campaigns, PostRules
from bot.clock import Clock
from bot.config import Settings
from bot.demo import District, load_district, seed
from bot.errors import ConfigError
from bot.gate import RosterGate
from bot.inbox import Inbox, Job, Mind, Senses
from bot.lanes import Lanes
from bot.messages import Address
from bot.metrics import Metrics
from bot.outbox import Outbox, OutboxRule
from bot.pacing import Pacing
from bot.permissions import Rights
from bot.photos import PhotoWorker
from bot.platforms.base import Adapter, Health
from bot.platforms.supervisor import Supervisor
from bot.platforms.web import WebPlatform, WebSettings
from bot.platforms.web.settings import RoomSeed, UserSeed, is_loopback, officer_id
from bot.router import Call, Command, Router
from bot.say import Say, Voice
from bot.schedule import ScheduleLoop
from bot.timers import TimerLoop
from bot.turn import Effects, House, Rules, Turn
from bot.understanding.answers import Answers
from bot.understanding.understanding import Understanding
from bot.whisper import Opening, hush
from bot.worker import Worker
from cases.alarms import Alarms, open_alarm
from cases.desk import CaseDesk
from cases.dispatch import dispatchers
from cases.roster import Roster
from cases.tips import Seal, Tips
from content.phrases import PhraseBook
from content.posts import PostLibrary
from content.taxonomy import Taxonomy
from content.words import load_words
from handlers import additions, callback, desk, emergencies, hazards, officers, posts, questions, tips
from handlers import help as help_
from storage.database import OldLibrary, prepare
from storage.sealing import Sealer
from storage.tables import Case, CaseEntry, Counter, Group, Notice, Officer, Unit
from storage.writer import Writer

log = structlog.get_logger(__name__)

if TYPE_CHECKING:
    from bot.platforms.telegram import Moved, TelegramPlatform, TelegramSettings

CONTENT = Path(__file__).resolve().parent.parent / "content"
HANDLERS = (emergencies, hazards, additions, questions, tips, desk, callback, officers, help_, posts)
PATROL_SECONDS = 5.0  # the command line writes notices, too; the outbox looks for them that often


@dataclass(frozen=True, slots=True)
class Library:
    """All content, read once."""

    phrases: PhraseBook
    taxonomy: Taxonomy
    understanding: Understanding
    answers: Answers
    posts: PostLibrary
    vague_places: frozenset[str]

    @staticmethod
    def load(content: Path, now: datetime) -> Library:
        """Read it; broken files are named in the log and left out."""
        library = Library(
            PhraseBook.load(content / "phrases"),
            Taxonomy.load(content / "taxonomy.toml"),
            Understanding.load(content),
            Answers.load(content, now.date()),
            PostLibrary.load(content / "posts"),
            load_words(content / "lexicon" / "vague_places.txt"),
        )
        for broken in (*library.phrases.broken, *library.answers.broken, *library.posts.broken):
            log.warning("broken_content", file=str(broken.path), line=broken.line, problem=broken.problem)
        return library


class App:
    """One running bot. `adapters` are the platforms; tests give their own, `build` makes those of the settings."""

    def __init__(
        self,
        settings: Settings,
        writer: Writer,
        library: Library,
        adapters: Sequence[Adapter],
        photos: PhotoWorker,
        clock: Clock,
        *,
        pacing: Pacing | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.writer = writer
        self.library = library
        self.adapters = {(adapter.name, adapter.account): adapter for adapter in adapters}
        data = settings.bot.data_dir
        self._photos = photos
        self._sealers = (Sealer(data / "keys" / "inbox.key"), Sealer(data / "keys" / "tips.key"))
        self.router = build_router(settings.bot.handlers)
        self.mind = Mind(self.router.hears)
        self.phrases = library.phrases
        for folder in sorted({path.parent / "phrases" for path in settings.bot.handlers}):
            self.phrases = self.phrases.joined(PhraseBook.load(folder))
        self._voice = Voice(self.phrases, dict(self.adapters.keys()), partial(hush, self._sealers[1]))
        self._post_rules = PostRules.of(settings)
        self.outbox = Outbox(
            writer,
            {key: Opening(adapter, self._sealers[1]) for key, adapter in self.adapters.items()},
            pacing or Pacing(settings.pacing.rules, overall_per_second=settings.pacing.overall_per_second),
            clock,
            node=socket.gethostname(),
            repeat_mark=self.phrases.say("notice.repeat"),
            rule=OutboxRule(patrol=PATROL_SECONDS),
            on_gone=self._group_gone,
        )
        self.worker = Worker(
            writer,
            self._house(),
            self.mind,
            library.understanding,
            library.answers,
            self.adapters,
            photos,
            data / "media",
            clock,
            self._after,
        )
        self.lanes: Lanes[Job] = Lanes(self.worker.work)
        senses = Senses(library.understanding.glance, self._command, library.answers.certain, settings.bot.name)
        wait = timedelta(seconds=settings.bot.photo_wait_seconds)
        self.inbox = Inbox(writer, self._sealers[0], senses, self.lanes, self.mind, clock, wait)
        self.timers = TimerLoop(writer, clock, self.worker.run_timer)
        self.schedules = ScheduleLoop(
            writer, clock, settings.schedules, settings.bot.zone, self._voice, self.campaigns, self.outbox.wake
        )
        self.supervisor = Supervisor(adapters, self.inbox)
        self.metrics = Metrics()
        self.web: WebPlatform | None = None
        self._photo_woken = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[App]:
        """Everything at work; on leaving, intake stops first and what is being sent is finished."""
        await self.inbox.resume()
        async with asyncio.TaskGroup() as house:
            inside = [
                house.create_task(self.lanes.run(), name="lanes"),
                house.create_task(self.timers.run(), name="timers"),
                house.create_task(self._forget_photos(), name="photos"),
                house.create_task(self.schedules.run(), name="schedules"),
            ]
            outbox = house.create_task(self.outbox.run(), name="outbox")
            listening = house.create_task(self.supervisor.run(), name="platforms")
            try:
                yield self
            finally:
                listening.cancel()
                for task in inside:
                    task.cancel()
                await self.outbox.stop()
                outbox.cancel()

    async def settle(self) -> None:
        """Return when everything that has been said is handled and everything due is sent; for tests and the command line."""
        await self.lanes.drained()
        await self.timers.run_due()
        await self.schedules.run_due()
        await self.outbox.drain()

    def campaigns(self, session: Session, now: datetime) -> Campaigns:
        """The sending of posts inside one transaction."""
        return Campaigns(session, now, self.library.posts, self.phrases, self._post_rules)

    def health(self) -> dict[str, Health]:
        """Every enabled platform's health, by its name."""
        return {name: health for (name, _), health in self.supervisor.health().items()}

    async def metrics_text(self) -> str:
        """The Prometheus page."""
        platforms = self.health()
        return await self.writer.read(lambda session: self.metrics.render(session, self.inbox, platforms))

    def _house(self) -> House:
        settings = self.settings
        rules = Rules(
            station=settings.bot.station or self.writer.read_now(_station),
            bot_name=settings.bot.name,
            alarm_repeat=timedelta(seconds=settings.alarms.repeat_seconds),
            vague_places=self.library.vague_places,
        )
        return House(
            self.router,
            self._voice,
            settings.bot.zone,
            timedelta(seconds=settings.bot.photo_wait_seconds),
            rules,
            lambda session, address: open_alarm(session, address.platform, address.chat, self.clock()) is not None,
            _number_of,
            self._makers(),
        )

    def _makers(self) -> Mapping[type, Callable[[Turn], object]]:
        taxonomy, zone, tips_key = self.library.taxonomy, self.settings.bot.zone, self._sealers[1]
        seal = Seal(tips_key.seal, tips_key.unseal)
        return {
            CaseDesk: lambda turn: CaseDesk(turn.session, turn.rights, taxonomy, zone, turn.now),
            Alarms: lambda turn: Alarms(turn.session, turn.now),
            Roster: lambda turn: Roster(turn.session, turn.now),
            Tips: lambda turn: Tips(turn.session, seal, turn.now),
            Campaigns: lambda turn: self.campaigns(turn.session, turn.now),
        }

    def _group_gone(self, session: Session, address: Address, group_id: int | None, why: str) -> None:
        """A group has removed the bot: whoever dispatches there is told once."""
        group = session.get(Group, group_id) if group_id is not None else None
        if group is None:
            return
        log.warning("group_gone", platform=address.platform, group=group_id, why=why[:80])
        say = Say(session, self._voice, self.clock(), f"gone:{group_id}:{self.clock().isoformat()}", None)
        say.to_officers(dispatchers(session, group.grid_id), "desk.group_gone", group=group.name)

    def _after(self, effects: Effects) -> None:
        """A turn was committed: wake whoever has something to do now."""
        self.outbox.wake()
        if effects.timers:
            self.timers.wake()
        self._photo_woken.set()

    def _command(self, text: str) -> Command | None:
        found = self.router.find_command(text)
        return found.command if isinstance(found, Call) else None

    async def _forget_photos(self) -> None:
        """Photos for which no words came are forgotten after two minutes."""
        while True:
            self._photo_woken.clear()
            deadline = await self.inbox.forget_photos(self.clock())
            await self.clock.wait(deadline, self._photo_woken)


@contextlib.asynccontextmanager
async def serving(settings: Settings, clock: Clock | None = None, content: Path = CONTENT) -> AsyncIterator[App]:
    """The bot of the settings with its real platforms: database migrated, sample district laid when it is a demonstration."""
    clock = clock or Clock()
    await asyncio.to_thread(settings.bot.data_dir.mkdir, mode=0o700, parents=True, exist_ok=True)
    async with contextlib.AsyncExitStack() as closing:
        closing.callback(clock.close)
        writer = await asyncio.to_thread(open_database, settings.database_url)
        closing.push_async_callback(asyncio.to_thread, writer.close)
        photos = PhotoWorker()
        closing.push_async_callback(photos.close)
        district = await _demo_district(settings, writer, clock, content)
        house: list[App] = []
        web = _web_platform(settings, writer, photos, clock, house, demo=district is not None)
        closing.push_async_callback(web.close)
        if district is not None:
            await web.seed(district.web_rooms(), district.web_users(), district.web_tries())
        elif settings.web.enabled:
            await web.seed(*await writer.read(rooms_of_roster))
        library = await asyncio.to_thread(Library.load, content, clock())
        adapters: list[Adapter] = [web] if settings.web.enabled else []
        if settings.telegram.enabled:
            telegram = _telegram_platform(settings, writer, clock, house)
            closing.push_async_callback(telegram.close)
            adapters.append(telegram)
        app = App(settings, writer, library, adapters, photos, clock)
        app.web = web
        house.append(app)
        async with app.running():
            if settings.web.enabled:
                await web.started()
            log.info("running", url=web.url, demo=district is not None)
            yield app


async def serve(settings: Settings, tell: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT; `tell` gets one line for the person at the terminal once the page is up."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(settings) as app:
        if app.web is not None and settings.web.enabled:
            tell(app.web.url)
        await stop.wait()
        log.info("stopping")


def open_database(url: str) -> Writer:
    """`storage.database.prepare`, with its warnings in the log where an operator looks."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", OldLibrary)
        writer = prepare(url)
    for warning in caught:
        log.warning("storage", advice=str(warning.message))
    return writer


async def _demo_district(settings: Settings, writer: Writer, clock: Clock, content: Path) -> District | None:
    """The sample district when this is a demonstration: asked for, or nobody is on the roster and the page is local."""
    has_roster = await writer.read(lambda session: session.exec(select(Officer.id).limit(1)).first() is not None)
    marked = await writer.read(lambda session: session.get(Counter, "demo") is not None)
    wanted = settings.bot.demo
    if wanted is None:
        wanted = settings.web.enabled and is_loopback(settings.web.host) and (not has_roster or marked)
    if not wanted:
        return None
    if has_roster and not marked:
        raise ConfigError("bot.demo = true, but there is a roster already; set bot.demo = false or use another bot.data_dir")
    district = load_district(content / "demo" / "district.toml")

    def lay(session: Session) -> None:
        if seed(session, district, clock()):
            session.add(Counter(name="demo", value=1))

    await writer.run(lay)
    return district


def rooms_of_roster(session: Session) -> tuple[list[RoomSeed], list[UserSeed]]:
    """The web groups with the officers whose roles reach them, so that an officer who signs in is in the right rooms."""
    officers = session.exec(select(Officer).where(col(Officer.active))).all()
    groups = session.exec(select(Group).where(Group.platform == "web", col(Group.active))).all()
    rights = {officer.badge: Rights(session, officer, "web", datetime.now(UTC)) for officer in officers}
    rooms = [
        RoomSeed(
            group.chat,
            group.name,
            tuple(label for label in (group.class_label, group.board, group.industry) if label),
            tuple(officer_id(badge) for badge, right in rights.items() if right.covers("case.view", group.grid_id)),
            officers_only=group.class_label == "工作",
        )
        for group in groups
    ]
    return rooms, [UserSeed(officer_id(row.badge), row.name, "officer", row.title, row.badge) for row in officers]


def _web_platform(
    settings: Settings, writer: Writer, photos: PhotoWorker, clock: Clock, house: list[App], *, demo: bool
) -> WebPlatform:
    """`house` holds the bot once it is built; until then the page says that it is not ready."""
    web = settings.web

    async def metrics() -> str:
        return await house[0].metrics_text() if house else ""

    return WebPlatform(
        WebSettings(
            host=web.host,
            port=web.port,
            demo=demo,
            public_url=web.public_url,
            behind_proxy=web.behind_proxy,
            keep_days=web.keep_days,
            bot_name=settings.bot.name,
        ),
        rooms_file=settings.bot.data_dir / "web.sqlite3",
        gate=roster_gate(writer, clock),
        clock=clock,
        data_dir=settings.bot.data_dir,
        photos=photos,
        on_health=lambda: house[0].health() if house else {"web": Health(listening=False)},
        on_metrics=metrics,
    )


def telegram_settings(settings: Settings) -> TelegramSettings:
    """The section as the platform takes it; its `check` tells what cannot work."""
    from bot.platforms.telegram import TelegramSettings

    telegram = settings.telegram
    return TelegramSettings(
        token=telegram.token,
        base_url=telegram.base_url,
        webhook_url=telegram.webhook_url,
        webhook_host=telegram.webhook_host,
        webhook_port=telegram.webhook_port,
        webhook_secret=telegram.webhook_secret,
    )


def _telegram_platform(settings: Settings, writer: Writer, clock: Clock, house: list[App]) -> TelegramPlatform:
    """Raises ConfigError with the mend for settings that cannot work."""
    # its libraries take a fifth of a second to import, which a start without Telegram does not have to wait
    from bot.platforms.telegram import TelegramPlatform, move_chat, move_mind

    given = telegram_settings(settings)

    async def on_move(moved: Moved) -> None:
        await writer.run(lambda session: move_chat(session, given.account, moved))
        if house:
            move_mind(house[0].mind, given.account, moved)

    return TelegramPlatform(given, data_dir=settings.bot.data_dir, clock=clock, on_move=on_move)


SERVICES: tuple[type, ...] = (CaseDesk, Alarms, Roster, Tips, Campaigns)


def build_router(extra: Sequence[Path] = ()) -> Router:
    """All handlers of ours and of the files named in the settings, in one checked table."""
    router = Router("all")
    for module in HANDLERS:
        router.include(module.router)
    for path in extra:
        router.include(load_handler_file(path))
    router.check((*Turn.KNOWN, *SERVICES))
    return router


def load_handler_file(path: Path) -> Router:
    """The `router` of a handler file of one's own; ConfigError says what is wrong with it."""
    spec = importlib.util.spec_from_file_location(f"qianshao_handlers_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigError(f"bot.handlers: {path} is not a Python file; give the path of a file that has a `router`")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as problem:
        raise ConfigError(f"bot.handlers: {path} cannot be loaded: {type(problem).__name__}: {problem}") from problem
    router = getattr(module, "router", None)
    if not isinstance(router, Router):
        raise ConfigError(f"bot.handlers: {path} has no `router`; see docs/extending.md")
    return router


def roster_gate(writer: Writer, clock: Clock) -> RosterGate:
    """The web chat's door to the roster."""

    def use_code(session: Session, now: datetime, badge: str, code: str, user_id: str) -> Officer:
        roster = Roster(session, now)
        officer = roster.use_code(code, badge)
        roster.bind(officer, "web", user_id)
        return officer

    return RosterGate(writer, clock, use_code, lambda session, now, badge: Roster(session, now).by_badge(badge))


def _station(session: Session) -> str:
    unit = session.exec(select(Unit).where(Unit.kind == "police").order_by(col(Unit.id))).first()
    return unit.name if unit else "社区"


def _number_of(session: Session, address: Address, message_id: str) -> str | None:
    """The case that a message in this chat belongs to, by its history or by the notice that we sent."""
    found = session.exec(
        select(Case.number)
        .join(CaseEntry, col(CaseEntry.case_id) == col(Case.id))
        .where(CaseEntry.message_id == message_id, Case.platform == address.platform, Case.chat == address.chat)
    ).first()
    if found is not None:
        return found
    return session.exec(
        select(Case.number)
        .join(Notice, col(Notice.case_id) == col(Case.id))
        .where(Notice.message_id == message_id, Notice.platform == address.platform, Notice.chat == address.chat)
    ).first()
