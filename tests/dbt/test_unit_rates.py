"""What is counted in units and not in tokens: its rate on its date, worked by hand.

Contract rates are as a rate sheet tells them, cards are the bundled ones, models are of a price
file of three.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb
import pytest
from price_warehouse import PRICE_MODELS, Row, event, make_upstream, rows_of
from staged_warehouse import build

from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from price_catalog.cost import Usage
from price_catalog.refresh import price_catalog_source

OBSERVED_AT = datetime(2026, 11, 20, tzinfo=UTC)
PRICE_FILE = {
    "gpt-4o": {
        "litellm_provider": "openai", "mode": "chat",
        "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
    },
    "whisper-1": {
        "litellm_provider": "openai", "mode": "audio_transcription",
        "input_cost_per_second": 0.0001, "output_cost_per_second": 0.0001,
    },
    "tts-1": {
        "litellm_provider": "openai", "mode": "audio_speech", "input_cost_per_character": 1.5e-05,
    },
    "gpt-4o-transcribe": {
        "litellm_provider": "openai", "mode": "audio_transcription",
        "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
        "input_cost_per_audio_token": 6e-06, "input_cost_per_second": 0.0001,
    },
    "dall-e-3": {
        "litellm_provider": "openai", "mode": "image_generation", "output_cost_per_image": 0.04,
    },
    "rerank-v3.5": {
        "litellm_provider": "cohere", "mode": "rerank", "input_cost_per_query": 0.002,
    },
    "sonar": {
        "litellm_provider": "perplexity", "mode": "chat",
        "search_context_cost_per_query": {
            "search_context_size_low": 0.005, "search_context_size_medium": 0.008,
            "search_context_size_high": 0.012,
        },
    },
    "mistral-ocr": {
        "litellm_provider": "mistral", "mode": "ocr", "ocr_cost_per_page": 0.001,
    },
}  # fmt: skip
SHEET = {
    "source": "snowflake_cortex", "unit": "credits", "currency_code": "USD",
    "is_own_account": True, "is_adjustment": False, "edition": "enterprise",
    "account_region": "AWS_US_WEST_2",
}  # fmt: skip


def sheet(
    day: int, service: str, amount: str, *, instance: str = "warehouse", **more: object
) -> Row:
    return {
        **SHEET, "source_instance": instance, "rate_name": service.lower(),
        "service_type": service, "rate_amount": Decimal(amount),
        "valid_from_on": date(2026, 11, day), "valid_to_on": date(2026, 11, day + 1), **more,
    }  # fmt: skip


CONTRACT_RATES: list[Row] = [
    sheet(20, "AI_FUNCTIONS", "2.00"),
    sheet(21, "AI_FUNCTIONS", "2.10"),
    # Another account of the organisation, and a correction: neither is what a credit costs us.
    sheet(21, "AI_FUNCTIONS", "9", is_own_account=False, rate_name="ai_functions"),
    sheet(21, "AI_FUNCTIONS", "8", is_adjustment=True, rate_name="adjustment"),
    sheet(20, "AI_FUNCTIONS", "1.80", instance="euro", currency_code="EUR"),
    sheet(20, "AI_FUNCTIONS", "2.00", instance="franc", currency_code="CHF"),
    {
        **SHEET, "source_instance": "lakehouse", "source": "databricks", "unit": "dbu",
        "rate_name": "PREMIUM_SERVERLESS_REAL_TIME_INFERENCE_US", "service_type": "AWS",
        "rate_amount": Decimal("0.07"), "valid_from_on": date(2026, 1, 1), "valid_to_on": None,
        "edition": None, "account_region": None,
    },
]  # fmt: skip


def act(
    key: str, provider: str, unit: str | None, quantity: str | None, **more: object
) -> dict[str, object]:
    given: dict[str, object] = {
        "provider": provider, "model_served": None, "unit": unit,
        "quantity": None if quantity is None else Decimal(quantity),
    }  # fmt: skip
    return event(key, Usage(), **(given | more))


def credits(key: str, quantity: str, at: datetime, **more: object) -> dict[str, object]:
    given: dict[str, object] = {
        "source_instance": "warehouse", "service_tier": "AI_FUNCTIONS", "occurred_at": at,
        "model_served": "claude-sonnet-4-5", "usage_on": at.date(),
    }  # fmt: skip
    return act(key, "snowflake", "credits", quantity, **(given | more))


def november(day: int, hour: int = 12, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, second)  # noqa: DTZ001 (naive UTC)


ACTS = [
    act("action", "salesforce", "credits", "20"),
    act("refund", "salesforce", "credits", "-20"),
    act("conversation", "salesforce", "conversations", "1"),
    act("before_credits", "salesforce", "credits", "20", occurred_at=datetime(2025, 5, 14, 23, 59)),  # noqa: DTZ001
    credits("sheet", "0.0123", november(20)),
    credits("last_second", "1", november(20, 23, 59, 59)),
    credits("midnight", "1", november(21, 0)),
    credits("sheet_lags", "1", november(24)),
    credits("before_the_sheet", "1", november(19)),
    credits("other_service", "1", november(20), service_tier="SNOWFLAKE_INTELLIGENCE"),
    credits("no_service", "1", november(20), service_tier=None),
    credits("platform", "0.067", november(20), service_tier="AI_SERVICES"),
    credits("platform_before_april", "1", datetime(2026, 3, 31, 12)),  # noqa: DTZ001
    credits("unknown_account", "1", november(20), service_tier="AI_SERVICES",
            source_instance="nowhere"),
    credits("euro", "1", november(20), source_instance="euro"),
    credits("franc", "1", november(20), source_instance="franc"),
    credits("franc_without_fx", "1", november(21, 0), source_instance="franc"),
    act("seconds", "openai", "seconds", "90.5", model_served="whisper-1"),
    act("characters", "openai", "characters", "1000", model_served="tts-1"),
    act("images", "openai", "images", "3", model_served="dall-e-3"),
    act("rerank", "cohere", "searches", "2", model_served="rerank-v3.5"),
    act("search", "perplexity", "searches", "1", model_served="sonar"),
    act("pages", "mistral", "pages", "12", model_served="mistral-ocr"),
    act("transcribed_seconds", "openai", "seconds", "60", model_served="gpt-4o-transcribe"),
    act("nameless_seconds", "openai", "seconds", "60", model_served="acme-whisper"),
    event("transcribed_tokens", Usage(input=10, audio_input=1000, output=100),
          model_served="gpt-4o-transcribe", unit="seconds", quantity=Decimal(60)),
    act("ai_units", "sap", "ai_units", "400"),
    act("dbu", "databricks", "dbu", "2", source_instance="lakehouse",
        model_served="PREMIUM_SERVERLESS_REAL_TIME_INFERENCE_US"),
    act("dbu_card", "databricks", "dbu", "2", service_tier="MODEL_SERVING"),
    act("dbu_unknown", "databricks", "dbu", "2", service_tier="SQL"),
    act("vast", "salesforce", "credits", "999999999999"),
]  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    home = tmp_path_factory.mktemp("home")
    file = home.with_name("prices.json")
    file.write_text(json.dumps(PRICE_FILE), encoding="utf-8")
    pipeline = pipeline_for("price_catalog", instance=None, home=home)
    run_source(pipeline, price_catalog_source(url=file.as_uri(), observed_at=OBSERVED_AT))
    with duckdb.connect(str(warehouse_path(home))) as connection:
        make_upstream(connection, ACTS, [], contract_rates=CONTRACT_RATES)
    build(home, select=PRICE_MODELS)
    with duckdb.connect(str(warehouse_path(home))) as connection:
        yield connection


def test_a_unit_has_one_rate_at_each_instant(warehouse: duckdb.DuckDBPyConnection) -> None:
    """The account's edition before AI credits, then the card, then the sheet, which goes on."""
    rows = rows_of(
        warehouse,
        """select valid_from_at, valid_to_at, rate_usd_per_unit, rate_origin
        from intermediate.int_prices__unit_rates
        where source_instance = 'warehouse' and service_tier = 'AI_FUNCTIONS'
        order by valid_from_at""",
    )
    april, end = datetime(2026, 4, 1), datetime(9999, 12, 31)  # noqa: DTZ001
    assert [tuple(row.values()) for row in rows] == [
        (datetime(1970, 1, 1), april, Decimal(3), "rate_card"),  # noqa: DTZ001
        (april, november(20, 0), Decimal("2.2"), "rate_card"),
        (november(20, 0), november(21, 0), Decimal(2), "contract"),
        (november(21, 0), end, Decimal("2.1"), "contract"),
    ]


