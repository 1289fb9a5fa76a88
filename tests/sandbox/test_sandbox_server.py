"""The whole sandbox: its variables, what a restart keeps, and what never reaches the disk."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import requests

from sandbox.company import key_by_alias
from sandbox.server import Sandbox

AS_OF = datetime(2026, 11, 23, 18, tzinfo=UTC)
KEY = key_by_alias("agent-coder-key")
WINDOW = {"start_date": "2026-11-22 00:00:00", "end_date": "2026-11-23 23:59:59"}


def small(home: Path, *, canary: str = "") -> Sandbox:
    return Sandbox(home=home, as_of=AS_OF, events=400, days=3, canary=canary)


def admin(sandbox: Sandbox) -> dict[str, str]:
    return {"Authorization": f"Bearer {sandbox.master_key}"}


def test_a_restart_keeps_blocks_rows_objects_webhooks_and_the_secret(tmp_path: Path) -> None:
    with small(tmp_path) as first:
        secret = first.environment()["WEBHOOK_FINOPS_SECRET"]
        requests.post(
            f"{first.litellm_url}/key/block",
            json={"key": KEY.hashed},
            headers=admin(first),
            timeout=10,
        )
        requests.post(
            f"{first.control_url}/runaway",
            json={"agent": "coder", "from": "2026-11-23T18:00:00Z", "minutes": 60, "usd": 5},
            timeout=10,
        )
        requests.post(
            f"{first.control_url}/objects", json={"key": "bedrock/x", "lines": []}, timeout=10
        )
        requests.post(f"{first.webhook_url}/finops", data=b"{}", timeout=10)
        counts = requests.get(first.control_url, timeout=10).json()

    with small(tmp_path) as second:
        info = requests.get(
            f"{second.litellm_url}/key/info",
            params={"key": KEY.hashed},
            headers=admin(second),
            timeout=10,
        ).json()["info"]

        assert info["blocked"] is True
        assert requests.get(second.control_url, timeout=10).json() == counts
        assert len(requests.get(f"{second.webhook_url}/finops", timeout=10).json()) == 1
        assert second.environment()["WEBHOOK_FINOPS_SECRET"] == secret


def test_the_variables_reach_every_vendor_on_loopback(tmp_path: Path) -> None:
    with small(tmp_path) as running:
        variables = running.environment()

    assert variables["LITELLM_MAIN_API_KEY"] != variables["LITELLM_MAIN_ADMIN_KEY"]
    for name, value in variables.items():
        if name.endswith("_URL"):
            assert value.startswith("http://127.0.0.1:")
    secret = variables["WEBHOOK_FINOPS_SECRET"].removeprefix("whsec_")
    assert len(base64.b64decode(secret)) == 32


def test_the_addresses_lie_in_the_home_while_it_runs_and_no_secret_with_them(
    tmp_path: Path,
) -> None:
    endpoints = tmp_path / "sandbox" / "endpoints.json"
    with small(tmp_path) as running:
        text = endpoints.read_text(encoding="utf-8")

    assert json.loads(text)["litellm"] == running.litellm_url
    assert running.master_key not in text
    assert not endpoints.exists()


def test_the_canary_is_served_and_never_written(tmp_path: Path) -> None:
    canary = "canary-8d1f5c"
    with small(tmp_path, canary=canary) as running:
        served = requests.get(
            f"{running.litellm_url}/spend/logs/v2",
            params=WINDOW,
            headers=admin(running),
            timeout=10,
        ).text
        requests.post(
            f"{running.litellm_url}/chat/completions",
            json={"model": "gpt-4.1", "messages": [{"role": "user", "content": canary}]},
            headers={"Authorization": f"Bearer {KEY.raw}"},
            timeout=10,
        )

    assert canary in served
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        assert canary.encode() not in content
        assert KEY.raw.encode() not in content
        assert running.master_key.encode() not in content


def test_a_replayed_trace_is_served_without_repeated_lines(tmp_path: Path) -> None:
    traces = tmp_path / "traces"
    traces.mkdir()
    for name in ("conv", "code"):
        (traces / f"AzureLLMInferenceTrace_{name}.csv").write_text(
            "TIMESTAMP,ContextTokens,GeneratedTokens\n"
            "2023-11-16 10:15:46.6805900,374,44\n"
            "2023-11-16 12:15:46.6805900,400,50\n",
            encoding="utf-8",
        )
    with Sandbox(home=tmp_path, as_of=AS_OF, trace=traces) as running:
        counts = requests.get(running.control_url, timeout=10).json()
        rows = requests.get(
            f"{running.litellm_url}/spend/logs/v2",
            params=WINDOW,
            headers=admin(running),
            timeout=10,
        ).json()["data"]

    assert (counts["bedrock"]["events"], counts["bedrock"]["lines"]) == (2, 2)
    assert [row["prompt_tokens"] for row in rows] == [400, 374]
