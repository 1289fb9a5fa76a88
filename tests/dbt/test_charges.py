"""Charges, commitments, currencies and the monthly overview, against figures worked out by hand."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from staged_warehouse import build

from ingestion.config_loader import load_config
from ingestion.config_tables import config_source
from ingestion.pipeline import pipeline_for, run_source, warehouse_path

AS_OF = datetime(2026, 11, 3, 12)  # noqa: DTZ001 (the warehouse stores naive UTC)
MODELS = [
    "stg_config__versions",
    "stg_config__entities",
    "stg_config__owned_providers",
    "stg_config__charges",
    "stg_config__commitments",
    "stg_config__charge_shares",
    "stg_config__fx_rates",
    "path:models/intermediate/charges",
    "fct_charges",
    "fct_charge_allocations",
    "fct_spend_monthly",
    "assert_charge_allocations_sum_to_their_line",
    "assert_the_monthly_overview_is_the_bill",
]
FILES = {
    "entities": """\
entities:
  - {id: acme, type: organisation}
  - {id: team-a, type: team, parent: acme}
  - {id: team-b, type: team, parent: acme}
  - {id: team-c, type: team, parent: acme}
  - {id: ada, type: user, parent: team-a}
  - {id: alan, type: user, parent: team-a}
  - {id: bob, type: user, parent: team-b}
""",
    "customers": "customers: [{id: cust-x}, {id: cust-y}]\n",
    "features": "features: [{id: chat}]\n",
    "sources": "sources: [{id: openai-bill, system: openai_bill, admin_key_env: A}]\n",
    "charges": """\
charges:
  - {id: seats, kind: seats, provider: tool, count: 25, unit_amount: 30.00, period: month,
     valid_from_on: 2026-09-01, valid_to_on: 2026-10-01, allocation: by_headcount}
  - {id: thirds, kind: platform_fee, provider: trio, amount: 100.00, period: once,
     valid_from_on: 2026-10-05, allocation: by_usage}
  - {id: shared, kind: platform_fee, provider: nobody, amount: 10.00, period: once,
     valid_from_on: 2026-08-05, allocation: fixed_shares,
     shares: [{entity: team-a, share: 0.7}, {entity: team-b, share: 0.3}]}
  - {id: euro, kind: subscription, provider: tool, amount: 100.00, currency: EUR, period: day,
     valid_from_on: 2026-09-30, valid_to_on: 2026-10-02}
  - {id: euro-month, kind: subscription, provider: langfuse, amount: 199.00, currency: EUR,
     period: month, valid_from_on: 2026-09-01, valid_to_on: 2026-10-01}
  - {id: pound, kind: platform_fee, provider: tool, amount: 5, currency: GBP, period: once,
     valid_from_on: 2026-10-09}
  - {id: cut, kind: subscription, provider: tool, amount: 31, period: month,
     valid_from_on: 2026-10-30}
  - {id: first-credits, kind: prepaid_purchase, provider: wallet, amount: 50, period: once,
     valid_from_on: 2026-10-01}
  - {id: more-credits, kind: prepaid_purchase, provider: wallet, amount: 20, period: once,
     valid_from_on: 2026-10-04}
  - {id: chat-seats, kind: seats, provider: openai, count: 20, unit_amount: 25, period: month,
     valid_from_on: 2026-10-01, bill_line: Business seats, allocation: by_headcount}
  - {id: ghost, kind: subscription, provider: openai, amount: 31, period: month,
     valid_from_on: 2026-10-01}
commitments:
  - {id: promise, kind: min_spend, provider: acmeai, amount: 10000, period: quarter,
     valid_from_on: 2026-07-01, valid_to_on: 2027-01-01}
  - {id: drawn, kind: drawdown, provider: cloud, amount: 100, overage_ratio: 0.25,
     valid_from_on: 2026-09-01, valid_to_on: 2026-10-01}
  - {id: lost, kind: drawdown, provider: mill, amount: 100,
     valid_from_on: 2026-09-01, valid_to_on: 2026-10-01}
  - {id: units, kind: ptu_hourly, provider: azure, amount: 2.50, count: 4,
     valid_from_on: 2026-10-01, valid_to_on: 2026-10-03, customer_allocation: by_usage}
""",
    "fx": """\
fx_rates:
  - {currency: EUR, valid_from_on: 2026-01-01, usd_per_unit: 1.08}
  - {currency: EUR, valid_from_on: 2026-10-01, usd_per_unit: 1.10}
  - {currency: GBP, valid_from_on: 2026-11-01, usd_per_unit: 1.30}
