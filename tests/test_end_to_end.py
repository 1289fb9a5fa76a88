"""From two vendors to a blocked key and back, pass by pass, as a user sees it from outside."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks.webhooks
from click.testing import CliRunner
from platform_home import AS_OF, BUDGETS, LATER, Platform, run_away, write_budgets
from standardwebhooks import Webhook

from orchestration.cli import main
from sandbox.company import key_by_alias

CODER, RESEARCHER = key_by_alias("agent-coder-key"), key_by_alias("agent-researcher-key")
REFUSAL = "Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin."


TOTALS = """
    select source, count(*), sum(total_input_tokens), sum(total_output_tokens),
        sum(reported_cost_usd)
    from core.fct_usage group by source
    union all
    select 'all', count(*), sum(total_tokens), sum(effective_cost_usd), sum(estimated_cost_usd)
    from core.fct_usage
"""
DEAREST = """
    select usage_key, list_cost_usd, pass_id from core.fct_usage
    where source = 'bedrock' and price_status = 'priced'
    order by list_cost_usd desc, usage_key
    limit 1
"""
TREES = """
    select tree, sum(individual_requests_count), sum(individual_tokens),
        sum(individual_effective_cost_usd), sum(individual_estimated_cost_usd)
    from spend.fct_entity_spend_daily group by tree order by tree
"""
ROOTS = """
    select entity_key, sum(consolidated_requests_count), sum(consolidated_tokens),
        sum(consolidated_effective_cost_usd), sum(consolidated_estimated_cost_usd)
    from spend.fct_entity_spend_daily
    where entity_key in ('acme', 'customers') group by entity_key order by entity_key
"""


@dataclass
class Seen:
    """What stood outside after one pass, and the facts inside."""

    inbox: list[dict[str, Any]]
    writes: list[dict[str, Any]]
    coder: Any
    researcher: Any
    facts: str
    passes: list[tuple[Any, ...]]


def probe(platform: Platform, raw_key: str) -> Any:
    """What a call with a key is answered; the model does not exist, so none is served."""
    return platform.ask("POST", "/chat/completions", key=raw_key, json={"model": "none"})


def look(platform: Platform) -> Seen:
    facts = platform.read("select * exclude (pass_id) from core.fct_usage order by usage_key")
    return Seen(
        inbox=platform.inbox(),
        writes=platform.gateway_writes(),
        coder=probe(platform, CODER.raw),
        researcher=probe(platform, RESEARCHER.raw),
        facts=hashlib.sha256(repr(facts).encode()).hexdigest(),
        passes=platform.read("select snapshot_id, as_of from core.published_snapshot"),
    )


@dataclass
class Story:
    """Four passes: history, two runaways, the same world again, and after budgets were raised."""

    first: Seen
    second: Seen
    third: Seen
    raised: Seen
    served: Any
    secret: str
    world: dict[str, Any]
    totals: dict[str, tuple[Any, ...]]
    trees: list[tuple[Any, ...]]
    roots: list[tuple[Any, ...]]
    dearest: tuple[Any, ...]
    explained: dict[str, Any]


@pytest.fixture(scope="module")
def story(_live: Platform, history: Path) -> Story:
    """The whole story, told once for all tests of this module."""
    platform = _live
    platform.put_back(history)
    with platform.vendors() as vendors:
        secret = vendors.environment()["WEBHOOK_FINOPS_SECRET"]
        first = look(platform)
        run_away(platform)
        # Somebody else is faster with one of the two keys.
        platform.ask(
            "POST",
            "/key/block",
            json={"key": RESEARCHER.hashed},
            headers={"litellm-changed-by": "ada@acme.example"},
        )
        platform.run(at=LATER)
        second = look(platform)
        platform.run(at=LATER)
        third = look(platform)
        write_budgets(platform.config, BUDGETS.replace("amount: 100,", "amount: 1000,"))
        platform.run(at=LATER + timedelta(minutes=10))
        raised = look(platform)
        world = platform.world()
        served = platform.ask(
            "POST", "/chat/completions", key=CODER.raw, json={"model": "claude-sonnet"}
        )
    dearest = platform.read(DEAREST)[0]
    runner = CliRunner(env=platform.environment(LATER))
    explained = runner.invoke(main, ["explain", dearest[0], "--json"])
    return Story(
        first=first,
        second=second,
        third=third,
        raised=raised,
        served=served,
        secret=secret,
        world=world,
        totals={row[0]: row[1:] for row in platform.read(TOTALS)},
        trees=platform.read(TREES),
        roots=platform.read(ROOTS),
        dearest=dearest,
        explained=json.loads(explained.output),
    )


def verified(story: Story, delivery: dict[str, Any], at: datetime) -> dict[str, Any]:
    """The message as the public Standard Webhooks library reads it at that time."""

    class Then(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return at.astimezone(tz)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standardwebhooks.webhooks, "datetime", Then)
        return Webhook(story.secret).verify(delivery["body"], delivery["headers"])


def told(messages: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Type, subject and change of each message, sorted."""
    short = []
    for message in messages:
        data = message["data"]
        if message["type"].startswith("limit."):
            short.append((message["type"], data["key_alias"]))
        else:
            change = data["transition"]
            short.append((message["type"], data["budget"]["id"], change["from"], change["to"]))
    return sorted(short)


