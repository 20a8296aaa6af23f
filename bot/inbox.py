"""The way in: glance, keep or forget, commit, confirm.

What the glance (`bot.glance`) lets go is never written anywhere. What it keeps is committed, sealed, before the platform is told
that we have it; a crash before that means that the platform delivers it again.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from msgspec import DecodeError
from msgspec.json import encode
from msgspec.structs import replace
from sqlmodel import Session, col, select

from bot.clock import Clock
from bot.dialogs import open_dialogs
from bot.flood import Flood, Weight
from bot.gathering import Gathering
from bot.glance import Senses, glance, hint_of
from bot.jobs import QUIET, Job, storable
from bot.kept import all_done, fresh_reports, open_alarms, set_state, unsealed
from bot.lanes import LaneKey, Lanes
from bot.messages import Inbound, Kind
from bot.mind import CASE_NUMBER, Mind
from bot.names import NameWatch
from storage.failpoints import failpoint
from storage.intake import LATE, EventClaim, forget_parked, parked
from storage.repeats import COUNT, mark_of
from storage.sealing import Sealed, Sealer
from storage.tables import CaseEntry, InboxEvent
from storage.writer import Writer

log = structlog.get_logger(__name__)

CHANGED_SOON = timedelta(minutes=10)  # an edit or recall of a kept message is looked at for so long, even before it was handled
MOST_REMEMBERED = 5000
_ON_DUTY = re.compile(r"[@＠]\s*值班")
_BLANKS = " \u2005\u3000\n\t,，:："

_KEEP = (
    "INSERT INTO inbox (platform, account, event_id, state, urgent, body, received_at, due_at, tries, problem) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, '') ON CONFLICT (platform, account, event_id) DO NOTHING"
)
_KEEP_IN_LANE = (
    "INSERT INTO inbox (platform, account, event_id, state, urgent, body, received_at, due_at, tries, problem, lane) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?) ON CONFLICT (platform, account, event_id) DO NOTHING"
)


class Others(Protocol):
    """What the inbox has to know where other nodes work on what it keeps."""

    def lane(self, event: Inbound) -> str:
        """The event's lane as its row shows it."""
        ...

    @property
    def fresh(self) -> bool:
        """Whether the mind knows what the others have asked."""
        ...

    async def freshness(self) -> None:
        """Wait until it does."""
        ...


