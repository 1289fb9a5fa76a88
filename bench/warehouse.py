"""A warehouse with generated events and real prices: what B1 and B2 price."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from bench.events import make_events, models_in_use
from bench.measure import ROOT
from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from price_catalog.parse import parse
from price_catalog.refresh import price_catalog_source, read_seed

PROJECT = ROOT / "dbt_project"
ENDS_AT = datetime(2026, 11, 20, tzinfo=UTC)
# The bundled prices, then two snapshots in which a third of the models costs a tenth more.
SNAPSHOTS = (
    (datetime(2026, 9, 1, tzinfo=UTC), None),
    (datetime(2026, 10, 20, tzinfo=UTC), 0),
    (datetime(2026, 11, 5, tzinfo=UTC), 1),
)
# What turns a price file and attributed usage into cost and charges; tests build it as well.
PRICE_MODELS = [
    "stg_price_catalog__snapshots",
    "stg_price_catalog__rates",
    "stg_price_catalog__models",
    "stg_price_catalog__provider_names",
    "stg_price_catalog__verdicts",
    "stg_price_catalog__opinions",
    "int_prices__files",
    "int_prices__rates_stated",
    "int_prices__rate_runs",
    "int_prices__opinions",
    "int_prices__history",
    "int_prices__observed_versions",
    "int_prices__versions",
    "int_prices__version_rates",
    "int_prices__token_rates",
    "int_prices__valid_ranges",
    "int_prices__stated",
    "price_resolved",
    "int_prices__names_reduced",
    "int_prices__name_matches",
    "int_prices__model_lookup",
    "int_prices__region_lookup",
    "int_prices__region_factors",
    "int_prices__estimate_rates",
    "int_prices__rates_by_name",
    "int_prices__rates_seen",
    "int_prices__names_numbered",
    "int_prices__place_rules",
    "int_prices__scopes",
    "int_prices__identity_scopes",
    "int_prices__terms_matched",
    "int_prices__terms_resolved",
    "int_prices__terms",
    "int_usage__rated",
    "int_usage__contracted",
    "int_usage__priced",
    "int_usage__charged",
]
# What a price is looked for by, and its key, as macro model_key.
MODEL_COLUMNS = (
    *("source_instance", "provider", "model_served", "model_requested", "region"),
    *("service_tier", "unit"),
)
MODEL_KEY = "md5(concat_ws('|', {}))".format(
    ", ".join(f"coalesce(replace({name}, '|', '||'), '|~')" for name in MODEL_COLUMNS)
)
_UPSTREAM = """
create schema if not exists staging;
create schema if not exists intermediate;
create table staging.stg_config__sources as select * from (values
    ('trusting', 'trust_reported', null::varchar, null::varchar),
            ('repricing', 'reprice', null, null)
) as given (source_instance, cost_policy, covered_by, covered_keys_json);
create table intermediate.int_prices__unit_rates (
    source_instance varchar, provider varchar, model_name varchar, service_tier varchar,
    unit varchar, unit_rate_key varchar, rate_usd_per_unit decimal(18, 15),
    estimate_usd_per_unit decimal(18, 15), valid_from_at timestamp, valid_to_at timestamp);
create table staging.stg_decisions__repricings (
    repricing_id varchar, from_at timestamp, to_at timestamp, as_known_at timestamp,
    price_key varchar, is_undone boolean, applied_at timestamp, applied_by varchar);
-- A thousand customers: a contract, rates for a hundred of them, a markup for all and fifty others.
create table staging.stg_config__contract_sources as
    select 'agreement' as contract_id, 'repricing' as source_instance;
create table staging.stg_config__price_rules as
    select
        rule_id, side, 'any' as rule_kind, scope, scope_key, null::varchar as feature_key, provider,
        null::varchar as model_name, null::varchar as meter, null::varchar as service_tier,
        0::bigint as priority, null::decimal(18, 15) as rate_usd_per_unit, factor_ratio,
        null::decimal(38, 15) as amount_usd, false as is_on_previous,
        timestamp '1900-01-01' as valid_from_at, timestamp '9999-12-31' as valid_to_at
    from (
        select 'agreement' as rule_id, 'buy' as side, 'contract' as scope, 'agreement' as scope_key,
            'anthropic' as provider, 0.95::decimal(9, 6) as factor_ratio
        union all
        select 'rate-' || n, 'buy', 'customer', 'c' || n, 'openai', 0.9 from range(100) as t(n)
        union all
        select 'resale', 'sell', 'customer', 'customers', null, 1.2
        union all
        select 'terms-' || n, 'sell', 'customer', 'c' || n, null, 1.15 from range(50) as t(n)
    );
