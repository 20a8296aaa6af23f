"""What residents bring: hazards, disputes, wishes, lost things, missing people. One message in, one answer out, one case."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from datetime import datetime, timedelta

from rapidfuzz import fuzz
from sqlmodel import Session

from bot.dialogs import Dialogs, Pending
from bot.messages import Inbound
from bot.router import Router
from bot.say import Say, answer_key
from bot.timers import Due, Timers
from bot.turn import Effects, NotMine, Photos, Rules
from bot.understanding.meaning import Intent, Meaning
from cases.desk import CaseDesk, NewCase
from cases.dispatch import dispatchers, handlers_of
from cases.lifecycle import State
from cases.repeats import SAME_WORDS
from cases.similarity import open_alike
from handlers.additions import THANKS
from handlers.cards import case_card, tell_holder, trouble_with
from handlers.origin import Spot, origin_of
from storage.tables import Case, Group

router = Router("hazards")

KIND = {
    Intent.HAZARD: "hazard",
    Intent.DISPUTE: "dispute",
    Intent.WISH: "wish",
    Intent.MISSING: "missing",
    Intent.LOST_FOUND: "lost_found",
    Intent.SCAM_REPORT: "scam",
}
PLACE_WAIT = timedelta(minutes=10)
SAME_REPORT = timedelta(minutes=10)
FLOOD = 5  # reports of one person in SAME_REPORT; what comes on top is added to the last case, so that nothing is lost
NEEDS_PLACE = frozenset({"hazard"})
ROUTINE_TIERS = frozenset({"T1", "T2", "T3"})
LONGEST_PLACE = 60
TOLD_COUNTS = (2, 3, 5)  # after which neighbours the officer is told how many they are; then after every tenth
PHOTO_WORDS_WAIT = timedelta(minutes=2)  # as long as the photo itself is remembered
_NOBODY_KNOWS = re.compile("(?:我也?)?(?:不知道|不清楚|说不清|说不上来|不太清楚|不晓得)(?:在哪里?|具体位置)?[了呀啊。.]*")


@router.intent("hazard", "dispute", "wish", "missing")
def report(
    message: Inbound,
    meaning: Meaning,
    group: Group | None,
    photos: Photos,
    spot: Spot,
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
    trouble = trouble_with(photos, say)
    if (same := said_already(message, message.text, desk, say)) is not None:
        desk.add(same, message.text, photos.ids, _author(message, same, desk), message.message_id)
        return
    where = spot.of(message, meaning)
    kind = KIND.get(meaning.intent, "hazard")
    new = NewCase(
        kind,
        meaning.category or "other",
        meaning.tier or "T3",
        message.text,
        where.place[:LONGEST_PLACE],
        origin,
        needs_place=kind in NEEDS_PLACE,
        where=where,
    )
    case = desk.open(new, photos.ids)
    effects.reported = now
    category = desk.category(case)
    if case.state == State.DRAFT:
        dialogs.ask("place", wait=PLACE_WAIT, case_id=case.id)
        timers.after(PLACE_WAIT, "place.missing", str(case.id))
        say.reply("report.where", case=case, number=case.number, category=category.name, advice=category.advice, trouble=trouble)
        return
    if join_same(case, desk, say, session):
        return
    unit = pass_on(case, desk, say, rules, session)
    say.reply(
        "report.received",
        case=case,
        key=answer_key(case),
        number=case.number,
        category=category.name,
        unit=unit,
        tier=case.tier,
        advice=category.advice,
        trouble=trouble,
    )


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
        desk.attach(case, photos.ids, _author(message, case, desk), message_id=message.message_id)
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
    message: Inbound,
    meaning: Meaning,
    group: Group | None,
    photos: Photos,
    spot: Spot,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    timers: Timers,
    effects: Effects,
    rules: Rules,
    session: Session,
    now: datetime,
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
    report(message, meaning, group, photos, spot, desk, dialogs, say, timers, effects, rules, session, now)


def said_already(message: Inbound, text: str, desk: CaseDesk, say: Say) -> Case | None:
    """The open case that these words belong to: the same said again, or too much in a row, which is told once."""
    earlier = desk.recent_of(origin_of(message, None), SAME_REPORT)
    for case in earlier:
        if fuzz.ratio(case.text, text) >= SAME_WORDS and _numbers(case.text) == _numbers(text):
            return desk.master_of(case)
    if len(earlier) < FLOOD:
        return None
    last = desk.master_of(earlier[0])
    if all(line.kind != "addition" for line in desk.history(last)):
        say.reply("report.slow_down", case=last, number=last.number)
    return last


def _author(message: Inbound, case: Case, desk: CaseDesk) -> str:
    return desk.author(case, message.address.platform, message.sender.id)


def _numbers(text: str) -> list[str]:
    """ "3号楼" and "5号楼" are two places, however alike the rest is."""
    return re.findall(r"\d+|[一二三四五六七八九十]+(?=[号栋幢楼单层])", unicodedata.normalize("NFKC", text))


def join_same(case: Case, desk: CaseDesk, say: Say, session: Session) -> bool:
    """Put a report to the open case that it repeats, if that is beyond doubt; what is only likely, a dispatcher is shown."""
    if case.kind != "hazard":
        return False
    alike = [(other, like) for other, like in open_alike(session, case) if (other.id or 0) < (case.id or 0)]
    if not alike:
        return False
    master, like = alike[0]
    if like.score < desk.clocks.rules.join:
        say.to_officers(
            dispatchers(session, case.grid_id), "desk.perhaps_same", case=case, number=case.number, other=master.number
        )
        return False
    again = (master.platform, master.reporter) == (case.platform, case.reporter)
    desk.join(case, master)
    if again:
        say.reply("report.yours_already", case=master, number=master.number, state=desk.state_name(master))
        tell_holder(master, "desk.addition", say, session, text=case.text, photos=len(desk.photos(case)))
        return True
    count = desk.witnesses.count(master)
    say.reply("report.same", case=master, number=master.number, count=count)
    if count in TOLD_COUNTS or count % 10 == 0:
        tell_holder(master, "desk.witness", say, session, count=count, text=case.text, photos=len(desk.photos(case)))
    return True


def pass_on(case: Case, desk: CaseDesk, say: Say, rules: Rules, session: Session) -> str:
    """Dispatch by the routing table, or call a dispatcher; returns the unit's name, empty when a person decides."""
    units = desk.route(case) if rules.auto_dispatch and case.tier in ROUTINE_TIERS and case.category != "other" else []
    if not units:
        say.to_officers(dispatchers(session, case.grid_id), "desk.new", case=case, **case_card(case, desk, session))
        return ""
    say.to_officers(handlers_of(session, case), "desk.dispatched", case=case, **case_card(case, desk, session))
    return "、".join(unit.name for unit in units)
