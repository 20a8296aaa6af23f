"""the outbox is indexed by what is asked of it

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

DROPPED = (
    "ix_outbox_campaign_id",
    "ix_outbox_case_id",
    "ix_outbox_group_id",
    "ix_outbox_message_id",
    "outbox_chat",
    "outbox_due",
    "outbox_open",
    "outbox_sent",
)
NEW = (
    ("outbox_open", ("platform", "account", "lane", "id"), "state = 'pending'"),
    ("outbox_before", ("chat", "lane", "id"), "state IN ('pending', 'sending')"),
    ("outbox_sending", ("owner",), "state = 'sending'"),
    ("outbox_failed", ("state",), "state IN ('unknown', 'dead')"),
    ("outbox_due", ("due_at",), "state = 'pending' AND due_at IS NOT NULL"),
    ("outbox_campaign", ("campaign_id", "group_id"), "campaign_id IS NOT NULL"),
    ("outbox_case", ("case_id",), "case_id IS NOT NULL"),
    ("outbox_message", ("message_id",), "message_id IS NOT NULL"),
    ("outbox_changes", ("changes",), "changes IS NOT NULL"),
    ("outbox_sent", ("sent_at",), "sent_at IS NOT NULL"),
)


def upgrade() -> None:
    for name in DROPPED:
        op.drop_index(name, table_name="outbox")
    for name, columns, condition in NEW:
        where = sa.text(condition)
        op.create_index(name, "outbox", list(columns), sqlite_where=where, postgresql_where=where)
    op.create_index("outbox_chat", "outbox", ["chat", "id"])
