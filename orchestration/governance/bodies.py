"""The exact bytes of each message: small, without keys, amounts as text with their currency."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from orchestration.governance.alerts import Move, kind_of, severity
from orchestration.governance.budgets import BudgetReading
from orchestration.governance.fitting import MOST_LISTED, cut, fitted

MAX_BYTES = 20_000
_MOST_DRIVERS = 5
_EVENT_OF = {
    "burn_rate": "spend.burn_rate_exceeded",
    "anomaly": "spend.anomaly_detected",
    "forecast": "budget.forecast_exceeded",
    "price_change": "price.changed",
}


def event_type_of(move: Move, alert_id: str) -> str:
    """`<kind>.threshold_reached` where it gets worse, `<kind>.threshold_recovered` where better.

    What is watched of spend and of prices has one type for both: `to` says which.
    """
    kind = kind_of(alert_id)
    if kind in _EVENT_OF:
        return _EVENT_OF[kind]
    if kind == "freshness":
        return "source.failed" if move.to_level != "ok" else "source.recovered"
    up = severity(move.to_level) > severity(move.from_level)
    return f"{kind}.threshold_{'reached' if up else 'recovered'}"


def family_of(alert_id: str) -> str:
    """The first word of the types of its events, for example budget."""
    kind = kind_of(alert_id)
    return "source" if kind == "freshness" else _EVENT_OF.get(kind, kind).partition(".")[0]


def envelope(event_type: str, *, timestamp: datetime, data: Mapping[str, Any]) -> bytes:
    """The body as it is stored, signed and sent: type, time of the event, data."""
    return json.dumps(
        {"type": event_type, "timestamp": iso(timestamp), "data": data},
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()


def iso(moment: datetime | None) -> str | None:
    """A UTC instant as ISO 8601 with a Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def money(amount: Decimal | None) -> str | None:
    """An amount as plain digits without trailing zeros; exact, never in powers of ten."""
    if amount is None or not amount.is_finite():
        return None
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def entity_of(row: BudgetReading) -> dict[str, Any]:
    """The part of a message that says whom it is about."""
    return {
        "key": row.entity_key,
        "name": row.entity_name,
        "path": row.entity_path,
        "tree": row.tree,
        "lineage": list(row.lineage()),
    }


def unit_of(unit: str) -> dict[str, str]:
    """What amounts are in: a currency, or another unit."""
    return {"currency": "USD"} if unit == "usd" else {"unit": unit}


def context_of(row: BudgetReading) -> dict[str, Any]:
    """What a message about this budget says besides the transition itself."""
    return {
        "budget": {
            "id": row.budget_id,
            "version": row.budget_version,
            "scope": row.scope,
            "measure": row.measure,
            "mode": row.mode,
        },
        "entity": entity_of(row),
        "period": {
            "kind": row.period,
            "start_at": iso(row.period_start_at),
            "end_at": iso(row.period_end_at),
        },
        "use": {
            **unit_of(row.unit),
            "used": money(row.used),
            "priced": money(row.priced),
            "estimated": money(row.estimated),
            "amount": money(row.amount),
            "share": _share(row),
        },
        "thresholds": {
            "info": money(row.info_threshold),
            "warning": money(row.warning_threshold),
            "critical": money(row.critical_threshold),
        },
        "drivers": _drivers(row.top_drivers_json),
        "data": {
            "fidelity": row.fidelity,
            "lag_seconds": None if row.data_lag_ms is None else row.data_lag_ms // 1000,
            "is_complete": row.is_complete,
            "held_reason": row.held_reason,
        },
    }


def transition_data(
    context: Mapping[str, Any],
    move: Move,
    *,
    transition_id: str,
    alert_id: str,
    snapshot_id: int,
    as_of: datetime,
    binding_budget: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The `data` of one transition."""
    return {
        **{name: said for name, said in context.items() if name != "recipients"},
        "alert_id": alert_id,
        "transition": {
            "id": transition_id,
            "seq": move.seq,
            "from": move.from_level,
            "to": move.to_level,
            "crossed": list(move.crossed),
            "cause": move.cause,
        },
        "late": move.late,
        "baseline": move.baseline,
        "binding_budget": binding_budget,
        "snapshot": {"id": snapshot_id, "as_of": iso(as_of)},
    }


def single_body(event_type: str, *, timestamp: datetime, data: Mapping[str, Any]) -> bytes:
    """One event's body, cut to size."""

    def body_of(said: Mapping[str, Any]) -> bytes:
        return envelope(event_type, timestamp=timestamp, data=said)

    return body_of(fitted(data, fits=lambda said: len(body_of(said)) < MAX_BYTES))


def digest_body(
    event_type: str, entries: Sequence[Mapping[str, Any]], *, timestamp: datetime, snapshot_id: int
) -> bytes:
    """One message that lists the first findings of a pass, most severe first, cut to size."""
    ordered = sorted(entries, key=lambda each: -severity(each["transition"]["to"]))
    listed = [cut(_brief(each), items=MOST_LISTED, characters=400) for each in ordered]
    for count in range(len(listed), -1, -1):
        body = envelope(
            event_type,
            timestamp=timestamp,
            data={
                "baseline": True,
                "count": len(listed),
                "listed_count": count,
                "baselines": listed[:count],
                "snapshot": {"id": snapshot_id, "as_of": iso(timestamp)},
            },
        )
        if len(body) < MAX_BYTES:
            return body
    raise ValueError("an empty digest cannot exceed the limit")


def _brief(entry: Mapping[str, Any]) -> dict[str, Any]:
    kind = kind_of(entry["alert_id"])
    brief = {
        "alert_id": entry["alert_id"],
        "transition": entry["transition"],
        kind: entry[kind]["id"],
        "entity": entry["entity"]["key"],
        "path": entry["entity"]["path"],
    }
    if "period" in entry:
        brief["period_start_at"] = entry["period"]["start_at"]
    return brief | {name: entry[name] for name in ("use", "balance", "reading") if name in entry}


def _share(row: BudgetReading) -> str | None:
    used, amount = row.used, row.amount
    if used is None or amount is None or not used.is_finite() or amount <= 0:
        return None
    # A ratio for the reader, to four places; no amount is ever made from it.
    return format((used / amount).quantize(Decimal("0.0001")), "f")


def _drivers(text: str | None) -> list[Any]:
    if not text:
        return []
    found = json.loads(text, parse_float=str, parse_int=str)
    return found[:_MOST_DRIVERS] if isinstance(found, list) else []
