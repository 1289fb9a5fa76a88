"""Snowflake's views as standard events: credits carry the money, tokens are shown beside them.

The expected values are worked out by hand from the fixtures.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from snowflake_server import NOW, fixture, load, snowflake_server
from staged_warehouse import Event, buckets, build, events_of

from ingestion.declared_tables import declare_tables
from ingestion.snowflake_views import SUMMED

PREFIX = "acme-prod:"
FUNCTIONS = "CORTEX_AI_FUNCTIONS_USAGE_HISTORY:2026-11-20 1"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of the fixtures, read twice: an hour later two of the views were restated."""
    home = tmp_path_factory.mktemp("home")
    views = fixture("one_page")
    for name, rows in fixture("two_pages").items():
        views[name] = views.get(name, []) + rows
    with snowflake_server(views) as account:
        load(home, account.url)
        account.show(**fixture("restated"))
        load(home, account.url, now=NOW + timedelta(hours=1), only=["agent", "ai_functions"])
    declare_tables(home)
    build(home, select=["path:models/staging/snowflake_cortex"])
    return home


@pytest.fixture(scope="module")
def versions(home: Path) -> list[Event]:
    """Every version of every event of the views that add up."""
    return [
        event
        for view in SUMMED
        for event in events_of(home, f"staging.stg_snowflake_cortex__{view.resource}")
    ]


@pytest.fixture(scope="module")
def first(versions: list[Event]) -> dict[str, Event]:
    """Events as first read, by their record without the account."""
    loads = min(event["load_id"] for event in versions)
    return {
        event["source_record_id"].removeprefix(PREFIX): event
        for event in versions
        if event["load_id"] == loads
    }


@pytest.fixture(scope="module")
def newest(versions: list[Event]) -> dict[str, Event]:
    """Events as last read; what is gone from its source is not among them."""
    last: dict[str, Event] = {}
    for event in sorted(versions, key=lambda e: (e["load_id"], not e["is_removed"])):
        last[event["source_record_id"].removeprefix(PREFIX)] = event
    return {record: event for record, event in last.items() if not event["is_removed"]}


def part(events: dict[str, Event], kind: str) -> dict[str, Event]:
    return {
        record.removesuffix(f":{kind}"): event
        for record, event in events.items()
        if record.endswith(f":{kind}")
    }


def test_credits_carry_the_money_once(first: dict[str, Event]) -> None:
    credits = part(first, "credits")
    assert {record: event["quantity"] for record, event in credits.items()} == {
        f"{FUNCTIONS}0:00:00:01b-aaaa-1:AI_COMPLETE:claude-sonnet-4-5:7": Decimal("0.405"),
        f"{FUNCTIONS}1:00:00:01b-aaaa-1:AI_COMPLETE:claude-sonnet-4-5:7": Decimal("0.0675"),
        f"{FUNCTIONS}0:00:00:01b-aaaa-2:AI_EMBED:snowflake-arctic-embed-l-v2.0:7": Decimal("0.025"),
        f"{FUNCTIONS}0:00:00:01b-aaaa-3:AI_PARSE_DOCUMENT::7": Decimal("0.04"),
        "CORTEX_AGENT_USAGE_HISTORY:agt-1:claude-sonnet-4-5": Decimal("0.21"),
        # A child request is counted beside its parent.
        "CORTEX_AGENT_USAGE_HISTORY:agt-2:claude-sonnet-4-5": Decimal("0.01"),
        # 0.015 + 0.015 as an agent, 0.005 as an analyst.
        "CORTEX_AGENT_USAGE_HISTORY:agt-two:claude-sonnet-4-5": Decimal("0.035"),
        "CORTEX_AGENT_USAGE_HISTORY:agt-two:openai-gpt-4.1": Decimal("0.005"),
        "CORTEX_AGENT_USAGE_HISTORY:agt-bare:": Decimal("0.02"),
        "SNOWFLAKE_COWORK_USAGE_HISTORY:cow-1:claude-sonnet-4-5": Decimal("0.21"),
        "AI_GATEWAY_USAGE_HISTORY:gw-1:claude-sonnet-5": Decimal("0.037162"),
        "AI_GATEWAY_USAGE_HISTORY:gw-two:claude-sonnet-4-5": Decimal("0.003"),
        "AI_GATEWAY_USAGE_HISTORY:gw-two:openai-gpt-4.1": Decimal("0.001"),
        "SNOWFLAKE_COCO_USAGE_HISTORY:coco-1:claude-sonnet-4-5": Decimal("0.01"),
        "SNOWFLAKE_COCO_USAGE_HISTORY:coco-2:claude-sonnet-4-5": Decimal("0.02"),
        "CORTEX_AI_GUARDRAILS_USAGE_HISTORY:agt-1:use-1:claude-sonnet-4-5": Decimal("0.001"),
        "CORTEX_AI_GUARDRAILS_USAGE_HISTORY:agt-1:use-2:claude-sonnet-4-5": Decimal("0.001"),
        "CORTEX_ANALYST_USAGE_HISTORY:2026-11-20 10:00:00:DANA": Decimal("0.804"),
        "CORTEX_FINE_TUNING_USAGE_HISTORY:2026-11-20 11:00:00:llama3.1-8b:7": Decimal("1.5"),
        "CORTEX_PROVISIONED_THROUGHPUT_USAGE_HISTORY:2026-11-20 11:00:00:ptu-1": Decimal("0.5"),
        # Of search its serving; its embedding is the AI function's of 01b-aaaa-2.
        "CORTEX_SEARCH_DAILY_USAGE_HISTORY:2026-11-20 00:00:00:55:SERVING:": Decimal("0.6"),
    }
    assert {(e["unit"], e["is_informational"], e["total_tokens"]) for e in credits.values()} == {
        ("credits", False, 0)
    }
    assert {event["reported_cost_usd"] for event in first.values()} == {None}


