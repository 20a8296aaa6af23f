"""What neighbours do together: wishes, lost things, mediation, activities, proposals, good deeds; and visits and premises.

A person stands here only as the account that spoke, for as long as the matter lasts; hours and points only of those who asked for
it. Premises carry no attribute of anybody who lives or works in them.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from storage.tables.columns import key_column, new_seal, sealed_text_column, text_column, time_column, to_column


class WishCard(SQLModel, table=True):
    """心愿卡: the wish of a case as neighbours may read it, without name and door number."""

    __tablename__ = "wish_card"
    __table_args__ = (UniqueConstraint("case_id"),)

    id: int | None = Field(default=None, sa_column=key_column())
    case_id: int = Field(sa_column=to_column("cases", nullable=False))
    wish_class: str  # government, market, charity
    text: str = Field(sa_column=sealed_text_column())
    group_id: int | None = Field(default=None, sa_column=to_column("chat_group"))
    published_at: datetime = Field(sa_column=time_column(nullable=False))


class WishClaim(SQLModel, table=True):
    """认领: a neighbour who wants to help. state: asked -> approved -> done | expired | released | declined."""

    __tablename__ = "wish_claim"

    id: int | None = Field(default=None, sa_column=key_column())
    case_id: int = Field(sa_column=to_column("cases", nullable=False, index=True))
    platform: str
    account: str
    user_id: str = Field(index=True)
    name: str
    state: str = "asked"
    asked_at: datetime = Field(sa_column=time_column(nullable=False))
    due_at: datetime | None = Field(default=None, sa_column=time_column())


class LostItem(SQLModel, table=True):
    """失物: what a lost or a found case is about. `detail` is what only the owner can know; officers alone compare it."""

    __tablename__ = "lost_item"
    __table_args__ = (UniqueConstraint("case_id"),)

    id: int | None = Field(default=None, sa_column=key_column())
    case_id: int = Field(sa_column=to_column("cases", nullable=False))
    side: str  # lost, found
    things: str  # kinds of thing, separated by spaces
    detail: str = Field(default="", sa_column=sealed_text_column())
    matched_case_id: int | None = Field(default=None, sa_column=to_column("cases"))


class Mediation(SQLModel, table=True):
    """调解: an appointment for a dispute and what came of it. state: arranged -> agreed | failed | cancelled."""

    id: int | None = Field(default=None, sa_column=key_column())
    case_id: int = Field(sa_column=to_column("cases", nullable=False, index=True))
    at: datetime = Field(sa_column=time_column(nullable=False))
    place: str = Field(sa_column=sealed_text_column())
    parties: str = Field(default="", sa_column=sealed_text_column())
    mediator_id: int = Field(sa_column=to_column("officer", nullable=False))
    state: str = "arranged"
    record: str = Field(default="", sa_column=sealed_text_column())


class Activity(SQLModel, table=True):
    """活动: something volunteers do together. state: open -> held | cancelled. `code` is told on the spot, for checking in."""

    id: int | None = Field(default=None, sa_column=key_column())
    group_id: int = Field(sa_column=to_column("chat_group", nullable=False))
    officer_id: int = Field(sa_column=to_column("officer", nullable=False))
    title: str
    place: str
    starts_at: datetime = Field(sa_column=time_column(nullable=False))
    hours: float
    seats: int | None = None
    code: str
    state: str = "open"


class ActivityEntry(SQLModel, table=True):
    """报名: one account in one activity. The hours count only once they are wanted (`Volunteer`)."""

    __tablename__ = "activity_entry"
    __table_args__ = (UniqueConstraint("activity_id", "platform", "user_id"),)

    id: int | None = Field(default=None, sa_column=key_column())
    activity_id: int = Field(sa_column=to_column("activity", nullable=False))
    platform: str
    account: str
    user_id: str = Field(index=True)
    name: str
    signed_at: datetime = Field(sa_column=time_column(nullable=False))
    came_at: datetime | None = Field(default=None, sa_column=time_column())


class Volunteer(SQLModel, table=True):
    """志愿者: somebody who asked that hours and points be kept; deleted with them when he leaves. `trade`: 快递员 …"""

    __table_args__ = (UniqueConstraint("platform", "user_id"),)

    id: int | None = Field(default=None, sa_column=key_column())
    platform: str
    user_id: str
    name: str
    trade: str = ""
    hours: float = 0.0
    points: int = 0
    agreed_at: datetime = Field(sa_column=time_column(nullable=False))


class Proposal(SQLModel, table=True):
    """议题. state: proposed -> discussing -> voting -> decided -> done, or declined."""

    id: int | None = Field(default=None, sa_column=key_column())
    group_id: int = Field(sa_column=to_column("chat_group", nullable=False))
    seal: str = Field(default_factory=partial(new_seal, "proposal"))  # the name of the key under which its words lie
    text: str = Field(sa_column=sealed_text_column())
    platform: str
    account: str
    user_id: str
    state: str = "proposed"
    outcome: str = Field(default="", sa_column=sealed_text_column())
    created_at: datetime = Field(sa_column=time_column(nullable=False))
    closes_at: datetime | None = Field(default=None, sa_column=time_column())


class ProposalVoice(SQLModel, table=True):
    """One account's word on a proposal: comments while it is discussed, one vote, one rating when it is done."""

    __tablename__ = "proposal_voice"

    id: int | None = Field(default=None, sa_column=key_column())
    proposal_id: int = Field(sa_column=to_column("proposal", nullable=False, index=True))
    kind: str  # comment, vote, rating
    platform: str
    user_id: str
    seal: str = Field(default_factory=partial(new_seal, "voice"))  # the name of the key under which its words lie
    text: str = Field(sa_column=sealed_text_column())
    at: datetime = Field(sa_column=time_column(nullable=False))


