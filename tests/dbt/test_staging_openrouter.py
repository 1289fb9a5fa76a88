"""OpenRouter's days, hours and generations as standard events: counts are inclusive, BYOK adds up.

The expected values are worked out by hand from the recorded answers, and from rows made up here.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from openrouter_account import (
    CHECKOUT,
    OPENROUTER,
    RESEARCH,
    WORKSPACE,
    Account,
    day,
    fixture,
    key,
    load_account,
    running,
)
from raw_loads import NOW
from staged_warehouse import Event, buckets, build, events_of

from ingestion.declared_tables import declare_tables

HOURLY = "openrouter-hours"
GPT, SONNET = "openai/gpt-4.1-2025-04-14", "anthropic/claude-4.5-sonnet-20250929"
EMBEDDING, FREE = "openai/text-embedding-3-small", "deepseek/deepseek-chat-v3.1:free"
PLAIN, BYOK, HIT = "gen-1795166042-SynAaaaaaaaaaaaaaaaa", "gen-syn-byok", "gen-syn-cachehit"
CANCELLED, FALLBACK, EMBED = "gen-syn-cancelled", "gen-syn-fallback", "gen-syn-embed"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two readings of an account by days, one of an account by hours, and six generations."""
    home: Path = tmp_path_factory.mktemp("home")
    records = {each["data"]["id"]: each["data"] for each in fixture("generation.json")}
    analytics = fixture("analytics_query.json")["response"]["data"]["data"]
    account = Account(
        keys=[
            fixture("keys_page1.json")["data"][0],
            key(RESEARCH, name="research", external_user="cust-12"),
            *fixture("keys_page2.json")["data"],
        ],
        activity={
            CHECKOUT: fixture("activity_one_page.json")["data"],
            RESEARCH: [day("2026-11-22", cached_tokens=130, workspace_id=None, reasoning_tokens=4)],
        },
        hours={None: analytics, CHECKOUT: analytics[:1], RESEARCH: analytics[1:]},
        generations=records,
    )
    with running(account) as server:
        load_account(home, server.url, now=NOW - timedelta(hours=1), generation_ids=[*records])
        account.activity[CHECKOUT] = fixture("activity_restated.json")["data"]
        account.credits["total_usage"] = 26
        load_account(home, server.url, generation_ids=[*records])
        load_account(home, server.url, ledger="analytics", instance=HOURLY)
    declare_tables(home)
    build(home, select=["path:models/staging/openrouter"])
    return home


@pytest.fixture(scope="module")
def versions(home: Path) -> list[Event]:
    """Every version of a day, oldest first."""
    found = events_of(home, "staging.stg_openrouter__activity")
    return sorted(found, key=lambda event: event["load_id"])


@pytest.fixture(scope="module")
def first(versions: list[Event]) -> dict[str, Event]:
    """The days of the recorded answer as first read, by model."""
    return {
        event["model_served"]: event
        for event in versions
        if event["load_id"] == versions[0]["load_id"] and event["raw_key_hash"] == CHECKOUT
    }


@pytest.fixture(scope="module")
def generations(home: Path) -> dict[str, Event]:
    """Generations by their id."""
    found = events_of(home, "staging.stg_openrouter__generations")
    return {event["source_record_id"]: event for event in found}


def test_counts_of_a_day_are_parted_into_disjoint_buckets(first: dict[str, Event]) -> None:
    assert {name: buckets(event) for name, event in first.items()} == {
        # 410,000 in of which 120,000 from the cache.
        GPT: {"input": 290_000, "cache_read": 120_000, "output": 52_000},
        # 150,000 in of which 98,000 from the cache, 9,000 out of which 3,100 reasoned.
        SONNET: {"input": 52_000, "cache_read": 98_000, "output": 5_900, "reasoning": 3_100},
        EMBEDDING: {"input": 20_000},
        FREE: {"input": 900, "output": 300},
    }
    assert {event["total_mismatch_tokens"] for event in first.values()} == {0}
    assert first[SONNET]["total_tokens"] == 159_000


def test_more_cached_than_prompt_tokens_show_as_a_mismatch(versions: list[Event]) -> None:
    [event] = [event for event in versions if event["raw_key_alias"] == "research"]
    assert buckets(event) == {"cache_read": 130, "output": 6, "reasoning": 4}
    assert event["total_mismatch_tokens"] == -30
    assert (event["raw_workspace"], event["raw_customer"]) == (None, "cust-12")


