"""Raw assets: one factory for the sources, what was pushed, and our own input (config)."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
from dagster_dlt import DagsterDltTranslator, build_dlt_asset_specs
from dagster_dlt.translator import DltResourceTranslatorData
from dlt.extract import DltSource
from dlt.pipeline.exceptions import PipelineStepFailed
from pydantic import Field

from ingestion.collector.drain import collector_source
from ingestion.config_loader import Config
from ingestion.config_tables import config_source
from ingestion.http import SourceError, SourceUnavailable
from ingestion.pipeline import few_collections, pipeline_for
from ingestion.source_config import SourceConfig
from ingestion.systems import build_source
from orchestration import settings
from orchestration.automation import (
    COLLECTOR_FRESHNESS,
    WAREHOUSE_POOL,
    freshness_of,
)
from orchestration.declared import copy_imported_tables, keep_as_good, read_config
from orchestration.jobs import COLLECTOR_GROUP, load_op_name
from orchestration.resources import credentials_key
from orchestration.warehouse import writer_lock


class LoadConfig(dg.Config):
    """Which instances of the system are read (none named: all), and how far back."""

    instances: list[str] = Field(default_factory=list)
    deep_reread: bool = False


class RawTranslator(DagsterDltTranslator):
    """Keys `raw/<system>/<resource>`, shared with dbt's sources; no phantom upstream."""

    def __init__(self, *, system: str, group: str, kinds: set[str], freshness: Any) -> None:
        self.system = system
        self.group = group
        self.kinds = kinds
        self.freshness = freshness

    def get_asset_spec(self, data: DltResourceTranslatorData) -> dg.AssetSpec:
        """The spec of one dlt resource."""
        hints = data.resource.compute_table_schema()
        return (
            super()
            .get_asset_spec(data)
            .replace_attributes(
                key=dg.AssetKey(["raw", self.system, data.resource.name]),
                deps=[],
                group_name=self.group,
                kinds={"dlt", *self.kinds},
                owners=["team:data-platform"],
                description=hints.get("description") or data.resource.__doc__,
                freshness_policy=self.freshness,
            )
        )


def system_assets(
    system: str, sources: Sequence[SourceConfig], *, ready: Sequence[SourceConfig]
) -> dg.AssetsDefinition:
    """The raw assets of a system, loaded by one dlt pipeline an instance.

    `ready` are the instances whose credentials are set: the others are not read.
    """
    placeholder = build_source(sources[0], credentials={}, now=settings.now(), deep_reread=False)
    specs = build_dlt_asset_specs(
        dlt_source=placeholder,
        dlt_pipeline=pipeline_for(system, instance=sources[0].id, home=settings.home()),
        dagster_dlt_translator=RawTranslator(
            system=system,
            group=f"raw/{system}",
            kinds={system},
            freshness=freshness_of(sources),
        ),
    )

    @dg.multi_asset(
        name=load_op_name(system),
        specs=specs,
        can_subset=True,
        pool=WAREHOUSE_POOL,
        required_resource_keys={"dlt", *(credentials_key(source.id) for source in ready)},
        retry_policy=dg.RetryPolicy(
            max_retries=1, delay=15, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
        ),
    )
    def load(context: dg.AssetExecutionContext, config: LoadConfig) -> Iterator[Any]:
        wanted = [
            source for source in ready if not config.instances or source.id in config.instances
        ]
        if not wanted:
            names = ", ".join(config.instances) or system
            raise dg.Failure(
                description=f"{names}: not read, its variables are not set",
                allow_retries=False,
            )
        yield from _load_instances(context, wanted, deep_reread=config.deep_reread)

    return load


