"""A small world of charges, commitments, currencies, use and bills, with the models over it."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from raw_loads import FIXTURES
from staged_warehouse import build
from written_config import write_config

from ingestion.config_loader import load_config
from ingestion.config_tables import config_source
from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from ingestion.revenue import revenue_source

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
    "stg_config__features",
    "stg_revenue__lines",
    "int_margin__revenue_daily",
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


def charged_warehouse(home: Path, folder: Path) -> None:
    """Declarations and revenue loaded, what was metered and billed made by hand, charges built."""
    write_config(folder, FILES)
    config = load_config(folder)
    at = AS_OF.replace(tzinfo=UTC)
    run_source(
        pipeline_for("config", instance=None, home=home), config_source(config, extracted_at=at)
    )
    revenue = folder / "revenue"
    revenue.mkdir()
    for name in ("2026-10.csv", "empty.csv"):
        shutil.copyfile(FIXTURES / "revenue" / name, revenue / name)
    run_source(
        pipeline_for("revenue", instance="crm", home=home),
        revenue_source(folder=str(revenue), instance="crm", now=at),
    )
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
    # No month is closed here: tests/dbt/test_closing.py closes some.
    connection.execute(
        """create table intermediate.int_closing__books as select null::date as last_closed_on;
        create table marts.spend.fct_statement_monthly (
            period text, is_closed boolean, corrected_period text, line_kind text, provider text,
            billed_cost_usd decimal(38, 15), effective_cost_usd decimal(38, 15),
            estimated_cost_usd decimal(38, 15), unpriced_lines_count bigint)"""
    )
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
            true as is_authoritative, cast(usd as decimal(38, 15)) as billed_amount,
            'USD' as currency_code, cast(usd as decimal(38, 15)) as billed_cost_usd
        from billed
        union all
        -- Nobody knows what a pound was worth that day.
        select 'openai_bill', 'openai-bill', 'openai', date '2026-10-03', 'Support', 'fees', false,
            true, 50, 'GBP', null"""
    )


def table(rows: list[Row], names: str) -> pa.Table:
    return pa.table(dict(zip(names.split(), map(list, zip(*rows, strict=True)), strict=True)))
