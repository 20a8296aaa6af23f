"""What the groups had lately, read in a handful of queries for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from bot.campaigns.rules import ALARM_LASTS, WEEK, Kind, PostRules
from storage.tables import Alarm, Campaign, CampaignGroup, Case


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


def read_history(session: Session, now: datetime, rules: PostRules, slugs: Sequence[str], no_repeat: timedelta) -> History:
    """What counts at `now` for a choice among `slugs`."""
    history = History()
    posts = select(Campaign.id).where(Campaign.kind == Kind.POST)
    went = (
        select(CampaignGroup.group_id, func.count())
        .where(CampaignGroup.skipped == "", col(CampaignGroup.campaign_id).in_(posts))
        .group_by(col(CampaignGroup.group_id))
    )
    history.week.update(dict(session.exec(went.where(CampaignGroup.at > now - WEEK)).all()))
    history.day.update(dict(session.exec(went.where(CampaignGroup.at >= rules.midnight(now))).all()))
    had = select(CampaignGroup.group_id, CampaignGroup.post).where(
        CampaignGroup.skipped == "", col(CampaignGroup.post).in_(slugs), CampaignGroup.at > now - no_repeat
    )
    history.recent = set(session.exec(had.distinct()).all()) if no_repeat else set()
    last = select(CampaignGroup.post, func.max(CampaignGroup.at)).where(
        CampaignGroup.skipped == "", col(CampaignGroup.post).in_(slugs)
    )
    history.last = dict(session.exec(last.group_by(CampaignGroup.post)).all())
    history.alarmed = _ids(
        session.exec(select(Alarm.group_id).where(col(Alarm.safe_at).is_(None), Alarm.started_at > now - ALARM_LASTS)).all()
    )
    history.reported = _ids(session.exec(select(Case.group_id).where(Case.created_at > now - rules.gap_after_report)).all())
    return history


def _ids(found: Iterable[int | None]) -> set[int]:
    return {group for group in found if group is not None}
