"""Time passes: who is warned, who is told of what was missed, and the cards that begin and end the officers' day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session, select

from bot.router import Router
from bot.say import Say
from bot.timers import Due
from cases.chains import MISSING_CHAIN
from cases.clocks import LONG_MISSED, MISSED, MOST, TIMER, Strike
from cases.desk import CaseDesk
from cases.dispatch import commanders, dispatchers, handlers_of, on_duty, supervisors
from cases.lifecycle import ABOUT, StateType
from handlers.cards import case_card, moment
from storage.tables import Case, Missing, Officer

router = Router("clocks")


@router.timer(TIMER)
def clock_struck(due: Due, desk: CaseDesk, say: Say, session: Session, zone: ZoneInfo, now: datetime) -> None:
    """A clock of a case has reached a mark: its people are told, further up with every mark."""
    case = desk.get(int(due.key))
    if case is None or not ABOUT[case.state].open:
        return
    if case.kind == "missing" and _search_is_over(case, session):
        desk.clocks.stop(case)
        return
    strikes = desk.strike(case)
    if not strikes:
        return
    worst = max(strike.mark for strike in strikes)
    phrase = "clocks.missed" if worst >= MISSED else "clocks.warning"
    lines = [
        (say.word(f"clocks.name.{strike.clock}"), moment(strike.due_at, zone), strike.mark >= MISSED, _left(strike, say, now))
        for strike in strikes
    ]
    for level, officers in _told(case, worst, desk, session, now):
        say.to_officers(
            officers, phrase, case=case, lines=lines, level=say.word(f"clocks.level.{level}"), **case_card(case, desk, session)
        )


def _search_is_over(case: Case, session: Session) -> bool:
    missing = session.exec(select(Missing).where(Missing.case_id == case.id)).first()
    return missing is not None and MISSING_CHAIN.states[missing.state].type is StateType.CLOSED


def _left(strike: Strike, say: Say, now: datetime) -> str:
    """ "还有1小时30分钟", or how long ago it was due."""
    span = abs(strike.due_at - now)
    minutes = max(1, round(span / timedelta(minutes=1)))
    return say.word("clocks.span", days=minutes // 1440, hours=minutes // 60 % 24, minutes=minutes % 60)


def _told(case: Case, worst: int, desk: CaseDesk, session: Session, now: datetime) -> list[tuple[str, Sequence[Officer]]]:
    """Who is told, each once: officers; if nobody has it, dispatchers and who is on duty; then supervisors, then commanders."""
    holder = session.get(Officer, case.officer_id) if case.officer_id else None
    taken = holder is not None and holder.active
    waiting = handlers_of(session, case) if case.unit_id else dispatchers(session, case.grid_id)
    groups: list[tuple[str, Sequence[Officer]]] = [("officer", [holder] if holder and taken else waiting)]
    if not taken and worst >= MOST:
        groups.append(("unassigned", [*dispatchers(session, case.grid_id), *on_duty(session, case.grid_id, now)]))
    if worst >= MISSED:
        groups.append(("supervisor", supervisors(session, case.grid_id, desk.units(case))))
    if worst >= LONG_MISSED:
        groups.append(("commander", commanders(session)))
    told: set[int | None] = set()
    result = []
    for level, officers in reversed(groups):  # the highest reason is the one that is told
        fresh = list({officer.id: officer for officer in officers if officer.id not in told}.values())
        told |= {officer.id for officer in fresh}
        if fresh:
            result.append((level, fresh))
    return list(reversed(result))
