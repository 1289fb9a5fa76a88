"""All assets in the order data flows: loads → models → published marts → outbound → mirror."""

import os
from typing import Any

import dagster as dg
from dagster_dbt import DbtProject

from ingestion.config_loader import Config
from ingestion.source_config import SourceConfig
from ingestion.systems import is_read, missing_variables
from orchestration.assets import governance, models, prices, raw
from orchestration.automation import after_loads

MARTS_KEY = ["published", "marts"]
OPS_MARTS_KEY = ["published", "ops_marts"]


def read_sources(config: Config) -> dict[str, list[SourceConfig]]:
    """The enabled source instances that are read, by system."""
    by_system: dict[str, list[SourceConfig]] = {}
    for source in config.sources:
        if is_read(source):
            by_system.setdefault(source.system, []).append(source)
    return by_system


def all_assets(config: Config, *, project: DbtProject) -> list[Any]:
    """Every asset over a configuration, each built on those before it."""
    read = read_sources(config)
    sources = [
        raw.system_assets(
            system,
            instances,
            ready=[each for each in instances if not missing_variables(each, os.environ)],
        )
        for system, instances in read.items()
    ]
    collector = raw.collector_assets(config)
    condition = after_loads(
        # A load brings all its tables, so one of them says whether it is under way; each key that
        # is watched costs every model a look at every tick.
        [min(asset.keys) for asset in (*sources, collector)],
        begun=[spec.key for spec in models.begun_specs()],
    )
    built = models.model_assets(project, condition=condition)
    marts = models.publishing_asset(
        MARTS_KEY,
        group="published",
        deps=[key for key in built.keys if key.path[0] in models.MART_SCHEMAS],
        description="The marts as readers see them: copied beside the old ones, renamed in place.",
        condition=condition,
    )
    outbound = governance.outbound_assets(published=dg.AssetKey(MARTS_KEY), condition=condition)
    ops_models = models.ops_model_assets(project, condition=condition)
    ops_marts = models.publishing_asset(
        OPS_MARTS_KEY,
        group="mirror/published",
        deps=list(ops_models.keys),
        description="The same snapshot, published again with what was done about it.",
        condition=condition,
    )
    return [
        *models.begun_specs(),
        *sources,
        collector,
        raw.config_assets(config),
        prices.price_assets(os.environ),
        built,
        marts,
        prices.export_asset(published=dg.AssetKey(MARTS_KEY), condition=condition),
        *outbound,
        governance.mirror_assets(condition=condition),
        ops_models,
        ops_marts,
    ]
