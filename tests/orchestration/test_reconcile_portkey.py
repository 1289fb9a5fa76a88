"""The rate of a key of the simulated Portkey is limited where the plan allows it.

The simulated one has no policies; caps are in `test_reconcile_portkey_caps.py`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from budget_readings import AS_OF, NOVEMBER, budget, key
from limited_place import LimitedPlace
from ops_stores import opened_store

from orchestration.enforcement.portkey import PortkeyGateway
from orchestration.governance.budgets import LimitReading
from orchestration.ops.people import arm
from sandbox.portkey import API_KEY
from sandbox.server import Sandbox

GATEWAY = "portkey-main"
SOFT = {"mode": "soft", "action": "rate_limit"}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("home")
    as_of = datetime(2026, 11, 23, 18, tzinfo=UTC)
    with Sandbox(home=home, as_of=as_of, events=500, days=5) as running:
        yield running


def ask(sandbox: Sandbox, method: str, path: str, **arguments: Any) -> Any:
    base_url = sandbox.environment()["PORTKEY_MAIN_BASE_URL"]
    headers = {"x-portkey-api-key": API_KEY}
    return requests.request(
        method, f"{base_url}/{path}", headers=headers, timeout=10, **arguments
    ).json()


@pytest.fixture
def key_id(sandbox: Sandbox) -> str:
    """A key without rates."""
    found = ask(sandbox, "GET", "api-keys")["data"][0]["id"]
    plan(sandbox, "enterprise")
    ask(sandbox, "PUT", f"api-keys/{found}", json={"rate_limits": None})
    return found


def plan(sandbox: Sandbox, name: str) -> None:
    url = f"{sandbox.control_url}/portkey/plan"
    requests.post(url, json={"plan": name}, timeout=10).raise_for_status()


@pytest.fixture
def place(tmp_path: Path, sandbox: Sandbox, key_id: str) -> Iterator[LimitedPlace]:
    client = PortkeyGateway(sandbox.environment()["PORTKEY_MAIN_BASE_URL"], admin_key=API_KEY)
    with opened_store(tmp_path) as engine:
        arm(engine, GATEWAY, by="ada", now=AS_OF)
        place = LimitedPlace(engine, {GATEWAY: client}, keys=(key(key_id, at=GATEWAY),))
        place.limits = (LimitReading("coder", NOVEMBER, requests_per_minute=10),)
        yield place
        client.close()


def rates(sandbox: Sandbox, key_id: str) -> Any:
    return ask(sandbox, "GET", f"api-keys/{key_id}")["rate_limits"]


def test_a_rate_is_set_beside_others_and_taken_off_again(
    place: LimitedPlace, sandbox: Sandbox, key_id: str
) -> None:
    before = [{"type": "tokens", "unit": "rpd", "value": 5000}]
    ask(sandbox, "PUT", f"api-keys/{key_id}", json={"rate_limits": before})
    place.used("800", **SOFT)
    assert place.results() == [("rate_limit", "verified")]
    assert rates(sandbox, key_id) == [*before, {"type": "requests", "unit": "rpm", "value": 10}]
    assert place.results() == []
    place.used("10", **SOFT)
    assert place.results() == [("release", "verified")]
    assert rates(sandbox, key_id) == before


def test_a_lower_rate_of_somebody_else_stays(
    place: LimitedPlace, sandbox: Sandbox, key_id: str
) -> None:
    lower = [{"type": "requests", "unit": "rpm", "value": 5}]
    ask(sandbox, "PUT", f"api-keys/{key_id}", json={"rate_limits": lower})
    place.used("800", **SOFT)
    assert place.results() == [("foreign", "recorded")]
    place.used("10", **SOFT)
    place.run(timedelta(minutes=1))
    assert rates(sandbox, key_id) == lower


def rate(value: int) -> dict[str, Any]:
    return {"type": "requests", "unit": "rpm", "value": value}


def test_our_own_rate_is_raised_when_the_budget_allows_more_and_never_above_what_stood_before(
    place: LimitedPlace, sandbox: Sandbox, key_id: str
) -> None:
    """10, then 15, then 30 where 20 stood before; then all is as it was."""
    ask(sandbox, "PUT", f"api-keys/{key_id}", json={"rate_limits": [rate(20)]})
    for wanted, expected in ((10, 10), (15, 15), (30, 20)):
        place.limits = (LimitReading("coder", NOVEMBER, requests_per_minute=wanted),)
        place.used("800", **SOFT)
        assert place.results() == [("rate_limit", "verified")]
        assert rates(sandbox, key_id) == [rate(expected)]
        assert place.results() == []
    place.used("800", **SOFT, budget_version="v2", warning_threshold=Decimal(900))
    assert place.results() == [("release", "verified")]
    assert rates(sandbox, key_id) == [rate(20)]


def test_of_two_budgets_the_rate_that_is_left_is_set(
    place: LimitedPlace, sandbox: Sandbox, key_id: str
) -> None:
    place.keys = (*place.keys, key(key_id, at=GATEWAY, of="team"))
    place.limits = (*place.limits, LimitReading("team", NOVEMBER, requests_per_minute=40))
    place.stand(budget("800", **SOFT), budget("800", budget_id="team", **SOFT))
    place.run()
    assert rates(sandbox, key_id) == [rate(10)]
    place.stand(budget("10", **SOFT), budget("800", budget_id="team", **SOFT))
    assert place.results() == [("rate_limit", "verified")]
    assert rates(sandbox, key_id) == [rate(40)]


@pytest.mark.parametrize(("theirs", "found"), [(5, "foreign"), (50, "override")])
def test_a_rate_that_a_person_changed_after_us_stays(
    place: LimitedPlace, sandbox: Sandbox, key_id: str, theirs: int, found: str
) -> None:
    place.used("800", **SOFT)
    place.run()
    ask(sandbox, "PUT", f"api-keys/{key_id}", json={"rate_limits": [rate(theirs)]})
    assert place.results() == [(found, "recorded")]
    place.used("10", **SOFT)
    place.run()
    assert rates(sandbox, key_id) == [rate(theirs)]


def test_rates_of_others_that_came_after_ours_stay_when_ours_goes(
    place: LimitedPlace, sandbox: Sandbox, key_id: str
) -> None:
    place.used("800", **SOFT)
    place.run()
    others = {"type": "tokens", "unit": "rpd", "value": 5000}
    ask(sandbox, "PUT", f"api-keys/{key_id}", json={"rate_limits": [others, rate(10)]})
    place.used("10", **SOFT)
    assert place.results() == [("release", "verified")]
    assert rates(sandbox, key_id) == [others]


def test_a_plan_without_limits_refuses_and_the_alert_is_all(
    place: LimitedPlace, sandbox: Sandbox, key_id: str
) -> None:
    plan(sandbox, "pro")
    place.used("800", **SOFT)
    (found,) = place.run()
    assert (found.result, found.why) == ("refused", "PUT api-keys/{id}: 403")
    assert rates(sandbox, key_id) is None


def test_a_plan_without_a_key_api_refuses_the_reading_and_the_alert_is_all(
    place: LimitedPlace, sandbox: Sandbox, key_id: str
) -> None:
    plan(sandbox, "developer")
    done = place.used("800", **SOFT)
    assert [(each.from_level, each.to_level) for each in done.transitions] == [("ok", "warning")]
    (found,) = place.run()
    assert (found.result, found.why) == ("refused", "GET api-keys/{id}: 403")
    plan(sandbox, "enterprise")
    assert rates(sandbox, key_id) is None


@pytest.mark.parametrize("action", ["block", "zero_budget"])
def test_what_it_cannot_do_exactly_is_an_alert_alone(place: LimitedPlace, action: str) -> None:
    place.used("1000", action=action)
    assert place.results() == [("unable", "recorded")]