class Inbox:
    """Takes events from all adapters and hands what is kept to the lanes; with `others`, to whichever node claims it."""

    def __init__(
        self,
        writer: Writer,
        sealer: Sealer,
        senses: Senses,
        lanes: Lanes[Job],
        mind: Mind,
        clock: Clock,
        photo_wait: timedelta,
        others: Others | None = None,
        names: NameWatch | None = None,
    ) -> None:
        self._others = others
        self._names = names
        self._writer = writer
        self._sealer = sealer
        self._senses = senses
        self._lanes = lanes
        self._clock = clock
        self._photo_wait = photo_wait
        self._just_kept: OrderedDict[tuple[str, str, str, str], datetime] = OrderedDict()
        self.mind = mind
        self.albums = Gathering(self._queue, clock)
        self.flood = Flood()
        self.heard = 0
        self.kept = 0

    async def take(self, event: Inbound) -> None:
        """Keep the event durably or let it go; see `bot.platforms.base.Feed`."""
        self.heard += 1
        await self._take(event)
        if self._names is not None and self._names.is_new(event):
            await self._names.look(event)

    async def _take(self, event: Inbound) -> None:
        now = self._clock()
        event = self._without_our_name(event)
        job = glance(event, self.mind, self._senses, now)
        if job is None and self._others is not None and not self._others.fresh:
            # it may answer a question that we have not heard of; until we know, it is neither forgotten nor confirmed
            await self._others.freshness()
            job = glance(event, self.mind, self._senses, now)
        if job is None:
            return
        if event.kind in (Kind.RECALL, Kind.EDIT) and job.waiting:
            if await self._photo_taken_back(event) or not await self._belongs_to_case(event):
                return
            job = replace(job, waiting=False)
        job = storable(job)
        if event.kind is Kind.MESSAGE and job.hint.danger is None:
            weight = self.flood.weigh(event, now, report=job.hint.report or job.hint.bait)
            if weight is Weight.REPEATED and not self._is_asked_again(event):
                if job.hint.report:
                    await self._count(event, now)
                return  # the same words are being dealt with
            if weight is not Weight.PROMPT:
                job = replace(job, late=True)
        if job.waiting and event.attachments:
            self.mind.saw(LaneKey(event.address, event.sender.id), now + self._photo_wait, now)
        try:
            added = await self._keep(job, now)
        except BaseException:
            self.flood.unheard(event)  # it comes again, and is no repetition then
            raise
        if not added:
            return
        self.kept += 1
        await self.hand(job)

    async def quarantine(self, platform: str, account: str, event_id: str, raw: bytes, why: str) -> None:
        """Keep what could not be parsed, sealed, so that it blocks nobody."""
        now = self._clock()
        body = self._sealer.seal(raw.decode("utf-8", "replace"))
        await self._writer.append(_KEEP, (platform, account, event_id, "quarantined", False, body, self._writer.stamp(now), None))
        log.warning("quarantined", platform=platform, why=why[:80])

    async def hand(self, job: Job) -> None:
        """Queue a kept job in its lane, an album once it is complete; other nodes heard of it by its commit."""
        event = job.event
        if event.kind is Kind.MESSAGE:
            self._remember(event)
        if self._others is None and not self._hand_on(job):
            await self.albums.take(job)

    def _hand_on(self, job: Job) -> bool:
        """Straight into its lane, if nothing has to wait for it or before it."""
        if job.hint.danger is not None or not self.albums.is_apart(job):
            return False
        return self._lanes.offer(LaneKey(job.event.address, job.event.sender.id), job, late=job.late)

    async def _queue(self, job: Job) -> None:
        key = LaneKey(job.event.address, job.event.sender.id)
        await self._lanes.put(key, job, urgent=job.hint.danger is not None, late=job.late)

    async def resume(self) -> int:
        """After a start: remember what was pending and queue what was kept and not done. Returns how many."""
        if self._others is not None:
            return 0
        now = self._clock()
        self.mind.dialogs.update(await self._writer.run(lambda session: open_dialogs(session, now)))
        alarms, reports = await self._writer.read(
            lambda session: (open_alarms(session), fresh_reports(session, now - self._photo_wait))
        )
        self.mind.alarms.update(alarms)
        for key, reported in reports:
            self.mind.reports[key] = reported + self._photo_wait
        rows = await self._writer.read(
            lambda session: session.exec(
                select(InboxEvent).where(col(InboxEvent.state).in_(("kept", "waiting"))).order_by(col(InboxEvent.id))
            ).all()
        )
        for row in rows:
            await self._resume_one(row)
        return len(rows)

    async def _resume_one(self, row: InboxEvent) -> None:
        job = await self.read(row.id or 0, row.state, row.body or b"")
        if job is not None:
            await self.hand(job)

    async def read(
        self, row_id: int, state: str, body: bytes, claim: EventClaim | None = None, *, late: bool = False
    ) -> Job | None:
        """The job of a kept row; None when it cannot be opened, then it is in quarantine."""
        try:
            event = unsealed(self._sealer, body)
        except (Sealed, DecodeError) as problem:
            log.error("cannot_resume", row=row_id, problem=type(problem).__name__)
            reason = type(problem).__name__
            await self._writer.run(lambda session: set_state(session, row_id, "quarantined", reason))
            return None
        other = event.kind is not Kind.MESSAGE
        told_as_tip = not (other or event.addressed or event.text or event.attachments or event.location)
        hint = QUIET if other else hint_of(event, self._senses, self.mind, self._clock())
        addressed = other or event.addressed
        command = event.text.lstrip()[:1] in ("/", "／")
        named = CASE_NUMBER.search(event.text) is not None
        wanted = addressed or command or hint.report or hint.safe or hint.question or named
        asking = hint.bait or (not wanted and self._senses.doubts(event.text))
        slip = command and not (addressed or hint.report or hint.safe or named) and self._senses.slip(event.text)
        return Job(
            event,
            hint,
            addressed=addressed,
            told_as_tip=told_as_tip,
            waiting=state == "waiting",
            late=late,
            asking=asking,
            slip=slip and not (hint.question and self._senses.certain(event.text)),
            claim=claim,
        )

    async def forget_photos(self, now: datetime) -> datetime | None:
        """Let go of photos for which no words came; returns when the next one is over."""
        if self._others is not None:
            return await self._writer.run(lambda session: forget_parked(session.connection(), now))
        over: list[Inbound] = []
        for key, waiting in list(self.mind.photos.items()):
            over += [event for at, event in waiting if now - at >= self._photo_wait]
            left = [entry for entry in waiting if now - entry[0] < self._photo_wait]
            if left:
                self.mind.photos[key] = left
            else:
                del self.mind.photos[key]
        if over:
            await self._writer.run(lambda session: all_done(session, over))
        times = [at for waiting in self.mind.photos.values() for at, _ in waiting]
        return min(times) + self._photo_wait if times else None

    async def _keep(self, job: Job, now: datetime) -> bool:
        event = job.event
        body = self._sealer.seal_bytes(encode(event))
        stamp = self._writer.stamp
        due = stamp(now + self._photo_wait) if job.waiting else None
        row = (
            event.address.platform,
            event.address.account,
            event.event_id,
            "waiting" if job.waiting else "kept",
            job.hint.danger is not None,
            body,
            stamp(now),
            due,
        )
        if self._others is None:
            added = await self._writer.append(_KEEP, row)
        else:
            added = await self._writer.append(_KEEP_IN_LANE, (*row, LATE if job.late else "", self._others.lane(event)))
        failpoint("inbox.committed")
        return added

    async def _count(self, event: Inbound, now: datetime) -> None:
        """The same report again: no second piece of work, but the officer is told exactly how many came."""
        mark = mark_of(self._sealer.fingerprint_key, event.address.platform, event.sender.id, event.text)
        await self._writer.append(COUNT, (mark, self._writer.stamp(now)))

    def _is_asked_again(self, event: Inbound) -> bool:
        """An officers' command in a private chat is answered each time: "/推送 3 进度" has another answer after a minute. What
        residents bring by a command, as a tip, is not made anew each time."""
        command = self._senses.command(event.text) if event.address.private else None
        return command is not None and bool(command.needs)

    def _without_our_name(self, event: Inbound) -> Inbound:
        """ "@前哨 /查 2611-0042" is the command; our name says to whom, not what. "@值班" is said to us, too."""
        if "值班" in event.text and event.kind is Kind.MESSAGE and not event.copied and _ON_DUTY.search(event.text):
            event = replace(event, mentions_me=True)
        if not self._senses.me or not event.mentions_me or "@" + self._senses.me not in event.text:
            return event
        rest = event.text.replace("@" + self._senses.me, " ", 1).strip(_BLANKS)
        return replace(event, text=rest)

    async def _photo_taken_back(self, event: Inbound) -> bool:
        """Forget a photo that waited for words and was recalled; true when there was one."""
        if self._others is not None:
            return await self._parked_photo_taken_back(event, self._others.lane(event))
        key = LaneKey(event.address, event.sender.id)
        waiting = self.mind.photos.get(key, [])
        gone = [photo for _, photo in waiting if photo.message_id == event.message_id]
        if not gone:
            return False
        self.mind.photos[key] = [entry for entry in waiting if entry[1] not in gone]
        await self._writer.run(lambda session: all_done(session, gone))
        return True

    async def _parked_photo_taken_back(self, event: Inbound, lane: str) -> bool:
        def work(session: Session) -> bool:
            gone = [
                photo
                for _, body, _ in parked(session.connection(), lane)
                if (photo := unsealed(self._sealer, body)).message_id == event.message_id
            ]
            all_done(session, gone)
            return bool(gone)

        return await self._writer.run(work)

    def _remember(self, event: Inbound) -> None:
        """What was kept may be changed or taken back before it is handled and stands in a case."""
        now, kept = self._clock(), self._just_kept
        kept[_written_as(event)] = now
        while len(kept) > MOST_REMEMBERED or now - next(iter(kept.values())) > CHANGED_SOON:
            kept.popitem(last=False)

    async def _belongs_to_case(self, event: Inbound) -> bool:
        kept_at = self._just_kept.get(_written_as(event))
        if kept_at is not None and self._clock() - kept_at < CHANGED_SOON:
            return True
        found = await self._writer.read(
            lambda session: session.exec(select(CaseEntry.id).where(CaseEntry.message_id == event.message_id).limit(1)).first()
        )
        return found is not None


def _written_as(event: Inbound) -> tuple[str, str, str, str]:
    address = event.address
    return address.platform, address.account, address.chat, event.message_id
