"""Jobs by name: what can be launched on its own."""

from dataclasses import dataclass
from typing import Any

import dagster as dg

from ingestion.config_loader import Config
from ingestion.source_config import SourceConfig
from ingestion.systems import is_read

COLLECTOR_GROUP = "raw/collector"
LOAD_COLLECTOR_JOB = "load_collector_job"
FAST_LANE_JOB = "fast_lane_job"
BUILD_OP = "build_models"


@dataclass(frozen=True)
class Jobs:
    """Loads by source instance; what was pushed; config and prices; the pass; the outbound part.

    The fast lane is the load of what was pushed and the pass over it, in one run of one process.
    """

    loads: dict[str, Any]
    collector: Any
    fast_lane: Any
    config: Any
    prices: Any
    whole_pass: Any
    outbound: Any


def all_jobs(config: Config) -> Jobs:
    """One load a source, so that a source that fails fails alone; then one pass over all."""
    inputs = [f"raw/{source.system}" for source in config.sources if is_read(source)]
    pushed = dg.AssetSelection.groups(COLLECTOR_GROUP)
    whole_pass = (
        dg.AssetSelection.all()
        - dg.AssetSelection.groups(*inputs, "raw/config", "raw/prices")
        - pushed
    )
    return Jobs(
        loads={source.id: _load_job(source) for source in config.sources if is_read(source)},
        collector=dg.define_asset_job(
            LOAD_COLLECTOR_JOB,
            selection=pushed,
            description="Load what was pushed to the collector or dropped into the inbox.",
        ),
        fast_lane=dg.define_asset_job(
            FAST_LANE_JOB,
            selection=pushed | whole_pass,
            executor_def=dg.in_process_executor,
            description="Load what was pushed, then the pass over it, in one run.",
        ),
        config=dg.define_asset_job(
            "load_config_job",
            selection=dg.AssetSelection.groups("raw/config"),
            description="Check config/ whole and load it when it changed.",
        ),
        prices=dg.define_asset_job(
            "refresh_prices_job",
            selection=dg.AssetSelection.groups("raw/prices"),
            description="Fetch public model prices and load them when they changed.",
        ),
        whole_pass=dg.define_asset_job(
            "pass_job",
            selection=whole_pass,
            description="Build, check, publish, evaluate, deliver, reconcile, publish again.",
        ),
        outbound=dg.define_asset_job(
            "outbound_job",
            selection=dg.AssetSelection.groups("outbound"),
            description="Evaluate the published snapshot, deliver messages, set gateway limits.",
        ),
    )


def load_op_name(system: str) -> str:
    """The name of the step that loads a system."""
    return f"load_{system}"


def load_job_name(source_id: str) -> str:
    """The name of the job that loads a source instance."""
    return f"load_{source_id.replace('-', '_')}_job"


def load_config(source: SourceConfig, *, deep_reread: bool) -> dict[str, Any]:
    """The run config of a load of one instance."""
    config = {"instances": [source.id], "deep_reread": deep_reread}
    return {"ops": {load_op_name(source.system): {"config": config}}}


def full_refresh_config() -> dict[str, Any]:
    """The run config of a pass that builds every model again from raw data."""
    return {"ops": {BUILD_OP: {"config": {"full_refresh": True}}}}


def _load_job(source: SourceConfig) -> Any:
    return dg.define_asset_job(
        load_job_name(source.id),
        selection=dg.AssetSelection.groups(f"raw/{source.system}"),
        config=load_config(source, deep_reread=False),
        description=f"Load what is new at {source.id}.",
    )
