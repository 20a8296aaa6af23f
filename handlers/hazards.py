"""What residents bring: hazards, disputes, wishes, lost things, missing people. One message in, one answer out, one case."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from rapidfuzz import fuzz
from sqlmodel import Session

from bot.dialogs import Dialogs, Pending
from bot.messages import Inbound, Kind
from bot.router import CaseNumber, Router, Words
from bot.say import Say
from bot.timers import Due, Timers
from bot.turn import Effects, NotMine, Photos, Rules
from bot.understanding.meaning import Intent, Meaning
from cases.desk import CaseDesk, NewCase
from cases.dispatch import dispatchers, handlers_of
from cases.lifecycle import ABOUT, State
from content.refusal import Refusal
from handlers.cards import case_card, place_or_group
from handlers.origin import origin_of
from storage.tables import Case, Group, Officer

router = Router("hazards")

KIND = {
    Intent.HAZARD: "hazard",
    Intent.DISPUTE: "dispute",
    Intent.WISH: "wish",
    Intent.MISSING: "missing",
    Intent.LOST_FOUND: "lost_found",
    Intent.FEEDBACK: "feedback",
    Intent.SCAM_REPORT: "scam",
}
PLACE_WAIT = timedelta(minutes=10)
SAME_REPORT = timedelta(minutes=10)
SAME_WORDS = 88  # of 100, rapidfuzz token-free ratio: the same sentence sent again, perhaps with a word more
FLOOD = 5  # reports of one person in SAME_REPORT; what comes on top is added to the last case, so that nothing is lost
NEEDS_PLACE = frozenset({"hazard"})
ROUTINE_TIERS = frozenset({"T1", "T2", "T3"})
LONGEST_PLACE = 60


@router.intent("hazard", "dispute", "wish", "missing", "lost_found", "scam_report")
def report(
    message: Inbound,
    meaning: Meaning,
    group: Group | None,
    photos: Photos,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    timers: Timers,
    effects: Effects,
    rules: Rules,
    session: Session,
    now: datetime,
) -> None:
    """Open a case; ask where, but only if that cannot be told from the message."""
    origin = origin_of(message, group)
    earlier = desk.recent_of(origin, SAME_REPORT)
    same = next((case for case in earlier if fuzz.ratio(case.text, message.text) >= SAME_WORDS), None)
    if same is None and len(earlier) >= FLOOD:
        same = earlier[0]
        if len(desk.history(same)) < 2 * FLOOD:
            say.reply("report.slow_down", case=same, number=same.number)
    if same is not None:
        desk.add(same, message.text, photos.ids, "reporter", message.message_id)
        return
    places = dict.fromkeys(found.text for found in meaning.places if found.text not in rules.vague_places)
    place = "、".join(places)[:LONGEST_PLACE]
    if not place and message.location is not None:
        place = message.location.name or f"{message.location.latitude:.5f},{message.location.longitude:.5f}"
    kind = KIND.get(meaning.intent, "hazard")
    new = NewCase(
        kind, meaning.category or "other", meaning.tier or "T3", message.text, place, origin, needs_place=kind in NEEDS_PLACE
    )
    case = desk.open(new, photos.ids)
    effects.reported = now
    category = desk.category(case)
    if case.state == State.DRAFT:
        dialogs.ask("place", wait=PLACE_WAIT, case_id=case.id)
        timers.after(PLACE_WAIT, "place.missing", str(case.id))
        say.reply("report.where", case=case, number=case.number, category=category.name, advice=category.advice, lost=photos.lost)
        return
    unit = _pass_on(case, desk, say, rules, session)
    say.reply(
        "report.received",
        case=case,
        number=case.number,
        category=category.name,
        unit=unit,
        tier=case.tier,
        advice=category.advice,
        lost=photos.lost,
    )


@router.dialog("place")
def place_told(
    message: Inbound,
    meaning: Meaning,
    pending: Pending,
    photos: Photos,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    timers: Timers,
    rules: Rules,
    session: Session,
) -> None:
    """The person's next message is the place."""
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    if case is None or case.state != State.DRAFT:
        dialogs.end()
        raise NotMine
    desk.attach(case, photos.ids, "reporter", message_id=message.message_id)
    place = "、".join(dict.fromkeys(found.text for found in meaning.places)) or message.text.strip()
    place = place or (message.location.name if message.location else "")
    if not place:
        return  # a photo while we wait for the place: it is kept, the question stands
    dialogs.end()
    timers.cancel("place.missing", str(case.id))
    if message.text.strip() not in ("", place):
        desk.add(case, message.text, (), "reporter", message.message_id)
    desk.give_place(case, place[:LONGEST_PLACE], message.message_id)
    unit = _pass_on(case, desk, say, rules, session)
    say.reply("report.placed", case=case, number=case.number, place=case.place, unit=unit, tier=case.tier)


