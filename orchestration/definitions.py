"""Everything Dagster sees, on one screen: loads → models → published marts → outbound → mirror."""

import os
from collections.abc import Mapping
from typing import Any

import dagster as dg

from ingestion.config_loader import Config
from ingestion.systems import missing_variables
from orchestration import settings
from orchestration.assets import models
from orchestration.assets.road import MARTS_KEY, all_assets
from orchestration.checks import marts_checks
from orchestration.declared import declared_config
from orchestration.jobs import all_jobs
from orchestration.resources import source_resources
from orchestration.schedules import schedules
from orchestration.sensors import (
    config_sensor,
    outbox_sensor,
    pass_sensor,
    snapshot_sensor,
    spool_sensor,
)


def build_defs(*, config: Config, overrides: Mapping[str, Any]) -> dg.Definitions:
    """The definitions over a configuration; `overrides` replace keyword arguments (for tests)."""
    os.environ["METERHOUSE_HOME"] = str(settings.home())  # dbt reads it, from another folder
    project = models.dbt_project()
    models.prepare_manifest(project)
    jobs = all_jobs(config)
    definitions: dict[str, Any] = {
        "assets": all_assets(config, project=project),
        "asset_checks": marts_checks(dg.AssetKey(MARTS_KEY)),
        "jobs": [
            *jobs.loads.values(),
            jobs.collector,
            jobs.fast_lane,
            jobs.config,
            jobs.prices,
            jobs.whole_pass,
            jobs.outbound,
        ],
        "schedules": schedules(
            config,
            jobs,
            has_credentials={
                each.id: not missing_variables(each, os.environ) for each in config.sources
            },
        ),
        "sensors": [
            config_sensor(jobs.config),
            spool_sensor(jobs.fast_lane),
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
