"""The demo's account is read to the last token and cent, and no content comes with it."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from openrouter_account import load_account
from raw_loads import loaded, rows_of, tied

from sandbox.openrouter import MANAGEMENT_KEY
from sandbox.openrouter_usage import KEYS, PROXY_KEY
from sandbox.server import Sandbox

AS_OF = datetime(2026, 11, 23, 18, tzinfo=UTC)
CANARY = "canary-3c9d-where-somebody-asked"
ACTIVITY = "raw_openrouter.activity"
# Of each window what was read last.
NEWEST = f"""{ACTIVITY} as days where _dlt_load_id = (
    select max(_dlt_load_id) from {ACTIVITY}__reads as reads
    where reads.window_key = days.window_key
)"""


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """None between requests."""
    monkeypatch.setattr("ingestion.openrouter_api.PACE_SECONDS", 0)


def told(home: Path) -> dict[str, Any]:
    """What the warehouse holds, in the words of the sandbox's counts."""
    [row] = rows_of(
        home,
        f"""select count(*), sum(requests), sum(prompt_tokens), sum(cached_tokens),
            sum(completion_tokens), sum(reasoning_tokens), sum(usage), sum(byok_usage_inference)
        from {NEWEST}""",
    )
    names = "rows requests prompt_tokens cached_tokens completion_tokens reasoning_tokens"
    names += " usage_usd byok_usd"
    return {f"activity_{name}": value for name, value in zip(names.split(), row, strict=True)}


def counted(sandbox: Sandbox) -> dict[str, Any]:
    counts = requests.get(sandbox.control_url, timeout=10).json()["openrouter"]
    return {
        name: Decimal(value) if name.endswith("_usd") else value
        for name, value in counts.items()
        if name.startswith("activity_")
    }


def test_the_account_ties_out_with_what_came_late_and_what_was_restated(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Sandbox(
        home=tmp_path / "vendors", as_of=AS_OF, events=3_000, days=40, canary=CANARY
    ) as sandbox:
        url = sandbox.environment()["OPENROUTER_MAIN_BASE_URL"]
        steer = f"{sandbox.control_url}/openrouter"

        def run(**facts: Any) -> None:
            load_account(home, url, management_key=MANAGEMENT_KEY, now=AS_OF, **facts)

        generation_id = _a_generation(url)
        run(generation_ids=[generation_id])
        assert told(home) == counted(sandbox)
        assert counted(sandbox)["activity_requests"] > 100
        # The totals of the account are those of its keys.
        [[total]] = rows_of(home, "select sum(total_usage) from raw_openrouter.analytics")
        assert total == sum(told(home)[f"activity_{name}_usd"] for name in ("usage", "byok"))
        assert loaded(home, "id", table="raw_openrouter.generations") == [generation_id]
        assert tied(home, table="raw_openrouter.keys") == (len(KEYS), len(KEYS), 0)

        facts = {"key": "support-bot", "model": "openai/gpt-4.1"}
        for day in ("2026-11-21", "2026-11-02"):
            late = facts | {"date": day, "prompt_tokens": 1_000_000, "completion_tokens": 0}
            assert requests.post(f"{steer}/late", json=late, timeout=10).ok
        before = told(home)
        run(only=["activity"])
        # A million tokens at 2 a million; the day before the overlap waits for the deep re-read.
        assert told(home)["activity_usage_usd"] - before["activity_usage_usd"] == 2
        gone = {"key": "support-bot", "date": "2026-11-21", "model": "openai/gpt-4.1", "factor": 0}
        assert requests.post(f"{steer}/restate", json=gone, timeout=10).ok
        run(only=["activity"], deep_reread=True)
        assert told(home) == counted(sandbox)
    files = [path for path in home.rglob("*") if path.is_file()]
    assert files
    for secret in (CANARY, MANAGEMENT_KEY, *(key.raw for key in KEYS)):
        assert not [path for path in files if secret.encode() in path.read_bytes()]


def _a_generation(url: str) -> str:
    """The id of some call of the proxy's key, as analytics tells it."""
    query = {
        "metrics": ["request_count"],
        "dimensions": ["generation_id"],
        "granularity": "hour",
        "filters": [{"field": "api_key_id", "operator": "eq", "value": PROXY_KEY.hashed}],
        "time_range": {"start": "2026-11-01T00:00:00Z", "end": "2026-11-23T00:00:00Z"},
    }
    headers = {"Authorization": f"Bearer {MANAGEMENT_KEY}"}
    answer = requests.post(f"{url}/analytics/query", json=query, headers=headers, timeout=10)
    return str(answer.json()["data"]["data"][0]["generation_id"])
