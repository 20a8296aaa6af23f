"""The same post to the same groups a moment ago: a nervous thumb, or a phone that sends a message twice."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import col, select

from bot.campaigns.campaigns import Campaigns
from bot.campaigns.plan import Request
from bot.campaigns.rules import CampaignState, Kind
from storage.tables import Campaign, CampaignPart

JUST_NOW = timedelta(minutes=10)


def sent_just_now(campaigns: Campaigns, request: Request) -> Campaign | None:
    """The newest campaign by which the same person did the same within `JUST_NOW`.

    That is the post, or one that the category or theme may mean, to the same groups by the same accounts, for the same time give
    or take those minutes. One that was stopped or reached nobody does not count.
    """
    wanted = (
        select(Campaign)
        .where(Campaign.kind == Kind.POST, Campaign.origin == request.origin, Campaign.labels == str(request.whom))
        .where(Campaign.accounts == ",".join(request.accounts), Campaign.state != CampaignState.STOPPED)
        .where(Campaign.created_at > campaigns.now - JUST_NOW)
        .order_by(col(Campaign.id).desc())
    )
    meant = {post.slug for post in campaigns.may_take(request)}
    for campaign in campaigns.session.exec(wanted):
        its = _posts_of(campaign, campaigns)
        if its and its <= meant and _together(campaign.starts_at, request.starts_at):
            return campaign
    return None


def _posts_of(campaign: Campaign, campaigns: Campaigns) -> set[str]:
    """The posts that it takes to its groups; of one that still waits those that were shown."""
    if campaign.began_at is None:
        return set(campaign.post.split(","))
    part = select(CampaignPart.post).where(CampaignPart.campaign_id == campaign.id, CampaignPart.skipped == "")
    return set(campaigns.session.exec(part.distinct()).all())


def _together(one: datetime | None, other: datetime | None) -> bool:
    return one is other is None or (one is not None and other is not None and abs(one - other) < JUST_NOW)
