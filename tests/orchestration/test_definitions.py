"""The code location loads as the server loads it, and its graph is one road without loose ends."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from collector_service import collector, event
from dagster_dlt import DagsterDltResource
from raw_loads import loaded

from ingestion.litellm import LiteLLMSource
from ingestion.systems import SYSTEMS
from orchestration.assets.raw import system_assets
from orchestration.jobs import load_config, load_job_name

ROOT = Path(__file__).resolve().parents[2]
# What a vendor sends us or a person declares has nothing upstream; what we publish last has
# nothing downstream. Marts are published, so they have.
SOURCES = "raw/"
LAST = {"published/ops_marts", "exports/price_catalog"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("definitions_home")


@pytest.fixture(scope="module")
def definitions(home: Path) -> dg.Definitions:
    patch = pytest.MonkeyPatch()
    for name in [name for name in os.environ if name.startswith("METERHOUSE_")]:
        patch.delenv(name)
    patch.setenv("METERHOUSE_HOME", str(home))
    from orchestration.declared import declared_config
    from orchestration.definitions import build_defs

    config = declared_config()
    assert config is not None
    built = build_defs(config=config, overrides={})
    yield built
    patch.undo()


@pytest.fixture(scope="module")
def graph(definitions: dg.Definitions) -> dict[str, set[str]]:
    """Each asset with the assets it depends on."""
    return {
        spec.key.to_user_string(): {dep.asset_key.to_user_string() for dep in spec.deps}
        for spec in definitions.resolve_all_asset_specs()
    }


def test_definitions_validate_with_an_empty_environment(tmp_path: Path) -> None:
    dagster = Path(sys.executable).with_name("dagster")
    done = subprocess.run(
        [str(dagster), "definitions", "validate", "-w", str(ROOT / "workspace.yaml")],
        env={"METERHOUSE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "All code locations passed validation" in done.stdout + done.stderr


def test_every_dependency_is_an_asset_of_ours(graph: dict[str, set[str]]) -> None:
    assert {dep for deps in graph.values() for dep in deps} <= graph.keys()


def test_only_raw_assets_have_nothing_upstream(graph: dict[str, set[str]]) -> None:
    assert {name for name, deps in graph.items() if not deps and not name.startswith(SOURCES)} == (
        set()
    )


def test_everything_flows_into_what_is_published_last(graph: dict[str, set[str]]) -> None:
    upstream = {dep for deps in graph.values() for dep in deps}
    assert graph.keys() - upstream == LAST


def test_the_road_runs_from_the_vendor_to_the_blocked_key(graph: dict[str, set[str]]) -> None:
    reached, frontier = set(), {"gateway_limits"}
    while frontier:
        reached |= frontier
        frontier = {dep for name in frontier for dep in graph[name]} - reached
    assert {"raw/litellm/spend_logs", "raw/bedrock/invocations", "raw/config/budgets"} <= reached
    assert {"core/fct_usage", "budgets/fct_budget_status", "published/marts"} <= reached
    assert not {name for name in reached if "ops" in name}, "evaluation reads what it recorded"


def test_two_proxies_share_their_assets_and_are_loaded_each_on_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERHOUSE_HOME", str(tmp_path / "home"))
    proxies = [
        LiteLLMSource(
            id=name, system="litellm", evidence_layer="gateway", base_url_env="U", api_key_env="K"
        )
        for name in ("proxy-one", "proxy-two")
    ]
    loaded_by = system_assets("litellm", proxies, ready=proxies)
    assert dg.AssetKey(["raw", "litellm", "spend_logs"]) in loaded_by.keys
    assert {"proxy_one_credentials", "proxy_two_credentials"} <= loaded_by.required_resource_keys
    for proxy in proxies:
        config = load_config(proxy, deep_reread=False)
        assert config == {
            "ops": {"load_litellm": {"config": {"instances": [proxy.id], "deep_reread": False}}}
        }
    assert [load_job_name(proxy.id) for proxy in proxies] == [
        "load_proxy_one_job",
        "load_proxy_two_job",
    ]


def test_data_tests_are_asset_checks(definitions: dg.Definitions) -> None:
    checks = {
        check.name
        for assets in definitions.assets or []
        if isinstance(assets, dg.AssetsDefinition)
        for check in assets.check_specs
    }
    assert "assert_both_trees_sum_to_the_facts" in checks
    assert "unique_fct_usage_usage_key" in checks


def test_assets_have_groups_descriptions_owners_and_kinds(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        name = spec.key.to_user_string()
        assert spec.group_name and spec.group_name != "default", name
        assert spec.description, name
        assert spec.kinds, name
        if not name.startswith("raw/run"):
            assert spec.owners, name


def test_sources_are_watched_for_freshness(definitions: dg.Definitions) -> None:
    policies = {
        spec.key.to_user_string(): spec.freshness_policy
        for spec in definitions.resolve_all_asset_specs()
    }
    assert policies["raw/litellm/spend_logs"] is not None
    assert policies["raw/bedrock/invocations"] is not None
    assert policies["core/fct_usage"] is not None


def test_a_source_without_credentials_is_not_scheduled(definitions: dg.Definitions) -> None:
    status = {each.name: each.default_status for each in definitions.schedules or []}
    assert status["litellm_main_new"] == dg.DefaultScheduleStatus.STOPPED
    assert status["price_catalog_daily"] == dg.DefaultScheduleStatus.RUNNING


def test_everything_that_writes_the_warehouse_shares_one_pool(
    definitions: dg.Definitions,
) -> None:
    pools = {
        assets.op.name: assets.op.pool
        for assets in definitions.assets or []
        if isinstance(assets, dg.AssetsDefinition) and assets.is_executable
    }
    writers = {name for name in pools if name.startswith(("load_", "build_", "published__"))}
    # Every system (but spans, which come with what is pushed), config, prices; two builds, two
    # publications.
    assert len(writers) == 6 + len(SYSTEMS) - 1
    assert {pools[name] for name in writers | {"mirror_ops"}} == {"duckdb"}


def test_sensors_ask_for_nothing_before_anything_is_published(
    definitions: dg.Definitions, home: Path
) -> None:
    sensors = {each.name: each for each in definitions.sensors or []}
    with dg.instance_for_test() as instance:
        context = dg.build_sensor_context(instance=instance)
        assert not sensors["snapshot_published_sensor"](context).run_requests
        assert not sensors["message_due_sensor"](context).run_requests


def test_the_config_sensor_asks_once_for_each_content(definitions: dg.Definitions) -> None:
    sensor = next(each for each in definitions.sensors if each.name == "config_changed_sensor")
    with dg.instance_for_test() as instance:
        first = sensor(dg.build_sensor_context(instance=instance))
        assert len(first.run_requests) == 1
        again = sensor(dg.build_sensor_context(instance=instance, cursor=first.cursor))
        assert not again.run_requests


def test_the_fast_lane_is_the_load_of_what_was_pushed_and_the_pass_in_one_process(
    definitions: dg.Definitions,
) -> None:
    def steps(name: str) -> set[str]:
        return {node.name for node in definitions.resolve_job_def(name).nodes}

    assert steps("load_collector_job") == {"load_collector"}
    assert steps("fast_lane_job") == steps("pass_job") | {"load_collector"}
    assert "load_collector" not in steps("pass_job")
    lane = definitions.resolve_job_def("fast_lane_job")
    assert lane.executor_def is dg.in_process_executor


def test_what_is_pushed_wakes_the_fast_lane_once_and_is_loaded(
    definitions: dg.Definitions, home: Path
) -> None:
    sensor = next(each for each in definitions.sensors or [] if each.name == "spool_sensor")
    assert sensor.minimum_interval_seconds == 10
    with dg.instance_for_test() as instance, collector(home) as service:

        def tick(cursor: str | None = None) -> dg.SensorResult:
            return sensor(dg.build_sensor_context(instance=instance, cursor=cursor))

        assert not tick().run_requests
        service.post("/v1/events", [event("a")])
        first = tick()
        assert len(first.run_requests) == 1
        assert not tick(first.cursor).run_requests

        running = instance.create_run_for_job(
            definitions.resolve_job_def("fast_lane_job"), status=dg.DagsterRunStatus.STARTED
        )
        service.post("/v1/events", [event("b")])
        # One is under way: the cursor stays, so that the next tick asks.
        waiting = tick(first.cursor)
        assert not waiting.run_requests
        assert waiting.cursor is None
        instance.report_run_canceled(running)
        second = tick(first.cursor)
        assert second.run_requests

        load = definitions.resolve_job_def("load_collector_job")
        assert load.execute_in_process(instance=instance, raise_on_error=False).success
        assert loaded(home, "event_id", table="raw_collector.events") == ["a", "b"]

        inbox = home / "inbox" / "collector-main"
        inbox.mkdir(parents=True)
        (inbox / "a.ndjson").write_text(json.dumps(event("c")), encoding="utf-8")
        assert tick(second.cursor).run_requests


def test_a_load_without_senders_and_spool_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.assets.raw import collector_assets
    from orchestration.declared import declared_config

    monkeypatch.setenv("METERHOUSE_HOME", str(tmp_path))
    config = declared_config()
    assert config is not None
    assets = collector_assets(replace(config, sources=()))
    done = dg.materialize([assets], resources={"dlt": DagsterDltResource()}, raise_on_error=False)
    assert done.success


@pytest.mark.parametrize("place", ["ops", "resources"])
def test_no_run_config_arms_a_gateway(definitions: dg.Definitions, place: str) -> None:
    job = definitions.resolve_job_def("outbound_job")
    assert "gateway_limits" in {node.name for node in job.nodes}
    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.validate_run_config(job, {place: {"gateway_limits": {"config": {"armed": True}}}})
    dg.validate_run_config(job, {})


def test_a_check_with_a_file_of_its_own_says_what_its_file_says(
    definitions: dg.Definitions,
) -> None:
    checks = definitions.resolve_asset_graph().asset_check_keys
    described = {
        key.name: definitions.resolve_asset_graph().get_check_spec(key).description
        for key in checks
        if key.name.startswith("assert_")
    }
    assert len(described) == len(list((ROOT / "dbt_project" / "tests").glob("assert_*.sql")))
    assert all(described.values())
    assert described["assert_wallet_lines_are_whole"] == (
        "The parts of a line sum to what it states, and no grant gives more than it held."
    )
