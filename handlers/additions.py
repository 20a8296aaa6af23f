"""What happens to a case that exists: more about it, an answer about it, taken back, changed."""

from __future__ import annotations

import re
from datetime import datetime

from sqlmodel import Session, select

from bot.dialogs import DialogKey, Dialogs
from bot.messages import Address, Choice, Inbound, Kind
from bot.permissions import Rights
from bot.router import CaseNumber, Router, Words
from bot.say import Say, case_address
from bot.timers import Timers
from bot.turn import Menu, NotMine, Photos, Rules
from cases.desk import CaseDesk
from cases.lifecycle import ABOUT, State
from content.refusal import Refusal
from handlers.appeals import about_appeal
from handlers.callback import take_answer, take_rating
from handlers.cards import tell_holder, trouble_with
from handlers.closing import ASKED, reopen
from handlers.clues import about_missing
from handlers.hearing import Verdict, reason_in, verdict
from storage.tables import Case, Group

router = Router("additions")

THANKS = re.compile(
    r"(?:好的?|嗯+|哦|收到|知道|谢谢|感谢|多谢|辛苦|麻烦|不客气|你们?|您|大家|[了啊呀哈啦哒]|[\s,，.。!！~～、👍👌🙏😊])*"
)
_NAMED = re.compile(
    r"(?P<name>[\u4e00-\u9fff]{1,5}|[A-Za-z]{3,9})(?:\s*[:：]?\s*(?P<rest>[0-9０-９]{4}\s*[-－—–]\s*[0-9０-９]{4,6}(?![0-9０-９]).*))?",
    re.DOTALL,
)
DONE_ANYWAY = frozenset({"补充", "add"})  # without its slash it does the same
JUDGED = (*ASKED, State.CLOSED_CONFIRMED, State.CLOSED_UNREACHED)
NOT_TAKEN = (State.DRAFT, State.SUBMITTED, State.ACCEPTED, State.DISPATCHED)


@router.special("addition")
def about_a_case(
    message: Inbound,
    number: CaseNumber,
    photos: Photos,
    rights: Rights,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    timers: Timers,
    rules: Rules,
    session: Session,
    group: Group | None,
    menu: Menu,
    now: datetime,
) -> None:
    """A message that quotes one of our answers, or names the number: an answer about that case, or more about it."""
    if (meant := _without_slash(message, menu)) is not None:
        say.reply("help.needs_slash", meant=meant)
        return
    known = session.exec(select(Case).where(Case.number == number)).first()
    if known is not None and about_missing(message, known, group, photos, rights, desk, say, timers, session, now):
        return
    if known is None and about_appeal(message, number, group, photos, rights, say, session, now):
        return
    if message.copied:
        raise NotMine
    case = _reachable(message, number, rights, desk)
    if _is_reporter(message, case, desk):
        if case.state in JUDGED and take_answer(message, case, desk, dialogs, say, timers, rules, session):
            return
        if take_rating(message, case, desk, say, session):
            return
    elif _denied_by_witness(message, case, desk, dialogs, say, session):
        return
    elif message.kind is Kind.TAP:
        say.reply("callback.not_you")
        return
    if THANKS.fullmatch(message.text) and not message.attachments:
        return
    add_more(message, message.text, case, photos, rights, desk, say, session)


@router.command("补充", "add", usage="号 要补充的话", about="给您反映过的事补充情况，也可以带照片")
def add_by_command(
    message: Inbound,
    number: CaseNumber,
    words: Words,
    photos: Photos,
    rights: Rights,
    desk: CaseDesk,
    say: Say,
    session: Session,
) -> None:
    """`/补充 2611-0042 …`."""
    if not words and not photos.ids:
        raise Refusal("refusal.usage", command="补充", usage="号 要补充的话")
    add_more(message, words, _reachable(message, number, rights, desk), photos, rights, desk, say, session)


@router.command("撤回", "withdraw", usage="号", about="撤回您自己反映的事")
def withdraw(message: Inbound, number: CaseNumber, desk: CaseDesk, say: Say, session: Session, dialogs: Dialogs) -> None:
    """Only whoever brought it can take it back."""
    case = desk.find(number)
    if not _is_reporter(message, case, desk):
        raise Refusal("report.not_yours" if _same_chat(message, case) else "desk.no_such", number=number)
    if case.state == State.VERIFYING:
        raise Refusal("callback.again", number=number)
    gone = _withdraw(case, desk, dialogs, say, session)
    say.reply("report.withdrawn" if gone else "report.withdrawn_by_one", case=case, number=case.number)


