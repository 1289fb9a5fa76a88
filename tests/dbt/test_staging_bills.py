"""Bills as their staging models tell them: dollars, disjoint tokens, and what could be metered.

The expected values are worked out by hand from the recordings; on 2026-10-01 usage at the invented
prices (per million: OpenAI 2, cached 0.50, written 2.50, output 8; Anthropic 3, read 0.30, written
3.75 and 6, output 15) is what the token lines of both bills say.
"""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from bill_loads import (
    cur_lines,
    deliver,
    load_anthropic_bill,
    load_aws_cur,
    load_openai_bill,
    recorded_anthropic,
    recorded_openai,
)
from raw_loads import NOW
from staged_warehouse import Event, buckets, build, events_of

from ingestion.declared_tables import declare_tables
from sandbox.aws_cur import parquet_file
from sandbox.s3 import BucketServer

FIRST, SECOND = date(2026, 10, 1), date(2026, 10, 2)
MTOK = Decimal("0.000001")
# What the recorded lines of AWS lack: a long name of the model's kind, another unit, other charges.
USUAL = cur_lines("cur2_rows.jsonl")[0]
MADE_UP = [
    USUAL
    | {
        "identity_line_item_id": "millions",
        "line_item_usage_type": "EUC1-gpt-oss-120b-mantle-output-tokens-standard",
        "pricing_unit": "1M tokens",
        "line_item_usage_amount": 0.25,
        "line_item_unblended_cost": 0.15,
    },
    USUAL
    | {
        "identity_line_item_id": "guardrail",
        "line_item_usage_type": "USE1-Guardrail-ContentPolicyUnitsConsumed",
        "pricing_unit": "Units",
        "line_item_usage_amount": 1000.0,
        "line_item_unblended_cost": 0.15,
    },
    USUAL
    | {
        "identity_line_item_id": "tax",
        "line_item_line_item_type": "Tax",
        "line_item_usage_type": "",
        "pricing_unit": "",
        "line_item_unblended_cost": 1.9,
    },
    USUAL
    | {
        "identity_line_item_id": "credit",
        "line_item_line_item_type": "Credit",
        "line_item_unblended_cost": -2.5,
        "line_item_currency_code": "EUR",
    },
]
Warehouse = dict[str, list[Event]]


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The rows of each staging model."""
    home: Path = tmp_path_factory.mktemp("home")
    with recorded_openai(costs="costs_restated.json") as provider:
        load_openai_bill(home, provider.url)
    with recorded_openai() as provider:
        load_openai_bill(
            home, provider.url, endpoints=("completions", "embeddings", "images", "vector_stores")
        )
    with recorded_anthropic() as provider:
        load_anthropic_bill(home, provider.url)
    with BucketServer(port=0) as bucket:
        body = parquet_file([*cur_lines("cur2_rows.jsonl"), *MADE_UP])
        deliver(bucket, "2026-11", ("a.snappy.parquet", body), at=NOW)
        load_aws_cur(home, bucket.url, now=NOW)
    declare_tables(home)
    names = (
        "stg_openai_bill__costs",
        "stg_openai_bill__usage",
        "stg_anthropic_bill__costs",
        "stg_anthropic_bill__usage",
        "stg_aws_cur__line_items",
    )
    build(home, select=names)
    return {name: events_of(home, f"staging.{name}") for name in names}


def test_openais_lines_are_the_newer_reading_of_the_day(bills: Warehouse) -> None:
    lines = {
        line["line_item"]: (line["meter"], line["model_name"], line["billed_cost_usd"])
        for line in bills["stg_openai_bill__costs"]
    }
    model = "demo-model-a-2026-08-01"
    assert lines == {
        f"{model}, input": ("input", model, Decimal("0.88")),
        f"{model}, cached input": ("cache_read", model, Decimal("0.3")),
        f"{model}, output": ("output", model, Decimal("1.024")),
        f"{model}, cache write": ("cache_write_30m", model, Decimal("0.025")),
        "web search tool calls": ("web_search", None, Decimal("0.5")),
    }
    [search] = [row for row in bills["stg_openai_bill__costs"] if not row["is_metered_kind"]]
    assert search["line_item"] == "web search tool calls"
    assert (search["quantity"], search["quantity_unit"]) == (20, None)
    assert {
        (row["billed_on"], row["currency_code"]) for row in bills["stg_openai_bill__costs"]
    } == {(FIRST, "USD")}


def test_openais_tokens_are_parted_into_disjoint_buckets(bills: Warehouse) -> None:
    found = {
        (row["endpoint"], row["billed_on"], row["raw_key_hash"]): buckets(row)
        for row in bills["stg_openai_bill__usage"]
    }
    assert found == {
        ("completions", FIRST, "key_1"): {
            "input": 400_000, "cache_read": 600_000, "output": 120_000,
        },
        ("completions", FIRST, "key_2"): {
            "input": 40_000, "cache_write_30m": 10_000, "output": 8_000,
        },
        ("completions", SECOND, "key_3"): {
            "input": 300_000, "cache_read": 100_000, "output": 60_000,
        },
        ("embeddings", FIRST, "key_1"): {"input": 250_000},
        ("images", FIRST, "key_1"): {},
    }  # fmt: skip
    assert {row["total_mismatch_tokens"] for row in bills["stg_openai_bill__usage"]} == {0}
    [images] = [row for row in bills["stg_openai_bill__usage"] if row["endpoint"] == "images"]
    assert (images["unit"], images["quantity"], images["total_tokens"]) == ("images", 12, 0)


def test_openais_tokens_of_the_first_day_cost_what_its_token_lines_say(bills: Warehouse) -> None:
    used = [
        row
        for row in bills["stg_openai_bill__usage"]
        if row["billed_on"] == FIRST and row["endpoint"] == "completions"
    ]
    prices = {"input": "2", "cache_read": "0.50", "cache_write_30m": "2.50", "output": "8"}
    # 440,000 at 2; 600,000 at 0.50; 10,000 at 2.50; 128,000 at 8.
    assert cost_of(used, prices) == Decimal("2.229")
    billed = [row for row in bills["stg_openai_bill__costs"] if row["is_metered_kind"]]
    assert sum(row["billed_cost_usd"] for row in billed) == Decimal("2.229")


def test_the_second_day_is_used_and_not_billed_yet(bills: Warehouse) -> None:
    assert {row["billed_on"] for row in bills["stg_openai_bill__usage"]} == {FIRST, SECOND}
    assert {row["billed_on"] for row in bills["stg_openai_bill__costs"]} == {FIRST}


def test_anthropics_cents_are_dollars(bills: Warehouse) -> None:
    lines = bills["stg_anthropic_bill__costs"]
    by_meter: dict[str, Decimal] = {}
    for line in lines:
        by_meter[line["meter"]] = by_meter.get(line["meter"], Decimal(0)) + line["billed_cost_usd"]
    assert by_meter == {
        "input": Decimal("1.203"),
        "output": Decimal("1.803"),
        "cache_read": Decimal("0.27"),
        "cache_write_5m": Decimal("0.1875"),
        "cache_write_1h": Decimal("0.12"),
        "web_search": Decimal("0.03"),
        "code_execution": Decimal("0.0555"),
    }
    assert {line["meter"] for line in lines if not line["is_metered_kind"]} == {
        "web_search",
        "code_execution",
    }
    # Two workspaces, one of them the default: no line is another's.
    assert len({line["bill_line_id"] for line in lines}) == 9


def test_anthropics_tokens_cost_what_its_token_lines_say(bills: Warehouse) -> None:
    used = bills["stg_anthropic_bill__usage"]
    assert {row["raw_workspace"]: buckets(row) for row in used} == {
        "wrkspc_synthetic1": {
            "input": 400_000, "cache_read": 900_000, "cache_write_5m": 50_000,
            "cache_write_1h": 20_000, "output": 120_000,
        },
        None: {"input": 1_000, "output": 200},
    }  # fmt: skip
    prices = {
        "input": "3",
        "cache_read": "0.30",
        "cache_write_5m": "3.75",
        "cache_write_1h": "6",
        "output": "15",
    }
    assert cost_of(used, prices) == Decimal("3.5835")
    billed = [row for row in bills["stg_anthropic_bill__costs"] if row["is_metered_kind"]]
    assert sum(row["billed_cost_usd"] for row in billed) == Decimal("3.5835")


def cost_of(used: list[Event], prices: dict[str, str]) -> Decimal:
    return sum(
        (
            count * Decimal(prices[kind]) * MTOK
            for row in used
            for kind, count in buckets(row).items()
        ),
        Decimal(0),
    )


def test_aws_counts_tokens_in_its_pricing_unit(bills: Warehouse) -> None:
    lines = [row for row in bills["stg_aws_cur__line_items"] if row["is_metered_kind"]]
    found = {
        (line["model_name"], line["meter"]): (line["quantity"], line["billed_cost_usd"])
        for line in lines
    }
    # Thousands: 0.3, 8, 5, 0.42 and 12; millions: 0.25.
    assert found == {
        ("Claude4.5Sonnet", "input"): (300, Decimal("0.0009")),
        ("Claude4.5Sonnet", "cache_read"): (8_000, Decimal("0.0024")),
        ("Claude4.5Sonnet", "cache_write_5m"): (5_000, Decimal("0.01875")),
        ("Claude4.5Sonnet", "output"): (420, Decimal("0.0063")),
        ("Nova2.0Lite", "input"): (12_000, Decimal("0.0018")),
        ("gpt-oss-120b", "output"): (250_000, Decimal("0.15")),
    }
    assert {line["quantity_unit"] for line in lines} == {"tokens"}


def test_what_aws_charges_beside_tokens_is_named(bills: Warehouse) -> None:
    lines = [row for row in bills["stg_aws_cur__line_items"] if not row["is_metered_kind"]]
    found = {line["meter"]: (line["line_item"], line["billed_cost_usd"]) for line in lines}
    assert found == {
        "other": ("USE1-Guardrail-ContentPolicyUnitsConsumed", Decimal("0.15")),
        "tax": ("Tax", Decimal("1.9")),
        # In another currency: no dollars are known.
        "credit": ("USE1-Claude4.5Sonnet-input-tokens", None),
    }
    [credit] = [line for line in lines if line["meter"] == "credit"]
    assert (credit["billed_amount"], credit["currency_code"]) == (Decimal("-2.5"), "EUR")


def test_a_line_says_whose_it_is_and_when(bills: Warehouse) -> None:
    told = {
        (row["provider"], row["source_instance"], row["billed_on"], row["raw_workspace"])
        for name in ("stg_openai_bill__costs", "stg_anthropic_bill__costs")
        for row in bills[name]
    }
    assert told == {
        ("openai", "openai-bill", FIRST, "proj_search"),
        ("anthropic", "anthropic-bill", FIRST, "wrkspc_synthetic1"),
        ("anthropic", "anthropic-bill", FIRST, None),
    }
    line = bills["stg_aws_cur__line_items"][0]
    assert (line["provider"], line["billed_on"]) == ("aws_bedrock", date(2026, 11, 20))
    assert line["raw_user"] == "arn:aws:sts::123456789012:assumed-role/app-support"
    assert line["loaded_at"] == datetime(2026, 11, 23, 8)  # noqa: DTZ001
