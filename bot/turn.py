"""One turn: one kept event (or one due timer) meets its handler inside one transaction."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session, select

from bot.dialogs import DialogKey, Dialogs, Pending
from bot.errors import NotAllowed
from bot.inbox import Job, Mind, done
from bot.lanes import LaneKey
from bot.messages import Address, Inbound, Kind
from bot.permissions import Rights, acting_officer
from bot.router import Call, CaseNumber, Command, Router, Wants, Words, call, parse_number, split_arguments
from bot.say import Say, Voice
from bot.timers import Due, Timers
from bot.understanding.answers import Hit
from bot.understanding.meaning import Meaning
from content.refusal import Refusal
from storage.tables import Attachment, Group, Officer


class NotMine(Exception):
    """Raised by the handler of a dialog when the message is no answer to its question: the router goes on looking."""


@dataclass(frozen=True, slots=True)
class Photos:
    """The photos that came with a message or waited for it, stored already: ids of attachments. `lost` could not be fetched."""

    ids: tuple[int, ...] = ()
    lost: int = 0


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A photo on disk that no row knows of yet."""

    path: str
    sha256: str
    width: int
    height: int
    size: int


@dataclass(frozen=True, slots=True)
class Answered:
    """What the library knows about the message's question, best first; empty when nothing was asked of it."""

    hits: tuple[Hit, ...] = ()


@dataclass(frozen=True, slots=True)
class Menu:
    """The commands that this person may use here, for help."""

    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found out about an event before its transaction."""

    meaning: Meaning
    answered: Answered
    photos: tuple[StoredPhoto, ...] = ()
    lost: int = 0
    waited: tuple[Inbound, ...] = ()  # photo events that this message picks up


@dataclass(frozen=True, slots=True)
class Rules:
    """The district's own settings that handlers go by."""

    station: str
    bot_name: str
    alarm_repeat: timedelta = timedelta(minutes=2)
    auto_dispatch: bool = True  # the bot accepts and dispatches routine categories by the routing table
    vague_places: frozenset[str] = frozenset()  # words for a place to which nobody can be sent


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
    makers: Mapping[type, Callable[[Turn], object]] = field(default_factory=dict)


@dataclass(slots=True)
class Effects:
    """What the memory has to learn after the commit."""

    dialogs: dict[DialogKey, datetime | None] = field(default_factory=dict)
    alarms: dict[Address, int | None] = field(default_factory=dict)
    reported: datetime | None = None
    timers: bool = False
    kept_waiting: bool = False

    def apply(self, mind: Mind, key: LaneKey | None) -> None:
        for dialog, until in self.dialogs.items():
            if until is None:
                mind.dialogs.pop(dialog, None)
            else:
                mind.dialogs[dialog] = until
        for address, alarm in self.alarms.items():
            if alarm is None:
                mind.alarms.pop(address, None)
            else:
                mind.alarms[address] = alarm
        if self.reported is not None and key is not None:
            mind.reports[key] = self.reported


