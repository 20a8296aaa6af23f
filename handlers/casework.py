"""Work on a case: take it, talk to the reporter, ask for more time, report the result."""

from __future__ import annotations

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session

from bot.dialogs import Dialogs
from bot.messages import Choice, Inbound
from bot.permissions import Role
from bot.router import CaseNumber, Router, Words
from bot.say import Say
from bot.timers import Due, Timers
from bot.turn import Photos
from cases.desk import CaseDesk
from cases.dispatch import supervisors
from cases.lifecycle import State
from content.refusal import Refusal
from content.spelling import named, simplified
from handlers.callback import ask_reporter
from handlers.cards import case_card, moment, place_or_group, signing_unit, tell_holder, trouble_with
from handlers.closing import asked_where
from handlers.keeping import offer_to_keep
from handlers.talk import end_talk
from storage.tables import Case, Officer

router = Router("casework")

HANDLERS = (Role.OFFICER, Role.GRID_WORKER)
DESK = (*HANDLERS, Role.DISPATCHER, Role.SUPERVISOR)
SHORTEST_RESULT = 4  # characters: "已处理" says nothing to the person who has to confirm it
PHOTO_WAIT = timedelta(minutes=10)
ANSWER_WAIT = timedelta(minutes=30)  # in a group, where after that what somebody says is more likely talk
MOST_DAYS = 30
_HOLD = re.compile(r"(\d{1,3})\s*(?:天|日|个工作日)?[\s,，：:]*(.*)", re.DOTALL)
AGREED, REFUSED = "同意", "不同意"


@router.command("接单", "take", usage="号", about="接下一件事", needs=HANDLERS)
def take(number: CaseNumber, desk: CaseDesk, say: Say, session: Session) -> None:
    """The first one has it."""
    case = desk.find(number)
    officer = desk.take(case)
    say.reply("desk.taken_by_you", case=case, **case_card(case, desk, session))
    say.to_reporter_alone(case, "progress.taken", number=case.number, unit=signing_unit(case, officer, desk, session))


@router.command("联系", "contact", usage="号 联系情况", about="记下已经联系过反映人", needs=HANDLERS)
def contact(number: CaseNumber, words: Words, desk: CaseDesk, timers: Timers, say: Say) -> None:
    """Talked to the reporter; in progress from now on."""
    case = desk.find(number)
    desk.contact(case, words)
    timers.cancel("desk.hold", str(case.id))
    say.reply("desk.contacted", case=case, number=case.number)


@router.command("追问", "request", usage="号 要问的话", about="请反映人补充情况", needs=DESK)
def request(number: CaseNumber, words: Words, desk: CaseDesk, dialogs: Dialogs, timers: Timers, say: Say) -> None:
    """Ask the reporter; the answer comes back into the case: his next words, or later on quoted or with the number.

    The clocks stand still for 48 hours.
    """
    if not words:
        raise Refusal("refusal.usage", command="追问", usage="号 要问的话")
    case = desk.find(number)
    desk.request(case, words)
    timers.after(desk.clocks.rules.needs_info, "desk.no_info", str(case.id))
    say.reply("desk.requested", case=case, number=case.number)
    say.to_reporter(case, "progress.request", number=case.number, text=words)
    if case.reporter is not None:
        wait = desk.clocks.rules.needs_info if case.private else ANSWER_WAIT
        dialogs.ask("request", wait=wait, case_id=case.id, of=asked_where(case))


@router.timer("desk.no_info")
def nobody_answered(due: Due, desk: CaseDesk, say: Say, session: Session) -> None:
    """Nobody said more: the case goes on with what is known."""
    case = desk.get(int(due.key))
    if case is None or case.state != State.NEEDS_INFO:
        return
    desk.go_on(case)
    tell_holder(case, "desk.no_info", say, session)


@router.command(
    "延期", "extend", usage="号 天数 理由（领导：号 同意，或 号 不同意 理由）", about="到期前申请延期，值班领导批", needs=HANDLERS
)
def extend(number: CaseNumber, words: Words, desk: CaseDesk, timers: Timers, say: Say, session: Session, zone: ZoneInfo) -> None:
    """An officer asks before the case is due; a supervisor grants it, then the clocks stand still for so long."""
    case = desk.find(number)
    said = words.strip()
    if named(said) == AGREED:
        _grant(case, desk, timers, say, session, zone)
    elif simplified(said).startswith(REFUSED):
        reason = said[len(REFUSED) :].strip(" ，,：:")
        desk.refuse_hold(case, reason)
        say.reply("desk.hold_refused_by_you", case=case, number=case.number)
        tell_holder(case, "desk.hold_refused", say, session, reason=reason)
    else:
        found = _HOLD.match(said)
        days = int(found[1]) if found else 0
        if found is None or not found[2].strip() or not 1 <= days <= MOST_DAYS:
            raise Refusal("desk.how_long", number=case.number, most=MOST_DAYS)
        desk.ask_hold(case, days, found[2].strip())
        say.reply("desk.hold_asked_by_you", case=case, number=case.number, days=days)
        say.to_officers(
            supervisors(session, case.grid_id, desk.units(case)),
            "desk.hold_asked",
            case=case,
            days=days,
            reason=found[2].strip(),
            due=moment(desk.clocks.due(case), zone),
            choices=(
                Choice(AGREED, f"/延期 {case.number} {AGREED}"),
                Choice(REFUSED, f"/延期 {case.number} {REFUSED}"),
            ),
            **case_card(case, desk, session),
        )


