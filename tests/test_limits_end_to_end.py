"""A price ten times too high stops at the cap; four keys that run away are blocked at once."""

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ops_stores import rows
from platform_home import LATER, Platform, write_budgets

from orchestration.ops.store import open_store
from orchestration.ops.tables import desired_limit
from sandbox.company import key_by_alias

AGENTS = ("coder", "outreach", "researcher", "triage")
KEYS = {key_by_alias(f"agent-{agent}-key").hashed for agent in AGENTS}
BUDGETS = """\
  - {id: agents, each: agent, period: month, amount: 50, mode: hard,
     actions: [block], thresholds: {critical: 1.0}}
"""
WRONG = """\
overrides:
  - {id: slipped, kind: multiplier, ratio: 10}
"""
MINUTE = timedelta(minutes=10)


@dataclass
class Seen:
    """What stood outside and what was wanted after one pass."""

    writes: list[dict[str, Any]]
    held: list[dict[str, Any]]
    waits_for: set[str | None]


def look(platform: Platform) -> Seen:
    store = open_store(f"sqlite:///{platform.home / 'ops.sqlite'}")
    wants = [row for row in rows(store, desired_limit) if row["want"] == "block"]
    store.dispose()
    bodies = [json.loads(each["body"]) for each in platform.inbox()]
    return Seen(
        writes=platform.gateway_writes(),
        held=[body["data"] for body in bodies if body["type"] == "limit.held"],
        waits_for={row["approval_id"] for row in wants},
    )


@pytest.fixture(scope="module")
def story(_live: Platform, history: Path) -> list[Seen]:
    """Passes with budgets that hold, a price that slipped, the price put right, and runaways."""
    platform = _live
    platform.put_back(history)
    sources = platform.config / "sources.yaml"
    right = sources.read_text(encoding="utf-8")
    seen = []
    with platform.vendors():
        write_budgets(platform.config, BUDGETS)
        platform.run(at=LATER)
        sources.write_text(right.replace("trust_reported", "reprice"), encoding="utf-8")
        (platform.config / "prices.yaml").write_text(WRONG, encoding="utf-8")
        platform.run(at=LATER + MINUTE)
        seen.append(look(platform))
        sources.write_text(right, encoding="utf-8")
        (platform.config / "prices.yaml").write_text("overrides: []\n", encoding="utf-8")
        for agent in AGENTS:
            start = {"from": LATER.isoformat()}
            platform.steer("runaway", agent=agent, minutes=15, usd=120, **start)
        platform.run(at=LATER + 2 * MINUTE)
        seen.append(look(platform))
    return seen


def test_a_price_ten_times_too_high_blocks_no_key_and_asks_once(story: list[Seen]) -> None:
    slipped, _ = story
    assert slipped.writes == []
    assert len(slipped.waits_for) == 1 and None not in slipped.waits_for
    (asked,) = slipped.held
    assert {asked["approval"]} == slipped.waits_for
    assert asked["keys_count"] == 4


def test_four_keys_that_run_away_are_blocked_at_once(story: list[Seen]) -> None:
    """The price is right again in the same pass: what usage caused needs nobody's yes."""
    _, ran_away = story
    assert {each["target"] for each in ran_away.writes} == KEYS
    assert all(each["changes"]["blocked"] is True for each in ran_away.writes)
    assert len(ran_away.writes) == 4 and len(ran_away.held) == 1
