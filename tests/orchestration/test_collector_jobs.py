"""The fast lane: what was pushed wakes one run that loads it and passes over it."""

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from collector_service import APP_TOKEN, SOURCES, collector, event
from raw_loads import loaded

from orchestration import settings
from orchestration.jobs import FAST_LANE_JOB, LOAD_COLLECTOR_JOB


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def definitions(home: Path) -> Iterator[dg.Definitions]:
    """The definitions over the demo's config, with the senders of the tests beside its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METERHOUSE_HOME", str(home))
        from dataclasses import replace

        from orchestration.declared import declared_config
        from orchestration.definitions import build_defs

        config = declared_config()
        assert config is not None
        senders = tuple(each for each in SOURCES if each.system == "collector")
        known = replace(config, sources=(*config.sources, *senders))
        yield build_defs(config=known, overrides={})


def test_the_fast_lane_is_the_load_and_the_pass_in_one_process(
    definitions: dg.Definitions,
) -> None:
    def steps(name: str) -> set[str]:
        return {node.name for node in definitions.resolve_job_def(name).nodes}

    assert steps(LOAD_COLLECTOR_JOB) == {"load_collector"}
    assert steps(FAST_LANE_JOB) == steps("pass_job") | {"load_collector"}
    assert "load_collector" not in steps("pass_job")
    lane = definitions.resolve_job_def(FAST_LANE_JOB)
    assert lane.executor_def is dg.in_process_executor


def test_the_sensor_wakes_it_for_what_is_new_and_loads_it(
    definitions: dg.Definitions, home: Path
) -> None:
    sensor = next(each for each in definitions.sensors or [] if each.name == "spool_sensor")
    assert sensor.minimum_interval_seconds == 10
    with dg.instance_for_test() as instance, collector(home) as service:

        def tick(cursor: str | None = None) -> dg.SensorResult:
            return sensor(dg.build_sensor_context(instance=instance, cursor=cursor))

        assert not tick().run_requests
        service.post("/v1/events", [event("a")], token=APP_TOKEN)
        first = tick()
        assert len(first.run_requests) == 1
        assert not tick(first.cursor).run_requests

        running = instance.create_run_for_job(
            definitions.resolve_job_def(FAST_LANE_JOB), status=dg.DagsterRunStatus.STARTED
        )
        service.post("/v1/events", [event("b")], token=APP_TOKEN)
        # One is under way: the cursor stays, so that the next tick asks.
        waiting = tick(first.cursor)
        assert not waiting.run_requests
        assert waiting.cursor is None
        instance.report_run_canceled(running)
        assert tick(first.cursor).run_requests

        load = definitions.resolve_job_def(LOAD_COLLECTOR_JOB)
        done = load.execute_in_process(instance=instance, raise_on_error=False)
        assert done.success
        assert loaded(home, "event_id", table="raw_collector.events") == ["a", "b"]

        inbox = settings.home() / "inbox" / "app"
        inbox.mkdir(parents=True)
        second = tick(first.cursor)
        assert second.cursor is not None
        (inbox / "a.ndjson").write_text(json.dumps(event("c")), encoding="utf-8")
        assert len(tick(second.cursor).run_requests) == 1


def test_a_load_with_no_sender_and_no_spool_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from orchestration.assets.raw import collector_assets
    from orchestration.declared import declared_config

    monkeypatch.setenv("METERHOUSE_HOME", str(tmp_path))
    config = declared_config()
    assert config is not None
    from dagster_dlt import DagsterDltResource

    done = dg.materialize(
        [collector_assets(replace(config, sources=()))],
        resources={"dlt": DagsterDltResource()},
        raise_on_error=False,
    )
    assert done.success
