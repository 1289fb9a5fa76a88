"""The tables of limits at gateways: what ought to stand, what was done, the log of both."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text

from orchestration.ops.column_types import METADATA, UtcDateTime

# SQLite counts rowids up only for INTEGER, Postgres needs BIGINT.
SERIAL = BigInteger().with_variant(Integer, "sqlite")

desired_limit = Table(  # E
    "desired_limit",
    METADATA,
    Column("gateway", Text, primary_key=True),  # the source instance, for example litellm-main
    Column("key_ref", Text, primary_key=True),
    Column("generation", BigInteger, nullable=False),
    Column("want", Text, nullable=False),  # open, or a kind of limit
    Column("want_json", Text, nullable=False),
    Column("reason_json", Text, nullable=False),
    Column("held_reason", Text),
    Column("approval_id", Text),  # a person has to say yes to this first
    Column("snapshot_id", BigInteger, nullable=False),
)

applied_limit = Table(  # R
    "applied_limit",
    METADATA,
    Column("gateway", Text, primary_key=True),
    Column("key_ref", Text, primary_key=True),
    Column("generation", BigInteger, nullable=False),
    Column("verb", Text, nullable=False),  # release, or a kind of limit
    Column("phase", Text, nullable=False),
    Column("prev_json", Text),  # what a release puts back
    Column("wrote_json", Text, nullable=False, server_default="{}"),  # the settings of the limit
    Column("wrote_fingerprint", Text),
    Column("observed_fingerprint", Text),
    Column("at", UtcDateTime, nullable=False),
)

enforcement_action = Table(  # R, append
    "enforcement_action",
    METADATA,
    Column("seq", SERIAL, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("gateway", Text, nullable=False),
    Column("key_ref", Text, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("verb", Text, nullable=False),
    Column("before_json", Text),
    Column("after_json", Text),
    Column("dry_run", Boolean, nullable=False),
    Column("result", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("by", Text, nullable=False),
)