class Turn:
    """Gives a handler what it names, and picks the handler."""

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
        self.dialogs = Dialogs(session, now, DialogKey.of(self.event.address, self.event.sender.id) if self.event else None)
        self.timers = Timers(session, now)
        self.say = Say(session, house.voice, now, unique, self.event)
        self._made: dict[type, object] = {}
        self._number: CaseNumber | None = None
        self._words = Words("")
        self._pending: Pending | None = None
        self._photos: Photos | None = None

    # --- what handlers may name ---

    KNOWN: tuple[type, ...] = (
        Session,
        Inbound,
        Meaning,
        Answered,
        Photos,
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
            Pending: self._pending,
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

    def find(self, kind: type) -> object:
        """A service by its type, as a handler would get it."""
        return self._give(kind)

    # --- one event ---

    def run(self) -> Effects:
        """Handle the event: a refusal takes back what the handler did and says why; nothing else is half done."""
        if self.job is None or self.event is None:
            raise ValueError("no event to handle")
        savepoint = self.session.begin_nested()
        try:
            self._route(self.job)
            savepoint.commit()
        except Refusal as refusal:
            savepoint.rollback()
            self._refuse(refusal)
        self.effects.dialogs = self.dialogs.changed
        self.effects.timers = self.timers.changed
        if not self.effects.kept_waiting:
            done(self.session, self.event)
            for photo in self.reading.waited if self.reading else ():
                done(self.session, photo)
        return self.effects

    def run_timer(self) -> Effects:
        """Call the handler of the due timer."""
        if self.due is None:
            raise ValueError("no timer to run")
        call(self.house.router.timers[self.due.kind], self)
        self.effects.dialogs = self.dialogs.changed
        self.effects.timers = self.timers.changed
        return self.effects

    def _route(self, job: Job) -> None:
        event, router = job.event, self.house.router
        if event.kind not in (Kind.MESSAGE, Kind.TAP):
            for handler in router.events.get(event.kind, ()):
                call(handler, self)
            return
        if job.hint.danger and not event.copied and router.danger is not None:
            call(router.danger, self)
            return
        found = router.find_command(event.text)
        if isinstance(found, Call):
            self._run_command(found)
            return
        if isinstance(found, str) and (job.addressed or self.rights.officer is not None):
            self._unknown(found)
            return
        if self._run_dialog():
            return
        if job.waiting:
            if router.photo is not None:
                call(router.photo, self)
            return
        self._run_meaning(job)

    def _run_command(self, found: Call) -> None:
        command, event = found.command, self.event
        if event is None:
            return
        if event.copied or not event.sender.personal:
            raise Refusal("refusal.not_fresh")
        if command.private and not event.address.private:
            raise Refusal("refusal.private_only", command=command.name)
        if command.needs and not self.rights.holds(*command.needs):
            phrase = "refusal.not_officer" if self.rights.officer is None else "refusal.role_for"
            raise NotAllowed(phrase, action=f"command.{command.alias}", target="", command=command.name)
        self._number, self._words = split_arguments(found, self._quoted_number())
        call(command.handler, self)

    def _run_dialog(self) -> bool:
        pending = self.dialogs.pending()
        if pending is None or pending.name not in self.house.router.dialogs:
            return False
        self._pending = pending
        try:
            call(self.house.router.dialogs[pending.name], self)
        except NotMine:
            self._pending = None
            return False
        return True

    def _run_meaning(self, job: Job) -> None:
        event, router = job.event, self.house.router
        if (
            job.hint.safe
            and router.safe is not None
            and not job.told_as_tip
            and self.house.alarm_open(self.session, event.address)
        ):
            call(router.safe, self)
            return
        quoted = self._quoted_number() if event.quote is not None and event.quote.mine else None
        self._number = parse_number(event.text) or quoted
        if self._number is not None and router.addition is not None:
            try:
                call(router.addition, self)
                return
            except NotMine:
                pass
        if job.addressed:
            for pattern, handler in router.keywords:
                if pattern.search(event.text):
                    call(handler, self)
                    return
        meaning = self.reading.meaning if self.reading else None
        handler_of_intent = router.intents.get(meaning.intent) if meaning else None
        if handler_of_intent is not None:
            try:
                call(handler_of_intent, self)
                return
            except NotMine:
                pass
        if job.addressed and router.otherwise is not None:
            call(router.otherwise, self)

    def _quoted_number(self) -> CaseNumber | None:
        event = self.event
        if event is None or event.quote is None:
            return None
        number = self.house.number_of(self.session, event.address, event.quote.message_id)
        if number is not None:
            return CaseNumber(number)
        return parse_number(event.quote.text) if event.quote.mine else None

    def _unknown(self, word: str) -> None:
        names = [command.name for command in self._menu().commands]
        close = difflib.get_close_matches(word, names, n=1, cutoff=0.4)
        # an unknown "/微笑" is how WeChat writes an emoji: only somebody who talks to the bot gets an answer
        if close:
            self.say.reply("help.unknown_near", word=word[:20], near=close[0])
        else:
            self.say.reply("help.unknown", word=word[:20])

    def _refuse(self, refusal: Refusal) -> None:
        if isinstance(refusal, NotAllowed):
            values = refusal.values
            self.rights.audit(
                str(values.get("action", "")), target=str(values.get("target", "")), allowed=False, reason=refusal.phrase
            )
        self.say.reply(refusal.phrase, **refusal.values)

    # --- made on demand ---

    def _store_photos(self) -> Photos:
        if self.reading is None:
            return Photos()
        ids = []
        for photo in self.reading.photos:
            row = Attachment(
                sha256=photo.sha256, path=photo.path, width=photo.width, height=photo.height, size=photo.size, created_at=self.now
            )
            self.session.add(row)
            self.session.flush()
            if row.id is not None:
                ids.append(row.id)
        return Photos(tuple(ids), self.reading.lost)

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
