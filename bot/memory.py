"""What the glance and the worker remember between messages.

One process alone remembers in memory (`Memory`): what a turn changed is there the moment it is committed. Where several nodes
share a database, the worker reads what concerns one person from the rows (`RowMemory`), and the listening node's glance is kept
up to date by signals (`Attention`): a signal names a row, the row is read, and after every connection all are read again.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from msgspec import DecodeError
from msgspec.structs import replace
from sqlmodel import Session, col, select

from bot.clock import Clock
from bot.dialogs import DialogKey, awaited_of, key_of, row_of
from bot.jobs import Job
from bot.kept import open_alarms, unsealed
from bot.lanes import LaneKey, Lanes
from bot.messages import Inbound
from bot.mind import Mind
from storage import intake
from storage.sealing import Sealed, Sealer
from storage.tables import Case, Dialog
from storage.writer import StorageUnavailable, Writer

if TYPE_CHECKING:
    from storage.signals import Signals

log = structlog.get_logger(__name__)


class Memory:
    """Everything in one mind, of one process."""

    def __init__(self, mind: Mind) -> None:
        self.mind = mind
        self.lanes: Lanes[Job] | None = None  # where what has overtaken something is put back

    async def of(self, event: Inbound, now: datetime) -> Mind:  # noqa: ARG002 (a mind of rows needs them)
        """The mind, as far as it concerns who said this."""
        return self.mind

    async def park(self, job: Job, now: datetime) -> None:
        """A photo waits for words, with those of its album."""
        key = LaneKey(job.event.address, job.event.sender.id)
        self.mind.photos.setdefault(key, []).extend((now, photo) for photo in (job.event, *job.parts))

    async def goes_in_turn(self, job: Job) -> bool:
        """Whether this is put back to be handled after what the same person said before it."""
        key = LaneKey(job.event.address, job.event.sender.id)
        if job.in_turn or self.lanes is None or not self.lanes.has(key):
            return False
        await self.lanes.put(key, replace(job, in_turn=True))
        return True

    def forget(self, key: LaneKey, taken: tuple[Inbound, ...]) -> None:
        """These photos found their words."""
        left = [entry for entry in self.mind.photos.get(key, ()) if entry[1] not in taken]
        if left:
            self.mind.photos[key] = left
        else:
            self.mind.photos.pop(key, None)


class RowMemory(Memory):
    """A mind read from the rows for one message. `mind` is what this node's glance has, if it listens."""

    def __init__(self, mind: Mind, writer: Writer, sealer: Sealer, photo_wait: timedelta) -> None:
        super().__init__(mind)
        self._writer = writer
        self._sealer = sealer
        self._photo_wait = photo_wait

    async def of(self, event: Inbound, now: datetime) -> Mind:
        key = LaneKey(event.address, event.sender.id)
        lane = lane_name(self._sealer, key)
        return await self._writer.read(lambda session: self._read(session, key, lane, now))

    def _read(self, session: Session, key: LaneKey, lane: str, now: datetime) -> Mind:
        mind = Mind(self.mind.hears, self.mind.shows, self.mind.calm)
        own = DialogKey.of(key.address, key.sender)
        row = row_of(session, own)
        if row is not None:
            mind.dialogs[own] = awaited_of(row)
        where = key.address
        reported = session.exec(
            select(Case.created_at)
            .where(Case.platform == where.platform, Case.account == where.account, Case.chat == where.chat)
            .where(Case.reporter == key.sender, Case.created_at >= now - self._photo_wait)
            .order_by(col(Case.id).desc())
            .limit(1)
        ).first()
        if reported is not None:
            mind.reports[key] = reported + self._photo_wait
        for number, body, until in intake.parked(session.connection(), lane):
            try:
                photo = unsealed(self._sealer, body)
            except (Sealed, DecodeError) as problem:
                log.error("cannot_open_photo", row=number, problem=type(problem).__name__)
                continue
            mind.photos.setdefault(key, []).append((until - self._photo_wait, photo))
        return mind

    async def park(self, job: Job, now: datetime) -> None:  # noqa: ARG002 (its row knows since when)
        claim = job.claim
        if claim is not None:
            await self._writer.run(lambda session: intake.park(session.connection(), claim))

    async def goes_in_turn(self, job: Job) -> bool:
        claim = job.claim
        return claim is not None and await self._writer.run(lambda session: intake.in_turn(session.connection(), claim))

    def forget(self, key: LaneKey, taken: tuple[Inbound, ...]) -> None:
        """Their rows were ended by the turn."""


class Attention:
    """Keeps the glance's mind what the rows say."""

    def __init__(self, mind: Mind, writer: Writer, clock: Clock, signals: Signals) -> None:
        self._mind = mind
        self._writer = writer
        self._clock = clock
        self._keys: dict[int, DialogKey] = {}
        self._changed: set[int] = set()
        self._alarms_changed = False
        self._woken = asyncio.Event()
        signals.hear("qianshao_dialog", self._hear_dialog)
        signals.hear("qianshao_alarm", self._hear_alarm)
        signals.on_connect(self.read_all)

    async def run(self) -> None:
        """Read what was signalled, until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._read_changed()
            except StorageUnavailable:
                await self._try_again()
            except Exception as problem:
                log.error("attention", problem=type(problem).__name__)
                await self._try_again()

    async def read_all(self) -> None:
        """Everything that waits, as after a start."""

        def work(session: Session) -> None:
            now = self._clock()
            rows = session.exec(select(Dialog).where(col(Dialog.expires_at) > now)).all()
            self._keys = {row.id or 0: key_of(row) for row in rows}
            self._mind.dialogs = {key_of(row): awaited_of(row) for row in rows}
            self._mind.alarms = open_alarms(session)

        await self._writer.read(work)

    def _hear_dialog(self, payload: str) -> None:
        if payload.isdecimal():
            self._changed.add(int(payload))
        self._woken.set()

    def _hear_alarm(self, payload: str) -> None:  # noqa: ARG002 (all open ones are read, they are few)
        self._alarms_changed = True
        self._woken.set()

    async def _read_changed(self) -> None:
        changed, alarms = set(self._changed), self._alarms_changed
        self._alarms_changed = False
        self._changed -= changed
        try:
            found, open_now = await self._writer.read(
                lambda session: (
                    session.exec(select(Dialog).where(col(Dialog.id).in_(changed))).all() if changed else [],
                    open_alarms(session) if alarms else None,
                )
            )
        except BaseException:
            self._changed |= changed
            self._alarms_changed = self._alarms_changed or alarms
            raise
        there = {row.id or 0: row for row in found}
        for number in changed:
            row = there.get(number)
            if row is not None:
                self._keys[number] = key_of(row)
                self._mind.dialogs[key_of(row)] = awaited_of(row)
            elif (key := self._keys.pop(number, None)) is not None:
                self._mind.dialogs.pop(key, None)
        if open_now is not None:
            self._mind.alarms = open_now

    async def _try_again(self) -> None:
        await asyncio.sleep(0.2)
        self._woken.set()


def lane_name(sealer: Sealer, key: LaneKey) -> str:
    """The lane as a row may show it: a keyed hash, so that the table names nobody."""
    address = key.address
    said = "\x1f".join((address.platform, address.account, address.chat, str(address.private), address.thread or "", key.sender))
    return hashlib.blake2b(said.encode(), key=sealer.fingerprint_key, digest_size=12).hexdigest()
