"""The call-back: a case closes only when the person who brought it says that it is solved.

Asked three times at decent hours in 72 hours, then a supervisor decides; 28 days later once more for what tends to come back.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from bot.dialogs import DialogKey, Dialogs, Pending
from bot.messages import Choice, Inbound
from bot.router import Router
from bot.say import Say
from bot.timers import Due, Timers
from bot.turn import NotMine, Photos, Rules
from bot.understanding.meaning import Intent, Meaning
from cases.desk import CaseDesk
from cases.dispatch import commanders, supervisors
from cases.lifecycle import State
from content.desk import CallBackRule
from handlers.cards import case_card, signing_unit, tell_holder, trouble_with
from handlers.closing import ASKED, asked_where, close, reopen
from handlers.hearing import CLEAR, Verdict, reason_in, stars_in, verdict
from storage.tables import Case, Officer

router = Router("callback")

ANSWER_WAIT = timedelta(days=14)  # "not solved" is heard that long
REASON_WAIT = timedelta(minutes=30)  # whoever says no and nothing else in this time is taken at his word
LOW = 2  # stars; the supervisor hears of these
YES = "解决了"
NO = "没解决"
CHOICES = (Choice(YES, YES), Choice(NO, NO))
GONE, AGAIN = "没再出现", "又出现了"
_AGAIN = re.compile(r"又|再次|复发|还是(?:那|老|有|没|会)|没解决|没修好|没处理好")
_GONE = re.compile(r"没(?:有)?再|没有?了|没事|没(?:有)?出现|好了|解决了|^(?:没|没有|没呢)$")


# --- asking ---


def ask_reporter(case: Case, desk: CaseDesk, dialogs: Dialogs, timers: Timers, say: Say, session: Session) -> bool:
    """Say the result where the case was brought and ask whether it is solved; at night that waits, then it returns false.

    The answer to a question is not held back: whoever asks at night wants it.
    """
    wait = until_decent(desk.now, desk.clocks.rules.callback, desk.zone) - desk.now
    if wait and case.kind != "question":
        timers.after(wait, "callback.ask", str(case.id))
        return False
    _ask(case, desk, dialogs, timers, say, session)
    return True


def until_decent(at: datetime, rule: CallBackRule, zone: ZoneInfo) -> datetime:
    """`at`, or the next time at which people may be asked."""
    local = at.astimezone(zone)
    if rule.since <= local.time() < rule.until:
        return at
    day = local.date() + timedelta(days=1 if local.time() >= rule.until else 0)
    return datetime.combine(day, rule.since, zone).astimezone(at.tzinfo)


@router.timer("callback.ask")
def ask_now(due: Due, desk: CaseDesk, dialogs: Dialogs, timers: Timers, say: Say, session: Session) -> None:
    """It is day, or time to ask again."""
    case = desk.get(int(due.key))
    if case is not None and case.state in ASKED and case.attempts < desk.clocks.rules.callback.attempts:
        _ask(case, desk, dialogs, timers, say, session)


def _ask(case: Case, desk: CaseDesk, dialogs: Dialogs, timers: Timers, say: Say, session: Session) -> None:
    rule = desk.clocks.rules.callback
    desk.call_back(case)
    if case.reporter is None:
        _to_supervisor(case, desk, say, session)
        return
    phrase, values, photo = _question(case, desk, session)
    say.to_reporter(case, phrase, choices=CHOICES, photo=photo, number=case.number, **values)
    dialogs.ask("callback", wait=ANSWER_WAIT, case_id=case.id, of=asked_where(case))
    asked_at = case.asked_at or desk.now
    if case.attempts < rule.attempts:
        again = until_decent(asked_at + rule.every * case.attempts, rule, desk.zone)
        timers.after(again - desk.now, "callback.ask", str(case.id))
    else:
        tell_holder(case, "callback.phone", say, session)
        timers.after(max(timedelta(0), asked_at + rule.within - desk.now), "callback.unreached", str(case.id))


def _question(case: Case, desk: CaseDesk, session: Session) -> tuple[str, dict[str, Any], str | None]:
    """How the reporter is asked, with the photo of the result: the first time with the result, later shortly."""
    if case.attempts > 1:
        return "callback.remind", {"result": case.result}, None
    officer = session.get(Officer, case.resolved_by) if case.resolved_by else None
    unit = signing_unit(case, officer, desk, session)
    if case.kind == "question":
        return "question.reply", {"question": case.text[:60], "unit": unit, "text": case.result}, None
    photos = desk.result_photos(case)
    return "callback.ask", {"result": case.result, "unit": unit}, photos[-1].path if photos else None


@router.timer("callback.unreached")
def not_reached(due: Due, desk: CaseDesk, say: Say, session: Session) -> None:
    """Three times and 72 hours without an answer: a supervisor decides."""
    case = desk.get(int(due.key))
    rule = desk.clocks.rules.callback
    if case is None or case.state != State.VERIFYING or case.attempts < rule.attempts or case.asked_at is None:
        return
    if desk.now - case.asked_at >= rule.within:
        _to_supervisor(case, desk, say, session)


def _to_supervisor(case: Case, desk: CaseDesk, say: Say, session: Session) -> None:
    choices = (Choice("按未联系上办结", f"/未联系 {case.number}"),)
    who = supervisors(session, case.grid_id, desk.units(case))
    phrase = "callback.unreached" if case.reporter is not None else "callback.nobody_to_ask"
    say.to_officers(who, phrase, case=case, choices=choices, attempts=case.attempts, **case_card(case, desk, session))


# --- answers ---


@router.dialog("callback", hears=CLEAR)
def answered(
    message: Inbound,
    meaning: Meaning,
    pending: Pending,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    timers: Timers,
    rules: Rules,
    session: Session,
) -> None:
    """Yes closes, no asks for the reason (or takes it, if it was said along); what is unclear is asked about once."""
    case = _still_asked(pending, desk, dialogs)
    if take_answer(message, case, desk, dialogs, say, timers, rules, session):
        return
    if pending.step == "again" or not message.addressed or meaning.intent is not Intent.CHAT or message.attachments:
        raise NotMine
    dialogs.ask("callback", step="again", wait=ANSWER_WAIT, case_id=case.id)
    say.reply("callback.again", case=case, number=case.number, choices=CHOICES)


def take_answer(
    message: Inbound,
    case: Case,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    timers: Timers,
    rules: Rules,
    session: Session,
) -> bool:
    """Take the reporter's message as his answer about `case`, which waits for one or was closed; false when it is none."""
    said = verdict(message.text, strict=not message.addressed)
    if said is Verdict.NOT_SOLVED:
        if reason := reason_in(message.text):
            reopen(case, reason, desk, dialogs, say, session)
            say.reply("callback.reopened", case=case, number=case.number)
        else:
            ask_why(message, case, dialogs, timers, say)
        return True
    if said is Verdict.SOLVED and case.state in (*ASKED, State.CLOSED_UNREACHED):
        close(message, case, desk, dialogs, timers, say, rules, session)
        return True
    return False


