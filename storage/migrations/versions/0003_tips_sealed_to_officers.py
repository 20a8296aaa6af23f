"""tips sealed to officers

Tips of the trial version cannot be carried over: their receipts are hashes of another kind, and their words lie under a key that no
officer holds. They are dropped.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for table in ("tip_read", "tip_message", "tip"):
        op.drop_table(table)
    op.create_table(
        "tip",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("designation", sa.String(), nullable=False),
        sa.Column("receipt_tag", sa.String(), nullable=True),
        sa.Column("receipt_key", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_on", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tip")),
        sa.UniqueConstraint("designation", name=op.f("uq_tip_designation")),
        sa.UniqueConstraint("receipt_tag", name=op.f("uq_tip_receipt_tag")),
    )
    op.create_index(op.f("ix_tip_state"), "tip", ["state"], unique=False)
    op.create_table(
        "tip_message",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tip_id", KEY, nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("officer_id", KEY, nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_tip_message_officer_id")),
        sa.ForeignKeyConstraint(["tip_id"], ["tip.id"], name=op.f("fk_tip_message_tip_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tip_message")),
    )
    op.create_index(op.f("ix_tip_message_tip_id"), "tip_message", ["tip_id"], unique=False)
    op.create_table(
        "tip_read",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tip_id", KEY, nullable=False),
        sa.Column("message_id", KEY, nullable=False),
        sa.Column("officer_id", KEY, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_tip_read_officer_id")),
        sa.ForeignKeyConstraint(["tip_id"], ["tip.id"], name=op.f("fk_tip_read_tip_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tip_read")),
    )
    op.create_index(op.f("ix_tip_read_tip_id"), "tip_read", ["tip_id"], unique=False)
    op.create_table(
        "tip_key",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tip_id", KEY, nullable=False),
        sa.Column("officer_id", KEY, nullable=True),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_tip_key_officer_id")),
        sa.ForeignKeyConstraint(["tip_id"], ["tip.id"], name=op.f("fk_tip_key_tip_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tip_key")),
        sa.UniqueConstraint("tip_id", "officer_id", "part", name=op.f("uq_tip_key_tip_id_officer_id_part")),
    )
    op.create_index(op.f("ix_tip_key_officer_id"), "tip_key", ["officer_id"], unique=False)
    op.create_index(op.f("ix_tip_key_tip_id"), "tip_key", ["tip_id"], unique=False)
    op.create_table(
        "tip_request",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tip_id", KEY, nullable=False),
        sa.Column("officer_id", KEY, nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("decided_by", KEY, nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["decided_by"], ["officer.id"], name=op.f("fk_tip_request_decided_by")),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_tip_request_officer_id")),
        sa.ForeignKeyConstraint(["tip_id"], ["tip.id"], name=op.f("fk_tip_request_tip_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tip_request")),
        sa.UniqueConstraint("tip_id", "officer_id", name=op.f("uq_tip_request_tip_id_officer_id")),
    )
    op.create_index(op.f("ix_tip_request_tip_id"), "tip_request", ["tip_id"], unique=False)
    op.create_table(
        "officer_key",
        sa.Column("officer_id", KEY, autoincrement=False, nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_private", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("officer_id", name=op.f("pk_officer_key")),
    )
    op.create_table(
        "shred_key",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_shred_key")),
    )
