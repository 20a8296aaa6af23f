"""Any order of what people and clocks can do to a case: it never breaks a promise, and ends where its history says."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlmodel import Session, select

from cases.clocks import TIMER
from cases.desk import CaseDesk
from cases.lifecycle import ABOUT, TRANSITIONS, State, StateType
from content.refusal import Refusal
from storage.tables import Case, CaseClock, CaseEntry, CaseWitness, Officer
from tests.kit.desks import NOW, Alarmclock, desk_of, memory, officers, open_case

WORDS = st.sampled_from(("换了灯泡", "门口那盏", "还没到货", "没有", "  ", "又不亮了，昨晚"))
# a heavier run: QIANSHAO_MACHINE_EXAMPLES=500
EXAMPLES = int(os.environ.get("QIANSHAO_MACHINE_EXAMPLES", "25"))


class CaseLife(RuleBasedStateMachine):
    """Two cases, two officers; whoever likes does whatever the desk can do. A refusal is an answer like any other."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.session: Session = self.stack.enter_context(memory())
        self.me: Officer
        self.me, self.other, self.unit, self.second = officers(self.session)
        self.now = NOW
        self.waker = Alarmclock()
        self.said: list[tuple[int, str]] = []

    def teardown(self) -> None:
        self.stack.close()

    def desk(self, by: Officer | None = None) -> CaseDesk:
        return desk_of(self.session, by or self.me, self.now, self.waker)

    def attempt(self, work: Callable[[], object]) -> None:
        """As a turn does it: a refusal takes back everything."""
        savepoint = self.session.begin_nested()
        timers = dict(self.waker.set)
        try:
            work()
            savepoint.commit()
        except Refusal:
            savepoint.rollback()
            self.waker.set = timers

    @initialize(place=st.sampled_from(("5号楼", "")), tier=st.sampled_from(("T1", "T2", "T3", "T4")))
    def begin(self, place: str, tier: str) -> None:
        self.master = open_case(self.desk(), sender="earlier", tier=tier)
        self.case = open_case(self.desk(), place=place, tier=tier)

    # --- the reporter ---

    @rule(words=WORDS, which=st.booleans())
    def adds(self, words: str, which: bool) -> None:
        case = self.case if which else self.master

        def work() -> None:
            self.desk().add(case, words, (), "reporter", f"m{len(self.said)}")

        self.attempt(work)
        if words:
            self.said.append((case.id or 0, words))

    @rule(kind=st.sampled_from(("edit", "recall")))
    def changes_a_message(self, kind: str) -> None:
        self.attempt(lambda: self.desk().note_from_reporter(self.case, kind, "改过的话"))

    @rule()
    def says_where(self) -> None:
        self.attempt(lambda: self.desk().give_place(self.case, "5号楼"))

    @rule()
    def says_yes(self) -> None:
        self.attempt(lambda: self.desk().confirm(self.case))

    @rule(words=WORDS)
    def says_no(self, words: str) -> None:
        self.attempt(lambda: self.desk().deny(self.case, words))

    @rule()
    def withdraws(self) -> None:
        self.attempt(lambda: self.desk().withdraw(self.case))

    # --- officers ---

    @rule(first=st.booleans())
    def take(self, first: bool) -> None:
        self.attempt(lambda: self.desk(self.me if first else self.other).take(self.case))

    @rule(
        words=WORDS, step=st.sampled_from(("accept", "reject", "give_back", "contact", "request", "refer", "resolve", "overturn"))
    )
    def work(self, words: str, step: str) -> None:
        desk = self.desk()
        steps: dict[str, Callable[[], object]] = {
            "accept": lambda: desk.accept(self.case),
            "reject": lambda: desk.reject(self.case, words),
            "give_back": lambda: desk.give_back(self.case, words),
            "contact": lambda: desk.contact(self.case, words),
            "request": lambda: desk.request(self.case, words),
            "refer": lambda: desk.refer(self.case, words),
            "resolve": lambda: desk.resolve(self.case, words),
            "overturn": lambda: desk.overturn(self.case, words),
        }
        self.attempt(steps[step])

    @rule(both=st.booleans())
    def dispatch(self, both: bool) -> None:
        units = [self.unit, self.second] if both else [self.second]
        self.attempt(lambda: self.desk().dispatch(self.case, units))

    @rule(days=st.integers(1, 9), words=WORDS, step=st.sampled_from(("ask", "grant", "refuse")))
    def more_time(self, days: int, words: str, step: str) -> None:
        desk = self.desk()
        steps: dict[str, Callable[[], object]] = {
            "ask": lambda: desk.ask_hold(self.case, days, words),
            "grant": lambda: desk.hold(self.case),
            "refuse": lambda: desk.refuse_hold(self.case, words),
        }
        self.attempt(steps[step])

    @rule(step=st.sampled_from(("merge", "merge the other way", "unmerge", "unreached")))
    def decide(self, step: str) -> None:
        desk = self.desk()
        steps: dict[str, Callable[[], object]] = {
            "merge": lambda: desk.merge(self.case, self.master),
            "merge the other way": lambda: desk.merge(self.master, self.case),
            "unmerge": lambda: desk.unmerge(self.case),
            "unreached": lambda: desk.close_unreached(self.case),
        }
        self.attempt(steps[step])

    # --- the bot ---

    @rule(step=st.sampled_from(("route", "call_back", "go_on", "hold_over")))
    def machine(self, step: str) -> None:
        desk = self.desk()
        steps: dict[str, Callable[[], object]] = {
            "route": lambda: desk.route(self.case),
            "call_back": lambda: desk.call_back(self.case),
            "go_on": lambda: desk.go_on(self.case),
            "hold_over": lambda: desk.hold_over(self.case),
        }
        self.attempt(steps[step])

    @rule(minutes=st.sampled_from((1, 7, 45, 300, 1440, 4321)))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        for case in (self.case, self.master):
            if (TIMER, str(case.id)) in self.waker.set and ABOUT[State(case.state)].open:
                self.waker.set.pop((TIMER, str(case.id)))
                self.desk().strike(case)

    # --- what must always be so ---

    def history(self, case: Case) -> list[CaseEntry]:
        return list(self.session.exec(select(CaseEntry).where(CaseEntry.case_id == case.id).order_by(CaseEntry.id)).all())  # type: ignore[arg-type]

    @invariant()
    def the_history_leads_to_the_state_by_lines_of_the_table(self) -> None:
        allowed = {(source, line.target) for line in TRANSITIONS for source in line.sources}
        for case in (self.case, self.master):
            states = [line.state for line in self.history(case) if line.state]
            assert states[-1] == case.state
            assert all(pair in allowed for pair in itertools.pairwise(states))

    @invariant()
    def what_is_closed_has_a_time_and_what_is_open_has_none(self) -> None:
        for case in (self.case, self.master):
            assert (case.closed_at is None) == ABOUT[State(case.state)].open
            assert (case.merged_into is not None) == (case.state == State.DUPLICATE)

    @invariant()
    def confirmed_is_the_reporters_word_and_not_reached_a_supervisors(self) -> None:
        last = [line for line in self.history(self.case) if line.kind == "transition"][-1:]
        if self.case.state == State.CLOSED_CONFIRMED:
            assert last[0].author == "reporter"
        if self.case.state == State.CLOSED_UNREACHED:
            assert last[0].author == "officer"
            assert self.case.attempts >= 3

    @invariant()
    def nothing_that_was_said_is_lost(self) -> None:
        kept = [(line.case_id, line.text) for line in self.session.exec(select(CaseEntry).where(CaseEntry.kind == "addition"))]
        for words in self.said:
            assert words in kept
            kept.remove(words)

    @invariant()
    def clocks_run_only_while_somebody_has_to_act_and_each_is_missed_once(self) -> None:
        for case in (self.case, self.master):
            clocks = self.session.exec(select(CaseClock).where(CaseClock.case_id == case.id)).all()
            waiting = [clock for clock in clocks if clock.stopped_at is None]
            moving = [clock for clock in waiting if clock.running_since is not None]
            match ABOUT[State(case.state)].type:
                case StateType.OPEN:
                    assert "resolve" in {clock.name for clock in moving}
                case StateType.PAUSED:
                    assert not moving
                case _:
                    assert not waiting
            assert len({clock.name for clock in waiting}) == len(waiting)
            assert ((TIMER, str(case.id)) in self.waker.set) == bool(moving and self.has_marks_left(moving))
            misses = [line for line in self.history(case) if line.kind == "miss"]
            assert len(misses) == sum(clock.missed_at is not None for clock in clocks)

    def has_marks_left(self, moving: list[CaseClock]) -> bool:
        return any(clock.warned < 200 for clock in moving)

    @invariant()
    def a_witness_is_never_the_reporter_and_stands_once(self) -> None:
        rows = self.session.exec(select(CaseWitness)).all()
        for case in (self.case, self.master):
            people = [row.person for row in rows if row.case_id == case.id]
            assert case.reporter not in people
            assert len(set(people)) == len(people)


CaseLife.TestCase.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestCaseLife = CaseLife.TestCase


def test_control_a_clock_that_is_forgotten_at_the_end_would_be_noticed() -> None:
    """The machine's own promise about clocks, broken on purpose."""
    machine = CaseLife()
    try:
        machine.begin("5号楼", "T3")
        machine.withdraws()
        machine.clocks_run_only_while_somebody_has_to_act_and_each_is_missed_once()
        clock = machine.session.exec(select(CaseClock).where(CaseClock.case_id == machine.case.id)).first()
        assert clock is not None
        clock.stopped_at = None
        try:
            machine.clocks_run_only_while_somebody_has_to_act_and_each_is_missed_once()
        except AssertionError:
            return
        raise RuntimeError("a clock that runs after the end was not noticed")
    finally:
        machine.teardown()
