"""The first shape of the operational store.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

from orchestration.ops.column_types import ExactDecimal, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_APPEND_ONLY = ("transition", "delivery_attempt", "enforcement_action", "wallet_entry")


def upgrade() -> None:
    """Creates every table; what is append-only refuses change in the database itself."""
    op.create_table(
        "alert_state",
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("period_start", UtcDateTime(), nullable=False),
        sa.Column("period_end", UtcDateTime(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("announced", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("rolled", sa.Boolean(), nullable=False),
        sa.Column("value", ExactDecimal(), nullable=True),
        sa.Column("limit_usd", ExactDecimal(), nullable=True),
        sa.Column("alert_version", sa.Text(), nullable=False),
        sa.Column("last_snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("context_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "period_start"),
    )
    op.create_table(
        "alert_version",
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("body_json", sa.Text(), nullable=False),
        sa.Column("body_sha", sa.Text(), nullable=False),
        sa.Column("effective_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "version"),
    )
    op.create_table(
        "applied_limit",
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("key_ref", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("prev_json", sa.Text(), nullable=True),
        sa.Column("wrote_fingerprint", sa.Text(), nullable=True),
        sa.Column("observed_fingerprint", sa.Text(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("gateway", "key_ref"),
    )
    op.create_table(
        "approval",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("plan_sha", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("approved_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "arming",
        sa.Column("seq", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("armed_by", sa.Text(), nullable=False),
        sa.Column("armed_at", UtcDateTime(), nullable=False),
        sa.Column("disarmed_by", sa.Text(), nullable=True),
        sa.Column("disarmed_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "delivery_attempt",
        sa.Column("outbox_id", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("error_class", sa.Text(), nullable=True),
        sa.Column("resp_sha", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("outbox_id", "n"),
    )
    op.create_table(
        "desired_limit",
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("key_ref", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("want", sa.Text(), nullable=False),
        sa.Column("want_json", sa.Text(), nullable=False),
        sa.Column("reason_json", sa.Text(), nullable=False),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("gateway", "key_ref"),
    )
    op.create_table(
        "endpoint",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("url_env", sa.Text(), nullable=True),
        sa.Column("event_types_json", sa.Text(), nullable=False),
        sa.Column("entities_json", sa.Text(), nullable=False),
        sa.Column("allow_insecure", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "endpoint_secret",
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("secret_ref", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("active_from", UtcDateTime(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("endpoint_id", "secret_ref"),
    )
    op.create_table(
        "enforcement_action",
        sa.Column("seq", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("key_ref", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("before_json", sa.Text(), nullable=True),
        sa.Column("after_json", sa.Text(), nullable=True),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "facts_snapshot",
        sa.Column("snapshot_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("as_of", UtcDateTime(), nullable=False),
        sa.Column("warehouse_sha", sa.Text(), nullable=True),
        sa.Column("dbt_invocation", sa.Text(), nullable=True),
        sa.Column("checks_ok", sa.Boolean(), nullable=False),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("snapshot_id"),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("lease_by", sa.Text(), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("dead_reason", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("subject_kind", "subject_id", "endpoint_id", name="uq_outbox_subject"),
    )
    op.create_index("ix_outbox_due", "outbox", ["status", "ordinal"], unique=False)
    op.create_table(
        "override",
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("key_ref", sa.Text(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("marks_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("gateway", "key_ref"),
    )
    op.create_table(
        "period_close",
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("totals_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("period"),
    )
    op.create_table(
        "transition",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("period_start", UtcDateTime(), nullable=False),
        sa.Column("period_end", UtcDateTime(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("from_level", sa.Text(), nullable=False),
        sa.Column("to_level", sa.Text(), nullable=False),
        sa.Column("crossed_json", sa.Text(), nullable=False),
        sa.Column("value", ExactDecimal(), nullable=True),
        sa.Column("limit_usd", ExactDecimal(), nullable=True),
        sa.Column("alert_version", sa.Text(), nullable=False),
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("baseline", sa.Boolean(), nullable=False),
        sa.Column("skipped_reason", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("alert_id", "period_start", "seq", name="uq_transition_sequence"),
    )
    op.create_table(
        "wallet_entry",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("wallet_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", ExactDecimal(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=True),
        sa.Column("effective_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("idem_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("idem_key"),
    )

    for table in _APPEND_ONLY:
        make_append_only(table)


def make_append_only(table: str) -> None:
    """From now on the database itself refuses to change or delete a row of it."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"create trigger {table}_no_{verb} before {verb} on {table} "
                f"begin select raise(abort, '{table} is append-only'); end"
            )
        return
    op.execute(
        f"create or replace function {table}_is_append_only() returns trigger language plpgsql as "
        f"$$ begin raise exception '{table} is append-only'; end $$"
    )
    op.execute(
        f"create trigger {table}_append_only before update or delete on {table} "
        f"for each row execute function {table}_is_append_only()"
    )
