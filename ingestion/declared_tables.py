"""Empty raw tables for what nothing was loaded from yet, so that every model can be built."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from ingestion import decisions
from ingestion.contracts import INTEGER, READS_SCHEMA, REJECTED_SCHEMA, TEXT, UTC_TIME, Contract
from ingestion.pipeline import warehouse_path
from ingestion.systems import SYSTEMS

# dlt's own list of loads, and the column by which a row names its load.
_LOADS = pa.schema(
    [
        pa.field("load_id", TEXT),
        pa.field("schema_name", TEXT),
        pa.field("status", INTEGER),
        pa.field("inserted_at", UTC_TIME),
        pa.field("schema_version_hash", TEXT),
    ]
)
_LOAD_ID = pa.field("_dlt_load_id", TEXT)


def declare_tables(home: Path) -> None:
    """Creates the raw tables that are missing; dlt adds what else it wants when it first loads."""
    with duckdb.connect(str(warehouse_path(home))) as connection:
        for system, tables in _declared():
            schema = f"raw_{system}"
            connection.execute(f"create schema if not exists {schema}")
            for name, columns in tables:
                connection.register("declared", columns.empty_table())
                connection.execute(f"create table if not exists {schema}.{name} as from declared")
                connection.unregister("declared")


def _declared() -> Iterator[tuple[str, Iterator[tuple[str, pa.Schema]]]]:
    for system, tables in SYSTEMS.items():
        if tables.contracts:
            yield system, _tables(tables.contracts)
    yield "decisions", _decided()


def _decided() -> Iterator[tuple[str, pa.Schema]]:
    yield "_dlt_loads", _LOADS
    for name, schema in decisions.SCHEMAS.items():
        yield name, schema.append(_LOAD_ID)


def _tables(contracts: tuple[Contract, ...]) -> Iterator[tuple[str, pa.Schema]]:
    yield "_dlt_loads", _LOADS
    for contract in contracts:
        for suffix, schema in (
            ("", contract.schema()),
            ("__rejected", REJECTED_SCHEMA),
            ("__reads", READS_SCHEMA),
        ):
            yield f"{contract.resource}{suffix}", schema.append(_LOAD_ID)
