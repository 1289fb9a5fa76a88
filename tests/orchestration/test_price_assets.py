"""The price assets as Dagster runs them: a bad file fails no run, a check is red; the export."""

from decimal import Decimal
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from dagster_dlt import DagsterDltResource

from orchestration.assets.prices import export_prices, price_assets

GOOD = b'{"m": {"litellm_provider": "p", "input_cost_per_token": 1e-6}}'
CHECKS = {"price_file_is_accepted", "no_used_price_waits_for_review", "gap_fillers_answer"}
OPENROUTER = Path(__file__).parents[1] / "fixtures" / "price_catalog" / "openrouter_models.json"


def refreshed(file: Path, body: bytes, *, gaps: Path | None = None) -> dict[str, bool]:
    """The checks after a refresh that read this body, and a list that fills its gaps."""
    file.write_bytes(body)
    urls = {"METERHOUSE_PRICE_CATALOG_URL": file.as_uri()}
    if gaps:
        urls["METERHOUSE_OPENROUTER_MODELS_URL"] = gaps.as_uri()
    assets = price_assets(urls)
    done = dg.materialize([assets], resources={"dlt": DagsterDltResource()})
    assert done.success
    return {each.check_name: each.passed for each in done.get_asset_check_evaluations()}


def test_a_refused_file_and_a_slip_of_a_used_model_are_red_and_fail_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERHOUSE_HOME", str(tmp_path))
    monkeypatch.setenv("METERHOUSE_NOW", "2026-11-23T12:00:00Z")
    with duckdb.connect(str(tmp_path / "marts.duckdb")) as marts:
        marts.execute("create schema core")
        marts.execute("create table core.dim_models as select 'p/m' as model_id, true as is_in_use")
    file = tmp_path / "prices.json"
    assert refreshed(file, GOOD) == dict.fromkeys(CHECKS, True)
    assert refreshed(file, b"<html>") == {
        "price_file_is_accepted": False,
        "no_used_price_waits_for_review": True,
        "gap_fillers_answer": True,
    }
    assert refreshed(file, GOOD.replace(b"1e-6", b"1e-5")) == {
        "price_file_is_accepted": True,
        "no_used_price_waits_for_review": False,
        "gap_fillers_answer": True,
    }


def test_a_gap_filler_that_does_not_answer_fails_no_refresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERHOUSE_HOME", str(tmp_path))
    monkeypatch.setenv("METERHOUSE_NOW", "2026-11-23T12:00:00Z")
    file, unread = tmp_path / "prices.json", {"gap_fillers_answer": False}
    all_green = dict.fromkeys(CHECKS, True)
    assert refreshed(file, GOOD, gaps=tmp_path / "gone.json") == all_green | unread
    assert refreshed(file, GOOD, gaps=OPENROUTER) == all_green
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as warehouse:
        landed = "select catalogue, status, models_count from raw_price_catalog.snapshots"
        assert warehouse.execute(f"{landed} order by catalogue").fetchall() == [
            ("litellm", "accepted", 1),
            ("openrouter", "accepted", 5),
        ]


def test_the_catalogue_is_exported_whole_and_in_order(tmp_path: Path) -> None:
    marts = tmp_path / "marts.duckdb"
    with duckdb.connect(str(marts)) as connection:
        connection.execute("create schema core")
        connection.execute("""create table core.dim_prices as select * from (values
            ('p/b', timestamp '1970-01-01', 'standard', -1, 0, 0.000002::decimal(18, 15)),
            ('p/a', timestamp '1970-01-01', 'standard', -1, 0, 0.000001::decimal(18, 15))
        ) as given (price_key, valid_from_at, service_tier, more_than_input_tokens,
            week_minute_from, input_usd_per_unit)""")
    exported = tmp_path / "exports" / "price_catalog.parquet"
    assert export_prices(marts, to=exported) == 2
    rows = duckdb.sql(f"select price_key, input_usd_per_unit from '{exported}'").fetchall()
    assert rows == [("p/a", Decimal("0.000001")), ("p/b", Decimal("0.000002"))]
    assert [path.name for path in exported.parent.iterdir()] == ["price_catalog.parquet"]
