"""One running bot: everything that hears, decides, waits and speaks, put together."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import structlog
from sqlmodel import Session, col, select

from bot.album import Album
from bot.app.knowledge import StoredAnswers
from bot.app.routes import build_router
from bot.campaigns import Campaigns, PostRules
from bot.campaigns.appeals import appeal_said
from bot.campaigns.cards import Carded, Cards
from bot.campaigns.loop import CampaignLoop
from bot.clock import Clock
from bot.config import Settings
from bot.dialogs import Dialogs
from bot.inbox import Inbox, Job, Mind, Senses
from bot.intake import Intake
from bot.judge import Doubts, Judge
from bot.knowledge import Knowledge
from bot.lanes import Lanes
from bot.leases import LeaseRule
from bot.memory import Memory
from bot.messages import Address
from bot.metrics import Metrics
from bot.names import NameWatch
from bot.outbox import Outbox, OutboxRule
from bot.pacing import Pacing
from bot.photos import PhotoWorker
from bot.platforms.base import Adapter, Health
from bot.platforms.supervisor import Supervisor
from bot.platforms.web import WebPlatform
from bot.roles import Duties
from bot.router import Call, Command
from bot.say import Say, Voice
from bot.schedule import ScheduleLoop
from bot.tidy import Tidy
from bot.timers import TimerLoop
from bot.turn import Effects, House, Photos, Pins, Rules, Supplies
from bot.understanding.answers import Answers
from bot.understanding.pictures import PictureReader
from bot.understanding.understanding import Understanding
from bot.unsaying import Unsaying
from bot.whisper import hush
from bot.worker import Worker
from cases.activities import Activities
from cases.alarms import Alarms, open_alarm
from cases.blocks import Blocks
from cases.clocks import Clocks
from cases.desk import CaseDesk
from cases.dispatch import dispatchers
from cases.groups import forget_group
from cases.identities import Identities
from cases.kept import KeptAnswers
from cases.lost import LostAndFound
from cases.mediation import Mediations
from cases.pending import PendingActions, PendingRules
from cases.places import Atlas
from cases.premises import Places
from cases.privacy import Privacy
from cases.proposals import Proposals
from cases.repeats import Repeats
from cases.retention import Retention, Terms
from cases.roster import Roster
from cases.shift import arm_cards
from cases.tips import TipKeys, Tips
from cases.totp import Totp
from cases.wishes import Wishes
from cases.workdays import WorkCalendar
from content.calendar import Calendar
from content.desk import DeskRules
from content.gazetteer import Gazetteer
from content.officials import Officials
from content.phrases import PhraseBook
from content.posts import PostLibrary
from content.taxonomy import Taxonomy
from content.things import Things
from content.words import load_words
from content.workdays import YearDays, load_years
from handlers.asking import Confirmations
from handlers.live import keep_lines
from handlers.origin import Spot
from storage.sealing import Sealer
from storage.tables import Case, CaseEntry, Group, Notice, Unit
from storage.writer import StorageUnavailable, Writer

if TYPE_CHECKING:
    from bot.app.nodes import Nodes

log = structlog.get_logger(__name__)

NODE_LEASE_SECONDS = 45.0  # a claim outlasts a send, and no dead node holds one for longer
PATROL_SECONDS = 5.0  # the command line writes notices, too; the outbox looks for them that often


@dataclass(frozen=True, slots=True)
class Library:
    """All content, read once."""

    phrases: PhraseBook
    taxonomy: Taxonomy
    understanding: Understanding
    answers: Answers
    posts: PostLibrary
    calendar: Calendar
    vague_places: frozenset[str]
    things: Things
    scam_now: frozenset[str]
    doubts: Doubts
    desk: DeskRules
    workdays: Mapping[int, YearDays]
    officials: Officials

    @staticmethod
    def load(content: Path, now: datetime) -> Library:
        """Read it; broken files are named in the log and left out."""
        posts = PostLibrary.load(content / "posts")
        library = Library(
            PhraseBook.load(content / "phrases"),
            Taxonomy.load(content / "taxonomy.toml"),
            Understanding.load(content),
            Answers.load(content, now.date()),
            posts,
            Calendar.load(content / "calendar.toml", posts.posts),
            load_words(content / "lexicon" / "vague_places.txt") | load_words(content / "lexicon" / "regions.txt"),
            Things.load(content / "lexicon" / "things.txt"),
            load_words(content / "lexicon" / "scam_now.txt"),
            Doubts.load(content),
            DeskRules.load(content / "desk.toml"),
            load_years(content / "workdays"),
            Officials.load(content / "lexicon"),
        )
        for broken in (*library.phrases.broken, *library.answers.broken, *posts.broken, *library.calendar.broken):
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
        reader: PictureReader | None = None,
        duties: Duties | None = None,
        node: str = "",
        gazetteer: Gazetteer | None = None,
        lease_rule: LeaseRule | None = None,
        demo: bool = False,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.writer = writer
        self.library = library
        self.adapters = {(adapter.name, adapter.account): adapter for adapter in adapters}
        data = settings.bot.data_dir
        self._photos = photos
        self._atlas = Atlas(gazetteer or Gazetteer())
        self._sealers = (Sealer(data / "keys" / "inbox.key"), Sealer(data / "keys" / "tips.key"))
        self._marks_key = self._sealers[0].fingerprint_key
        self._totp_sealer = Sealer(data / "keys" / "totp.key")
        confirmations = settings.confirmations
        self._pending_rules = PendingRules(confirmations.enabled, confirmations.delay(demo=demo), confirmations.over_groups)
        self.tip_keys = TipKeys(data / "keys", server_held=settings.tips.server_held_keys)
        self.router = build_router(settings.bot.handlers)
        self.mind = Mind(self.router.hears)
        self.phrases = library.phrases
        for folder in sorted({path.parent / "phrases" for path in settings.bot.handlers}):
            self.phrases = self.phrases.joined(PhraseBook.load(folder))
        # of several accounts on one platform the first one talks to people privately
        changing = frozenset(name for (name, _), adapter in self.adapters.items() if adapter.can.edit)
        self.voice = Voice(self.phrases, dict(reversed(self.adapters.keys())), partial(hush, self._sealers[1]), changing)
        self.post_rules = PostRules.of(settings)
        self.duties = duties or Duties()
        node = node or socket.gethostname()
        wait = timedelta(seconds=settings.bot.photo_wait_seconds)
        self.nodes: Nodes | None = None
        if writer.shared:
            from bot.app.nodes import Nodes  # with PostgreSQL's driver, for which nobody else waits

            self.nodes = Nodes(
                writer, settings.database_url, node, self.duties, adapters, clock, self._sealers[0], self.mind, wait, lease_rule
            )
        nodes = self.nodes
        self.pacing = pacing or Pacing(
            settings.pacing.rules, overall_per_second=settings.pacing.overall_per_second, booking=nodes is not None
        )
        station = settings.bot.station or writer.read_now(_station)
        cards = Cards(library.posts, self.phrases, station, data)
        self.outbox = Outbox(
            nodes.traffic if nodes else writer,
            {
                key: Carded(adapter, self._sealers[1], cards)
                for key, adapter in self.adapters.items()
                if nodes is None or nodes.sends(key)
            },
            self.pacing,
            clock,
            node=node,
            repeat_mark=self.phrases.say("notice.repeat"),
            rule=OutboxRule(patrol=PATROL_SECONDS)
            if nodes is None
            else OutboxRule(patrol=PATROL_SECONDS, lease=NODE_LEASE_SECONDS),
            on_gone=self._group_gone,
            hold=nodes.hold if nodes else None,
            caps=self.post_rules.caps,
        )
        self.unsaying = Unsaying(writer, self.adapters)
        zone = settings.bot.zone
        self._knowledge = Knowledge(
            library.answers, StoredAnswers(writer, clock, zone), data, lambda: clock().astimezone(zone).date()
        )
        album = Album(self.adapters, photos, data / "media")
        self.worker = Worker(
            writer,
            self._house(),
            nodes.memory if nodes else Memory(self.mind),
            library.understanding,
            self._knowledge,
            album,
            Judge(library.understanding, library.doubts, album, reader),
            self.unsaying,
            clock,
            self._after,
        )
        self.lanes: Lanes[Job] = Lanes(self.worker.work)
        senses = Senses(library.understanding.glance, self._command, library.answers.certain, settings.bot.name, library.doubts)
        keeper = nodes.traffic if nodes else writer
        names = NameWatch(keeper, library.officials, self._marks_key, clock, settings.bot.name, lambda: self.timers.wake())
        self.inbox = Inbox(keeper, self._sealers[0], senses, self.lanes, self.mind, clock, wait, nodes, names)
        self.timers = TimerLoop(writer, clock, self.worker.run_timer, self.worker.give_up_timer)
        self.schedules = ScheduleLoop(
            writer, clock, settings.schedules, settings.bot.zone, self.voice, self.campaigns, self.outbox.wake
        )
        self.campaign_loop = CampaignLoop(
            writer, clock, self.voice, self.campaigns, data, self.outbox.wake, self._listen_for_missing, self.duties.schedules
        )
        self.tidy = Tidy(writer, clock, data, self._retention, self._remind)
        self.supervisor = Supervisor(nodes.listeners(adapters) if nodes else adapters, self.inbox)
        self.intake: Intake | None = None
        if nodes is not None:
            self.intake = Intake(
                nodes.traffic,
                self.inbox,
                self.worker.work,
                owner=nodes.holder,
                alive=lambda: nodes.leases.alive,
                share=nodes.share,
                clock=clock,
            )
            self._join(nodes, self.intake)
        self.metrics = Metrics()
        self.web: WebPlatform | None = None
        self._photo_woken = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[App]:
        """Everything at work; on leaving, intake stops first and what is being sent is finished."""
        async with asyncio.TaskGroup() as house:
            first: list[asyncio.Task[None]] = []
            if self.nodes is not None:
                first = await self._start_as_node(house, self.nodes)
            await self.writer.run(self._arm_cards)
            await self.inbox.resume()
            await self.unsaying.resume()
            inside = [house.create_task(work, name=name) for name, work in self._works()]
            outbox = house.create_task(self.outbox.run(), name="outbox")
            listening = house.create_task(self.supervisor.run(), name="platforms")
            try:
                yield self
            finally:
                listening.cancel()
                for task in inside:
                    task.cancel()
                await self._knowledge.close()
                await self.outbox.stop()
                outbox.cancel()
                if self.nodes is not None:
                    await self._stop_as_node(self.nodes, [listening, *inside], first)

    def _works(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """What this node does beside listening and sending."""
        if self.nodes is None:
            yield "lanes", self.lanes.run()
            yield "albums", self.inbox.albums.run()
        elif self.intake is not None and self.duties.works:
            yield "intake", self.intake.run()
        if self.duties.works:
            yield "photos", self._forget_photos()
            yield "knowledge", self._knowledge.warm()
        yield "campaigns", self.campaign_loop.run()
        if self.duties.schedules:
            yield "timers", self.timers.run()
            yield "schedules", self.schedules.run()
            yield "tidy", self.tidy.run()

    def _join(self, nodes: Nodes, intake: Intake) -> None:
        """Be woken by what other nodes commit."""
        nodes.outbox_busy = self.outbox.busy
        nodes.woken = self.outbox.wake
        for channel, wake in (
            ("qianshao_inbox", intake.wake),
            ("qianshao_outbox", self.outbox.wake),
            ("qianshao_timer", self.timers.wake),
        ):
            nodes.signals.hear(channel, lambda _, wake=wake: wake())  # type: ignore[misc]

    async def _start_as_node(self, house: asyncio.TaskGroup, nodes: Nodes) -> list[asyncio.Task[None]]:
        tasks = [house.create_task(nodes.listen(), name="signals")]
        await nodes.start(lambda: tasks[0])
        tasks.append(house.create_task(nodes.leases.run(), name="leases"))
        tasks.append(house.create_task(nodes.attention.run(), name="attention"))
        return tasks

    async def _stop_as_node(self, nodes: Nodes, working: list[asyncio.Task[None]], first: list[asyncio.Task[None]]) -> None:
        """Leave nothing claimed: the others go on at once."""
        await asyncio.gather(*working, return_exceptions=True)
        for task in first:
            task.cancel()
        await nodes.leases.give_back()
        await asyncio.gather(*first, return_exceptions=True)
        await asyncio.to_thread(nodes.traffic.close)

    async def settle(self) -> None:
        """Return when everything that has been said is handled and everything due is sent; for tests and the command line."""
        await self.inbox.albums.flush()
        await (self.lanes.drained() if self.intake is None else self.intake.drained())
        await self.timers.run_due()
        await self.schedules.run_due()
        await self.campaign_loop.run_due()
        await self.outbox.drain()

    def campaigns(self, session: Session, now: datetime) -> Campaigns:
        """The sending of posts inside one transaction."""
        return Campaigns(session, now, self.library.posts, self.phrases, self.post_rules, self.library.calendar)

    def say(self, session: Session, unique: str) -> Say:
        """To say something inside a transaction of one's own, outside of any turn."""
        return Say(session, self.voice, self.clock(), unique, None)

    def _listen_for_missing(self, alerted: frozenset[tuple[str, str, str]], ended: frozenset[str]) -> None:
        """What the glance has to know about missing people."""
        self.mind.alerted, self.mind.ended = alerted, ended

    def _retention(self, session: Session, now: datetime) -> Retention:
        tips = Tips(session, self.tip_keys, now, timedelta(days=self.settings.tips.keep_days))
        return Retention(session, now, Terms(**self.settings.retention.terms), tips)

    def health(self) -> dict[str, Health]:
        """Every enabled platform's health, by its name; of several accounts each, but the first, by "name:account" too."""
        found: dict[str, Health] = {}
        for (name, account), health in self.supervisor.health().items():
            found[f"{name}:{account}" if name in found else name] = health
        return found

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
            auto_dispatch=settings.desk.auto_dispatch,
            review_share=settings.desk.review_share,
            least_shown=settings.bot.least_shown,
            tip_pages=_tip_pages(settings),
            rooms_keep_days=settings.web.keep_days,
            talk_quiet=timedelta(minutes=settings.desk.talk_minutes),
            scam_now=re.compile("|".join(sorted(self.library.scam_now)) or "(?!)"),
        )
        return House(
            self.router,
            self.voice,
            settings.bot.zone,
            timedelta(seconds=settings.bot.photo_wait_seconds),
            rules,
            lambda session, address: open_alarm(session, address.platform, address.chat, self.clock()) is not None,
            _number_of,
            self._makers(),
            self._is_blocked,
            partial(_keep_lines, zone=settings.bot.zone),
        )

    def _is_blocked(self, session: Session, platform: str, account: str, now: datetime) -> bool:
        return Blocks(session, self._marks_key, now).active(platform, account) is not None

    def _makers(self) -> Mapping[type, Callable[[Supplies], object]]:
        taxonomy, zone, keys = self.library.taxonomy, self.settings.bot.zone, self.tip_keys
        kept_for = timedelta(days=self.settings.tips.keep_days)
        rules, calendar = self.library.desk, self._calendar()

        def desk_of(turn: Supplies) -> CaseDesk:
            clocks = Clocks(turn.session, rules, calendar, turn.now, turn.timers)
            return CaseDesk(turn.session, turn.rights, taxonomy, zone, turn.now, clocks)

        return {
            CaseDesk: desk_of,
            Alarms: lambda turn: Alarms(turn.session, turn.now),
            Identities: lambda turn: Identities(turn.session, turn.now),
            Roster: lambda turn: Roster(turn.session, turn.now),
            Privacy: lambda turn: Privacy(turn.session, turn.now),
            Tips: lambda turn: Tips(turn.session, keys, turn.now, kept_for),
            Campaigns: lambda turn: self.campaigns(turn.session, turn.now),
            Totp: lambda turn: Totp(turn.session, self._totp_sealer, turn.now, turn.house.rules.bot_name),
            PendingActions: lambda turn: PendingActions(turn.session, turn.now, self._pending_rules, turn.timers),
            Confirmations: lambda turn: Confirmations(
                turn.service(PendingActions), turn.service(Totp), turn.say, turn.event.address.platform if turn.event else ""
            ),
            Blocks: lambda turn: Blocks(turn.session, self._marks_key, turn.now),
            Repeats: lambda turn: Repeats(turn.session, self._marks_key),
            Spot: self._spot,
            Wishes: lambda turn: Wishes(turn.session, turn.rights, turn.service(CaseDesk), turn.now),
            LostAndFound: lambda turn: LostAndFound(
                turn.session, turn.rights, turn.service(CaseDesk), self.library.things, turn.now
            ),
            Mediations: lambda turn: Mediations(turn.session, turn.rights, turn.service(CaseDesk), turn.now),
            Activities: lambda turn: Activities(turn.session, turn.rights, turn.now),
            Proposals: lambda turn: Proposals(turn.session, turn.rights, turn.now),
            Places: lambda turn: Places(turn.session, turn.rights, turn.service(CaseDesk), turn.now),
            KeptAnswers: lambda turn: KeptAnswers(turn.session, turn.now),
        }

    def _spot(self, turn: Supplies) -> Spot:
        given = {Pins: turn.find(Pins), Photos: turn.find(Photos), Group: turn.find(Group)}
        return Spot(self._atlas, turn.session, turn.house.rules, given[Pins], given[Photos], given[Group])  # type: ignore[arg-type]

    def _arm_cards(self, session: Session) -> None:
        """The officers' cards have their next times."""
        arm_cards(session, self._calendar(), self.clock(), wanted=self.settings.desk.cards)

    def _remind(self) -> None:
        """Whoever runs this for months is told in time that the known holidays end."""
        calendar = self._calendar()
        left = calendar.ends - self.clock().astimezone(calendar.zone).date()
        if left < timedelta(days=60):
            log.warning(
                "holidays_known_until", day=calendar.ends.isoformat(), advice="after that only weekends are off; docs/desk.md"
            )

    def _calendar(self) -> WorkCalendar:
        hours = self.settings.desk
        return WorkCalendar(self.settings.bot.zone, hours.work_from, hours.work_to, self.library.workdays)

    def _group_gone(self, session: Session, address: Address, group_id: int | None, why: str) -> None:
        """A group has removed the bot: whoever dispatches there is told once."""
        group = session.get(Group, group_id) if group_id is not None else None
        if group is None:
            return
        log.warning("group_gone", platform=address.platform, group=group_id, why=why[:80])
        forget_group(session, group, self.clock(), why)
        Dialogs(session, self.clock(), None).end_in(address)
        say = self.say(session, f"gone:{group_id}:{self.clock().isoformat()}")
        say.to_officers(dispatchers(session, group.grid_id), "desk.group_gone", group=group.name)

    def _after(self, effects: Effects) -> None:
        """A turn was committed: wake whoever has something to do now."""
        self.outbox.wake()
        if effects.campaigns:
            self.campaign_loop.wake()
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
            try:
                deadline = await self.inbox.forget_photos(self.clock())
            except StorageUnavailable:
                deadline = self.clock() + timedelta(seconds=PATROL_SECONDS)
            await self.clock.wait(deadline, self._photo_woken)


def _station(session: Session) -> str:
    unit = session.exec(select(Unit).where(Unit.kind == "police").order_by(col(Unit.id))).first()
    return unit.name if unit else "社区"


def _keep_lines(turn: Supplies, zone: ZoneInfo) -> None:
    """Below the answer to a report stands how far it is, whoever moved it."""
    desk = turn.made(CaseDesk)
    if isinstance(desk, CaseDesk) and desk.moved:
        keep_lines(desk, turn.say, zone, turn.now)


def _number_of(session: Session, address: Address, message_id: str) -> str | None:
    """The case or appeal that a message in this chat belongs to, by its history or by the notice that we sent."""
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
    ).first() or appeal_said(session, address, message_id)


def _tip_pages(settings: Settings) -> str:
    """Where the web platform shows officers the pictures of tips; empty when it does not run or has no such pages."""
    web = settings.web
    if not (web.enabled and settings.tips.web_form):
        return ""
    host = f"[{web.host}]" if ":" in web.host else web.host
    return f"{web.public_url.rstrip('/') or f'http://{host}:{web.port}'}/tip/picture/"
