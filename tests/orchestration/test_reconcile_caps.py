"""A cap beside the gateway's own reset of what it has counted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from budget_readings import AS_OF, KEY, budget
from gateway_server import ADMIN_KEY, FakeGateway, gateway_server
from limited_place import LimitedPlace
from ops_stores import opened_store

from orchestration.enforcement.litellm import LiteLLMGateway
from orchestration.ops.people import arm


def test_a_cap_follows_the_gateways_own_reset_at_the_next_run(tmp_path: Path) -> None:
    own = {"max_budget": 2000.0, "budget_duration": "30d", "spend": 400.0}
    with opened_store(tmp_path) as engine, gateway_server({KEY: own}) as gateway:
        client = LiteLLMGateway(gateway.url, admin_key=ADMIN_KEY, changed_by="meterhouse")
        place = LimitedPlace(engine, {"litellm-main": client})
        arm(engine, "litellm-main", by="ada", now=AS_OF)
        place.used("700", action="cap_to_remaining")
        assert place.results() == [("cap_to_remaining", "verified")]
        assert gateway.keys[KEY]["max_budget"] == 700  # 400 counted, 300 left of 1,000
        gateway.keys[KEY]["spend"] = 0.0
        assert place.results() == [("cap_to_remaining", "verified")]
        assert gateway.keys[KEY]["max_budget"] == 300
        assert gateway.keys[KEY]["budget_duration"] == "30d"
        client.close()


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with gateway_server({KEY: {"max_budget": None, "spend": 0.0}}) as running:
        yield running


@pytest.fixture
def raised(tmp_path: Path, gateway: FakeGateway) -> Iterator[LimitedPlace]:
    """A cap of 300 that was to be raised to 600, and the gateway gave no clear answer."""
    with opened_store(tmp_path) as engine:
        client = LiteLLMGateway(gateway.url, admin_key=ADMIN_KEY, changed_by="meterhouse")
        place = LimitedPlace(engine, {"litellm-main": client})
        arm(engine, "litellm-main", by="ada", now=AS_OF)
        place.used("700", action="cap_to_remaining")
        place.run()
        place.used("400", action="cap_to_remaining")
        gateway.faults["/key/update"] = [503]
        assert place.results() == [("cap_to_remaining", "unknown")]
        assert gateway.keys[KEY]["max_budget"] == 300
        yield place
        client.close()


def test_a_cap_whose_raise_failed_is_ours_and_raised_again(
    raised: LimitedPlace, gateway: FakeGateway
) -> None:
    assert raised.results() == [("cap_to_remaining", "verified")]
    assert gateway.keys[KEY]["max_budget"] == 600
    raised.stand(budget("400", action=None, mode="observe"))
    assert raised.results() == [("release", "verified")]
    assert gateway.keys[KEY]["max_budget"] is None


def test_a_cap_whose_raise_failed_goes_when_nothing_asks_for_it(
    raised: LimitedPlace, gateway: FakeGateway
) -> None:
    raised.stand(budget("400", action=None, mode="observe"))
    assert raised.results() == [("release", "verified")]
    assert gateway.keys[KEY]["max_budget"] is None


def test_a_cap_that_a_person_changed_after_a_raise_failed_stays(
    raised: LimitedPlace, gateway: FakeGateway
) -> None:
    gateway.keys[KEY]["max_budget"] = 200.0
    assert raised.results() == [("foreign", "recorded")]
    raised.stand(budget("400", action=None, mode="observe"))
    raised.run()
    assert gateway.keys[KEY]["max_budget"] == 200