""",
}
# provider, day, owner, customer, feature, dollars metered
USED = [
    ("acmeai", "2026-07-15", "ada", "cust-x", None, "7000"),
    ("acmeai", "2026-09-30", "ada", "cust-x", None, "412.33"),
    ("acmeai", "2026-10-01", "ada", "cust-x", None, "999"),
    ("cloud", "2026-09-10", "ada", "cust-x", None, "60"),
    ("cloud", "2026-09-20", "ada", "cust-x", None, "70"),
    ("mill", "2026-09-20", "ada", "cust-x", None, "40"),
    ("wallet", "2026-10-01", "ada", "cust-x", None, "30"),
    ("wallet", "2026-10-02", "ada", "cust-x", None, "30"),
    ("wallet", "2026-10-05", "ada", "cust-x", None, "5"),
    ("trio", "2026-10-07", "team-a", "cust-x", None, "5"),
    ("trio", "2026-10-07", "team-b", "cust-x", None, "5"),
    ("trio", "2026-10-08", "team-c", "cust-x", None, "5"),
    ("azure", "2026-10-01", "ada", "cust-x", "chat", "30"),
    ("azure", "2026-10-02", "bob", "cust-y", None, "10"),
    ("openai", "2026-10-01", "ada", "cust-x", None, "1.25"),
    ("openai", "2026-11-02", "ada", "cust-x", None, "2.5"),
]
# day, line, meter, is of model use, dollars billed
BILLED = [
    ("2026-10-01", "m, input", "input", True, "1.75"),
    ("2026-10-01", "Business seats", "seats", False, "500"),
    ("2026-10-02", "Tax", "tax", False, "3"),
    ("2026-11-01", "Business seats", "seats", False, "520"),
    ("2026-11-02", "m, input", "input", True, "2.5"),
]
Row = tuple[Any, ...]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The declarations loaded, what was metered and billed made by hand, charges built by dbt."""
    home: Path = tmp_path_factory.mktemp("home")
    folder = tmp_path_factory.mktemp("config")
    for name, text in FILES.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    config = load_config(folder)
    source = config_source(config, extracted_at=AS_OF.replace(tzinfo=UTC))
    run_source(pipeline_for("config", instance=None, home=home), source)
    with duckdb.connect(str(warehouse_path(home))) as connection:
        connection.execute(f"attach '{home / 'marts_build.duckdb'}' as marts")
        for schema in ("staging", "intermediate", "marts.spend"):
            connection.execute(f"create schema {schema}")
        connection.execute(
            "create table staging.stg_run__current_pass as select 1 as pass_id, ? as as_of", [AS_OF]
        )
        make_tree(connection, [(n.id, n.tree, n.type, n.parents) for n in config.nodes])
        make_use(connection)
    build(home, select=MODELS)
    with duckdb.connect(str(warehouse_path(home))) as connection:
        connection.execute(f"attach '{home / 'marts_build.duckdb'}' as marts (read_only)")
        yield connection


def make_tree(connection: duckdb.DuckDBPyConnection, nodes: list[Any]) -> None:
    """Every node below each of its ancestors, for all time: this world has no moves."""
    above = {name: parents[0].parent if parents else None for name, _, _, parents in nodes}
    expanded = []
    for name, tree, _, _ in nodes:
        ancestor, depth = name, 0
        while ancestor is not None:
            expanded.append((name, ancestor, tree, depth))
            ancestor, depth = above[ancestor], depth + 1
    connection.execute(
        "create table intermediate.int_org__nodes (entity_key text, tree text, entity_type text)"
    )
    connection.executemany(
        "insert into intermediate.int_org__nodes values (?, ?, ?)", [node[:3] for node in nodes]
    )
    connection.execute(
        """create table intermediate.int_org__expanded (entity_key text, ancestor_key text,
        tree text, depth integer, valid_from_at timestamp default '1900-01-01',
        valid_to_at timestamp default '9999-12-31')"""
    )
    connection.executemany(
        """insert into intermediate.int_org__expanded (entity_key, ancestor_key, tree, depth)
        values (?, ?, ?, ?)""",
        expanded,
    )


def make_use(connection: duckdb.DuckDBPyConnection) -> None:
    connection.register("used", table(USED, "provider day entity_key customer_key feature_key usd"))
    connection.execute(
        """create table marts.spend.fct_spend_daily as
        select provider, cast(day as date) as usage_on, entity_key, customer_key, feature_key,
            cast(usd as decimal(38, 15)) as effective_cost_usd,
            cast(0 as decimal(38, 15)) as estimated_cost_usd
        from used"""
    )
    connection.execute(
        """create table intermediate.int_bills__metered as
        select provider, usage_on, sum(effective_cost_usd) as metered_cost_usd
        from marts.spend.fct_spend_daily group by provider, usage_on"""
    )
    connection.register("billed", table(BILLED, "day line_item meter is_metered_kind usd"))
    connection.execute(
        """create table intermediate.int_bills__lines as
        select 'openai_bill' as source, 'openai-bill' as source_instance, 'openai' as provider,
            cast(day as date) as billed_on, line_item, meter, is_metered_kind,
            true as is_authoritative, cast(usd as decimal(38, 15)) as billed_cost_usd
        from billed"""
    )


