"""What people say to us before or instead of a matter: who are you, a person please, I want to complain, and questions that leave
out what they are about. The library must not answer these: something in it always resembles them."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session

from bot.dialogs import Dialogs
from bot.messages import Inbound
from bot.router import Router
from bot.say import Say
from bot.turn import Answered, NotMine, Photos, Rules
from cases.desk import CaseDesk
from handlers.hearing import MATTER, PERSON, VAGUE, WHO, WORDLESS, calls_a_person
from handlers.origin import origin_of
from handlers.questions import ask_a_person
from handlers.reports import listen_for_more
from storage.tables import Group

router = Router("openings")

CALLED = timedelta(hours=1)  # who asks for a person again so soon waits for the one who was called


@router.keyword(WHO)
def who_are_you(message: Inbound, say: Say, rules: Rules) -> None:
    """A machine says that it is one."""
    _only_words(message)
    say.reply("help.who", name=rules.bot_name, station=rules.station)


@router.keyword(PERSON)
def a_person_please(
    message: Inbound,
    photos: Photos,
    group: Group | None,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    session: Session,
    now: datetime,
) -> None:
    """Nobody is kept talking to a machine: a person is called, and what is said meanwhile goes along."""
    _only_words(message)
    called = [one for one in desk.recent_of(origin_of(message, group), CALLED) if calls_a_person(one.text)]
    if called:
        say.reply("question.person_called", case=called[0], number=called[0].number)
        return
    case = ask_a_person(message, message.text, photos, group, Answered(), desk, say, session, phrase="question.person")
    if case is not None:
        listen_for_more(case, dialogs, now)


@router.keyword(MATTER)
def a_matter_to_come(message: Inbound, say: Say) -> None:
    """Go on, what is it?"""
    _only_words(message)
    say.reply("help.tell_me", private=message.address.private)


@router.keyword(VAGUE)
def about_what(message: Inbound, say: Say) -> None:
    """The library knows no "what to bring" without what for."""
    _only_words(message)
    say.reply("help.which_matter")


@router.keyword(WORDLESS)
def no_words(message: Inbound, say: Say) -> None:
    """A question mark is no question."""
    _only_words(message)
    say.reply("help.what_i_do")


def _only_words(message: Inbound) -> None:
    if message.copied or message.attachments or message.quote is not None:
        raise NotMine
