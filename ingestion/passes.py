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
def passes_source(*, as_of: datetime, above: int) -> DltResource:
    """The next pass: one more than the last number (in the dlt state), and more than `above`."""

    @dlt.resource(name="passes", write_disposition="append")
    def passes() -> Iterator[pa.Table]:
        state = dlt.current.source_state()
        pass_id = max(state.get("pass_id", 0), above) + 1
        state["pass_id"] = pass_id
        yield pa.Table.from_pylist([{"pass_id": pass_id, "as_of": as_of}], schema=_SCHEMA)

    return passes


def begin_pass(home: Path, *, as_of: datetime, above: int = 0) -> int:
    """Starts the next pass and returns its number; it is above one that others know already."""
    pipeline = pipeline_for("run", instance=None, home=home)
    run_source(pipeline, passes_source(as_of=as_of, above=above))
    return int(pipeline.state["sources"]["run"]["pass_id"])