def table(rows: list[Row], names: str) -> pa.Table:
    return pa.table(dict(zip(names.split(), map(list, zip(*rows, strict=True)), strict=True)))


def lines(warehouse: duckdb.DuckDBPyConnection, charge: str) -> list[Row]:
    """(kind, day, billed, effective) of a charge's lines."""
    return warehouse.execute(
        """select charge_kind, charged_on, billed_cost_usd, effective_cost_usd
        from marts.spend.fct_charges where charge_id = ? order by charged_on, charge_kind""",
        [charge],
    ).fetchall()


def parts(warehouse: duckdb.DuckDBPyConnection, charge: str, tree: str) -> dict[Any, Decimal]:
    """What of a charge falls to each node of a tree (and feature, where there is one)."""
    found = warehouse.execute(
        """select parts.entity_key, parts.feature_key, sum(parts.effective_cost_usd)
        from marts.spend.fct_charge_allocations as parts
        inner join marts.spend.fct_charges as charges on parts.charge_key = charges.charge_key
        where charges.charge_id = ? and parts.tree = ? group by all""",
        [charge, tree],
    ).fetchall()
    return {(key, feature) if feature else key: usd for key, feature, usd in found}


def usd(text: str) -> Decimal:
    return Decimal(text)


def on(text: str) -> date:
    return date.fromisoformat(text)


def test_seats_are_spread_over_the_days_of_their_month(warehouse: Any) -> None:
    found = lines(warehouse, "seats")
    # 25 x 30.00 = 750.00 over 30 days.
    assert [row[2] for row in found] == [usd("25")] * 30
    assert (found[0][1], found[-1][1]) == (on("2026-09-01"), on("2026-09-30"))


def test_a_month_that_does_not_divide_sums_to_the_last_digit(warehouse: Any) -> None:
    days = warehouse.execute(
        """select day_number, charged_amount from intermediate.int_charges__accrued as accrued
        inner join intermediate.int_charges__days as days on accrued.charged_on = days.day_on
        where charge_id = 'chat-seats' and charged_on < date '2026-11-01' order by 1"""
    ).fetchall()
    # 500 over 31 days: 16.129032258064516129…
    assert days[0][1] == usd("16.129032258064516")
    assert len(days) == 31
    assert sum(amount for _, amount in days) == 500


def test_a_month_that_is_cut_costs_its_days_part(warehouse: Any) -> None:
    # 31 a month: one a day in October, 31/30 in November; today is not over.
    found = {row[1]: row[2] for row in lines(warehouse, "cut")}
    assert found == {
        on("2026-10-30"): usd("1"),
        on("2026-10-31"): usd("1"),
        on("2026-11-01"): usd("1.033333333333333"),
        on("2026-11-02"): usd("1.033333333333333"),
    }


def test_an_amount_takes_the_rate_of_its_day(warehouse: Any) -> None:
    assert [row[1:3] for row in lines(warehouse, "euro")] == [
        (on("2026-09-30"), usd("108")),
        (on("2026-10-01"), usd("110")),
    ]


def test_a_month_in_another_currency_is_exact_in_dollars(warehouse: Any) -> None:
    found = lines(warehouse, "euro-month")
    # 199 x 1.08 over 30 days.
    assert found[0][2] == usd("7.164")
    assert sum(row[2] for row in found) == usd("214.92")


def test_a_day_without_a_rate_has_no_dollars_and_is_found(warehouse: Any) -> None:
    # Pounds have a rate from November on, which is not that of October.
    assert lines(warehouse, "pound") == [("platform_fee", on("2026-10-09"), None, None)]
    [[finding, amount, currency]] = warehouse.execute(
        "select finding, charged_amount, currency_code from marts.spend.fct_charges"
        " where charge_id = 'pound'"
    ).fetchall()
    assert (finding, amount, currency) == ("no_fx_rate", usd("5"), "GBP")
    [[count]] = warehouse.execute(
        """select unpriced_lines_count from marts.spend.fct_spend_monthly
        where provider = 'tool' and month_on = date '2026-10-01'"""
    ).fetchall()
    assert count == 1


def test_what_is_short_of_a_promise_is_charged_at_the_end_of_its_term(warehouse: Any) -> None:
    # 10,000 less 7,000 and 412.33; the next quarter is not over.
    assert lines(warehouse, "promise") == [
        ("commitment_true_up", on("2026-09-30"), usd("2587.67"), usd("2587.67"))
    ]


