"""Cases, their history, photos and alarms."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from sqlalchemy import Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from storage.tables.columns import BigKey, key_column, new_seal, sealed_text_column, time_column, to_column


class Case(SQLModel, table=True):
    """事项: what a resident brought. `number` reads 2611-0042. The reporter is a platform account, gone after erasure."""

    __tablename__ = "cases"
    __table_args__ = (Index("cases_group", "group_id", "created_at"),)

    id: int | None = Field(default=None, sa_column=key_column())
    number: str = Field(unique=True)
    seal: str = Field(
        default_factory=partial(new_seal, "case")
    )  # the name of the key under which its words lie; "" once they are gone
    kind: str
    category: str
    tier: str
    state: str = Field(index=True)
    text: str = Field(sa_column=sealed_text_column())
    place: str = Field(default="", sa_column=sealed_text_column())
    latitude: float | None = None  # degrees WGS 84, of a pin or of a photo sent as a file; only ever used for the case
    longitude: float | None = None
    located_by: str | None = None  # what the grid was told by: pin, photo, gazetteer, group
    grid_id: int | None = Field(default=None, sa_column=to_column("grid", index=True))
    grid_code: str = ""  # the civic grid's number when the case was brought, and the police grid's
    police_grid: str = ""
    unit_id: int | None = Field(default=None, sa_column=to_column("unit"))
    officer_id: int | None = Field(default=None, sa_column=to_column("officer", index=True))
    group_id: int | None = Field(default=None, sa_column=to_column("chat_group"))  # where it was reported; None in private
    platform: str
    account: str
    chat: str
    private: bool
    thread: str | None = None
    reporter: str | None = Field(default=None, index=True)
    reporter_name: str = Field(default="", sa_column=sealed_text_column())
    message_id: str = ""  # the first message of the report, to be quoted in answers
    result: str = Field(default="", sa_column=sealed_text_column())
    resolved_by: int | None = Field(default=None, sa_column=to_column("officer"))
    rating: int | None = None
    reopened: int = 0
    returned: int = 0  # how often its unit gave it back as wrong
    outside: str = ""  # to whom it was referred, with their number
    holds: int = 0  # extensions that were approved
    hold_days: int | None = None  # an extension that was asked for
    attempts: int = 0  # how often the reporter was asked since it was resolved
    asked_at: datetime | None = Field(default=None, sa_column=time_column())  # for the first time since then
    asked_again_at: datetime | None = Field(default=None, sa_column=time_column())  # 28 days later: did it come back
    merged_into: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True, index=True))  # the master's id
    created_at: datetime = Field(sa_column=time_column(nullable=False))
    state_since: datetime = Field(sa_column=time_column(nullable=False))
    closed_at: datetime | None = Field(default=None, sa_column=time_column())


class CaseEntry(SQLModel, table=True):
    """One line of a case's history. `author` is "reporter", "officer", "bot" or "resident"."""

    __tablename__ = "case_entry"

    id: int | None = Field(default=None, sa_column=key_column())
    case_id: int = Field(sa_column=to_column("cases", nullable=False, index=True))
    at: datetime = Field(sa_column=time_column(nullable=False))
    # report, addition, transition, note, answer, result, photo, rating, recall, edit, found, message, miss, review, merged
    kind: str
    author: str
    officer_id: int | None = Field(default=None, sa_column=to_column("officer"))
    text: str = Field(default="", sa_column=sealed_text_column())
    state: str = ""  # the state after a transition
    message_id: str = Field(default="", index=True)
    attachment_id: int | None = Field(default=None, sa_column=to_column("attachment"))


class CaseAssist(SQLModel, table=True):
    """A unit that assists the lead unit of a case."""

    __tablename__ = "case_assist"
    __table_args__ = (UniqueConstraint("case_id", "unit_id"),)

    id: int | None = Field(default=None, sa_column=key_column())
    case_id: int = Field(sa_column=to_column("cases", nullable=False, index=True))
    unit_id: int = Field(sa_column=to_column("unit", nullable=False))


class Attachment(SQLModel, table=True):
    """A photo kept for a case: a file below the data directory, drawn anew without metadata and sealed under a key of its own,
    whose name is the file's (`storage.media`). `sha256` is of the picture."""

    id: int | None = Field(default=None, sa_column=key_column())
    case_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True, index=True))
    alarm_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True, index=True))  # the emergency that it shows
    platform: str | None = None  # with an emergency: who sent it, that need be neither whoever cried nor the case's reporter
    sender: str | None = Field(default=None, index=True)
    sha256: str = Field(index=True)
    path: str
    width: int
    height: int
    size: int
    fingerprint: str | None = None  # perceptual hash, 16 hexadecimal digits; None for a picture too flat to have one
    created_at: datetime = Field(sa_column=time_column(nullable=False))


class Alarm(SQLModel, table=True):
    """An emergency that was answered: the duty officer is called every two minutes until somebody acknowledges it.

    The words that were said are not kept; they stand in the group.
    """

    __table_args__ = (Index("alarm_group", "group_id", "started_at"),)

    id: int | None = Field(default=None, sa_column=key_column())
    danger: str
    group_id: int | None = Field(default=None, sa_column=to_column("chat_group"))
    platform: str
    account: str
    chat: str
    private: bool
    thread: str | None = None
    sender: str
    message_id: str
    started_at: datetime = Field(sa_column=time_column(nullable=False))
    rounds: int = 0
    acknowledged_at: datetime | None = Field(default=None, sa_column=time_column(index=True))
    officer_id: int | None = Field(default=None, sa_column=to_column("officer"))
    safe_at: datetime | None = Field(default=None, sa_column=time_column())
    case_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))


class Counter(SQLModel, table=True):
    """Running numbers, one row per name (for cases: the month)."""

    name: str = Field(primary_key=True)
    value: int
