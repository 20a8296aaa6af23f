"""An appeal's chain (`bot.campaigns.chain`), for whatever else than a missing person is urgent.

`pending_verification -> active -> ended | expired`. Blood that is needed, an old man without a name, a child who is looked after,
a bag of money, water that is turned off tonight: nothing goes out before a second officer has verified it, and the end goes to
exactly the groups that got it. An appeal is no case, because nobody waits for its solution; it only takes its number from the
same series, so that there is one kind of number on every surface (decision 0180).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, bindparam, false, or_
from sqlmodel import Session, col, select, update

from bot.campaigns.campaigns import APPEAL, Campaigns
from bot.campaigns.chain import LATE_FORWARDS_FOR, add_link, begin, cancel, close
from bot.campaigns.lots import forget_words
from bot.messages import Address
from bot.say import Say
from content.refusal import Refusal
from storage.media import seal_name
from storage.shredding import destroy_key
from storage.tables import Appeal, Attachment, Campaign, Notice, Officer

LONGEST_FOR = timedelta(days=30)
NOT_VERIFIED_AFTER = timedelta(days=3)


class AppealState(StrEnum):
    """Where an appeal stands."""

    PENDING = "pending_verification"
    ACTIVE = "active"
    ENDED = "ended"
    EXPIRED = "expired"


OPEN = (AppealState.PENDING, AppealState.ACTIVE)


def appeal_of(session: Session, number: str | None) -> Appeal | None:
    """The appeal with this number, locked for this transaction."""
    return session.exec(select(Appeal).where(Appeal.number == number).with_for_update()).first()


def appeal_said(session: Session, address: Address, message_id: str) -> str | None:
    """The number of the appeal of whose chain this message of ours is a link."""
    origin = session.exec(
        select(Campaign.origin)
        .join(Notice, col(Notice.campaign_id) == col(Campaign.id))
        .where(Notice.message_id == message_id, Notice.platform == address.platform, Notice.chat == address.chat)
    ).first()
    return origin.removeprefix(APPEAL) if origin is not None and origin.startswith(APPEAL) else None


def verify_appeal(campaigns: Campaigns, appeal: Appeal, officer: Officer, text: str) -> tuple[Campaign, int]:
    """A second officer stands for it: it goes out. Returns the campaign and how many groups get it."""
    if appeal.state != AppealState.PENDING:
        raise Refusal("appeals.not_pending", number=appeal.number)
    if appeal.until is not None and appeal.until <= campaigns.now:
        raise Refusal("appeals.too_late", number=appeal.number)
    alert, groups = begin(campaigns, appeal, officer, text, origin_of(appeal), until=appeal.until)
    if not groups:
        raise Refusal("appeals.no_group", number=appeal.number)
    return alert, groups


def update_appeal(campaigns: Campaigns, appeal: Appeal, officer: Officer, text: str, photo: str | None) -> int:
    """More about it, to the groups that got it. Returns how many groups that are."""
    if appeal.state != AppealState.ACTIVE or appeal.campaign_id is None:
        raise Refusal("appeals.over", number=appeal.number)
    return add_link(campaigns, appeal, officer, text, origin_of(appeal), photo, until=appeal.until)


def end_appeal(campaigns: Campaigns, appeal: Appeal, officer: Officer, text: str) -> int:
    """It is over: whoever got it hears so. Returns how many groups that are."""
    if appeal.state not in OPEN:
        raise Refusal("appeals.over", number=appeal.number)
    return cancel(campaigns, appeal, officer, AppealState.ENDED, text, origin_of(appeal))


def expire_appeal(session: Session, appeal_id: int, now: datetime, say: Say) -> bool:
    """Its time is over, or nobody verified it in time: its officer is told; a group hears it when somebody passes it on."""
    appeal = session.get(Appeal, appeal_id, with_for_update=True)
    if appeal is None or appeal.state not in OPEN or appeal.expires_at is None or appeal.expires_at > now:
        return False
    phrase = "appeals.expired" if appeal.state == AppealState.ACTIVE else "appeals.never_verified"
    close(session, appeal, AppealState.EXPIRED, now)
    officer = session.get(Officer, appeal.officer_id)
    if officer is not None:
        say.to_officers([officer], phrase, number=appeal.number)
    return True


def origin_of(appeal: Appeal) -> str:
    """What a campaign of this chain says it comes from."""
    return f"{APPEAL}{appeal.number}"


_ENDED = select(Appeal.number).where(col(Appeal.ended_at) > bindparam("since"), col(Appeal.campaign_id).is_not(None))


def ended_appeals(session: Session, now: datetime) -> frozenset[str]:
    """For the glance: the numbers that are over and may still be passed on."""
    return frozenset(session.exec(_ENDED, params={"since": now - LATE_FORWARDS_FOR}).all())


# --- the end of its words and photos -------------------------------------------------------------------------------


def appeal_photos(session: Session, appeal_id: int, now: datetime) -> tuple[str, ...]:
    """The files of an appeal whose time to be gone has come, below the data directory."""
    appeal = session.get(Appeal, appeal_id)
    if appeal is None or appeal.purge_at is None or appeal.purge_at > now:
        return ()
    return tuple(photo.path for photo in _attachments(session, appeal))


def purge_appeal(session: Session, appeal_id: int, now: datetime) -> bool:
    """The files are gone: their keys go, nothing names them any more, and what was said is said nowhere but in the groups."""
    appeal = session.get(Appeal, appeal_id, with_for_update=True)
    if appeal is None or appeal.purge_at is None or appeal.purge_at > now:
        return False
    for photo in _attachments(session, appeal):
        destroy_key(session, seal_name(photo.path))
        session.exec(update(Notice).where(col(Notice.photo) == photo.path).values(photo=None))
        session.delete(photo)
    appeal.purge_at = forget_words(session, _in_chain(appeal), now)
    appeal.photo, appeal.text = None, ""
    session.add(appeal)
    session.flush()
    return True


def _attachments(session: Session, appeal: Appeal) -> Sequence[Attachment]:
    """The photos that it went out with; a card of the library is none."""
    paths = {path for path in session.exec(select(Campaign.photo).where(_in_chain(appeal))).all() if path is not None}
    paths |= {appeal.photo} if appeal.photo else set()
    return session.exec(select(Attachment).where(col(Attachment.path).in_(paths))).all()


def _in_chain(appeal: Appeal) -> ColumnElement[bool]:
    """The campaigns of its chain; none before it went out."""
    if appeal.campaign_id is None:
        return false()
    return or_(col(Campaign.id) == appeal.campaign_id, col(Campaign.about_id) == appeal.campaign_id)
