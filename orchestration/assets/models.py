"""The dbt models as Dagster assets, built in one dbt invocation a pass, and the published marts."""

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import (
    DagsterDbtCliRuntimeError,
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliResource,
    DbtProject,
    dbt_assets,
)
from sqlalchemy import Engine

from ingestion.checkpoints import checkpoint
from ingestion.decisions import DESCRIPTIONS
from ingestion.declared_tables import declare_tables
from ingestion.passes import begin_pass
from orchestration import settings
from orchestration.automation import CLOSE_AFTER_DAYS, MARTS_FRESHNESS, WAREHOUSE_POOL
from orchestration.jobs import BUILD_OP
from orchestration.ops.closing import close_due
from orchestration.ops.decisions import land_decisions
from orchestration.ops.evaluator import newest_snapshot
from orchestration.ops.store import open_store
from orchestration.warehouse import (
    building_marts,
    publish_marts,
    published_marts,
    writer_lock,
)

OPS_TAG = "ops"
# What dbt says where a table lacks a column that its incremental model has (`on_schema_change`).
_OUT_OF_STEP = "out of sync"
PASSES_KEY = ["raw", "run", "passes"]
# dbt schemas whose models are marts, and so are published.
MART_SCHEMAS = ("core", "spend", "budgets", "wallets", "margin", "trust", "focus")


def dbt_project() -> DbtProject:
    """The dbt project; its manifest and logs lie under the home."""
    return DbtProject(
        project_dir=settings.DBT_PROJECT_DIR,
        profiles_dir=settings.DBT_PROJECT_DIR,
        target_path=Path(os.path.relpath(_target_path(), settings.DBT_PROJECT_DIR)),
    )


def _target_path() -> Path:
    return settings.home() / "dbt" / "target"


def dbt_cli(project: DbtProject) -> DbtCliResource:
    """The dbt of this environment, whatever the PATH says."""
    return DbtCliResource(
        project_dir=project,
        profiles_dir=str(settings.DBT_PROJECT_DIR),
        dbt_executable=str(Path(sys.executable).with_name("dbt")),
        # At debug level dbt's log file costs a sixth of a build.
        global_config_flags=["--log-level-file", "info"],
    )


def prepare_manifest(project: DbtProject) -> None:
    """Parses the project unless the manifest was made of it; no database is opened."""
    digest = hashlib.sha256()
    for path in sorted(settings.DBT_PROJECT_DIR.rglob("*")):
        relative = path.relative_to(settings.DBT_PROJECT_DIR)
        if path.suffix in (".sql", ".yml") and relative.parts[0] not in ("target", "logs"):
            digest.update(f"{relative}\0".encode())
            digest.update(path.read_bytes())
    made_of = _target_path() / "manifest.made_of"
    known = made_of.read_text(encoding="utf-8") if made_of.exists() else ""
    if project.manifest_path.exists() and known == digest.hexdigest():
        return
    dbt_cli(project).cli(["parse", "--quiet"], target_path=_target_path()).wait()
    made_of.write_text(digest.hexdigest(), encoding="utf-8")


class BuildConfig(dg.Config):
    """How the models are built: what is new, or everything again from raw data.

    A full refresh is what an upgrade asks for when incremental models have gained columns. The
    tables that only a pass can write (what was replaced, restated) are kept.
    """

    full_refresh: bool = False


class ModelTranslator(DagsterDbtTranslator):
    """Models keep dagster-dbt's key `<schema>/<model>`, a source is the asset that dlt loads."""

    def __init__(self, condition: dg.AutomationCondition | None) -> None:
        super().__init__(
            settings=DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True)
        )
        self._condition = condition

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        """The spec of one model."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest.get("nodes", {}).get(unique_id)
        if node is None:
            return spec.replace_attributes(key=_raw_key(manifest, unique_id))
        layer, area = node["fqn"][1:3]
        is_mart = spec.key.path[0] in MART_SCHEMAS
        # What is fed by the ops store stands behind the outbound assets: the graph has no way back.
        is_mirror = OPS_TAG in node["tags"]
        return spec.replace_attributes(
            group_name=f"mirror/{layer}" if is_mirror else f"{layer}/{area}",
            automation_condition=self._condition,
            freshness_policy=MARTS_FRESHNESS if is_mart else None,
        )

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> dg.AssetCheckSpec | None:
        """The spec of one test; one with a file of its own is told as its file begins."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        node = manifest["nodes"][unique_id]
        if spec is None or node.get("test_metadata"):
            return spec
        comment = takewhile(lambda line: line.startswith("--"), node["raw_code"].splitlines())
        return spec._replace(description=" ".join(line.strip("- ") for line in comment))


