"""Agentforce's objects as standard events: credits carry the money, tokens are informational.

The expected values are worked out by hand from the recorded answers and from rows made up here.
"""

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from agentforce_server import (
    CALLS,
    DAYS,
    EVENTS,
    NOW,
    TRANSACTIONS,
    load_agentforce,
    org_server,
    recorded,
    table_of,
)
from staged_warehouse import Event, buckets, build, events_of

from ingestion.declared_tables import declare_tables
from sandbox.agentforce_wallet import Table

ORG = "00D000000000001EAA"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse staged over two loads; between them the daily total grew."""
    home = tmp_path_factory.mktemp("home")
    tables = recorded()
    act, call = tables[EVENTS].rows[0], tables[CALLS].rows[0]
    tables[EVENTS].rows.append(
        {**act, "id__c": "other card", "carddefinitiondevelopername__c": "DataServicesCredits"}
    )
    made_up = (
        {"Id__c": "total differs", "PromptTotalTokenCount__c": 4_400.0},
        {"Id__c": "no total", "PromptTotalTokenCount__c": None, "UserId__c": ""},
        {"Id__c": "real flags", "IsBillableIndicator__c": True, "AgentDeveloperName__c": None},
    )
    tables[CALLS].rows.extend({**call, **fields} for fields in made_up)
    tables[TRANSACTIONS].rows.append(
        {
            **tables[TRANSACTIONS].rows[1],
            "quantity__c": 60.0,
            "entitlementtransactiontype__c": "Refund",
        }
    )
    with org_server(tables) as org:
        load_agentforce(home, org.url)
        org.tables[DAYS] = table_of("daily_consumption_pull2_restated")
        load_agentforce(home, org.url, now=NOW + timedelta(hours=1))
        # A day that Salesforce no longer states is no total any more.
        org.tables[DAYS] = Table(
            "DataLakeObject", org.tables[DAYS].columns, org.tables[DAYS].rows[:1]
        )
        load_agentforce(home, org.url, now=NOW + timedelta(hours=2))
    declare_tables(home)
    build(home, select=["path:models/staging/agentforce"])
    return home


@pytest.fixture(scope="module")
def acts(home: Path) -> dict[str, Event]:
    """Billable acts by their id."""
    found = events_of(home, "staging.stg_agentforce__enriched_usage")
    return {event["source_record_id"].split("/")[-1]: event for event in found}


@pytest.fixture(scope="module")
def calls(home: Path) -> dict[str, Event]:
    """Model calls by their id."""
    found = events_of(home, "staging.stg_agentforce__generative_ai_usage")
    return {event["source_record_id"].split("/")[-1]: event for event in found}


def test_quantity_is_what_was_consumed_in_the_unit_of_the_card(acts: dict[str, Event]) -> None:
    told = {
        id: (event["operation"], event["unit"], event["quantity"]) for id, event in acts.items()
    }
    assert told == {
        "tue-0001": ("agent_action", "credits", Decimal(20)),
        # Two actions at 20.
        "tue-0002": ("agent_action", "credits", Decimal(40)),
        # Voice is 30.
        "tue-0003": ("agent_action", "credits", Decimal(30)),
        "tue-0004": ("conversation", "conversations", Decimal(1)),
        # A sandbox's multiplier is 16.
        "tue-0005": ("agent_action", "credits", Decimal(16)),
        # No rate of flex credits may price the credits of another card.
        "other card": ("agent_action", "dataservicescredits", Decimal(20)),
    }
    assert all(not buckets(event) for event in acts.values())
    assert {event["reported_cost_usd"] for event in acts.values()} == {None}
    assert {event["is_informational"] for event in acts.values()} == {False}


def test_raw_quantity_multiplier_and_environment_are_kept(acts: dict[str, Event]) -> None:
    tags = {id: json.loads(event["tags"]) for id, event in acts.items()}
    kept = {
        id: (each["usage_value"], each["multiplier"], each["environment"])
        for id, each in tags.items()
    }
    assert kept["tue-0002"] == ("2", "20", "Production")
    assert kept["tue-0003"] == ("1", "30", "Production")
    assert kept["tue-0005"] == ("1", "16", "Sandbox")


def test_who_acted_is_the_action_and_a_conversation_is_no_agent(acts: dict[str, Event]) -> None:
    told = {
        id: (event["raw_organization"], event["raw_agent"], event["session_id"])
        for id, event in acts.items()
    }
    assert told["tue-0001"] == (ORG, "QueryRecords", None)
    assert told["tue-0002"] == (ORG, "Refund_Order", None)
    assert told["tue-0004"] == (ORG, "ASA Messaging", "0Mw000000000001AAA")
    assert told["tue-0005"] == ("00D000000000009EAA", "QueryRecords", None)
    assert acts["tue-0001"]["request_id"] == "corr-1"
    assert acts["tue-0004"]["raw_feature"] == "AgentforceServiceAgent"


def test_an_event_says_where_it_comes_from(acts: dict[str, Event], calls: dict[str, Event]) -> None:
    names = ("source", "source_instance", "evidence_layer", "fidelity", "usage_origin", "provider")
    told = {tuple(event[name] for name in names) for event in (*acts.values(), *calls.values())}
    assert told == {("agentforce", "agentforce-main", "saas", "per_request", "event", "salesforce")}
    assert acts["tue-0001"]["occurred_at"] == datetime(2026, 10, 5, 9, 0, 11)  # noqa: DTZ001
    assert acts["tue-0001"]["source_record_id"] == f"{ORG}/enriched_usage/tue-0001"
    assert len({event["usage_key"] for event in (*acts.values(), *calls.values())}) == 6 + 5


def test_tokens_are_whole_and_their_cache_split_is_unknown(calls: dict[str, Event]) -> None:
    assert {id: buckets(event) for id, event in calls.items()} == {
        "genu-0001": {"input": 4_210, "output": 183},
        "genu-0002": {"input": 2_100, "output": 40},
        "total differs": {"input": 4_210, "output": 183},
        "no total": {"input": 4_210, "output": 183},
        "real flags": {"input": 4_210, "output": 183},
    }
    assert {event["token_convention"] for event in calls.values()} == {"unsplit"}
    assert {id: event["total_mismatch_tokens"] for id, event in calls.items()} == {
        "genu-0001": 0,
        "genu-0002": 0,
        # 4,400 - 4,210 - 183
        "total differs": 7,
        "no total": None,
        "real flags": 0,
    }


def test_tokens_carry_no_money_and_say_whether_they_were_billed(calls: dict[str, Event]) -> None:
    assert {event["is_informational"] for event in calls.values()} == {True}
    assert {(event["unit"], event["reported_cost_usd"]) for event in calls.values()} == {
        (None, None)
    }
    planner = json.loads(calls["genu-0002"]["tags"])
    assert (planner["billable"], planner["skip_reason"]) == ("false", "PLANNER_CALL")
    assert json.loads(calls["genu-0001"]["tags"])["billable"] == "true"
    assert json.loads(calls["real flags"]["tags"])["billable"] == "true"


def test_who_called_is_the_user_unless_it_is_not_set(calls: dict[str, Event]) -> None:
    told = {
        id: (event["raw_user"], event["raw_agent"], event["session_id"], event["trace_id"])
        for id, event in calls.items()
    }
    assert told["genu-0001"] == ("005000000000001AAA", "Case_Helper", "sess-1", "trace-1")
    assert told["genu-0002"] == (None, "Case_Helper", "sess-1", "trace-1")
    assert told["no total"][0] is None
    # Without a name the agent is its id.
    assert told["real flags"][1] == "0Xx000000000001"
    served = calls["genu-0001"]
    assert (served["model_requested"], served["model_served"]) == (
        "demo-gateway-model",
        "demo-provider-model",
    )


def test_a_refund_is_an_adjustment_below_zero_and_a_purchase_is_no_usage(home: Path) -> None:
    [refund] = events_of(home, "staging.stg_agentforce__entitlement_transactions")
    assert (refund["usage_origin"], refund["unit"], refund["quantity"]) == (
        "adjustment",
        "credits",
        Decimal(-60),
    )
    assert str(refund["usage_on"]) == "2026-10-04"
    listed = events_of(home, "staging.stg_agentforce__entitlements")
    assert sorted((row["transaction_type"], row["quantity"]) for row in listed) == [
        ("Credit", Decimal(2_000)),
        ("New", Decimal(500_000)),
        ("Refund", Decimal(60)),
    ]


def test_the_daily_total_is_the_newest_reading(home: Path) -> None:
    [total] = events_of(home, "staging.stg_agentforce__daily_consumption")
    assert (total["usage_on"], total["card"], total["unit"], total["quantity"]) == (
        date(2026, 10, 5),
        "FlexCredits",
        "credits",
        Decimal(126),
    )
