"""What the published marts say of every budget at one snapshot: the whole input of an evaluation.

The published copy only: never the file that a run is writing.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Self

import duckdb

from orchestration.governance.lineage import lineage_of

BURN_RATE = "burn_rate"  # the measure of an alert that acts at gateways


@dataclass(frozen=True, kw_only=True)
class BudgetReading:
    """One budget in one period."""

    budget_id: str
    budget_version: str
    entity_key: str
    entity_name: str
    entity_path: str
    tree: str
    scope: str
    measure: str
    unit: str  # of its amounts
    mode: str
    is_paused: bool
    recipients: str | None  # endpoints between bars; None: all that subscribed
    period: str
    period_start_at: datetime
    period_end_at: datetime
    is_current: bool
    amount: Decimal | None
    info_threshold: Decimal | None
    warning_threshold: Decimal | None
    critical_threshold: Decimal | None
    hysteresis_ratio: Decimal
    renotify_minutes: int | None
    on_no_data: str  # zero | hold | notify
    used: Decimal | None
    priced: Decimal | None
    estimated: Decimal | None
    first_usage_at: datetime | None
    as_of: datetime
    fidelity: str | None  # per_request | aggregate | mixed; None: nothing was ever used
    data_lag_ms: int | None  # the oldest last reading of its sources, before as_of
    is_complete: bool
    held_reason: str | None
    top_drivers_json: str | None
    action: str | None
    # What counts, between bars; None: all.
    source_filter: str | None = None
    provider_filter: str | None = None
    model_filter: str | None = None
    operation_filter: str | None = None
    application_filter: str | None = None
    feature_filter: str | None = None
    tag_filter: str | None = None

    def filters(self) -> tuple[str | None, ...]:
        """What counts, dimension by dimension."""
        return (
            self.source_filter,
            self.provider_filter,
            self.model_filter,
            self.operation_filter,
            self.application_filter,
            self.feature_filter,
            self.tag_filter,
        )

    def lineage(self) -> tuple[str, ...]:
        """The entity and its ancestors, as the path names them."""
        return lineage_of(self.entity_path, self.entity_key)


@dataclass(frozen=True, kw_only=True)
class KeyOfBudget:
    """A gateway key whose use counts towards a budget."""

    budget_id: str
    gateway: str  # the system, for example litellm
    source_instance: str  # the instance that limits are set at, for example litellm-main
    raw_key_hash: str
    raw_key_alias: str | None
    own_usage_ratio: float | None

    @property
    def target_kind(self) -> str:
        """key, team, user or customer."""
        kind = self.raw_key_hash.partition(":")[0]
        return kind if kind in ("team", "user", "customer") else "key"


@dataclass(frozen=True)
class LimitReading:
    """What limits need to know of a budget in a period beside where it stands."""

    budget_id: str
    period_start_at: datetime
    requests_per_minute: int | None = None  # of a rate_limit
    headroom: Decimal = Decimal(0)  # use that is likely made and not yet read
    moved_use: Decimal = Decimal(0)  # use that prices, config or attribution added in this period
    moved_by: str | None = None  # which of them added most


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One published snapshot, as far as governance is concerned."""

    snapshot_id: int
    as_of: datetime
    checks_ok: bool
    held_reason: str | None
    budgets: tuple[BudgetReading, ...]
    keys: tuple[KeyOfBudget, ...]
    limits: Mapping[tuple[str, datetime], LimitReading] = field(default_factory=dict)
    acting: tuple[BudgetReading, ...] = ()  # alerts that ask for limits as budgets do

    def limiting(self, targets: Mapping[str, Collection[str]]) -> Self:
        """The same with those targets alone that each gateway limits; by itself, keys."""
        kept = (
            each
            for each in self.keys
            if each.target_kind in targets.get(each.source_instance, ("key",))
        )
        return replace(self, keys=tuple(kept))


def read_budgets(con: duckdb.DuckDBPyConnection) -> Reading:
    """The newest published snapshot; LookupError if nothing was published yet."""
    published = _rows(con, "core.published_snapshot", _SNAPSHOT_COLUMNS)
    if not published:
        raise LookupError("core.published_snapshot has no row: nothing was published yet")
    snapshot = max(published, key=lambda row: row["snapshot_id"])
    budgets = _rows(con, "budgets.fct_budget_status", tuple(BudgetReading.__annotations__))
    keys = _rows(con, "budgets.fct_budget_keys", tuple(KeyOfBudget.__annotations__))
    limits = _rows(con, "budgets.fct_budget_limits", tuple(LimitReading.__annotations__))
    return Reading(
        snapshot_id=snapshot["snapshot_id"],
        as_of=snapshot["as_of"],
        checks_ok=bool(snapshot["checks_ok"]),
        held_reason=snapshot["held_reason"],
        budgets=tuple(
            sorted(
                (BudgetReading(**row) for row in budgets),
                key=lambda row: (row.budget_id, row.period_start_at),
            )
        ),
        keys=tuple(
            sorted(
                (KeyOfBudget(**row) for row in keys if row["raw_key_hash"]),
                key=lambda row: (row.source_instance, row.raw_key_hash, row.budget_id),
            )
        ),
        limits={
            (each.budget_id, each.period_start_at): each for each in map(_limit_reading, limits)
        },
    )


def _limit_reading(row: dict[str, Any]) -> LimitReading:
    """As read, but that an unknown headroom brings no limit forward."""
    known = Decimal(0) if row["headroom"] is None else row["headroom"]
    return LimitReading(**row | {"headroom": known})


_SNAPSHOT_COLUMNS = ("snapshot_id", "as_of", "checks_ok", "held_reason")


def _rows(
    con: duckdb.DuckDBPyConnection, table: str, columns: tuple[str, ...]
) -> list[dict[str, object]]:
    found = con.execute(f"select {', '.join(columns)} from {table}").fetchall()
    return [dict(zip(columns, map(_aware, row), strict=True)) for row in found]


def _aware(value: object) -> object:
    # The warehouse keeps UTC without a zone (portable); everything here is aware.
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value
