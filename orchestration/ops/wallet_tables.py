"""The tables of the wallets' book; `tables` lists them with all others."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from orchestration.ops.column_types import METADATA, ExactDecimal, UtcDateTime

wallet_entry = Table(  # E, from config; append
    "wallet_entry",
    METADATA,
    Column("id", Text, primary_key=True),  # its idempotency key
    Column("wallet_id", Text, nullable=False),
    Column("kind", Text, nullable=False),  # grant | void | transfer | adjustment
    Column("amount", ExactDecimal),  # null: a void of all that is left
    Column("priority", Integer),
    Column("category", Text),
    Column("effective_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("grant_id", Text),
    Column("to_wallet_id", Text),
    Column("top_up_id", Text),
    Column("recorded_at", UtcDateTime, nullable=False),
)

wallet_posting = Table(  # E; written anew where open months change, never in closed ones
    "wallet_posting",
    METADATA,
    Column("posting_id", Text, primary_key=True),
    Column("period", Text, nullable=False),  # the month whose books it stands in
    Column("revision", BigInteger, nullable=False),  # counts up with each change
    Column("is_removed", Boolean, nullable=False),
    Column("line_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("wallet_id", Text, nullable=False),
    Column("lot_id", Text),
    Column("at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("amount", ExactDecimal, nullable=False),
    Column("part", ExactDecimal, nullable=False),
    Column("stated", ExactDecimal, nullable=False),
    Column("member_key", Text),
    Column("home_wallet_id", Text),
    Column("chain", Text),  # the wallets of the use, the home first: team>company
    Column("corrected_period", Text),
    Column("priority", Integer),
    Column("category", Text),
    Column("expires_at", UtcDateTime),
    Index("ix_wallet_posting_period", "period"),
    Index("ix_wallet_posting_revision", "revision"),
)

wallet_balance = Table(  # E
    "wallet_balance",
    METADATA,
    Column("wallet_id", Text, primary_key=True),
    Column("snapshot_id", BigInteger, nullable=False),
    Column("settled", ExactDecimal, nullable=False),  # as closed months leave it
    Column("ongoing", ExactDecimal, nullable=False),
    Column("debt", ExactDecimal, nullable=False),
)

wallet_checkpoint = Table(  # E; append
    "wallet_checkpoint",
    METADATA,
    Column("period", Text, primary_key=True),  # a closed month
    Column("opening_json", Text, nullable=False),  # what it leaves to begin with
)