def ask_why(message: Inbound, case: Case, dialogs: Dialogs, timers: Timers, say: Say) -> None:
    """He said no and no more: the reason is asked for."""
    own = DialogKey.of(message.address, message.sender.id)
    dialogs.end_about(case.id, of=asked_where(case))
    dialogs.ask("callback.reason", wait=REASON_WAIT, case_id=case.id, of=own)
    timers.after(REASON_WAIT, "callback.no_reason", str(case.id))
    say.reply("callback.why", case=case, number=case.number)


@router.dialog("callback.reason")
def reason_told(
    message: Inbound,
    pending: Pending,
    photos: Photos,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    timers: Timers,
    rules: Rules,
    session: Session,
) -> None:
    """The next message is the reason; a photo may show it."""
    case = _still_asked(pending, desk, dialogs, closed_too=True)
    if verdict(message.text, strict=True) is Verdict.SOLVED and case.state in ASKED:
        timers.cancel("callback.no_reason", str(case.id))
        close(message, case, desk, dialogs, timers, say, rules, session)
        return
    desk.attach(case, photos.ids, "reporter", message_id=message.message_id)
    if not message.text.strip():
        return
    timers.cancel("callback.no_reason", str(case.id))
    dialogs.end()
    reopen(case, message.text.strip(), desk, dialogs, say, session)
    say.reply("callback.reopened", case=case, number=case.number)


@router.timer("callback.no_reason")
def no_reason_told(due: Due, desk: CaseDesk, dialogs: Dialogs, say: Say, session: Session) -> None:
    """He said no and no more: that is enough to go on."""
    case = desk.get(int(due.key))
    if case is not None and case.state in (*ASKED, State.CLOSED_CONFIRMED, State.CLOSED_UNREACHED):
        reopen(case, say.word("callback.no_reason"), desk, dialogs, say, session)


