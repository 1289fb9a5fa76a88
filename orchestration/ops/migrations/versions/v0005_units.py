"""What an alert's value and limit are counted in, which is not always dollars.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Renames `limit_usd` to `limit_value` and adds `unit` to alert_state and transition."""
    for table in ("alert_state", "transition"):
        op.alter_column(table, "limit_usd", new_column_name="limit_value")
        op.add_column(table, sa.Column("unit", sa.Text(), nullable=False, server_default="usd"))
