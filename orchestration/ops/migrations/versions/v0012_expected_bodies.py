"""A receiver may have to say more than 2xx.

Revision ID: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column `endpoint.expect_body`."""
    op.add_column("endpoint", sa.Column("expect_body", sa.Text(), nullable=True))
