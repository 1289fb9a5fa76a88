"""What the published marts say about one act: read and put in order, nothing computed but products.

What is asked is in `explain_queries.py`, how it looks in `explain.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from orchestration.cli import explain_queries as queries
from orchestration.cli.explain_queries import KINDS

Row = dict[str, Any]
# As macro price_tier: what is not named here is priced as standard.
_TIERS = {"batches": "batch"} | {
    name: name for name in ("flex", "priority", "batch", "ultrafast", "balanced", "fast")
}


@dataclass
class Act:
    """One act and all that is known of its cost; amounts in USD, times in UTC."""

    identity: Row
    price: Row = field(default_factory=dict)
    lines: list[Row] = field(default_factory=list)
    bought_by: list[Row] = field(default_factory=list)
    sold_by: list[Row] = field(default_factory=list)
    cost: Row = field(default_factory=dict)
    unpriced: Row = field(default_factory=dict)
    shadows: list[Row] = field(default_factory=list)
    restated: list[Row] = field(default_factory=list)
    corrected: list[Row] = field(default_factory=list)
    provenance: Row = field(default_factory=dict)

    def as_json(self) -> Row:
        """Its parts by name."""
        return dict(vars(self))


def explained(connection: duckdb.DuckDBPyConnection, key: str) -> list[Act]:
    """The acts whose key begins so: none, one, or two where the beginning is not enough."""
    acts = _rows(connection, queries.ACTS, key)
    if acts:
        return [_act(connection, row) for row in acts]
    return [_shadow(row) for row in _rows(connection, queries.SHADOWS, key)]


def _act(connection: duckdb.DuckDBPyConnection, row: Row) -> Act:
    tier = _TIERS.get((row["service_tier"] or "").lower(), "standard")
    rates = _first(connection, queries.RATES, tier, row["usage_key"])
    version = _first(connection, queries.PRICE, row["price_version_key"], tier)
    of_unit = _first(connection, queries.UNIT_RATE, row["unit_rate_key"])
    bought_by = _rules(connection, row["price_rule_id"])
    place = [row[name] for name in ("entity_key", "customer_key", "provider", "model_id")]
    day, source = row["usage_on"], row["source_instance"]
    return Act(
        identity=_identity(connection, row),
        price=_price(row, rates, version, tier)
        | _pick(of_unit, "rate_origin", "rate_name", "url", "checked_on"),
        lines=list(_list_lines(row, rates, of_unit)),
        bought_by=bought_by,
        sold_by=_rules(connection, row["sell_rule_id"]),
        cost=_cost(row, bought_by),
        unpriced=_unpriced(connection, row, rates),
        shadows=_rows(connection, queries.SHADOWS_OF, row["usage_key"]),
        restated=_rows(connection, queries.RESTATED, day, source, *place),
        corrected=_rows(connection, queries.CORRECTED, f"{day:%Y-%m}", *place),
        provenance=_pick(
            row, "load_id", "loaded_at", "source_locator", "source_record_id", "row_hash", "pass_id"
        ),
    )


def _shadow(row: Row) -> Act:
    """What another source's row carries: it has no cost of its own."""
    covered = f"none here: {row['carrier_source_instance']} carries it ({row['carried_because']})"
    return Act(
        identity=_pick(
            row, "usage_key", "source_instance", "occurred_at", "provider", "model_served",
            "total_tokens",
        ),
        cost={
            "effective_cost_usd": covered,
            **_pick(row, "carrier_cost_usd", "reported_cost_usd", "reported_variance_usd"),
        },
        provenance=_pick(row, "covered_by", "matched_by", "duplicate_of_usage_key"),
    )  # fmt: skip


def _identity(connection: duckdb.DuckDBPyConnection, row: Row) -> Row:
    owner = _first(connection, queries.OWNER, row["entity_key"])
    customer = _first(connection, queries.CUSTOMER, row["customer_key"])
    return {
        **_pick(row, "usage_key", "source_instance", "occurred_at", "operation", "status"),
        "owner": owner.get("entity_path", row["entity_key"]),
        "owner_known_by": row["attributed_by"],
        "customer": customer.get("customer_path", row["customer_key"]),
        "customer_known_by": row["customer_attributed_by"],
        **_pick(row, "feature_key", "user_key", "agent_key", "raw_key_alias", "request_id"),
    }


