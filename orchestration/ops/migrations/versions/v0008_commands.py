"""Formats and explaining pages of endpoints; commands and their acknowledgement.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

from orchestration.ops.column_types import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns `endpoint.format` and `endpoint.page_url`, the table `command_request`."""
    op.add_column(
        "endpoint", sa.Column("format", sa.Text(), nullable=False, server_default="standard")
    )
    op.add_column("endpoint", sa.Column("page_url", sa.Text(), nullable=True))
    op.create_table(
        "command_request",
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("key_ref", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("requested_at", UtcDateTime(), nullable=False),
        sa.Column("deadline_at", UtcDateTime(), nullable=False),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("alerted_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("gateway", "key_ref", "seq"),
    )
