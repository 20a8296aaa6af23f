"""Hand-over: an officer talks to the reporter through the bot. The role is shown, not the person; the bot keeps quiet meanwhile.

It is over when the officer says so, when the case is resolved, or when nobody has said anything for a while. While it lasts there
is a timer; a message that comes after it finds none and is handled by the bot as ever.
"""

from __future__ import annotations

from sqlmodel import Session

from bot.dialogs import DialogKey, Dialogs, Pending
from bot.messages import Address, Inbound
from bot.permissions import Role
from bot.router import CaseNumber, Router
from bot.say import Say, case_address
from bot.timers import Due, Timers
from bot.turn import NotMine, Photos, Rules
from cases.desk import CaseDesk
from cases.lifecycle import ABOUT
from content.refusal import Refusal
from handlers.cards import signing_unit, trouble_with
from storage.tables import Case, Officer

router = Router("talk")

TIMER = "talk.quiet"
HANDLERS = (Role.OFFICER, Role.GRID_WORKER)
NOTHING_UNASKED = r"(?!)"  # in a group only what is said to us belongs to the conversation


@router.command("对话", "talk", usage="号", about="通过机器人和反映人直接说话，只显示职务", needs=HANDLERS, private=True)
def begin(
    message: Inbound,
    number: CaseNumber,
    desk: CaseDesk,
    dialogs: Dialogs,
    timers: Timers,
    say: Say,
    rules: Rules,
    session: Session,
) -> None:
    """From now on what the officer writes in the private chat goes to the reporter, and back."""
    case = desk.find(number)
    officer = desk.talk(case)
    if not ABOUT[case.state].open or case.reporter is None:
        raise Refusal("talk.over_already", number=case.number)
    role = " ".join(part for part in (signing_unit(case, officer, desk, session), officer.title) if part)
    address = message.address
    there = {"platform": address.platform, "account": address.account, "chat": address.chat, "sender": message.sender.id}
    there["role"] = role
    dialogs.ask("talk.officer", wait=rules.talk_quiet, case_id=case.id, data=there)
    dialogs.ask("talk.resident", wait=rules.talk_quiet, case_id=case.id, data=there, of=_resident(case))
    timers.after(rules.talk_quiet, TIMER, str(case.id), **there)
    minutes = int(rules.talk_quiet.total_seconds() // 60)
    say.reply("talk.begun", case=case, number=case.number, minutes=minutes)
    say.to_reporter(case, "talk.hello", number=case.number, role=role, group=not case.private)


@router.dialog("talk.officer", hears=NOTHING_UNASKED)
def officer_says(
    message: Inbound,
    pending: Pending,
    officer: Officer | None,
    photos: Photos,
    desk: CaseDesk,
    dialogs: Dialogs,
    timers: Timers,
    say: Say,
    rules: Rules,
) -> None:
    """To the reporter, under the role."""
    case = _open_talk(pending, desk, dialogs, timers)
    if officer is None:
        raise NotMine
    text = message.text.strip()
    desk.note(case, text, "message")
    desk.attach(case, photos.ids, "officer", message_id=message.message_id, officer_id=officer.id)
    paths = [photo.path for photo in desk.photos(case)[-len(photos.ids) :]] if photos.ids else [None]
    for number, path in enumerate(paths):
        said = text if number == 0 else ""
        say.to_reporter(case, "talk.from_officer", role=pending.data["role"], text=said, photo=path)
    if photos.lost:
        say.reply("report.photo_trouble", trouble=trouble_with(photos, say))
    _go_on(case, pending, dialogs, timers, rules)


@router.dialog("talk.resident", hears=NOTHING_UNASKED)
def resident_says(
    message: Inbound,
    pending: Pending,
    photos: Photos,
    desk: CaseDesk,
    dialogs: Dialogs,
    timers: Timers,
    say: Say,
    rules: Rules,
) -> None:
    """To the officer; the bot says nothing itself."""
    case = _open_talk(pending, desk, dialogs, timers)
    text = message.text.strip()
    desk.add(case, text, photos.ids, "reporter", message.message_id)
    to = Address(pending.data["platform"], pending.data["account"], pending.data["chat"], private=True)
    paths = [photo.path for photo in desk.photos(case)[-len(photos.ids) :]] if photos.ids else [None]
    for number, path in enumerate(paths):
        said = text if number == 0 else ""
        say.at(to, "talk.from_resident", case=case, number=case.number, text=said, photo=path)
    if photos.lost:
        say.reply("report.photo_trouble", trouble=trouble_with(photos, say))
    _go_on(case, pending, dialogs, timers, rules)


@router.command("结束对话", "endtalk", usage="号", about="结束对话，机器人接着管", needs=HANDLERS, private=True)
def release(number: CaseNumber | None, dialogs: Dialogs, desk: CaseDesk, timers: Timers, say: Say) -> None:
    """The bot takes over again."""
    mine = [pending for pending in dialogs.waiting() if pending.name == "talk.officer"]
    case = desk.find(number) if number is not None else desk.get(mine[0].case_id or 0) if mine else None
    if case is None or not timers.waits(TIMER, str(case.id)):
        raise Refusal("talk.none")
    if number is not None:
        desk.talk(case)
    end_talk(case, timers)
    dialogs.end_about(case.id)
    say.reply("talk.ended", case=case, number=case.number)
    say.to_reporter(case, "talk.bye", number=case.number)


@router.timer(TIMER)
def fell_silent(due: Due, desk: CaseDesk, say: Say) -> None:
    """Nobody has said anything for a while: the bot takes over again, and says so to the officer."""
    case = desk.get(int(due.key))
    if case is not None:
        to = Address(due.data["platform"], due.data["account"], due.data["chat"], private=True)
        say.at(to, "talk.fell_silent", case=case, number=case.number)


def end_talk(case: Case, timers: Timers) -> None:
    """The conversation about a case is over; nothing happens when there is none."""
    timers.cancel(TIMER, str(case.id))


def _open_talk(pending: Pending, desk: CaseDesk, dialogs: Dialogs, timers: Timers) -> Case:
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    if case is None or not timers.waits(TIMER, str(case.id)):
        dialogs.end()
        raise NotMine
    return case


def _go_on(case: Case, pending: Pending, dialogs: Dialogs, timers: Timers, rules: Rules) -> None:
    """It lasts from the last word on."""
    there = pending.data
    officer = Address(there["platform"], there["account"], there["chat"], private=True)
    dialogs.ask("talk.officer", wait=rules.talk_quiet, case_id=case.id, data=there, of=DialogKey.of(officer, there["sender"]))
    dialogs.ask("talk.resident", wait=rules.talk_quiet, case_id=case.id, data=there, of=_resident(case))
    timers.after(rules.talk_quiet, TIMER, str(case.id), **there)


def _resident(case: Case) -> DialogKey:
    return DialogKey.of(case_address(case), case.reporter or "")
