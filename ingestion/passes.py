"""Passes over the warehouse: `raw_run.passes(pass_id, as_of)`, one row each (DESIGN D18).

The number and the time of a pass are fixed once, before its models are built; models, budgets and
alerts read them from there.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from ingestion.contracts import INTEGER, UTC_TIME
from ingestion.pipeline import pipeline_for, run_source

_SCHEMA = pa.schema(
    [pa.field("pass_id", INTEGER, nullable=False), pa.field("as_of", UTC_TIME, nullable=False)]
)


@dlt.source(name="run", max_table_nesting=0)
def passes_source(*, as_of: datetime) -> DltResource:
    """The next pass: its number is one more than the last one's, kept in the dlt state."""

    @dlt.resource(name="passes", write_disposition="append")
    def passes() -> Iterator[pa.Table]:
        state = dlt.current.source_state()
        pass_id = state.get("pass_id", 0) + 1
        state["pass_id"] = pass_id
        yield pa.Table.from_pylist([{"pass_id": pass_id, "as_of": as_of}], schema=_SCHEMA)

    return passes


def begin_pass(home: Path, *, as_of: datetime) -> int:
    """Starts the next pass and returns its number."""
    pipeline = pipeline_for("run", instance=None, home=home)
    run_source(pipeline, passes_source(as_of=as_of))
    return int(pipeline.state["sources"]["run"]["pass_id"])