@router.dialog("rating", hears=r"[1-5１-５一二三四五]\s*[分星]?")
def rated(message: Inbound, pending: Pending, desk: CaseDesk, dialogs: Dialogs, say: Say, session: Session) -> None:
    """One to five, once."""
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    if case is None or case.rating is not None:
        dialogs.end()
        raise NotMine
    if not take_rating(message, case, desk, say, session):
        raise NotMine
    dialogs.end()


def take_rating(message: Inbound, case: Case, desk: CaseDesk, say: Say, session: Session) -> bool:
    """Take the reporter's message as the rating of a closed case; false when it is none."""
    stars = stars_in(message.text)
    if stars is None or case.state != State.CLOSED_CONFIRMED:
        return False
    if case.rating is not None:
        return True  # a second tap
    desk.rate(case, stars)
    say.reply("callback.rated" if stars > LOW + 1 else "callback.rated_low", case=case, number=case.number)
    if stars <= LOW:
        say.to_officers(commanders(session), "callback.low", case=case, stars=stars, **case_card(case, desk, session))
    return True


# --- 28 days later ---


@router.timer("callback.second")
def ask_whether_it_came_back(due: Due, desk: CaseDesk, dialogs: Dialogs, timers: Timers, say: Say, session: Session) -> None:
    """What tends to come back is asked about once more."""
    case = desk.get(int(due.key))
    if case is None or case.state != State.CLOSED_CONFIRMED or case.reporter is None or case.asked_again_at is not None:
        return
    wait = until_decent(desk.now, desk.clocks.rules.callback, desk.zone) - desk.now
    if wait:
        timers.after(wait, "callback.second", due.key)
        return
    desk.ask_again(case)
    choices = (Choice(GONE, GONE), Choice(AGAIN, AGAIN))
    card = case_card(case, desk, session)
    say.to_reporter(case, "callback.second", choices=choices, number=case.number, place=card["place"], category=card["category"])
    dialogs.ask("second", wait=ANSWER_WAIT, case_id=case.id, of=asked_where(case))


@router.dialog("second", hears=rf"{GONE}|{AGAIN}|(?:又|没有?再)(?:出现|有|来|坏|漏|堵|停).*")
def came_back(
    message: Inbound, pending: Pending, desk: CaseDesk, dialogs: Dialogs, timers: Timers, say: Say, session: Session
) -> None:
    """It did not: thanks. It did: the case is opened again, with the reason."""
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    if case is None or case.state != State.CLOSED_CONFIRMED:
        dialogs.end()
        raise NotMine
    text = message.text.strip()
    if _GONE.search(text):
        dialogs.end()
        desk.note_from_reporter(case, "answer", text)
        say.reply("callback.stays_solved", case=case, number=case.number)
    elif _AGAIN.search(text):
        dialogs.end()
        if text == AGAIN:
            ask_why(message, case, dialogs, timers, say)
            return
        reopen(case, text, desk, dialogs, say, session)
        say.reply("callback.reopened", case=case, number=case.number)
    else:
        raise NotMine


# --- the photo of the result ---


@router.dialog("result.photo", hears="")
def result_photo(
    message: Inbound, meaning: Meaning, pending: Pending, photos: Photos, officer: Officer | None, desk: CaseDesk, say: Say
) -> None:
    """A photo that follows `/办结` belongs to the result and goes to the reporter, unless he has not been asked yet."""
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    if case is None or officer is None or case.state not in ASKED or not message.attachments or meaning.intent is not Intent.CHAT:
        raise NotMine
    if photos.lost:
        say.reply("callback.photo_lost", trouble=trouble_with(photos, say))
    if not photos.ids:
        return
    desk.attach(case, photos.ids, "officer", message_id=message.message_id, officer_id=officer.id)
    if case.attempts == 0:
        say.reply("callback.photo_kept", case=case, number=case.number)
        return
    say.reply("callback.photo_added", case=case, number=case.number)
    for photo in desk.photos(case)[-len(photos.ids) :]:
        say.to_reporter(case, "callback.photo", number=case.number, photo=photo.path)


def _still_asked(pending: Pending, desk: CaseDesk, dialogs: Dialogs, *, closed_too: bool = False) -> Case:
    """The case of the question, unless the question has become pointless."""
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    ends = (State.CLOSED_CONFIRMED, State.CLOSED_UNREACHED) if closed_too else (State.CLOSED_UNREACHED,)
    if case is None or case.state not in (*ASKED, *ends):
        dialogs.end()
        raise NotMine
    return case
