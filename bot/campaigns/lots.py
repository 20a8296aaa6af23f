"""The notices of a campaign are made a few hundred at a time, ahead of what its accounts can send (decision 0276).

What each group gets stands in its `CampaignGroup` row, written when the campaign was carried out; `waits` is true there until
its notice is made, in the same transaction. Letting a campaign go and stopping it change its own row and nothing else, and a
lot is made only while that row says "sending" and is locked, so that no two nodes make the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, or_
from sqlmodel import Session, col, select, update

from bot.campaigns.rules import OVER, CampaignState, LotSize
from bot.notices import Lane
from content.phrases import plain
from storage import lots as rows
from storage.failpoints import failpoint
from storage.notices import ForGroup, insert_for_groups
from storage.notices import let_go as let_held_go
from storage.tables import Campaign, CampaignGroup, CampaignPart, Notice

USUAL = LotSize()
AT_ONCE = timedelta(milliseconds=10)  # between two lots, for whatever else is to be written
LOOK = timedelta(seconds=4)
LOOK_AGAIN = timedelta(milliseconds=250)  # when an account had nothing left, or will soon
SOON = timedelta(minutes=1)  # what may go only later is not made yet, and what was put off until later is no stock
FORGET_AGAIN = timedelta(days=1)  # words that were still to be sent when all others were forgotten
FAR = 2 * LOOK  # a look that lies farther ahead was set before the clock was set back
NAME = "\ue000"  # in a part's words: here each group reads its name. Of the private use area; nothing that people type


def its_part() -> ColumnElement[bool]:
    """What joins a group's row to what it has in common with others."""
    return and_(
        col(CampaignPart.campaign_id) == col(CampaignGroup.campaign_id), col(CampaignPart.number) == col(CampaignGroup.part)
    )


def no_name_in(words: str) -> str:
    """Words of people, without what would be taken for the place of a name."""
    return words.replace(NAME, "")


def stands_as(campaign: Campaign) -> str:
    """The state in which a notice counts that has yet to be made."""
    if campaign.state in OVER:
        return "cancelled"
    return "pending" if campaign.state == CampaignState.SENDING else "held"


def make(session: Session, campaign: Campaign, groups: Sequence[int], now: datetime) -> int:
    """Make the notices of these groups, as far as they wait for one; returns how many that are."""
    connection = session.connection()
    taken = rows.take(connection, campaign.id or 0, groups)
    failpoint("lot.taken")
    targets = [
        ForGroup(one.group_id, one.text.replace(NAME, plain(one.name)), one.photo, one.due_at, not one.active) for one in taken
    ]
    insert_for_groups(connection, campaign.id or 0, Lane.CAMPAIGN, campaign.case_id, targets, now)
    return len(taken)


def let_go(session: Session, campaign: Campaign, now: datetime, size: LotSize = USUAL) -> int:
    """Send what waits or was held of a campaign, which is sending now; returns how many notices that are."""
    connection, number = session.connection(), campaign.id or 0
    count = let_held_go(connection, number) + rows.waiting(connection, number)
    _make_lot(session, campaign, now, size)
    return count


def let_some_go(session: Session, campaign: Campaign, now: datetime, most: int) -> int:
    """The first `most` of what waits or was held, for another trial; returns how many notices that are."""
    held = let_held_go(session.connection(), campaign.id or 0, most)
    waits = CampaignGroup.campaign_id == campaign.id, col(CampaignGroup.waits)
    first = select(CampaignGroup.group_id).where(*waits).order_by(col(CampaignGroup.group_id)).limit(most - held)
    return held + make(session, campaign, session.exec(first).all(), now)


def take_lot(session: Session, campaign_id: int, now: datetime, size: LotSize = USUAL) -> bool:
    """Make what is due of a campaign's notices; true when some were made."""
    due = select(Campaign).where(Campaign.id == campaign_id, or_(col(Campaign.lot_at) <= now, col(Campaign.lot_at) > now + FAR))
    campaign = session.exec(due.with_for_update(skip_locked=True)).first()
    if campaign is None:
        return False
    if campaign.state != CampaignState.SENDING:
        campaign.lot_at = None
        session.add(campaign)
        return False
    return _make_lot(session, campaign, now, size) > 0


def _make_lot(session: Session, campaign: Campaign, now: datetime, size: LotSize) -> int:
    connection, number = session.connection(), campaign.id or 0
    groups, more, dry = rows.next_groups(connection, number, size.ahead, size.most, now + SOON)
    made = make(session, campaign, groups, now) if groups else 0
    if more:
        campaign.lot_at = now + AT_ONCE
    elif rows.waiting(connection, number):
        campaign.lot_at = now + (LOOK_AGAIN if dry else LOOK)
    else:
        campaign.lot_at = None
    session.add(campaign)
    session.flush()
    return made


def forget_words(session: Session, which: ColumnElement[bool], now: datetime) -> datetime | None:
    """What these campaigns said is kept nowhere any more; words that are still to be sent are needed until they are.

    Returns when to ask again for the sake of those, None when nothing is left.
    """
    its = select(Campaign.id).where(which)
    open_ones = col(Notice.campaign_id).in_(its), col(Notice.state).in_(("pending", "held"))
    session.exec(update(Notice).where(col(Notice.campaign_id).in_(its), ~and_(*open_ones)).values(text=""))
    session.exec(update(Campaign).where(which).values(photo=None, text=None))
    session.exec(update(CampaignPart).where(col(CampaignPart.campaign_id).in_(its)).values(photo=None))
    going = select(Campaign.id).where(which, col(Campaign.state).not_in(OVER))
    waits = exists().where(
        col(CampaignGroup.campaign_id).in_(going),
        col(CampaignGroup.campaign_id) == CampaignPart.campaign_id,
        col(CampaignGroup.part) == CampaignPart.number,
        col(CampaignGroup.waits),
    )
    session.exec(update(CampaignPart).where(col(CampaignPart.campaign_id).in_(its), ~waits).values(text=""))
    left = select(CampaignPart.number).where(col(CampaignPart.campaign_id).in_(its), waits).limit(1)
    if session.exec(left).first() is None and session.exec(select(Notice.id).where(*open_ones).limit(1)).first() is None:
        return None
    return now + FORGET_AGAIN
