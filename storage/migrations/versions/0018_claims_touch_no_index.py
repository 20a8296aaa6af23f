"""claims touch no index

`phase` follows from `state` and stays the same when a row is claimed; indexes that named `state` name it instead (decision 0224).

Revision ID: 0018
Revises: 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

PHASE = (
    "CASE WHEN state IN ('pending', 'sending') THEN 1 WHEN state IN ('unknown', 'dead') THEN 2 "
    "WHEN state = 'cancelled' THEN 3 ELSE 0 END"
)
DROPPED = ("outbox_open", "outbox_before", "outbox_sending", "outbox_failed", "outbox_due", "outbox_message", "outbox_chat")
NEW = (
    ("outbox_open", ("platform", "account", "lane", "id"), "phase = 1"),
    ("outbox_before", ("chat", "lane", "id"), "phase = 1"),
    ("outbox_ended", ("phase", "chat"), "phase >= 2"),
    ("outbox_due", ("due_at",), "phase = 1 AND due_at IS NOT NULL"),
    ("outbox_said", ("chat", "message_id"), "message_id IS NOT NULL"),
)


def upgrade() -> None:
    for name in DROPPED:
        op.drop_index(name, table_name="outbox")
    if op.get_bind().dialect.name == "sqlite":
        # a stored column would mean copying the table; a virtual one is worked out where an index wants it
        op.execute(f"ALTER TABLE outbox ADD COLUMN phase SMALLINT GENERATED ALWAYS AS ({PHASE}) VIRTUAL")
    else:
        op.add_column("outbox", sa.Column("phase", sa.SmallInteger(), sa.Computed(PHASE, persisted=True)))
        op.execute("ALTER TABLE outbox SET (fillfactor = 60)")
    for name, columns, condition in NEW:
        where = sa.text(condition)
        op.create_index(name, "outbox", list(columns), sqlite_where=where, postgresql_where=where)
