"""Posts going out: due times of schedules, campaigns, what each group got, missing people, and appeals."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, ForeignKey, Index, SmallInteger, UniqueConstraint
from sqlmodel import Field, SQLModel

from storage.tables.columns import BigKey, key_column, sealed_text_column, text_column, time_column, to_column


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
    """推送任务: the sending of one post, or of one message of a chain, to a set of groups.

    `kind`: post, correction, alert, update, cancel. `state`: waiting (for a second person), planned (for its time), trial (the
    first few groups), sending, halted (errors; an officer decides), stopped, done. `next_step_at` is when somebody has to look,
    `lot_at` when more of its notices are to be made.
    """

    __table_args__ = (Index("campaign_step", "next_step_at"), Index("campaign_lot", "lot_at"))

    id: int | None = Field(default=None, sa_column=key_column())
    kind: str = "post"
    post: str = ""  # category, category/slug or theme:key; empty when `text` says it all
    labels: str = ""  # the expression over labels in its canonical spelling; empty for every group
    accounts: str = ""  # "platform:account", parted by commas; empty for all
    origin: str  # "schedule:<name>", "officer:<badge>", "shell"
    state: str = "sending"
    created_at: datetime = Field(sa_column=time_column(nullable=False))
    starts_at: datetime | None = Field(default=None, sa_column=time_column())
    late_for: datetime | None = Field(default=None, sa_column=time_column())
    over_seconds: int = 0
    officer_id: int | None = Field(default=None, sa_column=to_column("officer"))  # who planned it
    approved_by: int | None = Field(default=None, sa_column=to_column("officer"))
    approved_at: datetime | None = Field(default=None, sa_column=time_column())
    text: str | None = Field(default=None, sa_column=text_column(nullable=True))  # of corrections and chains
    photo: str | None = None
    about_id: int | None = Field(default=None, sa_column=to_column("campaign", index=True))  # what it corrects, goes on or ends
    case_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True, index=True))
    began_at: datetime | None = Field(default=None, sa_column=time_column())  # when it was carried out
    next_step_at: datetime | None = Field(default=None, sa_column=time_column())
    lot_at: datetime | None = Field(default=None, sa_column=time_column())
    problem: str = ""  # why it halted by itself
    forgiven: int = 0  # failures that an officer has seen and gone on from
    told: str = ""  # what its planner was told last about its progress


class CampaignPart(SQLModel, table=True):
    """What some groups of one campaign have in common: the post and what they read of it, or the reason why they get none.

    In `text` a mark stands where each group reads its own name (`bot.campaigns.lots`).
    """

    __tablename__ = "campaign_part"
    __table_args__ = {"sqlite_with_rowid": False}

    campaign_id: int = Field(sa_column=Column(BigKey, ForeignKey("campaign.id"), primary_key=True, autoincrement=False))
    number: int = Field(sa_column=Column(SmallInteger(), primary_key=True, autoincrement=False))
    post: str
    skipped: str = ""  # "", "weekly cap", "quiet hours", "posts off", "emergency", "just reported"
    text: str = Field(default="", sa_column=text_column())
    photo: str | None = None


class CampaignGroup(SQLModel, table=True):
    """What one campaign does in one group: a notice, or the reason why there is none; and what came back.

    `waits` is true until the notice is made, which happens a few hundred at a time while a campaign is sending (decision 0276).
    A campaign of thousands of groups writes that many of these rows at once, so there is nothing in them but what differs, no
    number of their own, no index beside the key, and no foreign key: each would be looked up for every row, and what they name
    was read or written in the same transaction and stays (a group that is merged into another one takes its rows along).
    """

    __tablename__ = "campaign_group"
    __table_args__ = {"sqlite_with_rowid": False}

    campaign_id: int = Field(sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    group_id: int = Field(sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    part: int = Field(sa_column=Column(SmallInteger(), nullable=False))  # its number in `CampaignPart`
    waits: bool = False
    due_at: datetime | None = Field(default=None, sa_column=time_column())  # not before then
    replies: int = 0  # messages that answered it; never their words or senders
    questions: int = 0  # of these, how many asked something
    opt_outs: int = 0  # of these, how many asked for no more posts


class Missing(SQLModel, table=True):
    """寻人: a missing person's chain, tied to the case. `state`: pending_verification, active, found, withdrawn, expired."""

    id: int | None = Field(default=None, sa_column=key_column())
    case_id: int = Field(sa_column=to_column("cases", nullable=False, unique=True))
    state: str = "pending_verification"
    text: str = Field(sa_column=sealed_text_column())  # who it is and where last seen, as the groups read it
    labels: str = ""
    photo: str | None = None
    officer_id: int = Field(sa_column=to_column("officer", nullable=False))  # who wrote it down and gets the clues
    verified_by: int | None = Field(default=None, sa_column=to_column("officer"))
    campaign_id: int | None = Field(default=None, sa_column=to_column("campaign"))  # the alert
    clues: int = 0
    created_at: datetime = Field(sa_column=time_column(nullable=False))
    expires_at: datetime | None = Field(default=None, sa_column=time_column())
    ended_at: datetime | None = Field(default=None, sa_column=time_column())
    purge_at: datetime | None = Field(default=None, sa_column=time_column(index=True))  # when its photos have to be gone


class Appeal(SQLModel, table=True):
    """急告: an appeal or an urgent notice as a chain, with a number of the same series as cases have. `state`:
    pending_verification, active, ended, expired. Its words are written to be public, and wiped when it is over all the same."""

    id: int | None = Field(default=None, sa_column=key_column())
    number: str = Field(unique=True)
    post: str = ""  # the post that it was made from
    case_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))  # the case that it was made from
    state: str = "pending_verification"
    text: str = Field(sa_column=text_column())  # as the groups read it
    labels: str = ""
    photo: str | None = None
    officer_id: int = Field(sa_column=to_column("officer", nullable=False))  # who wrote it and gets the replies
    verified_by: int | None = Field(default=None, sa_column=to_column("officer"))
    campaign_id: int | None = Field(default=None, sa_column=to_column("campaign"))  # the alert
    replies: int = 0
    created_at: datetime = Field(sa_column=time_column(nullable=False))
    until: datetime | None = Field(default=None, sa_column=time_column())  # how long it is true, when its writer said so
    expires_at: datetime | None = Field(default=None, sa_column=time_column())
    ended_at: datetime | None = Field(default=None, sa_column=time_column())
    purge_at: datetime | None = Field(
        default=None, sa_column=time_column(index=True)
    )  # when its words and photos have to be gone
