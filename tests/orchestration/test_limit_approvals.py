"""What is applied at once and what waits for a person: by cause, number of keys, bystanders."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from budget_readings import AS_OF, KEY, NOVEMBER, budget, key
from gateway_server import ADMIN_KEY, FakeGateway, gateway_server
from limited_place import LimitedPlace
from ops_stores import endpoint, opened_store, rows

from orchestration.enforcement.gateway import KeyState, Settings
from orchestration.enforcement.litellm import LiteLLMGateway
from orchestration.governance.budgets import LimitReading
from orchestration.governance.endpoints import sync_endpoints
from orchestration.ops import people
from orchestration.ops.people import arm
from orchestration.ops.tables import desired_limit, outbox

NAMES = [f"{number:064x}" for number in range(40)]
MINUTE = timedelta(minutes=1)


def moved(use: str, by: str = "price", *, headroom: str = "0") -> LimitReading:
    """A budget whose use is this much more by something else than usage."""
    return LimitReading(
        "coder", NOVEMBER, headroom=Decimal(headroom), moved_use=Decimal(use), moved_by=by
    )


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with gateway_server({name: {} for name in (*NAMES, KEY)}) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, gateway: FakeGateway) -> Iterator[LimitedPlace]:
    client = LiteLLMGateway(gateway.url, admin_key=ADMIN_KEY, changed_by="meterhouse")
    with opened_store(tmp_path) as engine:
        sync_endpoints(engine, [endpoint()])
        arm(engine, "litellm-main", by="ada", now=AS_OF)
        place = LimitedPlace(engine, {"litellm-main": client})
        place.keys = tuple(key(name) for name in NAMES)
        place.used("10")
        yield place
        client.close()


def approve(place: LimitedPlace, approval_id: str) -> None:
    people.approve_limits(
        place.engine,
        approval_id,
        plan_sha=people.sha_of(place.waiting(approval_id)),
        by="ada",
        now=AS_OF,
        expires_at=AS_OF + timedelta(hours=24),
    )


def test_forty_keys_that_ran_away_are_blocked_at_once(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    place.used("1000")
    assert place.results() == [("block", "verified")] * 40
    assert len(gateway.writes) == 40


def test_a_price_ten_times_too_high_blocks_nothing_and_asks_once(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    """200 used were 2,000 at the wrong price: 1,800 of it would not be there."""
    place.limits = (moved("1800"),)
    done = place.used("2000")
    assert done.approvals == ("litellm-main-2",)
    assert {step for step, _ in place.results()} == {"hold"}
    assert gateway.count("POST") == 0
    assert place.used("2001").approvals == ()
    told = [row for row in rows(place.engine, outbox) if row["event_type"] == "limit.held"]
    (asked,) = [json.loads(row["body"])["data"] for row in told]
    assert (asked["approval"], asked["keys_count"]) == ("litellm-main-2", 40)
    assert asked["why"] == "40 keys, more than 4, by a change of price"
    # The price is put right: nothing was blocked, nothing is asked.
    place.limits = ()
    place.used("200")
    assert place.results(MINUTE) == [] and gateway.count("POST") == 0


def test_what_a_person_approves_is_applied_by_the_next_run(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    place.limits = (moved("1800"),)
    place.used("2000")
    approve(place, "litellm-main-2")
    assert place.results() == [("block", "verified")] * 40
    place.used("2100")
    assert place.results() == []
    assert place.results(timedelta(hours=25)) == []  # the yes is over, the block is not


def test_keys_that_run_away_once_a_setting_is_put_right_are_blocked(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    place.limits = (moved("1800", by="config"),)
    place.used("2000")
    place.run()
    place.limits = ()
    assert place.used("1100").approvals == ()
    assert place.results() == [("block", "verified")] * 40


def test_a_runaway_beside_a_wrong_price_is_blocked(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    """Of 2,900 used 1,800 come of the price: 1,100 are over the amount all the same."""
    place.limits = (moved("1800"),)
    assert place.used("2900").approvals == ()
    assert place.results() == [("block", "verified")] * 40


@pytest.mark.parametrize(("count", "blocked"), [(3, 3), (4, 0)])
def test_up_to_three_keys_or_a_tenth_of_all_are_limited_without_asking(
    place: LimitedPlace, gateway: FakeGateway, count: int, blocked: int
) -> None:
    place.keys = place.keys[:count]
    place.limits = (moved("1800", by="attribution"),)
    place.used("2000")
    place.run()
    assert len(gateway.writes) == blocked


def test_a_budget_lowered_under_its_use_asks_where_it_would_limit_many(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    place.used("900")
    lowered = {"budget_version": "v2", "amount": Decimal(90), "critical_threshold": Decimal(90)}
    levels = {"info_threshold": Decimal(45), "warning_threshold": Decimal(72)}
    assert place.used("900", **lowered, **levels).approvals == ("litellm-main-3",)
    place.used("901", **lowered, **levels)
    assert {step for step, _ in place.results()} == {"hold"}
    assert gateway.count("POST") == 0


def test_a_key_that_others_use_waits_for_a_yes(place: LimitedPlace, gateway: FakeGateway) -> None:
    """79 % own use waits, 80 % does not."""
    place.keys = (key(NAMES[0], own=0.79), key(NAMES[1], own=0.8))
    done = place.used("1000")
    assert done.approvals == ("litellm-main-2-1",)
    assert place.results() == [("hold", "recorded"), ("block", "verified")]
    approve(place, done.approvals[0])
    assert place.results(MINUTE) == [("block", "verified")]


def test_limits_begin_before_the_amount_by_what_is_on_its_way(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    """60 on their way: 939 of 1,000 is open, 940 is not; a key at rest stays blocked."""
    place.keys = (key(NAMES[0]),)
    place.limits = (moved("0", headroom="60"),)
    place.used("939")
    assert place.results() == []
    assert place.used("940").transitions == ()  # the alert itself waits for the amount
    assert place.results() == [("block", "verified")]
    place.limits, place.keys = (), ()
    place.used("945")
    assert place.results() == []
    place.used("939")
    assert place.results() == [("release", "verified")]


def test_exempt_keys_are_never_limited_and_are_released_when_they_become_so(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    place.keys = (key(NAMES[0], alias="ops"), key(NAMES[1]))
    place.exempt = ("ops",)
    place.used("1000")
    assert place.results() == [("block", "verified")]
    assert gateway.writes == [(NAMES[1], True)]
    place.exempt = ("ops", NAMES[1])
    place.used("1000")
    assert place.results() == [("release", "verified")]


def test_a_soft_budget_limits_a_rate_from_warning_on(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    place.keys = (key(NAMES[0]),)
    place.limits = (LimitReading("coder", NOVEMBER, requests_per_minute=10),)
    soft = {"mode": "soft", "action": "rate_limit"}
    place.used("799", **soft)
    assert place.results() == []
    place.used("800", **soft)
    assert place.results() == [("rate_limit", "verified")]
    assert gateway.keys[NAMES[0]]["rpm_limit"] == 10
    # Another budget is used up: the block takes the rate's place, and both go.
    place.keys = (key(NAMES[0]), key(NAMES[0], of="all"))
    place.stand(budget("800", **soft), budget("1000", budget_id="all"))
    assert place.results() == [("block", "verified")]
    shown = gateway.keys[NAMES[0]]
    assert (shown["blocked"], shown.get("rpm_limit")) == (True, None)
    place.used("0", **soft)
    assert place.results() == [("release", "verified")]
    assert gateway.keys[NAMES[0]]["blocked"] is False


def test_a_zero_budget_puts_back_the_budget_that_was_there(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    place.keys = (key(NAMES[0]),)
    place.used("1000", action="zero_budget")
    assert place.results() == [("zero_budget", "verified")]
    assert gateway.keys[NAMES[0]]["max_budget"] == 0
    place.used("0", action="zero_budget")
    assert place.results() == [("release", "verified")]
    assert gateway.keys[NAMES[0]]["max_budget"] == 100.0


def test_of_two_caps_the_lower_is_set_on_top_of_the_proxys_own_count(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    """The proxy counts 3.50; 40 and 25 are left: 28.50."""
    place.keys = (key(NAMES[0]), key(NAMES[0], of="other"))
    cap = {"action": "cap_to_remaining"}
    place.stand(budget("960", **cap), budget("975", budget_id="other", **cap))
    assert place.results() == [("cap_to_remaining", "verified")]
    assert gateway.keys[NAMES[0]]["max_budget"] == 28.5
    assert place.messages() == ["limit.applied"]
    place.stand(budget("990", **cap), budget("980", budget_id="other", **cap))
    assert place.results() == [("cap_to_remaining", "verified")]
    assert gateway.keys[NAMES[0]]["max_budget"] == 13.5
    place.stand(budget("992", **cap), budget("980", budget_id="other", **cap))
    assert place.results() == []  # 2 of 1,000 are not written
    gateway.keys[NAMES[0]]["max_budget"] = 500.0
    assert place.results() == [("override", "recorded")]
    assert [row["want"] for row in rows(place.engine, desired_limit)] == ["cap_to_remaining"]


def test_a_cap_that_falls_below_the_limit_of_somebody_else_is_set(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    """The key has a budget of 100 of its own: 500 left leave it alone, 50 do not."""
    place.keys = (key(NAMES[0]),)
    cap = {"action": "cap_to_remaining"}
    place.used("500", **cap)
    assert place.results() == [("foreign", "recorded")]
    place.used("950", **cap)
    assert place.results() == [("cap_to_remaining", "verified")]
    assert gateway.keys[NAMES[0]]["max_budget"] == 53.5
    place.used("0", action=None)
    assert place.results() == [("release", "verified")]
    assert gateway.keys[NAMES[0]]["max_budget"] == 100.0


def test_caps_in_place_do_not_fall_to_nothing_by_a_price_ten_times_too_high(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    """The caps of a new budget need nobody's yes; 200 used became 2,000."""
    cap = {"action": "cap_to_remaining", "budget_id": "caps"}
    place.keys = tuple(key(name, of="caps") for name in NAMES)
    assert place.used("970", **cap).approvals == ()
    assert place.results() == [("cap_to_remaining", "verified")] * 40
    place.limits = (LimitReading("caps", NOVEMBER, moved_use=Decimal(1800), moved_by="price"),)
    assert place.used("2000", **cap).approvals == ("litellm-main-3",)
    assert place.results() == []
    place.used("2000", **cap)
    assert place.results() == []
    assert {gateway.keys[name]["max_budget"] for name in NAMES} == {33.5}
    # Usage alone is over as well now.
    place.used("2800", **cap)
    assert place.results() == [("cap_to_remaining", "verified")] * 40
    assert {gateway.keys[name]["max_budget"] for name in NAMES} == {3.5}


