"""The desk and the life of a case: the table of steps is what the code does."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import Session, SQLModel, create_engine

from bot.app import CONTENT
from cases.desk import CaseDesk, NewCase, Origin
from cases.lifecycle import ABOUT, TRANSITIONS, State, step
from cases.numbers import next_number
from content.refusal import Refusal
from content.taxonomy import Taxonomy
from storage.tables import Officer

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ACTIONS = sorted({transition.action for transition in TRANSITIONS})


@pytest.mark.parametrize("state", list(State))
def test_every_step_from_every_state_leads_where_the_table_says_or_is_refused(state: State) -> None:
    for action in ACTIONS:
        wanted = [t.target for t in TRANSITIONS if t.action == action and state in t.sources]
        if wanted:
            assert step(state, action) is wanted[0]
        else:
            with pytest.raises(Refusal) as refused:
                step(state, action)
            assert refused.value.values["state"] == ABOUT[state].name


def test_only_the_reporters_yes_leads_to_confirmed() -> None:
    assert {t.action for t in TRANSITIONS if t.target is State.CLOSED_CONFIRMED} == {"confirm"}


def test_every_open_state_can_still_end_and_no_end_goes_on_but_by_the_reporters_no() -> None:
    for state in State:
        reached, todo = {state}, deque([state])
        while todo:
            here = todo.popleft()
            for transition in TRANSITIONS:
                if here in transition.sources and transition.target not in reached:
                    reached.add(transition.target)
                    todo.append(transition.target)
        leaves = {t.action for t in TRANSITIONS if state in t.sources}
        if ABOUT[state].open:
            assert reached & {State.CLOSED_CONFIRMED, State.WITHDRAWN, State.REJECTED}
        else:
            assert leaves <= {"deny"}


def test_every_state_has_a_plain_name() -> None:
    assert set(ABOUT) == set(State)
    assert len({about.name for about in ABOUT.values()}) == len(ABOUT)


class OpenGate:
    """Everybody may everything."""

    def __init__(self, officer: Officer) -> None:
        self.officer = officer

    def require(self, action: str, *, grid_id: int | None = None, unit_ids: tuple[int, ...] = (), target: str = "") -> Officer:
        return self.officer


def test_numbers_run_by_the_local_month() -> None:
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        late = datetime(2026, 11, 30, 15, 59, tzinfo=UTC)
        assert [next_number(session, late, ZONE) for _ in range(2)] == ["2611-0001", "2611-0002"]
        assert next_number(session, late + timedelta(minutes=1), ZONE) == "2612-0001"
    engine.dispose()


def test_a_case_keeps_every_step_and_is_reopened_for_two_weeks_only() -> None:
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        officer = Officer(badge="1", name="王", title="民警")
        other = Officer(badge="2", name="李", title="民警")
        session.add(officer)
        session.add(other)
        session.flush()
        taxonomy = Taxonomy.load(CONTENT / "taxonomy.toml")
        desk = CaseDesk(session, OpenGate(officer), taxonomy, ZONE, NOW)
        origin = Origin("web", "web", "g", False, None, None, None, "zhang", "张阿姨", "m1")
        case = desk.open(NewCase("hazard", "lamp", "T3", "路灯坏了", "", origin))
        assert case.state == State.DRAFT
        desk.give_place(case, "5号楼")
        desk.accept(case)
        desk.take(case)
        second = CaseDesk(session, OpenGate(other), taxonomy, ZONE, NOW)
        with pytest.raises(Refusal) as taken:
            second.take(case)
        assert (taken.value.phrase, taken.value.values["holder"]) == ("desk.taken", "王")
        desk.contact(case, "问过了")
        desk.resolve(case, "换了灯泡")
        desk.call_back(case)
        desk.confirm(case)
        assert case.closed_at == NOW
        states = [line.state for line in desk.history(case) if line.kind == "transition"]
        assert states == ["submitted", "accepted", "signed", "in_progress", "resolved", "verifying", "closed_confirmed"]
        with pytest.raises(Refusal, match=r"desk\.too_old"):
            CaseDesk(session, OpenGate(officer), taxonomy, ZONE, NOW + timedelta(days=15)).deny(case, "又坏了")
        CaseDesk(session, OpenGate(officer), taxonomy, ZONE, NOW + timedelta(days=13)).deny(case, "又坏了")
        assert (case.state, case.reopened, case.closed_at) == (State.REOPENED, 1, None)
    engine.dispose()
