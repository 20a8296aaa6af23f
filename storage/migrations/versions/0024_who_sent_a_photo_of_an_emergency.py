"""who sent a photo of an emergency

Revision ID: 0024
Revises: 0023
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("attachment", schema=None) as batch_op:
        batch_op.add_column(sa.Column("platform", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("sender", sa.String(), nullable=True))
        batch_op.create_index(batch_op.f("ix_attachment_sender"), ["sender"], unique=False)
