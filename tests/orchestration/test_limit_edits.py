"""What an edit of a budget caused stays told apart from what usage caused, until it is over."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from budget_readings import NOVEMBER, december, key
from limited_place import LimitedPlace
from ops_stores import opened_store

from orchestration.governance.budgets import LimitReading

FORTY = tuple(key(f"{number:064x}") for number in range(40))
LOWERED: dict[str, Any] = {
    "budget_version": "v2",
    "amount": Decimal(90),
    "info_threshold": Decimal(45),
    "warning_threshold": Decimal(72),
    "critical_threshold": Decimal(90),
}
STALE = {"held_reason": "source litellm-main is stale"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[LimitedPlace]:
    """No gateway is asked: what waits for a yes is decided before that."""
    with opened_store(tmp_path) as engine:
        place = LimitedPlace(engine, {}, keys=FORTY)
        place.used("10")
        yield place


@pytest.mark.parametrize("first", [STALE, {"is_paused": True}], ids=["stale", "paused"])
def test_an_edit_that_was_held_when_it_was_first_seen_asks_once_it_is_not(
    place: LimitedPlace, first: dict[str, Any]
) -> None:
    place.used("900")
    assert place.used("900", **LOWERED, **first).approvals == ()
    assert place.used("901", **LOWERED).approvals == ("litellm-main-4",)


def test_a_new_budget_over_its_amount_that_was_held_asks_once_it_is_not(
    place: LimitedPlace,
) -> None:
    place.keys = tuple(key(each.raw_key_hash, of="new") for each in FORTY)
    assert place.used("1000", budget_id="new", **STALE).approvals == ()
    assert place.used("1000", budget_id="new").approvals == ("litellm-main-3",)


def test_a_key_that_appears_later_under_an_edited_budget_asks(place: LimitedPlace) -> None:
    """Three need no yes; the fourth does."""
    place.keys = FORTY[:3]
    place.used("900")
    assert place.used("900", **LOWERED).approvals == ()
    place.used("901", **LOWERED)
    place.keys = FORTY[:4]
    assert place.used("902", **LOWERED).approvals == ("litellm-main-5",)


def test_what_would_be_over_without_the_edit_is_by_usage(place: LimitedPlace) -> None:
    """The amount was 1,000 before."""
    place.used("900")
    assert place.used("999", **LOWERED).approvals == ("litellm-main-3",)
    place.used("1000", **LOWERED)
    assert waits(place) == {None}


def test_an_edit_is_over_once_its_budget_is_not_reached_or_has_another_period(
    place: LimitedPlace,
) -> None:
    place.used("900")
    place.used("900", **LOWERED, **STALE)
    place.used("89", **LOWERED)
    assert place.used("90", **LOWERED).approvals == ()
    assert waits(place) == {None}
    place.stand(december("90", **LOWERED))
    assert waits(place) == {None}


def test_two_edits_in_a_row_are_as_one(place: LimitedPlace) -> None:
    place.used("900")
    place.used("900", **LOWERED, **STALE)
    assert place.used("900", **LOWERED | {"budget_version": "v3"}).approvals == ("litellm-main-4",)


def test_use_that_an_edited_filter_added_asks(place: LimitedPlace) -> None:
    """The thresholds are the same; what counts is not."""
    place.used("100")
    assert place.used("1000", budget_version="v2").approvals == ("litellm-main-3",)


def test_a_longer_period_that_is_over_its_amount_at_once_asks(place: LimitedPlace) -> None:
    place.used("100")
    assert place.stand(december("1000", budget_version="v2")).approvals == ("litellm-main-3",)


def test_an_edit_that_is_reached_by_what_is_on_its_way_asks(place: LimitedPlace) -> None:
    """85 used and 5 on their way are the 90 of the edit."""
    place.limits = (LimitReading("coder", NOVEMBER, headroom=Decimal(5)),)
    place.used("85")
    place.used("85", **LOWERED, **STALE)
    assert place.used("85", **LOWERED).approvals == ("litellm-main-4",)


def waits(place: LimitedPlace) -> set[str | None]:
    """What the limits that are wanted now wait for."""
    return {want["approval_id"] for want in place.wants() if want["want"] != "open"}