def test_tokens_stand_beside_credits_in_disjoint_buckets(first: dict[str, Event]) -> None:
    tokens = part(first, "tokens")
    assert {record: buckets(event) for record, event in tokens.items()} == {
        f"{FUNCTIONS}0:00:00:01b-aaaa-1:AI_COMPLETE:claude-sonnet-4-5:7": {
            "input": 120_000, "output": 30_000,
        },
        f"{FUNCTIONS}1:00:00:01b-aaaa-1:AI_COMPLETE:claude-sonnet-4-5:7": {
            "input": 20_000, "output": 5_000,
        },
        f"{FUNCTIONS}0:00:00:01b-aaaa-2:AI_EMBED:snowflake-arctic-embed-l-v2.0:7": {
            "input": 500_000,
        },
        "CORTEX_AGENT_USAGE_HISTORY:agt-1:claude-sonnet-4-5": {
            "input": 2_000, "cache_read": 30_000, "cache_write_5m": 8_000, "output": 500,
        },
        "CORTEX_AGENT_USAGE_HISTORY:agt-2:claude-sonnet-4-5": {"input": 800, "output": 100},
        "CORTEX_AGENT_USAGE_HISTORY:agt-two:claude-sonnet-4-5": {"input": 1_100, "output": 200},
        "CORTEX_AGENT_USAGE_HISTORY:agt-two:openai-gpt-4.1": {"input": 300, "output": 50},
        "CORTEX_AGENT_USAGE_HISTORY:agt-bare:": {},
        # The granular key is not the request's id: its values are summed all the same.
        "SNOWFLAKE_COWORK_USAGE_HISTORY:cow-1:claude-sonnet-4-5": {
            "input": 2_000, "cache_read": 30_000, "cache_write_5m": 8_000, "output": 500,
        },
        "AI_GATEWAY_USAGE_HISTORY:gw-1:claude-sonnet-5": {"input": 27, "output": 7_427},
        "AI_GATEWAY_USAGE_HISTORY:gw-two:claude-sonnet-4-5": {"input": 100, "output": 20},
        "AI_GATEWAY_USAGE_HISTORY:gw-two:openai-gpt-4.1": {"input": 50, "output": 5},
        "SNOWFLAKE_COCO_USAGE_HISTORY:coco-1:claude-sonnet-4-5": {"input": 100, "output": 10},
        "SNOWFLAKE_COCO_USAGE_HISTORY:coco-2:claude-sonnet-4-5": {"input": 100, "output": 10},
        "CORTEX_AI_GUARDRAILS_USAGE_HISTORY:agt-1:use-1:claude-sonnet-4-5": {
            "input": 100, "output": 10,
        },
        "CORTEX_AI_GUARDRAILS_USAGE_HISTORY:agt-1:use-2:claude-sonnet-4-5": {
            "input": 100, "output": 10,
        },
        "CORTEX_FINE_TUNING_USAGE_HISTORY:2026-11-20 11:00:00:llama3.1-8b:7": {"input": 900_000},
        "CORTEX_REST_API_USAGE_HISTORY:req-1": {"input": 1_200, "output": 300},
        "CORTEX_REST_API_USAGE_HISTORY:req-2": {
            "input": 300, "cache_read": 8_000, "cache_write_5m": 5_000, "output": 420,
        },
        "CORTEX_REST_API_USAGE_HISTORY:req-3": {},
        **{
            f"CORTEX_REST_API_USAGE_HISTORY:page-{n}": {"input": n, "output": 10}
            for n in range(1, 6)
        },
    }  # fmt: skip
    # Tokens carry the money only where nothing counts credits.
    carrying = {record for record, event in tokens.items() if not event["is_informational"]}
    assert carrying == {record for record in tokens if record.startswith("CORTEX_REST_API")}
    missed = {
        r: e["total_mismatch_tokens"] for r, e in tokens.items() if e["total_mismatch_tokens"]
    }
    assert missed == {
        # 1,700 told, 1,300 and 350 counted.
        "CORTEX_AGENT_USAGE_HISTORY:agt-two:claude-sonnet-4-5": 50,
        # 500 told and not split.
        "CORTEX_AGENT_USAGE_HISTORY:agt-bare:": 500,
    }


