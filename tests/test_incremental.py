"""What is built bit by bit is what a full build makes of the same raw data, row by row.

Three passes around midnight: history; then other declarations and other prices; then late, moved
and corrected usage. The reference is a full refresh over a copy of the same raw data, as a home of
an earlier version needs it: one whose tables lack a column.
"""

import gzip
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from platform_home import ROOT, Platform, canonical, differences

from sandbox.spend_logs import ADDED_ROW
from sandbox.state import State

AFTER_MIDNIGHT = datetime(2026, 11, 24, 0, 20, tzinfo=UTC)
LATER_STILL = datetime(2026, 11, 24, 0, 50, tzinfo=UTC)
LOGS = "bedrock/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/24/00"
PRICES = ROOT / "price_catalog" / "seed" / "model_prices.json.gz"


def call(name: str, *, at: str, spend: float) -> dict[str, Any]:
    return {
        "request_id": name,
        "litellm_call_id": f"{name}-call",
        "call_type": "acompletion",
        "status": "success",
        "cache_hit": "None",
        "startTime": at,
        "endTime": at,
        "custom_llm_provider": "openai",
        "model": "openai/gpt-4o-mini",
        "prompt_tokens": 1_000,
        "completion_tokens": 100,
        "total_tokens": 1_100,
        "spend": spend,
        "api_key": "",
        "team_id": "team-search",
        "request_tags": [],
        "metadata": {},
    }


def invocation(name: str, *, at: str, user: str) -> dict[str, Any]:
    return {
        "timestamp": at,
        "accountId": "123456789012",
        "region": "us-east-1",
        "requestId": name,
        "operation": "InvokeModel",
        "modelId": "amazon.nova-lite-v1:0",
        "input": {"inputTokenCount": 1_000_000},
        "output": {"outputTokenCount": 0},
        "requestMetadata": {"user": user},
    }


def declare_otherwise(config: Path) -> None:
    """User ada moves to team data on the 22nd; the contractors are somebody after all."""
    path = config / "entities.yaml"
    declared = yaml.safe_load(path.read_text(encoding="utf-8"))
    (ada,) = (each for each in declared["entities"] if each["id"] == "user-ada")
    moved_at = "2026-11-22T00:00:00Z"
    ada["parents"] = [
        {"parent": ada.pop("parent"), "valid_to_at": moved_at},
        {"parent": "team-data", "valid_from_at": moved_at},
    ]
    path.write_text(yaml.safe_dump(declared, sort_keys=False), encoding="utf-8")
    with (config / "identities.yaml").open("a", encoding="utf-8") as file:
        file.write("  - {field: raw_team, value: team-contractors, target: team-sales}\n")


def price_otherwise(to: Path) -> str:
    """The address of a price file in which a million tokens of nova-lite cost 12 cents, not 6."""
    prices = json.loads(gzip.decompress(PRICES.read_bytes()))
    prices["amazon.nova-lite-v1:0"]["input_cost_per_token"] = 0.00000012
    to.write_text(json.dumps(prices), encoding="utf-8")
    return to.as_uri()


def correct(home: Path) -> None:
    """The proxy restates one call's spend and another's start, which leaves its day empty."""
    with_other_spend = call("x-spend", at="2026-11-23T23:30:00.000+00:00", spend=0.75)
    before_midnight = call("x-moved", at="2026-11-23T23:55:00.000+00:00", spend=0.25)
    state = State(home / "sandbox" / "state.sqlite")
    for row in (with_other_spend, before_midnight):
        at_ms = int(datetime.fromisoformat(row["startTime"]).timestamp() * 1000)
        state.put(ADDED_ROW, id=row["request_id"], body={"at_ms": at_ms, "row": row})
    state.close()


def upgraded(platform: Platform, *, copy: Path, **environ: str) -> tuple[str, Path]:
    """A copy whose tables are of an earlier version: what a pass says, and its marts once it was
    refreshed. No vendor is running, so both passes read the same raw data.
    """
    shutil.copytree(platform.home, copy)
    later = Platform(copy, platform.config)
    with duckdb.connect(str(copy / "warehouse.duckdb")) as warehouse:
        warehouse.execute("alter table intermediate.int_usage__deduplicated drop column model_key")
    code, refused = later.finish(later.start("run", at=LATER_STILL, **environ))
    assert code == 1
    code, printed = later.finish(later.start("run --full-refresh", at=LATER_STILL, **environ))
    assert code == 0, printed
    return refused, copy / "marts.duckdb"


