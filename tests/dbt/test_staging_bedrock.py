"""Bedrock's invocation logs as standard events: counts are disjoint, the richer delivery wins.

The expected values are worked out by hand from the recorded objects, and from calls made up here.
"""

import gzip
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from raw_loads import FIXTURES, NOW, load_invocations
from staged_warehouse import Event, buckets, build, events_of

from ingestion.declared_tables import declare_tables
from ingestion.passes import begin_pass
from sandbox.s3 import BucketServer

LOGS = "bedrock/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/23/07"
DELIVERED = NOW - timedelta(minutes=50)
CONVERSE, STREAM, TITAN, IN_S3, THROTTLED = "0001", "0002", "0003", "0004", "0005"
SUPPORT = "arn:aws:sts::123456789012:assumed-role/app-support/i-0abc123"


def record(request: str, **fields: Any) -> dict[str, Any]:
    return {
        "timestamp": "2026-11-23T07:00:00.250Z",
        "accountId": "123456789012",
        "region": "us-east-1",
        "requestId": request,
        "operation": "Converse",
        "modelId": "amazon.nova-lite-v1:0",
        **fields,
    }


def counted(
    request: str, given: int, *, read: int = 0, written: int = 0, usage: Any = None, **fields: Any
) -> dict[str, Any]:
    """A call with these counts and 10 tokens out."""
    return record(
        request,
        input={
            "inputTokenCount": given,
            "cacheReadInputTokenCount": read,
            "cacheWriteInputTokenCount": written,
        },
        output={"outputTokenCount": 10, "outputBodyJson": usage},
        **fields,
    )


