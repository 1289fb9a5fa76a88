"""What `enforcement.yaml` says of a person's change is what the reconciler keeps to."""

from datetime import timedelta
from pathlib import Path

import pytest
from budget_readings import AS_OF, KEY
from gateway_server import ADMIN_KEY, gateway_server
from limited_place import LimitedPlace
from ops_stores import opened_store
from written_config import write_config

from ingestion.config_loader import load_config
from orchestration.assets.gateways import override_rules
from orchestration.enforcement.litellm import LiteLLMGateway
from orchestration.ops.people import arm

ENTITIES = "entities:\n  - {id: acme, type: organisation}\n"


@pytest.mark.parametrize(
    "declared, hours, use",
    [
        ("", 4, "1100"),  # four hours, or another tenth of the 1,000
        ("override: {for_hours: 1, growth_ratio: 0.5}\n", 1, "1500"),
    ],
)
def test_a_persons_change_stands_as_long_as_declared(
    tmp_path: Path, declared: str, hours: int, use: str
) -> None:
    folder = write_config(tmp_path, {"entities": ENTITIES, "enforcement": declared})
    with opened_store(tmp_path) as engine, gateway_server({KEY: {}}) as gateway:
        client = LiteLLMGateway(gateway.url, admin_key=ADMIN_KEY, changed_by="meterhouse")
        rules = override_rules(load_config(folder))
        place = LimitedPlace(engine, {"litellm-main": client}, rules=rules)
        arm(engine, "litellm-main", by="ada", now=AS_OF)
        place.used("1000")
        place.run()
        moment, until = timedelta(seconds=1), timedelta(hours=hours)
        gateway.person_sets(KEY, blocked=False)
        assert place.results() == [("override", "recorded")]
        place.used(str(int(use) - 1))
        assert place.results(until - moment) == []
        assert place.results(until) == [("block", "verified")]
        gateway.person_sets(KEY, blocked=False)
        place.used("1000")
        assert place.results(until) == [("override", "recorded")]
        place.used(use)
        assert place.results(until + moment) == [("block", "verified")]
        client.close()
