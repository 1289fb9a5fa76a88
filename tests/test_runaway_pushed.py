"""An agent that burns ten times its usual is told from what was pushed, by the pass that reads it.

Pushed to a running collector as LiteLLM's log callback does; the shipped `config/` but for the
token; whole passes as a user runs them.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from collector_service import process
from gateway_server import FakeReceiver, receiver_server
from platform_home import ROOT, Platform

from sandbox.company import key_by_alias

TOKEN = "tok-proxy"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
BROKE_OUT = NOON + timedelta(minutes=1)
TOLD_BY = NOON + timedelta(minutes=4)
KEY = key_by_alias("agent-coder-key")


def call(name: str, *, at: datetime, model: str, usd: float) -> dict[str, Any]:
    """One call of the agent, as the proxy's log callback posts it."""
    return {
        "id": name,
        "litellm_call_id": f"{name}-call",
        "call_type": "acompletion",
        "status": "success",
        "custom_llm_provider": "openai",
        "model": model,
        "startTime": at.timestamp(),
        "endTime": at.timestamp() + 1,
        "prompt_tokens": 1_000,
        "completion_tokens": 100,
        "total_tokens": 1_100,
        "response_cost": usd,
        "metadata": {"user_api_key_hash": KEY.hashed, "user_api_key_alias": KEY.alias},
    }


# In the hour before this time of the day: 3 dollars a day on three days. Now 30 within 3 minutes.
USUAL = [
    call(f"usual-{day}-{n}", at=NOON - timedelta(days=day, minutes=n), model="gpt-4o", usd=1.5)
    for day in (1, 2, 3)
    for n in (20, 40)
]
RUNAWAY = [
    call(f"runaway-{n}", at=BROKE_OUT + timedelta(seconds=10 * n), model="gpt-4.1", usd=1.5)
    for n in range(18)
] + [call("beside", at=BROKE_OUT, model="gpt-4o", usd=3.0)]


@dataclass
class Told:
    """What the receiver heard before the agent ran away, and after."""

    before: list[dict[str, Any]]
    after: list[dict[str, Any]]


def heard(receiver: FakeReceiver) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in receiver.deliveries]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """A pass over what is usual, and one four minutes later."""
    folder = tmp_path_factory.mktemp("pushed")
    config = folder / "config"
    shutil.copytree(ROOT / "config", config)
    sources = (config / "sources.yaml").read_text(encoding="utf-8")
    with_token = "    api_key_env: LITELLM_MAIN_API_KEY\n    push_token_env: PROXY_TOKEN\n"
    sources = sources.replace("    api_key_env: LITELLM_MAIN_API_KEY\n", with_token)
    (config / "sources.yaml").write_text(sources, encoding="utf-8")
    home = folder / "home"
    home.mkdir()
    with receiver_server() as receiver:
        platform = Platform(
            home,
            config,
            more={
                "PROXY_TOKEN": TOKEN,
                "WEBHOOK_FINOPS_URL": receiver.url,
                "WEBHOOK_FINOPS_SECRET": "whsec_" + "c2lnbmVkLWZvci10aGUtcnVuYXdheS0w",
            },
        )
        push(home, config, USUAL, at=NOON)
        platform.run(at=NOON)
        before = heard(receiver)
        push(home, config, RUNAWAY, at=TOLD_BY)
        platform.run(at=TOLD_BY)
        yield Told(before, heard(receiver)[len(before) :])


def push(home: Path, config: Path, calls: list[dict[str, Any]], *, at: datetime) -> None:
    environ = {"PROXY_TOKEN": TOKEN, "METERHOUSE_NOW": at.isoformat()}
    with process(home, config, **environ) as (url, _):
        headers = {"authorization": f"Bearer {TOKEN}"}
        answer = requests.post(f"{url}/litellm", json=calls, headers=headers, timeout=30)
        answer.raise_for_status()


def test_the_runaway_is_told_within_minutes_with_its_key_model_and_drivers(told: Told) -> None:
    assert not [each for each in told.before if each["type"] == "spend.burn_rate_exceeded"]
    (message,) = [each for each in told.after if each["type"] == "spend.burn_rate_exceeded"]
    data = message["data"]
    assert data["snapshot"]["as_of"] == TOLD_BY.isoformat(timespec="microseconds").replace(
        "+00:00", "Z"
    )
    assert data["entity"]["key"] == "agent-coder"
    assert data["transition"]["to"] == "warning"
    # 30 dollars since 11:04, of 3 a day between 11:15 and 12:00 on the days before.
    assert Decimal(data["reading"]["value"]) == 10
    assert [(each["model"], each["key"], Decimal(each["used"])) for each in data["drivers"]] == [
        ("openai/gpt-4.1", KEY.alias, Decimal(27)),
        ("openai/gpt-4o", KEY.alias, Decimal(3)),
    ]
