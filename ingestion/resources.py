"""The shape of every usage source in dlt: rows, rejected rows and their count, from one fetch."""

from collections.abc import Callable, Iterator
from typing import Any

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from ingestion.batches import Batch

# Raw is append-only (DESIGN D2). Tables come into being with their declared columns; afterwards a
# value of another type is refused instead of opening a second column for it.
_APPEND: dict[str, Any] = {
    "write_disposition": "append",
    "schema_contract": {"tables": "evolve", "columns": "evolve", "data_type": "freeze"},
}


def rows_rejected_reads(
    name: str, batches: Callable[[], Iterator[Batch]], *, description: str
) -> tuple[DltResource, DltResource, DltResource]:
    """Resources `<name>`, `<name>__rejected`, `<name>__reads`, fed by one pass over `batches`."""

    @dlt.resource(name=f"{name}__batches", selected=False)
    def fetched() -> Iterator[Batch]:
        yield from batches()

    @dlt.transformer(data_from=fetched, name=name, **_APPEND)
    def rows(batch: Batch) -> Iterator[pa.Table]:
        yield batch.rows

    @dlt.transformer(data_from=fetched, name=f"{name}__rejected", **_APPEND)
    def rejected(batch: Batch) -> Iterator[pa.Table]:
        yield batch.rejected

    @dlt.transformer(data_from=fetched, name=f"{name}__reads", **_APPEND)
    def reads(batch: Batch) -> Iterator[pa.Table]:
        yield batch.reads

    rows.apply_hints(additional_table_hints={"description": description})
    rejected.apply_hints(
        additional_table_hints={
            "description": "Rows that do not fit: reason, hash and where to fetch them again."
        }
    )
    reads.apply_hints(
        additional_table_hints={"description": "How many rows a batch read, loaded and rejected."}
    )
    return rows, rejected, reads
