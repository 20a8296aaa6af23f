"""What one turn has at hand, and how its handler is given what it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar, cast
from zoneinfo import ZoneInfo

from sqlmodel import Session, select

from bot.dialogs import DialogKey, Dialogs, Pending
from bot.jobs import Job
from bot.messages import Address, Inbound
from bot.notices import Lane
from bot.permissions import Rights, acting_officer
from bot.router import CaseNumber, Command, Router, Wants, Words
from bot.say import Say, Voice
from bot.timers import Due, Timers
from bot.turn.parameters import Answered, Brought, Effects, LoosePhotos, Menu, Photos, Pins, Rules, StoredPhoto
from bot.understanding.meaning import Intent, Meaning
from storage.shredding import put_key
from storage.tables import Attachment, Group, Officer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found out about an event before its transaction."""

    meaning: Meaning
    answered: Answered
    photos: tuple[StoredPhoto, ...] = ()
    lost: int = 0
    why: str = ""  # the phrase that says why a photo was lost
    waited: tuple[Inbound, ...] = ()  # photo events that this message picks up
    brought: Brought = field(default_factory=Brought)


@dataclass(frozen=True, slots=True)
class House:
    """What every turn shares. `makers` build the services that handlers may name beyond the ones known here."""

    router: Router
    voice: Voice
    zone: ZoneInfo
    photo_wait: timedelta
    rules: Rules
    alarm_open: Callable[[Session, Address], bool]
    number_of: Callable[[Session, Address, str], str | None]  # the case number that a message of ours is about
    makers: Mapping[type, Callable[[Supplies], object]] = field(default_factory=dict)
    is_blocked: Callable[[Session, str, str, datetime], bool] = lambda *_: False  # platform, account, now
    after: Callable[[Supplies], None] | None = None  # called at the end of every turn, in its transaction


class Supplies:
    """Gives a handler what it names (`bot.router.Provider`). Everything beyond `KNOWN` is a service of `House.makers`."""

    def __init__(
        self, house: House, session: Session, now: datetime, job: Job | None, reading: Reading | None, due: Due | None
    ) -> None:
        self.house = house
        self.session = session
        self.now = now
        self.job = job
        self.reading = reading
        self.due = due
        self.effects = Effects()
        self.event = job.event if job else None
        unique = _unique(self.event, due, now)
        officer = acting_officer(session, self.event) if self.event else None
        platform = self.event.address.platform if self.event else ""
        self.rights = Rights(session, officer, platform, now)
        own = DialogKey.of(self.event.address, self.event.sender.id) if self.event else None
        self.dialogs = Dialogs(session, now, own, house.router.hears)
        self.timers = Timers(session, now)
        self.say = Say(session, house.voice, now, unique, self.event)
        if job is not None and job.late:
            self.say.lane = Lane.OFFICER  # the answers of whoever talks too much wait behind the others', too
        self._made: dict[type, object] = {}
        self._number: CaseNumber | None = None
        self._words = Words("")

    # --- what handlers may name ---

    KNOWN: tuple[type, ...] = (
        Session,
        Inbound,
        Meaning,
        Answered,
        Brought,
        Photos,
        LoosePhotos,
        Pins,
        Pending,
        Officer,
        Rights,
        Dialogs,
        Timers,
        Say,
        Group,
        CaseNumber,
        Words,
        Menu,
        Due,
        Effects,
        Rules,
        datetime,
        ZoneInfo,
    )

    def give(self, wanted: Wants) -> object:
        made = self._give(wanted.type)
        if made is None and not wanted.optional:
            raise TypeError(f"nothing to give for {wanted.name}: {wanted.type.__name__}")
        return made

    def _give(self, kind: type) -> object:
        here: dict[type, object] = {
            Session: self.session,
            Inbound: self.event,
            Meaning: self.reading.meaning if self.reading else None,
            Answered: self.reading.answered if self.reading else Answered(),
            Brought: self.reading.brought if self.reading else Brought(),
            Pins: self._pins(),
            LoosePhotos: LoosePhotos(self.reading.photos, self.reading.lost, self.reading.why) if self.reading else LoosePhotos(),
            Pending: self.dialogs.current,
            Officer: self.rights.officer,
            Rights: self.rights,
            Dialogs: self.dialogs,
            Timers: self.timers,
            Say: self.say,
            CaseNumber: self._number,
            Words: self._words,
            Due: self.due,
            Effects: self.effects,
            Rules: self.house.rules,
            datetime: self.now,
            ZoneInfo: self.house.zone,
        }
        if kind in here:
            return here[kind]
        if kind not in self._made:
            if kind is Photos:
                self._made[kind] = self._store_photos()
            elif kind is Group:
                self._made[kind] = self._find_group()
            elif kind is Menu:
                self._made[kind] = self._menu()
            else:
                self._made[kind] = self.house.makers[kind](self)
        return self._made[kind]

    def made(self, kind: type) -> object | None:
        """A service that a handler of this turn was given, if one was."""
        return self._made.get(kind)

    def find(self, kind: type) -> object:
        """A service by its type, as a handler would get it."""
        return self._give(kind)

    def service(self, kind: type[T]) -> T:
        """The same for another service that is built on it."""
        return cast("T", self._give(kind))

    # --- made on demand ---

    def _store_photos(self) -> Photos:
        if self.reading is None or self.reading.meaning.intent is Intent.TIP:
            return Photos()  # a tip's pictures get no row and no key of ours, whoever else looks at the message first
        ids = []
        for photo in self.reading.photos:
            row = Attachment(
                sha256=photo.sha256,
                path=photo.path,
                width=photo.width,
                height=photo.height,
                size=photo.size,
                fingerprint=photo.fingerprint or None,
                created_at=self.now,
            )
            self.session.add(row)
            put_key(self.session, photo.seal, photo.key)
            if row.id is not None:
                ids.append(row.id)
        point = next((photo.point for photo in self.reading.photos if photo.point is not None), None)
        return Photos(tuple(ids), self.reading.lost, self.reading.why, point)

    def _pins(self) -> Pins:
        events = ((self.event,) if self.event else ()) + (self.reading.waited if self.reading else ())
        return Pins(tuple(event.location for event in events if event.location is not None))

    def _find_group(self) -> Group | None:
        if self.event is None or self.event.address.private:
            return None
        address = self.event.address
        return self.session.exec(
            select(Group).where(Group.platform == address.platform, Group.account == address.account, Group.chat == address.chat)
        ).first()

    def _menu(self) -> Menu:
        seen: dict[str, Command] = {}
        for command in self.house.router.commands.values():
            if not command.needs or self.rights.holds(*command.needs):
                seen[command.name] = command
        return Menu(tuple(seen.values()))


def _unique(event: Inbound | None, due: Due | None, now: datetime) -> str:
    if event is not None:
        return f"e:{event.address.platform}:{event.address.account}:{event.event_id}"
    if due is not None:
        return f"t:{due.kind}:{due.key}:{now.timestamp():.6f}"
    raise ValueError("a turn needs an event or a timer")
