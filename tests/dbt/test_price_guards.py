"""A wrong price file moves no price: what was in force stays, and a person can let it in."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from price_warehouse import PRICE_MODELS, event, make_upstream, rows_of
from staged_warehouse import build

from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from orchestration.cli import main
from price_catalog.catalogues import BASE
from price_catalog.cost import Usage
from price_catalog.past import Waiting, read_past, waiting
from price_catalog.refresh import price_catalog_source

USED = frozenset({"p/dear", "p/cheap", "p/gone"})
MODELS = [f"m{number}" for number in range(40)]
MILLION = Usage(input=1_000_000)
_RATES = {"dear": "2e-6", "cheap": "1e-6", "gone": "5e-6", "negative": "4e-6", "back": "3e-6"}


def price_file(*, without: tuple[str, ...] = (), **changed: str) -> bytes:
    """Used models and forty others at 1 USD per million; rates digit by digit."""
    rates = dict.fromkeys(MODELS, "1e-6") | _RATES | changed
    entries = [
        f'"{name}": {{"litellm_provider": "p", "input_cost_per_token": {rate}}}'
        for name, rate in rates.items()
        if name not in without
    ]
    return ("{" + ", ".join(entries) + "}").encode()


def look(home: Path, body: bytes, *, day: int, approved: tuple[str, ...] = ()) -> list[Waiting]:
    """One refresh; what waits for a person after it."""
    file = home / "prices.json"
    file.write_bytes(body)
    past = read_past(home, catalogue=BASE.name, used=USED, approved=approved)
    moment = datetime(2026, 11, day, tzinfo=UTC)
    source = price_catalog_source(url=file.as_uri(), observed_at=moment, past=past)
    run_source(pipeline_for("price_catalog", instance=None, home=home), source)
    return waiting(home, used=USED, approved=approved)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Good prices, then every kind of bad file, then one with slips; usage after all of them."""
    home = tmp_path_factory.mktemp("home")
    assert look(home, price_file(), day=1) == []
    for day, body in enumerate(
        (b"<html>", b"", b'{"error": 1}', price_file()[:900], price_file(without=("gone",))), 2
    ):
        [refused] = look(home, body, day=day)
        assert refused.kind == "file"
    for day, rate in ((7, "1.1e-6"), (8, "1.2e-6"), (9, "1.3e-6")):
        assert look(home, price_file(without=("back",), m2=rate), day=day) == []
    slips = price_file(
        dear="2e-5", cheap="1e-12", negative="-1", m0="1.2e-6", m1="1e-5", back="3e-5"
    )
    assert len(look(home, slips, day=10)) == 4
    late = datetime(2026, 11, 20)  # noqa: DTZ001
    with duckdb.connect(str(warehouse_path(home))) as connection:
        events = [
            event(name, MILLION, provider="p", model_served=name, occurred_at=late)
            for name in ("dear", "cheap", "gone", "negative", "m0", "m1", "back")
        ]
        make_upstream(connection, events, [])
    build(home, select=[*PRICE_MODELS, "fct_price_reviews"])
    yield home


def costs(home: Path) -> dict[object, object]:
    query = "select usage_key, effective_cost_usd from intermediate.int_usage__priced"
    with duckdb.connect(str(warehouse_path(home)), read_only=True) as connection:
        return {row["usage_key"]: row["effective_cost_usd"] for row in rows_of(connection, query)}


def marts(home: Path) -> Path:
    return home / "marts_build.duckdb"


def reviews(home: Path) -> dict[object, tuple[object, ...]]:
    query = "select * from trust.fct_price_reviews where kind = 'rate'"
    with duckdb.connect(str(marts(home)), read_only=True) as connection:
        return {
            row["subject"]: (row["old_usd_per_unit"], row["new_usd_per_unit"], row["status"])
            for row in rows_of(connection, query)
        }


def test_a_slip_moves_no_price_and_a_small_change_does(home: Path) -> None:
    assert costs(home) == {
        "dear": Decimal(2),
        "cheap": Decimal(1),
        "gone": Decimal(5),
        "negative": Decimal(4),
        "m0": Decimal("1.2"),
        "m1": Decimal(1),
        # Its price ended on the 9th, and what is held back does not bring it back.
        "back": None,
    }


def test_what_waits_stands_with_old_and_new_side_by_side(home: Path) -> None:
    assert reviews(home) == {
        "p/dear": (Decimal("0.000002"), Decimal("0.00002"), "waiting"),
        "p/cheap": (Decimal("0.000001"), Decimal("0.000000000001"), "waiting"),
        "p/m1": (Decimal("0.000001"), Decimal("0.00001"), "waiting"),
        "p/back": (Decimal("0.000003"), Decimal("0.00003"), "waiting"),
    }


def test_the_doctor_says_what_waits_and_accepting_lets_it_in(home: Path, tmp_path: Path) -> None:
    tmp_path.joinpath("marts.duckdb").write_bytes(marts(home).read_bytes())
    with duckdb.connect(str(tmp_path / "marts.duckdb")) as connection:
        connection.execute("""create table trust.fct_source_freshness (source_instance varchar,
            last_read_at timestamp, last_usage_at timestamp, rows_rejected_count bigint,
            is_stale boolean)""")
        connection.execute("""create schema if not exists core;
            create table core.published_snapshot as
            select 1 as snapshot_id, timestamp '2026-11-21 00:00:00' as as_of""")
    tmp_path.joinpath("config").mkdir()
    entities = "entities:\n  - {id: acme, type: organisation}\n"
    tmp_path.joinpath("config/entities.yaml").write_text(entities, encoding="utf-8")
    environ = {
        "METERHOUSE_HOME": str(tmp_path),
        "METERHOUSE_CONFIG": str(tmp_path / "config"),
        "METERHOUSE_NOW": "2026-11-21T00:00:00Z",
        "COLUMNS": "200",
    }
    [dear] = [each for each in look(home, price_file(dear="2e-5"), day=11) if each.is_used]
    doctor = CliRunner().invoke(main, ["doctor"], env=environ)
    assert doctor.exit_code == 1
    shown = " ".join(doctor.output.replace("│", " ").split())
    assert f"meterhouse accept price {dear.item_id}" in shown
    assert "2 per million -> 20 per million" in shown
    unknown = CliRunner().invoke(main, ["accept", "price", "price-nobody"], env=environ)
    assert unknown.exit_code == 1 and "nothing waits" in unknown.output
    accepted = CliRunner().invoke(main, ["accept", "price", dear.item_id], env=environ)
    assert accepted.exit_code == 0, accepted.output
    assert dear.item_id not in CliRunner().invoke(main, ["doctor"], env=environ).output

    with duckdb.connect(str(warehouse_path(home))) as connection:
        connection.execute(
            "insert into staging.stg_decisions__price_approvals values (?, null, null)",
            [dear.item_id],
        )
    build(home, select=PRICE_MODELS)
    assert costs(home)["dear"] == Decimal(20)
    assert costs(home)["cheap"] == Decimal(1), "the slip before was taken back by the file"