def test_with_an_own_provider_key_the_fee_and_the_provider_add_up(first: dict[str, Event]) -> None:
    assert {name: event["reported_cost_usd"] for name, event in first.items()} == {
        GPT: Decimal("1.2345"),
        # A fee of 0.031 and 0.62 to the provider.
        SONNET: Decimal("0.651"),
        EMBEDDING: Decimal("0.0004"),
        # What is free is known to cost nothing.
        FREE: Decimal(0),
    }
    assert {event["reported_cost_basis"] for event in first.values()} == {"billed"}


def test_a_day_is_a_bucket_of_a_key(first: dict[str, Event]) -> None:
    told = {
        tuple(event[name] for name in (
            "source", "source_instance", "evidence_layer", "fidelity", "usage_origin", "status",
            "token_convention", "is_informational", "unit", "raw_workspace", "raw_key_hash",
            "raw_key_alias", "raw_customer",
        ))
        for event in first.values()
    }  # fmt: skip
    assert told == {
        (
            "openrouter", OPENROUTER, "gateway", "aggregate", "bucket", "ok", "inclusive", False,
            "requests", WORKSPACE, CHECKOUT, "checkout-prod", None,
        )
    }  # fmt: skip
    event = first[SONNET]
    assert event["source_record_id"] == (
        f"2026-11-20:{CHECKOUT}:{WORKSPACE}:550e8400-e29b-41d4-a716-446655440001:{SONNET}"
    )
    assert event["occurred_at"] == event["period_start_at"] == datetime(2026, 11, 20)  # noqa: DTZ001
    assert event["period_end_at"] == datetime(2026, 11, 21)  # noqa: DTZ001
    assert event["quantity"] == 37
    assert (event["provider"], event["model_requested"], event["operation"]) == (
        "amazon_bedrock", "anthropic/claude-sonnet-4.5", "chat",
    )  # fmt: skip
    assert (first[EMBEDDING]["provider"], first[EMBEDDING]["operation"]) == ("openai", "embeddings")


def test_a_restated_day_stands_beside_the_old_one_and_what_is_gone_is_marked(
    versions: list[Event], first: dict[str, Event]
) -> None:
    last = versions[-1]["load_id"]
    assert last > versions[0]["load_id"]
    restated = {event["model_served"]: event for event in versions if event["load_id"] == last}
    assert {name: event["is_removed"] for name, event in restated.items()} == {
        GPT: False, SONNET: False, EMBEDDING: True,
    }  # fmt: skip
    assert {event["is_removed"] for event in first.values()} == {False}
    assert restated[GPT]["reported_cost_usd"] == Decimal("0.75")
    assert buckets(restated[GPT]) == {"input": 220_000, "cache_read": 80_000, "output": 52_000}
    for name in restated:
        assert restated[name]["usage_key"] == first[name]["usage_key"]
    assert restated[GPT]["row_hash"] != first[GPT]["row_hash"]
    assert restated[SONNET]["row_hash"] == first[SONNET]["row_hash"]


def test_hours_as_the_ledger_cost_their_total_which_holds_byok_already(home: Path) -> None:
    events = {
        event["model_served"]: event
        for event in events_of(home, "staging.stg_openrouter__analytics")
    }
    # The recorded answer names the one model by its slug and the other one by its permaslug.
    assert {name: event["reported_cost_usd"] for name, event in events.items()} == {
        "openai/gpt-4.1": Decimal("0.51"),
        # 0.03 in credits and 0.62 to the provider are 0.65, not 1.27.
        SONNET: Decimal("0.65"),
    }
    assert buckets(events["openai/gpt-4.1"]) == {"input": 164_000, "output": 21_000}
    event = events[SONNET]
    assert buckets(event) == {"input": 150_000, "output": 5_900, "reasoning": 3_100}
    assert event["occurred_at"] == event["period_start_at"] == datetime(2026, 11, 20, 10)  # noqa: DTZ001
    assert event["period_end_at"] == datetime(2026, 11, 20, 11)  # noqa: DTZ001
    assert {each["source_instance"] for each in events.values()} == {HOURLY}
    assert (event["fidelity"], event["usage_origin"]) == ("aggregate", "bucket")
    assert (event["raw_key_alias"], event["raw_customer"]) == ("research", "cust-12")


