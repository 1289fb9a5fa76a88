"""Postings that have a chain of wallets are mirrored again, with it.

Revision ID: 0011
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Gives them the next revision; nothing else of them changes."""
    op.execute(
        "update wallet_posting set revision = (select max(revision) + 1 from wallet_posting)"
        " where chain is not null"
    )
