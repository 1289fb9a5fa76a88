"""OpenRouter's own SDK reads keys, activity, credits and generations, and limits a key."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from openrouter import OpenRouter, components, errors

from price_catalog.openrouter_models import parse_models
from sandbox import openrouter
from sandbox.openrouter_usage import KEYS, OFFERS, PROXY_KEY, WORKSPACES
from sandbox.server import Sandbox

MODELS = Path(__file__).parents[1] / "fixtures" / "price_catalog" / "openrouter_models.json"
YESTERDAY = "2026-11-22"


@pytest.fixture(scope="module")
def base_url(sandbox: Sandbox) -> str:
    """Where the account is reached: a path of the sandbox."""
    return sandbox.environment()["OPENROUTER_MAIN_BASE_URL"]


@pytest.fixture
def sdk(base_url: str) -> Iterator[OpenRouter]:
    """The vendor's client with the management key."""
    with client(base_url, openrouter.MANAGEMENT_KEY) as opened:
        yield opened


def client(base_url: str, key: str) -> OpenRouter:
    return OpenRouter(api_key=key, server_url=base_url, timeout_ms=10_000)


def counts_of(sandbox: Sandbox) -> dict[str, Any]:
    return requests.get(sandbox.control_url, timeout=10).json()["openrouter"]


def listed(sdk: OpenRouter) -> list[Any]:
    """Keys of all workspaces, page by page."""
    found = []
    for workspace in WORKSPACES:
        offset = 0
        while page := sdk.api_keys.list(
            include_disabled=True, offset=offset, workspace_id=workspace
        ).data:
            found += page
            offset += len(page)
    return found


def money(value: float) -> Decimal:
    return Decimal(repr(value))


# First, since one sandbox runs in a process: the others share theirs.
def test_what_was_set_and_added_survives_a_restart(tmp_path: Path) -> None:
    as_of = datetime(2026, 11, 23, 18, tzinfo=UTC)
    late = {"key": "support-bot", "date": YESTERDAY, "model": "openai/gpt-4.1"}
    world = {"home": tmp_path, "as_of": as_of, "events": 300, "days": 3}
    with Sandbox(**world) as first:
        before = counts_of(first)
        with client(
            first.environment()["OPENROUTER_MAIN_BASE_URL"], openrouter.MANAGEMENT_KEY
        ) as c:
            c.api_keys.update(hash=PROXY_KEY.hashed, limit=3)
        added = requests.post(
            f"{first.control_url}/openrouter/late",
            json=late | {"prompt_tokens": 1_000_000, "completion_tokens": 0},
            timeout=10,
        )
        future = requests.post(
            f"{first.control_url}/openrouter/late",
            json=late | {"date": "2026-11-24", "prompt_tokens": 1, "completion_tokens": 1},
            timeout=10,
        )
        assert (added.status_code, future.status_code) == (200, 400)
    with Sandbox(**world) as second:
        after = counts_of(second)
        # A million tokens at 2 a million.
        assert Decimal(after["spend_usd"]) - Decimal(before["spend_usd"]) == 2
        assert after["activity_requests"] - before["activity_requests"] == 1
        with client(
            second.environment()["OPENROUTER_MAIN_BASE_URL"], openrouter.MANAGEMENT_KEY
        ) as c:
            assert c.api_keys.get(hash=PROXY_KEY.hashed).data.limit == 3


def test_keys_of_all_workspaces_are_listed_page_by_page(
    sdk: OpenRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openrouter, "PAGE_KEYS", 2)
    keys = listed(sdk)
    assert Counter(key.name for key in keys) == Counter(key.name for key in KEYS)
    by_name = {key.name: key for key in keys}
    proxy = by_name["litellm-proxy"]
    assert (proxy.limit, proxy.limit_remaining, proxy.disabled) == (None, None, False)
    assert by_name["old-prototype"].disabled
    limited = by_name["support-bot"]
    assert limited.limit == 5
    assert money(limited.limit_remaining) == 5 - money(limited.usage_daily)
    assert by_name["research-notebooks"].byok_usage > 0
    # Without a workspace, only the default one is listed, and without asking no disabled key.
    assert {key.name for key in sdk.api_keys.list().data} == {"support-bot", "search-openrouter"}


