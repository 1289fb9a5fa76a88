"""One dlt pipeline per system and instance: where raw data goes is decided here, nowhere else.

A run first drops dlt's working folder and restores cursor and schema from the destination: whatever
a killed run left behind is read again, and rows of a load that never completed are not counted
(staging joins `_dlt_loads`). So a crash gives one answer, with or without the folder.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dlt
from dlt.common.pipeline import LoadInfo
from dlt.common.runtime.collector import NullCollector
from dlt.extract import DltSource

from ingestion.checkpoints import checkpoint

_DLT_SETTINGS = {
    # Arrow loads carry no load id otherwise (DESIGN D3).
    "normalize.parquet_normalizer.add_dlt_load_id": True,
    "runtime.dlthub_telemetry": False,
    "runtime.log_level": "ERROR",
    "load.raise_on_failed_jobs": True,
}


class _Checkpoints(NullCollector):
    """Passes a checkpoint at each counter dlt moves: `dlt.extract`, `dlt.normalize`, `dlt.load`."""

    def update(
        self,
        name: str,
        inc: int = 1,
        total: int | None = None,
        inc_total: int | None = None,
        message: str | None = None,
        label: str | None = None,
    ) -> None:
        checkpoint(f"dlt.{self.step.split(' ')[0].lower()}")


def warehouse_path(home: Path) -> Path:
    """The DuckDB file that raw tables and models are written to; private to the writer."""
    return home / "warehouse.duckdb"


def pipeline_for(system: str, *, instance: str | None, home: Path) -> dlt.Pipeline:
    """The pipeline that appends one instance of a system to the dataset `raw_<system>`."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    for setting, value in _DLT_SETTINGS.items():
        dlt.config[setting] = value
    return dlt.pipeline(
        pipeline_name=f"{system}__{instance}".replace("-", "_") if instance else system,
        destination=dlt.destinations.duckdb(str(warehouse_path(home))),
        dataset_name=f"raw_{system}",
        pipelines_dir=str(home / "dlt"),
        progress=_Checkpoints(),
    )


@contextmanager
def few_collections() -> Iterator[None]:
    """Python's garbage collector halves Arrow throughput while millions of rows pass through."""
    thresholds = gc.get_threshold()
    gc.set_threshold(200_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def run_source(pipeline: dlt.Pipeline, source: DltSource) -> LoadInfo:
    """Extracts, normalises and appends the source, from the state the destination knows."""
    pipeline.drop()
    with few_collections():
        return pipeline.run(source)
