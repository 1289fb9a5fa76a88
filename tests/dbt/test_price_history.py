"""Before the catalogue was first seen a second source remembers: dated prices, and sizes lost."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest
from price_warehouse import PRICE_MODELS, Row, event, make_upstream, rows_of
from staged_warehouse import build

from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from price_catalog.cost import Usage
from price_catalog.opinions import opinions_of, read_history
from price_catalog.refresh import price_catalog_source

LONG = Usage(input=210_000, output=4_000)
SECOND = timedelta(seconds=1)
# Opus 4.6 cost twice as much over 200,000 tokens until this day.
FLAT_FROM = datetime(2026, 3, 13)  # noqa: DTZ001
OBSERVED = datetime(2026, 11, 1)  # noqa: DTZ001
CHANGED = datetime(2026, 11, 20)  # noqa: DTZ001


def entry(provider: str, input_rate: str, output_rate: str) -> dict[str, object]:
    return {
        "litellm_provider": provider,
        "input_cost_per_token": float(input_rate),
        "output_cost_per_token": float(output_rate),
    }


def long_request(name: str, model: str, at: datetime) -> Row:
    return event(name, LONG, provider="anthropic", model_served=model, occurred_at=at)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Today's flat prices observed on the 1st; on the 20th one of them rises by a fifth."""
    home = tmp_path_factory.mktemp("home")
    file = home / "prices.json"
    for moment, opus in ((OBSERVED, "5e-6"), (CHANGED, "6e-6")):
        models = {
            "claude-sonnet-4-5-20250929": entry("anthropic", "3e-6", "15e-6"),
            "claude-opus-4-6": entry("anthropic", opus, "25e-6"),
            # A source that disagrees about today is not asked about the past.
            "claude-sonnet-4-6": entry("anthropic", "4e-6", "15e-6"),
        }
        file.write_text(json.dumps(models), encoding="utf-8")
        source = price_catalog_source(url=file.as_uri(), observed_at=moment.replace(tzinfo=UTC))
        run_source(pipeline_for("price_catalog", instance=None, home=home), source)
    sonnet, opus_name = "claude-sonnet-4-5-20250929", "claude-opus-4-6"
    events = [
        long_request("sonnet_2025", sonnet, datetime(2025, 12, 1)),  # noqa: DTZ001
        long_request("sonnet_now", sonnet, OBSERVED),
        long_request("opus_before", opus_name, FLAT_FROM - SECOND),
        long_request("opus_after", opus_name, FLAT_FROM),
        long_request("opus_10th", opus_name, datetime(2026, 11, 10)),  # noqa: DTZ001
        long_request("opus_before_change", opus_name, CHANGED - SECOND),
        long_request("opus_change", opus_name, CHANGED),
        long_request("disputed", "claude-sonnet-4-6", datetime(2025, 12, 1)),  # noqa: DTZ001
    ]
    with duckdb.connect(str(warehouse_path(home))) as connection:
        make_upstream(connection, events, [])
        connection.execute(
            "create table staging.stg_run__current_pass as select timestamp '2026-11-21' as as_of"
        )
    build(home, select=[*PRICE_MODELS, "fct_price_disputes"])
    with duckdb.connect(str(warehouse_path(home))) as connection:
        connection.execute(f"attach '{home / 'marts_build.duckdb'}' as marts (read_only)")
        yield connection


def costs(warehouse: duckdb.DuckDBPyConnection) -> dict[object, object]:
    query = "select usage_key, effective_cost_usd from intermediate.int_usage__priced"
    return {row["usage_key"]: row["effective_cost_usd"] for row in rows_of(warehouse, query)}


def test_a_request_costs_what_its_own_day_cost(warehouse: duckdb.DuckDBPyConnection) -> None:
    assert costs(warehouse) == {
        # 0.21 million at 6 and 0.004 at 22.5: the size that today's file has lost
        "sonnet_2025": Decimal("1.350"),
        # at 3 and 15
        "sonnet_now": Decimal("0.690"),
        # at 10 and 37.5, one second later at 5 and 25
        "opus_before": Decimal("2.25"),
        "opus_after": Decimal("1.15"),
        # a change observed on the 20th moves nothing before it
        "opus_10th": Decimal("1.15"),
        "opus_before_change": Decimal("1.15"),
        # 6 and 25
        "opus_change": Decimal("1.36"),
        # 4 and 15, as first observed
        "disputed": Decimal("0.90"),
    }


def test_versions_say_how_and_since_when_they_are_known(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    query = """select * from intermediate.int_prices__versions
        where model_name = 'claude-opus-4-6' order by valid_from_at"""
    found = [
        (row["known_by"], row["change_kind"], row["valid_from_at"], row["valid_to_at"])
        for row in rows_of(warehouse, query)
    ]
    ever = datetime(1970, 1, 1)  # noqa: DTZ001
    assert found == [
        ("second_source", "addition", ever, FLAT_FROM),
        ("observed", "price_change", FLAT_FROM, CHANGED),
        ("observed", "price_change", CHANGED, None),
    ]


def test_the_bundled_history_remembers_dated_starts_and_sizes() -> None:
    opinions = list(opinions_of(read_history()))
    sonnet = {
        (row.meter, row.min_input_tokens): row.rate_usd_per_unit
        for row in opinions
        if (row.provider, row.model) == ("anthropic", "claude-sonnet-4-5")
    }
    assert sonnet["input", None] == Decimal("0.000003")
    assert sonnet["input", 200_000] == Decimal("0.000006")
    assert sonnet["output", 200_000] == Decimal("0.0000225")
    assert sum(row.valid_from_on is not None for row in opinions) > 100


def test_where_two_sources_differ_today_both_rates_are_told(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    rows = rows_of(warehouse, "select * from marts.trust.fct_price_disputes")
    assert {
        row["model_name"]: (row["catalogue_usd_per_unit"], row["second_source_usd_per_unit"])
        for row in rows
        if row["meter"] == "input"
    } == {
        "claude-opus-4-6": (Decimal("0.000006"), Decimal("0.000005")),
        "claude-sonnet-4-6": (Decimal("0.000004"), Decimal("0.000003")),
    }
