"""what a campaign does in each group

Its notices are made in lots from what stands in `campaign_group`, which keeps nothing but what differs (decision 0276). Notices
of campaigns that are under way stay where they are.

Revision ID: 0020
Revises: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.types import UtcDateTime

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("campaign", sa.Column("began_at", UtcDateTime(), nullable=True))
    op.add_column("campaign", sa.Column("lot_at", UtcDateTime(), nullable=True))
    op.create_index("campaign_lot", "campaign", ["lot_at"], unique=False)
    op.execute("UPDATE campaign SET began_at = (SELECT min(at) FROM campaign_group WHERE campaign_id = campaign.id)")
    op.create_table(
        "campaign_part",
        sa.Column("campaign_id", KEY, autoincrement=False, nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("post", sa.String(), nullable=False),
        sa.Column("skipped", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("photo", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_campaign_part_campaign_id")),
        sa.PrimaryKeyConstraint("campaign_id", "number", name=op.f("pk_campaign_part")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO campaign_part (campaign_id, number, post, skipped, text) "
        "SELECT campaign_id, row_number() OVER (PARTITION BY campaign_id ORDER BY post, skipped) - 1, post, skipped, '' "
        "FROM (SELECT DISTINCT campaign_id, post, skipped FROM campaign_group) AS alike"
    )
    # the names of its constraints belong to the table that goes
    op.execute("ALTER TABLE campaign_group RENAME TO campaign_group_before")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("ALTER TABLE campaign_group_before RENAME CONSTRAINT pk_campaign_group TO pk_campaign_group_before")
    op.create_table(
        "campaign_group",
        sa.Column("campaign_id", KEY, autoincrement=False, nullable=False),
        sa.Column("group_id", KEY, autoincrement=False, nullable=False),
        sa.Column("part", sa.SmallInteger(), nullable=False),
        sa.Column("waits", sa.Boolean(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("replies", sa.Integer(), nullable=False),
        sa.Column("questions", sa.Integer(), nullable=False),
        sa.Column("opt_outs", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "group_id", name=op.f("pk_campaign_group")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO campaign_group (campaign_id, group_id, part, waits, replies, questions, opt_outs) "
        "SELECT g.campaign_id, g.group_id, p.number, false, g.replies, g.questions, g.opt_outs "
        "FROM campaign_group_before AS g JOIN campaign_part AS p "
        "ON p.campaign_id = g.campaign_id AND p.post = g.post AND p.skipped = g.skipped"
    )
    op.drop_table("campaign_group_before")
