"""The call-back: a case closes only when the person who brought it says that it is solved (DESIGN.md rule 2)."""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlmodel import Session

from bot.dialogs import DialogKey, Dialogs, Pending
from bot.messages import Address, Choice, Inbound
from bot.router import Router
from bot.say import Say, case_address
from bot.timers import Due, Timers
from bot.turn import NotMine, Photos
from bot.understanding.meaning import Intent, Meaning
from cases.desk import CaseDesk
from cases.dispatch import handlers_of, officers_with
from cases.lifecycle import State
from handlers.cards import case_card, place_or_group, trouble_with
from storage.tables import Case, Group, Officer

router = Router("callback")

ANSWER_WAIT = timedelta(days=14)  # "not solved" is heard that long
REASON_WAIT = timedelta(minutes=30)  # whoever says no and nothing else in this time is taken at his word
RATING_WAIT = timedelta(hours=24)
LOW = 2  # stars; the supervisor hears of these
YES = "解决了"
NO = "没解决"
CHOICES = (Choice(YES, YES), Choice(NO, NO))
ASKED = (State.VERIFYING, State.RESOLVED)


class Verdict(StrEnum):
    """What an answer to the call-back says."""

    SOLVED = "solved"
    NOT_SOLVED = "not solved"
    UNCLEAR = "unclear"


_FILLER = (
    r"(?:嗯+|噢|哦|清楚|明白|知道|好的|是的|对的?|已经?|都|全部?|基本|现在|终于|问题|谢谢|感谢|多谢|辛苦|麻烦|你们?|您|大家|[了啊呀哈啦的吧哒]"
    r"|[\s,，.。!！~～、👍👌🙏😊]+)*"
)
_DONE = "(?:解决|修好|弄好|处理好|处理完|搞定|办好)"
_NOT_DONE = rf"{_FILLER}(?:根本|还是|还|又)?(?:没有?|未)(?:能|给|有人)?{_DONE}(?!不)"
# in a group, what is not said to us is an answer only when it can be nothing else
CLEAR = rf"{_FILLER}(?:{_DONE}|好了){_FILLER}|(?s:{_NOT_DONE}.*)"
_CLEAR = re.compile(CLEAR)
_NO_FIRST = re.compile(_NOT_DONE)
_NO = re.compile(
    r"没有?(?:解决(?!不)|弄|修|处理|办|好|人|用|变)|未解决|还没|还是(?:不|没|老|那|坏|漏)|不行|不满意|不好|又(?:坏|来|开始|堵|漏|停|灭)"
    r"|^(?:没|没有|没呢|否|不|no)$",
    re.IGNORECASE,
)
_YES = re.compile(rf"{_DONE}|好了|可以了|没事了|满意|^(?:是|是的|嗯+|对|行|好|好的|可以|ok|yes|👍|👌)$", re.IGNORECASE)
_BUT = re.compile(r"[但又还没不]|可是|一半|部分|[吗？?]")
_FINE = re.compile("没(?:什么|啥|有)?(?:问题|毛病|事)了?")


def verdict(text: str, *, strict: bool = False) -> Verdict:
    """What a text says about a case. `strict`: only what can be nothing but an answer counts."""
    text = _FINE.sub("好了", unicodedata.normalize("NFKC", text).strip(" .。!！~～"))
    if strict and not _CLEAR.fullmatch(text):
        return Verdict.UNCLEAR
    if _NO_FIRST.match(text) or (len(text) <= 30 and _NO.search(text)):
        return Verdict.NOT_SOLVED
    if len(text) <= 30 and _YES.search(text) and not _BUT.search(text):
        return Verdict.SOLVED
    return Verdict.UNCLEAR


def reason_in(text: str) -> str:
    """ "没解决，路灯又灭了" names a reason, "没解决" does not; empty when there is none."""
    text = text.strip()
    plain = unicodedata.normalize("NFKC", text)
    rest = _NO_FIRST.sub("", plain, count=1) if _NO_FIRST.match(plain) else plain
    rest = re.sub(_FILLER, "", rest, count=1)
    return text if len(rest) >= 3 else ""