OPENAI = {"modelId": "openai.gpt-oss-120b-1:0"}
MADE_UP = [
    counted("unsplit", 100, read=40, written=600),
    counted(
        "split",
        100,
        written=1_500,
        usage={
            "usage": {
                "cacheDetails": [
                    {"ttl": "5m", "inputTokens": 1_000},
                    {"ttl": "1h", "inputTokens": 500},
                ]
            }
        },
    ),
    counted(
        "split in a stream",
        100,
        written=700,
        usage=[
            {
                "type": "message_start",
                "message": {"usage": {"cache_creation": {"ephemeral_1h_input_tokens": 700}}},
            }
        ],
    ),
    counted("inclusive", 1_000, read=300, written=200, **OPENAI),
    counted("disjoint", 100, read=300, written=200, **OPENAI),
    record("uncounted"),
    counted(
        "named",
        1,
        identity={"arn": "arn:aws:iam::123456789012:user/ci"},
        requestMetadata={
            "team": "team-data",
            "user": "sophie@acme.example",
            "customer": "umbra",
            "agent": "researcher",
            "feature": "extract",
        },
    ),
    # Delivered again: leaner later, and as rich but different later.
    counted("richer first", 10, requestMetadata={"team": "team-data"}),
    counted("newer last", 10),
]
DELIVERED_LATER = [counted("richer first", 10), counted("newer last", 20)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two deliveries loaded one after the other, staged, with the winning versions chosen."""
    home = tmp_path_factory.mktemp("home")
    root = FIXTURES / "bedrock" / "s3"
    with BucketServer(port=0) as bucket:
        for path in (path for path in root.rglob("*") if path.is_file()):
            key = path.relative_to(root).as_posix()
            bucket.put(key, body=path.read_bytes(), last_modified=DELIVERED)
        for number, records in enumerate((MADE_UP, DELIVERED_LATER)):
            body = gzip.compress(b"\n".join(orjson.dumps(each) for each in records))
            at = DELIVERED + timedelta(minutes=number)
            bucket.put(f"{LOGS}/{number}.json.gz", body=body, last_modified=at)
            load_invocations(home, bucket.url)
    declare_tables(home)
    begin_pass(home, as_of=NOW)
    build(
        home,
        select=["path:models/staging/bedrock", "path:models/staging/loads", "+int_usage__versions"],
    )
    return home


@pytest.fixture(scope="module")
def events(home: Path) -> dict[str, Event]:
    """The event of each request as its winning version tells it."""
    winners = {
        (row["usage_key"], row["load_id"], row["source_locator"])
        for row in events_of(home, "intermediate.int_usage__versions")
    }
    staged = events_of(home, "staging.stg_bedrock__invocations")
    assert len(staged) == 6 + len(MADE_UP) + len(DELIVERED_LATER)
    found = [
        event
        for event in staged
        if (event["usage_key"], event["load_id"], event["source_locator"]) in winners
    ]
    assert len(found) == 5 + len(MADE_UP)
    return {
        request[9:13] if request.startswith("7d1f7c2e-") else request: event
        for event in found
        for request in [event["request_id"]]
    }


def test_counts_are_buckets_as_they_are(events: dict[str, Event]) -> None:
    recorded = (CONVERSE, STREAM, TITAN, IN_S3, THROTTLED)
    assert {name: buckets(events[name]) for name in recorded} == {
        CONVERSE: {"input": 300, "cache_read": 8_000, "cache_write_5m": 5_000, "output": 420},
        STREAM: {"input": 48, "output": 210},
        TITAN: {"input": 512},
        IN_S3: {"input": 91_000, "output": 3_900},
        THROTTLED: {},
    }
    # The total that Converse itself gives.
    assert events[CONVERSE]["total_tokens"] == 13_720
    assert events[CONVERSE]["total_input_tokens"] == 13_300


def test_cache_writes_have_their_lifetime_or_the_default_one(events: dict[str, Event]) -> None:
    names = ("unsplit", "split", "split in a stream")
    assert {name: buckets(events[name]) for name in names} == {
        "unsplit": {"input": 100, "cache_read": 40, "cache_write_5m": 600, "output": 10},
        "split": {"input": 100, "cache_write_5m": 1_000, "cache_write_1h": 500, "output": 10},
        "split in a stream": {"input": 100, "cache_write_1h": 700, "output": 10},
    }


def test_openai_models_count_inclusively_where_it_fits_and_are_marked(
    events: dict[str, Event],
) -> None:
    assert buckets(events["inclusive"]) == {
        "input": 500, "cache_read": 300, "cache_write_5m": 200, "output": 10,
    }  # fmt: skip
    assert buckets(events["disjoint"]) == {
        "input": 100, "cache_read": 300, "cache_write_5m": 200, "output": 10,
    }  # fmt: skip
    mismatches = {name: event["total_mismatch_tokens"] for name, event in events.items()}
    assert {name: count for name, count in mismatches.items() if count} == {"inclusive": 500}


def test_the_richer_delivery_wins_and_among_equals_the_newest(events: dict[str, Event]) -> None:
    # The leaner record of 0001 lies in another object of the same load.
    assert events[CONVERSE]["latency_ms"] == 2_410
    assert events[CONVERSE]["richness"] == 15
    assert events["richer first"]["raw_team"] == "team-data"
    assert events["newer last"]["input_tokens"] == 20


def test_the_key_is_account_region_and_request(events: dict[str, Event]) -> None:
    assert events[TITAN]["source_record_id"] == (
        "123456789012:us-east-1:7d1f7c2e-0003-4b6e-9a51-aaaaaaaa0003"
    )
    assert len({event["usage_key"] for event in events.values()}) == len(events)


def test_a_refused_call_is_an_error_and_a_call_without_counts_is_one_request(
    events: dict[str, Event],
) -> None:
    failed = [name for name, event in events.items() if event["status"] == "error"]
    assert failed == [THROTTLED]
    metered = {n: (e["unit"], e["quantity"]) for n, e in events.items() if e["unit"] is not None}
    assert metered == {"uncounted": ("requests", 1)}


def test_models_are_told_as_they_were_called(events: dict[str, Event]) -> None:
    profile = "arn:aws:bedrock:us-east-1:123456789012"
    told = {name: events[name]["model_served"] for name in (CONVERSE, STREAM, TITAN, IN_S3)}
    assert told == {
        CONVERSE: f"{profile}:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        STREAM: f"{profile}:application-inference-profile/ab12cd34ef56",
        TITAN: "amazon.titan-embed-text-v2:0",
        IN_S3: "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
    }
    assert {event["provider"] for event in events.values()} == {"aws_bedrock"}
    assert [n for n, e in events.items() if e["operation"] == "embeddings"] == [TITAN]


def test_who_is_told_by_the_metadata_and_else_by_the_role(events: dict[str, Event]) -> None:
    names = ("raw_team", "raw_user", "raw_customer", "raw_agent", "raw_feature")
    assert tuple(events["named"][name] for name in names) == (
        "team-data", "sophie@acme.example", "umbra", "researcher", "extract",
    )  # fmt: skip
    assert tuple(events[STREAM][name] for name in names) == (None, SUPPORT, None, None, None)
    assert events[IN_S3]["raw_user"] == "arn:aws:iam::123456789012:user/BedrockAPIKey-x1y2"
    assert {event["raw_organization"] for event in events.values()} == {"123456789012"}


def test_times_are_utc_and_durations_milliseconds(events: dict[str, Event]) -> None:
    assert events["named"]["occurred_at"] == datetime(2026, 11, 23, 7, 0, 0, 250_000)  # noqa: DTZ001
    assert (events[STREAM]["latency_ms"], events[STREAM]["ttft_ms"]) == (1_800, 402)


def test_logs_claim_no_cost(events: dict[str, Event]) -> None:
    expected = {
        "source": "bedrock",
        "source_instance": "bedrock-main",
        "evidence_layer": "provider_log",
        "fidelity": "per_request",
        "token_convention": "disjoint",
        "reported_cost_usd": None,
        "reported_cost_basis": None,
    }
    for event in events.values():
        assert {name: event[name] for name in expected} == expected


def test_reads_tie_to_what_is_staged(home: Path) -> None:
    reads = events_of(home, "staging.stg_loads__reads")
    read, loaded, rejected = (
        sum(each[f"rows_{name}_count"] for each in reads) for name in ("read", "loaded", "rejected")
    )
    assert (read, loaded, rejected) == (17, 17, 0)
    assert events_of(home, "staging.stg_loads__rejected") == []
