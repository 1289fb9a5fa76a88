"""What each closed month leaves to the wallets, kept so that its postings need not be read again.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

from orchestration.ops.migrations.versions.v0001_first_shape import make_append_only

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the table `wallet_checkpoint`."""
    op.create_table(
        "wallet_checkpoint",
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("opening_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("period"),
    )
    make_append_only("wallet_checkpoint")
