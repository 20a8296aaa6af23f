"""Every table, in the words of DESIGN.md §2.

No table holds chatter, and none is keyed by a resident with anything derived about them.

Enumerations are stored as their text. Times are aware UTC. A row that only repeats what another row says does not exist.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from storage.types import UtcDateTime

# every constraint has a name, so that a later revision can change it on SQLite too
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

BigKey = BigInteger().with_variant(Integer(), "sqlite")


def _key() -> Column[int]:
    return Column(BigKey, primary_key=True, autoincrement=True)


def _text(nullable: bool = False) -> Column[str]:
    return Column(Text(), nullable=nullable)


def _time(nullable: bool = True, index: bool = False) -> Column[datetime]:
    return Column(UtcDateTime(), nullable=nullable, index=index)


def _to(table: str, nullable: bool = True, index: bool = False) -> Column[int]:
    return Column(BigKey, ForeignKey(f"{table}.id"), nullable=nullable, index=index)


# --- the district -------------------------------------------------------------------------------------------------


class Unit(SQLModel, table=True):
    """单位: a department or company that handles cases. `kind` is what the taxonomy routes by (police, fire …)."""

    id: int | None = Field(default=None, sa_column=_key())
    code: str = Field(unique=True)
    name: str
    kind: str
    phone: str = ""


class Grid(SQLModel, table=True):
    """网格: a piece of ground with a responsible unit; grids nest. `police_code` is the police grid's number for it."""

    id: int | None = Field(default=None, sa_column=_key())
    code: str = Field(unique=True)
    name: str
    police_code: str = ""
    parent_id: int | None = Field(default=None, sa_column=_to("grid"))
    unit_id: int | None = Field(default=None, sa_column=_to("unit"))
    boundary: str | None = Field(default=None, sa_column=_text(nullable=True))  # GeoJSON


class Group(SQLModel, table=True):
    """群: one chat group on one platform. Without a grid it is unassigned. Labels are of the group, never of a person."""

    __tablename__ = "chat_group"
    __table_args__ = (UniqueConstraint("platform", "account", "chat"),)

    id: int | None = Field(default=None, sa_column=_key())
    platform: str
    account: str
    chat: str
    name: str
    grid_id: int | None = Field(default=None, sa_column=_to("grid", index=True))
    class_label: str = ""  # 综合/专属/行业/特殊/工作
    board: str = ""  # 板块
    industry: str = ""  # 行业
    active: bool = True
    posts_off: bool = False  # the group asked for no posts
    weekly_cap: int | None = None  # None: the district's default
    introduced_at: datetime | None = Field(default=None, sa_column=_time())
    left_at: datetime | None = Field(default=None, sa_column=_time())


class Officer(SQLModel, table=True):
    """民警/网格员: a person on the roster. `badge` is the 工号 that residents can verify."""

    id: int | None = Field(default=None, sa_column=_key())
    badge: str = Field(unique=True)
    name: str
    title: str
    unit_id: int | None = Field(default=None, sa_column=_to("unit"))
    active: bool = True


class OfficerRole(SQLModel, table=True):
    """A role in a scope: `scope_kind` is "grid", "unit" or "district"; a district scope has no `scope_id`."""

    __table_args__ = (UniqueConstraint("officer_id", "role", "scope_kind", "scope_id"),)

    id: int | None = Field(default=None, sa_column=_key())
    officer_id: int = Field(sa_column=_to("officer", nullable=False, index=True))
    role: str
    scope_kind: str
    scope_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))


class OfficerAccount(SQLModel, table=True):
    """The platform account that an officer has bound; the only thing a right is ever derived from."""

    __table_args__ = (UniqueConstraint("platform", "user_id"),)

    id: int | None = Field(default=None, sa_column=_key())
    officer_id: int = Field(sa_column=_to("officer", nullable=False, index=True))
    platform: str
    user_id: str
    bound_at: datetime = Field(sa_column=_time(nullable=False))


