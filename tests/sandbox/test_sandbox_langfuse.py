"""The simulated project is what Langfuse's own SDK expects, and it ties to its counts."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from langfuse.api import LangfuseAPI
from langfuse.api.core.api_error import ApiError

from sandbox.server import Sandbox

AS_OF = datetime(2026, 11, 23, 18, tzinfo=UTC)
CANARY = "CANARY-2c7d"
FIELDS = "core,basic,time,model,usage,metadata,trace_context"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Vendors with 8,000 events in ten days, and content to look for."""
    home: Path = tmp_path_factory.mktemp("home")
    with Sandbox(home=home, as_of=AS_OF, events=8_000, days=10, canary=CANARY) as running:
        yield running


@pytest.fixture(scope="module")
def sdk(sandbox: Sandbox) -> Iterator[LangfuseAPI]:
    """The vendor's client with the project's key pair."""
    known = sandbox.environment()
    with httpx.Client(timeout=10) as client:
        yield LangfuseAPI(
            base_url=known["LANGFUSE_MAIN_BASE_URL"],
            username=known["LANGFUSE_MAIN_PUBLIC_KEY"],
            password=known["LANGFUSE_MAIN_SECRET_KEY"],
            httpx_client=client,
        )


def counts_of(sandbox: Sandbox) -> dict[str, Any]:
    return requests.get(sandbox.control_url, timeout=10).json()["langfuse"]


def ask(sandbox: Sandbox, path: str, *, secret: str | None = None, **query: Any) -> Any:
    known = sandbox.environment()
    keys = known["LANGFUSE_MAIN_PUBLIC_KEY"], secret or known["LANGFUSE_MAIN_SECRET_KEY"]
    url = f"{known['LANGFUSE_MAIN_BASE_URL']}/api/public{path}"
    return requests.get(url, params=query, auth=keys, timeout=10)


def steer(sandbox: Sandbox, what: str, body: Any) -> None:
    url = f"{sandbox.control_url}/langfuse/{what}"
    requests.post(url, json=body, timeout=10).raise_for_status()


def all_of(sdk: LangfuseAPI, *, limit: int = 50) -> list[Any]:
    found: list[Any] = []
    cursor = None
    while True:
        page = sdk.observations.get_many(
            fields=FIELDS, limit=limit, cursor=cursor, to_start_time=AS_OF
        )
        assert len(page.data) == limit or page.meta.cursor is None
        found += page.data
        cursor = page.meta.cursor
        if cursor is None:
            return found


def test_the_sdk_pages_through_and_ties_to_the_counts(sandbox: Sandbox, sdk: LangfuseAPI) -> None:
    counts = counts_of(sandbox)
    found = all_of(sdk)
    assert len({each.id for each in found}) == len(found) == counts["observations"] > 100
    times = [each.start_time for each in found]
    assert times == sorted(times, reverse=True)
    assert max(each.updated_at for each in found) <= AS_OF
    parents = {each.parent_observation_id for each in found if each.usage_details}
    leaves = [each for each in found if each.id not in parents]
    assert len(found) - len(leaves) == counts["repeating"] > 0

    def total(name: str) -> int:
        return sum((each.usage_details or {}).get(name, 0) for each in leaves)

    read, written = total("cache_read_input_tokens"), total("cache_creation_input_tokens")
    # What was written is in the input too.
    assert {
        "input_tokens": total("input") - written,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "output_tokens": total("output"),
    } == {name: counts[name] for name in counts if name.endswith("_tokens")}
    assert total("total") == total("input") + read + total("output")
    cost = sum(Decimal(repr(each.total_cost or 0)) for each in leaves)
    assert str(cost) == counts["total_cost_usd"]


def test_observations_are_the_gateways_calls(sandbox: Sandbox, sdk: LangfuseAPI) -> None:
    calls = {call["call_id"]: call for call in sandbox.world.litellm.to_pylist()}
    seen = {each.metadata["litellm_call_id"]: each for each in all_of(sdk, limit=1000)}
    assert seen.keys() <= calls.keys()
    for call_id, each in seen.items():
        assert each.model_extra["providedModelName"] == calls[call_id]["model"]
        assert each.user_id == calls[call_id]["user_email"]


def test_content_comes_only_where_it_is_asked_for(sandbox: Sandbox) -> None:
    plain = ask(sandbox, "/v2/observations", fields=FIELDS, limit=5)
    asked = ask(sandbox, "/v2/observations", fields="io", limit=5)
    assert not {"input", "output"} & plain.json()["data"][0].keys()
    # Metadata is free text as well, and is cut.
    assert CANARY in plain.text
    assert CANARY in asked.json()["data"][0]["input"]
    metadata = plain.json()["data"][0]["metadata"]
    whole = ask(
        sandbox, "/v2/observations", fields="metadata", limit=5, expandMetadata="requester_metadata"
    ).json()["data"][0]["metadata"]
    assert len(metadata["requester_metadata"]) == 200
    assert len(whole["requester_metadata"]) == 400


