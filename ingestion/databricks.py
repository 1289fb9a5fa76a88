"""Databricks: one row is one call through its AI gateway or a serving endpoint, or what they cost.

Billed by: Databricks in DBU for the models it hosts (no table prices a token), the model's provider
for external models, whose dollars Databricks states by hour, provider, model and tags.
Auth: a personal access token with scope `sql`, or a service principal's client credentials; USE
SCHEMA and SELECT on system.ai_gateway, system.serving and system.billing, CAN USE on one small SQL
warehouse. Gateway and serving tables are those of the metastore's region: one instance a region.
Statements: columns are taken from DESCRIBE, since live tables have other ones than documented; one
closed window for all of them. A missing table means that its tracking is not enabled. A running
warehouse costs money: read hourly at most.
Lag: calls and money minutes, now and then hours; hence windows of an hour, read again for a day.
billing.usage is corrected by further records (RETRACTION, RESTATEMENT) for weeks: all are summed.
Payloads (inference tables, routing and invocation metadata) are never asked for.
Docs: docs.databricks.com/aws/en/admin/system-tables
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

import dlt
import pyarrow as pa
from dlt.extract import DltResource
from pydantic import StringConstraints, model_validator

from ingestion.batches import Batch
from ingestion.config_types import EnvName
from ingestion.databricks_records import CONTRACTS
from ingestion.databricks_sql import Disposition, Login, Row, StatementFailed, Warehouse
from ingestion.databricks_tables import DAY, ENDPOINT, GATEWAY, HOUR, TABLES, Table
from ingestion.http import SourceError
from ingestion.resources import rows_rejected_reads
from ingestion.restated import SNAPSHOT, WindowRead, window_batches
from ingestion.source_config import SourceConfig
from ingestion.times import utc_text

# The money of an hour is stated some seven minutes after its end.
SETTLED_AFTER = timedelta(minutes=15)
HISTORY = timedelta(days=365)
_BATCH_ROWS = 20_000
_BATCH_WINDOWS = 500
_log = logging.getLogger(__name__)

__all__ = ["CONTRACTS", "DatabricksSource", "databricks_source"]


class DatabricksSource(SourceConfig):
    """The system tables of one metastore region, read through one SQL warehouse."""

    system: Literal["databricks"]
    host_env: EnvName
    warehouse_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,64}$")]
    # EXTERNAL_LINKS needs a way to the cloud's storage; INLINE none, but ends at 25 MiB a result.
    disposition: Disposition = "EXTERNAL_LINKS"
    token_env: EnvName | None = None
    client_id_env: EnvName | None = None
    client_secret_env: EnvName | None = None

    @model_validator(mode="after")
    def _signs_in_one_way(self) -> Self:
        pair = (self.client_id_env, self.client_secret_env)
        if (self.token_env is None) == (None in pair) or (self.token_env and any(pair)):
            raise ValueError("token_env, or client_id_env and client_secret_env, is expected")
        return self


@dlt.source(name="databricks", max_table_nesting=0)
def databricks_source(
    *,
    host: str,
    warehouse_id: str,
    disposition: Disposition,
    token: str | None,
    client_id: str | None,
    client_secret: str | None,
    instance: str,
    now: datetime,
    deep_reread: bool = False,
    history: timedelta = HISTORY,
) -> Sequence[DltResource]:
    """Calls, their money, what served them, and what was billed, of one metastore region."""
    run = _Run(
        warehouse=Warehouse(
            host=host,
            warehouse_id=warehouse_id,
            login=Login(token, client_id, client_secret),
            disposition=disposition,
        ),
        instance=instance,
        now=now.astimezone(UTC),
        deep_reread=deep_reread,
        history=history,
    )
    resources: list[DltResource] = []
    for table in TABLES:
        resources += rows_rejected_reads(
            table.contract.resource,
            lambda table=table: _batches(run, table),  # type: ignore[misc]
            description=table.description,
        )
    return resources


@dataclass
class _Run:
    """What all statements of a run share: the warehouse, the moment, the columns found."""

    warehouse: Warehouse
    instance: str
    now: datetime
    deep_reread: bool
    history: timedelta
    _columns: dict[str, list[str] | None] = field(default_factory=dict)

    def columns(self, table: Table) -> list[str] | None:
        """The columns to ask a table for, in the order of the contract; None without the table."""
        if table.name not in self._columns:
            self._columns[table.name] = self._describe(table)
        return self._columns[table.name]

    def _describe(self, table: Table) -> list[str] | None:
        try:
            described = self.warehouse.rows(f"DESCRIBE TABLE {table.name}", is_small=True)
        except StatementFailed as failed:
            if failed.is_missing_table:
                return None
            raise
        there = {str(row.get("col_name")) for row in described}
        for column in table.contract.columns:
            if column.required and column.name not in there:
                raise SourceError(f"databricks: {table.name} has no column {column.name} any more")
        # Below the columns stands what the table is partitioned by, after an empty line or a #.
        unread = sorted(name for name in there - table.contract.known_fields if name.isidentifier())
        if unread:
            _log.info("databricks: %s has columns not read: %s", table.name, ", ".join(unread))
        return sorted(there & table.contract.known_fields)


def _batches(run: _Run, table: Table) -> Iterator[Batch]:
    """Batches of a table's windows; then its cursor moves."""
    columns = run.columns(table)
    if columns is None:
        if table in (GATEWAY, ENDPOINT) and not run.columns(GATEWAY):
            _refuse_without_usage(run)
        _log.warning("databricks: %s does not exist: tracking is not enabled", table.name)
        yield from _stated(run, table, [])
    elif table.time_column is None:
        statement = f"SELECT {', '.join(columns)} FROM {table.name} ORDER BY {table.order}"
        snapshot = WindowRead(SNAPSHOT, lambda: _placed(table, SNAPSHOT, _rows(run, statement)))
        yield from _stated(run, table, [snapshot])
    else:
        cursors = dlt.current.source_state().setdefault("cursors", {})
        resource = table.contract.resource
        cursor = datetime.fromisoformat(cursors[resource]) if resource in cursors else None
        # Hours are read once they are over; a day of ingestion grows and is read as it stands.
        is_hourly = table.step == HOUR
        until = _floor(run.now - SETTLED_AFTER if is_hourly else run.now, table.step)
        end_at = until if is_hourly else until + table.step
        first_at = _first_at(run, table, cursor, end_at)
        yield from _stated(run, table, _windows(run, table, columns, first_at, end_at))
        cursors[resource] = max(until, cursor or until).isoformat()
        _forget(resource, before=_key(run.now - table.deep_reread - DAY, table.step))