def test_a_drawdown_is_paid_once_and_overage_costs_more(warehouse: Any) -> None:
    # 100 paid; 60 drawn, then 40 of 70: 30 beyond, a quarter more of which is 7.5.
    assert lines(warehouse, "drawn") == [
        ("commitment_purchase", on("2026-09-01"), usd("100"), usd("0")),
        ("commitment_drawdown", on("2026-09-10"), usd("-60"), usd("0")),
        ("commitment_drawdown", on("2026-09-20"), usd("-40"), usd("0")),
        ("commitment_overage", on("2026-09-20"), usd("7.5"), usd("7.5")),
    ]
    # With 130 of use: 137.5 paid, and 137.5 is what it cost.
    assert overview(warehouse, "cloud", "2026-09-01") == (usd("137.5"), usd("137.5"))


def test_what_is_not_drawn_is_lost_at_the_end(warehouse: Any) -> None:
    assert lines(warehouse, "lost")[-1] == (
        "commitment_expired", on("2026-09-30"), usd("0"), usd("60"),
    )  # fmt: skip
    assert overview(warehouse, "mill", "2026-09-01") == (usd("100"), usd("100"))


def test_credits_bought_are_one_balance_that_use_draws_down(warehouse: Any) -> None:
    # 50, then 20 more: 30 and 20 drawn, 10 beyond before the second purchase, then 5.
    drawn = [row[1:3] for row in lines(warehouse, "first-credits") if row[0] == "prepaid_drawdown"]
    assert drawn == [
        (on("2026-10-01"), usd("-30")),
        (on("2026-10-02"), usd("-20")),
        (on("2026-10-05"), usd("-5")),
    ]
    # Paid: 70 and the 10; cost: the 65 used.
    assert overview(warehouse, "wallet", "2026-10-01") == (usd("80"), usd("65"))


def test_capacity_by_the_hour_is_charged_for_every_hour(warehouse: Any) -> None:
    # 4 x 2.50 x 24 for each of two days.
    assert [row[2] for row in lines(warehouse, "units")] == [usd("240"), usd("240")]
    assert parts(warehouse, "units", "owner") == {"acme": usd("480")}
    # Used 30 for x, in chat, and 10 for y.
    assert parts(warehouse, "units", "customer") == {
        ("cust-x", "chat"): usd("360"),
        "cust-y": usd("120"),
    }


def test_three_equal_teams_share_a_hundred_to_the_last_digit(warehouse: Any) -> None:
    found = parts(warehouse, "thirds", "owner")
    assert found == {
        "team-a": usd("33.333333333333333"),
        "team-b": usd("33.333333333333333"),
        "team-c": usd("33.333333333333334"),
    }
    assert parts(warehouse, "thirds", "customer") == {"customers-internal": usd("100")}


def test_heads_and_fixed_shares_part_a_charge(warehouse: Any) -> None:
    # Two users in a, one in b; a day's 25 is 16.666666666666666 and the rest.
    assert parts(warehouse, "seats", "owner") == {
        "team-a": 30 * usd("16.666666666666666"),
        "team-b": 30 * usd("8.333333333333334"),
    }
    assert parts(warehouse, "shared", "owner") == {"team-a": usd("7"), "team-b": usd("3")}


def test_of_an_owned_provider_the_bill_is_the_whole_truth(warehouse: Any) -> None:
    found = warehouse.execute(
        """select charged_on, charge_kind, charge_id, billed_cost_usd, finding
        from marts.spend.fct_charges where provider = 'openai' order by 1, 2, 4"""
    ).fetchall()
    assert found == [
        # 1.75 of model use, 1.25 of it metered.
        (on("2026-10-01"), "billed_unmetered", None, usd("0.5"), None),
        (on("2026-10-01"), "seats", "chat-seats", usd("500"), None),
        (on("2026-10-02"), "billed_unmetered", None, usd("3"), None),
        (on("2026-10-31"), "subscription", "ghost", usd("0"), "not_on_the_bill"),
        # 20 more than was declared.
        (on("2026-11-01"), "billed_unmetered", None, usd("20"), None),
        (on("2026-11-01"), "seats", "chat-seats", usd("500"), None),
    ]
    # 1.75 + 500 + 3, and 520 + 2.5.
    assert overview(warehouse, "openai", "2026-10-01") == (usd("504.75"), usd("504.75"))
    assert overview(warehouse, "openai", "2026-11-01") == (usd("522.5"), usd("522.5"))
    assert parts(warehouse, "chat-seats", "owner").keys() == {"team-a", "team-b"}


def overview(warehouse: duckdb.DuckDBPyConnection, provider: str, month: str) -> Row:
    """(billed, effective) of a provider's month, all kinds of lines."""
    [found] = warehouse.execute(
        """select sum(billed_cost_usd), sum(effective_cost_usd)
        from marts.spend.fct_spend_monthly where provider = ? and month_on = ?""",
        [provider, month],
    ).fetchall()
    return found
