"""Tips, apart from everything else: no account id anywhere near them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, LargeBinary
from sqlmodel import Field, SQLModel

from storage.tables.columns import key_column, time_column, to_column


class Tip(SQLModel, table=True):
    """线索: no account id anywhere near it. `designation` is a random name for staff; the receipt is kept as an Argon2id hash."""

    id: int | None = Field(default=None, sa_column=key_column())
    designation: str = Field(unique=True)
    lookup: str = Field(index=True)  # first digits of the receipt, to find the hash
    receipt_hash: str
    state: str = "received"
    created_at: datetime = Field(sa_column=time_column(nullable=False))
    expires_at: datetime = Field(sa_column=time_column(nullable=False))


class TipMessage(SQLModel, table=True):
    """One sealed message of a tip's dialogue, from the source or from an officer."""

    __tablename__ = "tip_message"

    id: int | None = Field(default=None, sa_column=key_column())
    tip_id: int = Field(sa_column=to_column("tip", nullable=False, index=True))
    author: str  # "source" | "officer"
    sealed: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    at: datetime = Field(sa_column=time_column(nullable=False))
    seen_at: datetime | None = Field(default=None, sa_column=time_column())


class TipRead(SQLModel, table=True):
    """Who read which tip and when."""

    __tablename__ = "tip_read"

    id: int | None = Field(default=None, sa_column=key_column())
    tip_id: int = Field(sa_column=to_column("tip", nullable=False, index=True))
    officer_id: int = Field(sa_column=to_column("officer", nullable=False))
    at: datetime = Field(sa_column=time_column(nullable=False))
