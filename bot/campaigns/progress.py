"""How far a campaign is, counted from rows, and when it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import exists
from sqlmodel import Session, col, func, select, update

from bot.campaigns import lots
from bot.campaigns.rules import CampaignState
from storage.lots import waiting
from storage.outbox import STATE
from storage.tables import Campaign, CampaignGroup, CampaignPart, Notice

OPEN_STATES = ("pending", "held")  # of the rows, where what is on its way is pending, too


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign is: notices by state, and groups left out by reason."""

    campaign: Campaign
    notices: Mapping[str, int]
    skipped: Mapping[str, int]

    @property
    def open(self) -> int:
        """What has not ended: it waits, is held, or is on its way."""
        return sum(self.notices.get(state, 0) for state in (*OPEN_STATES, "sending"))

    @property
    def sent(self) -> int:
        return self.notices.get("sent", 0)

    @property
    def failed(self) -> int:
        """What did not arrive, or about which nobody knows."""
        return self.notices.get("dead", 0) + self.notices.get("unknown", 0)

    @property
    def total(self) -> int:
        """Groups for which there is a notice."""
        return sum(self.notices.values())


def progress_of(session: Session, campaign: Campaign) -> Progress:
    """How far it is, counted from rows. A notice that has yet to be made counts as it will stand there."""
    counted = select(STATE, func.count()).where(Notice.campaign_id == campaign.id).group_by(STATE)
    notices = Counter(dict(session.exec(counted).all()))
    if to_come := waiting(session.connection(), campaign.id or 0):
        notices[lots.stands_as(campaign)] += to_come
    skipped = session.exec(
        select(CampaignPart.skipped, func.count())
        .join(CampaignGroup, lots.its_part())
        .where(CampaignPart.campaign_id == campaign.id, CampaignPart.skipped != "")
        .group_by(CampaignPart.skipped)
    ).all()
    return Progress(campaign, notices, dict(skipped))


def finish_campaigns(session: Session) -> int:
    """Mark the campaigns of which nothing is left to send as done; returns how many."""
    still = select(Notice.campaign_id).where(col(Notice.campaign_id).is_not(None), col(Notice.state).in_(OPEN_STATES))
    going = col(Campaign.state).in_((CampaignState.SENDING, CampaignState.TRIAL))
    to_come = exists().where(col(CampaignGroup.campaign_id) == Campaign.id, col(CampaignGroup.waits))
    ended = (going, col(Campaign.id).not_in(still), ~to_come)
    over = update(Campaign).where(*ended).values(state=CampaignState.DONE, next_step_at=None, lot_at=None)
    return int(session.exec(over).rowcount)
