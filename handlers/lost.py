"""Lost and found: a case like every report, a detail kept back, and an officer who compares."""

from __future__ import annotations

import re
from datetime import timedelta

from sqlmodel import Session

from bot.dialogs import DialogKey, Dialogs, Pending
from bot.messages import Address, Inbound
from bot.permissions import Role
from bot.router import CaseNumber, Router, Words, parse_number
from bot.say import Say
from bot.timers import Timers
from bot.turn import NotMine, Photos
from bot.understanding.meaning import Intent, Meaning
from cases.desk import CaseDesk
from cases.dispatch import handlers_of
from cases.lost import LostAndFound, Match
from content.refusal import Refusal
from handlers.additions import turned_up
from handlers.callback import ask_reporter
from handlers.cards import case_card
from handlers.hearing import TURNED_UP, describes_thing
from handlers.reports import Reports
from storage.tables import Case, LostItem

router = Router("lost")

DETAIL_WAIT = timedelta(hours=24)
MORE_WAIT = timedelta(minutes=10)
LONGEST_DETAIL = 400


@router.intent("lost_found")
def lost_or_found(
    message: Inbound,
    meaning: Meaning,
    photos: Photos,
    desk: CaseDesk,
    lost: LostAndFound,
    dialogs: Dialogs,
    say: Say,
    reports: Reports,
    session: Session,
) -> None:
    """A report like any other; then the detail is asked for in private, and what fits is shown to the officer."""
    made = reports.take(message, meaning, photos)
    if made is None:
        return  # the same said again
    item = lost.note(made)
    private = Address(message.address.platform, message.address.account, message.sender.id, private=True)
    dialogs.ask("lost.detail", wait=DETAIL_WAIT, case_id=made.id, of=DialogKey.of(private, message.sender.id))
    say.privately(f"lost.detail_{item.side}", case=made, number=made.number)
    _show_matches(made, item, lost.matches(made, item), desk, say, session)


@router.dialog("lost.detail")
def detail_told(
    message: Inbound,
    meaning: Meaning,
    pending: Pending,
    desk: CaseDesk,
    lost: LostAndFound,
    dialogs: Dialogs,
    say: Say,
    session: Session,
) -> None:
    """The next words in private are the detail, unless they are another matter."""
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    item = lost.item(case) if case is not None else None
    text = message.text.strip()
    its_own = meaning.intent in (Intent.CHAT, Intent.LOST_FOUND, Intent.FEEDBACK) or describes_thing(text, meaning)
    if case is None or item is None or not its_own:
        raise NotMine
    if item.side == "lost" and re.fullmatch(TURNED_UP, text):
        turned_up(message, case, desk, say, session)
        return
    if len(text) < 2 or (item.detail and not describes_thing(text, meaning)):
        raise NotMine
    dialogs.ask("lost.detail", wait=MORE_WAIT, case_id=case.id)  # people say it in several messages
    lost.tell(item, "；".join(filter(None, (item.detail, text[:200])))[:LONGEST_DETAIL])
    say.reply("lost.detail_kept", case=case, number=case.number)
    _show_matches(case, item, lost.matches(case, item), desk, say, session)


@router.command(
    "物归",
    "return_item",
    usage="丢的编号 捡的编号",
    about="核对过特征，东西归还失主",
    needs=(Role.OFFICER, Role.GRID_WORKER),
    aside=True,
)
def give_back(
    number: CaseNumber,
    words: Words,
    desk: CaseDesk,
    lost: LostAndFound,
    dialogs: Dialogs,
    timers: Timers,
    say: Say,
    session: Session,
) -> None:
    """Both sides hear of it, and both are asked."""
    other = parse_number(words.split(" ")[0]) if words else None
    if other is None:
        raise Refusal("refusal.usage", command="物归", usage="丢的编号 捡的编号")
    first, second = desk.find(number), desk.find(other)
    mine = lost.item(first)
    owner, finder = (first, second) if mine is None or mine.side == "lost" else (second, first)
    lost.give_back(owner, finder)
    say.reply("lost.given_back", case=owner, lost=owner.number, found=finder.number)
    for case, phrase in ((owner, "lost.result_owner"), (finder, "lost.result_finder")):
        desk.helped(case, say.word(phrase))
        ask_reporter(case, desk, dialogs, timers, say, session)


def _show_matches(case: Case, item: LostItem, matches: list[Match], desk: CaseDesk, say: Say, session: Session) -> None:
    for match in matches:
        pair = ((case, item), (match.case, match.item))
        (owner, lost), (finder, found) = pair if item.side == "lost" else pair[::-1]
        say.to_officers(
            handlers_of(session, finder),
            "lost.card_match",
            case=finder,
            why=match.why,
            lost=case_card(owner, desk, session),
            found=case_card(finder, desk, session),
            lost_detail=lost.detail,
            found_detail=found.detail,
        )
