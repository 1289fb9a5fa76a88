"""Keys of the simulated OpenRouter disabled, capped and put back, and never a person's undone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from budget_readings import AS_OF, december, key
from limited_place import LimitedPlace
from ops_stores import endpoint, opened_store, rows
from sqlalchemy import update

from orchestration.assets.gateways import client_of
from orchestration.enforcement.openrouter import OpenRouterGateway
from orchestration.governance.endpoints import sync_endpoints
from orchestration.ops.people import arm
from orchestration.ops.store import writing
from orchestration.ops.tables import applied_limit, enforcement_action
from sandbox.openrouter import MANAGEMENT_KEY
from sandbox.openrouter_usage import key_by_name
from sandbox.server import Sandbox

GATEWAY = "openrouter-main"
NOTEBOOKS = key_by_name("research-notebooks").hashed  # no limit of its own
SEARCH = key_by_name("search-openrouter").hashed  # 100 USD a month


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("home")
    as_of = datetime(2026, 11, 23, 18, tzinfo=UTC)
    with Sandbox(home=home, as_of=as_of, events=500, days=5) as running:
        yield running.environment()["OPENROUTER_MAIN_BASE_URL"]


class Account:
    """What a person sees and does with the management key."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def key(self, hashed: str) -> dict[str, Any]:
        return self._ask("GET", hashed, None)

    def set(self, hashed: str, **changes: Any) -> None:
        self._ask("PATCH", hashed, changes)

    def _ask(self, method: str, hashed: str, body: Any) -> dict[str, Any]:
        answer = requests.request(
            method,
            f"{self._base_url}/keys/{hashed}",
            headers={"Authorization": f"Bearer {MANAGEMENT_KEY}"},
            json=body,
            timeout=10,
        )
        answer.raise_for_status()
        return answer.json()["data"]


@pytest.fixture
def account(base_url: str) -> Iterator[Account]:
    account = Account(base_url)
    yield account
    account.set(NOTEBOOKS, disabled=False, limit=None)
    account.set(SEARCH, disabled=False, limit=100.0)


@pytest.fixture
def place(tmp_path: Path, base_url: str) -> Iterator[LimitedPlace]:
    client = OpenRouterGateway(base_url, management_key=MANAGEMENT_KEY)
    with opened_store(tmp_path) as engine:
        sync_endpoints(engine, [endpoint()])
        arm(engine, GATEWAY, by="ada", now=AS_OF)
        place = LimitedPlace(engine, {GATEWAY: client})
        place.keys = (key(NOTEBOOKS, alias="research-notebooks", at=GATEWAY),)
        yield place
        client.close()


def test_a_key_is_disabled_read_back_and_enabled_again(
    place: LimitedPlace, account: Account
) -> None:
    place.used("1000")
    assert place.results() == [("block", "verified")]
    assert account.key(NOTEBOOKS)["disabled"] is True
    assert place.results() == []
    place.used("10")
    assert place.results() == [("release", "verified")]
    assert account.key(NOTEBOOKS)["disabled"] is False
    assert place.messages() == ["limit.applied", "limit.released"]


def test_a_key_that_a_person_touched_after_us_is_not_enabled(
    place: LimitedPlace, account: Account
) -> None:
    place.used("1000")
    place.run()
    account.set(NOTEBOOKS, disabled=True)
    place.used("10")
    assert place.results() == [("foreign", "recorded")]
    assert account.key(NOTEBOOKS)["disabled"] is True


def test_a_person_who_enables_a_key_is_respected(place: LimitedPlace, account: Account) -> None:
    place.used("1000")
    place.run()
    account.set(NOTEBOOKS, disabled=False)
    assert place.results() == [("override", "recorded")]
    assert place.results(timedelta(hours=3)) == []
    assert place.results(timedelta(hours=4)) == [("block", "verified")]


def test_whose_a_disabled_key_is_cannot_be_told_after_a_crash_so_it_stays(
    place: LimitedPlace, account: Account
) -> None:
    place.used("1000")
    place.run()
    with writing(place.engine) as connection:  # as a crash before the record leaves it
        connection.execute(update(applied_limit).values(phase="intent", wrote_fingerprint=None))
    (found,) = place.run()
    assert (found.step, found.why) == (
        "foreign",
        "limited without our mark after an interrupted write: not ours",
    )
    place.used("10")
    place.run()
    assert account.key(NOTEBOOKS)["disabled"] is True


def test_a_cap_is_the_count_of_the_period_and_what_is_left(
    place: LimitedPlace, account: Account
) -> None:
    place.keys = (key(SEARCH, alias="search-openrouter", at=GATEWAY),)
    counted = Decimal(str(account.key(SEARCH)["usage_monthly"])).quantize(Decimal("0.01"))
    place.used("990", action="cap_to_remaining")
    assert place.results() == [("cap_to_remaining", "verified")]
    assert abs(Decimal(str(account.key(SEARCH)["limit"])) - counted - 10) <= Decimal("0.01")
    # It moves down with what is left, and not for less than a hundredth of the amount.
    place.used("995", action="cap_to_remaining")
    assert place.results() == []
    place.used("1000", action="cap_to_remaining")
    assert place.results() == [("cap_to_remaining", "verified")]
    assert account.key(SEARCH)["limit_remaining"] == 0
    # A new period never leaves the key with more than it had before us.
    place.stand(december("0", action="cap_to_remaining"))
    assert place.results() == [("cap_to_remaining", "verified")]
    assert account.key(SEARCH)["limit"] == 100
    place.stand(december("0", action=None, mode="observe"))
    assert place.results() == [("release", "verified")]
    assert account.key(SEARCH)["limit"] == 100


def test_a_limit_that_is_tighter_than_ours_is_left_alone(
    place: LimitedPlace, account: Account
) -> None:
    place.keys = (key(SEARCH, alias="search-openrouter", at=GATEWAY),)
    place.used("10", action="cap_to_remaining")
    assert place.results() == [("foreign", "recorded")]
    assert account.key(SEARCH)["limit"] == 100


def test_a_rate_limit_is_none_of_its_limits_and_only_the_alert_remains(
    place: LimitedPlace, account: Account
) -> None:
    place.used("1000", action="rate_limit")
    assert place.results() == [("unable", "recorded")]
    assert [row["result"] for row in rows(place.engine, enforcement_action)] == ["recorded"]


def test_an_inference_key_is_refused_after_one_call(place: LimitedPlace, base_url: str) -> None:
    raw = key_by_name("research-notebooks").raw
    client = OpenRouterGateway(base_url, management_key=raw)
    place.gateways = {GATEWAY: client}
    place.used("1000")
    (found,) = place.run()
    assert (found.result, found.why) == ("refused", "GET keys/{hash}: 403")
    assert raw not in repr(client) and base_url not in repr(client)
    client.close()


def test_each_system_has_its_client() -> None:
    found = {
        system: repr(client_of(system, base_url="http://127.0.0.1:9", admin_key="k"))
        for system in ("litellm", "openrouter", "portkey")
    }
    assert found == {
        "litellm": "LiteLLMGateway(...)",
        "openrouter": "OpenRouterGateway(...)",
        "portkey": "PortkeyGateway(...)",
    }
