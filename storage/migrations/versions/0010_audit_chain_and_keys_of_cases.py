"""audit chain and keys of cases

What the audit holds so far gets its numbers and digests here; from then on nothing renumbers them. Cases that exist already stay as
they are until somebody changes them: their `seal` is empty.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

START = "0" * 64


def upgrade() -> None:
    op.create_table(
        "audit_head",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.add_column(sa.Column("line", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("digest", sa.String(), nullable=True))
    _number()
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.alter_column("line", existing_type=sa.Integer(), nullable=False)
        batch_op.alter_column("digest", existing_type=sa.String(), nullable=False)
        batch_op.create_unique_constraint(batch_op.f("uq_audit_line"), ["line"])
    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.add_column(sa.Column("seal", sa.String(), nullable=False, server_default=""))
        batch_op.alter_column("place", existing_type=sa.String(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("reporter_name", existing_type=sa.String(), type_=sa.Text(), existing_nullable=False)
    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.alter_column("seal", existing_type=sa.String(), existing_nullable=False, server_default=None)


def _number() -> None:
    audit = sa.table(
        "audit",
        sa.column("id", sa.Integer),
        sa.column("at", sa.DateTime(timezone=True)),
        sa.column("officer_id", sa.Integer),
        sa.column("platform", sa.String),
        sa.column("action", sa.String),
        sa.column("target", sa.String),
        sa.column("allowed", sa.Boolean),
        sa.column("reason", sa.String),
        sa.column("line", sa.Integer),
        sa.column("digest", sa.String),
    )
    connection = op.get_bind()
    line, digest = 0, START
    for row in connection.execute(sa.select(audit).order_by(audit.c.id)).mappings().all():
        line += 1
        at = (row["at"] if row["at"].tzinfo else row["at"].replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="microseconds")
        fields = [line, at, row["officer_id"], row["platform"], row["action"], row["target"], row["allowed"], row["reason"]]
        digest = hashlib.sha256((digest + json.dumps(fields, ensure_ascii=False)).encode()).hexdigest()
        connection.execute(audit.update().where(audit.c.id == row["id"]).values(line=line, digest=digest))
    if line:
        head = sa.table("audit_head", sa.column("id", sa.Integer), sa.column("line", sa.Integer), sa.column("digest", sa.String))
        connection.execute(head.insert().values(id=1, line=line, digest=digest))
