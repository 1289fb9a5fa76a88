"""Windows repriced; the digest of a closed month's totals, which may not change any more.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

from orchestration.ops.column_types import UtcDateTime
from orchestration.ops.migrations.versions.v0001_first_shape import make_append_only

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the table `repricing` and the column `period_close.totals_sha256`."""
    op.create_table(
        "repricing",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("from_at", UtcDateTime(), nullable=False),
        sa.Column("to_at", UtcDateTime(), nullable=False),
        sa.Column("as_known_at", UtcDateTime(), nullable=False),
        sa.Column("price_key", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    # No command has closed a month so far: there is nothing to keep but the shape.
    op.drop_table("period_close")
    op.create_table(
        "period_close",
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("totals_json", sa.Text(), nullable=False),
        sa.Column("totals_sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("period"),
    )
    make_append_only("period_close")
