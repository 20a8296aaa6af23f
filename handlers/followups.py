"""What people say after they brought something, without quoting us or naming a number: more about it, how far it is, that it is
solved after all, that nobody need come."""

from __future__ import annotations

import re
from datetime import datetime

from sqlmodel import Session

from bot.dialogs import Dialogs, Pending
from bot.messages import Choice, Inbound
from bot.permissions import Rights
from bot.router import Router, named_number
from bot.say import Say
from bot.timers import Timers
from bot.turn import Brought, NotMine, Photos, Rules
from bot.understanding.meaning import Intent, Meaning
from bot.understanding.openers import only_opens
from cases.desk import CaseDesk
from cases.lifecycle import ABOUT, State
from handlers.additions import JUDGED, THANKS, add_more, turned_up
from handlers.callback import take_answer
from handlers.cards import case_card
from handlers.closing import ASKED
from handlers.desk import out_of_the_group
from handlers.hearing import (
    ADDRESS,
    FREE,
    PROGRESS,
    REGRET,
    TURNED_UP,
    Verdict,
    calls_a_person,
    describes_thing,
    is_opening,
    verdict,
)
from storage.tables import Case

router = Router("followups")

NO_PHOTOS = Photos()

_CONFIDED = re.compile("举报|检举|线索|保密|匿名")  # never into a case, which more people read than a tip
ASKS = re.compile(r"[?？]\s*$|什么|怎么|怎样|多少|多久|谁|能不能|可不可以|是不是|[吗么呢]\s*$")
_MORE = re.compile(rf"{ADDRESS}|{FREE}")
_REGRET = re.compile(REGRET)
_TURNED_UP = re.compile(TURNED_UP)
_PROGRESS = re.compile(PROGRESS)


@router.dialog("details", hears=rf"{ADDRESS}|{FREE}|{REGRET}|{PROGRESS}|{TURNED_UP}")
def more_told(
    message: Inbound,
    meaning: Meaning,
    brought: Brought,
    pending: Pending,
    rights: Rights,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    session: Session,
    now: datetime,
) -> None:
    """People write in several messages: what follows a report belongs to it, unless it is another matter."""
    case = desk.get(int(pending.data["case"]))
    if case is None or not ABOUT[State(case.state)].open or case.reporter is None:
        dialogs.end()
        raise NotMine
    text = message.text.strip()
    if message.copied or message.attachments or brought.verdict is not None or len(text) < 2 or _answers_another(text, dialogs):
        raise NotMine
    if message.quote is not None or named_number(text) is not None:
        raise NotMine
    if _REGRET.fullmatch(text):
        if case.state in JUDGED:
            raise NotMine
        choices = (Choice("撤回", f"/撤回 {case.number}"),)
        say.reply("report.take_back", case=case, number=case.number, choices=choices)
    elif case.kind == "lost_found" and case.state not in JUDGED and _TURNED_UP.fullmatch(text):
        turned_up(message, case, desk, say, session)
    elif _PROGRESS.fullmatch(text):
        if message.addressed:
            raise NotMine  # of everything that this person brought, by the keyword
        say.reply("progress.asked", case=case, **case_card(case, desk, session))
    elif is_opening(text) and not (calls_a_person(case.text) and meaning.intent is Intent.FEEDBACK):
        raise NotMine
    elif (
        case.state not in JUDGED
        and now < datetime.fromisoformat(pending.data["until"])
        and _is_more(message, text, meaning, case)
    ):
        add_more(message, text, case, NO_PHOTOS, rights, desk, say, session)
    else:
        raise NotMine


def _until(pending: Pending) -> datetime:
    return datetime.fromisoformat(pending.data["until"])


def _answers_another(text: str, dialogs: Dialogs) -> bool:
    """Whether it says that something is solved, or not: for the question beneath, if there is one."""
    asked = any(one.name.startswith("callback") for one in dialogs.waiting())
    return verdict(text, strict=not asked) is not Verdict.UNCLEAR


def _is_more(message: Inbound, text: str, meaning: Meaning, case: Case) -> bool:
    if _MORE.fullmatch(text):
        return meaning.intent is not Intent.TIP
    if message.addressed and case.kind == "lost_found" and describes_thing(text, meaning):
        return True
    said = _CONFIDED.search(text) or THANKS.fullmatch(text) or only_opens(text) or ASKS.search(text)
    return message.addressed and not said and meaning.intent in (Intent.CHAT, Intent.FEEDBACK)


@router.dialog("request")
def information_told(
    message: Inbound,
    meaning: Meaning,
    pending: Pending,
    photos: Photos,
    rights: Rights,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    session: Session,
) -> None:
    """The answer to an officer's question (`/追问`), which few people think of quoting."""
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    if case is None or not ABOUT[State(case.state)].open:
        dialogs.end()
        raise NotMine
    text = message.text.strip()
    another = meaning.intent in (Intent.QUESTION, Intent.TIP) or (meaning.intent is not Intent.CHAT and bool(meaning.category))
    if message.copied or only_opens(text) or (THANKS.fullmatch(text) and not photos.ids) or (another and not message.addressed):
        raise NotMine
    if text:
        dialogs.end()
    add_more(message, text, case, photos, rights, desk, say, session)


@router.keyword(r"(?s)^.{1,60}$")
def answered_elsewhere(
    message: Inbound,
    meaning: Meaning,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    timers: Timers,
    rules: Rules,
    session: Session,
) -> None:
    """Asked in the group whether it is solved, answered in private (or in another group, to us)."""
    said, clear = verdict(message.text), verdict(message.text, strict=True)
    if said is Verdict.UNCLEAR or message.copied or message.attachments:
        raise NotMine
    if clear is Verdict.UNCLEAR and meaning.intent not in (Intent.CHAT, Intent.FEEDBACK):
        raise NotMine
    mine = desk.of_reporter(message.address.platform, message.sender.id)
    waiting = [case for case in mine if case.state in ASKED and (case.platform, case.account) == _here(message)]
    if not waiting and said is Verdict.NOT_SOLVED:
        waiting = [case for case in mine if case.state in JUDGED and (case.platform, case.account) == _here(message)]
    if not waiting:
        raise NotMine
    if len(waiting) > 1:
        cards = [case_card(case, desk, session) for case in waiting]
        out_of_the_group(message, say, "callback.which", cases=cards, number=waiting[0].number, said=message.text.strip()[:20])
    elif not take_answer(message, waiting[0], desk, dialogs, say, timers, rules, session):
        raise NotMine


@router.keyword(rf"^\s*{PROGRESS}\s*$")
def progress_asked(message: Inbound, desk: CaseDesk, say: Say, session: Session) -> None:
    """How far is it? The words of `/查`."""
    if message.copied or message.attachments:
        raise NotMine
    mine = desk.of_reporter(message.address.platform, message.sender.id)
    shown: list[Case] = [case for case in mine if ABOUT[State(case.state)].open] or mine
    cards = [case_card(case, desk, session) for case in shown]
    if len(shown) == 1:
        out_of_the_group(message, say, "progress.asked", case=shown[0], **cards[0])
    else:
        out_of_the_group(message, say, "desk.mine" if cards else "desk.none_of_mine", cases=cards)


def _here(message: Inbound) -> tuple[str, str]:
    return message.address.platform, message.address.account
