"""what is claimed stays pending

A claimed notice is a pending one that has an owner; what indexes name does not change with a claim, and `phase`, which PostgreSQL
worked out anew with each change, is not needed any more (decision 0301).

Revision ID: 0022
Revises: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

DROPPED = ("outbox_open", "outbox_before", "outbox_ended", "outbox_due")
NEW = (
    ("outbox_open", ("platform", "account", "lane", "id"), "state = 'pending'"),
    ("outbox_before", ("chat", "lane", "id"), "state = 'pending'"),
    ("outbox_failed", ("state", "chat"), "state IN ('unknown', 'dead')"),
    ("outbox_due", ("due_at",), "state = 'pending' AND due_at IS NOT NULL"),
)


def upgrade() -> None:
    for name in DROPPED:
        op.drop_index(name, table_name="outbox")
    op.drop_column("outbox", "phase")
    op.execute("UPDATE outbox SET state = 'pending' WHERE state = 'sending'")
    for name, columns, condition in NEW:
        where = sa.text(condition)
        op.create_index(name, "outbox", list(columns), sqlite_where=where, postgresql_where=where)