def _refuse_without_usage(run: _Run) -> None:
    if run.columns(ENDPOINT) is None:
        raise SourceError(
            f"databricks: neither {GATEWAY.name} nor {ENDPOINT.name} exists: usage tracking is "
            "not enabled, or the principal lacks USE SCHEMA and SELECT"
        )


def _first_at(run: _Run, table: Table, cursor: datetime | None, end_at: datetime) -> datetime:
    """Where reading begins: the cursor less the overlap; the first row there is on a first run."""
    if cursor:
        overlap = table.deep_reread if run.deep_reread else table.overlap
        return _floor(cursor - overlap, table.step)
    oldest = _floor(run.now - run.history, table.step)
    column = table.time_column
    [row] = _rows(
        run,
        f"SELECT MIN({column}) AS first_at FROM {table.name} "
        f"WHERE {_between(table, oldest, end_at)}",
    ) or [{}]
    first_at = _moment(row.get("first_at"))
    return _floor(max(first_at, oldest), table.step) if first_at else end_at


def _windows(
    run: _Run, table: Table, columns: Sequence[str], first_at: datetime, end_at: datetime
) -> Iterator[WindowRead]:
    """The windows that have rows, or had some when last read, from statements of a bounded span."""
    digests = dlt.current.source_state().get("digests", {})
    known = digests.get(table.contract.resource, {})
    while first_at < end_at:
        until = min(first_at + table.span, end_at)
        statement = (
            f"SELECT {', '.join(columns)} FROM {table.name} "
            f"WHERE {_between(table, first_at, until)} ORDER BY {table.order}"
        )
        count = (until - first_at) // table.step
        keys = [_key(first_at + n * table.step, table.step) for n in range(count)]
        found: dict[str, list[Row]] = defaultdict(list)
        for row in _rows(run, statement):
            moment = _moment(row.get(table.time_column or ""))
            # A row without a time is rejected where it is checked; it has to stand somewhere.
            found[_key(moment, table.step) if moment else keys[0]].append(row)
        if found.keys() - set(keys):
            raise SourceError(f"databricks: {table.name} answered rows of another time")
        for key in keys:
            if key in found or key in known:
                placed = _placed(table, key, found[key])
                yield WindowRead(key, lambda placed=placed: placed)  # type: ignore[misc]
        first_at = until


def _rows(run: _Run, statement: str) -> list[Row]:
    return run.warehouse.rows(statement)


def _stated(run: _Run, table: Table, windows: Any) -> Iterator[Batch]:
    """Batches of many windows each: an hour of its own would be a batch of a few rows."""
    held: list[Batch] = []
    count = 0
    for batch in window_batches(
        windows, contract=table.contract, source_instance=run.instance, extracted_at=run.now
    ):
        held.append(batch)
        count += batch.read_count
        if count >= _BATCH_ROWS or len(held) >= _BATCH_WINDOWS:
            yield _joined(held)
            held, count = [], 0
    if held:
        yield _joined(held)


def _joined(batches: Sequence[Batch]) -> Batch:
    return Batch(
        rows=pa.concat_tables([batch.rows for batch in batches]),
        rejected=pa.concat_tables([batch.rejected for batch in batches]),
        reads=pa.concat_tables([batch.reads for batch in batches]),
    )


def _forget(resource: str, *, before: str) -> None:
    """Drops the digests of windows that no run reads again, so that the state does not grow."""
    digests: dict[str, Mapping[str, str]] = dlt.current.source_state()["digests"]
    digests[resource] = {k: value for k, value in digests[resource].items() if k >= before}


def _placed(table: Table, key: str, rows: Sequence[Row]) -> list[tuple[str, Any]]:
    return [(f"{table.name} {key} row {n}", row) for n, row in enumerate(rows, start=1)]


def _between(table: Table, first_at: datetime, end_at: datetime) -> str:
    """The half-open range, its bounds told with their zone, and the table's own condition."""
    first, end = (
        f"TIMESTAMP '{at.isoformat()}'" if table.step == HOUR else f"DATE '{at.date()}'"
        for at in (first_at, end_at)
    )
    column = table.time_column
    own = f" AND {table.condition}" if table.condition else ""
    return f"{column} >= {first} AND {column} < {end}{own}"


def _floor(at: datetime, step: timedelta) -> datetime:
    midnight = datetime(at.year, at.month, at.day, tzinfo=UTC)
    return midnight + (at - midnight) // step * step


def _key(at: datetime, step: timedelta) -> str:
    return at.strftime("%Y-%m-%dT%H" if step == HOUR else "%Y-%m-%d")


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(utc_text(value)).astimezone(UTC)
    except (TypeError, ValueError):
        return None