def stars_in(text: str) -> int | None:
    """1 to 5 for "5", "5分" or "五星"; None for anything else."""
    found = re.fullmatch(r"\s*([1-5一二三四五])\s*[分星]?\s*", unicodedata.normalize("NFKC", text))
    return None if found is None else "一二三四五".find(found[1]) + 1 or int(found[1])


def ask_reporter(
    case: Case, phrase: str, desk: CaseDesk, dialogs: Dialogs, say: Say, *, photo: str | None = None, **values: Any
) -> None:
    """Say the result where the case was brought and ask whether it is solved."""
    desk.call_back(case)
    say.to_reporter(case, phrase, choices=CHOICES, photo=photo, number=case.number, **values)
    if case.reporter is not None:
        dialogs.ask("callback", wait=ANSWER_WAIT, case_id=case.id, of=_asked_where(case))


@router.dialog("callback", hears=CLEAR)
def answered(
    message: Inbound,
    meaning: Meaning,
    pending: Pending,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    timers: Timers,
    session: Session,
) -> None:
    """Yes closes, no asks for the reason (or takes it, if it was said along); what is unclear is asked about once."""
    case = _still_asked(pending, desk, dialogs)
    if take_answer(message, case, desk, dialogs, say, timers, session):
        return
    said_to_us = message.addressed and meaning.intent in (Intent.CHAT, Intent.FEEDBACK) and bool(message.text.strip())
    if not said_to_us or pending.step == "again":
        raise NotMine
    dialogs.ask("callback", step="again", wait=ANSWER_WAIT, case_id=case.id)
    say.reply("callback.again", case=case, number=case.number, choices=CHOICES)


def take_answer(
    message: Inbound, case: Case, desk: CaseDesk, dialogs: Dialogs, say: Say, timers: Timers, session: Session
) -> bool:
    """Take the reporter's message as his answer about `case`, which waits for one or was closed; false when it is none."""
    said = verdict(message.text, strict=not message.addressed)
    if said is Verdict.NOT_SOLVED:
        if reason := reason_in(message.text):
            _reopen(case, reason, desk, dialogs, say, session)
            say.reply("callback.reopened", case=case, number=case.number)
        else:
            own = DialogKey.of(message.address, message.sender.id)
            dialogs.end_about(case.id, of=_asked_where(case))
            dialogs.ask("callback.reason", wait=REASON_WAIT, case_id=case.id, of=own)
            timers.after(REASON_WAIT, "callback.no_reason", str(case.id))
            say.reply("callback.why", case=case, number=case.number)
        return True
    if said is Verdict.SOLVED and case.state in ASKED:
        _close(message, case, desk, dialogs, say, session)
        return True
    return False


@router.dialog("callback.reason")
def reason_told(
    message: Inbound,
    pending: Pending,
    photos: Photos,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    timers: Timers,
    session: Session,
) -> None:
    """The next message is the reason; a photo may show it."""
    case = _still_asked(pending, desk, dialogs, closed_too=True)
    if verdict(message.text, strict=True) is Verdict.SOLVED and case.state in ASKED:
        timers.cancel("callback.no_reason", str(case.id))
        _close(message, case, desk, dialogs, say, session)
        return
    desk.attach(case, photos.ids, "reporter", message_id=message.message_id)
    if not message.text.strip():
        return
    timers.cancel("callback.no_reason", str(case.id))
    dialogs.end()
    _reopen(case, message.text.strip(), desk, dialogs, say, session)
    say.reply("callback.reopened", case=case, number=case.number)


@router.timer("callback.no_reason")
def no_reason_told(due: Due, desk: CaseDesk, dialogs: Dialogs, say: Say, session: Session) -> None:
    """He said no and no more: that is enough to go on."""
    case = desk.get(int(due.key))
    if case is not None and case.state in (*ASKED, State.CLOSED_CONFIRMED):
        _reopen(case, say.word("callback.no_reason"), desk, dialogs, say, session)


