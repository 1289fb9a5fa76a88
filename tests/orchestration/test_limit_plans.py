"""A yes is for the limits that were shown, for the breaches and causes that were shown."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from budget_readings import AS_OF, DECEMBER, NOVEMBER, budget, december, key
from gateway_server import ADMIN_KEY, FakeGateway, gateway_server
from limited_place import LimitedPlace
from ops_stores import opened_store

from orchestration.enforcement.litellm import LiteLLMGateway
from orchestration.governance.budgets import LimitReading
from orchestration.ops import people
from orchestration.ops.people import arm

NAMES = [f"{number:064x}" for number in range(5)]
DAY = timedelta(days=1)
BLOCKED = [("block", "verified")] * 4
PRICED = {"moved_use": Decimal(1800), "moved_by": "price"}


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with gateway_server({name: {} for name in NAMES}) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, gateway: FakeGateway) -> Iterator[LimitedPlace]:
    """Four keys: one more than are limited by a price without asking."""
    client = LiteLLMGateway(gateway.url, admin_key=ADMIN_KEY, changed_by="meterhouse")
    with opened_store(tmp_path) as engine:
        place = LimitedPlace(engine, {"litellm-main": client})
        place.keys = tuple(key(name) for name in NAMES[:4])
        place.used("10")
        arm(engine, "litellm-main", by="ada", now=AS_OF)
        place.limits = (
            LimitReading("coder", NOVEMBER, **PRICED),
            LimitReading("coder", DECEMBER, **PRICED),
        )
        yield place
        client.close()


def approve(place: LimitedPlace, approval_id: str, *, at: datetime = AS_OF) -> bool:
    sha = people.sha_of(place.waiting(approval_id))
    until = at + DAY
    return people.approve_limits(
        place.engine, approval_id, plan_sha=sha, by="ada", now=at, expires_at=until
    )


def test_a_yes_that_has_expired_can_be_given_again(place: LimitedPlace) -> None:
    place.used("2000")
    assert approve(place, "litellm-main-2")
    assert not approve(place, "litellm-main-2", at=AS_OF + DAY / 2)
    assert {step for step, _ in place.results(DAY)} == {"hold"}
    assert approve(place, "litellm-main-2", at=AS_OF + DAY)
    assert place.results(DAY) == BLOCKED


def test_a_yes_is_not_for_the_breach_of_the_next_period(place: LimitedPlace) -> None:
    """The same keys, the same block, the same cause, in December."""
    place.used("2000")
    approve(place, "litellm-main-2")
    assert place.stand(december("2000")).approvals == ()
    assert place.stand(december("2000")).approvals == ("litellm-main-4",)
    assert {step for step, _ in place.results()} == {"hold"}


def test_a_limit_goes_with_its_period_before_another_asks(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    place.used("2000")
    approve(place, "litellm-main-2")
    assert place.results() == BLOCKED
    place.stand(december("2000"))
    assert place.results() == [("release", "verified")] * 4
    assert place.stand(december("2000")).approvals == ("litellm-main-4",)
    assert {step for step, _ in place.results()} == {"hold"}
    assert not any(gateway.keys[name]["blocked"] for name in NAMES)


def test_a_yes_is_not_for_a_budget_that_is_over_later(place: LimitedPlace) -> None:
    """The team's budget is over by the same price: another breach of the same keys."""
    team = tuple(key(name, of="team") for name in NAMES[:4])
    place.limits = (*place.limits, LimitReading("team", NOVEMBER, **PRICED))
    place.keys = (*place.keys, *team)
    place.stand(budget("2000"), budget("10", budget_id="team"))
    approve(place, "litellm-main-2")
    done = place.stand(budget("2000"), budget("2000", budget_id="team"))
    assert done.approvals == ("litellm-main-3",)
    assert {step for step, _ in place.results()} == {"hold"}


def test_a_yes_is_not_for_another_cause(place: LimitedPlace) -> None:
    place.used("2000")
    approve(place, "litellm-main-2")
    place.limits = (LimitReading("coder", NOVEMBER, moved_use=Decimal(1800), moved_by="config"),)
    assert place.used("2000").approvals == ("litellm-main-3",)


def test_a_key_that_comes_later_has_a_question_of_its_own(place: LimitedPlace) -> None:
    place.used("2000")
    approve(place, "litellm-main-2")
    place.keys = tuple(key(name) for name in NAMES)
    assert place.used("2000").approvals == ("litellm-main-3",)
    assert sorted(place.results()) == [*BLOCKED, ("hold", "recorded")]


def test_what_changed_since_it_was_shown_is_not_approved(place: LimitedPlace) -> None:
    place.used("2000")
    shown = people.sha_of(place.waiting("litellm-main-2"))
    place.keys = place.keys[1:]
    place.limits = ()
    place.used("200")
    with pytest.raises(people.PlanChanged):
        people.approve_limits(
            place.engine,
            "litellm-main-2",
            plan_sha=shown,
            by="ada",
            now=AS_OF,
            expires_at=AS_OF + DAY,
        )


def test_a_block_in_place_of_a_rate_asks_and_the_rate_stays(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    """The rate came of usage; the price makes a block of it."""
    block_keys = tuple(key(name, of="team") for name in NAMES[:4])
    rate = LimitReading("coder", NOVEMBER, requests_per_minute=10)
    place.limits = (rate, LimitReading("team", NOVEMBER, **PRICED))
    soft = {"mode": "soft", "action": "rate_limit"}
    place.stand(budget("800", **soft), budget("10", budget_id="team"))
    assert place.results() == [("rate_limit", "verified")] * 4
    place.keys = (*place.keys, *block_keys)
    done = place.stand(budget("800", **soft), budget("2000", budget_id="team"))
    assert done.approvals == ("litellm-main-3",)
    assert place.results() == []
    assert {gateway.keys[name]["rpm_limit"] for name in NAMES[:4]} == {10}


def test_a_cap_that_a_price_brings_to_nothing_asks_beside_one_that_stands(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    """900 are left of one budget, nothing of the other: 3.50 would be the cap."""
    place.keys = (*place.keys, *(key(name, of="team") for name in NAMES[:4]))
    cap = {"action": "cap_to_remaining"}
    place.limits = ()
    place.stand(budget("100", **cap), budget("200", budget_id="team", **cap))
    place.run()
    place.limits = (LimitReading("team", NOVEMBER, **PRICED),)
    done = place.stand(budget("100", **cap), budget("2000", budget_id="team", **cap))
    assert done.approvals == ("litellm-main-3",)
    assert {step for step, _ in place.results()} == {"hold"}
    assert {gateway.keys[name]["max_budget"] for name in NAMES[:4]} == {100.0}


def test_two_teams_whose_names_begin_alike_are_two_questions(place: LimitedPlace) -> None:
    place.limits = ()
    place.keys = (key("team:research", own=0.5), key("team:researchers", own=0.5))
    assert place.used("1000").approvals == ("litellm-main-2-1", "litellm-main-2-2")