@router.on(Kind.RECALL, Kind.EDIT)
def recalled_or_edited(message: Inbound, desk: CaseDesk, dialogs: Dialogs, say: Say, session: Session) -> None:
    """A message of a case was taken back or changed: the case keeps its history and says so; a command is never run again."""
    case = desk.by_message(message.address.platform, message.address.chat, message.message_id)
    if case is None:
        if message.kind is Kind.EDIT and message.address.private and message.text.lstrip()[:1] in ("/", "／"):
            raise Refusal("refusal.edited")
        return
    if not _is_reporter(message, case, desk):
        return
    if message.kind is Kind.EDIT:
        desk.note_from_reporter(case, "edit", message.text)
        tell_holder(desk.master_of(case), "desk.edited", say, session, text=message.text)
    elif case.message_id == message.message_id and case.state in NOT_TAKEN:
        gone = _withdraw(case, desk, dialogs, say, session)
        own = Address(message.address.platform, message.address.account, message.sender.id, private=True)
        say.at(own, "report.recalled" if gone else "report.withdrawn_by_one", case=case, number=case.number)
    else:
        desk.note_from_reporter(case, "recall", "")
        if case.state == State.DUPLICATE and case.message_id == message.message_id:
            desk.witnesses.drop(desk.master_of(case), message.address.platform, message.sender.id)
        if ABOUT[State(case.state)].open:
            tell_holder(case, "desk.recalled", say, session)


def _without_slash(message: Inbound, menu: Menu) -> str | None:
    """ "接单 2611-0042", or "接单" below a quoted card, as it has to be written; noted in the case it would look as if done."""
    found = _NAMED.fullmatch(message.text.strip())
    if found is None or message.copied or message.kind is not Kind.MESSAGE:
        return None
    rest, name = (found["rest"] or "").strip(), found["name"].lower()
    if name in DONE_ANYWAY or not any(command.number and name in (command.name, command.alias) for command in menu.commands):
        return None
    return f"/{name} {rest}".strip()[:60]


def _reachable(message: Inbound, number: str, rights: Rights, desk: CaseDesk) -> Case:
    """The case, if this person may know of it here; a number of somewhere else is treated exactly like one that never was."""
    try:
        case = desk.find(number)
    except Refusal:
        case = None
    if case is not None and (
        _is_reporter(message, case, desk)
        or _same_chat(message, case)
        or desk.witnesses.knows(case, message.address.platform, message.sender.id)
        or _officer_sees(case, rights, desk)
    ):
        return desk.master_of(case)  # what was merged is handled with its master
    if message.addressed or message.text.lstrip()[:1] in ("/", "／"):
        raise Refusal("desk.no_such", number=number)
    raise NotMine


def add_more(
    message: Inbound, text: str, case: Case, photos: Photos, rights: Rights, desk: CaseDesk, say: Say, session: Session
) -> None:
    """More about a case, by whoever brought it or knows of it; an officer's is a note of his."""
    trouble = trouble_with(photos, say)
    if not ABOUT[State(case.state)].open:
        say.reply("report.over", case=case, number=case.number, state=desk.state_name(case))
    elif not _is_reporter(message, case, desk) and _officer_sees(case, rights, desk):
        desk.look(case)
        desk.note(case, text)
        desk.attach(case, photos.ids, "officer", message_id=message.message_id)
        say.reply("desk.noted", case=case, number=case.number, trouble=trouble)
    else:
        desk.add(case, text, photos.ids, desk.author(case, message.address.platform, message.sender.id), message.message_id)
        say.reply("report.added", case=case, number=case.number, trouble=trouble)
        tell_holder(case, "desk.addition", say, session, text=text, photos=len(photos.ids))


def turned_up(message: Inbound, case: Case, desk: CaseDesk, say: Say, session: Session) -> None:
    """Whoever lost it has it again: who looks for it hears so, and it can be taken back."""
    desk.add(case, message.text, (), desk.author(case, message.address.platform, message.sender.id), message.message_id)
    say.reply("report.turned_up", case=case, number=case.number, choices=(Choice("撤回", f"/撤回 {case.number}"),))
    tell_holder(case, "desk.addition", say, session, text=message.text, photos=0)


def _denied_by_witness(message: Inbound, case: Case, desk: CaseDesk, dialogs: Dialogs, say: Say, session: Session) -> bool:
    """Whoever reported the same may say that it is not solved, with the reason; that it is solved, only the reporter."""
    if case.state not in JUDGED or not desk.witnesses.knows(case, message.address.platform, message.sender.id):
        return False
    reason = reason_in(message.text)
    if not reason or verdict(message.text, strict=not message.addressed) is not Verdict.NOT_SOLVED:
        return False
    reopen(case, reason, desk, dialogs, say, session, by="resident")
    say.reply("callback.reopened", case=case, number=case.number)
    return True


def _withdraw(case: Case, desk: CaseDesk, dialogs: Dialogs, say: Say, session: Session) -> bool:
    """Whether the case is over; it is not when others reported the same."""
    known_to_somebody = case.state != State.DRAFT
    asked = DialogKey.of(case_address(case), case.reporter or "")
    gone = desk.withdraw(case)
    dialogs.end_about(case.id, of=asked)
    if known_to_somebody:
        tell_holder(case, "desk.withdrawn" if gone else "desk.withdrawn_by_one", say, session)
    return gone


def _is_reporter(message: Inbound, case: Case, desk: CaseDesk) -> bool:
    return desk.brought_by(case, message.address.platform, message.sender.id)


def _same_chat(message: Inbound, case: Case) -> bool:
    return (case.platform, case.account, case.chat) == (message.address.platform, message.address.account, message.address.chat)


def _officer_sees(case: Case, rights: Rights, desk: CaseDesk) -> bool:
    return rights.officer is not None and rights.covers("case.view", case.grid_id, desk.units(case))