class BindCode(SQLModel, table=True):
    """A one-time code by which an officer binds an account; only its SHA-256 is kept (codes are random and short-lived)."""

    code_hash: str = Field(primary_key=True)
    officer_id: int = Field(sa_column=_to("officer", nullable=False))
    expires_at: datetime = Field(sa_column=_time(nullable=False))
    used_at: datetime | None = Field(default=None, sa_column=_time())


class Duty(SQLModel, table=True):
    """Who is on duty for a grid (or, without one, for the district) between two times."""

    id: int | None = Field(default=None, sa_column=_key())
    officer_id: int = Field(sa_column=_to("officer", nullable=False))
    grid_id: int | None = Field(default=None, sa_column=_to("grid", index=True))
    starts_at: datetime = Field(sa_column=_time(nullable=False))
    ends_at: datetime | None = Field(default=None, sa_column=_time())


# --- the way of a message -----------------------------------------------------------------------------------------


class InboxEvent(SQLModel, table=True):
    """One kept event. `body` is emptied once it is done: what stays is the id, against a second delivery.

    state: "kept" -> "done", or "waiting" (a photo that may belong to a report, until `due_at`), or "quarantined".
    """

    __tablename__ = "inbox"
    __table_args__ = (UniqueConstraint("platform", "account", "event_id"), Index("inbox_open", "state", "id"))

    id: int | None = Field(default=None, sa_column=_key())
    platform: str
    account: str
    event_id: str
    state: str
    urgent: bool = False
    body: bytes | None = Field(default=None, sa_column=Column(LargeBinary(), nullable=True))  # sealed
    received_at: datetime = Field(sa_column=_time(nullable=False, index=True))
    due_at: datetime | None = Field(default=None, sa_column=_time())
    tries: int = 0
    problem: str = ""


