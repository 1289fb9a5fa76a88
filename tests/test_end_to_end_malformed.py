"""What does not fit ends in a row that says why, and everything still adds up."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from platform_home import AS_OF, LATER, Platform

TOO_MANY = 2**63
LOG = (
    "bedrock/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/23/18/"
    "20261123T181500000Z_0000000000000000.json.gz"
)
READS = """
    select sum(rows_read_count), sum(rows_loaded_count), sum(rows_rejected_count)
    from raw_{system}.{resource}__reads
"""


def call(number: int, **changes: Any) -> dict[str, Any]:
    """A served call of 1,000 tokens in, 100 out, for 0.0004 dollars, with some of it changed."""
    at = (AS_OF + timedelta(minutes=number)).isoformat(timespec="milliseconds")
    return {
        "request_id": f"odd-{number}",
        "litellm_call_id": f"odd-call-{number}",
        "call_type": "acompletion",
        "status": "success",
        "cache_hit": "None",
        "startTime": at,
        "endTime": at,
        "custom_llm_provider": "openai",
        "model": "openai/gpt-4o-mini",
        "prompt_tokens": 1_000,
        "completion_tokens": 100,
        "total_tokens": 1_100,
        "spend": 0.0004,
        "api_key": "",
        "team_id": "team-search",
        "request_tags": [],
        "metadata": {},
        **changes,
    }


def invocation(number: int, **changes: Any) -> dict[str, Any]:
    """An invocation of 1,000 tokens in, 100 out, with some of it changed."""
    return {
        "timestamp": f"2026-11-23T18:{number:02}:00Z",
        "accountId": "123456789012",
        "region": "us-east-1",
        "requestId": f"odd-{number}",
        "operation": "InvokeModel",
        "modelId": "amazon.nova-lite-v1:0",
        "input": {"inputTokenCount": 1_000},
        "output": {"outputTokenCount": 100},
        "requestMetadata": {"team": "team-search"},
        **changes,
    }


# What a rejected call claims is left at nothing, so that the vendor's sums stay comparable.
NOTHING = {"completion_tokens": 0, "total_tokens": 0, "spend": 0}
CALLS = [
    call(1),
    call(2, prompt_tokens="many", **NOTHING),
    call(3, prompt_tokens=TOO_MANY, **NOTHING),
    call(4, custom_llm_provider="hosted_vllm", model="hosted_vllm/brand-new", spend=0),
    call(5, team_id="team-nobody"),
]
LINES = [
    invocation(1),
    '{"requestId": "broken',
    invocation(3, input={"inputTokenCount": "1000"}),
    invocation(4, output={"outputTokenCount": TOO_MANY}),
    invocation(5, modelId="vendor.brand-new-v1:0"),
    invocation(6, requestMetadata={"team": "team-nobody"}),
]


@dataclass
class Odd:
    """The platform after the odd records, and what the vendors counted without and with them."""

    platform: Platform
    before: dict[str, Any]
    after: dict[str, Any]


@pytest.fixture(scope="module")
def odd(_live: Platform, history: Path) -> Odd:
    """One pass over a world with odd records in it."""
    platform = _live
    platform.put_back(history)
    with platform.vendors():
        before = platform.world()
        platform.steer("rows", rows=CALLS)
        platform.steer("objects", key=LOG, lines=LINES, last_modified="2026-11-23T18:15:00Z")
        platform.run(at=LATER)
        after = platform.world()
    return Odd(platform, before, after)


def test_a_record_that_does_not_fit_is_set_aside_with_its_reason(odd: Odd) -> None:
    rejected = odd.platform.read(
        "select source_instance, column_name, reason, rows_count from trust.fct_rejected_rows"
        " order by source_instance, column_name nulls first, reason"
    )
    (place,) = odd.platform.read(
        "select example_locator from trust.fct_rejected_rows where reason = 'not_an_object'"
    )

    assert rejected == [
        ("bedrock-main", None, "not_an_object", 1),
        ("bedrock-main", "input_token_count", "not_an_integer", 1),
        ("bedrock-main", "output_token_count", "out_of_range", 1),
        ("litellm-main", "prompt_tokens", "not_an_integer", 1),
        ("litellm-main", "prompt_tokens", "out_of_range", 1),
    ]
    assert place == (f"{LOG} line 2",)


def test_a_model_without_a_price_is_counted_and_estimated_and_never_free(odd: Odd) -> None:
    unpriced = odd.platform.read(
        "select source_instance, model_name, price_status, requests_count, total_input_tokens,"
        " total_output_tokens, estimated_cost_usd > 0 from trust.fct_unpriced_usage"
        " where model_name like '%brand-new%' order by source_instance"
    )
    cost = odd.platform.read(
        "select distinct effective_cost_usd from core.fct_usage"
        " where model_served like '%brand-new%'"
    )

    assert unpriced == [
        ("bedrock-main", "vendor.brand-new-v1:0", "unmatched_model", 1, 1_000, 100, True),
        ("litellm-main", "brand-new", "unmatched_model", 1, 1_000, 100, True),
    ]
    assert cost == [(None,)]


def test_a_team_nobody_declared_is_booked_where_it_shows(odd: Odd) -> None:
    booked = odd.platform.read(
        "select source_instance, entity_key from core.fct_usage"
        " where raw_team = 'team-nobody' order by source_instance"
    )
    shown = odd.platform.read(
        "select source_instance, field, request_count, total_tokens"
        " from trust.fct_unattributed_usage where field_value = 'team-nobody'"
        " order by source_instance"
    )

    assert booked == [
        ("bedrock-main", "acme-unattributed"),
        ("litellm-main", "acme-unattributed"),
    ]
    assert shown == [
        ("bedrock-main", "raw_team", 1, 1_100),
        ("litellm-main", "raw_team", 1, 1_100),
    ]


@pytest.mark.parametrize(
    ("system", "resource", "rejected"),
    [("litellm", "spend_logs", 2), ("bedrock", "invocations", 3)],
)
def test_rows_read_are_rows_loaded_and_rows_rejected(
    odd: Odd, system: str, resource: str, rejected: int
) -> None:
    with duckdb.connect(str(odd.platform.home / "warehouse.duckdb"), read_only=True) as warehouse:
        counted = warehouse.execute(READS.format(system=system, resource=resource)).fetchone()
        loaded = warehouse.execute(f"select count(*) from raw_{system}.{resource}").fetchone()
        set_aside = warehouse.execute(
            f"select count(*) from raw_{system}.{resource}__rejected"
        ).fetchone()
    assert counted is not None and loaded is not None and set_aside is not None

    assert counted == (loaded[0] + set_aside[0], loaded[0], rejected)
    assert set_aside[0] == rejected


def test_totals_tie_but_for_what_was_set_aside(odd: Odd) -> None:
    totals = {
        row[0]: row[1:]
        for row in odd.platform.read(
            "select source, count(*), sum(total_input_tokens), sum(total_output_tokens),"
            " sum(reported_cost_usd) from core.fct_usage group by source"
        )
    }
    calls, logged = odd.after["litellm"], odd.before["bedrock"]
    cached = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")

    assert totals["litellm"] == (
        calls["events"] - 2,
        calls["prompt_tokens"],
        calls["completion_tokens"],
        Decimal(calls["spend_usd"]),
    )
    # Three of the six lines were loaded, each with 1,000 tokens in and 100 out.
    batch = odd.before["bedrockcontrol"]
    batch_in = batch["input_tokens"] + batch["cache_read_tokens"]
    assert totals["bedrock"] == (
        logged["events"] + batch["records"] + 3,
        logged["input_tokens"] + sum(logged[name] for name in cached) + batch_in + 3_000,
        logged["output_tokens"] + batch["output_tokens"] + 300,
        None,
    )
