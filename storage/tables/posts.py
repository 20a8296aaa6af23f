"""Posts going out: due times of schedules, campaigns, what each group got."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from storage.tables.columns import key_column, time_column, to_column


class Occurrence(SQLModel, table=True):
    """One due time of a schedule: unique, and always ending in "sent" or in "skipped" with a reason."""

    __table_args__ = (UniqueConstraint("schedule", "due_at"),)

    id: int | None = Field(default=None, sa_column=key_column())
    schedule: str
    due_at: datetime = Field(sa_column=time_column(nullable=False))
    state: str = "due"  # due, sent, skipped
    reason: str = ""
    campaign_id: int | None = Field(default=None, sa_column=to_column("campaign"))


class Campaign(SQLModel, table=True):
    """推送任务: the sending of one post to a set of groups."""

    id: int | None = Field(default=None, sa_column=key_column())
    post: str  # category/slug
    labels: str = ""
    origin: str  # "schedule:<name>", "officer:<badge>", "shell"
    state: str = "sending"  # sending, stopped, done
    created_at: datetime = Field(sa_column=time_column(nullable=False))


class CampaignGroup(SQLModel, table=True):
    """What one campaign did in one group: a notice, or the reason why there is none."""

    __tablename__ = "campaign_group"
    __table_args__ = (UniqueConstraint("campaign_id", "group_id"),)

    id: int | None = Field(default=None, sa_column=key_column())
    campaign_id: int = Field(sa_column=to_column("campaign", nullable=False))
    group_id: int = Field(sa_column=to_column("chat_group", nullable=False, index=True))
    post: str = Field(index=True)
    at: datetime = Field(sa_column=time_column(nullable=False))
    skipped: str = ""  # "", "weekly cap", "quiet hours", "posts off", "emergency", "just reported"