def _price(row: Row, rates: Row, version: Row, tier: str) -> Row:
    named = row["model_served"] or row["model_requested"] or "(no name)"
    path = " -> ".join(
        [f"{row['provider'] or '(no provider)'}/{named}", row["model_id"] or "no model"]
    )
    low, high = rates.get("more_than_input_tokens"), rates.get("up_to_input_tokens")
    is_banded = low is not None and (low > -1 or high is not None)
    is_timed = bool(rates) and (rates["week_minute_from"], rates["week_minute_to"]) != (0, 10080)
    return {
        "name": path,
        "matched_by": rates.get("matched_by"),
        "service_tier": f"{row['service_tier'] or 'none stated'}, priced as {tier}",
        "region": row["region"],
        "input_tokens_band": f"more than {max(low, 0)} up to {high or 'any'}"
        if is_banded
        else None,
        "week_minutes": f"{rates['week_minute_from']} to {rates['week_minute_to']}"
        if is_timed
        else None,
        **_pick(row, "price_status", "is_price_backcast"),
        "price_version_key": row["price_version_key"],
        **_pick(version, "change_kind", "observed_at", "source_name", "source_id", "snapshot_id"),
        "valid_from_at": rates.get("valid_from_at") if row["price_version_key"] else None,
        "valid_to_at": rates.get("valid_to_at") if row["price_version_key"] else None,
    }


def _list_lines(row: Row, rates: Row, of_unit: Row) -> list[Row]:
    if row["list_cost_usd"] is None:
        return []
    lines = [
        {
            "name": f"{kind}_tokens",
            "quantity": row[f"{kind}_tokens"],
            "rate_usd": rates.get(f"{kind}_usd_per_unit"),
            "cost_usd": row[f"list_{kind}_cost_usd"],
            "is_fallback": bool(rates.get(f"is_fallback_{kind}")),
            # What is not charged lists at 0, whatever its rates.
            "adds_up": None
            if row["price_status"] == "not_charged"
            else rates.get(f"{kind}_adds_up"),
        }
        for kind in KINDS
        if row[f"{kind}_tokens"]
    ]
    for name, quantity, rate, cost in (
        ("request", 1, rates.get("request_usd_per_unit"), row["list_request_cost_usd"]),
        (row["unit"] or "unit", row["quantity"], of_unit.get("rate_usd_per_unit"),
         row["list_unit_cost_usd"]),
    ):  # fmt: skip
        if cost:
            lines.append(
                {
                    "name": name,
                    "quantity": quantity if rate is not None else None,
                    "rate_usd": rate,
                    "cost_usd": cost,
                    "is_fallback": False,
                    "adds_up": None,
                }
            )
    return lines


def _cost(row: Row, bought_by: Sequence[Row]) -> Row:
    return {
        **_pick(row, "list_cost_usd", "contracted_cost_usd", "reported_cost_usd"),
        "claim": _claim(row, bought_by),
        **_pick(
            row, "reported_variance_usd", "effective_cost_usd", "cost_basis", "charged_usd",
            "margin_usd",
        ),
        **({} if row["effective_cost_usd"] is not None else {"effective_cost_usd": "unknown"}),
        "total_mismatch_tokens": row["total_mismatch_tokens"] or None,
    }  # fmt: skip


def _claim(row: Row, bought_by: Sequence[Row]) -> str:
    """Why the source's own figure is the cost, or why it is not."""
    policy = row["cost_policy"]
    if row["reported_cost_usd"] is None:
        return "the source claims no cost"
    if row["price_status"] == "reported" and policy == "trust_reported":
        return f"taken: {row['source_instance']} is trusted (cost_policy {policy})"
    if row["price_status"] == "reported":
        passing = {r["rule_id"] for r in bought_by if r["rule_kind"] == "passthrough_reported"}
        named = ", ".join(sorted(passing)) or row["price_rule_id"]
        return f"taken: rule {named} passes it through (prices.yaml)"
    if row["price_status"] == "not_charged":
        return "nothing was paid: answered from a cache, or failed"
    if row["price_status"] == "informational":
        return "not taken: another row carries the money"
    return f"not taken: cost_policy of {row['source_instance']} is {policy} (sources.yaml)"


def _unpriced(connection: duckdb.DuckDBPyConnection, row: Row, rates: Row) -> Row:
    if row["price_status"] not in ("unmatched_model", "no_rate_for_meter"):
        return {}
    name = row["model_served"] or row["model_requested"] or ""
    status, source = row["price_status"], row["source_instance"]
    unit = None if row["total_tokens"] else row["unit"]
    listed = _first(connection, queries.UNPRICED, row["usage_on"], source, name, status, unit)
    totals = {"requests_count", "quantity"}
    totals |= {"total_input_tokens", "total_output_tokens", "total_tokens"}
    return {
        "reason": status,
        **{k: v for k, v in listed.items() if k not in totals and not k.endswith("_usd")},
        **_pick(rates, "estimate_input_usd_per_unit", "estimate_output_usd_per_unit"),
        "estimated_cost_usd": row["estimated_cost_usd"],
    }


def _rules(connection: duckdb.DuckDBPyConnection, ids: str | None) -> list[Row]:
    return _rows(connection, queries.RULES, ids.split(" ")) if ids else []


def _pick(row: Row, *names: str) -> Row:
    return {name: row[name] for name in names if name in row}


def _first(connection: duckdb.DuckDBPyConnection, query: str, *values: Any) -> Row:
    return next(iter(_rows(connection, query, *values)), {})


def _rows(connection: duckdb.DuckDBPyConnection, query: str, *values: Any) -> list[Row]:
    cursor = connection.execute(query, list(values))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