def test_activity_of_every_key_ties_to_the_counts(sandbox: Sandbox, sdk: OpenRouter) -> None:
    counts = counts_of(sandbox)
    rows = [
        row
        for key in KEYS
        for row in sdk.analytics.get_user_activity(
            request={"api_key_hash": key.hashed, "group_by": "workspace"}
        ).data
    ]
    assert len(rows) == counts["activity_rows"] > 20
    assert sum(row.requests for row in rows) == counts["activity_requests"]
    for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"):
        assert sum(getattr(row, name) for row in rows) == counts[f"activity_{name}"] > 0
    assert sum(money(row.usage) for row in rows) == Decimal(counts["activity_usage_usd"])
    assert sum(money(row.byok_usage_inference) for row in rows) == Decimal(
        counts["activity_byok_usd"]
    )
    # Completed days only, and every row says its workspace, since it was asked to.
    assert {row.date_ for row in rows} <= {f"2026-11-{day:02}" for day in range(1, 23)}
    assert {row.workspace_id for row in rows} == set(WORKSPACES)
    whole = sdk.analytics.get_user_activity().data
    assert {row.workspace_id for row in whole} == {None}
    assert sum(row.requests for row in whole) == counts["activity_requests"]


def test_the_free_model_costs_nothing_and_an_own_provider_key_only_the_fee(
    sdk: OpenRouter,
) -> None:
    rows = sdk.analytics.get_user_activity().data
    free = [row for row in rows if row.model.endswith(":free")]
    assert free and {row.usage for row in free} == {0}
    own = [row for row in rows if row.provider_name == "Amazon Bedrock"]
    assert own
    for row in own:
        assert abs(row.usage - row.byok_usage_inference * 0.05) < 1e-7


def test_the_account_has_used_what_its_generations_cost(sandbox: Sandbox, sdk: OpenRouter) -> None:
    data = sdk.credits.get_credits().data
    assert data.total_credits == 5_000
    assert money(data.total_usage) == Decimal(counts_of(sandbox)["total_usage_usd"])


def test_analytics_ties_to_activity_day_by_day(base_url: str, sdk: OpenRouter) -> None:
    activity = [row for row in sdk.analytics.get_user_activity().data if row.date_ == YESTERDAY]
    query = {
        "metrics": ["total_usage", "byok_usage", "request_count", "tokens_prompt"],
        "dimensions": ["model", "provider"],
        "granularity": "hour",
        "time_range": {"start": f"{YESTERDAY}T00:00:00Z", "end": "2026-11-23T00:00:00Z"},
        "limit": 10_000,
    }
    headers = {"Authorization": f"Bearer {openrouter.MANAGEMENT_KEY}"}
    url = f"{base_url}/analytics/query"
    answer = requests.post(url, json=query, headers=headers, timeout=10).json()["data"]
    rows = answer["data"]
    assert answer["metadata"]["row_count"] == len(rows)
    assert {row["date__hour"][:10] for row in rows} == {YESTERDAY}
    assert sum(int(row["request_count"]) for row in rows) == sum(row.requests for row in activity)
    assert sum(money(row["total_usage"]) for row in rows) == sum(
        money(row.usage) + money(row.byok_usage_inference) for row in activity
    )
    assert None in {row["byok_usage"] for row in rows}
    short = requests.post(url, json=query | {"limit": 2}, headers=headers, timeout=10).json()
    assert short["data"]["metadata"] == {"query_time_ms": 42, "row_count": 2, "truncated": True}


