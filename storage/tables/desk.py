"""What the desk keeps beside the case: its clocks, its witnesses, second call-backs, and who handles what."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from storage.tables.columns import BigKey, key_column, sealed_text_column, time_column, to_column


class CaseClock(SQLModel, table=True):
    """时限: one promise of time. A case that is opened again gets new ones (`round`); the old ones stay, with their misses.

    `unit` is how it runs: "wall" (day and night), "work" (working time), "days" (day and night, ending on a working day).
    While it runs, `running_since` is when it was last started with `left_seconds` to go; while it is paused only these count.
    """

    __tablename__ = "case_clock"
    __table_args__ = (UniqueConstraint("case_id", "name", "round"),)

    id: int | None = Field(default=None, sa_column=key_column())
    case_id: int = Field(sa_column=to_column("cases", nullable=False, index=True))
    name: str  # take, first_reply, next_reply, resolve
    round: int
    unit: str
    limit_seconds: int
    left_seconds: int
    started_at: datetime = Field(sa_column=time_column(nullable=False))
    running_since: datetime | None = Field(default=None, sa_column=time_column())
    due_at: datetime | None = Field(default=None, sa_column=time_column(index=True))
    stopped_at: datetime | None = Field(default=None, sa_column=time_column())
    warned: int = 0  # the last mark that was told: 50, 80, 95 (15 minutes before), 100 (missed), 200 (missed by half again)
    missed_at: datetime | None = Field(default=None, sa_column=time_column(index=True))


class CaseWitness(SQLModel, table=True):
    """One more person who reported the same; hears the result where the report was made. `person` is a platform account."""

    __tablename__ = "case_witness"
    __table_args__ = (UniqueConstraint("case_id", "platform", "person"),)

    id: int | None = Field(default=None, sa_column=key_column())
    case_id: int = Field(sa_column=to_column("cases", nullable=False, index=True))
    from_case: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))  # came with a case that was merged
    platform: str
    account: str
    chat: str
    private: bool
    thread: str | None = None
    group_id: int | None = Field(default=None, sa_column=to_column("chat_group"))
    person: str | None = Field(default=None, index=True)
    message_id: str = ""
    at: datetime = Field(sa_column=time_column(nullable=False))


class CaseReview(SQLModel, table=True):
    """抽查回访: another unit asks the reporter of a closed case once more."""

    __tablename__ = "case_review"

    id: int | None = Field(default=None, sa_column=key_column())
    case_id: int = Field(sa_column=to_column("cases", nullable=False, index=True))
    unit_id: int | None = Field(default=None, sa_column=to_column("unit"))
    officer_id: int | None = Field(default=None, sa_column=to_column("officer"))
    asked_at: datetime = Field(sa_column=time_column(nullable=False))
    answered_at: datetime | None = Field(default=None, sa_column=time_column())
    agreed: bool | None = None
    note: str = Field(default="", sa_column=sealed_text_column())


class Route(SQLModel, table=True):
    """Who handles a category in a grid (None: everywhere); `category` may end in ".*" or be "*". Rank 0 leads, others assist."""

    __table_args__ = (UniqueConstraint("category", "grid_id", "unit_id"),)

    id: int | None = Field(default=None, sa_column=key_column())
    category: str = Field(index=True)
    grid_id: int | None = Field(default=None, sa_column=to_column("grid"))
    unit_id: int = Field(sa_column=to_column("unit", nullable=False))
    rank: int
