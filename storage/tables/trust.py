"""Decisions about rights, and the keys whose end is the end of what they sealed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, LargeBinary
from sqlmodel import Field, SQLModel

from storage.tables.columns import BigKey, key_column, time_column


class Audit(SQLModel, table=True):
    """Every decision about a right, allowed or refused: who, what, on what, why. Never the content.

    Written by `storage.audit.append` alone: `digest` is the hash of this line and of the digest before it.
    """

    id: int | None = Field(default=None, sa_column=key_column())
    line: int = Field(unique=True)
    digest: str
    at: datetime = Field(sa_column=time_column(nullable=False))
    officer_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True, index=True))
    platform: str
    action: str
    target: str = ""
    allowed: bool
    reason: str = ""


class AuditHead(SQLModel, table=True):
    """How far the audit has come; a single row, locked by whoever writes the next line."""

    __tablename__ = "audit_head"

    id: int = Field(sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    line: int
    digest: str


class ShredKey(SQLModel, table=True):
    """Half of what is needed to open a case or a tip, by its name. A backup of the data leaves this table empty."""

    __tablename__ = "shred_key"

    name: str = Field(primary_key=True)
    key: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