def _load_instances(
    context: dg.AssetExecutionContext, sources: Sequence[SourceConfig], *, deep_reread: bool
) -> Iterator[Any]:
    """Loads each instance; one that fails does not keep the others from being loaded."""
    results: dict[dg.AssetKey, dg.MaterializeResult] = {}
    failures: list[Exception] = []
    for source in sources:
        credentials = getattr(context.resources, credentials_key(source.id)).values()
        try:
            built = build_source(
                source, credentials=credentials, now=settings.now(), deep_reread=deep_reread
            )
            pipeline = pipeline_for(source.system, instance=source.id, home=settings.home())
            for result in run_dlt(context, built, pipeline):
                earlier = results.get(result.asset_key)
                names = [*(earlier.metadata["instances"] if earlier else ()), source.id]
                results[result.asset_key] = result._replace(
                    metadata={**result.metadata, "instances": names}
                )
        except Exception as failure:
            if len(sources) == 1:
                raise
            failures.append(failure)
    yield from results.values()
    if failures:
        told = [
            getattr(failure, "description", None) or type(failure).__name__ for failure in failures
        ]
        raise dg.Failure(
            description="; ".join(told),
            allow_retries=any(getattr(failure, "allow_retries", True) for failure in failures),
        )


def run_dlt(context: dg.AssetExecutionContext, source: DltSource, pipeline: Any) -> Iterator[Any]:
    """Runs one dlt source alone on the warehouse and yields what it materialised."""
    with writer_lock(settings.home()), few_collections():
        try:
            yield from context.resources.dlt.run(
                context=context, dlt_source=source, dlt_pipeline=pipeline
            )
        except PipelineStepFailed as failed:
            error = _source_error(failed)
            if error is None:
                raise
            # A refused key is refused again: only what may be well later is tried again.
            raise dg.Failure(
                description=str(error), allow_retries=isinstance(error, SourceUnavailable)
            ) from None


def _source_error(error: BaseException | None) -> SourceError | None:
    """The source's own error behind what dlt made of it."""
    while error is not None and not isinstance(error, SourceError):
        error = error.__cause__ or error.__context__
    return error


def collector_assets(config: Config) -> dg.AssetsDefinition:
    """What was pushed, out of the collector's spool and the inbox; one pipeline for all senders."""

    def source() -> DltSource:
        return collector_source(
            home=settings.home(), sources=config.sources, now=settings.now(), environ=os.environ
        )

    specs = build_dlt_asset_specs(
        dlt_source=source(),
        dlt_pipeline=pipeline_for("collector", instance=None, home=settings.home()),
        dagster_dlt_translator=RawTranslator(
            system="collector",
            group=COLLECTOR_GROUP,
            kinds={"sqlite"},
            freshness=COLLECTOR_FRESHNESS,
        ),
    )

    @dg.multi_asset(
        name="load_collector",
        specs=specs,
        can_subset=True,
        pool=WAREHOUSE_POOL,
        required_resource_keys={"dlt"},
    )
    def load(context: dg.AssetExecutionContext) -> Iterator[Any]:
        pipeline = pipeline_for("collector", instance=None, home=settings.home())
        yield from run_dlt(context, source(), pipeline)

    return load


def config_assets(config: Config) -> dg.AssetsDefinition:
    """The declarations in config/, checked whole and appended when they changed."""
    specs = build_dlt_asset_specs(
        dlt_source=config_source(config, extracted_at=settings.now()),
        dlt_pipeline=pipeline_for("config", instance=None, home=settings.home()),
        dagster_dlt_translator=RawTranslator(
            system="config", group="raw/config", kinds={"yaml"}, freshness=None
        ),
    )

    @dg.multi_asset(
        name="load_config", specs=specs, pool=WAREHOUSE_POOL, required_resource_keys={"dlt"}
    )
    def load(context: dg.AssetExecutionContext) -> Iterator[Any]:
        copy_imported_tables()
        current = read_config()
        yield from run_dlt(
            context,
            config_source(current, extracted_at=settings.now()),
            pipeline_for("config", instance=None, home=settings.home()),
        )
        keep_as_good(settings.config_path())

    return load
