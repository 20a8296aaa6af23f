"""One running bot: everything that hears, decides, waits and speaks, put together."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from sqlmodel import Session

from bot.album import Album
from bot.app.knowledge import StoredAnswers
from bot.app.library import Library
from bot.app.routes import build_router
from bot.app.services import Services
from bot.campaigns.cards import Carded, Cards
from bot.campaigns.loop import CampaignLoop
from bot.clock import Clock
from bot.config import Settings
from bot.dialogs import Dialogs
from bot.glance import Senses
from bot.inbox import Inbox
from bot.intake import Intake
from bot.jobs import Job
from bot.judge import Judge
from bot.knowledge import Knowledge
from bot.lanes import Lanes
from bot.leases import LeaseRule
from bot.memory import Memory
from bot.messages import Address
from bot.metrics import Metrics
from bot.mind import Mind
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
from bot.turn import Effects
from bot.understanding.pictures import PictureReader
from bot.unsaying import Unsaying
from bot.whisper import hush
from bot.worker import Worker
from cases.dispatch import dispatchers
from cases.groups import forget_group
from cases.shift import arm_cards
from content.gazetteer import Gazetteer
from content.phrases import PhraseBook
from storage.sealing import Sealer
from storage.tables import Group
from storage.writer import StorageUnavailable, Writer

if TYPE_CHECKING:
    from bot.app.nodes import Nodes

log = structlog.get_logger(__name__)

NODE_LEASE_SECONDS = 45.0  # a claim outlasts a send, and no dead node holds one for longer
PATROL_SECONDS = 5.0  # the command line writes notices, too; the outbox looks for them that often


class App:
    """One running bot. `adapters` are the platforms; tests give their own, `bot.app.serving` makes those of the settings."""

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
        self.duties = duties or Duties()
        keys = settings.bot.data_dir / "keys"
        self._sealer, self._tip_sealer = Sealer(keys / "inbox.key"), Sealer(keys / "tips.key")
        self.phrases = library.phrases
        for folder in sorted({path.parent / "phrases" for path in settings.bot.handlers}):
            self.phrases = self.phrases.joined(PhraseBook.load(folder))
        self.services = Services(
            settings, library, self.phrases, gazetteer or Gazetteer(), self._sealer.fingerprint_key, writer, clock, demo=demo
        )
        self.router = build_router(settings.bot.handlers)
        self.mind = Mind(self.router.hears, self.router.shows, self.router.calm)
        self.voice = self._make_voice()
        self.nodes: Nodes | None = None
        if writer.shared:
            from bot.app.nodes import Nodes  # with PostgreSQL's driver, for which nobody else waits

            name, wait = node or socket.gethostname(), timedelta(seconds=settings.bot.photo_wait_seconds)
            self.nodes = Nodes(
                writer, settings.database_url, name, self.duties, adapters, clock, self._sealer, self.mind, wait, lease_rule
            )
        nodes = self.nodes
        self.pacing = pacing or Pacing(
            settings.pacing.rules, overall_per_second=settings.pacing.overall_per_second, booking=nodes is not None
        )
        self.outbox = self._make_outbox(node or socket.gethostname())
        self.unsaying = Unsaying(writer, self.adapters)
        self._knowledge = self._make_knowledge()
        self.memory = self.nodes.memory if self.nodes else Memory(self.mind)
        self.worker = self._make_worker(photos, reader)
        self.lanes: Lanes[Job] = Lanes(self.worker.work)
        self.memory.lanes = self.lanes if self.nodes is None else None
        self.timers = TimerLoop(writer, clock, self.worker.run_timer, self.worker.give_up_timer)
        self.inbox = self._make_inbox()
        self._make_loops()
        self.supervisor = Supervisor(nodes.listeners(adapters) if nodes else adapters, self.inbox)
        self.intake = self._make_intake(nodes) if nodes is not None else None
        self.metrics = Metrics()
        self.web: WebPlatform | None = None
        self._photo_woken = asyncio.Event()

    # --- what it is put together from ---

    def _make_voice(self) -> Voice:
        # of several accounts on one platform the first one talks to people privately
        changing = frozenset(name for (name, _), adapter in self.adapters.items() if adapter.can.edit)
        return Voice(self.phrases, dict(reversed(self.adapters.keys())), partial(hush, self._tip_sealer), changing)

    def _make_outbox(self, node: str) -> Outbox:
        nodes, data = self.nodes, self.settings.bot.data_dir
        cards = Cards(self.library.posts, self.phrases, self.services.station, data)
        sending = {
            key: Carded(adapter, self._tip_sealer, cards)
            for key, adapter in self.adapters.items()
            if nodes is None or nodes.sends(key)
        }
        alone = OutboxRule(patrol=PATROL_SECONDS)
        return Outbox(
            nodes.traffic if nodes else self.writer,
            sending,
            self.pacing,
            self.clock,
            node=node,
            repeat_mark=self.phrases.say("notice.repeat"),
            rule=replace(alone, lease=NODE_LEASE_SECONDS) if nodes else alone,
            on_gone=self._group_gone,
            hold=nodes.hold if nodes else None,
            caps=self.services.post_rules.caps,
        )

    def _make_knowledge(self) -> Knowledge:
        clock, zone = self.clock, self.settings.bot.zone
        stored = StoredAnswers(self.writer, clock, zone)
        return Knowledge(self.library.answers, stored, self.settings.bot.data_dir, lambda: clock().astimezone(zone).date())

    def _make_worker(self, photos: PhotoWorker, reader: PictureReader | None) -> Worker:
        understanding = self.library.understanding
        album = Album(self.adapters, photos, self.settings.bot.data_dir / "media")
        return Worker(
            self.writer,
            self.services.house(self.router, self.voice),
            self.memory,
            understanding,
            self._knowledge,
            album,
            Judge(understanding, self.library.doubts, album, reader),
            self.unsaying,
            self.clock,
            self._after,
        )

    def _make_inbox(self) -> Inbox:
        library, name = self.library, self.settings.bot.name
        certain, slip = library.answers.certain, self.router.is_slip
        senses = Senses(library.understanding.glance, self._command, certain, name, library.doubts, slip)
        keeper = self.nodes.traffic if self.nodes else self.writer
        names = NameWatch(keeper, library.officials, self._sealer.fingerprint_key, self.clock, name, self.timers.wake)
        wait = timedelta(seconds=self.settings.bot.photo_wait_seconds)
        return Inbox(keeper, self._sealer, senses, self.lanes, self.mind, self.clock, wait, self.nodes, names)

    def _make_loops(self) -> None:
        """What looks by itself for what is due."""
        writer, clock, settings, campaigns = self.writer, self.clock, self.settings, self.services.campaigns
        data, wake = settings.bot.data_dir, self.outbox.wake
        self.schedules = ScheduleLoop(writer, clock, settings.schedules, settings.bot.zone, self.voice, campaigns, wake)
        self.campaign_loop = CampaignLoop(
            writer, clock, self.voice, campaigns, data, wake, self._listen_for_missing, self.duties.schedules
        )
        self.tidy = Tidy(writer, clock, data, self.services.retention, self._remind)

    def _make_intake(self, nodes: Nodes) -> Intake:
        """The kept events that this node works on; it is woken by what other nodes commit."""
        intake = Intake(
            nodes.traffic,
            self.inbox,
            self.worker.work,
            owner=nodes.holder,
            alive=lambda: nodes.leases.alive,
            share=nodes.share,
            clock=self.clock,
        )
        nodes.outbox_busy = self.outbox.busy
        nodes.woken = self.outbox.wake
        for channel, wake in (
            ("qianshao_inbox", intake.wake),
            ("qianshao_outbox", self.outbox.wake),
            ("qianshao_timer", self.timers.wake),
            ("qianshao_campaign", self.campaign_loop.wake),
        ):
            nodes.signals.hear(channel, lambda _, wake=wake: wake())  # type: ignore[misc]
        return intake

    # --- its life ---

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
        yield "words", asyncio.to_thread(self.library.understanding.warm)
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

    def say(self, session: Session, unique: str) -> Say:
        """To say something inside a transaction of one's own, outside of any turn."""
        return Say(session, self.voice, self.clock(), unique, None)

    def _listen_for_missing(self, alerted: frozenset[tuple[str, str, str]], ended: frozenset[str]) -> None:
        """What the glance has to know about missing people."""
        self.mind.alerted, self.mind.ended = alerted, ended

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

    def _arm_cards(self, session: Session) -> None:
        """The officers' cards have their next times."""
        arm_cards(session, self.services.work_calendar(), self.clock(), wanted=self.settings.desk.cards)

    def _remind(self) -> None:
        """Whoever runs this for months is told in time that the known holidays end."""
        calendar = self.services.work_calendar()
        left = calendar.ends - self.clock().astimezone(calendar.zone).date()
        if left < timedelta(days=60):
            log.warning(
                "holidays_known_until", day=calendar.ends.isoformat(), advice="after that only weekends are off; docs/desk.md"
            )

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
