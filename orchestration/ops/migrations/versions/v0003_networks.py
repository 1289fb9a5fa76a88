"""Networks that an endpoint may lie in; messages found by endpoint.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column `endpoint.networks_json` and the indexes of the outbox."""
    op.add_column(
        "endpoint", sa.Column("networks_json", sa.Text(), nullable=False, server_default="[]")
    )
    op.drop_index("ix_outbox_due", table_name="outbox")
    op.create_index("ix_outbox_due", "outbox", ["status", "endpoint_id", "ordinal"])
    op.create_index("ix_outbox_ordinal", "outbox", ["ordinal"])