def test_what_history_had_breached_goes_out_as_one_message(story: Story) -> None:
    (only,) = story.first.inbox
    message = verified(story, only, AS_OF)

    assert message["type"] == "budget.threshold_reached"
    assert message["data"]["baseline"] is True
    assert sorted(
        (each["budget"], each["transition"]["from"], each["transition"]["to"])
        for each in message["data"]["baselines"]
    ) == [("acme-monthly", "ok", "critical"), ("ws-product-monthly", "ok", "critical")]
    assert story.first.writes == []
    assert story.first.coder.status_code == 400  # let in: only the model is not known


def test_each_change_of_state_is_told_once(story: Story) -> None:
    new = [verified(story, each, LATER) for each in story.second.inbox[1:]]

    assert told(new) == [
        ("budget.threshold_reached", "agent-coder-monthly", "ok", "critical"),
        ("budget.threshold_reached", "agent-researcher-monthly", "ok", "critical"),
        ("budget.threshold_reached", "team-platform-monthly", "ok", "info"),
        ("limit.applied", "agent-coder-key"),
    ]
    assert len({each["headers"]["webhook-id"] for each in story.second.inbox}) == 5


def test_a_message_that_was_changed_on_its_way_is_not_ours(story: Story) -> None:
    delivery = story.second.inbox[1]
    forged = {**delivery, "body": delivery["body"].replace('"ok"', '"no"')}

    with pytest.raises(standardwebhooks.webhooks.WebhookVerificationError):
        verified(story, forged, LATER)


def test_the_key_that_ran_away_is_refused(story: Story) -> None:
    assert story.second.coder.status_code == 401
    assert story.second.coder.json()["error"]["message"] == REFUSAL
    (write,) = [each for each in story.second.writes if each["changed_by"] == "meterhouse"]
    assert write["target"] == CODER.hashed
    assert write["changes"]["blocked"] is True


def test_a_key_blocked_by_somebody_else_is_never_written_to(story: Story) -> None:
    writes = [each for each in story.raised.writes if each["target"] == RESEARCHER.hashed]

    assert [each["changed_by"] for each in writes] == ["ada@acme.example"]
    assert story.second.researcher.status_code == 401
    assert story.raised.researcher.status_code == 401


def test_the_same_world_again_changes_nothing(story: Story) -> None:
    assert story.third.passes == [(3, LATER.replace(tzinfo=None))]
    assert story.third.facts == story.second.facts
    assert story.third.inbox == story.second.inbox
    assert story.third.writes == story.second.writes


def test_a_raised_budget_releases_the_key(story: Story) -> None:
    at = LATER + timedelta(minutes=10)
    new = [verified(story, each, at) for each in story.raised.inbox[len(story.third.inbox) :]]

    assert story.raised.coder.status_code == 400
    assert story.served.status_code == 200
    assert told(new) == [
        ("budget.threshold_recovered", "agent-coder-monthly", "critical", "ok"),
        ("budget.threshold_recovered", "agent-researcher-monthly", "critical", "ok"),
        ("limit.released", "agent-coder-key"),
    ]


def test_the_facts_tie_with_the_vendors_own_count(story: Story) -> None:
    calls, invocations = story.world["litellm"], story.world["bedrock"]
    assert calls["added_events"] > 0

    assert story.totals["litellm"] == (
        calls["events"],
        calls["prompt_tokens"],
        calls["completion_tokens"],
        Decimal(calls["spend_usd"]),
    )
    cached = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
    batch = story.world["bedrockcontrol"]
    assert batch["records"] > 0
    assert story.totals["bedrock"] == (
        invocations["events"] + batch["records"],
        invocations["input_tokens"]
        + sum(invocations[name] for name in cached)
        + batch["input_tokens"]
        + batch["cache_read_tokens"],
        invocations["output_tokens"] + batch["output_tokens"],
        None,  # the logs claim no cost
    )


def test_both_trees_sum_to_the_facts(story: Story) -> None:
    everything = story.totals["all"]

    assert story.trees == [("customer", *everything), ("owner", *everything)]
    assert story.roots == [("acme", *everything), ("customers", *everything)]


def test_a_dollar_is_explained_down_to_the_run_that_built_it(story: Story) -> None:
    _, list_cost, pass_id = story.dearest
    lines = story.explained["lines"]
    assert all(line["adds_up"] for line in lines)
    products = [line["quantity"] * Decimal(line["rate_usd"]) for line in lines]
    assert sum(products) == list_cost == Decimal(story.explained["cost"]["effective_cost_usd"])
    assert story.explained["provenance"]["pass_id"] == pass_id
    assert story.explained["provenance"]["dagster_run"]