class Dies(BaseException):
    """The process is gone."""


class DyingClient(LiteLLMGateway):
    """Dies at its next write, before it or after it."""

    dies: str | None = None

    def write(self, target: str, settings: Settings, **arguments: Any) -> KeyState | None:
        dies, self.dies = self.dies, None
        if dies == "before":
            raise Dies
        answer = super().write(target, settings, **arguments)
        if dies == "after":
            raise Dies
        return answer


@pytest.mark.parametrize("dies", ["before", "after"])
@pytest.mark.parametrize("action", ["block", "cap_to_remaining"])
def test_a_process_that_dies_as_a_limit_changes_leaves_nothing_behind(
    place: LimitedPlace, gateway: FakeGateway, dies: str, action: str
) -> None:
    """From a cap of 33.50 to a block, or to a cap of 13.50; then all is as it was."""
    client = DyingClient(gateway.url, admin_key=ADMIN_KEY, changed_by="meterhouse")
    place.gateways = {"litellm-main": client}
    place.keys = (key(NAMES[0]), key(NAMES[0], of="other"))
    before = dict(gateway.keys[NAMES[0]])
    cap = budget("970", action="cap_to_remaining")
    place.stand(cap)
    assert place.results() == [("cap_to_remaining", "verified")]
    used = "1000" if action == "block" else "990"
    place.stand(cap, budget(used, budget_id="other", action=action))
    client.dies = dies
    with pytest.raises(Dies):
        place.run()
    place.run()
    assert place.results() == []
    shown = gateway.keys[NAMES[0]]
    expected = (True, 100.0) if action == "block" else (False, 13.5)
    assert (shown["blocked"], shown["max_budget"]) == expected
    place.used("0", action=None, mode="observe")
    assert place.results() == [("release", "verified")]
    now = gateway.keys[NAMES[0]]
    assert {name: now[name] for name in before} == before
    client.close()


@pytest.mark.parametrize(
    ("target", "limit"),
    [
        ("team:research", {"max_budget": 0}),
        ("user:ada@acme.example", {"max_budget": 0}),
        ("customer:globex", {"blocked": True}),
    ],
)
def test_teams_users_and_customers_are_limited_by_their_own_calls(
    place: LimitedPlace, gateway: FakeGateway, target: str, limit: dict[str, object]
) -> None:
    gateway.add(target)
    before = dict(gateway.keys[target])
    place.keys = (key(target),)
    place.used("1000")
    assert place.results() == [("block", "verified")]
    assert {name: gateway.keys[target][name] for name in limit} == limit
    place.used("0")
    assert place.results() == [("release", "verified")]
    assert gateway.keys[target] == before