def _grant(case: Case, desk: CaseDesk, timers: Timers, say: Say, session: Session, zone: ZoneInfo) -> None:
    days = desk.hold(case)
    timers.after(timedelta(days=days), "desk.hold", str(case.id))
    until = moment(desk.now + timedelta(days=days), zone)
    say.reply("desk.held_by_you", case=case, number=case.number, days=days)
    tell_holder(case, "desk.held", say, session, until=until)
    say.to_reporter_alone(case, "progress.held", number=case.number, days=days)


@router.timer("desk.hold")
def hold_is_over(due: Due, desk: CaseDesk, say: Say, session: Session) -> None:
    """The extension has run out: the clocks go on with what was left."""
    case = desk.get(int(due.key))
    if case is None or case.state != State.ON_HOLD:
        return
    desk.hold_over(case)
    tell_holder(case, "desk.hold_over", say, session)


@router.command("办结", "resolve", usage="号 处理结果", about="报处理结果，随后由机器人回访", needs=HANDLERS, record=True)
def resolve(
    message: Inbound,
    number: CaseNumber,
    words: Words,
    photos: Photos,
    desk: CaseDesk,
    dialogs: Dialogs,
    timers: Timers,
    say: Say,
    session: Session,
) -> None:
    """With a result that the reporter can judge; a photo of it may come along or follow."""
    if len(words) < SHORTEST_RESULT:
        raise Refusal("desk.needs_result", number=number)
    case = desk.find(number)
    holder = case.officer_id
    officer = desk.resolve(case, words)
    tell_former_holder(case, holder, officer, say, session)
    desk.attach(case, photos.ids, "officer", message_id=message.message_id, officer_id=officer.id)
    end_talk(case, timers)
    dialogs.ask("result.photo", wait=PHOTO_WAIT, case_id=case.id)
    asked = ask_reporter(case, desk, dialogs, timers, say, session)
    phrase = "desk.resolved" if asked else "desk.resolved_at_night"
    say.reply(phrase, case=case, number=case.number, trouble=trouble_with(photos, say))


def tell_former_holder(case: Case, holder: int | None, officer: Officer, say: Say, session: Session) -> None:
    """Whoever had it hears that a colleague has reported the result, and does not go there in vain."""
    had = session.get(Officer, holder) if holder is not None and holder != officer.id else None
    if had is not None and had.active:
        say.to_officers(
            [had],
            "desk.resolved_by_other",
            case=case,
            number=case.number,
            place=place_or_group(case, session),
            who=officer.name,
            result=case.result,
        )


@router.command("回复", "reply", usage="号 答复", about="答复居民的咨询", needs=DESK)
def reply(
    message: Inbound,
    number: CaseNumber,
    words: Words,
    desk: CaseDesk,
    dialogs: Dialogs,
    timers: Timers,
    say: Say,
    session: Session,
) -> None:
    """A question is answered and asked back about; in any other case the words go to the reporter."""
    if not words:
        raise Refusal("refusal.usage", command="回复", usage="号 答复")
    case = desk.find(number)
    if case.kind != "question":
        officer = desk.look(case)
        desk.note(case, words, "message")
        unit = signing_unit(case, officer, desk, session)
        say.to_reporter(case, "progress.message", number=case.number, unit=unit, text=words)
        say.reply("desk.passed_on", case=case, number=case.number)
        return
    holder = case.officer_id
    officer = desk.resolve(case, words, action="answer")
    tell_former_holder(case, holder, officer, say, session)
    say.reply("desk.answered", case=case, number=case.number)
    ask_reporter(case, desk, dialogs, timers, say, session)
    offer_to_keep(message, case, dialogs, say)


@router.command("未联系", "unreached", usage="号", about="三次都没联系上反映人，按未联系上办结", needs=(Role.SUPERVISOR,))
def close_unreached(number: CaseNumber, desk: CaseDesk, say: Say, session: Session) -> None:
    """Its own end, never counted as satisfied; the reporter can still answer."""
    case = desk.find(number)
    desk.close_unreached(case)
    say.reply("desk.closed_unreached", case=case, number=case.number)
    tell_holder(case, "desk.closed_unreached", say, session)
