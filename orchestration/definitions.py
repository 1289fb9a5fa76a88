"""Everything Dagster sees, on one screen: loads → models → published marts → outbound → mirror."""

import os
from collections.abc import Mapping
from typing import Any

import dagster as dg

from ingestion.config_loader import Config
from orchestration import settings
from orchestration.assets import governance, models, raw
from orchestration.automation import after_loads
from orchestration.declared import declared_config
from orchestration.jobs import all_jobs
from orchestration.resources import missing_variables, source_resources
from orchestration.schedules import schedules
from orchestration.sensors import config_sensor, outbox_sensor, pass_sensor, snapshot_sensor

MARTS_KEY = ["published", "marts"]
OPS_MARTS_KEY = ["published", "ops_marts"]


def build_defs(*, config: Config, overrides: Mapping[str, Any]) -> dg.Definitions:
    """The definitions over a configuration; `overrides` replace keyword arguments (for tests)."""
    os.environ["METERHOUSE_HOME"] = str(settings.home())  # dbt reads it, from another folder
    project = models.dbt_project()
    models.prepare_manifest(project)
    sources = [raw.source_assets(source) for source in config.sources if source.enabled]
    condition = after_loads([key for asset in sources for key in asset.keys])
    built = models.model_assets(project, condition=condition)
    marts = models.publishing_asset(
        MARTS_KEY,
        group="published",
        deps=[key for key in built[0].keys if key.path[0] in models.MART_SCHEMAS],
        description="The marts as readers see them: copied beside the old ones, renamed in place.",
        condition=condition,
    )
    outbound = governance.outbound_assets(published=dg.AssetKey(MARTS_KEY), condition=condition)
    mirror = governance.mirror_assets()
    ops_models = models.ops_model_assets(project)
    ops_marts = models.publishing_asset(
        OPS_MARTS_KEY,
        group="mirror/published",
        deps=list(ops_models.keys),
        description="The same snapshot, published again with what was done about it.",
        condition=None,
    )
    passes = dg.AssetSpec(
        models.PASSES_KEY,
        group_name="raw/run",
        kinds={"duckdb"},
        description="Passes and the time each speaks for; a row is appended when one begins.",
    )
    assets = [
        passes,
        *sources,
        raw.config_assets(config),
        raw.price_assets(os.environ),
        *built,
        marts,
        *outbound,
        mirror,
        ops_models,
        ops_marts,
    ]
    jobs = all_jobs(config)
    definitions: dict[str, Any] = {
        "assets": assets,
        "jobs": [*jobs.loads.values(), jobs.config, jobs.prices, jobs.whole_pass, jobs.outbound],
        "schedules": schedules(
            config,
            jobs,
            has_credentials={
                each.id: not missing_variables(each, os.environ) for each in config.sources
            },
        ),
        "sensors": [
            config_sensor(jobs.config),
            pass_sensor(dg.AssetSelection.all()),
            snapshot_sensor(jobs.outbound),
            outbox_sensor(jobs.outbound),
        ],
        "resources": {
            **source_resources(config),
            "dbt": models.dbt_cli(project),
        },
        # One writer: steps of a run in one process, one after the other (DESIGN D13).
        "executor": dg.in_process_executor,
    }
    return dg.Definitions(**{**definitions, **overrides})


def _defs() -> dg.Definitions:
    config = declared_config()
    if config is None:
        raise RuntimeError("config/ is refused and there is no earlier one; see the log")
    return build_defs(config=config, overrides={})


defs = _defs()