create table intermediate.int_org__nodes as
    select 'c' || n as entity_key, 'customer' as tree, 'customer' as entity_type
    from range(1000) as t(n);
create table intermediate.int_org__expanded as
    select entity_key, ancestor_key, 'customer' as tree, depth,
        timestamp '1900-01-01' as valid_from_at, timestamp '9999-12-31' as valid_to_at
    from (
        select entity_key, entity_key as ancestor_key, 0 as depth from intermediate.int_org__nodes
        union all
        select entity_key, 'customers', 1 from intermediate.int_org__nodes
    );
create table intermediate.int_org__identities as
    select 'c' || n || source_instance as identity_key, source_instance
    from range(1000) as t(n)
    cross join (values ('trusting'), ('repricing')) as sources(source_instance);
create table intermediate.int_org__identity_matches as
    select identity_key, 'acme' as entity_key, split_part(split_part(identity_key, 't', 1), 'r', 1)
        as customer_key, null::varchar as feature_key
    from intermediate.int_org__identities;
create table staging.stg_decisions__price_approvals (
    approval_id varchar, approved_by varchar, approved_at timestamp);
create table intermediate.int_prices__aliases (
    provider varchar, model_raw varchar, target_provider varchar, target_model varchar,
    valid_from_at timestamp, valid_to_at timestamp);
"""


def make_warehouse(home: Path, *, rows: int) -> None:
    """Lands the prices with dlt, generates the events, builds the price models with dbt."""
    seed = read_seed()
    for observed_at, raised in SNAPSHOTS:
        url = None
        if raised is not None:
            file = home / f"prices_{observed_at:%Y%m%d}.json"
            file.write_text(_raised(seed, remainder=raised), encoding="utf-8")
            url = file.as_uri()
        pipeline = pipeline_for("price_catalog", instance=None, home=home)
        run_source(pipeline, price_catalog_source(url=url, observed_at=observed_at))
    with duckdb.connect(str(warehouse_path(home)), config={"threads": 2}) as connection:
        connection.execute("set preserve_insertion_order = true")
        connection.execute(_UPSTREAM)
        models = models_in_use(parse(seed).prices)
        make_events(connection, rows=rows, models=models, ends_at=ENDS_AT)
        connection.execute(
            f"""create or replace table intermediate.int_usage__attributed as
            select
                *,
                {MODEL_KEY} as model_key,
                null::integer as buy_scope_number,
                null::integer as sell_scope_number
            from intermediate.int_usage__attributed"""
        )
        connection.execute(
            f"""create table intermediate.int_usage__models_seen as
            select distinct model_key, {", ".join(MODEL_COLUMNS)}
            from intermediate.int_usage__attributed"""
        )
    _build(home)
    with duckdb.connect(str(warehouse_path(home)), config={"threads": 2}) as connection:
        # What int_usage__attributed takes from an identity, so that it is read with the event.
        connection.execute(
            """create or replace table intermediate.int_usage__attributed as
            select
                acts.* exclude (buy_scope_number, sell_scope_number),
                scopes.buy_scope_number,
                scopes.sell_scope_number
            from intermediate.int_usage__attributed as acts
            inner join intermediate.int_prices__identity_scopes as scopes
                on acts.identity_key = scopes.identity_key"""
        )


def _raised(seed: bytes, *, remainder: int) -> str:
    """The price file with the rates of every third model a tenth higher."""
    catalogue: dict[str, Any] = json.loads(seed, parse_float=Decimal)
    for number, name in enumerate(sorted(catalogue)):
        if number % 3 != remainder:
            continue
        entry = catalogue[name]
        for key, value in entry.items():
            if "cost_per_token" in key and isinstance(value, Decimal):
                entry[key] = value * Decimal("1.1")
    return json.dumps(catalogue, default=float)


def _build(home: Path) -> None:
    command = [str(Path(sys.executable).with_name("dbt")), "--quiet", "run"]
    command += ["--select", *PRICE_MODELS]
    for option, value in (
        ("--project-dir", PROJECT),
        ("--profiles-dir", PROJECT),
        ("--target-path", home / "dbt" / "target"),
        ("--log-path", home / "dbt" / "logs"),
    ):
        command += [option, str(value)]
    environ = os.environ | {"METERHOUSE_HOME": str(home), "DO_NOT_TRACK": "1"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stdout[-4000:] + done.stderr[-4000:])