def test_other_units_keep_their_name_and_carry_no_money(first: dict[str, Event]) -> None:
    assert {
        record: (event["unit"], event["quantity"], event["is_informational"])
        for record, event in part(first, "units").items()
    } == {
        f"{FUNCTIONS}0:00:00:01b-aaaa-3:AI_PARSE_DOCUMENT::7": ("pages", Decimal(12), True),
        "CORTEX_ANALYST_USAGE_HISTORY:2026-11-20 10:00:00:DANA": ("requests", Decimal(12), True),
    }


def test_credits_of_the_vendors_day_tie_out_with_its_metering(
    home: Path, first: dict[str, Event]
) -> None:
    ours = {view: fixture("one_page").get(view, []) for view in (
        "CORTEX_AI_FUNCTIONS_USAGE_HISTORY", "CORTEX_AGENT_USAGE_HISTORY",
    )}  # fmt: skip
    known = {row["REQUEST_ID"] for row in ours["CORTEX_AGENT_USAGE_HISTORY"]}
    spent: dict[tuple[Any, Any], Decimal] = defaultdict(Decimal)
    for event in part(first, "credits").values():
        is_later = event["request_id"] and event["request_id"] not in known
        is_later = is_later or "llama" in (event["model_served"] or "")
        if not is_later and not event["operation"].startswith("provisioned"):
            spent[event["usage_on"], event["service_tier"]] += event["quantity"]
    metered = {
        (row["usage_on"], row["service_type"]): row["credits_billed"]
        for row in events_of(home, "staging.stg_snowflake_cortex__metering_daily")
    }
    tied = {key: amount for key, amount in metered.items() if key[1] != "AI_INFERENCE"}
    assert {key[1]: amount for key, amount in tied.items()} == {
        "AI_FUNCTIONS": Decimal("0.5375"),
        "CORTEX_AGENTS": Decimal("0.22"),
        "AI_SERVICES": Decimal("0.804"),
    }
    assert {key: spent[key] for key in tied} == tied


def test_an_hour_that_grew_and_a_request_that_got_its_model_replace_what_they_were(
    newest: dict[str, Event],
) -> None:
    hour = f"{FUNCTIONS}0:00:00:01b-aaaa-1:AI_COMPLETE:claude-sonnet-4-5:7"
    assert newest[f"{hour}:credits"]["quantity"] == Decimal("0.54")
    assert buckets(newest[f"{hour}:tokens"]) == {"input": 160_000, "output": 40_000}
    agents = {
        record.split(":", 1)[1]: event["quantity"]
        for record, event in part(newest, "credits").items()
        if record.startswith("CORTEX_AGENT")
    }
    # The part without a model is gone: it would count the request twice.
    assert agents == {
        "agt-1:claude-sonnet-4-5": Decimal("0.21"),
        "agt-2:claude-sonnet-4-5": Decimal("0.01"),
        "agt-two:claude-sonnet-4-5": Decimal("0.035"),
        "agt-two:openai-gpt-4.1": Decimal("0.005"),
        "agt-bare:claude-haiku-4-5": Decimal("0.02"),
    }


