"""What comes back after a missing person's alert: clues go to the officers alone; whoever passes an ended alert on is told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, select

from bot.campaigns.missing import LOOKED_FOR, Chain, alerts_in, missing_of
from bot.dialogs import Dialogs
from bot.messages import Inbound
from bot.permissions import Rights
from bot.router import CaseNumber, Router
from bot.say import Say
from bot.timers import Timers
from bot.turn import NotMine, Photos
from bot.understanding.clues import (
    adds_nothing,
    asks_if_genuine,
    asks_if_over,
    nearest,
    sounds_like_clue,
    speaks_of_another,
    speaks_of_known,
    speaks_of_person,
    tells_of_no_harm,
)
from bot.understanding.meaning import Danger, Intent, Meaning
from cases.desk import CaseDesk
from handlers.cards import trouble_with
from handlers.found import listen_for_not_found, said_found, take_up, tell_found
from handlers.hearing import says_found, says_not_found, says_only_back
from storage.tables import Attachment, Case, Group, Missing, Officer

router = Router("clues")

LONGEST = 300
_AGREES = re.compile(r"\s*(?:属实|核实(?:过)?了?|同意|没问题|可以发?|发吧?|对的?|是的?|好的?|行)[了的啊吧。.!！\s]*")
_NO_MATTER = (Intent.CHAT, Intent.MISSING, Intent.EMERGENCY)
_OF_PEOPLE = (None, Danger.MISSING, Danger.INTRUDER)


@router.special("clue")
def heard(
    message: Inbound,
    number: CaseNumber | None,
    meaning: Meaning,
    group: Group | None,
    photos: Photos,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    timers: Timers,
    session: Session,
) -> None:
    """Somebody says that they have seen the person, quoting the alert or not, in a group that got it or anywhere else."""
    found = says_found(message.text) and not says_only_back(message.text)
    if message.copied:
        raise NotMine
    known = _named(number, session)
    if known is None:
        if not (found or _may_be_meant(message.text, meaning)):
            raise NotMine
        known = _likeliest(message.text, alerts_in(session, group.id) if group else ())
    if known is None and not found and meaning.intent in (Intent.MISSING, Intent.EMERGENCY):
        known = _likeliest(message.text, alerts_in(session, None))  # it would be kept anyway, so nobody's talk is listened to
    case = session.get(Case, known.case_id) if known is not None else None
    if known is None or case is None:
        raise NotMine
    if found and group is not None:
        tell_found(message, known, case, group.name, desk, say, timers, session)
        listen_for_not_found(message, [case], dialogs, None)
        return
    _take(message, known, case, group, photos, desk, say, session)


def about_missing(
    message: Inbound,
    case: Case,
    group: Group | None,
    photos: Photos,
    rights: Rights,
    desk: CaseDesk,
    say: Say,
    timers: Timers,
    session: Session,
    now: datetime,
) -> bool:
    """A message that quotes an alert or names its number: a clue, or a late forward. False when it is neither."""
    missing = missing_of(session, case.id) if case.kind == "missing" else None
    if missing is not None and missing.state == Chain.PENDING and rights.officer is not None and _AGREES.fullmatch(message.text):
        say.reply("missing.to_approve", case=case, number=case.number)  # a note would look as if it had gone
        return True
    if missing is not None and rights.officer is not None and says_not_found(message.text) and said_found(case, desk) is not None:
        rights.require("missing.write", grid_id=case.grid_id, unit_ids=desk.units(case), target=case.number)
        take_up(missing, case, message.text, "", desk, say, timers, session, by=rights.officer)
        say.reply("missing.taken_up", case=case, number=case.number)
        return True
    if missing is None or missing.campaign_id is None:
        return False
    mine = rights.officer is not None and rights.covers("case.view", case.grid_id, desk.units(case))
    if missing.state not in LOOKED_FOR:
        if not message.copied and mine:
            return False
        key = f"over:{missing.id}:{message.address.platform}:{message.address.chat}:{now:%Y%m%d%H}"
        say.at(message.address, f"missing.late.{missing.state}", case=case, key=key, number=case.number)
        return True
    if message.copied:
        return True
    if case.reporter == message.sender.id and case.platform == message.address.platform:
        return False
    if mine or not (message.text.strip() or photos.ids):
        return False
    if photos.ids or not _answer(message, case, missing.state, say, now):
        _take(message, missing, case, group, photos, desk, say, session)
    return True


def _may_be_meant(text: str, meaning: Meaning) -> bool:
    """Whether these words may be about somebody who is looked for, and are no matter of their own: a hazard is seen, too."""
    if not sounds_like_clue(text) or speaks_of_another(text):
        return False
    if meaning.intent not in _NO_MATTER:
        return speaks_of_known(text)
    return (meaning.danger in _OF_PEOPLE and tells_of_no_harm(text)) or speaks_of_person(text)


def _named(number: CaseNumber | None, session: Session) -> Missing | None:
    """The chain that a message quotes or names, if clues to it are still of use."""
    if number is None:
        return None
    case_id = session.exec(select(Case.id).where(Case.number == number, Case.kind == "missing")).first()
    known = missing_of(session, case_id) if case_id is not None else None
    return known if known is not None and known.state in LOOKED_FOR and known.campaign_id is not None else None


def _likeliest(text: str, alerts: Sequence[Missing]) -> Missing | None:
    return alerts[nearest(text, [alert.text for alert in alerts])] if alerts else None


def _answer(message: Inbound, case: Case, state: str, say: Say, now: datetime) -> bool:
    """What is asked about the alert itself, and what says nothing about the person, is no clue."""
    if asks_if_genuine(message.text):
        say.reply(f"missing.verified.{state}", case=case, number=case.number)
    elif asks_if_over(message.text):
        key = f"still:{case.id}:{message.address.platform}:{message.address.chat}:{now:%Y%m%d%H}"
        say.at(message.address, "missing.still", case=case, key=key, number=case.number)
    elif not adds_nothing(message.text):
        return False
    return True


def _take(
    message: Inbound,
    missing: Missing,
    case: Case,
    group: Group | None,
    photos: Photos,
    desk: CaseDesk,
    say: Say,
    session: Session,
) -> None:
    """Kept with the case and shown to the officers of the chain; the group reads thanks and nothing of the clue."""
    missing.clues += 1
    session.add(missing)
    desk.add(case, message.text, photos.ids, "resident", message.message_id)
    say.reply("missing.thanks", case=case, trouble=trouble_with(photos, say))
    first = session.get(Attachment, photos.ids[0]) if photos.ids else None
    wanted = dict.fromkeys((missing.officer_id, missing.verified_by, case.officer_id))
    officers = [officer for key in wanted if key is not None and (officer := session.get(Officer, key)) is not None]
    say.to_officers(
        officers,
        "missing.clue",
        case=case,
        photo=first.path if first else None,
        number=case.number,
        count=missing.clues,
        group=group.name if group else say.word("missing.privately"),
        text=message.text[:LONGEST],
        photos=len(photos.ids),
    )
