"""The way in: glance, keep or forget, commit, confirm.

The glance is a pure look in memory. What it lets go is never written anywhere. What it keeps is committed, sealed, before the
platform is told that we have it; a crash before that means that the platform delivers it again.
"""

from __future__ import annotations

import itertools
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as changed
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from msgspec import DecodeError, Struct
from msgspec.json import Decoder, encode
from msgspec.structs import replace
from sqlalchemy import update
from sqlmodel import Session, col, select

from bot.clock import Clock
from bot.dialogs import Awaited, DialogKey, open_dialogs
from bot.flood import Flood, Weight
from bot.gathering import Gathering
from bot.lanes import LaneKey, Lanes
from bot.messages import Address, Inbound, Kind
from bot.names import NameWatch
from bot.router import Command, named_number
from bot.understanding.clues import sounds_like_clue
from bot.understanding.meaning import Danger, Hint
from storage.failpoints import failpoint
from storage.intake import ClaimLost, EventClaim, forget_parked, parked
from storage.repeats import COUNT, mark_of
from storage.sealing import Sealed, Sealer
from storage.tables import Alarm, Case, CaseEntry, InboxEvent
from storage.writer import Writer

log = structlog.get_logger(__name__)

CHANGED_SOON = timedelta(minutes=10)  # an edit or recall of a kept message is looked at for so long, even before it was handled
MOST_REMEMBERED = 5000
_ON_DUTY = re.compile(r"[@＠]\s*值班")

QUIET = Hint()
_WHOM = "whom:"
_BLANKS = " \u2005\u3000\n\t,，:："
_CASE_NUMBER = re.compile(r"(?<!\d)\d{2}(?:0[1-9]|1[0-2])[-－]\d{4,6}(?!\d)")
_EVENT = Decoder(Inbound)

_KEEP = (
    "INSERT INTO inbox (platform, account, event_id, state, urgent, body, received_at, due_at, tries, problem) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, '') ON CONFLICT (platform, account, event_id) DO NOTHING"
)
_KEEP_IN_LANE = (
    "INSERT INTO inbox (platform, account, event_id, state, urgent, body, received_at, due_at, tries, problem, lane) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, '', ?) ON CONFLICT (platform, account, event_id) DO NOTHING"
)


class Job(Struct, frozen=True):
    """A kept event on its way to a handler. `told_as_tip` marks a tip said in a group, whose words were not kept.

    `hint.danger` is set only when the words are the sender's own or were brought to the private chat.
    """

    event: Inbound
    hint: Hint
    addressed: bool
    advised: bool = False  # what to do in the danger was said in a turn of its own
    told_as_tip: bool = False
    waiting: bool = False  # a photo without words, that may belong to a report
    late: bool = False  # its sender, group or platform talks too much just now (`bot.flood`)
    parts: tuple[Inbound, ...] = ()  # the other photos of the same album
    asking: bool = False  # kept only because it asks whether something is true: if there is nothing to say, nothing is kept
    claim: EventClaim | None = None  # where several nodes work: the right to end it