@router.dialog("rating", hears=r"[1-5１-５一二三四五]\s*[分星]?")
def rated(message: Inbound, pending: Pending, desk: CaseDesk, dialogs: Dialogs, say: Say, session: Session) -> None:
    """One to five, once."""
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    if case is None or case.rating is not None:
        dialogs.end()
        raise NotMine
    if not take_rating(message, case, desk, say, session):
        raise NotMine
    dialogs.end()


def take_rating(message: Inbound, case: Case, desk: CaseDesk, say: Say, session: Session) -> bool:
    """Take the reporter's message as the rating of a closed case; false when it is none."""
    stars = stars_in(message.text)
    if stars is None or case.state != State.CLOSED_CONFIRMED:
        return False
    if case.rating is not None:
        return True  # a second tap
    desk.rate(case, stars)
    say.reply("callback.rated" if stars > LOW + 1 else "callback.rated_low", case=case, number=case.number)
    if stars <= LOW:
        supervisors = officers_with(session, ("supervisor",), "district", ())
        say.to_officers(supervisors, "callback.low", case=case, stars=stars, **case_card(case, desk, session))
    return True


@router.dialog("result.photo", hears="")
def result_photo(
    message: Inbound, meaning: Meaning, pending: Pending, photos: Photos, officer: Officer | None, desk: CaseDesk, say: Say
) -> None:
    """A photo that follows `/办结` belongs to the result and goes to the reporter."""
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    if case is None or officer is None or case.state not in ASKED or not message.attachments or meaning.intent is not Intent.CHAT:
        raise NotMine
    if photos.lost:
        say.reply("callback.photo_lost", trouble=trouble_with(photos, say))
    if not photos.ids:
        return
    desk.attach(case, photos.ids, "officer", message_id=message.message_id, officer_id=officer.id)
    say.reply("callback.photo_added", case=case, number=case.number)
    for photo in desk.photos(case)[-len(photos.ids) :]:
        say.to_reporter(case, "callback.photo", number=case.number, photo=photo.path)


def _still_asked(pending: Pending, desk: CaseDesk, dialogs: Dialogs, *, closed_too: bool = False) -> Case:
    """The case of the question, unless the question has become pointless."""
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    if case is None or case.state not in ((*ASKED, State.CLOSED_CONFIRMED) if closed_too else ASKED):
        dialogs.end()
        raise NotMine
    return case


def _close(message: Inbound, case: Case, desk: CaseDesk, dialogs: Dialogs, say: Say, session: Session) -> None:
    desk.confirm(case)
    dialogs.end_about(case.id, of=_asked_where(case))
    dialogs.end_about(case.id)
    group = session.get(Group, case.group_id) if case.group_id else None
    if group is not None:
        unit = desk.unit_name(case)
        place = place_or_group(case, session)
        say.to_group(
            group, "callback.closed", case=case, number=case.number, category=desk.category(case).name, place=place, unit=unit
        )
    stars = tuple(Choice(str(n), str(n)) for n in range(1, 6))
    say.privately("callback.rate", case=case, number=case.number, choices=stars)
    private = Address(case.platform, case.account, message.sender.id, private=True)
    dialogs.ask("rating", wait=RATING_WAIT, case_id=case.id, of=DialogKey.of(private, message.sender.id))


def _reopen(case: Case, reason: str, desk: CaseDesk, dialogs: Dialogs, say: Say, session: Session) -> None:
    desk.deny(case, reason)
    dialogs.end_about(case.id, of=_asked_where(case))
    holder = session.get(Officer, case.officer_id) if case.officer_id else None
    officers = [holder] if holder else handlers_of(session, case)
    say.to_officers(officers, "callback.not_solved", case=case, reason=reason, **case_card(case, desk, session))


def _asked_where(case: Case) -> DialogKey:
    return DialogKey.of(case_address(case), case.reporter or "")
