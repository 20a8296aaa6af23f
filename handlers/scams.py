"""Fraud: bait that is brought to us, pasted or as a screenshot; and somebody who is being defrauded at this moment."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from bot.messages import Inbound
from bot.notices import Lane
from bot.router import Router
from bot.say import Say
from bot.timers import Due, Timers
from bot.turn import Brought, Photos, Rules, Verdict
from bot.understanding.meaning import Meaning
from cases.desk import NOT_TAKEN, CaseDesk
from cases.dispatch import handlers_of, officers_with, on_duty_or_dispatchers
from handlers.cards import case_card
from handlers.reports import Reports
from storage.tables import Case, Officer

router = Router("scams")

MOST_CALLS = 30  # an hour at the usual two minutes; then it is a case like others


@router.intent("scam_report")
def scam_told(
    message: Inbound,
    meaning: Meaning,
    photos: Photos,
    desk: CaseDesk,
    say: Say,
    timers: Timers,
    rules: Rules,
    reports: Reports,
    session: Session,
) -> None:
    """A case; somebody who is being defrauded now is a call to the anti-fraud desk, repeated until it is taken."""
    happening = rules.scam_now.search(message.text) is not None
    if happening:
        say.reply("scams.now", quote=True)
    case = reports.take(message, meaning, photos)
    if happening and case is not None:
        _call(case, desk, say, session, reports.now)
        timers.after(rules.alarm_repeat, "scam.now", str(case.id), round="1")


@router.timer("scam.now")
def call_again(due: Due, desk: CaseDesk, say: Say, timers: Timers, rules: Rules, session: Session, now: datetime) -> None:
    """Nobody has taken it yet."""
    case, round_ = desk.get(int(due.key)), int(due.data["round"])
    if case is None or case.state not in NOT_TAKEN or round_ >= MOST_CALLS:
        return
    _call(case, desk, say, session, now)
    timers.after(rules.alarm_repeat, "scam.now", due.key, round=str(round_ + 1))


def _call(case: Case, desk: CaseDesk, say: Say, session: Session, now: datetime) -> None:
    desks: list[Officer] = handlers_of(session, case)
    here = [one for one in on_duty_or_dispatchers(session, case.grid_id, now) if one not in desks]
    supervisors = [] if desks or here else officers_with(session, ("supervisor",), "district", ())
    say.to_officers([*desks, *here, *supervisors], "scams.card_now", case=case, lane=Lane.ALARM, **case_card(case, desk, session))


@router.special("brought")
def tell(brought: Brought, desk: CaseDesk, say: Say) -> None:
    """What kind of fraud it is, its tell-tale step and what to do; to whoever asked also that we cannot tell."""
    if brought.verdict is not Verdict.BAIT:
        say.reply(f"scams.{brought.verdict}")
        return
    about = desk.taxonomy.scams.get(brought.scam.type or "") or desk.taxonomy.scams["other"]
    say.reply(
        "scams.answer", name=about.name, start=about.start, telltale=about.telltale, todo=about.todo, code=brought.codes > 0
    )
