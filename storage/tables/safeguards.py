"""What keeps rights and rooms from abuse: officers' one-time passwords, actions that wait for one, blocks, name warnings."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, LargeBinary
from sqlmodel import Field, SQLModel

from storage.tables.columns import BigKey, key_column, text_column, time_column, to_column


class OfficerTotp(SQLModel, table=True):
    """An officer's key for one-time passwords (RFC 6238), sealed under a key file of the server.

    `sealed` counts once a code of it was given (`proved_at`); `sealed_next` is a new one that waits for that. `last_step` is the
    time step of the last code that was taken: neither it nor an earlier one is taken. `wrong` codes count from `wrong_since`.
    """

    __tablename__ = "officer_totp"

    officer_id: int = Field(sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    sealed: bytes | None = Field(default=None, sa_column=Column(LargeBinary(), nullable=True))
    sealed_next: bytes | None = Field(default=None, sa_column=Column(LargeBinary(), nullable=True))
    proved_at: datetime | None = Field(default=None, sa_column=time_column())
    last_step: int = Field(default=0, sa_column=Column(BigKey, nullable=False))
    wrong: int = 0
    wrong_since: datetime | None = Field(default=None, sa_column=time_column())


class PendingAction(SQLModel, table=True):
    """A high-impact action that waits for its one-time password and then for its delay.

    `kind` is an action of `bot.permissions.ACTIONS`, `scope` says how far it reaches, `about` what it is, both for officers;
    `payload` is JSON for whoever carries it out. `state`: asked, confirmed, done, cancelled, failed, lapsed.
    """

    __tablename__ = "pending_action"

    id: int | None = Field(default=None, sa_column=key_column())
    kind: str
    scope: str = ""
    about: str = Field(sa_column=text_column())
    payload: str = Field(sa_column=text_column())
    officer_id: int = Field(sa_column=to_column("officer", nullable=False))
    platform: str
    asked_at: datetime = Field(sa_column=time_column(nullable=False))
    confirm_by: datetime = Field(sa_column=time_column(nullable=False))
    runs_at: datetime | None = Field(default=None, sa_column=time_column())
    state: str = Field(default="asked", index=True)
    ended_at: datetime | None = Field(default=None, sa_column=time_column())
    ended_by: int | None = Field(default=None, sa_column=to_column("officer"))


class Block(SQLModel, table=True):
    """Somebody whose messages are not worked on for some days, emergencies excepted. `person` is a keyed fingerprint."""

    id: int | None = Field(default=None, sa_column=key_column())
    person: str = Field(index=True)
    case_id: int | None = Field(default=None, sa_column=to_column("cases"))
    grid_id: int | None = Field(default=None, sa_column=to_column("grid"))
    officer_id: int = Field(sa_column=to_column("officer", nullable=False))
    reason: str = Field(sa_column=text_column())
    at: datetime = Field(sa_column=time_column(nullable=False))
    until: datetime = Field(sa_column=time_column(nullable=False))
    lifted_at: datetime | None = Field(default=None, sa_column=time_column())
    lifted_by: int | None = Field(default=None, sa_column=to_column("officer"))
    told_at: datetime | None = Field(default=None, sa_column=time_column())


class NameWarning(SQLModel, table=True):
    """A group was warned of a name. `mark` is a keyed fingerprint of the account and the name: neither stands here."""

    __tablename__ = "name_warning"

    id: int | None = Field(default=None, sa_column=key_column())
    mark: str = Field(unique=True)
    group_id: int | None = Field(default=None, sa_column=to_column("chat_group"))
    at: datetime = Field(sa_column=time_column(nullable=False))


class Repeat(SQLModel, table=True):
    """How often one person sent the same report again. `mark` is a keyed fingerprint of the account and the words."""

    mark: str = Field(primary_key=True)
    times: int = Field(sa_column=Column(BigKey, nullable=False))
    last_at: datetime = Field(sa_column=time_column(nullable=False))
