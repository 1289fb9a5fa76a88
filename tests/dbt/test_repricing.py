"""A change prices from its day on; a repricing moves a window to what was known later, and back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from ops_stores import opened_store
from price_warehouse import PRICE_MODELS, event, make_upstream
from staged_warehouse import build, events_of

from ingestion.declared_tables import declare_tables
from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from orchestration.ops.decisions import land_decisions
from orchestration.ops.repricing import apply_repricing, undo_repricing
from price_catalog.cost import Usage
from price_catalog.refresh import price_catalog_source

CHANGED_AT = datetime(2026, 11, 20, tzinfo=UTC)
FIRST_SEEN = datetime(2026, 11, 1, tzinfo=UTC)
MODELS = [name for name in PRICE_MODELS if not name.startswith(("dim_", "assert_"))]


def price_file(folder: Path, rate: str) -> str:
    """The address of a price file with one model."""
    path = folder / f"prices_{rate}.json"
    path.write_text(
        '{"gpt-4o": {"litellm_provider": "openai", "mode": "chat",'
        f' "input_cost_per_token": {rate}, "output_cost_per_token": 0.00001}}}}',
        encoding="utf-8",
    )
    return path.as_uri()


def naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Decimal]]:
    """What a million tokens at four instants cost: as it is, repriced, and taken back."""
    folder = tmp_path_factory.mktemp("repricing")
    home = folder / "home"
    home.mkdir()
    declare_tables(home)
    for rate, observed_at in (("0.0000025", FIRST_SEEN), ("0.000003", CHANGED_AT)):
        pipeline = pipeline_for("price_catalog", instance=None, home=home)
        run_source(
            pipeline, price_catalog_source(url=price_file(folder, rate), observed_at=observed_at)
        )
    instants = {
        "tenth": datetime(2026, 11, 10, 12, tzinfo=UTC),
        "twelfth": datetime(2026, 11, 12, 12, tzinfo=UTC),
        "second_before": CHANGED_AT - timedelta(seconds=1),
        "at_the_change": CHANGED_AT,
    }
    acts = [
        event(name, Usage(input=1_000_000), occurred_at=naive(at), usage_on=at.date())
        for name, at in instants.items()
    ]
    with duckdb.connect(str(warehouse_path(home))) as connection:
        make_upstream(connection, acts, [])
        connection.execute("drop table staging.stg_decisions__repricings")

    def built(models: list[str]) -> dict[str, Decimal]:
        build(home, select=models)
        rows = events_of(home, "intermediate.int_usage__priced")
        return {row["usage_key"]: row["effective_cost_usd"] for row in rows}

    return _steps(folder, home, built)


def _steps(
    folder: Path, home: Path, built: Callable[[list[str]], dict[str, Decimal]]
) -> list[dict[str, Decimal]]:
    repriced = ["stg_decisions__repricings", "int_prices__valid_ranges"]
    found = [built(["staging.decisions", *MODELS])]
    with opened_store(folder) as engine:
        window: dict[str, Any] = {
            "from_at": datetime(2026, 11, 10, tzinfo=UTC),
            "to_at": datetime(2026, 11, 12, tzinfo=UTC),
            "as_known_at": datetime(2026, 11, 21, tzinfo=UTC),
            "price_key": "openai/gpt-4o",
        }
        now = datetime(2026, 11, 21, tzinfo=UTC)
        done = apply_repricing(engine, **window, by="ada", now=now)
        assert done == "reprice-1"
        land_decisions(engine, home)
        found.append(built([*repriced, "int_prices__rates_by_name", "int_prices__rates_seen"]))
        assert undo_repricing(engine, done, by="ada", now=now)
        assert not undo_repricing(engine, done, by="ada", now=now)
        land_decisions(engine, home)
        found.append(built([*repriced, "int_prices__rates_by_name", "int_prices__rates_seen"]))
    return found


def test_a_change_on_the_20th_leaves_the_10th_the_same(costs: list[dict[str, Decimal]]) -> None:
    assert costs[0] == {
        "tenth": Decimal("2.5"),
        "twelfth": Decimal("2.5"),
        "second_before": Decimal("2.5"),
        "at_the_change": Decimal(3),
    }


def test_a_repricing_changes_its_window_by_the_change(costs: list[dict[str, Decimal]]) -> None:
    difference = {name: costs[1][name] - costs[0][name] for name in costs[0]}
    assert difference == {
        "tenth": Decimal("0.5"),
        "twelfth": 0,
        "second_before": 0,
        "at_the_change": 0,
    }


def test_taken_back_it_is_as_it_was(costs: list[dict[str, Decimal]]) -> None:
    assert costs[2] == costs[0]
