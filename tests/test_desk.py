"""The desk: numbers, and a case's way with its history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cases.lifecycle import State
from cases.numbers import next_number
from content.refusal import Refusal
from tests.kit.desks import NOW, ZONE, desk_of, memory, officers, open_case


def test_numbers_run_by_the_local_month() -> None:
    with memory() as session:
        late = datetime(2026, 11, 30, 15, 59, tzinfo=UTC)
        assert [next_number(session, late, ZONE) for _ in range(2)] == ["2611-0001", "2611-0002"]
        assert next_number(session, late + timedelta(minutes=1), ZONE) == "2612-0001"


def test_a_case_keeps_every_step_and_is_reopened_for_two_weeks_only() -> None:
    with memory() as session:
        officer, _, _, _ = officers(session)
        desk = desk_of(session, officer)
        case = open_case(desk, place="")
        assert case.state == State.DRAFT
        desk.give_place(case, "5号楼")
        desk.accept(case)
        desk.take(case)
        desk.contact(case, "问过了")
        desk.resolve(case, "换了灯泡")
        desk.call_back(case)
        desk.confirm(case)
        assert case.closed_at == NOW
        states = [line.state for line in desk.history(case) if line.kind == "transition"]
        assert states == ["submitted", "accepted", "signed", "in_progress", "resolved", "verifying", "closed_confirmed"]
        with pytest.raises(Refusal, match=r"desk\.too_old"):
            desk_of(session, officer, NOW + timedelta(days=15)).deny(case, "又坏了")
        desk_of(session, officer, NOW + timedelta(days=13)).deny(case, "又坏了")
        assert (case.state, case.reopened, case.closed_at) == (State.REOPENED, 1, None)