def test_totals_of_the_account_are_no_usage(home: Path) -> None:
    totals = {
        event["model_served"]: event
        for event in events_of(home, "staging.stg_openrouter__account_hours")
    }
    assert {event["source_instance"] for event in totals.values()} == {OPENROUTER}
    assert {name: event["reported_cost_usd"] for name, event in totals.items()} == {
        "openai/gpt-4.1": Decimal("0.51"),
        SONNET: Decimal("0.65"),
    }
    assert totals[SONNET]["total_tokens"] == 159_000
    assert totals["openai/gpt-4.1"]["byok_cost_usd"] is None


def test_generations_are_parted_and_priced_by_what_they_say(generations: dict[str, Event]) -> None:
    # 2,000 in of which 1,024 from the cache, in the tokens of the model itself.
    chat = {"input": 976, "cache_read": 1_024, "output": 250}
    assert {name: buckets(event) for name, event in generations.items()} == {
        PLAIN: chat,
        BYOK: {"input": 976, "cache_read": 1_024, "output": 160, "reasoning": 90},
        HIT: {},
        CANCELLED: {"input": 976, "cache_read": 1_024, "output": 12},
        FALLBACK: chat,
        EMBED: {"input": 976, "cache_read": 1_024},
    }
    assert {name: event["reported_cost_usd"] for name, event in generations.items()} == {
        PLAIN: Decimal("0.0045"),
        # The fee of 0.00011 and 0.0022 to the provider.
        BYOK: Decimal("0.00231"),
        HIT: 0,
        # A stream that was cut off is billed all the same.
        CANCELLED: Decimal("0.0009"),
        FALLBACK: Decimal("0.0045"),
        EMBED: Decimal("0.00004"),
    }
    assert {event["total_mismatch_tokens"] for event in generations.values()} == {0}


def test_generations_say_whose_they_were_and_carry_no_money_of_their_own(
    generations: dict[str, Event],
) -> None:
    assert {event["is_informational"] for event in generations.values()} == {True}
    assert {event["fidelity"] for event in generations.values()} == {"per_request"}
    event = generations[PLAIN]
    told = ("request_id", "session_id", "raw_customer", "raw_application", "raw_workspace")
    assert [event[name] for name in told] == [PLAIN, "sess-9", "cust-12", "12345", WORKSPACE]
    assert (event["provider"], event["model_served"], event["operation"]) == (
        "openai", "openai/gpt-4.1", "chat",
    )  # fmt: skip
    assert event["occurred_at"] == datetime(2026, 11, 20, 9, 14, 2, 113_273)  # noqa: DTZ001
    assert (event["latency_ms"], event["region"]) == (640, "global")
    assert [name for name, each in generations.items() if each["is_gateway_cache_hit"]] == [HIT]
    assert {name: each["attempt"] for name, each in generations.items() if each["attempt"] > 1} == {
        FALLBACK: 2
    }
    assert {name: each["tags"] for name, each in generations.items() if each["tags"]} == {
        CANCELLED: '{"cancelled":"true"}'
    }
    assert generations[EMBED]["operation"] == "embeddings"
    assert generations[BYOK]["provider"] == "amazon_bedrock"


def test_keys_tell_no_limit_from_one_of_nothing_left(home: Path) -> None:
    keys = {
        key["key_alias"]: key
        for key in events_of(home, "staging.stg_openrouter__keys")
        if key["source_instance"] == OPENROUTER
    }
    told = ("is_disabled", "is_unlimited", "limit_usd", "limit_remaining_usd", "limit_reset")
    assert {name: tuple(key[column] for column in told) for name, key in keys.items()} == {
        "checkout-prod": (False, False, Decimal(100), Decimal("74.5"), "monthly"),
        "research": (False, True, None, None, None),
        "disabled": (True, False, Decimal("0.01"), 0, "monthly"),
    }
    checkout = keys["checkout-prod"]
    assert checkout["key_hash"] == CHECKOUT
    assert (checkout["usage_usd"], checkout["byok_usage_usd"]) == (25.5, Decimal("0.62"))
    assert checkout["created_at"] == datetime(2026, 8, 24, 10, 30)  # noqa: DTZ001


def test_credits_are_those_last_read_on_a_day(home: Path) -> None:
    found = [
        (each["observed_on"], each["total_credits_usd"], each["total_usage_usd"])
        for each in events_of(home, "staging.stg_openrouter__credits")
        if each["source_instance"] == OPENROUTER
    ]
    assert found == [(date(2026, 11, 23), Decimal("100.5"), Decimal(26))]