class Notice(SQLModel, table=True):
    """告知: one outgoing message. `key` makes a repeated enqueue a no-op.

    lane: 0 alarm, 1 reply, 2 officer, 3 campaign. state: "pending" -> "sending" -> "sent" | "unknown" | "dead" | "cancelled".
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_open", "state", "platform", "account", "lane", "id"),
        Index("outbox_chat", "platform", "account", "chat", "state", "lane", "id"),
        Index("outbox_due", "state", "due_at"),
        Index("outbox_sent", "sent_at"),
    )

    id: int | None = Field(default=None, sa_column=_key())
    key: str = Field(unique=True)
    lane: int
    platform: str
    account: str
    chat: str
    private: bool = False
    thread: str | None = None
    group_id: int | None = Field(default=None, sa_column=_to("chat_group", index=True))
    case_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True, index=True))
    campaign_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True, index=True))
    text: str = Field(sa_column=_text())
    reply_to: str | None = None
    photo: str | None = None
    choices: str = ""  # JSON list of [label, value]
    mention: str | None = None
    secret: bool = False  # the words are wiped as soon as they are sent
    state: str = "pending"
    attempt: int = 0  # how often it was claimed for sending
    lost: int = 0  # how many of these attempts ended without a definite answer
    owner: str = ""  # who claimed it: "node/incarnation"
    lease_until: datetime | None = Field(default=None, sa_column=_time())
    due_at: datetime | None = Field(default=None, sa_column=_time())
    created_at: datetime = Field(sa_column=_time(nullable=False))
    sent_at: datetime | None = Field(default=None, sa_column=_time())
    message_id: str | None = Field(default=None, index=True)
    problem: str = ""


class Pause(SQLModel, table=True):
    """A platform told us to wait: `scope` is "account:platform:account" or "chat:platform:account:chat"."""

    scope: str = Field(primary_key=True)
    until: datetime = Field(sa_column=_time(nullable=False))


class Dialog(SQLModel, table=True):
    """The next message of this person in this chat answers this question."""

    __table_args__ = (UniqueConstraint("platform", "account", "chat", "thread", "sender"),)

    id: int | None = Field(default=None, sa_column=_key())
    platform: str
    account: str
    chat: str
    thread: str = ""
    sender: str
    name: str
    step: str = ""
    data: str = Field(default="{}", sa_column=_text())
    case_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))
    expires_at: datetime = Field(sa_column=_time(nullable=False))


class Timer(SQLModel, table=True):
    """Something to do later, once: found by (kind, key), done in a transaction of its own."""

    __table_args__ = (UniqueConstraint("kind", "key"),)

    id: int | None = Field(default=None, sa_column=_key())
    kind: str
    key: str
    due_at: datetime = Field(sa_column=_time(nullable=False, index=True))
    data: str = Field(default="{}", sa_column=_text())
    tries: int = 0


# --- cases --------------------------------------------------------------------------------------------------------


class Case(SQLModel, table=True):
    """事项: what a resident brought. `number` reads 2611-0042. The reporter is a platform account, gone after erasure."""

    __tablename__ = "cases"

    id: int | None = Field(default=None, sa_column=_key())
    number: str = Field(unique=True)
    kind: str
    category: str
    tier: str
    state: str = Field(index=True)
    text: str = Field(sa_column=_text())
    place: str = ""
    grid_id: int | None = Field(default=None, sa_column=_to("grid", index=True))
    unit_id: int | None = Field(default=None, sa_column=_to("unit"))
    officer_id: int | None = Field(default=None, sa_column=_to("officer", index=True))
    group_id: int | None = Field(default=None, sa_column=_to("chat_group"))  # where it was reported; None in private
    platform: str
    account: str
    chat: str
    private: bool
    thread: str | None = None
    reporter: str | None = Field(default=None, index=True)
    reporter_name: str = ""
    message_id: str = ""  # the first message of the report, to be quoted in answers
    result: str = Field(default="", sa_column=_text())
    resolved_by: int | None = Field(default=None, sa_column=_to("officer"))
    rating: int | None = None
    reopened: int = 0
    created_at: datetime = Field(sa_column=_time(nullable=False))
    state_since: datetime = Field(sa_column=_time(nullable=False))
    closed_at: datetime | None = Field(default=None, sa_column=_time())


class CaseEntry(SQLModel, table=True):
    """One line of a case's history. `author` is "reporter", "officer", "bot" or "resident"."""

    __tablename__ = "case_entry"

    id: int | None = Field(default=None, sa_column=_key())
    case_id: int = Field(sa_column=_to("cases", nullable=False, index=True))
    at: datetime = Field(sa_column=_time(nullable=False))
    kind: str  # report, addition, transition, note, answer, result, photo, rating, recall, edit
    author: str
    officer_id: int | None = Field(default=None, sa_column=_to("officer"))
    text: str = Field(default="", sa_column=_text())
    state: str = ""  # the state after a transition
    message_id: str = Field(default="", index=True)
    attachment_id: int | None = Field(default=None, sa_column=_to("attachment"))


class CaseAssist(SQLModel, table=True):
    """A unit that assists the lead unit of a case."""

    __tablename__ = "case_assist"
    __table_args__ = (UniqueConstraint("case_id", "unit_id"),)

    id: int | None = Field(default=None, sa_column=_key())
    case_id: int = Field(sa_column=_to("cases", nullable=False, index=True))
    unit_id: int = Field(sa_column=_to("unit", nullable=False))


class Attachment(SQLModel, table=True):
    """A photo kept for a case: a file below the data directory, named by its SHA-256, re-encoded without metadata."""

    id: int | None = Field(default=None, sa_column=_key())
    case_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True, index=True))
    sha256: str = Field(index=True)
    path: str
    width: int
    height: int
    size: int
    created_at: datetime = Field(sa_column=_time(nullable=False))


class Alarm(SQLModel, table=True):
    """An emergency that was answered: the duty officer is called every two minutes until somebody acknowledges it.

    The words that were said are not kept; they stand in the group.
    """

    id: int | None = Field(default=None, sa_column=_key())
    danger: str
    group_id: int | None = Field(default=None, sa_column=_to("chat_group"))
    platform: str
    account: str
    chat: str
    private: bool
    thread: str | None = None
    sender: str
    message_id: str
    started_at: datetime = Field(sa_column=_time(nullable=False))
    rounds: int = 0
    acknowledged_at: datetime | None = Field(default=None, sa_column=_time(index=True))
    officer_id: int | None = Field(default=None, sa_column=_to("officer"))
    safe_at: datetime | None = Field(default=None, sa_column=_time())
    case_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))


