"""An editor who sends posts, and an officer who looks after them, in the test's own process: campaigns as the bot makes them.

Each call is one transaction; the nodes' campaign loops do the rest: let the others go after the first groups, make lots.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from sqlalchemy import ColumnElement, text
from sqlmodel import Session, col, select

from bot.app import CONTENT
from bot.campaigns import Campaigns, CampaignState, PostRules, Request
from bot.campaigns.rules import OVER, LotSize
from bot.config import load_settings
from bot.notices import Lane
from content.phrases import PhraseBook
from content.posts import PostLibrary
from storage.tables import Campaign, CampaignGroup

POSTS = "antifraud"
ORIGIN = "shell"  # by which the checker knows these campaigns from those of schedules
ANY_NUMBER = 1_000_000  # of groups that one person may decide about


@cache
def _content() -> tuple[PostLibrary, PhraseBook]:
    return PostLibrary.load(CONTENT / "posts"), PhraseBook.load(CONTENT / "phrases")


class Editor:
    """`environ`: the settings of the nodes; `lot`: so many notices at a time and ahead of each account, 0 as in service."""

    def __init__(self, environ: Mapping[str, str], lot: int) -> None:
        rules = PostRules.of(load_settings(Path("config.toml"), environ))
        self._rules = replace(rules, approve_over=ANY_NUMBER, cards=False, lots=lot_size(lot))

    def campaigns(self, session: Session) -> Campaigns:
        return Campaigns(session, datetime.now(UTC), *_content(), self._rules)

    def send(self, session: Session) -> tuple[int, int]:
        """Send a post to everybody; its campaign's number, and how many groups get it."""
        campaign, plan = self.campaigns(session).send(Request(POSTS, origin=ORIGIN))
        return campaign.id or 0, plan.sent

    def send_next(self, session: Session) -> bool:
        """Send a post unless one of ours is still being made: what is made before is in its groups before. True when one was."""
        ours = Campaign.origin == ORIGIN, col(Campaign.id) == col(CampaignGroup.campaign_id)
        if session.exec(select(CampaignGroup.group_id).where(*ours, waits()).limit(1)).first() is not None:
            return False
        self.send(session)
        return True

    def go_on(self, session: Session) -> None:
        """Let everything go on that has halted, as an officer does who has seen why."""
        campaigns = self.campaigns(session)
        halted = select(Campaign).where(Campaign.state == CampaignState.HALTED)
        for campaign in session.exec(halted.with_for_update(skip_locked=True)).all():
            campaigns.go_on(campaign)

    def let_a_week_pass(self, session: Session) -> None:
        """Make everything that was sent older, so that no group has had enough of posts."""
        older = "interval '8 days'"
        session.execute(
            text(f"UPDATE outbox SET sent_at = sent_at - {older}, created_at = created_at - {older} WHERE lane = {Lane.CAMPAIGN}")
        )
        session.execute(text(f"UPDATE campaign SET began_at = began_at - {older}"))


def lot_size(lot: int) -> LotSize:
    """Lots of so many notices, for accounts that have so many ahead; 0: as in service."""
    return LotSize(ahead=lot, most=lot) if lot else LotSize()


def waits() -> ColumnElement[bool]:
    """Of a campaign and one of its groups: its notice has yet to be made."""
    return col(CampaignGroup.waits) & col(Campaign.state).not_in(OVER)


def is_in_lots(session: Session) -> bool:
    """Whether a campaign has been let go and has lots still to come."""
    joined = col(Campaign.id) == col(CampaignGroup.campaign_id), Campaign.state == CampaignState.SENDING
    return session.exec(select(CampaignGroup.group_id).where(*joined, col(CampaignGroup.waits)).limit(1)).first() is not None


def unfinished(session: Session) -> tuple[bool, bool]:
    """Whether any campaign is still on its way, and whether one of them has halted."""
    halted = session.exec(select(Campaign.id).where(Campaign.state == CampaignState.HALTED).limit(1)).first() is not None
    trial = session.exec(select(Campaign.id).where(Campaign.state == CampaignState.TRIAL).limit(1)).first() is not None
    made = select(CampaignGroup.group_id).where(col(Campaign.id) == col(CampaignGroup.campaign_id), waits()).limit(1)
    return halted or trial or session.exec(made).first() is not None, halted
