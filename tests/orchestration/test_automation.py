"""What wakes a pass: new data, once; nothing before the first pass, nothing of its own making."""

import os
from collections.abc import Iterator

import dagster as dg
import pytest

# Dagster's own tester uses a parameter that Dagster marks as beta.
pytestmark = pytest.mark.filterwarnings("ignore:Parameter .include_sources. of function")


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.Definitions]:
    patch = pytest.MonkeyPatch()
    for name in [name for name in os.environ if name.startswith("METERHOUSE_")]:
        patch.delenv(name)
    patch.setenv("METERHOUSE_HOME", str(tmp_path_factory.mktemp("automation_home")))
    from orchestration.declared import declared_config
    from orchestration.definitions import build_defs

    config = declared_config()
    assert config is not None
    yield build_defs(config=config, overrides={})
    patch.undo()


def keys_of(definitions: dg.Definitions) -> dict[str, dg.AssetKey]:
    return {spec.key.to_user_string(): spec.key for spec in definitions.resolve_all_asset_specs()}


def report(instance: dg.DagsterInstance, *keys: dg.AssetKey) -> None:
    for key in keys:
        instance.report_runless_asset_event(dg.AssetMaterialization(key))


def test_a_load_wakes_one_whole_pass_after_the_first(definitions: dg.Definitions) -> None:
    keys = keys_of(definitions)
    loads = [
        key
        for name, key in keys.items()
        if name.startswith("raw/") and not name.startswith("raw/ops")
    ]
    with dg.instance_for_test() as instance:
        seen = dg.evaluate_automation_conditions(definitions, instance=instance)
        report(instance, *loads)
        seen = dg.evaluate_automation_conditions(definitions, instance=instance, cursor=seen.cursor)
        assert seen.total_requested == 0, "nothing is built by conditions before the first pass"

        report(instance, *(key for key in keys.values() if key not in loads))
        seen = dg.evaluate_automation_conditions(definitions, instance=instance, cursor=seen.cursor)
        assert seen.total_requested == 0

        report(instance, keys["raw/litellm/spend_logs"])
        seen = dg.evaluate_automation_conditions(definitions, instance=instance, cursor=seen.cursor)
        woken = {name for name, key in keys.items() if seen.get_num_requested(key)}
        assert {
            "staging/stg_litellm__spend_logs",
            "core/fct_usage",
            "core/published_snapshot",
            "budgets/fct_budget_status",
            "published/marts",
            "alert_transitions",
            "webhook_deliveries",
            "gateway_limits",
            "raw/ops/transitions",
            "published/ops_marts",
        } <= woken
        assert "raw/bedrock/invocations" not in woken

        again = dg.evaluate_automation_conditions(
            definitions, instance=instance, cursor=seen.cursor
        )
        assert again.total_requested == 0


def test_a_pass_does_not_wake_the_next(definitions: dg.Definitions) -> None:
    keys = keys_of(definitions)
    with dg.instance_for_test() as instance:
        report(instance, *keys.values())
        seen = dg.evaluate_automation_conditions(definitions, instance=instance)
        report(instance, keys["raw/run/passes"])
        seen = dg.evaluate_automation_conditions(definitions, instance=instance, cursor=seen.cursor)
        assert seen.total_requested == 0
