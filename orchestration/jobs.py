"""Jobs by name: what can be launched on its own."""

from dataclasses import dataclass
from typing import Any

import dagster as dg

from ingestion.config_loader import Config

_RESOURCE = {"litellm": "spend_logs", "bedrock": "invocations"}


@dataclass(frozen=True)
class Jobs:
    """Loads by source instance; config and prices; the pass; the outbound part of it."""

    loads: dict[str, Any]
    config: Any
    prices: Any
    whole_pass: Any
    outbound: Any


def all_jobs(config: Config) -> Jobs:
    """One load a source, so that a source that fails fails alone; then one pass over all."""
    inputs = [f"raw/{source.system}" for source in config.sources]
    return Jobs(
        loads={source.id: _load_job(source) for source in config.sources if source.enabled},
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
            selection=dg.AssetSelection.all()
            - dg.AssetSelection.groups(*inputs, "raw/config", "raw/prices"),
            description="Build, check, publish, evaluate, deliver, reconcile, publish again.",
        ),
        outbound=dg.define_asset_job(
            "outbound_job",
            selection=dg.AssetSelection.groups("outbound"),
            description="Evaluate the published snapshot, deliver messages, set gateway limits.",
        ),
    )


def load_op_name(source_id: str) -> str:
    """The name of the step that loads a source instance."""
    return f"load_{source_id.replace('-', '_')}"


def load_job_name(source_id: str) -> str:
    """The name of the job that loads a source instance."""
    return f"{load_op_name(source_id)}_job"


def _load_job(source: Any) -> Any:
    keys = [
        dg.AssetKey(["raw", source.system, f"{_RESOURCE[source.system]}{suffix}"])
        for suffix in ("", "__rejected", "__reads")
    ]
    return dg.define_asset_job(
        load_job_name(source.id),
        selection=dg.AssetSelection.assets(*keys),
        description=f"Load what is new at {source.id}.",
    )
