"""every claim beside its row

Pages of the outbox keep more than half free, so that claims of a whole page find room in it (decision 0295). New pages only.

Revision ID: 0021
Revises: 0020
"""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.execute("ALTER TABLE outbox SET (fillfactor = 45)")
