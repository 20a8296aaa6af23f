"""What residents bring: hazards, disputes, wishes, lost things, missing people. One message in, one answer out, one case."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from sqlmodel import Session

from bot.dialogs import Dialogs, Pending
from bot.messages import Inbound
from bot.router import Router
from bot.say import Say, answer_key
from bot.timers import Due, Timers
from bot.turn import Effects, NotMine, Photos, Rules
from bot.understanding.meaning import Intent, Meaning
from cases.desk import CaseDesk
from cases.dispatch import dispatchers
from cases.lifecycle import State
from handlers.additions import THANKS
from handlers.bulletins import is_bulletin
from handlers.cards import case_card, tell_holder, trouble_with
from handlers.origin import Spot, origin_of
from handlers.reports import KIND, LONGEST_PLACE, Reports, author_of, join_same, listen_for_more, pass_on
from storage.tables import Group

router = Router("hazards")

PHOTO_WORDS_WAIT = timedelta(minutes=2)  # as long as the photo itself is remembered
_NOBODY_KNOWS = re.compile("(?:我也?)?(?:不知道|不清楚|说不清|说不上来|不太清楚|不晓得)(?:在哪里?|具体位置)?[了呀啊。.]*")


@router.intent("hazard", "dispute", "wish", "missing")
def report(message: Inbound, meaning: Meaning, photos: Photos, reports: Reports, say: Say) -> None:
    """A case, whatever of these it is; a bulletin that somebody passes on is none."""
    if meaning.intent is Intent.HAZARD and is_bulletin(message):
        if message.addressed:
            say.reply("report.bulletin")
        return
    reports.take(message, meaning, photos)


@router.dialog("place")
def place_told(
    message: Inbound,
    meaning: Meaning,
    pending: Pending,
    photos: Photos,
    spot: Spot,
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
    if is_bulletin(message):
        raise NotMine
    text = message.text.strip()
    desk.attach(case, photos.ids, "reporter", message_id=message.message_id)
    if not text and message.location is None:
        return  # a photo while we wait for the place: it is kept, the question stands
    where = spot.of(message, meaning)
    named = where.place
    if not named and (THANKS.fullmatch(text) or meaning.intent in (Intent.QUESTION, Intent.TIP)):
        raise NotMine
    nobody_knows = not named and (len(text) > LONGEST_PLACE or _NOBODY_KNOWS.fullmatch(text) is not None)
    place = "" if nobody_knows else named or text
    dialogs.end()
    timers.cancel("place.missing", str(case.id))
    if text not in ("", place):
        desk.add(case, text, (), "reporter", message.message_id)
    desk.give_place(case, place[:LONGEST_PLACE], message.message_id, where)
    if nobody_knows:
        say.to_officers(dispatchers(session, case.grid_id), "desk.new_without_place", case=case, **case_card(case, desk, session))
        say.reply("report.no_place", case=case, number=case.number)
        return
    if join_same(case, desk, say, session):
        return
    listen_for_more(case, dialogs, desk.now)
    unit = pass_on(case, desk, say, rules, session)
    say.reply("report.placed", case=case, key=answer_key(case), number=case.number, place=case.place, unit=unit, tier=case.tier)


@router.timer("place.missing")
def nobody_said_where(due: Due, desk: CaseDesk, say: Say, session: Session) -> None:
    """Nobody answered: the case goes on without a place, to a person who can find out."""
    case = desk.get(int(due.key))
    if case is None or case.state != State.DRAFT:
        return
    desk.give_place(case, "")
    say.to_officers(dispatchers(session, case.grid_id), "desk.new_without_place", case=case, **case_card(case, desk, session))


@router.special("photo")
def photo_follows(
    message: Inbound,
    meaning: Meaning,
    group: Group | None,
    photos: Photos,
    spot: Spot,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    effects: Effects,
    session: Session,
) -> None:
    """A photo or a pin without words belongs to the report just made; else it waits for words (asked for, if it was for us)."""
    recent = desk.recent_of(origin_of(message, group), timedelta(minutes=2))
    if recent:
        case = desk.master_of(recent[0])
        desk.attach(case, photos.ids, author_of(message, case, desk), message_id=message.message_id)
        where = spot.of(message, meaning)
        if desk.pin(case, where, message.message_id) and message.location is not None:
            tell_holder(case, "desk.addition", say, session, text=where.place, photos=0)
        if photos.lost:
            say.reply("report.photo_trouble", case=case, trouble=trouble_with(photos, say))
        return
    effects.kept_waiting = message.lone_photo
    if message.addressed:
        dialogs.ask("photo.words", wait=PHOTO_WORDS_WAIT)
        say.reply("help.photo_alone" if message.location is None else "help.pin_alone")


@router.dialog("photo.words", hears=r"(?s).+")
def photo_explained(
    message: Inbound, meaning: Meaning, photos: Photos, dialogs: Dialogs, effects: Effects, reports: Reports
) -> None:
    """What is in the photo that came alone: a report, whatever it says."""
    if message.lone_photo or message.bare_call:
        effects.kept_waiting = message.lone_photo
        return
    if THANKS.fullmatch(message.text) or meaning.intent in (Intent.QUESTION, Intent.TIP):
        raise NotMine
    dialogs.end()
    if meaning.intent not in KIND:
        meaning = replace(meaning, intent=Intent.HAZARD, category="other", tier="T3")
    reports.take(message, meaning, photos)
