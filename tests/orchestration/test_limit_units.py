"""A message about a limit says what its budget's amounts are in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from budget_readings import AS_OF, KEY
from gateway_server import ADMIN_KEY, gateway_server
from limited_place import LimitedPlace
from ops_stores import body, endpoint, opened_store, rows

from orchestration.enforcement.litellm import LiteLLMGateway
from orchestration.enforcement.telling import cause
from orchestration.governance.endpoints import sync_endpoints
from orchestration.ops.people import arm
from orchestration.ops.tables import outbox


@pytest.fixture
def place(tmp_path: Path) -> Iterator[LimitedPlace]:
    with opened_store(tmp_path) as engine, gateway_server({KEY: {}}) as gateway:
        sync_endpoints(engine, [endpoint()])
        client = LiteLLMGateway(gateway.url, admin_key=ADMIN_KEY, changed_by="meterhouse")
        arm(engine, "litellm-main", by="ada", now=AS_OF)
        yield LimitedPlace(engine, {"litellm-main": client})
        client.close()


@pytest.mark.parametrize(
    "measure, unit, told",
    [
        ("tokens", "tokens", {"unit": "tokens"}),
        ("quantity", "pages", {"unit": "pages"}),
        ("cost", "usd", {"currency": "USD"}),
    ],
)
def test_a_limit_of_a_budget_names_its_unit(
    place: LimitedPlace, measure: str, unit: str, told: dict[str, str]
) -> None:
    place.used("1000", measure=measure, unit=unit)
    place.run()
    [applied] = [row for row in rows(place.engine, outbox) if row["event_type"] == "limit.applied"]
    [found] = body(applied)["data"]["causes"]
    assert {name: found[name] for name in ("unit", "currency") if name in found} == told
    assert found["used"] == found["amount"] == "1000"


def test_a_reason_recorded_before_units_were_is_in_dollars() -> None:
    assert cause({"budget_id": "coder"})["currency"] == "USD"
