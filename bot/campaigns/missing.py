"""A missing person's chain (`bot.campaigns.chain`), and the end of the photo.

`pending_verification -> active -> found | withdrawn | expired`. The photo is taken back with the cancel where a platform can.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import bindparam
from sqlmodel import Session, col, select, update

from bot.campaigns.campaigns import Campaigns
from bot.campaigns.chain import LATE_FORWARDS_FOR, add_link, begin, cancel, close
from bot.campaigns.lots import forget_words
from bot.say import Say
from content.refusal import Refusal
from storage.media import seal_name
from storage.shredding import destroy_key
from storage.tables import Attachment, Campaign, Case, CaseEntry, Missing, Notice, Officer


class Chain(StrEnum):
    """Where a missing person's chain stands."""

    PENDING = "pending_verification"
    ACTIVE = "active"
    FOUND = "found"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


LOOKED_FOR = (Chain.ACTIVE, Chain.EXPIRED)  # after three days nobody is alerted any more, and yet nobody was found


def missing_of(session: Session, case_id: int | None) -> Missing | None:
    """The chain of a case, locked for this transaction."""
    return session.exec(select(Missing).where(Missing.case_id == case_id).with_for_update()).first()


def alerted(session: Session, case_id: int | None) -> str | None:
    """How the chain of a case stands that groups were told of; None when there is none."""
    missing = session.exec(select(Missing).where(Missing.case_id == case_id, col(Missing.campaign_id).is_not(None))).first()
    return missing.state if missing is not None else None


def verify(campaigns: Campaigns, missing: Missing, case: Case, officer: Officer, text: str) -> tuple[Campaign, int]:
    """A second officer stands for it: the alert goes out. Returns the campaign and how many groups get it."""
    if missing.state != Chain.PENDING:
        raise Refusal("missing.not_pending", number=case.number)
    alert, groups = begin(campaigns, missing, officer, text, _origin(case), case_id=case.id)
    if not groups:
        raise Refusal("missing.no_group", number=case.number)
    return alert, groups


def tell_more(campaigns: Campaigns, missing: Missing, case: Case, officer: Officer, text: str, photo: str | None) -> int:
    """An update to the groups that got the alert, which stays active for another while. Returns how many groups that are."""
    if missing.state != Chain.ACTIVE or missing.campaign_id is None:
        raise Refusal("missing.over", number=case.number)
    return add_link(campaigns, missing, officer, text, _origin(case), photo)


def end(campaigns: Campaigns, missing: Missing, case: Case, officer: Officer, state: Chain, text: str) -> int:
    """Found, or withdrawn: the cancel goes to whoever got the alert, however long ago. Returns how many groups that are."""
    if missing.state not in (Chain.PENDING, *LOOKED_FOR):
        raise Refusal("missing.over", number=case.number)
    return cancel(campaigns, missing, officer, state, text, _origin(case))


def _origin(case: Case) -> str:
    return f"case:{case.number}"


def expire(session: Session, missing_id: int, now: datetime, say: Say) -> bool:
    """Nobody was found in time: the officer is told, nothing more is said to groups, the photos go."""
    missing = session.get(Missing, missing_id, with_for_update=True)
    if missing is None or missing.state != Chain.ACTIVE or missing.expires_at is None or missing.expires_at > now:
        return False
    close(session, missing, Chain.EXPIRED, now)
    case, officer = session.get(Case, missing.case_id), session.get(Officer, missing.officer_id)
    if case is not None and officer is not None:
        say.to_officers([officer], "missing.expired", case=case, number=case.number)
    return True


# --- who is looked for where --------------------------------------------------------------------------------------


def alerts_in(session: Session, group_id: int | None) -> Sequence[Missing]:
    """The active chains whose alert this group got, the newest first; in a private chat (None) all of them."""
    wanted = select(Missing).where(Missing.state == Chain.ACTIVE).order_by(col(Missing.id).desc())
    if group_id is not None:
        wanted = wanted.join(Notice, col(Notice.campaign_id) == col(Missing.campaign_id)).where(Notice.group_id == group_id)
    return session.exec(wanted).all()


_ALERTED = (
    select(Notice.platform, Notice.account, Notice.chat)
    .join(Missing, col(Missing.campaign_id) == col(Notice.campaign_id))
    .where(Missing.state == Chain.ACTIVE)
    .distinct()
)
_ENDED = (
    select(Case.number)
    .join(Missing, col(Missing.case_id) == col(Case.id))
    .where(col(Missing.ended_at) > bindparam("since"), col(Missing.campaign_id).is_not(None))
)


def listening(session: Session, now: datetime) -> tuple[frozenset[tuple[str, str, str]], frozenset[str]]:
    """For the glance: the chats (platform, account, chat) that got an alert that is active, and the numbers of ended ones."""
    chats = session.exec(_ALERTED).all()
    numbers = session.exec(_ENDED, params={"since": now - LATE_FORWARDS_FOR}).all()
    return frozenset((platform, account, chat) for platform, account, chat in chats), frozenset(numbers)


# --- the end of the photo -----------------------------------------------------------------------------------------


def photos_to_purge(session: Session, missing_id: int, now: datetime) -> tuple[str, ...]:
    """The files, below the data directory."""
    missing = session.get(Missing, missing_id)
    if missing is None or missing.purge_at is None or missing.purge_at > now:
        return ()
    return tuple(session.exec(select(Attachment.path).where(Attachment.case_id == missing.case_id)).all())


def purged(session: Session, missing_id: int, now: datetime) -> bool:
    """The files are gone: their keys go, nothing names them any more, and what the groups were told is said nowhere but there."""
    missing = session.get(Missing, missing_id, with_for_update=True)
    if missing is None or missing.purge_at is None or missing.purge_at > now:
        return False
    mine = col(Notice.case_id) == missing.case_id
    for photo in session.exec(select(Attachment).where(Attachment.case_id == missing.case_id)).all():
        destroy_key(session, seal_name(photo.path))
        session.exec(update(CaseEntry).where(col(CaseEntry.attachment_id) == photo.id).values(attachment_id=None))
        session.exec(update(Notice).where(mine, col(Notice.photo) == photo.path).values(photo=None))
        session.delete(photo)
    missing.purge_at = forget_words(session, col(Campaign.case_id) == missing.case_id, now)
    missing.photo, missing.text = None, ""
    session.add(missing)
    session.flush()
    return True
