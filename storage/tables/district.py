"""The district: units, grids, groups, the roster, who is on duty."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, UniqueConstraint, true
from sqlmodel import Field, SQLModel

from storage.tables.columns import BigKey, key_column, text_column, time_column, to_column


class Unit(SQLModel, table=True):
    """单位: a department or company that handles cases. `kind` is what the taxonomy routes by (police, fire …)."""

    id: int | None = Field(default=None, sa_column=key_column())
    code: str = Field(unique=True)
    name: str
    kind: str
    phone: str = ""


class Grid(SQLModel, table=True):
    """网格: a piece of ground with a responsible unit; grids nest. `police_code` is the police grid's number for it."""

    id: int | None = Field(default=None, sa_column=key_column())
    code: str = Field(unique=True)
    name: str
    police_code: str = ""
    parent_id: int | None = Field(default=None, sa_column=to_column("grid"))
    unit_id: int | None = Field(default=None, sa_column=to_column("unit"))
    boundary: str | None = Field(default=None, sa_column=text_column(nullable=True))  # GeoJSON


class Group(SQLModel, table=True):
    """群: one chat group on one platform. Without a grid it is unassigned. Labels are of the group, never of a person."""

    __tablename__ = "chat_group"
    __table_args__ = (UniqueConstraint("platform", "account", "chat"),)

    id: int | None = Field(default=None, sa_column=key_column())
    platform: str
    account: str
    chat: str
    name: str
    grid_id: int | None = Field(default=None, sa_column=to_column("grid", index=True))
    class_label: str = ""  # 综合/专属/行业/特殊/工作
    board: str = ""  # 板块
    industry: str = ""  # 行业
    active: bool = True
    hears_all: bool = Field(default=True, sa_column_kwargs={"server_default": true()})  # the bot hears what is said to others
    posts_off: bool = False  # the group asked for no posts
    weekly_cap: int | None = None  # None: the district's default
    members: int | None = None  # how many people are in it, as told by the platform or an operator; None: not known
    introduced_at: datetime | None = Field(default=None, sa_column=time_column())
    left_at: datetime | None = Field(default=None, sa_column=time_column())


class ChatOwner(SQLModel, table=True):
    """Which of our accounts speaks and listens in a chat where several of them are: one, so that nobody is answered twice."""

    __tablename__ = "chat_owner"

    platform: str = Field(primary_key=True)
    chat: str = Field(primary_key=True)
    account: str


class Officer(SQLModel, table=True):
    """民警/网格员: a person on the roster. `badge` is the 工号 that residents can verify."""

    id: int | None = Field(default=None, sa_column=key_column())
    badge: str = Field(unique=True)
    name: str
    title: str
    unit_id: int | None = Field(default=None, sa_column=to_column("unit"))
    active: bool = True


class OfficerRole(SQLModel, table=True):
    """A role in a scope: `scope_kind` is "grid", "unit" or "district"; a district scope has no `scope_id`."""

    __table_args__ = (UniqueConstraint("officer_id", "role", "scope_kind", "scope_id"),)

    id: int | None = Field(default=None, sa_column=key_column())
    officer_id: int = Field(sa_column=to_column("officer", nullable=False, index=True))
    role: str
    scope_kind: str
    scope_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))


class OfficerAccount(SQLModel, table=True):
    """The platform account that an officer has bound; the only thing a right is ever derived from."""

    __table_args__ = (UniqueConstraint("platform", "user_id"),)

    id: int | None = Field(default=None, sa_column=key_column())
    officer_id: int = Field(sa_column=to_column("officer", nullable=False, index=True))
    platform: str
    user_id: str
    bound_at: datetime = Field(sa_column=time_column(nullable=False))


class BindCode(SQLModel, table=True):
    """A one-time code by which an officer binds an account; only its SHA-256 is kept (codes are random and short-lived)."""

    code_hash: str = Field(primary_key=True)
    officer_id: int = Field(sa_column=to_column("officer", nullable=False))
    expires_at: datetime = Field(sa_column=time_column(nullable=False))
    used_at: datetime | None = Field(default=None, sa_column=time_column())


class Duty(SQLModel, table=True):
    """Who is on duty for a grid (or, without one, for the district) between two times."""

    id: int | None = Field(default=None, sa_column=key_column())
    officer_id: int = Field(sa_column=to_column("officer", nullable=False))
    grid_id: int | None = Field(default=None, sa_column=to_column("grid", index=True))
    starts_at: datetime = Field(sa_column=time_column(nullable=False))
    ends_at: datetime | None = Field(default=None, sa_column=time_column())
