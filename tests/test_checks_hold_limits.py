"""A red check of an earlier run holds the budget that rests on its source, and no other."""

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from platform_home import LATER, Platform, write_budgets

from sandbox.company import key_by_alias

BUDGETS = """\
  - {id: on-litellm, entity: agent-coder, period: month, amount: 50, mode: hard,
     filter: {source: [litellm-main]}, actions: [block], thresholds: {critical: 1.0}}
  - {id: on-both, entity: agent-researcher, period: month, amount: 50, mode: hard,
     actions: [block], thresholds: {critical: 1.0}}
"""
# The window of what is read once more lies before it, so that its lines are read once.
LOG = (
    "bedrock/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/23/18/"
    "20261123T185500000Z_0000000000000000.json.gz"
)
BROKEN = 100
CODER, RESEARCHER = (key_by_alias(f"agent-{name}-key").hashed for name in ("coder", "researcher"))


@dataclass
class Seen:
    """What stood after a pass."""

    red: list[tuple[str, str]]
    blocked: set[str]
    held: list[dict[str, Any]]


def look(platform: Platform) -> Seen:
    bodies = [json.loads(each["body"]) for each in platform.inbox()]
    return Seen(
        red=platform.read(
            "select source_instance, check_name from trust.fct_source_checks where is_red"
        ),
        blocked={each["target"] for each in platform.gateway_writes()},
        held=[body["data"] for body in bodies if body["type"] == "limit.held"],
    )


@pytest.fixture(scope="module")
def story(_live: Platform, history: Path) -> list[Seen]:
    """A run that loads broken lines; one in which both agents run away; one a day later."""
    platform = _live
    platform.put_back(history)
    seen = []
    with platform.vendors():
        write_budgets(platform.config, BUDGETS)
        lines = ['{"requestId": "broken'] * BROKEN
        platform.steer("objects", key=LOG, lines=lines, last_modified="2026-11-23T18:55:00Z")
        platform.run(at=LATER)
        seen.append(look(platform))
        for agent in ("coder", "researcher"):
            start = {"from": LATER.isoformat()}
            platform.steer("runaway", agent=agent, minutes=15, usd=120, **start)
        platform.run(at=LATER + timedelta(minutes=20))
        seen.append(look(platform))
        platform.run(at=LATER + timedelta(days=1, minutes=21))
        seen.append(look(platform))
    return seen


def test_a_check_turns_red_in_one_run_and_holds_nothing_that_is_not_reached(
    story: list[Seen],
) -> None:
    loaded, _, _ = story
    assert loaded == Seen([("bedrock-main", "rows_fit")], blocked=set(), held=[])


def test_in_the_next_run_one_budget_is_held_and_the_other_acts(story: list[Seen]) -> None:
    _, ran_away, _ = story
    assert ran_away.blocked == {CODER}
    (told,) = ran_away.held
    assert told["budget"]["id"] == "on-both"
    assert told["why"] == "check failed: rows_fit of bedrock-main"


def test_what_was_held_is_set_once_the_check_is_green(story: list[Seen]) -> None:
    _, _, day_after = story
    assert day_after.red == []
    assert day_after.blocked == {CODER, RESEARCHER}
