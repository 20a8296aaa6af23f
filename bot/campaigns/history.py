"""What the groups had lately, read in a handful of queries for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import exists, or_
from sqlmodel import Session, col, func, select

from bot.campaigns.lots import its_part
from bot.campaigns.rules import ALARM_LASTS, WEEK, CampaignState, Kind, PostRules
from storage.outbox import STATE
from storage.tables import Alarm, Campaign, CampaignGroup, CampaignPart, Case, Notice


@dataclass(slots=True)
class History:
    """By group: posts of the last seven days and of today, what went there lately, open emergencies, fresh reports.

    `last` is when the district last sent a post at all.
    """

    week: Counter[int] = field(default_factory=Counter)
    day: Counter[int] = field(default_factory=Counter)
    recent: set[tuple[int, str]] = field(default_factory=set)
    last: dict[str, datetime] = field(default_factory=dict)
    alarmed: set[int] = field(default_factory=set)
    reported: set[int] = field(default_factory=set)


# what was stopped has come to some groups only, and the others have not had it
_ARRIVES = or_(
    col(CampaignGroup.campaign_id).not_in(select(Campaign.id).where(Campaign.state == CampaignState.STOPPED)),
    exists().where(
        col(Notice.campaign_id) == col(CampaignGroup.campaign_id),
        col(Notice.group_id) == col(CampaignGroup.group_id),
        STATE.in_(("sent", "unknown", "sending")),
    ),
)


def read_history(session: Session, now: datetime, rules: PostRules, slugs: Sequence[str], no_repeat: timedelta) -> History:
    """What counts at `now` for a choice among `slugs`."""
    history = History()
    went = (
        select(CampaignGroup.group_id, func.count())
        .join(CampaignPart, its_part())
        .where(CampaignPart.skipped == "", _ARRIVES)
        .group_by(col(CampaignGroup.group_id))
    )
    # by the campaigns, of which there are few, and not by their groups
    posts = select(Campaign.id).where(Campaign.kind == Kind.POST)
    this_week, today = (
        posts.where(col(Campaign.began_at) > now - WEEK),
        posts.where(col(Campaign.began_at) >= rules.midnight(now)),
    )
    history.week.update(dict(session.exec(went.where(col(CampaignGroup.campaign_id).in_(this_week))).all()))
    history.day.update(dict(session.exec(went.where(col(CampaignGroup.campaign_id).in_(today))).all()))
    lately = select(Campaign.id).where(col(Campaign.began_at) > now - no_repeat)
    had = (
        select(CampaignGroup.group_id, CampaignPart.post)
        .join(CampaignPart, its_part())
        .where(
            CampaignPart.skipped == "",
            _ARRIVES,
            col(CampaignPart.post).in_(slugs),
            col(CampaignGroup.campaign_id).in_(lately),
        )
    )
    history.recent = set(session.exec(had.distinct()).all()) if no_repeat else set()
    last = (
        select(CampaignPart.post, func.max(Campaign.began_at))
        .join(Campaign, col(Campaign.id) == col(CampaignPart.campaign_id))
        .where(CampaignPart.skipped == "", col(CampaignPart.post).in_(slugs), col(Campaign.began_at).is_not(None))
    )
    history.last = {post: at for post, at in session.exec(last.group_by(CampaignPart.post)).all() if at is not None}
    history.alarmed = _ids(
        session.exec(select(Alarm.group_id).where(col(Alarm.safe_at).is_(None), Alarm.started_at > now - ALARM_LASTS)).all()
    )
    history.reported = _ids(session.exec(select(Case.group_id).where(Case.created_at > now - rules.gap_after_report)).all())
    return history


def _ids(found: Iterable[int | None]) -> set[int]:
    return {group for group in found if group is not None}