def _raw_key(manifest: Mapping[str, Any], unique_id: str) -> dg.AssetKey:
    """`raw/<system>/<resource>` of a dbt source; dlt's own tables stand with the first resource."""
    schema = manifest["sources"][unique_id]["source_name"]
    tables = [
        each["name"]
        for each in manifest["sources"].values()
        if each["source_name"] == schema and not each["name"].startswith("_dlt")
    ]
    name = manifest["sources"][unique_id]["name"]
    table = min(tables) if name.startswith("_dlt") else name
    return dg.AssetKey(["raw", schema.removeprefix("raw_"), table])


def begun_specs() -> list[dg.AssetSpec]:
    """What a pass appends as it begins: its number and time, and what people decided."""
    described = {
        tuple(PASSES_KEY): "Passes and the time each speaks for; appended as one begins.",
        **{("raw", "decisions", name): text for name, text in DESCRIPTIONS.items()},
    }
    return [
        dg.AssetSpec(
            list(key),
            group_name=f"raw/{key[1]}",
            kinds={"duckdb"},
            owners=["team:data-platform"],
            description=text,
        )
        for key, text in described.items()
    ]


def model_assets(
    project: DbtProject, *, condition: dg.AutomationCondition | None
) -> dg.AssetsDefinition:
    """Every model that is not fed by the ops store; building them is what begins a pass."""
    translator = ModelTranslator(condition)

    @dbt_assets(
        manifest=project.manifest_path,
        exclude=f"tag:{OPS_TAG}",
        name=BUILD_OP,
        dagster_dbt_translator=translator,
        project=project,
        pool=WAREHOUSE_POOL,
    )
    def build_models(
        context: dg.AssetExecutionContext, dbt: DbtCliResource, config: BuildConfig
    ) -> Iterator[Any]:
        home = settings.home()
        with writer_lock(home):
            # The pass begins here, and only here: each build has a number of its own, so that no
            # model mistakes new rows for rows it has seen (DESIGN D18, D19).
            store = open_store(settings.ops_url())
            # A home that was lost and made anew goes on counting where alerts are.
            pass_id = begin_pass(home, as_of=settings.now(), above=newest_snapshot(store))
            declare_tables(home)
            begun = [dg.AssetKey(PASSES_KEY)]
            _close_months(store)
            if land_decisions(store, home):
                begun = [spec.key for spec in begun_specs()]
            for key in begun:
                context.log_event(dg.AssetMaterialization(key, metadata={"pass_id": pass_id}))
            yield from _build(context, dbt, is_full_refresh=config.full_refresh)

    return build_models


def ops_model_assets(
    project: DbtProject, *, condition: dg.AutomationCondition | None
) -> dg.AssetsDefinition:
    """The models fed by the mirrored ops store; built after the outbound assets."""

    @dbt_assets(
        manifest=project.manifest_path,
        select=f"tag:{OPS_TAG}",
        name="build_ops_models",
        dagster_dbt_translator=ModelTranslator(condition),
        project=project,
        pool=WAREHOUSE_POOL,
    )
    def build_ops_models(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
        with writer_lock(settings.home()):
            yield from _build(context, dbt)

    return build_ops_models


def _close_months(store: Engine) -> None:
    """Closes what is due, as the marts published last show it, before this pass moves on."""
    if not settings.marts_path().exists():
        return
    with published_marts(settings.marts_path()) as marts:
        close_due(store, marts, after_days=CLOSE_AFTER_DAYS, now=settings.now())


def _build(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, *, is_full_refresh: bool = False
) -> Iterator[Any]:
    # Unit tests speak of the models, not of the data: `make test` runs them, a pass need not.
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    if is_full_refresh:
        arguments.append("--full-refresh")
    invocation = dbt.cli(arguments, context=context, target_path=_target_path())
    try:
        for event in invocation.stream():
            checkpoint("dbt")
            yield event
    except DagsterDbtCliRuntimeError as error:
        if _OUT_OF_STEP not in str(error):
            raise
        raise dg.Failure(
            "This home was built by an earlier version, and its tables lack columns of this one: "
            "build them once more from raw data with `meterhouse run --full-refresh` (or launch "
            f"pass_job with {BUILD_OP}'s full_refresh set). Nothing was published."
        ) from error


def publishing_asset(
    key: list[str], *, group: str, deps: list[dg.AssetKey], description: str, condition: Any
) -> dg.AssetsDefinition:
    """An asset that publishes the marts as they were built."""

    @dg.asset(
        key=key,
        deps=deps,
        group_name=group,
        kinds={"duckdb"},
        owners=["team:data-platform"],
        pool=WAREHOUSE_POOL,
        description=description,
        automation_condition=condition,
    )
    def publish(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        home = settings.home()
        with writer_lock(home):
            size = publish_marts(home, to=settings.marts_path())
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(str(settings.marts_path())),
                "size_bytes": size,
                "built_in": dg.MetadataValue.path(str(building_marts(home))),
            }
        )

    return publish
