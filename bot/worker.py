"""From a kept event to a finished turn: what is slow before the transaction, the transaction, what the memory learns after it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace as changed
from datetime import datetime

import structlog
from msgspec.structs import replace
from sqlmodel import Session

from bot.album import Album
from bot.clock import Clock
from bot.glance import LIKE_A_SIGHTING
from bot.jobs import Job
from bot.judge import Judge
from bot.kept import failed
from bot.knowledge import Knowledge
from bot.lanes import LaneKey
from bot.memory import Memory
from bot.messages import Attachment, Inbound, Kind
from bot.mind import Mind
from bot.permissions import acting_officer
from bot.router import Call, Handler, named_number, wants_of
from bot.timers import MOST_TRIES, Due, GivenUp, given_up
from bot.turn import Answered, Brought, Effects, House, LoosePhotos, Photos, Reading, Turn
from bot.understanding.meaning import Intent, Meaning
from bot.understanding.openers import only_opens
from bot.understanding.understanding import Understanding
from bot.unsaying import Unsaying
from storage.failpoints import failpoint
from storage.intake import ClaimLost
from storage.writer import StorageUnavailable, Writer

log = structlog.get_logger(__name__)

NOTHING, OPENED = Meaning(Intent.CHAT, 0.0), Meaning(Intent.CHAT, 1.0)


class Worker:
    """Works on one job or timer at a time per call; the lanes call it from several tasks."""

    def __init__(
        self,
        writer: Writer,
        house: House,
        memory: Memory,
        understanding: Understanding,
        knowledge: Knowledge,
        album: Album,
        judge: Judge,
        unsaying: Unsaying,
        clock: Clock,
        after_commit: Callable[[Effects], None],
    ) -> None:
        self._writer = writer
        self._house = house
        self._memory = memory
        self._understanding = understanding
        self._knowledge = knowledge
        self._album = album
        self._judge = judge
        self._unsaying = unsaying
        self._clock = clock
        self._after_commit = after_commit

    async def work(self, job: Job) -> None:
        """Handle a job for good: storage trouble is waited out, three other failures put it into quarantine."""
        wait = 0.2
        while True:
            try:
                await self._once(job)
                return
            except ClaimLost:
                log.info("claim_lost")  # we were held up, and another node has it
                return
            except StorageUnavailable as problem:
                log.warning("storage_unavailable", problem=str(problem)[:120])
                await asyncio.sleep(wait)
                wait = min(wait * 2, 10.0)
            except Exception as problem:
                log.error("turn_failed", problem=type(problem).__name__, exc_info=problem)
                if await self._count_failure(job, type(problem).__name__):
                    return
                await asyncio.sleep(wait)

    def run_timer(self, session: Session, due: Due) -> Callable[[], None]:
        """The work of a due timer, for `TimerLoop`."""
        turn = Turn(self._house, session, self._clock(), None, None, due)
        effects = turn.run_timer()
        return lambda: self._learn(effects, None)

    def give_up_timer(self, session: Session, due: Due, tries: int) -> GivenUp:
        """What is done about a timer that goes on failing, for `TimerLoop`: whoever waits for it hears that it is over, where its
        handlers say so; else the operator hears of it once, and it is tried now and then."""
        lost = changed(due, kind=given_up(due.kind))
        if lost.kind in self._house.router.timers:
            return GivenUp(True, self.run_timer(session, lost))
        if tries > MOST_TRIES:
            return GivenUp(False, lambda: None)
        effects = Turn(self._house, session, self._clock(), None, None, due).run_stuck()
        return GivenUp(False, lambda: self._learn(effects, None))

    async def _once(self, job: Job) -> None:
        failpoint("inbox.confirmed")
        event = job.event
        key = LaneKey(event.address, event.sender.id)
        now = self._clock()
        mind = await self._memory.of(event, now)
        if event.bare_call and any(photo.attachments for photo in self._waiting_photos(mind, key, now)):
            job = replace(job, waiting=True)  # it is about them, and they go on waiting for words
        wanted = job.waiting and (mind.just_reported(key, now) or self._question_wants_photos(mind, event, now))
        if job.waiting and not wanted and not job.addressed:
            await self._memory.park(job, now)
            self._after_commit(Effects())  # somebody has to see to it that it is forgotten
            return
        if job.hint.danger is not None and await self._is_record(event):
            if await self._memory.goes_in_turn(job):
                return  # it has overtaken the photo that belongs to it
            job = replace(job, hint=replace(job.hint, danger=None))
        shown = event.attachments or job.parts or self._waiting_photos(mind, key, now)
        calm = job.hint.danger in LIKE_A_SIGHTING and mind.is_calm(event, now)
        if job.hint.danger is not None and not (job.advised or calm) and (shown or self._is_command_with_photos(event)):
            # the advice first; then the rest, with its photos, which take their time to come
            job = await self._advise(job, key, now)
            if await self._memory.goes_in_turn(job):
                return  # a photo that was sent just before it is looked at first
        meaning = self._meaning(job)
        waited: tuple[Inbound, ...] = ()
        own: tuple[Attachment, ...] = ()
        brought = Brought()
        confided = self._is_confided(job, meaning)
        if confided:
            waited = self._waiting_photos(mind, key, now)  # nobody takes them along with what this person says next
        elif job.hint.danger is None:
            # nothing slow stands before the sentence that may save a life, and nothing is fetched that nobody will keep
            before = () if job.waiting else self._waiting_photos(mind, key, now)
            brought = await self._judge.judge(job, meaning, before, kept=wanted)
            if brought.verdict is not None and (brought.doubted or not mind.awaited(event, now)):
                waited = before if brought.doubted else ()  # asked about, and answered: nobody keeps them
            elif not job.asking and (wanted if job.waiting else self._takes_photos(mind, job, meaning, now)):
                waited, own = before, tuple(file for one in (event, *job.parts) for file in one.attachments)
        elif job.advised:
            waited = self._waiting_photos(mind, key, now)
            own = tuple(file for one in (event, *job.parts) for file in one.attachments)
        reading = (
            Reading(meaning, Answered(), waited=waited) if confided else await self._read(job, meaning, waited, own, brought)
        )

        def transaction(session: Session) -> Effects:
            effects = Turn(self._house, session, now, job, reading, None).run()
            failpoint("work.handled")
            return effects

        effects = await self._writer.run(transaction)
        failpoint("work.committed")
        if effects.kept_waiting and job.claim is None:
            await self._memory.park(job, now)
        elif waited:
            self._memory.forget(key, waited)
        self._learn(effects, key)
        if effects.unsay or effects.forgotten:
            person = event.sender.id if effects.forgotten else None
            await self._unsaying.unsay(event.address.platform, event.address.account, event.event_id, person)
        for photo in (*job.parts, *reading.waited) if effects.unsay else ():
            await self._unsaying.unsay(photo.address.platform, photo.address.account, photo.event_id)

    def _learn(self, effects: Effects, key: LaneKey | None) -> None:
        if effects.reported is not None:
            effects.reported += self._house.photo_wait
        effects.apply(self._memory.mind, key, self._clock())
        self._after_commit(effects)

    def _is_confided(self, job: Job, meaning: Meaning) -> bool:
        """Whether it is a tip in a group, of which nothing is kept: no words, and no photos that came just before."""
        if job.event.address.private or job.hint.danger is not None:
            return False
        found = self._house.router.find_command(job.event.text)
        return found.command.confidential if isinstance(found, Call) else meaning.intent is Intent.TIP

    def _is_command_with_photos(self, event: Inbound) -> bool:
        found = self._house.router.find_command(event.text)
        return isinstance(found, Call) and _names_photos(found.command.handler)

    async def _advise(self, job: Job, key: LaneKey, now: datetime) -> Job:
        """The advice in a turn of its own, which is said once however often a crash repeats it."""
        reading = Reading(Meaning(Intent.EMERGENCY, 1.0, danger=job.hint.danger), Answered())
        effects = await self._writer.run(lambda session: Turn(self._house, session, now, job, reading, None).run_danger())
        self._learn(effects, key)
        return replace(job, advised=True)

    async def _is_record(self, event: Inbound) -> bool:
        """Whether an officer writes down what happened (`Command.record`): no call for help, and its photos are wanted."""
        found = self._house.router.find_command(event.text)
        if not isinstance(found, Call) or not found.command.record:
            return False
        return await self._writer.read(lambda session: acting_officer(session, event)) is not None

    def _takes_photos(self, mind: Mind, job: Job, meaning: Meaning, now: datetime) -> bool:
        """Whether a handler that may take this message names photos."""
        event, router = job.event, self._house.router
        if meaning.intent is Intent.TIP and not event.address.private:
            return False  # what is a tip is not taken in a group, nor are its photos
        found = router.find_command(event.text)
        if isinstance(found, Call):
            # what is said in confidence is not taken in a group, nor are its photos
            refused = found.command.confidential and not event.address.private
            return not refused and _names_photos(found.command.handler)
        awaited = mind.awaited(event, now)
        if awaited and (awaited[0] not in router.hears or self._question_wants_photos(mind, event, now)):
            return self._question_wants_photos(mind, event, now)
        if (event.quote is not None and event.quote.mine) or named_number(event.text) is not None:
            return _names_photos(router.addition)
        return _names_photos(router.intents.get(meaning.intent))

    def _question_wants_photos(self, mind: Mind, event: Inbound, now: datetime) -> bool:
        return any(_names_photos(self._house.router.dialogs.get(name)) for name in mind.awaited(event, now))

    def _waiting_photos(self, mind: Mind, key: LaneKey, now: datetime) -> tuple[Inbound, ...]:
        """Photos that this person sent shortly before these words."""
        return tuple(event for at, event in mind.photos.get(key, ()) if now - at < self._house.photo_wait)

    def _meaning(self, job: Job) -> Meaning:
        event = job.event
        if job.told_as_tip:
            return Meaning(Intent.TIP, 1.0, tier="TT")
        if not event.text or event.kind not in (Kind.MESSAGE, Kind.TAP):
            return NOTHING
        if job.hint.danger is None and only_opens(event.text):
            return OPENED
        quoted = event.quote.text if event.quote else ""
        text = event.text if job.hint.danger is not None else self._read_of(event.text)
        return self._understanding.read(text, quoted=quoted, has_photo=bool(event.attachments), hint=job.hint)

    def _read_of(self, text: str) -> str:
        """What of a text its meaning is read from: all of it, but of some commands a part."""
        call = self._house.router.find_command(text)
        part = call.command.reads.search(call.rest) if isinstance(call, Call) and call.command.reads is not None else None
        return part[1] if part is not None else text

    async def _read(
        self, job: Job, meaning: Meaning, waited: tuple[Inbound, ...], own: tuple[Attachment, ...], brought: Brought
    ) -> Reading:
        question = self._question(job, meaning)
        answered = await self._knowledge.search(question, job.event.address) if question else Answered()
        if brought.verdict is not None and not own:
            return Reading(meaning, answered, waited=waited, brought=brought)
        wanted = [attachment for photo in waited for attachment in photo.attachments] + list(own)
        photos, whys = await self._album.keep(job.event, wanted)
        return Reading(meaning, answered, photos, len(whys), next(filter(None, whys), ""), waited, brought)

    def _question(self, job: Job, meaning: Meaning) -> str:
        """What the library is asked; empty when nothing is."""
        found = self._house.router.find_command(job.event.text)
        if isinstance(found, Call):
            return found.rest
        if only_opens(job.event.text):
            return ""
        return job.event.text if job.addressed or job.hint.question or meaning.intent is Intent.QUESTION else ""

    async def _count_failure(self, job: Job, problem: str) -> bool:
        """True when the event is quarantined now; then the sender and the operator have been told, if that is possible at all."""
        try:
            if not await self._writer.run(lambda session: failed(session, job, problem, MOST_TRIES)):
                return False
            meaning = Meaning(Intent.EMERGENCY if job.hint.danger else Intent.CHAT, 0.0, danger=job.hint.danger)
            reading, now = Reading(meaning, Answered()), self._clock()
            effects = await self._writer.run(lambda session: Turn(self._house, session, now, job, reading, None).run_failed())
            self._after_commit(effects)
        except StorageUnavailable:
            return False
        except ClaimLost:
            return True
        except Exception as trouble:  # whatever happens, the lanes go on
            log.error("failure_not_told", problem=type(trouble).__name__, exc_info=trouble)
        return True


def _names_photos(handler: Handler | None) -> bool:
    return handler is not None and any(want.type in (Photos, LoosePhotos) for want in wants_of(handler))
