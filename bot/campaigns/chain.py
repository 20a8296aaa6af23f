"""A missing person's chain: alert, update, cancel (the way of CAP 1.2's Alert, Update, Cancel), and the end of the photo.

`pending_verification -> active -> found | withdrawn | expired`. Nothing goes out before a second officer has verified it; the
cancel goes to exactly the groups that got the alert, whose photo is taken back where a platform can; photos leave the disk and
the database half a day after the end, so that a day of downtime still keeps the promised 24 hours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session, col, select, update

from bot.campaigns.campaigns import Campaigns
from bot.campaigns.correction import follow
from bot.campaigns.rules import Kind
from bot.say import Say
from content.refusal import Refusal
from storage.media import seal_name
from storage.shredding import destroy_key
from storage.tables import Attachment, Campaign, Case, CaseEntry, Missing, Notice, Officer

ACTIVE_FOR = timedelta(days=3)
PURGE_AFTER = timedelta(hours=12)
LATE_FORWARDS_FOR = timedelta(days=90)
EVERYBODY = "not class:工作"  # the groups of residents, when nobody says which
_TO = re.compile(r"[\s,，。;；]*(?:发到|发给|发往)[:： ]*(.+)$", re.DOTALL)


class Chain(StrEnum):
    """Where a missing person's chain stands."""

    PENDING = "pending_verification"
    ACTIVE = "active"
    FOUND = "found"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


def split_groups(words: str, campaigns: Campaigns) -> tuple[str, str]:
    """The description, and the groups in their canonical spelling. Raises Refusal for labels that nobody has."""
    found = _TO.search(words)
    if found is None:
        return words.strip(), EVERYBODY
    return words[: found.start()].strip(), str(campaigns.whom(found[1].strip())) or EVERYBODY


def missing_of(session: Session, case_id: int | None) -> Missing | None:
    """The chain of a case, locked for this transaction."""
    return session.exec(select(Missing).where(Missing.case_id == case_id).with_for_update()).first()


def verify(campaigns: Campaigns, missing: Missing, case: Case, officer: Officer, text: str) -> tuple[Campaign, int]:
    """A second officer stands for it: the alert goes out. Returns the campaign and how many groups get it."""
    if missing.state != Chain.PENDING:
        raise Refusal("missing.not_pending", number=case.number)
    alert = Campaign(
        kind=Kind.ALERT,
        labels=missing.labels,
        origin=f"case:{case.number}",
        officer_id=missing.officer_id,
        approved_by=officer.id,
        approved_at=campaigns.now,
        created_at=campaigns.now,
        text=text,
        photo=missing.photo,
        case_id=case.id,
    )
    groups = send_alert(campaigns, alert)
    if not groups:
        raise Refusal("missing.no_group", number=case.number)
    missing.state, missing.verified_by, missing.campaign_id = Chain.ACTIVE, officer.id, alert.id
    missing.expires_at = campaigns.now + ACTIVE_FOR
    campaigns.session.add(missing)
    campaigns.session.flush()
    return alert, groups


def send_alert(campaigns: Campaigns, alert: Campaign) -> int:
    """The first link of a chain goes out; how many groups get it. When nobody would, nothing is written."""
    targets = campaigns.targets(alert)
    groups = sum(each.skipped is None for each in targets)
    if groups:
        campaigns.carry_out(alert, targets)
    return groups


def tell_more(campaigns: Campaigns, missing: Missing, case: Case, officer: Officer, text: str, photo: str | None) -> int:
    """An update to the groups that got the alert, which stays active for another while. Returns how many groups that are."""
    alert = campaigns.session.get(Campaign, missing.campaign_id) if missing.campaign_id else None
    if missing.state != Chain.ACTIVE or alert is None:
        raise Refusal("missing.over", number=case.number)
    link = follow(campaigns, alert, Kind.UPDATE, text, officer.id, f"case:{case.number}", photo)
    missing.photo = photo or missing.photo
    missing.expires_at = campaigns.now + ACTIVE_FOR
    campaigns.session.add(missing)
    return campaigns.progress(link).total


def end(campaigns: Campaigns, missing: Missing, case: Case, officer: Officer, state: Chain, text: str) -> int:
    """Found, or withdrawn: the cancel goes to whoever got the alert. Returns how many groups that are."""
    if missing.state not in (Chain.PENDING, Chain.ACTIVE):
        raise Refusal("missing.over", number=case.number)
    alert = campaigns.session.get(Campaign, missing.campaign_id) if missing.campaign_id else None
    groups = 0
    if alert is not None:
        groups = campaigns.progress(follow(campaigns, alert, Kind.CANCEL, text, officer.id, f"case:{case.number}")).total
    _close(campaigns.session, missing, state, campaigns.now)
    return groups


def _close(session: Session, missing: Missing, state: Chain, now: datetime) -> None:
    missing.state, missing.ended_at, missing.purge_at, missing.expires_at = state, now, now + PURGE_AFTER, None
    session.add(missing)
    session.flush()


def expire(session: Session, missing_id: int, now: datetime, say: Say) -> bool:
    """Nobody was found in time: the officer is told, nothing more is said to groups, the photos go."""
    missing = session.get(Missing, missing_id, with_for_update=True)
    if missing is None or missing.state != Chain.ACTIVE or missing.expires_at is None or missing.expires_at > now:
        return False
    _close(session, missing, Chain.EXPIRED, now)
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


def listening(session: Session, now: datetime) -> tuple[frozenset[tuple[str, str, str]], frozenset[str]]:
    """For the glance: the chats (platform, account, chat) that got an alert that is active, and the numbers of ended ones."""
    chats = session.exec(
        select(Notice.platform, Notice.account, Notice.chat)
        .join(Missing, col(Missing.campaign_id) == col(Notice.campaign_id))
        .where(Missing.state == Chain.ACTIVE)
        .distinct()
    ).all()
    numbers = session.exec(
        select(Case.number)
        .join(Missing, col(Missing.case_id) == col(Case.id))
        .where(col(Missing.ended_at) > now - LATE_FORWARDS_FOR, col(Missing.campaign_id).is_not(None))
    ).all()
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
    session.exec(
        update(Notice).where(mine, col(Notice.campaign_id).is_not(None), col(Notice.state).in_(("sent", "dead"))).values(text="")
    )
    session.exec(update(Campaign).where(col(Campaign.case_id) == missing.case_id).values(photo=None, text=None))
    missing.photo, missing.text, missing.purge_at = None, "", None
    session.add(missing)
    session.flush()
    return True
