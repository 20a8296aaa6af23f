"""The life of a case: the one table of steps is what the code does, what the docs draw and what the help says."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select

from bot.campaigns.missing import Chain as MissingChain
from cases.chains import CHAINS, MISSING_CHAIN, TIP_CHAIN, MissingState
from cases.desk import CaseDesk
from cases.drawing import draw
from cases.lifecycle import ABOUT, CASE_CHAIN, TRANSITIONS, Chain, Effect, Guard, State, StateType, Transition
from cases.moves import _EFFECTS, _GUARDS, Attempt, Mover
from cases.tips import TipState
from content.phrases import PhraseBook
from content.refusal import Refusal
from storage.tables import Case, CaseAssist, CaseClock
from tests.kit.desks import NOW, desk_of, memory, officers, open_case

ROOT = Path(__file__).parent.parent

# Written down once more, so that a slip in the table shows. From a state: action>target.
WANTED = """
: report>submitted report_vaguely>draft
draft: place>submitted accept>accepted reject>rejected dispatch>dispatched request>needs_info merge>duplicate withdraw>withdrawn
submitted: accept>accepted reject>rejected dispatch>dispatched take>signed request>needs_info answer>resolved merge>duplicate
submitted: withdraw>withdrawn
needs_info: accept>accepted reject>rejected dispatch>dispatched request>needs_info inform>in_progress go_on>in_progress
needs_info: resolve>resolved answer>resolved merge>duplicate withdraw>withdrawn
accepted: reject>rejected dispatch>dispatched take>signed request>needs_info refer>referred answer>resolved merge>duplicate
accepted: withdraw>withdrawn
dispatched: request>needs_info dispatch>dispatched return>accepted take>signed refer>referred answer>resolved
dispatched: merge>duplicate withdraw>withdrawn
signed: return>accepted contact>in_progress request>needs_info ask_hold>signed hold>on_hold refuse_hold>signed refer>referred
signed: resolve>resolved answer>resolved merge>duplicate withdraw>withdrawn take>signed
in_progress: contact>in_progress request>needs_info ask_hold>in_progress hold>on_hold refuse_hold>in_progress refer>referred
in_progress: resolve>resolved answer>resolved merge>duplicate withdraw>withdrawn take>signed
on_hold: hold_over>in_progress contact>in_progress resolve>resolved merge>duplicate withdraw>withdrawn
referred: contact>in_progress request>needs_info resolve>resolved merge>duplicate withdraw>withdrawn
resolved: call_back>verifying confirm>closed_confirmed deny>reopened merge>duplicate withdraw>withdrawn
verifying: call_back>verifying confirm>closed_confirmed deny>reopened unreached>closed_unreached merge>duplicate
reopened: dispatch>dispatched take>signed contact>in_progress request>needs_info refer>referred resolve>resolved answer>resolved
reopened: merge>duplicate withdraw>withdrawn
closed_confirmed: deny>reopened overturn>reopened
closed_unreached: confirm>closed_confirmed deny>reopened
duplicate: unmerge>signed
submitted: mediate>in_progress helped>resolved
accepted: mediate>in_progress helped>resolved
dispatched: mediate>in_progress helped>resolved
reopened: mediate>in_progress helped>resolved
signed: mediate>in_progress helped>resolved
in_progress: mediate>in_progress helped>resolved
needs_info: mediate>in_progress helped>resolved
referred: mediate>in_progress
"""
ACTIONS = sorted({line.action for line in TRANSITIONS})


def wanted() -> dict[tuple[str, str], str]:
    pairs = {}
    for line in WANTED.strip().splitlines():
        state, _, steps = line.partition(":")
        for step in steps.split():
            action, _, target = step.partition(">")
            pairs[state, action] = target
    return pairs


def everything_holds(guard: Guard) -> Refusal | None:
    return None


@pytest.mark.parametrize("state", ["", *State])
def test_every_action_in_every_state_leads_where_it_should_or_is_refused(state: str) -> None:
    expected = wanted()
    for action in ACTIONS:
        if (state, action) in expected:
            assert CASE_CHAIN.choose(state, action, everything_holds).target == expected[state, action]
        else:
            with pytest.raises(Refusal) as refused:
                CASE_CHAIN.choose(state, action, everything_holds)
            assert refused.value.values["state"] == (ABOUT[State(state)].name if state else "")


def test_without_an_officer_an_answer_leads_back_to_the_beginning_and_a_taken_back_merging_to_where_it_was() -> None:
    def nobody(guard: Guard) -> Refusal | None:
        return Refusal("desk.nobody") if guard in (Guard.HAS_OFFICER, Guard.HAS_UNIT) else None

    def a_unit(guard: Guard) -> Refusal | None:
        return Refusal("desk.nobody") if guard is Guard.HAS_OFFICER else None

    assert [CASE_CHAIN.choose(State.NEEDS_INFO, action, nobody).target for action in ("inform", "go_on")] == ["submitted"] * 2
    assert [CASE_CHAIN.choose(State.NEEDS_INFO, action, a_unit).target for action in ("inform", "go_on")] == ["dispatched"] * 2
    assert CASE_CHAIN.choose(State.DUPLICATE, "unmerge", nobody).target == "submitted"
    assert CASE_CHAIN.choose(State.DUPLICATE, "unmerge", a_unit).target == "dispatched"


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.name)
def test_a_chain_is_whole(chain: Chain) -> None:
    named = {state for line in chain.transitions for state in (*line.sources, line.target)}
    assert named == set(chain.states)
    assert len({about.name for about in chain.states.values()}) == len(chain.states)
    starts = [line.target for line in chain.transitions if not line.sources]
    assert reached_from(chain, starts) == set(chain.states)
    ends = {state for state, about in chain.states.items() if about.type is StateType.CLOSED}
    for state, about in chain.states.items():
        if about.open:
            assert reached_from(chain, [state]) & ends


def reached_from(chain: Chain, states: list[str]) -> set[str]:
    reached, todo = set(states), deque(states)
    while todo:
        here = todo.popleft()
        for line in chain.leaving(here):
            if line.target not in reached:
                reached.add(line.target)
                todo.append(line.target)
    return reached


def test_only_the_reporters_yes_leads_to_confirmed_and_only_he_withdraws() -> None:
    assert {line.action for line in TRANSITIONS if line.target == State.CLOSED_CONFIRMED} == {"confirm"}
    for action in ("confirm", "deny", "withdraw"):
        assert {who.name for line in CASE_CHAIN.of(action) for who in line.who} == {"REPORTER"}


def test_ends_go_on_only_by_a_no_a_second_look_or_a_merging_taken_back() -> None:
    for state, about in ABOUT.items():
        if not about.open:
            assert {line.action for line in CASE_CHAIN.leaving(state)} <= {"deny", "overturn", "confirm", "unmerge"}


def test_tips_and_missing_people_follow_the_chains_of_the_design() -> None:
    def walk(chain: Chain, *actions: str) -> str:
        state = ""
        for action in actions:
            state = chain.choose(state, action, everything_holds).target
        return state

    tip = ("receive", "read", "review", "answer", "tell", "actioned", "seal", "destroy")
    assert walk(TIP_CHAIN, *tip) == TipState.DESTROYED
    assert walk(MISSING_CHAIN, "report", "publish", "find") == MissingState.FOUND
    found = MISSING_CHAIN.choose(MissingState.ACTIVE, "find", everything_holds)
    assert {Effect.CALL_OFF, Effect.PURGE_PHOTOS} <= set(found.effects)
    assert set(MissingState) == set(MissingChain)
    with pytest.raises(Refusal):
        MISSING_CHAIN.choose(MissingState.PENDING_VERIFICATION, "publish", lambda guard: Refusal("desk.nobody"))


def test_the_page_draws_what_the_code_does() -> None:
    page = (ROOT / "docs/lifecycle.md").read_text(encoding="utf-8")
    assert page == draw(), "run python -m cases.drawing > docs/lifecycle.md"


def test_every_refusal_of_a_guard_is_a_phrase() -> None:
    book = PhraseBook.load(ROOT / "content/phrases")
    assert {"desk.wrong_state", "desk.nobody", "desk.returned_already", "desk.no_master"} <= book.keys()


# --- the table as the desk executes it: every line once, in a world in which its guards hold ---


class World:
    """One case in a state, with everything around it that makes every guard hold."""

    def __init__(self, session: Session, line: Transition, source: str) -> None:
        self.session = session
        self.me, self.other, self.unit, self.second = officers(session)
        before = desk_of(session, self.me, NOW - timedelta(hours=1))
        self.master = open_case(before, sender="earlier")
        self.desk = desk_of(session, self.me)
        self.case = open_case(before)
        self.case.state = source
        self.case.officer_id = None if line.action == "take" else self.me.id
        self.case.unit_id = self.unit.id
        self.case.hold_days = 3 if line.action in ("hold", "refuse_hold") else None
        if source in (State.VERIFYING, State.CLOSED_CONFIRMED, State.CLOSED_UNREACHED):
            self.case.attempts, self.case.asked_at = 3, NOW - timedelta(hours=73)
        if not ABOUT[State(source)].open:
            self.case.closed_at = NOW - timedelta(days=1)
            self.desk.clocks.stop(self.case)
        if Guard.HAS_OFFICER not in line.guards and line.action in ("inform", "go_on", "unmerge"):
            self.case.officer_id = None
            if Guard.HAS_UNIT not in line.guards:
                self.case.unit_id = None
        session.flush()

    def attempt(self, action: str) -> Attempt:
        return Attempt(self.case, action, "换了新的灯泡", self.me, (self.unit, self.second), 3, self.master)

    def facts(self) -> dict[str, object]:
        """Everything that an effect may change."""
        clocks = self.session.exec(select(CaseClock).where(CaseClock.case_id == self.case.id)).all()
        running = sorted(clock.name for clock in clocks if clock.stopped_at is None and clock.running_since is not None)
        assisting = self.session.exec(select(CaseAssist.unit_id).where(CaseAssist.case_id == self.case.id)).all()
        row = self.case
        return {
            "state": row.state, "officer": row.officer_id, "unit": row.unit_id, "assisting": list(assisting),
            "result": row.result, "outside": row.outside, "returned": row.returned, "holds": row.holds,
            "hold_days": row.hold_days, "attempts": row.attempts, "reopened": row.reopened,
            "closed": row.closed_at is not None, "master": row.merged_into, "running": running,
        }  # fmt: skip


LINES = [(line, source) for line in TRANSITIONS for source in line.sources]


@pytest.fixture
def session() -> Iterator[Session]:
    with memory() as opened:
        yield opened


@pytest.mark.parametrize(("line", "source"), LINES, ids=[f"{source}-{line.action}>{line.target}" for line, source in LINES])
def test_every_line_is_executed_with_all_its_effects(session: Session, line: Transition, source: str) -> None:
    world = World(session, line, source)
    before = world.facts()
    Mover(session, world.desk.clocks, NOW).move(world.attempt(line.action))
    after = world.facts()
    assert after["state"] == line.target
    for effect in line.effects:
        SEEN[effect](world, before, after)
    told = {fact for effect in line.effects for fact in TOUCHES.get(effect, ())} | {"state", "running"}
    assert {fact for fact in after if after[fact] != before[fact]} <= told


Look = Callable[[World, dict[str, object], dict[str, object]], None]


def seen(world: World, before: dict[str, object], after: dict[str, object], fact: str, value: object) -> None:
    assert after[fact] == value


SEEN: dict[Effect, Look] = {
    Effect.START_CLOCKS: lambda w, b, a: _contains(a["running"], "resolve"),
    Effect.START_TAKE: lambda w, b, a: _contains(a["running"], "take"),
    Effect.STOP_TAKE: lambda w, b, a: _lacks(a["running"], "take"),
    Effect.REPLIED: lambda w, b, a: _lacks(a["running"], "first_reply"),
    Effect.PAUSE: lambda w, b, a: seen(w, b, a, "running", []),
    Effect.RESUME: lambda w, b, a: _contains(a["running"], "resolve"),
    Effect.STOP_CLOCKS: lambda w, b, a: seen(w, b, a, "running", []),
    Effect.SET_UNITS: lambda w, b, a: seen(w, b, a, "assisting", [w.second.id]),
    Effect.FREE_UNIT: lambda w, b, a: seen(w, b, a, "unit", None),
    Effect.SET_OFFICER: lambda w, b, a: seen(w, b, a, "officer", w.me.id),
    Effect.FREE_OFFICER: lambda w, b, a: seen(w, b, a, "officer", None),
    Effect.SET_RESULT: lambda w, b, a: seen(w, b, a, "result", "换了新的灯泡"),
    Effect.SET_OUTSIDE: lambda w, b, a: seen(w, b, a, "outside", "换了新的灯泡"),
    Effect.COUNT_RETURN: lambda w, b, a: seen(w, b, a, "returned", 1),
    Effect.ASK_HOLD: lambda w, b, a: seen(w, b, a, "hold_days", 3),
    Effect.DROP_HOLD: lambda w, b, a: seen(w, b, a, "hold_days", None),
    Effect.COUNT_HOLD: lambda w, b, a: seen(w, b, a, "holds", 1),
    Effect.COUNT_ATTEMPT: lambda w, b, a: seen(w, b, a, "attempts", int(str(b["attempts"])) + 1),
    Effect.CLOSE: lambda w, b, a: seen(w, b, a, "closed", True),
    Effect.OPEN_AGAIN: lambda w, b, a: seen(w, b, a, "closed", False),
    Effect.COUNT_REOPENED: lambda w, b, a: seen(w, b, a, "reopened", 1),
    Effect.FOLLOW: lambda w, b, a: seen(w, b, a, "master", w.master.id),
    Effect.UNFOLLOW: lambda w, b, a: seen(w, b, a, "master", None),
}
TOUCHES: dict[Effect, tuple[str, ...]] = {
    Effect.SET_UNITS: ("unit", "assisting"), Effect.FREE_UNIT: ("unit", "assisting"), Effect.SET_OFFICER: ("officer",),
    Effect.FREE_OFFICER: ("officer",), Effect.SET_RESULT: ("result", "attempts", "hold_days"), Effect.SET_OUTSIDE: ("outside",),
    Effect.COUNT_RETURN: ("returned",), Effect.ASK_HOLD: ("hold_days",), Effect.DROP_HOLD: ("hold_days",),
    Effect.COUNT_HOLD: ("holds", "hold_days"), Effect.COUNT_ATTEMPT: ("attempts",), Effect.CLOSE: ("closed", "result"),
    Effect.OPEN_AGAIN: ("closed", "attempts"), Effect.COUNT_REOPENED: ("reopened",), Effect.FOLLOW: ("master",),
    Effect.UNFOLLOW: ("master",),
}  # fmt: skip


def _contains(running: object, name: str) -> None:
    assert isinstance(running, list)
    assert name in running


def _lacks(running: object, name: str) -> None:
    assert isinstance(running, list)
    assert name not in running


# --- every guard, broken ---

BREAK: dict[Guard, Callable[[World], Attempt | None]] = {
    Guard.REASON: lambda w: Attempt(w.case, "", " ", w.me, (w.unit,), 3, w.master),
    Guard.RESULT: lambda w: Attempt(w.case, "", "已处理", w.me, (w.unit,), 3, w.master),
    Guard.OUTSIDE: lambda w: Attempt(w.case, "", "无", w.me, (w.unit,), 3, w.master),
    Guard.NOT_TAKEN: lambda w: w.case.__setattr__("officer_id", w.other.id),
    Guard.HAS_OFFICER: lambda w: w.case.__setattr__("officer_id", None),
    Guard.HAS_UNIT: lambda w: w.case.__setattr__("unit_id", None),
    Guard.NOT_RETURNED: lambda w: w.case.__setattr__("returned", 1),
    Guard.HOLDS_LEFT: lambda w: w.case.__setattr__("holds", 1),
    Guard.HOLD_ASKED: lambda w: w.case.__setattr__("hold_days", None),
    Guard.THREE_ATTEMPTS: lambda w: w.case.__setattr__("attempts", 2),
    Guard.HEARD: lambda w: w.case.__setattr__("closed_at", NOW - timedelta(days=15)),
    Guard.MASTER: lambda w: Attempt(w.master, "", "x", w.me, (), 0, w.case),
    Guard.BEFORE_DUE: lambda w: miss(w.desk, w.case),
}


def miss(desk: CaseDesk, case: Case) -> None:
    for clock in desk.clocks.running(case):
        clock.missed_at = NOW


GUARDED = [(line, line.sources[0], guard) for line in TRANSITIONS for guard in line.guards]


@pytest.mark.parametrize(
    ("line", "source", "guard"), GUARDED, ids=[f"{source}-{line.action}-{guard.name}" for line, source, guard in GUARDED]
)
def test_a_step_whose_guard_does_not_hold_is_refused_and_changes_nothing(
    session: Session, line: Transition, source: str, guard: Guard
) -> None:
    world = World(session, line, source)
    broken = BREAK[guard](world)
    session.flush()
    attempt = world.attempt(line.action)
    if broken is not None:
        attempt = Attempt(broken.case, line.action, broken.words, broken.officer, broken.units, broken.days, broken.master)
        broken.case.state = source
    before = world.facts()
    mover = Mover(session, world.desk.clocks, NOW)
    others = [other for other in CASE_CHAIN.of(line.action) if source in other.sources and guard not in other.guards]
    if others:  # another line takes over
        assert mover.move(attempt) in others
        return
    with pytest.raises(Refusal):
        mover.move(attempt)
    assert world.facts() == before


def test_every_guard_and_effect_of_the_case_chain_is_executed_by_somebody() -> None:
    assert {guard for line in TRANSITIONS for guard in line.guards} == set(_GUARDS) == set(BREAK)
    assert {effect for line in TRANSITIONS for effect in line.effects} == set(_EFFECTS) == set(SEEN)


def test_control_a_table_with_a_slip_is_noticed() -> None:
    slipped = Chain("case", "事项", ABOUT, tuple(line for line in TRANSITIONS if line.action != "deny"))
    with pytest.raises(KeyError):
        slipped.choose(State.VERIFYING, "deny", everything_holds)
    assert ("verifying", "deny") in wanted()


def test_two_officers_one_case(session: Session) -> None:
    first, second, unit, _ = officers(session)
    case = open_case(desk_of(session, first))
    desk_of(session, first).dispatch(case, [unit])
    desk_of(session, first).take(case)
    with pytest.raises(Refusal) as refused:
        desk_of(session, second).take(case)
    assert (refused.value.phrase, refused.value.values["holder"]) == ("desk.taken", "王")
    assert case.officer_id == first.id