@router.timer("place.missing")
def nobody_said_where(due: Due, desk: CaseDesk, say: Say, session: Session) -> None:
    """Nobody answered: the case goes on without a place, to a person who can find out."""
    case = desk.get(int(due.key))
    if case is None or case.state != State.DRAFT:
        return
    desk.give_place(case, "")
    say.to_officers(dispatchers(session, case.grid_id), "desk.new_without_place", case=case, **case_card(case, desk, session))


@router.special("photo")
def photo_follows(message: Inbound, group: Group | None, photos: Photos, desk: CaseDesk, effects: Effects) -> None:
    """A photo without words belongs to what the person has just reported; else it waits for words for two minutes."""
    recent = desk.recent_of(origin_of(message, group), timedelta(minutes=2))
    if recent and photos.ids:
        desk.attach(recent[0], photos.ids, "reporter", message_id=message.message_id)
    elif not recent:
        effects.kept_waiting = True


@router.special("addition")
def add_to_case(message: Inbound, number: CaseNumber, photos: Photos, desk: CaseDesk, say: Say, session: Session) -> None:
    """A message that quotes our answer or names the number is added to that case, and the officer hears of it."""
    try:
        case = desk.find(number)
    except Refusal:
        if message.address.private or message.mentions_me:
            raise
        raise NotMine from None
    about_own_group = case.chat == message.address.chat and case.platform == message.address.platform
    author = "reporter" if case.reporter == message.sender.id and case.platform == message.address.platform else "resident"
    if author == "resident" and not about_own_group:
        # the number of somebody else's case from another place: say nothing about it, not even that it exists
        raise Refusal("desk.no_such", number=number)
    if not ABOUT[State(case.state)].open:
        say.reply("report.over", case=case, number=case.number, state=desk.state_name(case))
        return
    desk.add(case, message.text, photos.ids, author, message.message_id)
    say.reply("report.added", case=case, number=case.number, lost=photos.lost)
    _tell_holder(case, "desk.addition", say, session, text=message.text, photos=len(photos.ids))


@router.command("补充", "add", usage="号 要补充的话", about="给您反映过的事补充情况，也可以带照片")
def add_by_command(
    message: Inbound, number: CaseNumber, words: Words, photos: Photos, desk: CaseDesk, say: Say, session: Session
) -> None:
    """`/补充 2611-0042 …`."""
    if not words and not photos.ids:
        raise Refusal("refusal.usage", command="补充", usage="号 要补充的话")
    add_to_case(message, number, photos, desk, say, session)


@router.command("撤回", "withdraw", usage="号", about="撤回您自己反映的事")
def withdraw(message: Inbound, number: CaseNumber, desk: CaseDesk, say: Say, session: Session, dialogs: Dialogs) -> None:
    """Only whoever brought it can take it back."""
    case = desk.find(number)
    if case.reporter != message.sender.id or case.platform != message.address.platform:
        raise Refusal("desk.no_such" if case.chat != message.address.chat else "report.not_yours", number=number)
    holder = case.officer_id
    desk.withdraw(case)
    dialogs.end()
    say.reply("report.withdrawn", case=case, number=case.number)
    if holder is not None:
        _tell_holder(case, "desk.withdrawn", say, session)


@router.on(Kind.RECALL, Kind.EDIT)
def recalled_or_edited(message: Inbound, desk: CaseDesk, say: Say, session: Session) -> None:
    """A message of a case was taken back or changed: the case keeps its history and says so; a command is never run again."""
    case = desk.by_message(message.address.platform, message.address.chat, message.message_id)
    if case is None:
        if message.kind is Kind.EDIT and message.address.private:
            raise Refusal("refusal.edited")
        return
    if case.reporter != message.sender.id:
        return
    if message.kind is Kind.EDIT:
        desk.note_from_reporter(case, "edit", message.text)
        _tell_holder(case, "desk.edited", say, session, text=message.text)
    elif case.message_id == message.message_id and case.state in (State.DRAFT, State.SUBMITTED, State.ACCEPTED, State.DISPATCHED):
        desk.withdraw(case)
        say.to_reporter_alone(case, "report.recalled", number=case.number)
    else:
        desk.note_from_reporter(case, "recall", "")


def _pass_on(case: Case, desk: CaseDesk, say: Say, rules: Rules, session: Session) -> str:
    """Dispatch by the routing table, or call a dispatcher; returns the unit's name, empty when a person decides."""
    unit = desk.route(case) if rules.auto_dispatch and case.tier in ROUTINE_TIERS and case.category != "other" else None
    if unit is None:
        say.to_officers(dispatchers(session, case.grid_id), "desk.new", case=case, **case_card(case, desk, session))
        return ""
    say.to_officers(handlers_of(session, case), "desk.dispatched", case=case, **case_card(case, desk, session))
    return unit.name


def _tell_holder(case: Case, phrase: str, say: Say, session: Session, **values: Any) -> None:
    """Whoever has the case, else whoever could take it."""
    holder = session.get(Officer, case.officer_id) if case.officer_id else None
    officers = [holder] if holder else handlers_of(session, case)
    say.to_officers(officers, phrase, case=case, number=case.number, place=place_or_group(case, session), **values)
