"""What is kept of WeChat, which keeps nothing for us: how long we were away, and which groups our accounts are in."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from storage.tables.columns import key_column, time_column


class WechatAccount(SQLModel, table=True):
    """One of our accounts. `alive_at` is the last sign of life of its event stream; what is said later is heard only after it.

    `held_until` and `slow_until` are what WeChat's own warnings brought: nothing but emergencies, and half the pace.
    """

    __tablename__ = "wechat_account"

    account: str = Field(primary_key=True)
    alive_at: datetime | None = Field(default=None, sa_column=time_column())
    warned_at: datetime | None = Field(default=None, sa_column=time_column())
    warnings: int = 0
    held_until: datetime | None = Field(default=None, sa_column=time_column())
    slow_until: datetime | None = Field(default=None, sa_column=time_column())


class WechatGap(SQLModel, table=True):
    """A time in which an account heard nothing. What was written in it is gone: the platform keeps nothing for us."""

    __tablename__ = "wechat_gap"

    id: int | None = Field(default=None, sa_column=key_column())
    account: str = Field(index=True)
    from_at: datetime = Field(sa_column=time_column(nullable=False))
    to_at: datetime = Field(sa_column=time_column(nullable=False))
    why: str = ""
    told: bool = False  # the groups have been told


class WechatRoom(SQLModel, table=True):
    """A group that an account is in, as WeChat describes it. `fetched_at` says how fresh that is; None: to be asked again.

    Where several of our accounts are in one group the one that came first speaks and listens for all of them.
    """

    __tablename__ = "wechat_room"

    account: str = Field(primary_key=True)
    chat: str = Field(primary_key=True)
    topic: str = ""
    members: int = 0
    present: bool = True
    announced: bool = False  # the bot has been told that it is in this group
    seen_at: datetime = Field(sa_column=time_column(nullable=False))  # when the account was first seen in it
    fetched_at: datetime | None = Field(default=None, sa_column=time_column())
