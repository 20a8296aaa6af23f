"""What campaigns and missing people's chains do by themselves, as long as the bot runs.

What is due stands in rows (`Campaign.next_step_at`, `Missing.expires_at`, `Missing.purge_at`), so that a restart goes on where it
was and any node may do the next step; the row is taken in the transaction that does it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlmodel import Session, col, func, select

from bot.campaigns.campaigns import Campaigns
from bot.campaigns.chain import expire, listening, photos_to_purge, purged
from bot.campaigns.steps import take_step
from bot.clock import Clock
from bot.say import Say, Voice
from storage.media import drop
from storage.tables import Campaign, Missing
from storage.writer import StorageUnavailable, Writer

log = structlog.get_logger(__name__)

PATROL = timedelta(seconds=5)  # the command line and other nodes write campaigns, too
AFTER_TROUBLE = timedelta(seconds=5)


class CampaignLoop:
    """Wakes when a campaign's next step is due. `sent` is called after a commit, to wake the outbox.

    `listen` is told with every patrol in which chats a clue may come, and which alerts are over (`chain.listening`). Without
    `steps` this node does nothing but that.
    """

    def __init__(
        self,
        writer: Writer,
        clock: Clock,
        voice: Voice,
        campaigns: Callable[[Session, datetime], Campaigns],
        data_dir: Path,
        sent: Callable[[], None],
        listen: Callable[[frozenset[tuple[str, str, str]], frozenset[str]], None] = lambda _chats, _numbers: None,
        steps: bool = True,
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._voice = voice
        self._campaigns = campaigns
        self._data_dir = data_dir
        self._sent = sent
        self._listen = listen
        self._steps = steps
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """A campaign was planned, approved or stopped: look at once."""
        self._wake.set()

    async def run(self) -> None:
        """Serve the campaigns until cancelled."""
        while True:
            self._wake.clear()
            now = self._clock()
            try:
                due = await self.run_due()
            except StorageUnavailable as problem:
                log.error("campaigns_wait_for_storage", problem=type(problem).__name__)
                due = now + AFTER_TROUBLE
            await self._clock.wait(min(due or now + PATROL, now + PATROL), self._wake)

    async def run_due(self) -> datetime | None:
        """Do every step that is due; returns when the next one is."""
        now = self._clock()
        self._listen(*await self._writer.read(lambda session: listening(session, now)))
        if not self._steps:
            return None
        due = await self._writer.read(lambda session: _due(session, now))
        for campaign_id in due.campaigns:
            await self._step(campaign_id, now)
        for missing_id in due.expired:
            await self._run(lambda session, row=missing_id: expire(session, row, now, self._say(session, now, f"m:{row}")))  # type: ignore[misc]
        for missing_id in due.photos:
            await self._purge(missing_id, now)
        if not due.any:
            return due.next_at
        self._listen(*await self._writer.read(lambda session: listening(session, now)))
        return await self._writer.read(lambda session: _due(session, now).next_at)

    async def _step(self, campaign_id: int, now: datetime) -> None:
        def work(session: Session) -> bool:
            campaigns = self._campaigns(session, now)
            return take_step(campaigns, campaign_id, lambda word: self._say(session, now, f"c:{campaign_id}:{word}"))

        await self._run(work)

    async def _purge(self, missing_id: int, now: datetime) -> None:
        """Files first: a crash in between does it again; the other way round it would leave them for ever."""
        paths = await self._writer.read(lambda session: photos_to_purge(session, missing_id, now))
        for path in paths:
            await asyncio.to_thread(drop, self._data_dir, path)
        await self._run(lambda session: purged(session, missing_id, now))

    async def _run(self, work: Callable[[Session], object]) -> None:
        try:
            did = await self._writer.run(work)
        except StorageUnavailable:
            raise
        except Exception as problem:
            # it stays due and is tried again with every patrol
            log.error("campaign_step_failed", problem=type(problem).__name__, exc_info=problem)
            return
        if did:
            self._sent()

    def _say(self, session: Session, now: datetime, unique: str) -> Say:
        return Say(session, self._voice, now, f"{unique}:{now.timestamp():.3f}", None)


class _Due:
    def __init__(self, campaigns: list[int], expired: list[int], photos: list[int], next_at: datetime | None) -> None:
        self.campaigns = campaigns
        self.expired = expired
        self.photos = photos
        self.next_at = next_at

    @property
    def any(self) -> bool:
        return bool(self.campaigns or self.expired or self.photos)


def _due(session: Session, now: datetime) -> _Due:
    steps = select(Campaign.id).where(col(Campaign.next_step_at) <= now).order_by(col(Campaign.next_step_at))
    expired = select(Missing.id).where(Missing.state == "active", col(Missing.expires_at) <= now)
    photos = select(Missing.id).where(col(Missing.purge_at) <= now)
    next_at = session.exec(select(func.min(Campaign.next_step_at)).where(col(Campaign.next_step_at) > now)).one()
    campaigns, ended, purges = ([row for row in session.exec(one).all() if row is not None] for one in (steps, expired, photos))
    return _Due(campaigns, ended, purges, next_at)
