"""What comes back after a missing person's alert: clues go to the officer alone; whoever passes an ended alert on is told."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from bot.campaigns.missing import Chain, alerts_in, missing_of
from bot.messages import Inbound
from bot.permissions import Rights
from bot.router import Router
from bot.say import Say
from bot.turn import NotMine, Photos
from bot.understanding.clues import sounds_like_clue
from cases.desk import CaseDesk
from handlers.cards import trouble_with
from handlers.hearing import says_found, says_only_back
from handlers.missing import tell_found
from storage.tables import Attachment, Case, Group, Missing, Officer

router = Router("clues")

LONGEST = 300


@router.special("clue")
def heard_in_group(message: Inbound, group: Group | None, photos: Photos, desk: CaseDesk, say: Say, session: Session) -> None:
    """Somebody in a group that got an alert says that they have seen the person, without quoting anything."""
    found = says_found(message.text) and not says_only_back(message.text)
    if group is None or message.copied or not (found or sounds_like_clue(message.text)):
        raise NotMine
    alerts = alerts_in(session, group.id)
    if not alerts:
        raise NotMine
    case = session.get(Case, alerts[0].case_id)
    if case is None:
        raise NotMine
    if found:
        tell_found(message, alerts[0], case, group.name, desk, say, session, own=False)
        return
    _take(message, alerts[0], case, group, photos, desk, say, session)


def about_missing(
    message: Inbound,
    case: Case,
    group: Group | None,
    photos: Photos,
    rights: Rights,
    desk: CaseDesk,
    say: Say,
    session: Session,
    now: datetime,
) -> bool:
    """A message that quotes an alert or names its number: a clue, or a late forward. False when it is neither."""
    missing = missing_of(session, case.id) if case.kind == "missing" else None
    if missing is None or missing.campaign_id is None:
        return False
    if missing.state in (Chain.FOUND, Chain.WITHDRAWN):
        if not message.copied and rights.officer is not None and rights.covers("case.view", case.grid_id, desk.units(case)):
            return False
        key = f"over:{missing.id}:{message.address.platform}:{message.address.chat}:{now:%Y%m%d%H}"
        say.at(message.address, f"missing.late.{missing.state}", case=case, key=key, number=case.number)
        return True
    if missing.state != Chain.ACTIVE or message.copied:
        return message.copied
    if case.reporter == message.sender.id and case.platform == message.address.platform:
        return False
    if rights.officer is not None and rights.covers("case.view", case.grid_id, desk.units(case)):
        return False
    if not (message.text.strip() or photos.ids):
        return False
    _take(message, missing, case, group, photos, desk, say, session)
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
