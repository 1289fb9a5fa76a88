"""Limits of any kind, and that wait for an approval.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds `applied_limit.wrote_json` and `desired_limit.approval_id`; an unblock is a release."""
    op.add_column("desired_limit", sa.Column("approval_id", sa.Text()))
    op.add_column(
        "applied_limit", sa.Column("wrote_json", sa.Text(), nullable=False, server_default="{}")
    )
    op.execute("""update applied_limit set wrote_json = '{"blocked": true}'""")
    op.execute("update applied_limit set verb = 'release' where verb = 'unblock'")
    op.execute("update command_request set verb = 'release' where verb = 'unblock'")
