"""The way in: glance, keep or forget, commit, confirm.

The glance is a pure look in memory. What it lets go is never written anywhere. What it keeps is committed, sealed, before the
platform is told that we have it; a crash before that means that the platform delivers it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from pydantic import TypeAdapter
from sqlalchemy import update
from sqlmodel import Session, col, select

from bot.clock import Clock
from bot.dialogs import DialogKey, open_dialogs
from bot.lanes import LaneKey, Lanes
from bot.messages import Address, Inbound, Kind
from bot.understanding.meaning import Hint
from storage.failpoints import failpoint
from storage.sealing import Sealed, Sealer
from storage.tables import Alarm, Case, CaseEntry, InboxEvent
from storage.writer import Writer

log = structlog.get_logger(__name__)

QUIET = Hint()
_CASE_NUMBER = re.compile(r"(?<!\d)\d{2}(?:0[1-9]|1[0-2])[-－]\d{4,6}(?!\d)")
_EVENT = TypeAdapter(Inbound)

_KEEP = (
    "INSERT INTO inbox (platform, account, event_id, state, urgent, body, received_at, due_at, tries, problem) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, '') ON CONFLICT (platform, account, event_id) DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Job:
    """A kept event on its way to a handler. `told_as_tip` marks a tip said in a group, whose words were not kept."""

    event: Inbound
    hint: Hint
    addressed: bool
    told_as_tip: bool = False
    waiting: bool = False  # a photo that may belong to a report


@dataclass(slots=True)
class Mind:
    """What the glance has to remember: who was asked something, where an emergency is open, whose photo waits for words."""

    dialogs: dict[DialogKey, datetime] = field(default_factory=dict)
    alarms: dict[Address, int] = field(default_factory=dict)
    reports: dict[LaneKey, datetime] = field(default_factory=dict)  # who has just reported, and until when a photo belongs to it
    photos: dict[LaneKey, list[tuple[datetime, Inbound]]] = field(default_factory=dict)

    def expects(self, event: Inbound, now: datetime) -> bool:
        """Whether this person was asked something here."""
        until = self.dialogs.get(DialogKey.of(event.address, event.sender.id))
        return until is not None and until > now

    def just_reported(self, key: LaneKey, now: datetime) -> bool:
        until = self.reports.get(key)
        return until is not None and until > now


@dataclass(frozen=True, slots=True)
class Senses:
    """What the glance may ask: the reading of words, whether a word is a command, whether an answer is certain, our names."""

    glance: Callable[[str], Hint]
    is_command: Callable[[str], bool]
    certain: Callable[[str], bool]


def glance(event: Inbound, mind: Mind, senses: Senses, now: datetime) -> Job | None:
    """Decide in memory whether an event is kept; None means forget it on the spot."""
    if event.kind is not Kind.MESSAGE:
        return _glance_other(event, senses)
    text = event.text
    hint = senses.glance(text) if text else QUIET
    private = event.address.private
    addressed = private or event.mentions_me or (event.quote is not None and event.quote.mine)
    if hint.danger and not event.copied:
        return Job(event, hint, addressed)
    if mind.expects(event, now):
        return Job(event, hint, addressed)
    if text and (text[0] in "/／" or text.lstrip()[:1] in ("/", "／")) and (addressed or senses.is_command(text)):
        return Job(event, hint, addressed)
    if hint.tip and not private:
        # the words of a tip in a group are dropped here: only the way to the private chat is answered
        return Job(replace(event, text="", attachments=()), hint, addressed, told_as_tip=True)
    if addressed or hint.report:
        return Job(event, hint, addressed)
    if hint.safe and event.address in mind.alarms:
        return Job(event, hint, addressed)
    if text and _CASE_NUMBER.search(text):
        return Job(event, hint, addressed)
    if hint.question and not event.copied and senses.certain(text):
        return Job(event, hint, addressed)
    if event.attachments and not event.copied:
        return Job(replace(event, text="", quote=None), QUIET, addressed=False, waiting=True)
    return None


def _glance_other(event: Inbound, senses: Senses) -> Job | None:
    if event.kind is Kind.EDIT and not senses.is_command(event.text):
        # an edit is only looked at when its message belongs to a case; Inbox.take finds that out
        return Job(event, QUIET, addressed=False, waiting=True)
    if event.kind is Kind.RECALL:
        return Job(event, QUIET, addressed=False, waiting=True)
    return Job(event, QUIET, addressed=True)


class Inbox:
    """Takes events from all adapters and hands what is kept to the lanes."""

    def __init__(
        self, writer: Writer, sealer: Sealer, senses: Senses, lanes: Lanes[Job], mind: Mind, clock: Clock, photo_wait: timedelta
    ) -> None:
        self._writer = writer
        self._sealer = sealer
        self._senses = senses
        self._lanes = lanes
        self._clock = clock
        self._photo_wait = photo_wait
        self.mind = mind
        self.heard = 0
        self.kept = 0

    async def take(self, event: Inbound) -> None:
        """Keep the event durably or let it go; see `bot.platforms.base.Feed`."""
        self.heard += 1
        now = self._clock()
        job = glance(event, self.mind, self._senses, now)
        if job is None:
            return
        if event.kind in (Kind.RECALL, Kind.EDIT) and job.waiting:
            if not await self._concerns_us(event):
                return
            job = replace(job, waiting=False)
        if not await self._keep(job, now):
            return
        self.kept += 1
        await self.hand(job)

    async def quarantine(self, platform: str, account: str, event_id: str, raw: bytes, why: str) -> None:
        """Keep what could not be parsed, sealed, so that it blocks nobody."""
        now = self._clock()
        body = self._sealer.seal(raw.decode("utf-8", "replace"))
        await self._writer.append(
            _KEEP, (platform, account, event_id, "quarantined", False, body, _stamp(self._writer, now), None)
        )
        log.warning("quarantined", platform=platform, why=why[:80])

    async def hand(self, job: Job) -> None:
        """Queue a kept job in its lane."""
        key = LaneKey(job.event.address, job.event.sender.id)
        await self._lanes.put(key, job, urgent=job.hint.danger is not None and not job.event.copied)

    async def resume(self) -> int:
        """After a start: remember what was pending and queue what was kept and not done. Returns how many."""
        now = self._clock()
        self.mind.dialogs.update(await self._writer.run(lambda session: open_dialogs(session, now)))
        alarms, reports = await self._writer.read(
            lambda session: (_open_alarms(session), _fresh_reports(session, now - self._photo_wait))
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
        try:
            event = _EVENT.validate_json(self._sealer.unseal(row.body or b""))
        except (Sealed, ValueError) as problem:
            log.error("cannot_resume", row=row.id, problem=type(problem).__name__)
            reason = type(problem).__name__
            await self._writer.run(lambda session: _set_state(session, row.id or 0, "quarantined", reason))
            return
        waiting = row.state == "waiting"
        hint = self._senses.glance(event.text) if event.text else QUIET
        told_as_tip = not event.text and not event.attachments and not event.address.private and event.kind is Kind.MESSAGE
        addressed = event.address.private or event.mentions_me or bool(event.quote and event.quote.mine)
        await self.hand(Job(event, hint, addressed or event.kind is not Kind.MESSAGE, told_as_tip and not addressed, waiting))

    async def forget_photos(self, now: datetime) -> datetime | None:
        """Let go of photos for which no words came; returns when the next one is over."""
        over: list[Inbound] = []
        for key, waiting in list(self.mind.photos.items()):
            over += [event for at, event in waiting if now - at >= self._photo_wait]
            left = [entry for entry in waiting if now - entry[0] < self._photo_wait]
            if left:
                self.mind.photos[key] = left
            else:
                del self.mind.photos[key]
        if over:
            await self._writer.run(lambda session: _all_done(session, over))
        times = [at for waiting in self.mind.photos.values() for at, _ in waiting]
        return min(times) + self._photo_wait if times else None

    async def _keep(self, job: Job, now: datetime) -> bool:
        event = job.event
        body = self._sealer.seal(_EVENT.dump_json(event).decode())
        due = _stamp(self._writer, now + self._photo_wait) if job.waiting else None
        row = (
            event.address.platform,
            event.address.account,
            event.event_id,
            "waiting" if job.waiting else "kept",
            job.hint.danger is not None,
            body,
            _stamp(self._writer, now),
            due,
        )
        added = await self._writer.append(_KEEP, row)
        failpoint("inbox.committed")
        return added

    async def _concerns_us(self, event: Inbound) -> bool:
        """Whether a recalled or edited message belongs to a case, or is a photo that waits."""
        key = LaneKey(event.address, event.sender.id)
        if any(photo.message_id == event.message_id for _, photo in self.mind.photos.get(key, ())):
            return True
        found = await self._writer.read(
            lambda session: session.exec(select(CaseEntry.id).where(CaseEntry.message_id == event.message_id).limit(1)).first()
        )
        return found is not None


def done(session: Session, event: Inbound) -> None:
    """The event was handled in this transaction: its words go, its id stays against a second delivery."""
    session.execute(
        update(InboxEvent)
        .where(
            col(InboxEvent.platform) == event.address.platform,
            col(InboxEvent.account) == event.address.account,
            col(InboxEvent.event_id) == event.event_id,
        )
        .values(state="done", body=None, due_at=None)
    )


def _all_done(session: Session, events: list[Inbound]) -> None:
    for event in events:
        done(session, event)


def failed(session: Session, event: Inbound, problem: str, most: int) -> bool:
    """Count a failure; true when the event has failed `most` times and is quarantined now (its body stays, sealed)."""
    row = session.exec(
        select(InboxEvent).where(
            InboxEvent.platform == event.address.platform,
            InboxEvent.account == event.address.account,
            InboxEvent.event_id == event.event_id,
        )
    ).one()
    row.tries += 1
    row.problem = problem
    if row.tries >= most:
        row.state = "quarantined"
    session.add(row)
    return row.tries >= most


def _set_state(session: Session, row_id: int, state: str, problem: str) -> None:
    row = session.get(InboxEvent, row_id)
    if row is not None:
        row.state, row.problem = state, problem
        session.add(row)


def _open_alarms(session: Session) -> dict[Address, int]:
    rows = session.exec(select(Alarm).where(col(Alarm.safe_at).is_(None)).order_by(col(Alarm.id))).all()
    return {Address(row.platform, row.account, row.chat, row.private, row.thread): row.id or 0 for row in rows}


def _fresh_reports(session: Session, since: datetime) -> list[tuple[LaneKey, datetime]]:
    rows = session.exec(select(Case).where(Case.created_at >= since)).all()
    return [
        (LaneKey(Address(row.platform, row.account, row.chat, row.private, row.thread), row.reporter), row.created_at)
        for row in rows
        if row.reporter is not None
    ]


def _stamp(writer: Writer, moment: datetime) -> object:
    """A time as the driver wants it when SQLAlchemy's types are not asked."""
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds") if writer.engine.dialect.name == "sqlite" else moment