def who(event: Event) -> dict[str, str]:
    """The identifiers of an event that are told."""
    return {
        name.removeprefix("raw_"): value
        for name, value in event.items()
        if name.startswith("raw_") and value is not None and name != "raw_organization"
    }


def test_who_is_told_by_tags_roles_and_the_list_of_users(first: dict[str, Event]) -> None:
    credits = part(first, "credits")
    assert who(credits[f"{FUNCTIONS}0:00:00:01b-aaaa-1:AI_COMPLETE:claude-sonnet-4-5:7"]) == {
        "user": "dana@example.com", "team": "support", "customer": "cust_acme",
    }  # fmt: skip
    embedding = f"{FUNCTIONS}0:00:00:01b-aaaa-2:AI_EMBED:snowflake-arctic-embed-l-v2.0:7"
    # A user without an e-mail address is its name; a query without a tag is its role's.
    assert who(credits[embedding]) == {"user": "SVC_SEARCH", "team": "SEARCH_OWNER"}
    assert who(credits["CORTEX_AGENT_USAGE_HISTORY:agt-1:claude-sonnet-4-5"]) == {
        "user": "dana@example.com", "team": "support", "agent": "SUPPORT.AGENTS.SUPPORT_AGENT",
        "application": "sql_function",
    }  # fmt: skip
    assert who(credits["CORTEX_AGENT_USAGE_HISTORY:agt-two:openai-gpt-4.1"]) == {
        "user": "SVC_SEARCH", "team": "search", "application": "sql_function",
    }  # fmt: skip
    assert who(credits["CORTEX_ANALYST_USAGE_HISTORY:2026-11-20 10:00:00:DANA"]) == {
        "user": "dana@example.com"
    }
    assert {event["raw_organization"] for event in first.values()} == {"acme-prod"}


def test_calls_and_hours_are_told_apart(first: dict[str, Event]) -> None:
    failed = {record for record, event in first.items() if event["status"] == "error"}
    assert failed == {"CORTEX_REST_API_USAGE_HISTORY:req-3:tokens"}
    call = first["CORTEX_REST_API_USAGE_HISTORY:req-2:tokens"]
    assert (call["region"], call["latency_ms"], call["request_id"]) == (
        "AWS_GLOBAL",
        9_000,
        "req-2",
    )
    child = first["CORTEX_AGENT_USAGE_HISTORY:agt-2:claude-sonnet-4-5:credits"]
    assert (child["trace_id"], child["request_id"]) == ("agt-1", "agt-2")
    hour = first["CORTEX_ANALYST_USAGE_HISTORY:2026-11-20 10:00:00:DANA:credits"]
    assert (hour["fidelity"], hour["usage_origin"]) == ("aggregate", "bucket")
    assert hour["period_start_at"] == datetime(2026, 11, 20, 10)  # noqa: DTZ001
    assert hour["period_end_at"] == datetime(2026, 11, 20, 11)  # noqa: DTZ001
    told = {
        (e["source"], e["provider"], e["evidence_layer"], e["token_convention"])
        for e in first.values()
    }
    assert told == {("snowflake_cortex", "snowflake", "provider_log", "disjoint")}
    assert len({event["usage_key"] for event in first.values()}) == len(first)


def test_rates_and_users_stand_beside_the_usage(home: Path) -> None:
    [rate] = events_of(home, "staging.stg_snowflake_cortex__rate_sheet_daily")
    assert (rate["usage_type"], rate["effective_rate_amount"], rate["currency_code"]) == (
        "ai_functions",
        Decimal(2),
        "USD",
    )
    users = events_of(home, "staging.stg_snowflake_cortex__users")
    assert {(user["user_id"], user["email"]) for user in users} == {
        ("42", "dana@example.com"),
        ("9", None),
    }
