"""Langfuse's observations as standard events: disjoint buckets, repeated usage, who it was for.

The expected values are worked out by hand from the recorded pages, and from observations made up
here.
"""

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langfuse_export_files import deliver, exported
from langfuse_project import V2, langfuse_project, load_langfuse, observation
from raw_loads import FIXTURES, NOW
from scripted_server import Asked
from staged_warehouse import Event, buckets, build, events_of

from ingestion.declared_tables import declare_tables
from sandbox.company import BUCKET, REGION
from sandbox.s3 import ACCESS_KEY_ID, SECRET_ACCESS_KEY, BucketServer

PAGES = FIXTURES / "langfuse"
OPENAI, LITELLM, EMBED = "00f067aa0ba902b7", "1f3c9d2ab4e5f607", "3b5e7f901a2b3c4d"
FAILED, UNITS, AGENT = "4c6f8091a2b3c4d5", "5d7091a2b3c4d5e6", "2a4d6e8f0a1b2c3d"
CALL = {"input": 100, "output": 10, "total": 110}
MADE_UP = {
    "agent": {"type": "AGENT", "name": "triage", "totalCost": 0.002},
    "step": {
        "type": "CHAIN", "parentObservationId": "agent", "usageDetails": {}, "totalCost": None,
    },
    "call": {"parentObservationId": "step"},
    "unpriced": {"totalCost": None},
    "event": {"type": "EVENT", "usageDetails": {}, "totalCost": None},
    "failed span": {"type": "SPAN", "usageDetails": {}, "totalCost": 0, "level": "ERROR"},
    "by tags": {
        "userId": None, "traceName": "nightly",
        "tags": ["team:search", "customer:northwind", "user=ada", "app:web", "feature:chat", "x"],
    },
    "by metadata": {
        "userId": "ada", "tags": ["team:search"],
        "metadata": {
            "user_api_key_team_id": "team-alpha", "customer_id": "contoso", "agent_id": "coder",
            "user_api_key_alias": "alpha-key", "user_api_key_hash": "ab" * 32, "ls_provider": "xai",
        },
    },
    "time-10-12-13-123456_chatcmpl-77": {},
    "writes at OpenAI": {"usageDetails": {"input": 400, "input_cache_creation": 600}},
    "writes at Anthropic": {
        "providedModelName": "claude-sonnet-4-5",
        "usageDetails": {"input": 4, "input_cache_creation": 600, "input_cache_creation_1h": 50},
    },
    "flagged": {"usageDetails": {"input": 100, "output": 50, "total": 999}},
    "modalities": {
        "providedModelName": "gemini-2.5-pro",
        "usageDetails": {
            "input": 5, "input_modality_audio": 30, "input_modality_image": 20,
            "output": 7, "output_audio_tokens": 15,
        },
    },
    "backwards": {"endTime": "2026-11-20T10:00:00.000Z"},
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with both recorded pages, the recorded export and what is made up."""
    home = tmp_path_factory.mktemp("home")
    pages = [json.loads((PAGES / f"v2_observations_page{n}.json").read_text()) for n in (1, 2)]
    made_up = [
        observation(name, at="2026-11-20T10:06:00.000Z", **fields)
        for name, fields in MADE_UP.items()
    ]
    recorded = [row for page in pages for row in page["data"]]

    def rewrite(asked: Asked, body: Any) -> Any:
        is_day = asked.query.get("fromStartTime", "").startswith("2026-11-20")
        return {"data": made_up + recorded, "meta": {}} if asked.path == V2 and is_day else body

    metrics = json.loads((PAGES / "v2_metrics.json").read_text())["data"]
    with langfuse_project() as project, BucketServer(port=0) as bucket:
        project.rewrite, project.metrics = rewrite, metrics
        # The export knows an older version of one of them, and one that the API does not show.
        stale = exported("call", usage_details={"input": 1}, updated_at="2026-11-20 10:05:00.000")
        deliver(bucket, "2026-11-20T12-00-00", [stale, exported("only exported")])
        options = {
            "bucket": BUCKET,
            "prefix": "langfuse",
            "region": REGION,
            "endpoint_url": bucket.url,
            "access_key_id": ACCESS_KEY_ID,
            "secret_access_key": SECRET_ACCESS_KEY,
        }
        load_langfuse(home, project.url, resource=None, **options)
    declare_tables(home)
    build(home, select=["path:models/staging/langfuse"])
    return home


@pytest.fixture(scope="module")
def events(home: Path) -> dict[str, Event]:
    """Standard events from the API by the observation's id."""
    return told(home, is_removed=False)


def told(home: Path, *, is_removed: bool) -> dict[str, Event]:
    return {
        event["source_record_id"].removeprefix("prj_demo_01:"): event
        for event in events_of(home, "staging.stg_langfuse__observations")
        if event["is_removed"] == is_removed
    }


def test_what_used_nothing_is_loaded_and_takes_back_what_an_earlier_version_said(
    home: Path, events: dict[str, Event]
) -> None:
    raw = {row["id"] for row in events_of(home, "raw_langfuse.observations")}
    assert told(home, is_removed=True).keys() == {AGENT, "step", "event", "failed span"}
    assert raw == events.keys() | told(home, is_removed=True).keys()
    assert len(raw) == 6 + len(MADE_UP)


def test_counts_are_parted_into_disjoint_buckets(events: dict[str, Event]) -> None:
    recorded = (OPENAI, LITELLM, EMBED, FAILED, UNITS)
    assert {name: buckets(events[name]) for name in recorded} == {
        OPENAI: {"input": 900, "cache_read": 300, "output": 180, "reasoning": 64},
        # 5,300 in contain the 5,000 written: 13,720 in all are 300 + 8,000 + 5,000 + 420.
        LITELLM: {"input": 300, "cache_read": 8_000, "cache_write_5m": 5_000, "output": 420},
        EMBED: {"input": 2_048},
        FAILED: {},
        UNITS: {},
    }
    assert [events[name]["total_tokens"] for name in recorded] == [1_444, 13_720, 2_048, 0, 0]
    assert buckets(events["modalities"]) == {
        "input": 5, "audio_input": 30, "image_input": 20, "output": 7, "audio_output": 15,
    }  # fmt: skip


def test_writes_of_unknown_lifetime_are_the_default_of_their_provider(
    events: dict[str, Event],
) -> None:
    assert buckets(events["writes at OpenAI"]) == {"input": 400, "cache_write_30m": 600}
    assert buckets(events["writes at Anthropic"]) == {
        "input": 4, "cache_write_5m": 600, "cache_write_1h": 50,
    }  # fmt: skip


def test_what_the_total_does_not_explain_is_flagged(events: dict[str, Event]) -> None:
    told = {name: event["total_mismatch_tokens"] for name, event in events.items()}
    # 999 told, 150 counted.
    assert {name: count for name, count in told.items() if count} == {"flagged": 849}
    # No total was told, or no usage.
    assert {name for name, count in told.items() if count is None} == {
        FAILED, "writes at OpenAI", "writes at Anthropic", "modalities",
    }  # fmt: skip


def test_custom_units_keep_their_name(events: dict[str, Event]) -> None:
    assert (events[UNITS]["unit"], events[UNITS]["quantity"]) == ("search_units", 3)
    assert {event["unit"] for name, event in events.items() if name != UNITS} == {None}


def test_the_claim_is_the_total_cost_and_none_is_no_claim(events: dict[str, Event]) -> None:
    costs = {name: event["reported_cost_usd"] for name, event in events.items()}
    assert [costs[name] for name in (OPENAI, LITELLM, EMBED, FAILED, UNITS)] == [
        Decimal("0.0007804"), Decimal("0.02835"), Decimal("0.00004096"), 0, Decimal("0.006"),
    ]  # fmt: skip
    assert costs["unpriced"] is None


def test_a_parent_that_repeats_usage_carries_no_money(events: dict[str, Event]) -> None:
    assert [name for name, event in events.items() if event["is_informational"]] == ["agent"]
    assert buckets(events["agent"]) == buckets(events["call"]) == {"input": 100, "output": 10}


def test_failures_models_and_operations_are_told(events: dict[str, Event]) -> None:
    assert [name for name, event in events.items() if event["status"] == "error"] == [FAILED]
    told = ("provider", "model_served", "operation")
    names = (OPENAI, LITELLM, EMBED, UNITS, "by metadata", "modalities", "agent")
    assert [tuple(events[name][column] for column in told) for name in names] == [
        ("openai", "gpt-4.1-mini", "chat"),
        ("aws_bedrock", "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "chat"),
        ("openai", "text-embedding-3-small", "embeddings"),
        (None, "acme-rerank-1", "chat"),
        ("xai", "gpt-4.1-mini", "chat"),
        ("gemini", "gemini-2.5-pro", "chat"),
        ("openai", "gpt-4.1-mini", "agent"),
    ]


def test_who_is_told_by_fields_metadata_tags_and_the_tree(events: dict[str, Event]) -> None:
    def who(name: str) -> dict[str, str]:
        return {
            key.removeprefix("raw_"): value
            for key, value in events[name].items()
            if key.startswith("raw_") and value is not None
        }

    assert who(OPENAI) == {
        "workspace": "prj_demo_01", "team": "support", "user": "user-17", "customer": "cust_acme",
        "agent": "support-chat",
    }  # fmt: skip
    assert who(LITELLM)["team"] == "team-alpha"
    assert who("call")["agent"] == who("agent")["agent"] == "triage"
    assert who("by tags") == {
        "workspace": "prj_demo_01", "team": "search", "user": "ada", "customer": "northwind",
        "agent": "nightly", "application": "web", "feature": "chat",
    }  # fmt: skip
    assert who("by metadata") == {
        "workspace": "prj_demo_01", "team": "team-alpha", "user": "ada", "customer": "contoso",
        "agent": "coder", "key_hash": "ab" * 32, "key_alias": "alpha-key",
    }  # fmt: skip
    assert json.loads(events["by tags"]["tags"]) == {
        "team": "search", "customer": "northwind", "user": "ada", "app": "web", "feature": "chat",
        "x": "true",
    }  # fmt: skip


def test_ids_join_the_gateways_rows(events: dict[str, Event]) -> None:
    assert events[LITELLM]["request_id"] == "5b0a3c0e-5a7e-4f5f-9a60-0d3b1f6a9e11"
    assert events["time-10-12-13-123456_chatcmpl-77"]["request_id"] == "chatcmpl-77"
    assert events[OPENAI]["request_id"] is None
    assert events[OPENAI]["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert events[OPENAI]["session_id"] == "sess-88"


def test_times_are_utc_and_what_ends_before_it_began_has_no_latency(
    events: dict[str, Event],
) -> None:
    event = events[OPENAI]
    assert event["occurred_at"] == datetime(2026, 11, 20, 10, 5)  # noqa: DTZ001
    assert event["loaded_at"] == NOW.replace(tzinfo=None)
    assert event["latency_ms"] == 1_700
    assert events["backwards"]["latency_ms"] is None


def test_an_event_says_where_it_comes_from(events: dict[str, Event]) -> None:
    told = {
        tuple(event[name] for name in (
            "source", "source_instance", "evidence_layer", "fidelity", "token_convention",
            "reported_cost_basis",
        ))
        for event in events.values()
    }  # fmt: skip
    assert told == {
        ("langfuse", "langfuse-main", "observability", "per_request", "disjoint", "estimated")
    }


def test_exported_rows_are_the_same_acts_and_the_later_update_is_richer(
    home: Path, events: dict[str, Event]
) -> None:
    export = {
        event["source_record_id"].removeprefix("prj_demo_01:"): event
        for event in events_of(home, "staging.stg_langfuse__blob_export")
        if not event["is_removed"]
    }
    assert export.keys() == {"call", "only exported"}
    assert export["call"]["usage_key"] == events["call"]["usage_key"]
    # Updated a minute earlier, as counted in halves of a millisecond; the API's is one more.
    assert events["call"]["richness"] - export["call"]["richness"] == 2 * 60_000 + 1
    assert buckets(export["only exported"]) == {"input": 100, "output": 10}
    assert export["only exported"]["occurred_at"] == datetime(2026, 11, 20, 11, 30)  # noqa: DTZ001


def test_daily_totals_are_langfuses_own(home: Path) -> None:
    [row] = events_of(home, "staging.stg_langfuse__daily_metrics")
    assert (row["usage_on"], row["provided_model_name"], row["observations_count"]) == (
        date(2026, 11, 20), "gpt-4.1-mini", 3,
    )  # fmt: skip
    assert row["reported_cost_usd"] == Decimal("0.0008924")
    assert (row["reported_input_tokens"], row["reported_output_tokens"]) == (1_020, 220)