LIST_USD = {
    "action": "0.10",  # 20 x 0.005
    "refund": "-0.10",
    "conversation": "2",
    "before_credits": None,  # credits are sold since 15 May 2025
    "sheet": "0.0246",  # 0.0123 x 2.00
    "last_second": "2",
    "midnight": "2.1",
    "sheet_lags": "2.1",
    "before_the_sheet": "2.2",
    "other_service": "2.2",
    "no_service": "2.2",
    "platform": "0.201",  # 0.067 x 3: Enterprise in Oregon
    "platform_before_april": "3",
    "unknown_account": None,
    "euro": None,  # no rate of exchange, and the list price is not what this account pays
    "franc": "2.2",  # 2.00 francs at 1.10
    "franc_without_fx": None,
    "seconds": "0.00905",  # 90.5 x 0.0001, once
    "characters": "0.015",
    "images": "0.12",
    "rerank": "0.004",
    "search": None,  # how deep it went is not told
    "pages": "0.012",
    "transcribed_seconds": "0.006",
    "nameless_seconds": None,
    "ai_units": None,  # SAP publishes no price
    "dbu": "0.14",
    "dbu_card": "0.14",
    "dbu_unknown": None,
    "vast": None,
}


# Beside what has no price: the dearest rate of the unit that is known of the provider.
ESTIMATED_USD = {
    "before_credits": "0.10",
    "unknown_account": "4",  # Business Critical
    "euro": "4",
    "franc_without_fx": "4",
    "nameless_seconds": "0.006",
    "search": "0.012",  # the deepest
    "ai_units": None,
    "dbu_unknown": "0.14",
    "vast": None,
}


