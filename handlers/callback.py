"""The call-back: a case closes only when the person who brought it says that it is solved (DESIGN.md rule 2)."""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta

from sqlmodel import Session

from bot.dialogs import DialogKey, Dialogs, Pending
from bot.messages import Address, Choice, Inbound
from bot.router import Router
from bot.say import Say
from bot.turn import NotMine, Photos
from cases.desk import CaseDesk
from cases.dispatch import handlers_of
from cases.lifecycle import State
from handlers.cards import case_card, place_or_group
from storage.tables import Case, Group, Officer

router = Router("callback")

ANSWER_WAIT = timedelta(days=14)  # "not solved" is heard that long
REASON_WAIT = timedelta(hours=24)
RATING_WAIT = timedelta(hours=24)
YES = "解决了"
NO = "没解决"

_NO = re.compile(
    r"没有?(解决|弄好|修好|处理|办好|好)|未解决|还没|还是|不行|又(坏|来|开始)|没人来|不满意|^没$|^没有$|^否$|^不$|^no$", re.I
)
_YES = re.compile(
    r"解决了|已解决|好了|修好|弄好|处理好|可以了|满意|谢谢|^是$|^是的$|^嗯+$|^对$|^解决$|^ok$|^行$|^yes$|👍|👌", re.I
)


def ask_reporter(
    case: Case, desk: CaseDesk, dialogs: Dialogs, say: Say, *, unit: str, photo: str | None = None, quiet: bool = False
) -> None:
    """Ask where it was brought whether it is solved. `quiet`: the answer itself has just been said there."""
    desk.call_back(case)
    phrase = "callback.ask_answer" if quiet else "callback.ask"
    choices = (Choice(YES, YES), Choice(NO, NO))
    say.to_reporter(case, phrase, choices=choices, photo=photo, number=case.number, result=case.result, unit=unit)
    if case.reporter is not None:
        address = Address(case.platform, case.account, case.chat, case.private, case.thread)
        dialogs.ask("callback", wait=ANSWER_WAIT, case_id=case.id, of=DialogKey.of(address, case.reporter))


@router.dialog("callback")
def answered(message: Inbound, pending: Pending, desk: CaseDesk, dialogs: Dialogs, say: Say, session: Session) -> None:
    """Yes closes, no asks for the reason (or takes it, if it was said along), anything else is no answer to us."""
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    if case is None or case.state not in (State.VERIFYING, State.RESOLVED):
        dialogs.end()
        raise NotMine
    text = unicodedata.normalize("NFKC", message.text).strip()
    short = len(text) <= 30
    if short and _NO.search(text):
        reason = _reason(text)
        if reason:
            _reopen(case, reason, desk, dialogs, say, session)
        else:
            dialogs.ask("callback.reason", wait=REASON_WAIT, case_id=case.id)
            say.reply("callback.why", case=case, number=case.number)
    elif short and _YES.search(text):
        _close(message, case, desk, dialogs, say, session)
    elif _meant_for_us(message):
        say.reply("callback.again", case=case, number=case.number, choices=(Choice(YES, YES), Choice(NO, NO)))
    else:
        raise NotMine


@router.dialog("callback.reason")
def reason_told(
    message: Inbound, pending: Pending, photos: Photos, desk: CaseDesk, dialogs: Dialogs, say: Say, session: Session
) -> None:
    """The next message is the reason."""
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    if case is None or case.state not in (State.VERIFYING, State.RESOLVED):
        dialogs.end()
        raise NotMine
    if not message.text.strip():
        desk.attach(case, photos.ids, "reporter", message_id=message.message_id)
        return
    desk.attach(case, photos.ids, "reporter", message_id=message.message_id)
    _reopen(case, message.text.strip(), desk, dialogs, say, session)


@router.dialog("rating")
def rated(message: Inbound, pending: Pending, desk: CaseDesk, dialogs: Dialogs, say: Say) -> None:
    """One to five, once."""
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    stars = _stars(message.text)
    if case is None or case.rating is not None or stars is None:
        if case is None or case.rating is not None:
            dialogs.end()
        raise NotMine
    desk.rate(case, stars)
    dialogs.end()
    say.reply("callback.rated" if stars >= 4 else "callback.rated_low", case=case, number=case.number)


@router.dialog("result.photo")
def result_photo(message: Inbound, pending: Pending, photos: Photos, officer: Officer | None, desk: CaseDesk, say: Say) -> None:
    """A photo that follows `/办结` belongs to the result and goes to the reporter."""
    case = desk.get(pending.case_id) if pending.case_id is not None else None
    if case is None or officer is None or not photos.ids:
        raise NotMine
    desk.attach(case, photos.ids, "officer", message_id=message.message_id, officer_id=officer.id)
    say.reply("callback.photo_added", case=case, number=case.number)
    say.to_reporter(case, "callback.photo", number=case.number, photo=desk.photos(case)[-1].path)


def _close(message: Inbound, case: Case, desk: CaseDesk, dialogs: Dialogs, say: Say, session: Session) -> None:
    desk.confirm(case)
    dialogs.end()
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
    dialogs.end()
    say.reply("callback.reopened", case=case, number=case.number)
    holder = session.get(Officer, case.officer_id) if case.officer_id else None
    officers = [holder] if holder else handlers_of(session, case)
    say.to_officers(officers, "callback.not_solved", case=case, reason=reason, **case_card(case, desk, session))


def _meant_for_us(message: Inbound) -> bool:
    return message.address.private or message.mentions_me or (message.quote is not None and message.quote.mine)


def _reason(text: str) -> str:
    """What is left of "没解决，路灯又灭了" besides the no; empty when too little is left to be a reason."""
    rest = _NO.sub("", text, count=1) if re.match(r"没|未|否|不$|no", text) else text
    rest = rest.strip(" ，,。.、!！:：")
    return text if len(rest) >= 4 else ""


def _stars(text: str) -> int | None:
    found = re.fullmatch(r"\s*([1-5一二三四五])\s*[分星]?\s*", unicodedata.normalize("NFKC", text))
    return None if found is None else "一二三四五".find(found[1]) + 1 or int(found[1])
