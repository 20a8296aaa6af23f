"""What must be true of the lots of every campaign, and the bug that breaks it, for whoever kills a bot in the middle of one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session, and_, col, func, select

import bot.campaigns.lots
from bot.campaigns.loop import CampaignLoop
from bot.campaigns.lots import its_part
from bot.campaigns.rules import OVER, CampaignState
from storage.tables import Campaign, CampaignGroup, CampaignPart, Notice

WAITS_RIGHTLY = (*OVER, CampaignState.HALTED)  # a stop leaves notices unmade, and an officer decides about what halted


def lost_in_lots(session: Session) -> list[str]:
    """Every group that was to get a campaign's post and has no notice, in a sentence; when nothing is under way any more."""
    here = and_(col(Notice.campaign_id) == col(CampaignGroup.campaign_id), col(Notice.group_id) == col(CampaignGroup.group_id))
    found = session.exec(
        select(CampaignGroup, Campaign.state)
        .join(CampaignPart, its_part())
        .join(Campaign, col(Campaign.id) == col(CampaignGroup.campaign_id))
        .outerjoin(Notice, here)
        .where(CampaignPart.skipped == "", col(Notice.id).is_(None))
    )
    return [
        f"campaign {row.campaign_id}: group {row.group_id} {'was never taken' if row.waits else 'was taken and has no notice'}"
        for row, state in found.all()
        if not (row.waits and state in WAITS_RIGHTLY)
    ]


def doubled_in_lots(session: Session) -> list[str]:
    """Every group for which a campaign made more than one notice, in a sentence."""
    made = select(Notice.campaign_id, Notice.group_id, func.count()).where(col(Notice.campaign_id).is_not(None))
    twice = made.group_by(col(Notice.campaign_id), col(Notice.group_id)).having(func.count() > 1)
    return [f"campaign {campaign}: group {group} has {count} notices" for campaign, group, count in session.exec(twice).all()]


def take_lots_apart() -> None:
    """Planted bug: a later lot is taken in one transaction and written in the next; "lot.committed" is in between."""
    write, take_lot = bot.campaigns.lots.insert_for_groups, CampaignLoop._take_lot

    async def apart(self: CampaignLoop, campaign_id: int, now: datetime) -> None:
        kept: list[tuple[Any, ...]] = []
        bot.campaigns.lots.insert_for_groups = lambda _, *notices: kept.append(notices)
        try:
            await take_lot(self, campaign_id, now)
        finally:
            bot.campaigns.lots.insert_for_groups = write
        for notices in kept:
            await self._run(lambda session, notices=notices: write(session.connection(), *notices))  # type: ignore[misc]
        self._sent()

    CampaignLoop._take_lot = apart  # type: ignore[method-assign]