def test_bounds_are_inclusive_and_exclusive(sandbox: Sandbox, sdk: LangfuseAPI) -> None:
    one = sdk.observations.get_many(limit=1).data[0]
    after = one.start_time + timedelta(milliseconds=1)
    within = sdk.observations.get_many(from_start_time=one.start_time, to_start_time=after)
    assert one.id in {each.id for each in within.data}
    before = sdk.observations.get_many(to_start_time=one.start_time, limit=1000)
    assert one.id not in {each.id for each in before.data}


def test_daily_metrics_count_and_sum_every_observation(sandbox: Sandbox, sdk: LangfuseAPI) -> None:
    query = {
        "view": "observations",
        "dimensions": [{"field": "providedModelName"}],
        "metrics": [
            {"measure": "count", "aggregation": "count"},
            {"measure": "totalCost", "aggregation": "sum"},
        ],
        "timeDimension": {"granularity": "day"},
        "fromTimestamp": "2026-11-01T00:00:00Z",
        "toTimestamp": "2026-11-24T00:00:00Z",
        "config": {"row_limit": 1000},
    }
    rows = sdk.metrics.metrics(query=json.dumps(query)).data
    assert sum(int(row["count_count"]) for row in rows) == counts_of(sandbox)["observations"]
    cost = sum((Decimal(repr(each.total_cost or 0)) for each in all_of(sdk)), Decimal(0))
    told = sum(Decimal(repr(row["sum_totalCost"])) for row in rows)
    assert abs(told - cost) < Decimal("1e-9")
    query["dimensions"] = [{"field": "userId"}]
    with pytest.raises(ApiError) as refused:
        sdk.metrics.metrics(query=json.dumps(query))
    assert refused.value.status_code == 400


def test_v1_tells_the_same_observations_and_their_traces(
    sandbox: Sandbox, sdk: LangfuseAPI
) -> None:
    found = {each.id for each in all_of(sdk, limit=1000)}
    rows, page = [], 1
    while True:
        answer = ask(sandbox, "/observations", page=page, limit=100).json()
        rows += answer["data"]
        if page == answer["meta"]["totalPages"]:
            break
        page += 1
    assert {row["id"] for row in rows} == found
    assert answer["meta"]["totalItems"] == len(rows)
    assert not {"userId", "tags", "projectId", "providedModelName"} & rows[0].keys()
    trace = ask(sandbox, f"/traces/{rows[0]['traceId']}").json()
    assert trace["userId"] and trace["metadata"]["litellm_call_id"]
    assert sdk.projects.get().data[0].id == "prj_acme_agents"


def test_refusals_are_in_langfuses_words(sandbox: Sandbox) -> None:
    wrong = ask(sandbox, "/v2/observations", secret="sk-lf-wrong")
    assert (wrong.status_code, wrong.json()["message"]) == (
        401, "Invalid credentials. Confirm that you've configured the correct host.",
    )  # fmt: skip
    url = f"{sandbox.environment()['LANGFUSE_MAIN_BASE_URL']}/api/public/v2/observations"
    assert requests.get(url, timeout=10).json() == {"message": "No authorization header"}
    for query in ({"limit": 1001}, {"cursor": base64.b64encode(b"x")}, {"fields": "core,prompts"}):
        answer = ask(sandbox, "/v2/observations", **query)
        assert (answer.status_code, answer.json()["message"]) == (400, "Invalid request data")


def test_a_deployment_before_v4_has_no_v2(sandbox: Sandbox) -> None:
    steer(sandbox, "v2", {"on": False})
    refused = ask(sandbox, "/v2/observations"), ask(sandbox, "/v2/metrics")
    steer(sandbox, "v2", {"on": True})
    assert [answer.status_code for answer in refused] == [404, 404]
    assert "v4 write mode" in refused[0].json()["message"]
    assert ask(sandbox, "/v2/observations").ok


def test_added_and_restated_observations_are_counted(sandbox: Sandbox, sdk: LangfuseAPI) -> None:
    before = counts_of(sandbox)
    old = next(each for each in all_of(sdk) if each.usage_details and each.type == "GENERATION")
    late = {
        "id": "late-1",
        "startTime": "2026-11-18T00:00:00.000Z",
        "usageDetails": {"input": 5, "output": 2, "total": 7},
        "totalCost": 0.25,
    }
    restated = {"id": old.id, "usageDetails": {}, "totalCost": None}
    steer(sandbox, "observations", {"observations": [late]})
    after = counts_of(sandbox)
    assert after["observations"] == before["observations"] + 1
    assert after["input_tokens"] == before["input_tokens"] + 5
    assert Decimal(after["total_cost_usd"]) - Decimal(before["total_cost_usd"]) == Decimal("0.25")
    steer(sandbox, "observations", {"observations": [restated]})
    assert counts_of(sandbox)["observations"] == after["observations"]
    gone = after["output_tokens"] - counts_of(sandbox)["output_tokens"]
    assert gone == old.usage_details["output"]


def test_too_many_reads_are_asked_to_wait(sandbox: Sandbox) -> None:
    answers = [ask(sandbox, "/traces/none") for _ in range(101)]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited
    assert limited[0].json() == {"message": "Rate limit exceeded"}
    assert 1 <= int(limited[0].headers["Retry-After"]) <= 61
    assert limited[0].headers["X-RateLimit-Limit"] == "100"
    assert limited[0].headers["X-RateLimit-Remaining"] == "0"
