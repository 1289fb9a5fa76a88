"""What is append-only cannot be emptied at once either.

Revision ID: 0013
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_APPEND_ONLY = (
    *("transition", "delivery_attempt", "enforcement_action"),
    *("wallet_entry", "wallet_checkpoint", "period_close"),
)


def upgrade() -> None:
    """Refuses TRUNCATE, which fires no trigger of a row; SQLite has no such statement."""
    if op.get_bind().dialect.name == "sqlite":
        return
    for table in _APPEND_ONLY:
        op.execute(
            f"create trigger {table}_no_truncate before truncate on {table} "
            f"for each statement execute function {table}_is_append_only()"
        )
