"""A name that nobody knows is listed with what it may be and the line that prices it."""

import json
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
from price_warehouse import PRICE_MODELS, event, make_upstream, rows_of
from staged_warehouse import build

from ingestion.config_loader import load_config
from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from orchestration.warehouse import building_marts
from price_catalog.cost import Usage
from price_catalog.refresh import price_catalog_source

CONFIG = Path(__file__).parents[2] / "config"
FACT_COLUMNS = """usage_on, source_instance, provider, model_served, model_requested, price_status,
    unit, quantity, total_tokens, total_input_tokens, total_output_tokens, estimated_cost_usd"""


def test_the_suggested_line_pasted_into_the_config_prices_the_usage(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    rates = {"gpt-4o": 2.5e-06, "gpt-4o-mini": 1.5e-07, "o3": 1e-05}
    file.write_text(
        json.dumps(
            {
                f"azure/{model}": {"litellm_provider": "azure", "input_cost_per_token": rate}
                for model, rate in rates.items()
            }
        ),
        encoding="utf-8",
    )
    pipeline = pipeline_for("price_catalog", instance=None, home=tmp_path)
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    run_source(pipeline, price_catalog_source(url=file.as_uri(), observed_at=moment))
    name = {"provider": "azure", "model_served": "gpt-4o_prod"}
    with duckdb.connect(str(warehouse_path(tmp_path))) as warehouse:
        make_upstream(warehouse, [event("a", Usage(input=1_000_000), **name)], [])
    build(tmp_path, select=[*PRICE_MODELS, "int_prices__name_candidates"])
    with duckdb.connect(str(building_marts(tmp_path))) as marts:
        marts.execute(f"attach '{warehouse_path(tmp_path)}' as warehouse")
        marts.execute("create schema if not exists core")
        marts.execute(
            f"""create table core.fct_usage as
            select {FACT_COLUMNS} from warehouse.intermediate.int_usage__priced"""
        )
    build(tmp_path, select=["fct_unpriced_usage"])
    with duckdb.connect(str(building_marts(tmp_path)), read_only=True) as marts:
        [listed] = rows_of(marts, "select * from trust.fct_unpriced_usage")
    assert listed["candidate_models"] == "azure/gpt-4o, azure/gpt-4o-mini, azure/o3"

    config = tmp_path / "config"
    shutil.copytree(CONFIG, config)
    prices = (config / "prices.yaml").read_text(encoding="utf-8")
    pasted = f"model_aliases:\n  {listed['suggested_config']}\n"
    assert "model_aliases: []\n" in prices
    prices = prices.replace("model_aliases: []\n", pasted)
    (config / "prices.yaml").write_text(prices, encoding="utf-8")
    [alias] = load_config(config).model_aliases
    with duckdb.connect(str(warehouse_path(tmp_path))) as warehouse:
        warehouse.execute(
            "insert into intermediate.int_prices__aliases values (?, ?, ?, ?, null, null)",
            [alias.provider, alias.model, alias.target_provider, alias.target_model],
        )
    compiled = ("model_lookup", "region_lookup", "region_factors", "rates_by_name", "rates_seen")
    build(tmp_path, select=[f"int_prices__{name}" for name in compiled])
    with duckdb.connect(str(warehouse_path(tmp_path)), read_only=True) as warehouse:
        [act] = rows_of(warehouse, "select * from intermediate.int_usage__priced")
    assert (act["price_status"], act["list_cost_usd"]) == ("priced", Decimal("2.5"))
