"""several nodes

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# who listens hears of a commit at once, whoever made it: a node, the shell, a person with psql
_SIGNALS = """
CREATE FUNCTION qianshao_signal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_ARGV[0], '');
    RETURN NULL;
END $$;

CREATE FUNCTION qianshao_dialog_signal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('qianshao_dialog', (CASE WHEN TG_OP = 'DELETE' THEN OLD.id ELSE NEW.id END)::text);
    RETURN NULL;
END $$;

CREATE TRIGGER qianshao_inbox AFTER INSERT ON inbox
    FOR EACH STATEMENT EXECUTE FUNCTION qianshao_signal('qianshao_inbox');
CREATE TRIGGER qianshao_outbox AFTER INSERT ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION qianshao_signal('qianshao_outbox');
CREATE TRIGGER qianshao_timer AFTER INSERT OR UPDATE ON timer
    FOR EACH STATEMENT EXECUTE FUNCTION qianshao_signal('qianshao_timer');
CREATE TRIGGER qianshao_alarm AFTER INSERT OR UPDATE OR DELETE ON alarm
    FOR EACH STATEMENT EXECUTE FUNCTION qianshao_signal('qianshao_alarm');
CREATE TRIGGER qianshao_dialog AFTER INSERT OR UPDATE OR DELETE ON dialog
    FOR EACH ROW EXECUTE FUNCTION qianshao_dialog_signal();
"""


def upgrade() -> None:
    op.create_table(
        "lease",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("token", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duties", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "pace",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_pace")),
    )
    # plain additions: SQLite does not have to copy the table for them
    op.add_column("inbox", sa.Column("lane", sa.String(), server_default="", nullable=False))
    op.add_column("inbox", sa.Column("owner", sa.String(), server_default="", nullable=False))
    op.add_column("inbox", sa.Column("attempt", sa.Integer(), server_default="0", nullable=False))
    op.create_index(
        "inbox_lane",
        "inbox",
        ["lane", "id"],
        unique=False,
        sqlite_where=sa.text("lane <> ''"),
        postgresql_where=sa.text("lane <> ''"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_SIGNALS)