@dataclass(slots=True)
class Mind:
    """What the glance has to remember: who was asked something, where an emergency is open, whose photo waits for words.

    `hears` says what an answer to a patient question sounds like (`Router.dialog`).
    """

    hears: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    dialogs: dict[DialogKey, tuple[Awaited, ...]] = field(default_factory=dict)
    alarms: dict[Address, int] = field(default_factory=dict)
    reports: dict[LaneKey, datetime] = field(default_factory=dict)  # who has just reported, and until when a photo belongs to it
    photos: dict[LaneKey, list[tuple[datetime, Inbound]]] = field(default_factory=dict)
    shown: dict[LaneKey, datetime] = field(default_factory=dict)  # who has just sent a photo alone, and until when it waits
    alerted: frozenset[tuple[str, str, str]] = frozenset()  # chats (platform, account, chat) where a missing person is looked for
    ended: frozenset[str] = frozenset()  # case numbers of missing people who are found, or no longer looked for

    def expects(self, event: Inbound, now: datetime) -> bool:
        """Whether this may be the answer to a question that this person was asked here."""
        return bool(self.awaited(event, now))

    def awaited(self, event: Inbound, now: datetime) -> list[str]:
        """The names of the questions that this may answer, the newest first."""
        if not self.dialogs:
            return []
        waiting = self.dialogs.get(DialogKey.of(event.address, event.sender.id), ())
        return [one.name for one in waiting if one.until > now and self._sounds_like(one.name, event)]

    def _sounds_like(self, name: str, event: Inbound) -> bool:
        pattern, text = self.hears.get(name), event.text.strip()
        return pattern is None or (event.addressed and text != "") or pattern.fullmatch(text) is not None

    def may_be_clue(self, event: Inbound) -> bool:
        """Whether this may say that somebody saw the person whom the group was told of."""
        if not self.alerted:
            return False
        address = event.address
        here = (address.platform, address.account, address.chat) in self.alerted
        return here and not address.private and sounds_like_clue(event.text)

    def is_late_forward(self, text: str) -> bool:
        """Whether this passes on an alert that is over."""
        return bool(self.ended) and any(named_number(found[0]) in self.ended for found in _CASE_NUMBER.finditer(text))

    def saw(self, key: LaneKey, until: datetime, now: datetime) -> None:
        """A photo without words came: it is known at once, before it waits, and on a node that never has it in its memory."""
        self.shown.pop(key, None)
        self.shown[key] = until
        for old in [one for one, over in itertools.takewhile(lambda entry: entry[1] <= now, self.shown.items())]:
            del self.shown[old]

    def just_reported(self, key: LaneKey, now: datetime) -> bool:
        until = self.reports.get(key)
        return until is not None and until > now


@dataclass(frozen=True, slots=True)
class Senses:
    """What the glance may ask: the reading of words, which command a text calls, whether an answer is certain, our name, and
    whether a text asks if something is true."""

    glance: Callable[[str], Hint]
    command: Callable[[str], Command | None]
    certain: Callable[[str], bool]
    me: str = ""
    doubts: Callable[[str], bool] = lambda _: False


def glance(event: Inbound, mind: Mind, senses: Senses, now: datetime) -> Job | None:
    """Decide in memory whether an event is kept; None means forget it on the spot."""
    if event.kind is not Kind.MESSAGE:
        return _glance_other(event, senses)
    text, private, addressed = event.text, event.address.private, event.addressed
    if not (text.strip() or event.attachments or event.location or event.quote or event.mentions_me):
        return None  # a sticker, or whatever else has no words for us
    hint = _hint(event, senses, mind)
    if hint.danger:
        return Job(event, hint, addressed)
    command = senses.command(text) if text.lstrip()[:1] in ("/", "／") else None
    if command is not None and command.confidential and not private:
        return Job(_without_words(event, f"/{command.name}"), QUIET, addressed)
    if command is not None:
        return Job(event, hint, addressed)
    if hint.tip and not private and not event.copied:
        # the words of a tip in a group are dropped here: only the way to the private chat is answered
        return Job(_without_words(event), hint, addressed=False, told_as_tip=True)
    if addressed or mind.expects(event, now):
        return Job(event, hint, addressed, waiting=event.lone_photo)
    if mind.is_late_forward(text):
        return Job(event, hint, addressed)
    if hint.bait:
        return Job(event, hint, addressed, asking=True)  # passed on or pasted: a neighbour may be about to believe it
    if event.copied:
        return None
    if (
        hint.report
        or mind.may_be_clue(event)
        or (hint.safe and event.address in mind.alarms)
        or (("-" in text or "－" in text) and _CASE_NUMBER.search(text))
        or (hint.question and senses.certain(text))
    ):
        return Job(event, hint, addressed)
    if event.lone_photo:
        return Job(replace(event, text="", quote=None), QUIET, addressed, waiting=True)
    if _brings_something(event, mind, now) and senses.doubts(text):
        return Job(event, hint, addressed, asking=True)
    return None


def _brings_something(event: Inbound, mind: Mind, now: datetime) -> bool:
    """Whether there is something beside the words that they may ask about: a picture, one sent just before, a quoted message."""
    quoted = event.quote is not None and event.quote.text != ""
    key = LaneKey(event.address, event.sender.id)
    return bool(event.attachments) or quoted or key in mind.photos or mind.shown.get(key, now) > now


def _glance_other(event: Inbound, senses: Senses) -> Job | None:
    if event.kind is Kind.RECALL or (event.kind is Kind.EDIT and senses.command(event.text) is None):
        # it is only looked at when its message belongs to a case; Inbox.take finds that out
        return Job(event, QUIET, addressed=False, waiting=True)
    return Job(event, QUIET, addressed=True)


