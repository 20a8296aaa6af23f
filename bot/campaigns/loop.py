"""What campaigns and the chains of missing people and appeals do by themselves, as long as the bot runs.

What is due stands in rows (`Campaign.next_step_at`, `expires_at` and `purge_at` of `Missing` and `Appeal`), so that a restart
goes on where it was and any node may do the next step; the row is taken in the transaction that does it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy import BindParameter, bindparam, or_
from sqlmodel import Session, col, func, select

from bot.campaigns.appeals import appeal_photos, ended_appeals, expire_appeal, purge_appeal
from bot.campaigns.campaigns import Campaigns
from bot.campaigns.lots import FAR, take_lot
from bot.campaigns.missing import expire, listening, photos_to_purge, purged
from bot.campaigns.steps import take_step
from bot.clock import Clock
from bot.say import Say, Voice
from storage.failpoints import failpoint
from storage.media import drop
from storage.tables import Appeal, Campaign, Missing
from storage.writer import StorageUnavailable, Writer

log = structlog.get_logger(__name__)

PATROL = timedelta(seconds=5)  # the command line and other nodes write campaigns, too
AFTER_TROUBLE = timedelta(seconds=5)


class CampaignLoop:
    """Wakes when a campaign's next step is due. `sent` is called after a commit, to wake the outbox.

    `listen` is told with every patrol in which chats a clue may come, and which alerts are over (`missing.listening`). Without
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
        due = await self._look(now)
        if not self._steps:
            return None
        for campaign_id in due.lots:
            await self._take_lot(campaign_id, now)
        for campaign_id in due.campaigns:
            await self._step(campaign_id, now)
        for row in due.expired:
            await self._run(partial(self._expire, row, now))
        for row in due.photos:
            await self._purge(row, now)
        if not due.any:
            return due.next_at
        return (await self._look(now)).next_at

    async def _look(self, now: datetime) -> _Due:
        """What is due; and what the glance listens for is brought up to date."""
        chats, numbers, due = await self._writer.read(lambda session: (*_listening(session, now), _due(session, now)))
        self._listen(chats, numbers)
        return due

    def _expire(self, row: _Row, now: datetime, session: Session) -> bool:
        say = self._say(session, now, f"{row.chain.__name__}:{row.id}")
        return expire(session, row.id, now, say) if row.chain is Missing else expire_appeal(session, row.id, now, say)

    async def _take_lot(self, campaign_id: int, now: datetime) -> None:
        def work(session: Session) -> bool:
            return take_lot(session, campaign_id, now, self._campaigns(session, now).rules.lots)

        if await self._run(work):
            failpoint("lot.committed")

    async def _step(self, campaign_id: int, now: datetime) -> None:
        def work(session: Session) -> bool:
            campaigns = self._campaigns(session, now)
            return take_step(campaigns, campaign_id, lambda word: self._say(session, now, f"c:{campaign_id}:{word}"))

        await self._run(work)

    async def _purge(self, row: _Row, now: datetime) -> None:
        """Files first: a crash in between does it again; the other way round it would leave them for ever."""
        find, end = (photos_to_purge, purged) if row.chain is Missing else (appeal_photos, purge_appeal)
        for path in await self._writer.read(lambda session: find(session, row.id, now)):
            await asyncio.to_thread(drop, self._data_dir, path)
        await self._run(lambda session: end(session, row.id, now))

    async def _run(self, work: Callable[[Session], object]) -> bool:
        """Do it in a transaction of its own; true when something was done."""
        try:
            did = await self._writer.run(work)
        except StorageUnavailable:
            raise
        except Exception as problem:
            # it stays due and is tried again with every patrol
            log.error("campaign_step_failed", problem=type(problem).__name__, exc_info=problem)
            return False
        if did:
            self._sent()
        return bool(did)

    def _say(self, session: Session, now: datetime, unique: str) -> Say:
        return Say(session, self._voice, now, f"{unique}:{now.timestamp():.3f}", None)


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a chain."""

    chain: type[Missing] | type[Appeal]
    id: int


@dataclass(frozen=True, slots=True)
class _Due:
    """What has to be done now, and when there is something next."""

    lots: list[int]
    campaigns: list[int]
    expired: list[_Row]
    photos: list[_Row]
    next_at: datetime | None

    @property
    def any(self) -> bool:
        return bool(self.lots or self.campaigns or self.expired or self.photos)


def _listening(session: Session, now: datetime) -> tuple[frozenset[tuple[str, str, str]], frozenset[str]]:
    """Where clues may come, and the numbers of whatever is over."""
    chats, numbers = listening(session, now)
    return chats, numbers | ended_appeals(session, now)


# these are asked with every patrol, so they are put together once
_NOW: BindParameter[datetime] = bindparam("now")
_STEPS = select(Campaign.id).where(col(Campaign.next_step_at) <= _NOW).order_by(col(Campaign.next_step_at))
_NEXT_STEP = select(func.min(Campaign.next_step_at)).where(col(Campaign.next_step_at) > _NOW)
_FAR: BindParameter[datetime] = bindparam("far")
_LOTS = select(Campaign.id).where(or_(col(Campaign.lot_at) <= _NOW, col(Campaign.lot_at) > _FAR)).order_by(col(Campaign.lot_at))
_NEXT_LOT = select(func.min(Campaign.lot_at)).where(col(Campaign.lot_at) > _NOW)
_OPEN = ("pending_verification", "active")
_CHAINS = tuple(
    (
        chain,
        select(chain.id).where(col(chain.state).in_(_OPEN), col(chain.expires_at) <= _NOW),
        select(chain.id).where(col(chain.purge_at) <= _NOW),
    )
    for chain in (Missing, Appeal)
)


def _due(session: Session, now: datetime) -> _Due:
    values = {"now": now}
    expired: list[_Row] = []
    photos: list[_Row] = []
    for chain, over, gone in _CHAINS:
        expired += [_Row(chain, row) for row in session.exec(over, params=values).all() if row is not None]
        photos += [_Row(chain, row) for row in session.exec(gone, params=values).all() if row is not None]
    steps = [row for row in session.exec(_STEPS, params=values).all() if row is not None]
    lots = [row for row in session.exec(_LOTS, params={**values, "far": now + FAR}).all() if row is not None]
    next_at = [at for at in (session.exec(each, params=values).one() for each in (_NEXT_STEP, _NEXT_LOT)) if at is not None]
    return _Due(lots, steps, expired, photos, min(next_at, default=None))
