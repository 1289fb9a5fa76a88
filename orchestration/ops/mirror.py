"""The ops store as raw tables, so that dashboards and BI can read it: what was appended to it,
and what ought to stand at gateways now.

Read-only and one way: what governance decides on never reads these models (DESIGN, data flow).
"""

from collections.abc import Callable, Iterator
from typing import Any

import dlt
import pyarrow as pa
from dlt.extract import DltResource
from sqlalchemy import Engine, Table, select

from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME
from orchestration.ops.mirrored_limits import approvals_now, wants_now
from orchestration.ops.store import reading
from orchestration.ops.tables import enforcement_action, transition, wallet_posting

_TRANSITIONS = pa.schema(
    [
        ("id", TEXT),
        ("alert_id", TEXT),
        ("period_start", UTC_TIME),
        ("period_end", UTC_TIME),
        ("seq", INTEGER),
        ("from_level", TEXT),
        ("to_level", TEXT),
        ("crossed_json", TEXT),
        ("value", MONEY),
        ("limit_value", MONEY),
        ("unit", TEXT),
        ("alert_version", TEXT),
        ("snapshot_id", INTEGER),
        ("cause", TEXT),
        ("late", pa.bool_()),
        ("baseline", pa.bool_()),
        ("created_at", UTC_TIME),
    ]
)

_ACTIONS = pa.schema(
    [
        ("seq", INTEGER),
        ("at", UTC_TIME),
        ("gateway", TEXT),
        ("key_ref", TEXT),
        ("generation", INTEGER),
        ("verb", TEXT),
        ("dry_run", pa.bool_()),
        ("result", TEXT),
        ("why", TEXT),
        ("by", TEXT),
    ]
)


_POSTINGS = pa.schema(
    [
        ("posting_id", TEXT),
        ("period", TEXT),
        ("revision", INTEGER),
        ("is_removed", pa.bool_()),
        ("line_id", TEXT),
        ("kind", TEXT),
        ("wallet_id", TEXT),
        ("lot_id", TEXT),
        ("at", UTC_TIME),
        ("ended_at", UTC_TIME),
        ("amount", MONEY),
        ("part", MONEY),
        ("stated", MONEY),
        ("member_key", TEXT),
        ("home_wallet_id", TEXT),
        ("chain", TEXT),
        ("corrected_period", TEXT),
        ("priority", INTEGER),
        ("category", TEXT),
        ("expires_at", UTC_TIME),
    ]
)


@dlt.source(name="ops", max_table_nesting=0)
def ops_source(open_engine: Callable[[], Engine]) -> list[DltResource]:
    """Transitions, actions and postings that were not mirrored yet; wants and approvals whole."""

    @dlt.resource(name="transitions", write_disposition="append")
    def transitions() -> Iterator[pa.Table]:
        """Changes of an alert's state; key id; cursor snapshot_id."""
        yield _new_rows(open_engine(), transition, _TRANSITIONS, cursor="snapshot_id")

    @dlt.resource(name="enforcement_actions", write_disposition="append")
    def enforcement_actions() -> Iterator[pa.Table]:
        """What was read, planned and written at gateways; key seq; cursor seq."""
        yield _new_rows(open_engine(), enforcement_action, _ACTIONS, cursor="seq")

    @dlt.resource(name="wallet_postings", write_disposition="append")
    def wallet_postings() -> Iterator[pa.Table]:
        """Grants, draws, expiries and debts, each time they change; key posting_id, revision."""
        yield _new_rows(open_engine(), wallet_posting, _POSTINGS, cursor="revision")

    @dlt.resource(name="wanted_limits", write_disposition="replace")
    def wanted_limits() -> Iterator[pa.Table]:
        """What ought to stand at gateways now; key gateway, key_ref, budget_id; read whole."""
        yield wants_now(open_engine())

    @dlt.resource(name="limit_approvals", write_disposition="replace")
    def limit_approvals() -> Iterator[pa.Table]:
        """What people said yes to, as they did last; key id; read whole."""
        yield approvals_now(open_engine())

    return [transitions, enforcement_actions, wallet_postings, wanted_limits, limit_approvals]


def _new_rows(engine: Engine, table: Table, schema: pa.Schema, *, cursor: str) -> pa.Table:
    """The rows above the cursor that the dlt state keeps; moves it."""
    state: dict[str, Any] = dlt.current.resource_state()
    column = table.c[cursor]
    query = (
        select(*(table.c[name] for name in schema.names))
        .where(column > state.get("cursor", -1))
        .order_by(column)
    )
    with reading(engine) as connection:
        rows = [dict(row._mapping) for row in connection.execute(query)]
    if rows:
        state["cursor"] = rows[-1][cursor]
    return pa.Table.from_pylist(rows, schema=schema)