def _hint(event: Inbound, senses: Senses, mind: Mind) -> Hint:
    hint = senses.glance(_said(event.text, senses)) if event.text else QUIET
    if hint.danger is Danger.MISSING and mind.is_late_forward(event.text):
        return QUIET  # whoever it was is found
    if hint.danger and event.copied and not event.address.private:
        return changed(hint, danger=None)  # passed-on news of a fire somewhere; brought to us alone it is a call for help
    return hint


def _said(text: str, senses: Senses) -> str:
    """The words without the command's own name, which may be one of danger ("/寻人")."""
    command = senses.command(text) if text.lstrip()[:1] in ("/", "／") else None
    if command is None or not command.record:
        return text
    rest = text.lstrip(" \u3000/／")
    return next((rest.removeprefix(name) for name in (command.name, command.alias) if rest.startswith(name)), rest)


def _without_words(event: Inbound, text: str = "") -> Inbound:
    """The event with nothing left of what was said; it is not even known to have been said to us."""
    return replace(event, text=text, attachments=(), quote=None, location=None, mentions_me=False)


def _storable(job: Job) -> Job:
    """The job without the one character that no PostgreSQL text can hold; it means nothing to anybody."""
    event = job.event
    quote = event.quote
    quoted = quote.text if quote else ""
    if not ("\0" in event.text or "\0" in event.sender.name or "\0" in event.group_name or "\0" in quoted):
        return job
    clean = replace(
        event,
        text=event.text.replace("\0", ""),
        sender=replace(event.sender, name=event.sender.name.replace("\0", "")),
        group_name=event.group_name.replace("\0", ""),
        quote=changed(quote, text=quote.text.replace("\0", "")) if quote else None,
    )
    return replace(job, event=clean)


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
        job = _storable(job)
        if event.kind is Kind.MESSAGE and job.hint.danger is None:
            weight = self.flood.weigh(event, now, report=job.hint.report or job.hint.bait)
            if weight is Weight.REPEATED:
                if job.hint.report:
                    await self._count(event, now)
                return  # the same words are being dealt with
            if weight is Weight.LATE:
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
        if self._others is None:
            await self.albums.take(job)

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
            lambda session: (open_alarms(session), _fresh_reports(session, now - self._photo_wait))
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

    async def read(self, row_id: int, state: str, body: bytes, claim: EventClaim | None = None) -> Job | None:
        """The job of a kept row; None when it cannot be opened, then it is in quarantine."""
        try:
            event = unsealed(self._sealer, body)
        except (Sealed, DecodeError) as problem:
            log.error("cannot_resume", row=row_id, problem=type(problem).__name__)
            reason = type(problem).__name__
            await self._writer.run(lambda session: _set_state(session, row_id, "quarantined", reason))
            return None
        other = event.kind is not Kind.MESSAGE
        told_as_tip = not (other or event.addressed or event.text or event.attachments or event.location)
        hint = QUIET if other else _hint(event, self._senses, self.mind)
        addressed = other or event.addressed
        command = event.text.lstrip()[:1] in ("/", "／")
        wanted = addressed or command or hint.report or hint.safe or hint.question or _CASE_NUMBER.search(event.text) is not None
        asking = hint.bait or (not wanted and self._senses.doubts(event.text))
        return Job(event, hint, addressed, told_as_tip=told_as_tip, waiting=state == "waiting", asking=asking, claim=claim)

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
            await self._writer.run(lambda session: _all_done(session, over))
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
            added = await self._writer.append(_KEEP_IN_LANE, (*row, self._others.lane(event)))
        failpoint("inbox.committed")
        return added

    async def _count(self, event: Inbound, now: datetime) -> None:
        """The same report again: no second piece of work, but the officer is told exactly how many came."""
        mark = mark_of(self._sealer.fingerprint_key, event.address.platform, event.sender.id, event.text)
        await self._writer.append(COUNT, (mark, self._writer.stamp(now)))

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
        await self._writer.run(lambda session: _all_done(session, gone))
        return True

    async def _parked_photo_taken_back(self, event: Inbound, lane: str) -> bool:
        def work(session: Session) -> bool:
            gone = [
                photo
                for _, body, _ in parked(session.connection(), lane)
                if (photo := unsealed(self._sealer, body)).message_id == event.message_id
            ]
            _all_done(session, gone)
            return bool(gone)

        return await self._writer.run(work)

    def _remember(self, event: Inbound) -> None:
        """What was kept may be changed or taken back before it is handled and stands in a case."""
        self._just_kept[_written_as(event)] = self._clock()
        if len(self._just_kept) > MOST_REMEMBERED:
            self._just_kept.popitem(last=False)

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


