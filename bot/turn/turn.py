"""One turn: one kept event (or one due timer) meets its handler inside one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from bot.campaigns import Campaigns
from bot.campaigns.echo import count_answer
from bot.dialogs import Pending
from bot.errors import NotAllowed
from bot.glance import LIKE_A_SIGHTING
from bot.jobs import Job
from bot.kept import done
from bot.messages import Kind
from bot.router import Call, CaseNumber, Handler, call, named_number, split_arguments
from bot.slips import ALIKE, MUCH_ALIKE, nearest
from bot.turn.parameters import Brought, Effects, NotMine
from bot.turn.supplies import Supplies
from bot.understanding.meaning import Intent
from content.refusal import Refusal
from content.spelling import simplified
from storage.intake import park
from storage.tables import Case

MOST_WORDS = 1000  # characters that an officer's command may put into a message to others


class Turn(Supplies):
    """Picks the handler."""

    _is_answer = False  # and no cry, however it sounds

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
            count_answer(self.session, self.event.address, self.event.quote.message_id, self.event.text, question=question)
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

    def run_stuck(self) -> Effects:
        """The due timer goes on failing: tell whoever can look into it."""
        if self.house.router.stuck is not None:
            call(self.house.router.stuck, self)
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
        danger = self.effects.cries = self._calls_for_help(job, command)
        if danger and command is None and job.hint.danger in LIKE_A_SIGHTING:
            yield self._hear_answer
            if self._is_answer:
                return
        if danger and router.danger is not None and not job.advised:
            yield partial(call, router.danger, self)
            if command is None:
                yield self._take_clue  # who is lying at the river may be the one who is looked for
        if self._is_blocked(job, command):
            if not danger and not self._may_say_safe(job) and router.blocked is not None:
                yield self._run_blocked
                return
            command = None
        if command is not None:
            yield partial(self._run_command, command)
        elif not danger:
            yield partial(self._route, job, found if isinstance(found, str) else "")
        elif job.advised and router.scene is not None:
            yield partial(call, router.scene, self)

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
        if self.event is not None:
            self._number = self._quoted_number() or named_number(self.event.text)
            self._taken(self.house.router.clue)

    def _hear_answer(self) -> None:
        """Offer what sounds like a cry to the questions that know better (`Router.dialog`)."""
        event, router = self.event, self.house.router
        if event is None or event.copied:
            return
        said = simplified(event.text.strip())
        for pending in self.dialogs.waiting():
            calm, handler = router.calm.get(pending.name), router.dialogs.get(pending.name)
            if calm is None or handler is None or router.hears[pending.name].fullmatch(said) is None:
                continue
            self.dialogs.current = pending
            if self._taken(handler):
                self._is_answer = calm.fullmatch(said) is not None
                break
        self.dialogs.current = None

    def _route(self, job: Job, unknown_command: str) -> None:
        event, router = job.event, self.house.router
        if event.kind not in (Kind.MESSAGE, Kind.TAP):
            for handler in router.events.get(event.kind, ()):
                call(handler, self)
        elif unknown_command and (job.addressed or self.rights.officer is not None):
            self._unknown(unknown_command, job)
        elif self._run_before_meaning(job) or job.slip:
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
        return self._taken(router.safe)

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
        if job.hint.sighting and router.danger is not None:
            call(router.danger, self)  # nobody is looked for any more, so it is what it sounds like
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

    def _unknown(self, word: str, job: Job) -> None:
        """To whoever talks to us; an officer who mistyped a command in a group hears it alone, and the group is not bothered."""
        menu = self._menu().commands
        # of two that are equally near the everyday one is meant
        sides = ([command.name for command in menu if command.aside == aside] for aside in (False, True))
        alike = MUCH_ALIKE if job.slip else ALIKE
        close = next(filter(None, (nearest(word, names, alike) for names in sides)), "")
        say = self.say.reply if job.addressed else self.say.privately
        # an unknown "/微笑" is how WeChat writes an emoji: only somebody who talks to the bot gets an answer
        if close:
            say("help.unknown_near", word=word[:20], near=close)
        elif not job.slip:
            say("help.unknown", word=word[:20])

    def _refuse(self, refusal: Refusal) -> None:
        if isinstance(refusal, NotAllowed):
            values = refusal.values
            self.rights.audit(
                str(values.get("action", "")), target=str(values.get("target", "")), allowed=False, reason=refusal.phrase
            )
        self.say.reply(refusal.phrase, **refusal.values)
