"""The tables of the operational store, each with the one writer that may change it.

Writers: C config, E evaluator, D dispatcher, R reconciler, H a person at the command line.
`migrations/` creates them; a test proves that both say the same.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from orchestration.ops.column_types import METADATA, ExactDecimal, UtcDateTime
from orchestration.ops.limit_tables import SERIAL
from orchestration.ops.limit_tables import applied_limit as applied_limit
from orchestration.ops.limit_tables import desired_limit as desired_limit
from orchestration.ops.limit_tables import enforcement_action as enforcement_action
from orchestration.ops.wallet_tables import wallet_balance as wallet_balance
from orchestration.ops.wallet_tables import wallet_checkpoint as wallet_checkpoint
from orchestration.ops.wallet_tables import wallet_entry as wallet_entry
from orchestration.ops.wallet_tables import wallet_posting as wallet_posting

alert_version = Table(  # E, from the budget's version in the marts; append
    "alert_version",
    METADATA,
    Column("alert_id", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("body_json", Text, nullable=False),
    Column("body_sha", Text, nullable=False),
    Column("effective_at", UtcDateTime, nullable=False),
)

facts_snapshot = Table(  # E, monotone
    "facts_snapshot",
    METADATA,
    Column("snapshot_id", BigInteger, primary_key=True, autoincrement=False),
    Column("as_of", UtcDateTime, nullable=False),
    Column("warehouse_sha", Text),
    Column("dbt_invocation", Text),
    Column("checks_ok", Boolean, nullable=False),
    Column("held_reason", Text),
)

alert_state = Table(  # E
    "alert_state",
    METADATA,
    Column("alert_id", Text, primary_key=True),
    Column("period_start", UtcDateTime, primary_key=True),
    Column("period_end", UtcDateTime, nullable=False),
    Column("level", Text, nullable=False),  # what the value says
    Column("announced", Text, nullable=False),  # what the last transition said
    Column("seq", Integer, nullable=False),
    Column("rolled", Boolean, nullable=False),  # the period's end has been dealt with
    Column("value", ExactDecimal),
    Column("limit_value", ExactDecimal),
    Column("unit", Text, nullable=False, server_default="usd"),
    Column("alert_version", Text, nullable=False),
    Column("last_snapshot_id", BigInteger, nullable=False),
    Column("context_json", Text, nullable=False),  # names for a message after the budget is gone
)

transition = Table(  # E, append
    "transition",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("alert_id", Text, nullable=False),
    Column("period_start", UtcDateTime, nullable=False),
    Column("period_end", UtcDateTime, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("from_level", Text, nullable=False),
    Column("to_level", Text, nullable=False),
    Column("crossed_json", Text, nullable=False),
    Column("value", ExactDecimal),
    Column("limit_value", ExactDecimal),
    Column("unit", Text, nullable=False, server_default="usd"),
    Column("alert_version", Text, nullable=False),
    Column("snapshot_id", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),  # usage | period_roll | moved | deleted
    Column("late", Boolean, nullable=False),
    Column("baseline", Boolean, nullable=False),
    Column("skipped_reason", Text),  # why no endpoint was told
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("alert_id", "period_start", "seq", name="uq_transition_sequence"),
)

endpoint = Table(  # C; D disables
    "endpoint",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("url", Text),
    Column("url_env", Text),
    Column("event_types_json", Text, nullable=False),
    Column("entities_json", Text, nullable=False),
    Column("allow_insecure", Boolean, nullable=False),
    Column("networks_json", Text, nullable=False),
    Column("format", Text, nullable=False),  # standard | slack
    Column("expect_body", Text),  # text without which a 2xx answer is a failure
    Column("page_url", Text),  # of the page that explains an event; {mart} stands for its table
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
    Column("failing_since", UtcDateTime),
)

endpoint_secret = Table(  # C
    "endpoint_secret",
    METADATA,
    Column("endpoint_id", Text, primary_key=True),
    Column("secret_ref", Text, primary_key=True),  # the name of a variable, never its value
    Column("position", Integer, nullable=False),
    Column("active_from", UtcDateTime),
    Column("expires_at", UtcDateTime),
)

outbox = Table(  # E and R insert, D delivers
    "outbox",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("ordinal", BigInteger, nullable=False),
    Column("subject_kind", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("endpoint_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("status", Text, nullable=False),  # pending | delivered | dead
    Column("attempts", Integer, nullable=False),
    Column("step", Integer, nullable=False),  # place in the retry schedule; a replay sets it to 0
    Column("next_at", UtcDateTime),  # null: at once
    Column("lease_by", Text),
    Column("lease_until", UtcDateTime),
    Column("dead_reason", Text),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("subject_kind", "subject_id", "endpoint_id", name="uq_outbox_subject"),
    Index("ix_outbox_due", "status", "endpoint_id", "ordinal"),
    Index("ix_outbox_ordinal", "ordinal"),
)

delivery_attempt = Table(  # D, append
    "delivery_attempt",
    METADATA,
    Column("outbox_id", Text, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("status_code", Integer),
    Column("error_class", Text),
    Column("resp_sha", Text),
)

command_request = Table(  # R; what was asked of whom acts for a system without a key API
    "command_request",
    METADATA,
    Column("gateway", Text, primary_key=True),
    Column("key_ref", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("verb", Text, nullable=False),  # block | release
    Column("generation", BigInteger, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("deadline_at", UtcDateTime, nullable=False),
    Column("acknowledged_at", UtcDateTime),
    Column("alerted_at", UtcDateTime),
)

arming = Table(  # H; a row without disarmed_at is what lets the reconciler write
    "arming",
    METADATA,
    Column("seq", SERIAL, primary_key=True, autoincrement=True),
    Column("gateway", Text, nullable=False),
    Column("armed_by", Text, nullable=False),
    Column("armed_at", UtcDateTime, nullable=False),
    Column("disarmed_by", Text),
    Column("disarmed_at", UtcDateTime),
)

approval = Table(  # H
    "approval",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("plan_sha", Text, nullable=False),
    Column("approved_by", Text, nullable=False),
    Column("approved_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

override = Table(  # H, and R where it finds a person's change
    "override",
    METADATA,
    Column("gateway", Text, primary_key=True),
    Column("key_ref", Text, primary_key=True),
    Column("until", UtcDateTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("marks_json", Text, nullable=False),  # use per budget when it began
)

period_close = Table(  # H, E; append
    "period_close",
    METADATA,
    Column("period", Text, primary_key=True),  # a month, as 2026-10
    Column("snapshot_id", BigInteger, nullable=False),
    Column("closed_at", UtcDateTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("totals_json", Text, nullable=False),
    Column("totals_sha256", Text, nullable=False),
)

repricing = Table(  # H; undone by a date, never deleted
    "repricing",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("from_at", UtcDateTime, nullable=False),
    Column("to_at", UtcDateTime, nullable=False),  # exclusive
    Column("as_known_at", UtcDateTime, nullable=False),
    Column("price_key", Text),  # null: every model
    Column("by", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("undone_at", UtcDateTime),
    Column("undone_by", Text),
)

identity_acceptance = Table(  # H; undone by a date, never deleted
    "identity_acceptance",
    METADATA,
    Column("id", Text, primary_key=True),  # the suggestion that was accepted
    Column("dimension", Text, nullable=False),
    Column("source_instance", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("field_value", Text, nullable=False),
    Column("target_key", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("accepted_at", UtcDateTime, nullable=False),
    Column("undone_at", UtcDateTime),
    Column("undone_by", Text),
)

lease = Table(  # all
    "lease",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("until", UtcDateTime, nullable=False),
)

APPEND_ONLY = (
    "transition",
    "delivery_attempt",
    "enforcement_action",
    "wallet_entry",
    "wallet_checkpoint",
    "period_close",
)
