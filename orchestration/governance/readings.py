"""Alerts besides budgets and wallets, as the published marts read them, made subjects of."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb

from orchestration.governance.alerts import LEVELS, Thresholds
from orchestration.governance.bodies import iso, money
from orchestration.governance.lineage import lineage_of
from orchestration.governance.subjects import Subject, minutes_of, recipients_of

KINDS = ("burn_rate", "anomaly", "forecast", "price_change", "margin", "freshness", "trust")
_FAMILIES = {
    "unpriced_share": "trust",
    "unattributed_share": "trust",
    "negative_margin": "margin",
}
_UNITS = {
    "burn_rate": "times_usual",
    "anomaly": "deviations",
    "price_change": "usd",
    "margin": "usd",
    "freshness": "times_allowed",
}


def read_alerts(con: duckdb.DuckDBPyConnection) -> dict[str, Sequence[Subject]]:
    """The subjects of each kind; a kind without alerts is there too, so that what is gone ends."""
    cursor = con.execute("select * from budgets.fct_alert_readings order by alert_id")
    names = [column[0] for column in cursor.description]
    found: dict[str, list[Subject]] = {kind: [] for kind in KINDS}
    for values in cursor.fetchall():
        row = dict(zip(names, values, strict=True))
        kind = _FAMILIES.get(row["kind"], row["kind"])
        found[kind].append(_subject(kind, row))
    return dict(found)


def _subject(kind: str, row: Mapping[str, Any]) -> Subject:
    thresholds = {level: row[f"{level}_threshold"] for level in ("info", "warning", "critical")}
    unit = _UNITS.get(kind, "share")
    is_without = row["value"] is None
    limit = next(thresholds[level] for level in LEVELS[:0:-1] if thresholds[level] is not None)
    said = {name: money(amount) for name, amount in thresholds.items()}
    return Subject(
        alert_id=f"{kind}:{row['alert_id']}",
        version=row["alert_version"],
        value=Decimal(0) if is_without and row["on_no_data"] == "zero" else row["value"],
        limit_value=limit,
        unit=unit,
        thresholds=Thresholds(**thresholds),
        period_start_at=_utc(row["period_start_at"]),
        period_end_at=_utc(row["period_end_at"]),
        context={
            kind: {"id": row["alert_id"], "version": row["alert_version"], "kind": row["kind"]},
            "entity": {
                "key": row["entity_key"],
                "name": row["entity_name"],
                "path": row["entity_path"],
                "tree": row["tree"],
                "lineage": list(lineage_of(row["entity_path"], row["entity_key"])),
            },
            "period": {
                "start_at": iso(_utc(row["period_start_at"])),
                "end_at": iso(_utc(row["period_end_at"])),
            },
            "reading": {
                "unit": unit,
                "value": money(row["value"]),
                **json.loads(row["facts_json"]),
            },
            "thresholds": said,
            "drivers": json.loads(row["top_drivers_json"]),
        },
        declaration={"kind": row["kind"], "entity": row["entity_key"], "thresholds": said},
        hysteresis_ratio=row["hysteresis_ratio"],
        renotify_after=minutes_of(row["renotify_minutes"]),
        is_without_data=is_without and row["on_no_data"] != "zero",
        tells_no_data=row["on_no_data"] == "notify",
        is_paused=row["is_paused"],
        recipients=recipients_of(row["recipients"]),
    )


def _utc(moment: datetime) -> datetime:
    # The warehouse keeps UTC without a zone.
    return moment.replace(tzinfo=UTC)