def test_units_cost_what_the_paper_says(warehouse: duckdb.DuckDBPyConnection) -> None:
    rows = rows_of(
        warehouse,
        """select usage_key, price_status, cost_basis, list_unit_cost_usd, list_cost_usd,
            effective_cost_usd, estimated_cost_usd, is_price_backcast
        from intermediate.int_usage__priced
        where usage_key <> 'transcribed_tokens'""",
    )
    expected = {}
    for key, usd in LIST_USD.items():
        cost = None if usd is None else Decimal(usd)
        estimate = ESTIMATED_USD.get(key)
        expected[key] = (
            *(("no_rate_for_meter", None) if cost is None else ("priced", "list")),
            *(cost, cost, cost),
            None if estimate is None else Decimal(estimate),
            False,
        )
    assert {row.pop("usage_key"): tuple(row.values()) for row in rows} == expected


def test_an_act_that_counts_tokens_is_not_priced_by_the_second_as_well(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    [row] = rows_of(
        warehouse,
        """select list_input_cost_usd, list_audio_input_cost_usd, list_output_cost_usd,
            list_unit_cost_usd, effective_cost_usd
        from intermediate.int_usage__priced where usage_key = 'transcribed_tokens'""",
    )
    # 10 x 0.0000025 + 1,000 x 0.000006 + 100 x 0.00001, and no second.
    assert list(row.values()) == [
        Decimal("0.000025"), Decimal("0.006"), Decimal("0.001"), Decimal(0), Decimal("0.007025"),
    ]  # fmt: skip
