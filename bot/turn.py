"""One turn: one kept event (or one due timer) meets its handler inside one transaction."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import TypeVar, cast
from zoneinfo import ZoneInfo

from sqlmodel import Session, select

from bot.campaigns import Campaigns
from bot.campaigns.echo import count_answer
from bot.dialogs import Awaited, DialogKey, Dialogs, Pending
from bot.errors import NotAllowed
from bot.inbox import Job, Mind, done
from bot.lanes import LaneKey
from bot.messages import Address, Inbound, Kind, Location
from bot.notices import Lane
from bot.permissions import Rights, acting_officer
from bot.router import Call, CaseNumber, Command, Handler, Router, Wants, Words, call, named_number, split_arguments
from bot.say import Say, Voice
from bot.timers import Due, Timers
from bot.understanding.answers import Hit
from bot.understanding.laws import LawHit
from bot.understanding.meaning import Danger, Intent, Meaning, Scam
from content.refusal import Refusal
from content.small_numbers import LEAST
from storage.intake import park
from storage.shredding import put_key
from storage.tables import Attachment, Case, Group, Officer

T = TypeVar("T")

MOST_WORDS = 1000  # characters that an officer's command may put into a message to others


class NotMine(Exception):
    """Raised by the handler of a dialog, keyword, number or intent that does not want the message: the router goes on looking."""


@dataclass(frozen=True, slots=True)
class Photos:
    """The photos that came with a message or waited for it, stored already: ids of attachments.

    `lost` could not be had; `why` is the phrase that says what is wrong with one of them, empty when nobody knows. `point` is
    where the first of them that says so was taken (latitude, longitude).
    """

    ids: tuple[int, ...] = ()
    lost: int = 0
    why: str = ""
    point: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class LoosePhotos:
    """The same photos for a handler that keeps their keys itself: on disk, sealed, known to no row. `lost` and `why` as above."""

    photos: tuple[StoredPhoto, ...] = ()
    lost: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Pins:
    """The places that the sender pinned: with this message, or shortly before it."""

    pins: tuple[Location, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A photo on disk that no row knows of yet."""

    path: str
    sha256: str
    width: int
    height: int
    size: int
    fingerprint: str = ""  # as in bot.photos.Photo
    point: tuple[float, float] | None = None
    seal: str = ""  # the name of its key, and the key, which becomes a row together with the photo's
    key: bytes = b""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the library knows about the message's question, best first; empty when nothing was asked of it.

    `laws` are articles of the imported laws; only one that the question names is an answer, the others are hints for an officer.
    """

    hits: tuple[Hit, ...] = ()
    laws: tuple[LawHit, ...] = ()


class Verdict(StrEnum):
    """What is said to something that was brought to be judged; the names are those of content/phrases/scams.toml."""

    BAIT = "answer"
    UNSURE = "unsure"
    NO_TEXT = "no_text"  # pictures in which nothing could be read
    BUSY = "busy"
    CANNOT_LOOK = "cannot_look"


@dataclass(frozen=True, slots=True)
class Brought:
    """What was brought to us to be judged: the message itself, the one that it quotes, pictures.

    `verdict` None: nothing is said about it. `scam` is the worst of all that was read. `doubted`: the person asks whether it is
    true. `codes`: QR codes that were found.
    """

    verdict: Verdict | None = None
    scam: Scam = field(default_factory=Scam)
    doubted: bool = False
    codes: int = 0


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
    why: str = ""  # the phrase that says why a photo was lost
    waited: tuple[Inbound, ...] = ()  # photo events that this message picks up
    brought: Brought = Brought()


@dataclass(frozen=True, slots=True)
class Rules:
    """The district's own settings that handlers go by."""

    station: str
    bot_name: str
    alarm_repeat: timedelta = timedelta(minutes=2)
    auto_dispatch: bool = True  # the bot accepts and dispatches routine categories by the routing table
    review_share: float = 0.05  # of confirmed cases, asked about once more by another unit
    least_shown: int = LEAST  # smaller numbers of people are not told in statistics
    tip_pages: str = ""  # where an officer's browser finds the pictures of tips; empty: nowhere
    rooms_keep_days: int = 7  # how long our own web rooms keep their messages
    talk_quiet: timedelta = timedelta(minutes=15)  # silence after which a conversation with an officer is over
    vague_places: frozenset[str] = frozenset()  # words for a place to which nobody can be sent
    scam_now: re.Pattern[str] = re.compile("(?!)")  # what is said of somebody who is being defrauded at this moment


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
    is_blocked: Callable[[Session, str, str, datetime], bool] = lambda *_: False  # platform, account, now
    after: Callable[[Turn], None] | None = None  # called at the end of every turn, in its transaction