def test_a_generation_is_read_by_its_id_and_one_unknown_is_not_found(
    sandbox: Sandbox, sdk: OpenRouter, base_url: str
) -> None:
    query = {
        "metrics": ["total_usage", "tokens_prompt"],
        "dimensions": ["generation_id"],
        "granularity": "hour",
        "filters": [{"field": "api_key_id", "operator": "eq", "value": PROXY_KEY.hashed}],
        "time_range": {"start": "2026-11-10T00:00:00Z", "end": "2026-11-23T00:00:00Z"},
    }
    headers = {"Authorization": f"Bearer {openrouter.MANAGEMENT_KEY}"}
    answer = requests.post(
        f"{base_url}/analytics/query", json=query, headers=headers, timeout=10
    ).json()
    row = answer["data"]["data"][0]
    found = sdk.generations.get_generation(id=row["generation_id"]).data
    assert found.native_tokens_prompt == int(row["tokens_prompt"])
    assert found.total_cost == row["total_usage"]
    # The proxy knows the request by the id that its answer had.
    assert found.upstream_id in sandbox.world.litellm.column("request_id").to_pylist()
    with pytest.raises(errors.NotFoundResponseError):
        sdk.generations.get_generation(id="gen-unknown")


def test_a_key_is_disabled_and_limited_and_put_back(sdk: OpenRouter) -> None:
    hashed = PROXY_KEY.hashed
    before = sdk.api_keys.get(hash=hashed).data
    stopped = sdk.api_keys.update(hash=hashed, disabled=True).data
    assert (stopped.disabled, stopped.limit) == (True, None)
    limited = sdk.api_keys.update(hash=hashed, limit=12.5, limit_reset="weekly").data
    assert (limited.disabled, limited.limit, limited.limit_reset) == (True, 12.5, "weekly")
    assert sdk.api_keys.get(hash=hashed).data.model_dump() == limited.model_dump()
    put_back = sdk.api_keys.update(hash=hashed, disabled=False, limit=None, limit_reset=None).data
    assert (put_back.disabled, put_back.limit, put_back.limit_reset) == (False, None, None)
    assert put_back.model_dump() | {"updated_at": None} == before.model_dump()
    with pytest.raises(errors.NotFoundResponseError):
        sdk.api_keys.update(hash="0" * 64, disabled=True)
    with pytest.raises(errors.BadRequestResponseError):
        sdk.api_keys.update(hash=hashed, limit=-1)


def test_only_a_management_key_may_ask(base_url: str) -> None:
    with (
        client(base_url, PROXY_KEY.raw) as inference,
        pytest.raises(errors.OpenRouterError, match="Only management keys") as refused,
    ):
        inference.api_keys.list()
    assert refused.value.status_code == 403
    with (
        client(base_url, "sk-or-v1-nobody") as nobody,
        pytest.raises(errors.UnauthorizedResponseError, match="User not found"),
    ):
        nobody.credits.get_credits()
    assert requests.get(f"{base_url}/credits", timeout=10).status_code == 401


def test_days_out_of_reach_are_refused(sdk: OpenRouter) -> None:
    today = datetime(2026, 11, 23, tzinfo=UTC)
    for days in (0, 31):
        with pytest.raises(errors.BadRequestResponseError, match="last 30"):
            sdk.analytics.get_user_activity(
                request={"date_": (today - timedelta(days=days)).date().isoformat()}
            )


def test_the_models_are_listed_as_the_vendor_lists_them(sdk: OpenRouter, base_url: str) -> None:
    listed = {each.id: each.pricing for each in sdk.models.list().result.data}
    assert listed.keys() == OFFERS.keys()
    assert listed["openai/gpt-4o-mini"].prompt == "0.00000015"
    # No key is asked for, and what the platform reads are the sandbox's own rates.
    prices = parse_models(requests.get(f"{base_url}/models", timeout=10).content).prices
    rates = {(row.model, row.meter): row.rate_usd_per_unit for row in prices}
    sonnet = "anthropic/claude-sonnet-4.5"
    assert rates[sonnet, "output"] == Decimal("0.000015")
    assert rates[sonnet, "cache_read"] == Decimal("0.0000003")
    assert (sonnet, "request") not in rates


def test_the_fixture_of_prices_is_what_the_vendors_client_reads() -> None:
    listed = components.ModelsListResponse.model_validate_json(MODELS.read_bytes())
    assert [len(each.pricing.overrides or []) for each in listed.data] == [0, 1, 3, 0, 0]