def unsealed(sealer: Sealer, body: bytes) -> Inbound:
    """The event of a kept row. Raises Sealed or DecodeError."""
    return _EVENT.decode(sealer.unseal(body))


def done(session: Session, event: Inbound, claim: EventClaim | None = None, *, unsay: bool = False, whom: bool = False) -> None:
    """The event was handled in this transaction: its words go, its id stays against a second delivery.

    With `unsay` the platform still has to be asked to forget it (`bot.unsaying`), with `whom` everything of its sender.
    Raises ClaimLost when it was claimed and is another node's by now; the whole turn is then that node's.
    """
    ours = (col(InboxEvent.owner) == claim.owner, col(InboxEvent.attempt) == claim.attempt) if claim else ()
    ended = session.execute(
        update(InboxEvent)
        .where(
            col(InboxEvent.platform) == event.address.platform,
            col(InboxEvent.account) == event.address.account,
            col(InboxEvent.event_id) == event.event_id,
            *ours,
        )
        .values(
            state="unsaying" if unsay else "done",
            body=None,
            due_at=None,
            lane="",
            owner="",
            problem=f"{_WHOM}{event.sender.id}" if whom else InboxEvent.problem,
        )
    )
    if claim is not None and ended.rowcount == 0:  # type: ignore[attr-defined]
        raise ClaimLost(str(claim.id))


def whom(row: InboxEvent) -> str | None:
    """The person whom a platform still has to forget, if it is not this event alone."""
    return row.problem.removeprefix(_WHOM) if row.problem.startswith(_WHOM) else None


def unsaid(session: Session) -> list[InboxEvent]:
    """Events that a platform of ours still has to forget."""
    return list(session.exec(select(InboxEvent).where(InboxEvent.state == "unsaying").order_by(col(InboxEvent.id))).all())


def forgotten(session: Session, platform: str, account: str, event_id: str) -> None:
    """The platform has forgotten the event, or has no memory of its own."""
    session.execute(
        update(InboxEvent)
        .where(col(InboxEvent.platform) == platform, col(InboxEvent.account) == account, col(InboxEvent.event_id) == event_id)
        .values(state="done", problem="")
    )


def _all_done(session: Session, events: list[Inbound]) -> None:
    for event in events:
        done(session, event)


def failed(session: Session, job: Job, problem: str, most: int) -> bool:
    """Count a failure; true when the event and its parts have failed `most` times and are quarantined (bodies stay, sealed)."""
    tries = 0
    for event in (job.event, *job.parts):
        row = session.exec(
            select(InboxEvent).where(
                InboxEvent.platform == event.address.platform,
                InboxEvent.account == event.address.account,
                InboxEvent.event_id == event.event_id,
            )
        ).one()
        claim = job.claim
        if claim is not None and (row.owner, row.attempt) != (claim.owner, claim.attempt):
            raise ClaimLost(str(claim.id))
        row.tries += 1
        row.problem = problem
        tries = max(tries, row.tries)
        if row.tries >= most:
            row.state = "quarantined"
        session.add(row)
    return tries >= most


def _set_state(session: Session, row_id: int, state: str, problem: str) -> None:
    row = session.get(InboxEvent, row_id)
    if row is not None:
        row.state, row.problem = state, problem
        session.add(row)


def open_alarms(session: Session) -> dict[Address, int]:
    """Where an emergency is open."""
    rows = session.exec(select(Alarm).where(col(Alarm.safe_at).is_(None)).order_by(col(Alarm.id))).all()
    return {Address(row.platform, row.account, row.chat, row.private, row.thread): row.id or 0 for row in rows}


def _fresh_reports(session: Session, since: datetime) -> list[tuple[LaneKey, datetime]]:
    rows = session.exec(select(Case).where(Case.created_at >= since)).all()
    return [
        (LaneKey(Address(row.platform, row.account, row.chat, row.private, row.thread), row.reporter), row.created_at)
        for row in rows
        if row.reporter is not None
    ]