@dataclass(slots=True)
class Effects:
    """What the memory has to learn after the commit."""

    dialogs: dict[DialogKey, tuple[Awaited, ...]] = field(default_factory=dict)
    alarms: dict[Address, int | None] = field(default_factory=dict)
    reported: datetime | None = None
    timers: bool = False
    campaigns: bool = False  # campaigns were looked at, and may have changed
    kept_waiting: bool = False
    forgotten: bool = False  # the sender is to be forgotten by the platform, too
    unsay: bool = False  # what was said must not stay in a record of ours either

    def apply(self, mind: Mind, key: LaneKey | None) -> None:
        for dialog, awaited in self.dialogs.items():
            if awaited:
                mind.dialogs[dialog] = awaited
            else:
                mind.dialogs.pop(dialog, None)
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

    # --- one event ---

    def run(self) -> Effects:
        """Handle the event: a refusal takes back what the handler did and says why; nothing else is half done."""
        if self.job is None or self.event is None:
            raise ValueError("no event to handle")
        for step in self._steps(self.job):
            savepoint = self.session.begin_nested()
            try:
                step()
                savepoint.commit()
            except Refusal as refusal:
                savepoint.rollback()
                self._refuse(refusal)
        if self.event.kind is Kind.MESSAGE and self.event.quote is not None and self.event.quote.mine:
            question = self.reading is not None and self.reading.meaning.intent is Intent.QUESTION
            count_answer(self.session, self.event.address, self.event.quote.message_id, question=question)
        if self.house.after is not None:
            self.house.after(self)
        self.effects.dialogs = self.dialogs.changed
        self.effects.timers = self.timers.changed
        self.effects.campaigns = Campaigns in self._made
        if not self.effects.kept_waiting:
            done(
                self.session,
                self.event,
                self.job.claim,
                unsay=self.effects.unsay or self.effects.forgotten,
                whom=self.effects.forgotten,
            )
            for photo in (*self.job.parts, *(self.reading.waited if self.reading else ())):
                done(self.session, photo, unsay=self.effects.unsay)
        elif self.job.claim is not None:
            park(self.session.connection(), self.job.claim)
        return self.effects

    def run_danger(self) -> Effects:
        """The sentence that may save a life, before what follows it is made ready; the event itself is not done yet."""
        if self.job is None or self.event is None:
            raise ValueError("no event to handle")
        found = self.house.router.find_command(self.event.text)
        if self._calls_for_help(self.job, found if isinstance(found, Call) else None):
            self.say.aside("danger")
            call(self.house.router.danger, self)  # type: ignore[arg-type]
        self.effects.dialogs = self.dialogs.changed
        self.effects.timers = self.timers.changed
        return self.effects

    def run_failed(self) -> Effects:
        """The event could not be handled and is in quarantine: tell whoever has to know."""
        if self.house.router.failed is not None:
            call(self.house.router.failed, self)
        return self.effects

    def run_timer(self) -> Effects:
        """Call the handler of the due timer."""
        if self.due is None:
            raise ValueError("no timer to run")
        call(self.house.router.timers[self.due.kind], self)
        if self.house.after is not None:
            self.house.after(self)
        self.effects.dialogs = self.dialogs.changed
        self.effects.timers = self.timers.changed
        self.effects.campaigns = Campaigns in self._made
        return self.effects

    def _steps(self, job: Job) -> Iterable[Callable[[], None]]:
        """What has to be done about an event, each for itself: a refusal of the second must not take back the first."""
        router = self.house.router
        found = router.find_command(job.event.text) if job.event.kind in (Kind.MESSAGE, Kind.TAP) else None
        command = found if isinstance(found, Call) else None
        danger = self._calls_for_help(job, command)
        if danger and router.danger is not None and not job.advised:
            yield partial(call, router.danger, self)
            if command is None and job.hint.danger is Danger.MISSING:
                yield self._take_clue  # whoever saw a missing person speaks of one who is missing
        if self._is_blocked(job, command):
            if not danger and not self._may_say_safe(job) and router.blocked is not None:
                yield self._run_blocked
                return
            command = None
        if command is not None:
            yield partial(self._run_command, command)
        elif not danger:
            yield partial(self._route, job, found if isinstance(found, str) else "")

    def _is_blocked(self, job: Job, command: Call | None) -> bool:
        """Whether an officer has decided that what this person says is not worked on for some days, emergencies excepted."""
        event = job.event
        if event.kind not in (Kind.MESSAGE, Kind.TAP) or self.rights.officer is not None:
            return False
        if command is not None and command.command.always:
            return False
        return self.house.is_blocked(self.session, event.address.platform, event.sender.id, self.now)

    def _run_blocked(self) -> None:
        """Of somebody who is blocked only the answer is taken that a right over his own data asks for."""
        router = self.house.router
        for pending in self.dialogs.waiting():
            if pending.name in router.always:
                self.dialogs.current = pending
                taken = self._taken(router.dialogs.get(pending.name))
                self.dialogs.current = None
                if taken:
                    return
        if router.blocked is not None:
            call(router.blocked, self)

    def _may_say_safe(self, job: Job) -> bool:
        """Where an emergency is open, whoever is there may say that people are safe."""
        return job.hint.safe and self.house.alarm_open(self.session, job.event.address)

    def _calls_for_help(self, job: Job, command: Call | None) -> bool:
        """Whether the advice comes first; an officer who writes down what happened is not calling for help."""
        if job.hint.danger is None or self.house.router.danger is None:
            return False
        return command is None or not self.rights.holds(*command.command.needs)

    def _take_clue(self) -> None:
        self._taken(self.house.router.clue)

    def _route(self, job: Job, unknown_command: str) -> None:
        event, router = job.event, self.house.router
        if event.kind not in (Kind.MESSAGE, Kind.TAP):
            for handler in router.events.get(event.kind, ()):
                call(handler, self)
        elif unknown_command and (job.addressed or self.rights.officer is not None):
            self._unknown(unknown_command)
        elif self._run_before_meaning(job):
            pass
        elif job.waiting:
            if router.photo is not None:
                call(router.photo, self)
        else:
            self._run_meaning(job)

    def _run_command(self, found: Call) -> None:
        command, event = found.command, self.event
        if event is None:
            return
        if event.copied or not event.sender.personal:
            raise Refusal("refusal.not_fresh")
        if command.confidential and event.address.private:
            self.effects.unsay = True
        if command.private and not event.address.private:
            raise Refusal("refusal.private_only", command=command.name)
        if command.needs and not self.rights.holds(*command.needs):
            phrase = "refusal.not_officer" if self.rights.officer is None else "refusal.role_for"
            raise NotAllowed(phrase, action=f"command.{command.alias}", target="", command=command.name)
        self._number, self._words = split_arguments(found, self._quoted_number())
        if command.needs and len(self._words) > MOST_WORDS:
            raise Refusal("refusal.too_long", most=MOST_WORDS)
        call(command.handler, self)

    def _run_safe(self, job: Job) -> bool:
        """Where an emergency is open, the word that people are safe comes before whatever else this could be."""
        router = self.house.router
        if router.safe is None or not job.hint.safe or not self.house.alarm_open(self.session, job.event.address):
            return False
        call(router.safe, self)
        return True

    def _run_before_meaning(self, job: Job) -> bool:
        """Who is safe, whether something is true, answers to what we asked, bait: each before what the words mean otherwise."""
        if self._run_safe(job) or self._run_brought(doubted=True):
            return True
        return (not job.told_as_tip and self._run_dialogs()) or self._run_brought(doubted=False)

    def _run_brought(self, *, doubted: bool) -> bool:
        """Bait, and the question whether something is true. Who asks that is answered before anything that we asked."""
        brought = self.reading.brought if self.reading else Brought()
        return brought.verdict is not None and brought.doubted is doubted and self._taken(self.house.router.brought)

    def _run_dialogs(self) -> bool:
        """Offer the message to the questions that wait for this person; an answer that quotes a case is for that case only."""
        quoted = self._quoted_number()
        for pending in self.dialogs.waiting():
            handler = self.house.router.dialogs.get(pending.name)
            if handler is None or (quoted is not None and pending.case_id is not None and quoted != self._number_of(pending)):
                continue
            self.dialogs.current = pending
            if self._taken(handler):
                return True
        self.dialogs.current = None
        return False

    def _run_meaning(self, job: Job) -> None:
        event, router = job.event, self.house.router
        self._number = self._quoted_number() or named_number(event.text)
        if self._number is not None and self._taken(router.addition):
            return
        if self._taken(router.clue):
            return
        if job.addressed and any(pattern.search(event.text) and self._taken(handler) for pattern, handler in router.keywords):
            return
        meaning = self.reading.meaning if self.reading else None
        if meaning is not None and self._taken(router.intents.get(meaning.intent)):
            return
        if job.addressed and router.otherwise is not None:
            call(router.otherwise, self)

    def _taken(self, handler: Handler | None) -> bool:
        """Whether there is a handler and it wants the message."""
        if handler is None:
            return False
        try:
            call(handler, self)
        except NotMine:
            return False
        return True

    def _number_of(self, pending: Pending) -> str | None:
        case = self.session.get(Case, pending.case_id) if pending.case_id is not None else None
        return case.number if case else None

    def _quoted_number(self) -> CaseNumber | None:
        event = self.event
        if event is None or event.quote is None:
            return None
        number = self.house.number_of(self.session, event.address, event.quote.message_id)
        if number is not None:
            return CaseNumber(number)
        return named_number(event.quote.text) if event.quote.mine else None

    def _unknown(self, word: str) -> None:
        menu = self._menu().commands
        # of two that are equally near the everyday one is meant
        sides = ([command.name for command in menu if command.aside == aside] for aside in (False, True))
        close = next(filter(None, (difflib.get_close_matches(word[:20], names, n=1, cutoff=0.4) for names in sides)), [])
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
