"""Decisions about rights."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column
from sqlmodel import Field, SQLModel

from storage.tables.columns import BigKey, key_column, time_column


class Audit(SQLModel, table=True):
    """Every decision about a right, allowed or refused: who, what, on what, why. Never the content."""

    id: int | None = Field(default=None, sa_column=key_column())
    at: datetime = Field(sa_column=time_column(nullable=False))
    officer_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True, index=True))
    platform: str
    action: str
    target: str = ""
    allowed: bool
    reason: str = ""
