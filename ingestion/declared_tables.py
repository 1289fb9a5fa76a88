"""Empty raw tables for systems nothing was loaded from yet, so that every model can be built."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dlt
import duckdb

from ingestion.batches import Batch, split
from ingestion.bedrock import INVOCATIONS
from ingestion.contracts import Contract
from ingestion.litellm import SPEND_LOGS
from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from ingestion.resources import rows_rejected_reads

CONTRACTS: dict[str, tuple[Contract, ...]] = {"litellm": (SPEND_LOGS,), "bedrock": (INVOCATIONS,)}


def declare_tables(home: Path) -> list[str]:
    """Creates the raw tables that are missing and returns the systems they belong to."""
    with duckdb.connect(str(warehouse_path(home))) as connection:
        present = {
            (schema, table)
            for schema, table in connection.execute(
                "select table_schema, table_name from information_schema.tables"
            ).fetchall()
        }
    missing = [
        system
        for system, contracts in CONTRACTS.items()
        if any((f"raw_{system}", contract.resource) not in present for contract in contracts)
    ]
    for system in missing:
        pipeline = pipeline_for(system, instance="declared", home=home)
        run_source(pipeline, _empty_source(system))
    return missing


def _empty_source(system: str) -> dlt.sources.DltSource:
    def empty(contract: Contract) -> Iterator[Batch]:
        nothing = split(
            [],
            contract=contract,
            source_instance="declared",
            extracted_at=datetime(1970, 1, 1, tzinfo=UTC),
        )
        # Declaring a table is not reading a source.
        yield replace(nothing, reads=nothing.reads.slice(0, 0))

    resources = [
        resource
        for contract in CONTRACTS[system]
        for resource in rows_rejected_reads(
            contract.resource,
            lambda contract=contract: empty(contract),
            description="Declared, empty.",
        )
    ]
    return dlt.source(lambda: resources, name=system, max_table_nesting=0)()
