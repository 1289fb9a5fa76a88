"""Wallets: entries in full, the postings of their ledger, their balances.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

from orchestration.ops.column_types import ExactDecimal, UtcDateTime
from orchestration.ops.migrations.versions.v0001_first_shape import make_append_only

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes `wallet_entry` anew (nothing wrote to it before) and adds what the ledger keeps."""
    op.drop_table("wallet_entry")
    op.create_table(
        "wallet_entry",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("wallet_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", ExactDecimal(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("effective_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("grant_id", sa.Text(), nullable=True),
        sa.Column("to_wallet_id", sa.Text(), nullable=True),
        sa.Column("top_up_id", sa.Text(), nullable=True),
        sa.Column("idem_key", sa.Text(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("idem_key"),
    )
    make_append_only("wallet_entry")
    op.create_table(
        "wallet_posting",
        sa.Column("posting_id", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("is_removed", sa.Boolean(), nullable=False),
        sa.Column("line_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("wallet_id", sa.Text(), nullable=False),
        sa.Column("lot_id", sa.Text(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("amount", ExactDecimal(), nullable=False),
        sa.Column("part", ExactDecimal(), nullable=False),
        sa.Column("stated", ExactDecimal(), nullable=False),
        sa.Column("member_key", sa.Text(), nullable=True),
        sa.Column("home_wallet_id", sa.Text(), nullable=True),
        sa.Column("corrected_period", sa.Text(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("posting_id"),
    )
    op.create_index("ix_wallet_posting_period", "wallet_posting", ["period"])
    op.create_index("ix_wallet_posting_revision", "wallet_posting", ["revision"])
    op.create_table(
        "wallet_balance",
        sa.Column("wallet_id", sa.Text(), nullable=False),
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("settled", ExactDecimal(), nullable=False),
        sa.Column("ongoing", ExactDecimal(), nullable=False),
        sa.Column("debt", ExactDecimal(), nullable=False),
        sa.PrimaryKeyConstraint("wallet_id"),
    )
