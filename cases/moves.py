"""Executes the table of `cases.lifecycle`: which guards hold, what a step does beside changing the state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from cases.clocks import Clocks
from cases.lifecycle import CASE_CHAIN, OPEN_STATES, Effect, Guard, State, Transition
from content.refusal import Refusal
from storage.tables import Case, CaseAssist, Officer, Unit

SHORTEST_WORDS = 4  # characters: "已处理" says nothing to the person who has to read it
HEARD_WITHIN = timedelta(days=14)  # "not solved" is heard up to 14 days after closing


@dataclass(frozen=True, slots=True)
class Attempt:
    """A step that somebody wants to take with a case, and what he brought for it."""

    case: Case
    action: str
    words: str = ""
    officer: Officer | None = None
    units: Sequence[Unit] = ()
    days: int = 0
    master: Case | None = None


class Mover:
    """Takes steps inside one transaction."""

    def __init__(self, session: Session, clocks: Clocks, now: datetime) -> None:
        self._session = session
        self._clocks = clocks
        self._now = now

    def move(self, attempt: Attempt) -> Transition:
        """Take the step by the first line of the table that fits; raises Refusal with the reason when none does."""
        case = attempt.case
        line = CASE_CHAIN.choose(case.state, attempt.action, lambda guard: self._unmet(guard, attempt))
        case.state, case.state_since = line.target, self._now
        self._session.add(case)
        if case.id is None:
            self._session.flush()
            self._clocks.opened(case)
        for effect in line.effects:
            _EFFECTS[effect](self, attempt)
        self._session.add(case)
        self._clocks.wind(case)
        return line

    def _unmet(self, guard: Guard, attempt: Attempt) -> Refusal | None:
        return _GUARDS[guard](self, attempt)

    # --- guards: None when it holds, else the refusal that people read ---

    def _reason(self, attempt: Attempt) -> Refusal | None:
        return None if attempt.words.strip() else Refusal("desk.needs_reason", number=attempt.case.number)

    def _result(self, attempt: Attempt) -> Refusal | None:
        enough = len(attempt.words.strip()) >= SHORTEST_WORDS
        return None if enough else Refusal("desk.needs_result", number=attempt.case.number)

    def _not_taken(self, attempt: Attempt) -> Refusal | None:
        case = attempt.case
        if case.officer_id is None or case.state == State.REOPENED:
            return None  # what came back is open to a colleague too
        holder = self._session.get(Officer, case.officer_id)
        mine = attempt.officer is not None and attempt.officer.id == case.officer_id
        return Refusal("desk.own" if mine else "desk.taken", holder=holder.name if holder else "")

    def _has_officer(self, attempt: Attempt) -> Refusal | None:
        return None if attempt.case.officer_id is not None else Refusal("desk.nobody", number=attempt.case.number)

    def _has_unit(self, attempt: Attempt) -> Refusal | None:
        return None if attempt.case.unit_id is not None else Refusal("desk.nobody", number=attempt.case.number)

    def _not_returned(self, attempt: Attempt) -> Refusal | None:
        return None if attempt.case.returned == 0 else Refusal("desk.returned_already", number=attempt.case.number)

    def _before_due(self, attempt: Attempt) -> Refusal | None:
        return Refusal("desk.due_already", number=attempt.case.number) if self._clocks.missed(attempt.case) else None

    def _holds_left(self, attempt: Attempt) -> Refusal | None:
        most = self._clocks.rules.extensions.get(attempt.case.tier, 0)
        return None if attempt.case.holds < most else Refusal("desk.no_holds_left", number=attempt.case.number, most=most)

    def _hold_asked(self, attempt: Attempt) -> Refusal | None:
        return None if attempt.case.hold_days else Refusal("desk.no_hold_asked", number=attempt.case.number)

    def _outside(self, attempt: Attempt) -> Refusal | None:
        enough = len(attempt.words.strip()) >= SHORTEST_WORDS
        return None if enough else Refusal("desk.needs_outside", number=attempt.case.number)

    def _three_attempts(self, attempt: Attempt) -> Refusal | None:
        case, rule = attempt.case, self._clocks.rules.callback
        if case.reporter is None:
            return None  # nobody is left who could be asked
        tried = case.attempts >= rule.attempts and case.asked_at is not None and self._now - case.asked_at >= rule.within
        return None if tried else Refusal("desk.not_tried_enough", number=case.number, attempts=case.attempts, most=rule.attempts)

    def _heard(self, attempt: Attempt) -> Refusal | None:
        case = attempt.case
        times = [at for at in (case.closed_at, case.asked_again_at) if at is not None]
        if case.closed_at is None or any(self._now - at <= HEARD_WITHIN for at in times):
            return None
        return Refusal("desk.too_old", number=case.number)

    def _master(self, attempt: Attempt) -> Refusal | None:
        case, master = attempt.case, attempt.master
        if master is None or master.id == case.id or (master.id or 0) > (case.id or 0):
            return Refusal("desk.no_master", number=case.number)
        if master.state not in OPEN_STATES:
            return Refusal("desk.master_over", number=master.number)
        return None

    # --- effects ---

    def _start_clocks(self, attempt: Attempt) -> None:
        for name in ("take", "first_reply", "resolve"):
            self._clocks.start(attempt.case, name)
        self._clocks.stop(attempt.case, "next_reply")

    def _set_units(self, attempt: Attempt) -> None:
        case, units = attempt.case, attempt.units
        had_units = case.unit_id is not None
        if units:
            case.unit_id = units[0].id
        if had_units:  # assisting units are never without a leading one
            for old in self._session.exec(select(CaseAssist).where(CaseAssist.case_id == case.id)).all():
                self._session.delete(old)
            self._session.flush()
        for unit in {unit.id: unit for unit in units[1:] if unit.id != case.unit_id}.values():
            if case.id is not None and unit.id is not None:
                self._session.add(CaseAssist(case_id=case.id, unit_id=unit.id))

    def _free_unit(self, attempt: Attempt) -> None:
        attempt.case.unit_id = None
        for old in self._session.exec(select(CaseAssist).where(col(CaseAssist.case_id) == attempt.case.id)).all():
            self._session.delete(old)

    def _free_officer(self, attempt: Attempt) -> None:
        attempt.case.officer_id = None

    def _set_officer(self, attempt: Attempt) -> None:
        attempt.case.officer_id = attempt.officer.id if attempt.officer else None

    def _set_result(self, attempt: Attempt) -> None:
        attempt.case.result = attempt.words
        attempt.case.resolved_by = attempt.officer.id if attempt.officer else None
        attempt.case.attempts, attempt.case.asked_at, attempt.case.hold_days = 0, None, None

    def _set_outside(self, attempt: Attempt) -> None:
        attempt.case.outside = attempt.words

    def _count_return(self, attempt: Attempt) -> None:
        attempt.case.returned += 1

    def _ask_hold(self, attempt: Attempt) -> None:
        attempt.case.hold_days = attempt.days

    def _drop_hold(self, attempt: Attempt) -> None:
        attempt.case.hold_days = None

    def _count_hold(self, attempt: Attempt) -> None:
        attempt.case.holds += 1
        attempt.case.hold_days = None

    def _count_attempt(self, attempt: Attempt) -> None:
        attempt.case.attempts += 1
        attempt.case.asked_at = attempt.case.asked_at or self._now

    def _close(self, attempt: Attempt) -> None:
        attempt.case.closed_at = self._now
        if attempt.action == "reject":
            attempt.case.result = attempt.words

    def _open_again(self, attempt: Attempt) -> None:
        case = attempt.case
        case.closed_at, case.asked_again_at, case.attempts, case.asked_at = None, None, 0, None

    def _count_reopened(self, attempt: Attempt) -> None:
        attempt.case.reopened += 1

    def _follow(self, attempt: Attempt) -> None:
        attempt.case.merged_into = attempt.master.id if attempt.master else None

    def _unfollow(self, attempt: Attempt) -> None:
        attempt.case.merged_into = None


_GUARDS: dict[Guard, Callable[[Mover, Attempt], Refusal | None]] = {
    Guard.REASON: Mover._reason,
    Guard.RESULT: Mover._result,
    Guard.NOT_TAKEN: Mover._not_taken,
    Guard.HAS_OFFICER: Mover._has_officer,
    Guard.HAS_UNIT: Mover._has_unit,
    Guard.NOT_RETURNED: Mover._not_returned,
    Guard.BEFORE_DUE: Mover._before_due,
    Guard.HOLDS_LEFT: Mover._holds_left,
    Guard.HOLD_ASKED: Mover._hold_asked,
    Guard.OUTSIDE: Mover._outside,
    Guard.THREE_ATTEMPTS: Mover._three_attempts,
    Guard.HEARD: Mover._heard,
    Guard.MASTER: Mover._master,
}

_EFFECTS: dict[Effect, Callable[[Mover, Attempt], None]] = {
    Effect.START_CLOCKS: Mover._start_clocks,
    Effect.START_TAKE: lambda mover, attempt: mover._clocks.start(attempt.case, "take"),
    Effect.STOP_TAKE: lambda mover, attempt: mover._clocks.stop(attempt.case, "take"),
    Effect.REPLIED: lambda mover, attempt: mover._clocks.replied(attempt.case),
    Effect.PAUSE: lambda mover, attempt: mover._clocks.pause(attempt.case),
    Effect.RESUME: lambda mover, attempt: mover._clocks.resume(attempt.case),
    Effect.STOP_CLOCKS: lambda mover, attempt: mover._clocks.stop(attempt.case),
    Effect.SET_UNITS: Mover._set_units,
    Effect.FREE_UNIT: Mover._free_unit,
    Effect.SET_OFFICER: Mover._set_officer,
    Effect.FREE_OFFICER: Mover._free_officer,
    Effect.SET_RESULT: Mover._set_result,
    Effect.SET_OUTSIDE: Mover._set_outside,
    Effect.COUNT_RETURN: Mover._count_return,
    Effect.ASK_HOLD: Mover._ask_hold,
    Effect.DROP_HOLD: Mover._drop_hold,
    Effect.COUNT_HOLD: Mover._count_hold,
    Effect.COUNT_ATTEMPT: Mover._count_attempt,
    Effect.CLOSE: Mover._close,
    Effect.OPEN_AGAIN: Mover._open_again,
    Effect.COUNT_REOPENED: Mover._count_reopened,
    Effect.FOLLOW: Mover._follow,
    Effect.UNFOLLOW: Mover._unfollow,
}