class Counter(SQLModel, table=True):
    """Running numbers, one row per name (for cases: the month)."""

    name: str = Field(primary_key=True)
    value: int


# --- tips: apart from everything else -----------------------------------------------------------------------------


class Tip(SQLModel, table=True):
    """线索: no account id anywhere near it. `designation` is a random name for staff; the receipt is kept as an Argon2id hash."""

    id: int | None = Field(default=None, sa_column=_key())
    designation: str = Field(unique=True)
    lookup: str = Field(index=True)  # first digits of the receipt, to find the hash
    receipt_hash: str
    state: str = "received"
    created_at: datetime = Field(sa_column=_time(nullable=False))
    expires_at: datetime = Field(sa_column=_time(nullable=False))


class TipMessage(SQLModel, table=True):
    """One sealed message of a tip's dialogue, from the source or from an officer."""

    __tablename__ = "tip_message"

    id: int | None = Field(default=None, sa_column=_key())
    tip_id: int = Field(sa_column=_to("tip", nullable=False, index=True))
    author: str  # "source" | "officer"
    sealed: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    at: datetime = Field(sa_column=_time(nullable=False))
    seen_at: datetime | None = Field(default=None, sa_column=_time())


class TipRead(SQLModel, table=True):
    """Who read which tip and when."""

    __tablename__ = "tip_read"

    id: int | None = Field(default=None, sa_column=_key())
    tip_id: int = Field(sa_column=_to("tip", nullable=False, index=True))
    officer_id: int = Field(sa_column=_to("officer", nullable=False))
    at: datetime = Field(sa_column=_time(nullable=False))


# --- posts --------------------------------------------------------------------------------------------------------


class Occurrence(SQLModel, table=True):
    """One due time of a schedule: unique, and always ending in "sent" or in "skipped" with a reason."""

    __table_args__ = (UniqueConstraint("schedule", "due_at"),)

    id: int | None = Field(default=None, sa_column=_key())
    schedule: str
    due_at: datetime = Field(sa_column=_time(nullable=False))
    state: str = "due"  # due, sent, skipped
    reason: str = ""
    campaign_id: int | None = Field(default=None, sa_column=_to("campaign"))


class Campaign(SQLModel, table=True):
    """推送任务: the sending of one post to a set of groups."""

    id: int | None = Field(default=None, sa_column=_key())
    post: str  # category/slug
    labels: str = ""
    origin: str  # "schedule:<name>", "officer:<badge>", "shell"
    state: str = "sending"  # sending, stopped, done
    created_at: datetime = Field(sa_column=_time(nullable=False))


class CampaignGroup(SQLModel, table=True):
    """What one campaign did in one group: a notice, or the reason why there is none."""

    __tablename__ = "campaign_group"
    __table_args__ = (UniqueConstraint("campaign_id", "group_id"),)

    id: int | None = Field(default=None, sa_column=_key())
    campaign_id: int = Field(sa_column=_to("campaign", nullable=False))
    group_id: int = Field(sa_column=_to("chat_group", nullable=False, index=True))
    post: str = Field(index=True)
    at: datetime = Field(sa_column=_time(nullable=False))
    skipped: str = ""  # "", "weekly cap", "quiet hours", "posts off", "emergency", "just reported"


# --- trust --------------------------------------------------------------------------------------------------------


class Audit(SQLModel, table=True):
    """Every decision about a right, allowed or refused: who, what, on what, why. Never the content."""

    id: int | None = Field(default=None, sa_column=_key())
    at: datetime = Field(sa_column=_time(nullable=False))
    officer_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True, index=True))
    platform: str
    action: str
    target: str = ""
    allowed: bool
    reason: str = ""
