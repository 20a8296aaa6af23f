"""An officer's answer to a new question: the bot offers to keep it, and gives it to whoever asks the same in that grid."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session

from bot.dialogs import DialogKey, Dialogs, Pending
from bot.messages import Address, Choice, Inbound
from bot.permissions import Rights
from bot.router import Router
from bot.say import Say
from bot.turn import NotMine
from cases.desk import CaseDesk
from cases.kept import KeptAnswers
from handlers.cards import signing_unit
from storage.tables import Case

router = Router("keeping")

OFFER_WAIT = timedelta(days=1)
USUAL = timedelta(days=365)
LONGEST = timedelta(days=3 * 365)  # beyond that nobody remembers why it was true
_KEEP = re.compile(r"(?s)\s*(?:留下|保存|留着).*")
_NO = re.compile(r"\s*(?:不用|不留|不要|算了)\S{0,4}\s*")
_SPAN = re.compile(r"(\d{1,4})\s*(天|个?月|年)(?!\s*\d)")
_DAYS = {"天": 1, "月": 30, "个月": 30, "年": 365}
_UNTIL = re.compile(r"(?:(\d{4})\s*[年./-]\s*)?(\d{1,2})\s*[月./-]\s*(\d{1,2})\s*[日号]?")


def offer_to_keep(message: Inbound, case: Case, dialogs: Dialogs, say: Say) -> None:
    """Ask the officer who has just answered, in private, whether the bot may give this answer to the next one."""
    address = Address(message.address.platform, message.address.account, message.sender.id, private=True)
    dialogs.ask("answer.keep", wait=OFFER_WAIT, case_id=case.id, of=DialogKey.of(address, message.sender.id))
    say.privately(
        "question.keep",
        case=case,
        question=case.text[:60],
        choices=[Choice(say.word("question.keep_yes"), "留下"), Choice(say.word("question.keep_no"), "不用")],
    )


@router.dialog("answer.keep", hears=r"(?s)\s*(?:留下|保存|留着|不用|不留).{0,40}")
def told_to_keep(
    message: Inbound,
    pending: Pending,
    rights: Rights,
    desk: CaseDesk,
    dialogs: Dialogs,
    kept: KeptAnswers,
    say: Say,
    session: Session,
    now: datetime,
    zone: ZoneInfo,
) -> None:
    """Kept for a year, or until when the officer says; only by whoever may answer there."""
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    text = message.text.strip()
    if case is None or not (_KEEP.fullmatch(text) or _NO.fullmatch(text)):
        raise NotMine
    if _NO.fullmatch(text):
        dialogs.end()
        say.reply("question.not_kept")
        return
    today = now.astimezone(zone).date()
    until = _until(text, today)
    if until is None or not today < until <= today + LONGEST:
        say.reply("question.keep_until")
        return
    officer = rights.require("answer.keep", grid_id=case.grid_id, unit_ids=desk.units(case), target=case.number)
    ends = datetime(until.year, until.month, until.day, tzinfo=zone)
    unit = signing_unit(case, officer, desk, session)
    row = kept.keep(case, officer, say.word("question.kept_source", unit=unit), ends, everywhere="全区" in text)
    dialogs.end()
    say.reply("question.kept", case=case, number=row.id, until=until.strftime("%Y年%m月%d日"), everywhere=row.grid_id is None)


def _until(text: str, today: date) -> date | None:
    """The first day on which the answer is not given any more; None when the words name no day."""
    if span := _SPAN.search(text):
        return today + timedelta(days=int(span[1]) * _DAYS[span[2]])
    if "半年" in text:
        return today + timedelta(days=182)
    if named := _UNTIL.search(text):
        year = int(named[1]) if named[1] else today.year
        try:
            day = date(year, int(named[2]), int(named[3]))
            if not named[1] and day <= today:
                day = day.replace(year=year + 1)
        except ValueError:
            return None
        return day
    return today + USUAL if not re.search(r"\d", text) else None
