"""The way of a message: what came in, what goes out, what waits for an answer or a time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Index, LargeBinary, UniqueConstraint, false, text
from sqlmodel import Field, SQLModel

from storage.tables.columns import BigKey, key_column, text_column, time_column, to_column


def _index_where(name: str, condition: str, *columns: str) -> Index:
    """An index over the few rows that it is asked for. A statement has to write `condition` with the same literals."""
    return Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))


class InboxEvent(SQLModel, table=True):
    """One kept event. `body` is emptied once it is done: what stays is the id, against a second delivery.

    state: "kept" -> "done", or "waiting" (a photo that may belong to a report, until `due_at`), or "quarantined". Where
    several nodes work, a photo that was looked at and waits for words is "parked", and `lane`, `owner` and `attempt` say whose
    turn it is.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("platform", "account", "event_id"),
        Index("inbox_open", "state", "id"),
        _index_where("inbox_lane", "lane <> ''", "lane", "id"),
    )

    id: int | None = Field(default=None, sa_column=key_column())
    platform: str
    account: str
    event_id: str
    state: str
    urgent: bool = False
    body: bytes | None = Field(default=None, sa_column=Column(LargeBinary(), nullable=True))  # sealed
    received_at: datetime = Field(sa_column=time_column(nullable=False, index=True))
    due_at: datetime | None = Field(default=None, sa_column=time_column())
    tries: int = 0
    problem: str = ""
    lane: str = Field(default="", sa_column_kwargs={"server_default": ""})  # keyed hash of address and sender; wiped when done
    owner: str = Field(default="", sa_column_kwargs={"server_default": ""})  # the node that works on it: "node/incarnation"
    attempt: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # how often it was claimed


class Notice(SQLModel, table=True):
    """告知: one outgoing message. `key` makes a repeated enqueue a no-op.

    lane: 0 alarm, 1 reply, 2 officer, 3 campaign. state: "pending" -> "sent" | "unknown" | "dead" | "cancelled". A pending one
    that has an owner is claimed and being sent; whoever changes what is pending has to leave it alone (`PENDING`, `UNCLAIMED`
    of storage/outbox.py).

    A campaign that halted keeps its pending notices "held".

    Every row is written three times (enqueued, claimed, sent) and every index on it as often, so an index holds only the rows
    that somebody asks it for (decision 0170), and none names what a claim changes (owner, lease_until, attempt), so that
    PostgreSQL writes a claim without touching any index (decisions 0224 and 0301).
    """

    __tablename__ = "outbox"
    __table_args__ = (
        _index_where("outbox_open", "state = 'pending'", "platform", "account", "lane", "id"),  # what to claim next
        _index_where("outbox_before", "state = 'pending'", "chat", "lane", "id"),  # who stands before it in its chat
        _index_where("outbox_failed", "state IN ('unknown', 'dead')", "state", "chat"),  # what failed, or may have
        _index_where("outbox_due", "state = 'pending' AND due_at IS NOT NULL", "due_at"),
        _index_where("outbox_campaign", "campaign_id IS NOT NULL", "campaign_id", "group_id"),
        _index_where("outbox_case", "case_id IS NOT NULL", "case_id"),
        _index_where("outbox_said", "message_id IS NOT NULL", "chat", "message_id"),  # what a chat has had, and which that was
        _index_where("outbox_changes", "changes IS NOT NULL", "changes"),
        _index_where("outbox_sent", "sent_at IS NOT NULL", "sent_at"),
        {"postgresql_with": {"fillfactor": 45}},  # room for the claims of a whole page in it (decision 0295)
    )

    id: int | None = Field(default=None, sa_column=key_column())
    key: str = Field(unique=True)
    lane: int
    platform: str
    account: str
    chat: str
    private: bool = False
    thread: str | None = None
    group_id: int | None = Field(default=None, sa_column=to_column("chat_group"))
    case_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))
    campaign_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))
    text: str = Field(sa_column=text_column())
    reply_to: str | None = None
    photo: str | None = None
    choices: str = ""  # JSON list of [label, value]
    mention: str | None = None
    recalls: str | None = None  # this notice says nothing: it takes back our message of that id
    secret: bool = False  # the words are wiped as soon as they are sent
    changes: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))  # the notice that it puts other words into
    or_say: bool = Field(
        default=False, sa_column_kwargs={"server_default": false()}
    )  # it is said anew where it cannot be changed
    state: str = "pending"
    attempt: int = 0  # how often it was claimed for sending
    lost: int = 0  # how many of these attempts ended without a definite answer
    owner: str = ""  # who has claimed it and is sending it: "node/incarnation"
    lease_until: datetime | None = Field(default=None, sa_column=time_column())
    due_at: datetime | None = Field(default=None, sa_column=time_column())
    created_at: datetime = Field(sa_column=time_column(nullable=False))
    sent_at: datetime | None = Field(default=None, sa_column=time_column())
    message_id: str | None = None
    problem: str = ""

    @property
    def sending(self) -> bool:
        """Whether it is claimed: it may be on its way, or there."""
        return self.state == "pending" and self.owner != ""


class Pause(SQLModel, table=True):
    """A platform told us to wait: `scope` is "account:platform:account" or "chat:platform:account:chat"."""

    scope: str = Field(primary_key=True)
    until: datetime = Field(sa_column=time_column(nullable=False))


class Dialog(SQLModel, table=True):
    """The next message of this person in this chat answers this question."""

    __table_args__ = (UniqueConstraint("platform", "account", "chat", "thread", "sender"),)

    id: int | None = Field(default=None, sa_column=key_column())
    platform: str
    account: str
    chat: str
    thread: str = ""
    sender: str
    name: str
    step: str = ""
    data: str = Field(default="{}", sa_column=text_column())
    case_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))
    expires_at: datetime = Field(sa_column=time_column(nullable=False))


class Timer(SQLModel, table=True):
    """Something to do later, once: found by (kind, key), done in a transaction of its own."""

    __table_args__ = (UniqueConstraint("kind", "key"),)

    id: int | None = Field(default=None, sa_column=key_column())
    kind: str
    key: str
    due_at: datetime = Field(sa_column=time_column(nullable=False, index=True))
    data: str = Field(default="{}", sa_column=text_column())
    tries: int = 0


class Lease(SQLModel, table=True):
    """Who holds a name until when, by the database's clock: "node:…", "listen:platform:account", "send:platform:account".

    `token` grows with every change of the holder: what an earlier holder still tries is refused by it.
    """

    name: str = Field(primary_key=True)
    holder: str  # "node/incarnation"
    token: int = Field(sa_column=Column(BigKey, nullable=False))
    until: datetime = Field(sa_column=time_column(nullable=False))
    duties: str = ""  # of a node: what it can do, "listen send", so that the others know their share


class Pace(SQLModel, table=True):
    """The first slot that nobody has booked yet: `scope` is "account:platform:account" or "overall"."""

    scope: str = Field(primary_key=True)
    next_at: datetime = Field(sa_column=time_column(nullable=False))