@dataclass
class Built:
    """The platform after its three passes, and the marts of the full build that an upgrade is."""

    platform: Platform
    reference: Path
    refused: str
    booked_before: list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def built(_live: Platform, history: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """All passes, then the full build."""
    folder = tmp_path_factory.mktemp("incremental")
    platform = _live
    platform.put_back(history)
    prices = {"METERHOUSE_PRICE_CATALOG_URL": price_otherwise(folder / "prices.json")}
    declare_otherwise(platform.config)
    with platform.vendors():
        platform.steer(
            "rows",
            rows=[
                call("x-spend", at="2026-11-23T23:30:00.000+00:00", spend=0.5),
                call("x-moved", at="2026-11-24T00:05:00.000+00:00", spend=0.25),
            ],
        )
        platform.run(at=AFTER_MIDNIGHT, **prices)
    booked = platform.read("select usage_on from core.fct_usage where request_id = 'x-moved'")
    correct(platform.home)
    with platform.vendors():
        platform.steer(
            "objects",
            key=f"{LOGS}/20261124T003000000Z_0000000000000001.json.gz",
            lines=[
                # Delivered now, made days ago; ada's second call is after her move.
                invocation("late-1", at="2026-11-20T10:00:00Z", user="ada"),
                invocation("late-2", at="2026-11-22T10:00:00Z", user="ada"),
                # Made once the other prices were known.
                invocation("new-1", at="2026-11-24T00:25:00Z", user="linus"),
            ],
            last_modified="2026-11-24T00:30:00Z",
        )
        platform.run(at=LATER_STILL, **prices)
    refused, reference = upgraded(platform, copy=folder / "copy", **prices)
    return Built(platform, reference, refused, booked)


def test_incremental_marts_equal_a_full_build_row_by_row(built: Built) -> None:
    found = canonical(built.platform.home / "marts.duckdb")

    assert len(found["core.fct_usage"]) > 1_500
    assert differences(found, canonical(built.reference)) == []


def test_a_home_of_an_earlier_version_is_told_what_to_run(built: Built) -> None:
    assert "meterhouse run --full-refresh" in built.refused


def test_corrected_and_moved_calls_are_what_the_proxy_says_now(built: Built) -> None:
    found = built.platform.read(
        "select request_id, usage_on, reported_cost_usd from core.fct_usage"
        " where request_id like 'x-%' order by request_id"
    )

    assert [str(day) for (day,) in built.booked_before] == ["2026-11-24"]
    assert [(name, str(day), cost) for name, day, cost in found] == [
        ("x-moved", "2026-11-23", Decimal("0.25")),
        ("x-spend", "2026-11-23", Decimal("0.75")),
    ]


def test_late_calls_are_booked_on_their_day_where_their_user_was(built: Built) -> None:
    def team_spend(team: str, day: str) -> Decimal:
        ((spent,),) = built.platform.read(
            "select coalesce(sum(consolidated_effective_cost_usd), 0)"
            " from spend.fct_entity_spend_daily"
            f" where entity_key = '{team}' and usage_on = '{day}'"
        )
        return spent

    ((own,),) = built.platform.read(
        "select sum(effective_cost_usd) from core.fct_usage"
        " where entity_key = 'user-ada' and usage_on = '2026-11-22'"
    )
    ((others,),) = built.platform.read(
        "select coalesce(sum(effective_cost_usd), 0) from core.fct_usage"
        " where usage_on = '2026-11-22' and entity_key in ('team-data', 'user-sophie',"
        " 'user-susan', 'user-tim', 'user-vint', 'user-whitfield')"
    )
    assert own >= Decimal("0.06")
    assert team_spend("team-data", "2026-11-22") == own + others


def test_a_declaration_places_what_was_loaded_before_it(built: Built) -> None:
    placed = built.platform.read(
        "select distinct entity_key from core.fct_usage"
        " where raw_team = 'team-contractors' and raw_user is null and raw_agent is null"
    )

    assert placed == [("team-sales",)]


def test_each_call_costs_what_its_model_cost_then(built: Built) -> None:
    costs = built.platform.read(
        "select request_id, effective_cost_usd from core.fct_usage"
        " where request_id in ('late-1', 'late-2', 'new-1') order by request_id"
    )

    assert costs == [
        ("late-1", Decimal("0.06")),
        ("late-2", Decimal("0.06")),
        ("new-1", Decimal("0.12")),
    ]
