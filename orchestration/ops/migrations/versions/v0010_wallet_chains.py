"""Postings say which chain of wallets their use may be drawn from; an entry's key is its id.

Revision ID: 0010
"""

import sqlalchemy as sa
from alembic import op

from orchestration.ops.column_types import ExactDecimal, UtcDateTime
from orchestration.ops.migrations.versions.v0001_first_shape import make_append_only

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds `wallet_posting.chain`; what closed months leave is summed anew, by chain."""
    op.add_column("wallet_posting", sa.Column("chain", sa.Text()))
    _fill_chains()
    op.drop_table("wallet_checkpoint")
    op.create_table(
        "wallet_checkpoint",
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("opening_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("period"),
    )
    make_append_only("wallet_checkpoint")
    op.rename_table("wallet_entry", "wallet_entry_before")
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
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="wallet_entry_id"),
    )
    kept = (
        "id, wallet_id, kind, amount, priority, category, effective_at, expires_at, grant_id,"
        " to_wallet_id, top_up_id, recorded_at"
    )
    op.execute(f"insert into wallet_entry ({kept}) select {kept} from wallet_entry_before")
    op.drop_table("wallet_entry_before")
    make_append_only("wallet_entry")


def _fill_chains() -> None:
    """The line of a use names its chain: use|<hour>|<chain>|<member>; corrections a month first."""
    connection = op.get_bind()
    lines = connection.execute(
        sa.text("select distinct line_id from wallet_posting where home_wallet_id is not null")
    )
    chains = [
        {"line_id": line_id, "chain": parts[3] if parts[0] == "correction" else parts[2]}
        for line_id, parts in ((line_id, line_id.split("|")) for (line_id,) in lines.all())
    ]
    # A ledger holds tens of thousands of lines: each is found by an index, not by a scan.
    op.create_index("wallet_posting_line_before", "wallet_posting", ["line_id"])
    if chains:
        change = sa.text("update wallet_posting set chain = :chain where line_id = :line_id")
        connection.execute(change, chains)
    op.drop_index("wallet_posting_line_before", "wallet_posting")
