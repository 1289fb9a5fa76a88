"""The binding budget of a message is one that would stop the same use."""

from typing import Any

import pytest
from budget_readings import budget

from orchestration.governance.binding import binding_budget
from orchestration.governance.budgets import BudgetReading

OWN = budget("100", model_filter="|gpt-5|", source_filter="|litellm-main|")  # 900 left


def other(**changes: Any) -> BudgetReading:
    """The team's, for all models: 10 left."""
    team = {"entity_key": "team-platform", "scope": "consolidated"}
    return budget("990", budget_id="team", **{**team, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mode": "soft"},
        {"model_filter": "|gpt-5|o3|"},
        {"source_filter": "|litellm-main|", "model_filter": "|gpt-5|"},
        {"entity_key": "agent-coder"},
    ],
)
def test_the_budget_with_the_least_left_binds_where_it_covers(changes: dict[str, Any]) -> None:
    found = binding_budget(OWN, [OWN, other(**changes)])
    assert found is not None and (found[0], found[1].budget_id) == (10, "team")


@pytest.mark.parametrize(
    "changes",
    [
        {"is_paused": True},
        {"mode": "observe"},
        {"measure": "charged"},
        {"measure": "tokens", "unit": "tokens"},
        {"model_filter": "|o3|"},
        {"feature_filter": "|search|"},
        {"tag_filter": "|env=prod|"},
        {"scope": "individual"},
        {"scope": "individual", "entity_key": "agent-coder"},
        {"entity_key": "team-search"},
        {"is_current": False},
        {"amount": None},
    ],
)
def test_a_budget_that_would_not_stop_the_same_use_does_not_bind(changes: dict[str, Any]) -> None:
    found = binding_budget(OWN, [OWN, other(**changes)])
    assert found is not None and (found[0], found[1].budget_id) == (900, "coder")


def test_a_budget_of_a_node_alone_is_bound_by_another_of_that_node_alone() -> None:
    own = budget("100", scope="individual")
    found = binding_budget(own, [own, other(scope="individual", entity_key="agent-coder")])
    assert found is not None and found[1].budget_id == "team"


def test_nothing_binds_where_nothing_enforces() -> None:
    own = budget("100", mode="observe")
    assert binding_budget(own, [own]) is None
