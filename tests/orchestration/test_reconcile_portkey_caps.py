"""A key's cap at Portkey is a policy of ours, by its own count and in whole dollars."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from budget_readings import AS_OF, NOVEMBER, december, key
from limited_place import LimitedPlace
from ops_stores import endpoint, opened_store
from portkey_policies import UsagePolicies
from portkey_server import API_KEY, PAGES, PortkeyServer, portkey_server
from scripted_server import Answer

from orchestration.enforcement.gateway import KeyState, Settings
from orchestration.enforcement.portkey import PortkeyGateway
from orchestration.governance.budgets import LimitReading
from orchestration.governance.endpoints import sync_endpoints
from orchestration.ops.people import arm, disarm

GATEWAY = "portkey-main"
CAP = {"action": "cap_to_remaining"}
KEY_ID = "dddddddd-2222-4333-8444-555555555555"
THEIRS = {
    "name": "checkout-monthly",
    "conditions": [{"key": "api_key", "value": KEY_ID}],
    "group_by": [{"key": "api_key"}],
    "type": "cost",
    "credit_limit": 40,
    "periodic_reset": "monthly",
    "workspace_id": "ws-main",
}


@pytest.fixture
def portkey() -> Iterator[PortkeyServer]:
    with portkey_server(keys=[json.loads((PAGES / "api_key.json").read_bytes())]) as server:
        yield server


@pytest.fixture
def policies(portkey: PortkeyServer) -> UsagePolicies:
    assert portkey.policies is not None
    return portkey.policies


@pytest.fixture
def place(tmp_path: Path, portkey: PortkeyServer) -> Iterator[LimitedPlace]:
    client = PortkeyGateway(portkey.url, admin_key=API_KEY)
    with opened_store(tmp_path) as engine:
        sync_endpoints(engine, [endpoint()])
        arm(engine, GATEWAY, by="ada", now=AS_OF)
        yield LimitedPlace(engine, {GATEWAY: client}, keys=(key(KEY_ID, at=GATEWAY),))
        client.close()


def limits(policies: UsagePolicies) -> list[int]:
    return [policy["credit_limit"] for policy in policies.stored.values()]


def test_a_cap_is_a_policy_of_the_key_alone_and_in_its_workspace(
    place: LimitedPlace, policies: UsagePolicies
) -> None:
    place.used("700.01", **CAP)
    assert place.results() == [("cap_to_remaining", "verified")]
    (made,) = policies.stored.values()
    assert made == {
        "id": "policy-1",
        "status": "active",
        "created_at": "2026-11-20T00:00:01Z",
        "name": f"meterhouse {KEY_ID}",
        "conditions": [{"key": "api_key", "value": KEY_ID}],
        "group_by": [{"key": "api_key"}],
        "type": "cost",
        "credit_limit": 299,  # 299.99 left of 1,000, and nothing counted yet
        "workspace_id": "ws-main",
    }
    assert place.results() == []
    assert place.messages() == ["limit.applied"]


def test_a_cap_is_lowered_raised_and_released_by_its_own_count(
    place: LimitedPlace, policies: UsagePolicies
) -> None:
    place.used("700", **CAP)
    place.run()
    # What this key used was counted by both: 40.75 + 259.25 is still 300.
    policies.used["policy-1"][KEY_ID] = 40.75
    place.used("740.75", **CAP)
    assert place.results() == []
    # Another key of the budget used 49.75 more: 100.5 + 150 is 250.5.
    policies.used["policy-1"] = {KEY_ID: 100.5, "another-key": 7.0}
    place.used("850", **CAP)
    assert place.results() == [("cap_to_remaining", "verified")]
    assert limits(policies) == [250]
    # Facts were restated: 100.5 + 400.
    place.used("600", **CAP)
    assert place.results() == [("cap_to_remaining", "verified")]
    assert limits(policies) == [500]
    # The budget is used up by others: what this key has used is what it may use.
    place.used("1000", **CAP)
    assert place.results() == [("cap_to_remaining", "verified")]
    assert limits(policies) == [100]
    # A new period: 100.5 + 1,000.
    place.stand(december("0", **CAP))
    assert place.results() == [("cap_to_remaining", "verified")]
    assert limits(policies) == [1100]
    place.stand(december("0", action=None, mode="observe"))
    assert place.results() == [("release", "verified")]
    assert (limits(policies), place.results()) == ([], [])
    assert place.messages()[-1] == "limit.released"


@pytest.mark.parametrize("use", ["998.9", "999.5", "1000", "1200"])
def test_less_than_a_dollar_is_a_dollar_where_nothing_was_counted_yet(
    place: LimitedPlace, policies: UsagePolicies, use: str
) -> None:
    place.used(use, **CAP)
    assert place.results() == [("cap_to_remaining", "verified")]
    assert (limits(policies), place.results()) == ([1], [])


def test_policies_of_people_stay_beside_ours(place: LimitedPlace, policies: UsagePolicies) -> None:
    theirs = policies.add(**THEIRS)
    policies.used[theirs][KEY_ID] = 12.5
    before = dict(policies.stored[theirs])
    place.used("700", **CAP)
    assert place.results() == [("cap_to_remaining", "verified")]
    assert limits(policies) == [40, 300]
    place.stand(december("0", action=None, mode="observe"))
    assert place.results() == [("release", "verified")]
    assert policies.stored == {theirs: before}


def test_a_policy_beyond_the_first_page_is_found(
    place: LimitedPlace, policies: UsagePolicies
) -> None:
    for _ in range(100):
        policies.add(**THEIRS)
    place.used("700", **CAP)
    assert place.results() == [("cap_to_remaining", "verified")]
    assert (len(policies.stored), place.results()) == (101, [])


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"credit_limit": 900}, "override"),
        ({"credit_limit": 200}, "foreign"),
        ({"periodic_reset": "monthly"}, "foreign"),
        ({"conditions": [{"key": "api_key", "value": "*"}]}, "foreign"),
    ],
)
def test_what_a_person_changed_of_ours_is_respected(
    place: LimitedPlace, policies: UsagePolicies, changes: dict[str, Any], step: str
) -> None:
    place.used("700", **CAP)
    place.run()
    policies.stored["policy-1"].update(changes)
    changed = dict(policies.stored["policy-1"])
    assert place.results() == [(step, "recorded")]
    assert place.results(timedelta(hours=3)) == []
    place.stand(december("0", action=None, mode="observe"))
    place.run(timedelta(hours=3))
    assert policies.stored == {"policy-1": changed}


def test_a_policy_that_a_person_deleted_comes_back_after_a_time(
    place: LimitedPlace, policies: UsagePolicies
) -> None:
    place.used("700", **CAP)
    place.run()
    policies.stored.clear()
    assert place.results() == [("override", "recorded")]
    assert place.results(timedelta(hours=3)) == []
    assert place.results(timedelta(hours=4)) == [("cap_to_remaining", "verified")]
    assert list(policies.stored) == ["policy-2"]


class _Death(Exception):
    """The end of the process."""


class _DyingClient(PortkeyGateway):
    """A client whose process ends as it writes: before, or after, the write took effect."""

    is_before = False

    def write(
        self, target: str, settings: Settings, *, mark: int | None, current: KeyState
    ) -> KeyState | None:
        if not self.is_before:
            super().write(target, settings, mark=mark, current=current)
        raise _Death


@pytest.fixture
def dying(portkey: PortkeyServer) -> Iterator[_DyingClient]:
    client = _DyingClient(portkey.url, admin_key=API_KEY)
    yield client
    client.close()


def die(place: LimitedPlace, client: _DyingClient, *, before: bool) -> None:
    """A run that ends in its write."""
    client.is_before = before
    alive, place.gateways = place.gateways, {GATEWAY: client}
    with pytest.raises(_Death):
        place.run()
    place.gateways = alive


def test_a_policy_made_before_a_crash_is_adopted_and_not_made_twice(
    place: LimitedPlace, policies: UsagePolicies, dying: _DyingClient
) -> None:
    place.used("700", **CAP)
    die(place, dying, before=False)
    assert limits(policies) == [300]
    assert place.results() == [("adopt", "recorded")]
    assert (limits(policies), place.results()) == ([300], [])
    assert place.messages() == ["limit.applied"]
    place.stand(december("0", action=None, mode="observe"))
    assert place.results() == [("release", "verified")]
    assert limits(policies) == []


def test_a_release_that_a_crash_cut_off_is_recorded_or_done(
    place: LimitedPlace, policies: UsagePolicies, dying: _DyingClient
) -> None:
    place.used("700", **CAP)
    place.run()
    place.stand(december("0", action=None, mode="observe"))
    die(place, dying, before=True)
    assert place.results() == [("release", "verified")]
    assert limits(policies) == []


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(("use", "cap"), [("850", 150), ("400", 600)])
def test_a_cap_that_was_to_move_as_the_process_ended_is_ours_still(
    place: LimitedPlace,
    policies: UsagePolicies,
    dying: _DyingClient,
    before: bool,
    use: str,
    cap: int,
) -> None:
    place.used("700", **CAP)
    place.run()
    place.used(use, **CAP)
    die(place, dying, before=before)
    place.run()
    assert (limits(policies), place.results()) == ([cap], [])
    place.stand(december("0", action=None, mode="observe"))
    assert place.results() == [("release", "verified")]
    assert limits(policies) == []


def test_a_policy_that_an_unclear_answer_doubled_goes_with_the_other(
    place: LimitedPlace, policies: UsagePolicies
) -> None:
    place.used("700", **CAP)
    place.run()
    policies.add(**{**policies.stored["policy-1"], "id": "policy-2"})
    place.used("850", **CAP)
    assert place.results() == [("cap_to_remaining", "verified")]
    assert (list(policies.stored), limits(policies)) == (["policy-1"], [150])


def test_a_policy_gone_as_it_is_written_is_no_key_gone(
    place: LimitedPlace, portkey: PortkeyServer, policies: UsagePolicies
) -> None:
    place.used("700", **CAP)
    place.run()
    place.used("850", **CAP)

    def answer_and_delete(asked: Any) -> Answer:
        if asked.method == "PUT":
            policies.stored.clear()
        return portkey.answer(asked)

    portkey.script.answer = answer_and_delete
    assert place.results() == [("cap_to_remaining", "unknown")]
    portkey.script.answer = portkey.answer
    assert place.results() == [("cap_to_remaining", "verified")]
    assert limits(policies) == [150]


def test_counts_that_make_no_sense_leave_the_cap_as_it_is(
    place: LimitedPlace, policies: UsagePolicies
) -> None:
    place.used("700", **CAP)
    place.run()
    policies.used["policy-1"][KEY_ID] = "unknown"  # type: ignore[assignment]
    place.used("850", **CAP)
    assert place.results() == [("read", "unknown")]
    assert limits(policies) == [300]


def test_a_plan_without_policies_has_no_cap_and_the_alert_is_all(
    place: LimitedPlace, portkey: PortkeyServer
) -> None:
    portkey.policies = None
    place.keys = (*place.keys, key("of-another", alias="another", at=GATEWAY))
    portkey.keys.append({**portkey.keys[0], "id": "of-another"})
    done = place.used("1000", **CAP)
    assert [each.to_level for each in done.transitions] == ["critical"]
    found = place.run()
    why = "this gateway has no cap_to_remaining for it: GET policies/usage-limits: 403"
    assert [(each.step, each.why) for each in found] == [("unable", why)] * 2
    assert [asked.path for asked in portkey.script.asked].count("/policies/usage-limits") == 1
    assert place.results() == []
    # Its rates are limited all the same.
    place.limits = (LimitReading("coder", NOVEMBER, requests_per_minute=10),)
    place.used("800", mode="soft", action="rate_limit")
    assert place.results() == [("rate_limit", "verified")] * 2


def test_a_policy_that_is_not_shown_any_more_is_not_taken_for_gone(
    place: LimitedPlace, portkey: PortkeyServer
) -> None:
    place.used("700", **CAP)
    place.run()
    held, portkey.policies = portkey.policies, None
    client = PortkeyGateway(portkey.url, admin_key=API_KEY)
    alive, place.gateways = place.gateways, {GATEWAY: client}
    place.stand(december("0", action=None, mode="observe"))
    assert place.results() == [("read", "unknown")]
    client.close()
    portkey.policies, place.gateways = held, alive
    assert place.results() == [("release", "verified")]


def test_a_cap_makes_room_for_a_rate_and_comes_back(
    place: LimitedPlace, portkey: PortkeyServer, policies: UsagePolicies
) -> None:
    place.limits = (LimitReading("coder", NOVEMBER, requests_per_minute=10),)
    place.used("700", **CAP)
    place.run()
    place.used("800", mode="soft", action="rate_limit")
    assert place.results() == [("rate_limit", "verified")]
    assert limits(policies) == []
    rate = {"type": "requests", "unit": "rpm", "value": 10}
    assert portkey.keys[0]["rate_limits"] == [rate]
    place.used("850", **CAP)
    assert place.results() == [("cap_to_remaining", "verified")]
    assert limits(policies) == [150]
    assert portkey.keys[0]["rate_limits"] == [{**rate, "value": 100}]
    assert place.results() == []


def test_nothing_is_written_where_no_person_armed_it(
    place: LimitedPlace, policies: UsagePolicies
) -> None:
    disarm(place.engine, GATEWAY, by="ada", now=AS_OF)
    place.used("700", **CAP)
    assert place.results() == [("cap_to_remaining", "planned")]
    assert limits(policies) == []
