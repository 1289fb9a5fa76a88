"""Raw assets: one factory for the sources, and the two inputs of our own (config, prices)."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import dagster as dg
from dagster_dlt import DagsterDltTranslator, build_dlt_asset_specs
from dagster_dlt.translator import DltResourceTranslatorData
from dlt.extract import DltSource
from dlt.pipeline.exceptions import PipelineStepFailed

from ingestion.bedrock import bedrock_source
from ingestion.config_loader import Config, load_config
from ingestion.config_schema import BedrockSource, LiteLLMSource
from ingestion.config_tables import config_source
from ingestion.http import SourceError, SourceUnavailable
from ingestion.litellm import OVERLAP, litellm_source
from ingestion.pipeline import few_collections, pipeline_for
from orchestration import settings
from orchestration.automation import PRICES_FRESHNESS, SOURCE_FRESHNESS, WAREHOUSE_POOL
from orchestration.declared import keep_as_good
from orchestration.resources import credentials_key
from orchestration.warehouse import writer_lock
from price_catalog.refresh import price_catalog_source


class LoadConfig(dg.Config):
    """How far before its cursor a load reads again; the nightly run reads further."""

    overlap_hours: int = int(OVERLAP / timedelta(hours=1))


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


def _build(source: Any, credentials: Any, *, now: Any, overlap: timedelta) -> DltSource:
    """A fresh dlt source: one built at import fails on its second run in a process."""
    if isinstance(source, LiteLLMSource):
        return litellm_source(
            base_url=credentials.base_url if credentials else "http://unset.invalid",
            api_key=credentials.api_key if credentials else "",
            instance=source.id,
            now=now,
            overlap=overlap,
        )
    if isinstance(source, BedrockSource):
        return bedrock_source(
            bucket=source.bucket,
            prefix=source.prefix,
            account_id=source.account_id,
            region=source.region,
            endpoint_url=credentials.endpoint_url if credentials else None,
            access_key_id=credentials.access_key_id if credentials else None,
            secret_access_key=credentials.secret_access_key if credentials else None,
            instance=source.id,
            now=now,
            overlap=overlap if overlap > OVERLAP else timedelta(),
        )
    raise TypeError(f"no source is written for {type(source).__name__}")


def source_assets(source: Any) -> dg.AssetsDefinition:
    """The raw assets of one source instance."""
    placeholder = _build(source, None, now=settings.now(), overlap=OVERLAP)
    name = source.id.replace("-", "_")
    key = credentials_key(source.id)
    specs = build_dlt_asset_specs(
        dlt_source=placeholder,
        dlt_pipeline=pipeline_for(source.system, instance=source.id, home=settings.home()),
        dagster_dlt_translator=RawTranslator(
            system=source.system,
            group=f"raw/{source.system}",
            kinds={source.system},
            freshness=SOURCE_FRESHNESS,
        ),
    )

    @dg.multi_asset(
        name=f"load_{name}",
        specs=specs,
        can_subset=True,
        pool=WAREHOUSE_POOL,
        required_resource_keys={"dlt", key},
        retry_policy=dg.RetryPolicy(
            max_retries=1, delay=15, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
        ),
    )
    def load(context: dg.AssetExecutionContext, config: LoadConfig) -> Iterator[Any]:
        yield from _run(
            context,
            _build(
                source,
                getattr(context.resources, key),
                now=settings.now(),
                overlap=timedelta(hours=config.overlap_hours),
            ),
            pipeline_for(source.system, instance=source.id, home=settings.home()),
        )

    return load


def _run(context: dg.AssetExecutionContext, source: DltSource, pipeline: Any) -> Iterator[Any]:
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
        path = settings.config_path()
        current = load_config(path)
        yield from _run(
            context,
            config_source(current, extracted_at=settings.now()),
            pipeline_for("config", instance=None, home=settings.home()),
        )
        keep_as_good(path)

    return load


def price_assets(environ: Mapping[str, str]) -> dg.AssetsDefinition:
    """The public model prices: fetched, hashed, checked, appended when they changed."""
    specs = build_dlt_asset_specs(
        dlt_source=price_catalog_source(url=None, observed_at=settings.now()),
        dlt_pipeline=pipeline_for("price_catalog", instance=None, home=settings.home()),
        dagster_dlt_translator=RawTranslator(
            system="price_catalog", group="raw/prices", kinds={"json"}, freshness=PRICES_FRESHNESS
        ),
    )

    @dg.multi_asset(
        name="load_price_catalog", specs=specs, pool=WAREHOUSE_POOL, required_resource_keys={"dlt"}
    )
    def load(context: dg.AssetExecutionContext) -> Iterator[Any]:
        yield from _run(
            context,
            price_catalog_source(
                url=environ.get("METERHOUSE_PRICE_CATALOG_URL"), observed_at=settings.now()
            ),
            pipeline_for("price_catalog", instance=None, home=settings.home()),
        )

    return load