class Deed(SQLModel, table=True):
    """好人好事: nominated, then told to others only with the person's consent, under the name he wants. No score of anybody."""

    id: int | None = Field(default=None, sa_column=key_column())
    group_id: int | None = Field(default=None, sa_column=to_column("chat_group"))
    seal: str = Field(default_factory=partial(new_seal, "deed"))  # the name of the key under which its words lie
    who: str = Field(sa_column=sealed_text_column())
    what: str = Field(sa_column=sealed_text_column())
    state: str = "nominated"  # nominated, posted, declined
    shown_as: str = Field(default="", sa_column=sealed_text_column())
    created_at: datetime = Field(sa_column=time_column(nullable=False))


class Visit(SQLModel, table=True):
    """走访: where an officer went and what was found; a problem found becomes a case."""

    id: int | None = Field(default=None, sa_column=key_column())
    officer_id: int = Field(sa_column=to_column("officer", nullable=False, index=True))
    grid_id: int | None = Field(default=None, sa_column=to_column("grid", index=True))
    seal: str = Field(default_factory=partial(new_seal, "visit"))  # the name of the key under which its words lie
    place: str = Field(sa_column=sealed_text_column())
    text: str = Field(sa_column=sealed_text_column())
    at: datetime = Field(sa_column=time_column(nullable=False, index=True))
    case_id: int | None = Field(default=None, sa_column=to_column("cases"))


class Premises(SQLModel, table=True):
    """场所: a place that is inspected. Its colour is computed from hazards and the age of the inspection, and stored nowhere."""

    id: int | None = Field(default=None, sa_column=key_column())
    name: str
    address: str
    use: str = ""  # 出租房, 餐饮, 仓库 …
    grid_id: int | None = Field(default=None, sa_column=to_column("grid", index=True))
    active: bool = True


class Inspection(SQLModel, table=True):
    """检查: somebody looked at premises; what was wrong is a case of its own."""

    id: int | None = Field(default=None, sa_column=key_column())
    premises_id: int = Field(sa_column=to_column("premises", nullable=False, index=True))
    officer_id: int = Field(sa_column=to_column("officer", nullable=False))
    at: datetime = Field(sa_column=time_column(nullable=False))
    passed: bool
    text: str = Field(default="", sa_column=text_column())
    case_id: int | None = Field(default=None, sa_column=to_column("cases"))
