"""The public model prices as raw assets: fetched, judged, landed; red while one waits for a yes."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dlt import build_dlt_asset_specs
from dlt.extract import DltSource
from dlt.pipeline.exceptions import PipelineStepFailed

from ingestion.pipeline import pipeline_for, run_source
from orchestration import settings
from orchestration.assets.raw import RawTranslator, run_dlt
from orchestration.automation import PRICES_FRESHNESS, WAREHOUSE_POOL
from orchestration.ops.people import price_approvals
from orchestration.ops.store import open_store, reading
from orchestration.warehouse import published_marts, writer_lock
from price_catalog.catalogues import BASE, GAP_FILLERS, Catalogue
from price_catalog.past import Past, Waiting, read_past, waiting
from price_catalog.refresh import price_catalog_source

SNAPSHOTS_KEY = dg.AssetKey(["raw", "price_catalog", "snapshots"])
EXPORT_KEY = dg.AssetKey(["exports", "price_catalog"])
_EXPORTED = """
    select * from core.dim_prices
    order by price_key, valid_from_at, service_tier, more_than_input_tokens, week_minute_from
"""
_USED = "select model_id from core.dim_models where is_in_use"


def price_assets(environ: Mapping[str, str]) -> dg.AssetsDefinition:
    """The public model prices: fetched, hashed, judged, appended when they changed.

    What fills the base catalogue's gaps follows it, and cannot fail it.
    """
    specs = build_dlt_asset_specs(
        dlt_source=price_catalog_source(url=None, observed_at=settings.now()),
        dlt_pipeline=pipeline_for("price_catalog", instance=None, home=settings.home()),
        dagster_dlt_translator=RawTranslator(
            system="price_catalog", group="raw/prices", kinds={"json"}, freshness=PRICES_FRESHNESS
        ),
    )

    @dg.multi_asset(
        name="load_price_catalog",
        specs=specs,
        check_specs=[
            dg.AssetCheckSpec(
                name="price_file_is_accepted",
                asset=SNAPSHOTS_KEY,
                description="The newest price file was taken; if not, the last good one is used.",
            ),
            dg.AssetCheckSpec(
                name="no_used_price_waits_for_review",
                asset=SNAPSHOTS_KEY,
                description="No rate of a model in use is held back until a person accepts it.",
            ),
            dg.AssetCheckSpec(
                name="gap_fillers_answer",
                asset=SNAPSHOTS_KEY,
                description="Every price list that fills gaps of the base was read; if not, its "
                "last prices are used.",
            ),
        ],
        pool=WAREHOUSE_POOL,
        required_resource_keys={"dlt"},
    )
    def load(context: dg.AssetExecutionContext) -> Iterator[Any]:
        home = settings.home()
        approved = _approved()
        used = _used_models()
        pipeline = pipeline_for("price_catalog", instance=None, home=home)

        def past_of(catalogue: Catalogue, used: frozenset[str]) -> Past:
            return read_past(home, catalogue=catalogue.name, used=used, approved=approved)

        def source_of(catalogue: Catalogue, past: Past) -> DltSource:
            return price_catalog_source(
                catalogue=catalogue,
                url=environ.get(catalogue.url_variable),
                observed_at=settings.now(),
                past=past,
                kept_in=home / "price_files",
            )

        yield from run_dlt(context, source_of(BASE, past_of(BASE, used)), pipeline)
        unread = []
        gap_fillers = [each for each in GAP_FILLERS if environ.get(each.url_variable)]
        if gap_fillers:
            # What the base lists is not missed where a gap filler drops it.
            gaps = used - past_of(BASE, used).models
            for each in gap_fillers:
                try:
                    with writer_lock(home):
                        run_source(pipeline, source_of(each, past_of(each, gaps)))
                except PipelineStepFailed as failed:
                    # The message may hold the URL, and that a secret: what kind it is has to do.
                    cause = failed.exception.__cause__ or failed.exception
                    unread.append(f"{each.name}: {type(cause).__name__}")
        configured = [each.name for each in (BASE, *gap_fillers)]
        found = waiting(home, used=used, approved=approved, configured=configured)
        files = [each for each in found if each.kind == "file"]
        rates = [each for each in found if each.kind == "rate" and each.is_used]
        yield _check("price_file_is_accepted", files)
        yield _check("no_used_price_waits_for_review", rates)
        yield dg.AssetCheckResult(
            check_name="gap_fillers_answer",
            asset_key=SNAPSHOTS_KEY,
            passed=not unread,
            severity=dg.AssetCheckSeverity.WARN,
            description="; ".join(unread) or None,
        )

    return load


def export_asset(
    *, published: dg.AssetKey, condition: dg.AutomationCondition | None
) -> dg.AssetsDefinition:
    """The dated price catalogue as one Parquet file: a product of its own."""

    @dg.asset(
        key=EXPORT_KEY,
        deps=[published],
        group_name="published",
        kinds={"parquet"},
        owners=["team:data-platform"],
        automation_condition=condition,
        description="exports/price_catalog.parquet: every price version with its source, "
        "validity, when it was observed and what kind of change it was.",
    )
    def export() -> dg.MaterializeResult:
        path = settings.home() / "exports" / "price_catalog.parquet"
        rows = export_prices(settings.marts_path(), to=path)
        return dg.MaterializeResult(
            metadata={"path": dg.MetadataValue.path(str(path)), "dagster/row_count": rows}
        )

    return export


def export_prices(marts: Path, *, to: Path) -> int:
    """Writes the prices beside the last export and renames them into place; how many rows."""
    to.parent.mkdir(parents=True, exist_ok=True)
    fresh = to.with_suffix(".part")
    with published_marts(marts) as connection:
        target = str(fresh).replace("'", "''")
        copied = connection.execute(f"copy ({_EXPORTED}) to '{target}' (format parquet)")
        [[rows]] = copied.fetchall()
    fresh.replace(to)
    return int(rows)


def _check(name: str, found: list[Waiting]) -> dg.AssetCheckResult:
    lines = [f"{each.item_id}: {each.subject}: {each.reason}" for each in found]
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=SNAPSHOTS_KEY,
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(lines[:5]) or None,
        metadata={"waiting": lines, "accept_with": "meterhouse accept price <id>"},
    )


def _approved() -> frozenset[str]:
    engine = open_store(settings.ops_url(os.environ))
    try:
        with reading(engine) as connection:
            return price_approvals(connection)
    finally:
        engine.dispose()


def _used_models() -> frozenset[str]:
    """The price keys that usage has, as last published."""
    if not settings.marts_path().exists():
        return frozenset()
    with published_marts(settings.marts_path()) as connection:
        return frozenset(key for (key,) in connection.execute(_USED).fetchall())
