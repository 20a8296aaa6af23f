"""words of neighbours and visits are sealed

What exists already stays as it is until it ends: its `seal` is empty.

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TEXTS = {"deed": ("who", "shown_as"), "mediation": ("place", "parties"), "visit": ("place",)}
SEALED = ("deed", "proposal", "proposal_voice", "visit")


def upgrade() -> None:
    for table in sorted({*TEXTS, *SEALED}):
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in TEXTS.get(table, ()):
                batch_op.alter_column(column, existing_type=sa.String(), type_=sa.Text(), existing_nullable=False)
            if table in SEALED:
                batch_op.add_column(sa.Column("seal", sa.String(), nullable=False, server_default=""))
    for table in SEALED:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column("seal", existing_type=sa.String(), existing_nullable=False, server_default=None)
