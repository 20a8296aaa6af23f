"""One person with several accounts, and guesses at one-time codes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from storage.tables.columns import key_column, time_column


class LinkedAccount(SQLModel, table=True):
    """A platform account that its owner has linked with another one: all with the same `person` are one resident.

    `person` is a random word and means nothing outside this table. Accounts that were never linked have no row.
    """

    __tablename__ = "linked_account"
    __table_args__ = (UniqueConstraint("platform", "user_id"),)

    id: int | None = Field(default=None, sa_column=key_column())
    platform: str
    user_id: str
    person: str = Field(index=True)
    linked_at: datetime = Field(sa_column=time_column(nullable=False))


class LinkCode(SQLModel, table=True):
    """A one-time code by which a person links another account with this one; only its SHA-256 is kept."""

    __tablename__ = "link_code"

    code_hash: str = Field(primary_key=True)
    platform: str
    account: str
    user_id: str
    expires_at: datetime = Field(sa_column=time_column(nullable=False, index=True))


class CodeGuess(SQLModel, table=True):
    """A one-time code that was wrong, for as long as it counts: an hour."""

    __tablename__ = "code_guess"

    id: int | None = Field(default=None, sa_column=key_column())
    platform: str
    user_id: str = Field(index=True)
    at: datetime = Field(sa_column=time_column(nullable=False, index=True))
