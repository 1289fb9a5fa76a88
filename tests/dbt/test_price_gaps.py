"""OpenRouter's list prices what the base catalogue lacks, and nothing that the base lists."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from price_warehouse import PRICE_MODELS, Row, event, make_upstream, rows_of
from staged_warehouse import build

from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from price_catalog.catalogues import BASE, GAP_FILLERS, Catalogue
from price_catalog.cost import Usage
from price_catalog.past import read_past
from price_catalog.refresh import price_catalog_source

FIXTURE = Path(__file__).parents[1] / "fixtures" / "price_catalog" / "openrouter_models.json"
[OPENROUTER] = GAP_FILLERS
CLAUDE, KIMI, GLM, FREE = (
    "anthropic/claude-sonnet-4.5",
    "moonshotai/kimi-k2-0905",
    "z-ai/glm-5-turbo",
    "qwen/qwen3-coder:free",
)
MILLION = Usage(input=1_000_000)


def base_file(day: int, **rates: float | None) -> bytes:
    """A base file that lists Claude at 2 per million, and the others that are named."""
    models = {CLAUDE: 2e-6, "other": 1e-6 + day * 1e-8} | rates
    entries: dict[str, dict[str, object]] = {
        f"openrouter/{slug}": {"litellm_provider": "openrouter"}
        | ({} if rate is None else {"input_cost_per_token": rate})
        for slug, rate in models.items()
    }
    return json.dumps(entries).encode()


def look(home: Path, catalogue: Catalogue, body: bytes, *, day: int) -> None:
    file = home / "prices.json"
    file.write_bytes(body)
    moment = datetime(2026, 11, day, tzinfo=UTC)
    # Rates are judged; that a file drops models is what this is about.
    past = read_past(home, catalogue=catalogue.name, used=(), approved=())
    source = price_catalog_source(
        catalogue=catalogue,
        url=file.as_uri(),
        observed_at=moment,
        past=replace(past, models=frozenset()),
    )
    run_source(pipeline_for("price_catalog", instance=None, home=home), source)


def act(name: str, model: str, *moment: int, usage: Usage = MILLION) -> Row:
    at = datetime(*moment)  # type: ignore[misc, arg-type]  # noqa: DTZ001
    return event(name, usage, provider="openrouter", model_served=model, occurred_at=at)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The base lists Claude on the 1st and Kimi from the 10th until three files lack it."""
    home = tmp_path_factory.mktemp("home")
    gaps = FIXTURE.read_bytes()
    look(home, BASE, base_file(1), day=1)
    look(home, OPENROUTER, gaps, day=2)
    look(home, BASE, base_file(10, **{KIMI: 1e-6}), day=10)
    look(home, OPENROUTER, gaps.replace(b"0.00000039", b"0.0000005"), day=12)
    for day in (13, 14, 15):
        look(home, BASE, base_file(day, **{GLM: 9e-4, FREE: None}), day=day)
    night = Usage(input=40_000, output=1_000)
    events = [
        act("held", CLAUDE, 2026, 11, 5),
        act("kimi_2025", KIMI, 2025, 6, 1),
        act("kimi_last_second", KIMI, 2026, 11, 9, 23, 59, 59),
        act("kimi_10th", KIMI, 2026, 11, 10),
        act("kimi_12th", KIMI, 2026, 11, 12),
        act("kimi_15th", KIMI, 2026, 11, 15),
        act("glm_noon", GLM, 2026, 11, 5, 12, usage=night),
        act("glm_night", GLM, 2026, 11, 5, 23, usage=night),
        act("glm_15th", GLM, 2026, 11, 15, 12, usage=night),
        act("free", FREE, 2026, 11, 5),
        act("free_15th", FREE, 2026, 11, 15),
        act("auto", "openrouter/auto", 2026, 11, 5),
    ]
    with duckdb.connect(str(warehouse_path(home))) as connection:
        make_upstream(connection, events, [])
    build(home, select=PRICE_MODELS)
    with duckdb.connect(str(warehouse_path(home))) as connection:
        connection.execute(f"attach '{home / 'marts_build.duckdb'}' as marts (read_only)")
        yield connection


def test_the_base_wins_from_the_moment_it_lists_a_model(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    query = "select usage_key, effective_cost_usd from intermediate.int_usage__priced"
    costs = {row["usage_key"]: row["effective_cost_usd"] for row in rows_of(warehouse, query)}
    assert costs == {
        # the base's 2 and not OpenRouter's 3 (over 200,000 tokens 6)
        "held": Decimal(2),
        "kimi_2025": Decimal("0.39"),
        "kimi_last_second": Decimal("0.39"),
        # the base's 1, whatever OpenRouter says on the 12th, until it has lost the model
        "kimi_10th": Decimal(1),
        "kimi_12th": Decimal(1),
        "kimi_15th": Decimal("0.5"),
        # 40,000 at 2.4 and 1,000 at 4, by night at 2
        "glm_noon": Decimal("0.1"),
        "glm_night": Decimal("0.098"),
        # the base first states 375 times that price, and lists the other one without any
        "glm_15th": Decimal("0.1"),
        "free": Decimal(0),
        "free_15th": Decimal(0),
        "auto": None,
    }


def test_each_version_says_which_catalogue_it_is_from(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    query = """select model_name, catalogue, change_kind, valid_from_at, valid_to_at
        from intermediate.int_prices__versions
        where model_name in (?, ?) order by model_name, valid_from_at"""
    begin, tenth, fifteenth = (
        datetime(*day)  # type: ignore[misc, arg-type]  # noqa: DTZ001
        for day in ((1970, 1, 1), (2026, 11, 10), (2026, 11, 15))
    )
    assert warehouse.execute(query, [CLAUDE, KIMI]).fetchall() == [
        (CLAUDE, "litellm", "addition", begin, None),
        (KIMI, "openrouter", "addition", begin, tenth),
        (KIMI, "litellm", "price_change", tenth, fifteenth),
        (KIMI, "openrouter", "price_change", fifteenth, None),
    ]
    listed = "select count(*) from marts.core.dim_models where is_listed"
    # other, Claude, and four that OpenRouter alone lists
    assert warehouse.execute(listed).fetchall() == [(6,)]
