"""A cap beside the gateway's own reset of what it has counted."""

from pathlib import Path

from budget_readings import AS_OF, KEY
from gateway_server import ADMIN_KEY, gateway_server
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
