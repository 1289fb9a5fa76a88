"""A customer of the simulated LiteLLM proxy is limited by the customer's budget, and put back."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from budget_readings import AS_OF, budget, key, reading
from limited_place import LimitedPlace
from ops_stores import opened_store

from orchestration.enforcement.litellm import LiteLLMGateway
from orchestration.ops.people import arm
from sandbox.company import key_by_alias
from sandbox.server import Sandbox

GLOBEX = "customer:globex"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("home")
    as_of = datetime(2026, 11, 23, 18, tzinfo=UTC)
    with Sandbox(home=home, as_of=as_of, events=500, days=5) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, sandbox: Sandbox) -> Iterator[LimitedPlace]:
    url = sandbox.environment()["LITELLM_MAIN_BASE_URL"]
    client = LiteLLMGateway(url, admin_key=sandbox.master_key, changed_by="meterhouse")
    with opened_store(tmp_path) as engine:
        arm(engine, "litellm-main", by="ada", now=AS_OF)
        globex = key(GLOBEX, alias="globex", own=None)
        yield LimitedPlace(engine, {"litellm-main": client}, keys=(globex,))
        client.close()


def chat(sandbox: Sandbox, customer: str) -> int:
    body = {"model": "gpt-4o-mini", "messages": [], "user": customer}
    return _ask(sandbox, "POST", "chat/completions", key_by_alias("sales-prod").raw, json=body)[0]


def info(sandbox: Sandbox) -> Any:
    asked = {"end_user_id": "globex"}
    return _ask(sandbox, "GET", "customer/info", sandbox.master_key, params=asked)[1]


def _ask(sandbox: Sandbox, method: str, path: str, key: str, **said: Any) -> tuple[int, Any]:
    url = f"{sandbox.environment()['LITELLM_MAIN_BASE_URL']}/{path}"
    headers = {"Authorization": f"Bearer {key}"}
    answer = requests.request(method, url, headers=headers, timeout=10, **said)
    return answer.status_code, answer.json()


def test_a_customer_over_its_budget_is_refused_and_no_other(
    place: LimitedPlace, sandbox: Sandbox
) -> None:
    before = info(sandbox)
    place.used("1000")
    assert place.results() == [("block", "verified")]
    assert (chat(sandbox, "globex"), chat(sandbox, "initech")) == (400, 200)
    place.used("10")
    assert place.results() == [("release", "verified")]
    assert chat(sandbox, "globex") == 200
    assert info(sandbox)["blocked"] == before["blocked"]


def test_a_customers_cap_is_on_top_of_the_proxys_own_count(
    place: LimitedPlace, sandbox: Sandbox
) -> None:
    place.used("960", action="cap_to_remaining")
    assert place.results() == [("cap_to_remaining", "verified")]
    shown = info(sandbox)
    assert 0 <= shown["spend"] + 40 - shown["litellm_budget_table"]["max_budget"] < 0.01
    place.used("0", action=None)
    assert place.results() == [("release", "verified")]
    assert "litellm_budget_table" not in info(sandbox)


def test_customers_are_limited_where_they_are_asked_for_alone() -> None:
    """By itself a gateway limits keys."""
    keys = (key(GLOBEX), key("a" * 64))
    read = reading(1, budget("0"), keys=keys)
    assert [each.raw_key_hash for each in read.limiting({}).keys] == ["a" * 64]
    asked = read.limiting({"litellm-main": ("customer",)})
    assert [each.raw_key_hash for each in asked.keys] == [GLOBEX]
