"""Tips, apart from everything else: no account id anywhere near them, and times of the source only to the day.

A tip has a key of its own. It lies sealed to the public keys of those officers who may read it (TipKey) and under the receipt
(Tip.receipt_key). Words are sealed under that key mixed with a second part (storage.tables.trust.ShredKey), which no backup of
the data holds: once that part is destroyed, nobody opens the words any more, with whatever key and from whatever backup.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from storage.tables.columns import BigKey, key_column, time_column, to_column


def sealed_column(nullable: bool = False) -> Column[bytes]:
    """Sealed bytes."""
    return Column(LargeBinary(), nullable=nullable)


class Tip(SQLModel, table=True):
    """线索. `designation` is a random name for staff. `receipt_tag` finds a tip by its receipt; nothing leads back from it."""

    id: int | None = Field(default=None, sa_column=key_column())
    designation: str = Field(unique=True)
    receipt_tag: str | None = Field(default=None, unique=True)
    receipt_key: bytes | None = Field(default=None, sa_column=sealed_column(nullable=True))  # the tip's key under the receipt
    state: str = Field(default="received", index=True)
    created_on: datetime = Field(sa_column=time_column(nullable=False))  # midnight UTC of the day: an hour could name a person
    expires_at: datetime = Field(sa_column=time_column(nullable=False))


class TipKey(SQLModel, table=True):
    """The tip's key, sealed to one officer; without an officer to the house. `part` is "words" or "identity"."""

    __tablename__ = "tip_key"
    __table_args__ = (UniqueConstraint("tip_id", "officer_id", "part"),)

    id: int | None = Field(default=None, sa_column=key_column())
    tip_id: int = Field(sa_column=to_column("tip", nullable=False, index=True))
    officer_id: int | None = Field(default=None, sa_column=to_column("officer", index=True))
    part: str
    sealed: bytes = Field(sa_column=sealed_column())


class TipMessage(SQLModel, table=True):
    """One sealed message of a tip's dialogue. `author` is "source", "officer" or "identity" (who the source says to be)."""

    __tablename__ = "tip_message"

    id: int | None = Field(default=None, sa_column=key_column())
    tip_id: int = Field(sa_column=to_column("tip", nullable=False, index=True))
    author: str
    officer_id: int | None = Field(default=None, sa_column=to_column("officer"))
    sealed: bytes = Field(sa_column=sealed_column())
    at: datetime = Field(sa_column=time_column(nullable=False))  # of the source: the day only


class TipPicture(SQLModel, table=True):
    """A picture that came with a message of a tip: its file below the data directory, and the key of that file, sealed like the
    words. The key stands nowhere else."""

    __tablename__ = "tip_picture"

    id: int | None = Field(default=None, sa_column=key_column())
    tip_id: int = Field(sa_column=to_column("tip", nullable=False, index=True))
    message_id: int = Field(sa_column=Column(BigKey, nullable=False))
    path: str
    sealed: bytes = Field(sa_column=sealed_column())


class TipRead(SQLModel, table=True):
    """Who opened which message of which tip, and when."""

    __tablename__ = "tip_read"

    id: int | None = Field(default=None, sa_column=key_column())
    tip_id: int = Field(sa_column=to_column("tip", nullable=False, index=True))
    message_id: int = Field(sa_column=Column(BigKey, nullable=False))
    officer_id: int = Field(sa_column=to_column("officer", nullable=False))
    at: datetime = Field(sa_column=time_column(nullable=False))


class TipRequest(SQLModel, table=True):
    """An officer asks to see who the source is; another custodian decides. `reason` is sealed like the words."""

    __tablename__ = "tip_request"
    __table_args__ = (UniqueConstraint("tip_id", "officer_id"),)

    id: int | None = Field(default=None, sa_column=key_column())
    tip_id: int = Field(sa_column=to_column("tip", nullable=False, index=True))
    officer_id: int = Field(sa_column=to_column("officer", nullable=False))
    reason: bytes = Field(sa_column=sealed_column())
    state: str = "asked"  # asked, allowed, refused
    decided_by: int | None = Field(default=None, sa_column=to_column("officer"))
    at: datetime = Field(sa_column=time_column(nullable=False))


class OfficerKey(SQLModel, table=True):
    """The key pair of an officer who may read tips. With a `salt` the private key lies under the officer's own passphrase,
    without one under a key file of the server."""

    __tablename__ = "officer_key"

    officer_id: int = Field(sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    public: bytes = Field(sa_column=sealed_column())
    sealed_private: bytes = Field(sa_column=sealed_column())
    salt: bytes | None = Field(default=None, sa_column=sealed_column(nullable=True))
    made_at: datetime = Field(sa_column=time_column(nullable=False))
