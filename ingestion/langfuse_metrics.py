"""Langfuse's own daily count and cost per model: what the observations read are checked against."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, Column, Contract
from ingestion.http import JsonClient, SourceError
from ingestion.langfuse_api import ask
from ingestion.langfuse_usage import number_of
from ingestion.restated import WindowRead

ROW_LIMIT = 1_000
_PATH = "/api/public/v2/metrics"
_DAY = timedelta(days=1)
_METRICS = (
    ("count", "count"),
    ("totalCost", "sum"),
    ("inputTokens", "sum"),
    ("outputTokens", "sum"),
)


def metric_windows(
    client: JsonClient, *, first_day: datetime, now: datetime
) -> Iterator[WindowRead]:
    """A window for each day up to now; all from as few questions as fit their row limit."""
    days: dict[str, list[tuple[str, Any]]] = {}
    day = first_day
    while day < now:
        days[_name(day)] = []
        day += _DAY
    for row in _rows(client, first_day, now):
        name = str(row.get("time_dimension"))[:10] if isinstance(row, dict) else ""
        if name not in days:
            raise SourceError(f"langfuse: {_PATH} answered with a row of no day that was asked for")
        days[name].append((f"metrics {name} row {len(days[name]) + 1}", row))
    for name, rows in days.items():
        # The order of an answer says nothing.
        yield WindowRead(name, lambda rows=rows: sorted(rows, key=_model))


def _rows(client: JsonClient, first_at: datetime, before_at: datetime) -> list[Any]:
    """The rows of a range; one that fills the limit is halved, since the rest is cut off."""
    query = {
        "view": "observations",
        "dimensions": [{"field": "providedModelName"}],
        "metrics": [{"measure": name, "aggregation": how} for name, how in _METRICS],
        "timeDimension": {"granularity": "day"},
        "fromTimestamp": first_at.isoformat(),
        "toTimestamp": before_at.isoformat(),
        "config": {"row_limit": ROW_LIMIT},
    }
    answer = ask(client, _PATH, {"query": json.dumps(query)})
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise SourceError(f"langfuse: {_PATH} answered 200 without a list of rows")
    rows: list[Any] = answer["data"]
    if len(rows) < ROW_LIMIT:
        return rows
    days = -((first_at - before_at) // _DAY)
    if days <= 1:
        raise SourceError(f"langfuse: {_name(first_at)} has {ROW_LIMIT} models or more")
    middle = first_at + days // 2 * _DAY
    # Whether the upper bound belongs to the range is not documented: its day is left to its half.
    earlier = [
        row
        for row in _rows(client, first_at, middle)
        if not isinstance(row, dict) or str(row.get("time_dimension"))[:10] < _name(middle)
    ]
    return earlier + _rows(client, middle, before_at)


def _model(row: tuple[str, Any]) -> str:
    return str(row[1].get("providedModelName"))


def _name(day: datetime) -> str:
    return day.astimezone(UTC).strftime("%Y-%m-%d")


def _pick(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of a day's row, in order; counts come as text."""
    return (
        record.get("time_dimension"),
        record.get("providedModelName"),
        number_of(record.get("count_count")),
        record.get("sum_totalCost"),
        number_of(record.get("sum_inputTokens")),
        number_of(record.get("sum_outputTokens")),
    )


_COLUMNS = (
    Column("day", UTC_TIME, required=True),
    Column("provided_model_name", TEXT),
    Column("observations_count", INTEGER, required=True),
    Column("total_cost", MONEY),
    Column("input_tokens", INTEGER),
    Column("output_tokens", INTEGER),
)

DAILY_METRICS = Contract(
    resource="daily_metrics",
    columns=_COLUMNS,
    pick=_pick,
    known_fields=frozenset(
        [
            *("time_dimension", "providedModelName", "count_count", "sum_totalCost"),
            *("sum_inputTokens", "sum_outputTokens"),
        ]
    ),
    is_windowed=True,
)
