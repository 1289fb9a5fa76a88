"""Roll-ups against exact fractions of the facts: a million rows of 0.0000004 are 0.40."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from contract_marts import publish
from staged_warehouse import build, compiled_inline

from ingestion.pipeline import warehouse_path
from orchestration.cli.explain_queries import KINDS
from orchestration.warehouse import building_marts

MILLION = 1_000_000
TINY = Decimal("0.0000004")
START = datetime(2026, 9, 1)  # noqa: DTZ001 (the warehouse stores naive UTC)
ODD_ACTS = 400
MODELS = (
    *("int_spend__quarter_hours", "fct_spend_daily"),
    *("int_spend__entity_days", "fct_entity_spend_daily"),
    *("fct_coverage_daily", "fct_unpriced_usage", "int_bills__metered"),
    *("assert_trust_marts_sum_to_the_facts", "assert_spend_daily_sums_to_the_facts"),
)
_UPSTREAM = """
    create schema staging;
    create schema intermediate;
    create table staging.stg_run__current_pass as
        select 1::bigint as pass_id, timestamp '2026-10-03' as as_of;
    create table staging.stg_config__budget_tags (tag_key varchar, tag_value varchar);
    create table intermediate.int_usage__touched_days (
        usage_on date, reason varchar, pass_id bigint);
    create table intermediate.int_prices__name_candidates (
        provider varchar, model_name varchar, candidate_models varchar,
        target_provider varchar, target_model varchar);
    create table intermediate.int_org__nodes as select * from (values
        ('owner', 'nobody', 'unattributed'), ('customer', 'stranger', 'unattributed')
    ) as given (tree, entity_key, entity_type);
    create table intermediate.int_org__expanded as
        select tree, entity_key, ancestor_key, depth,
            timestamp '1970-01-01' as valid_from_at, timestamp '9999-12-31' as valid_to_at
        from (values
            ('owner', 'team', 'team', 0), ('owner', 'team', 'acme', 1),
            ('owner', 'nobody', 'nobody', 0), ('owner', 'nobody', 'acme', 1),
            ('customer', 'northwind', 'northwind', 0), ('customer', 'northwind', 'customers', 1)
        ) as given (tree, entity_key, ancestor_key, depth);
"""
# 23:59:59.999999 and midnight: rows of one second fall on two days.
_TINY_ROWS = f"""
    insert into core.fct_usage by name
    select
        'tiny-' || n as usage_key, 'tiny' as source_instance, 'tiny' as source, 'p' as provider,
        'm' as model_served, 'p/m' as model_id, 'team' as entity_key, 'northwind' as customer_key,
        timestamp '2026-09-01 23:59:59' + to_microseconds(n * 2) as occurred_at,
        cast(timestamp '2026-09-01 23:59:59' + to_microseconds(n * 2) as date) as usage_on,
        true as is_costed, false as is_informational, 'priced' as price_status, 'ok' as status,
        false as is_price_backcast, 1::bigint as total_tokens, 1::bigint as input_tokens,
        {", ".join(f"0::bigint as {kind}_tokens" for kind in KINDS[1:])},
        {", ".join(f"0::decimal(38, 15) as list_{kind}_cost_usd" for kind in KINDS[1:])},
        {TINY}::decimal(38, 15) as list_input_cost_usd,
        {TINY}::decimal(38, 15) as list_cost_usd,
        {TINY}::decimal(38, 15) as effective_cost_usd
    from range({MILLION}) as numbers (n)
"""


def odd_acts() -> list[dict[str, Any]]:
    """Acts whose amounts use all fifteen places; some reported apart from list, some unknown."""
    chance = random.Random(20260901)
    acts = []
    for number in range(ODD_ACTS):
        listed = {
            kind: Decimal(chance.randrange(10**17)).scaleb(-15)
            for kind in chance.sample(KINDS, k=3)
        }
        at = START + timedelta(seconds=chance.randrange(40 * 86_400))
        is_unknown = number % 7 == 0
        claim = Decimal(chance.randrange(10**16)).scaleb(-15)
        known = None if is_unknown else (claim if number % 5 == 0 else sum(listed.values()))
        acts.append(
            {
                "usage_key": f"odd-{number}",
                "source": "odd",
                "source_instance": chance.choice(("one", "two")),
                "provider": chance.choice(("p", "q", None)),
                "model_served": "m",
                "model_id": None if is_unknown else "p/m",
                "entity_key": chance.choice(("team", "nobody")),
                "customer_key": "northwind",
                "occurred_at": at,
                "usage_on": at.date(),
                "is_costed": True,
                "is_informational": False,
                "status": "ok",
                "is_price_backcast": number % 3 == 0,
                "price_status": "unmatched_model" if is_unknown else "priced",
                "total_tokens": 3,
                "total_input_tokens": 3,
                "total_output_tokens": 0,
                **{f"{kind}_tokens": int(kind in listed) for kind in KINDS},
                **{
                    f"list_{kind}_cost_usd": None if is_unknown else listed.get(kind, Decimal(0))
                    for kind in KINDS
                },
                "list_cost_usd": None if is_unknown else sum(listed.values()),
                "effective_cost_usd": known,
                "estimated_cost_usd": claim if is_unknown else None,
            }
        )
    return acts


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    home: Path = tmp_path_factory.mktemp("home")
    with duckdb.connect(str(warehouse_path(home))) as warehouse:
        warehouse.execute(_UPSTREAM)
    publish(building_marts(home), {"core.fct_usage": odd_acts()})
    with duckdb.connect(str(building_marts(home))) as facts:
        facts.execute(_TINY_ROWS)
    build(home, select=MODELS)
    with duckdb.connect(str(building_marts(home)), read_only=True) as connection:
        connection.execute(f"attach '{warehouse_path(home)}' as warehouse (read_only)")
        yield connection


# relation, what it sums, and of which acts
SUMS = [
    ("spend.fct_spend_daily", "effective_cost_usd", "effective_cost_usd"),
    ("spend.fct_spend_daily", "estimated_cost_usd", "estimated_cost_usd"),
    ("warehouse.intermediate.int_spend__quarter_hours", "effective_cost_usd", "effective_cost_usd"),
    ("trust.fct_coverage_daily", "effective_cost_usd", "effective_cost_usd"),
    ("trust.fct_coverage_daily", "estimated_cost_usd", "estimated_cost_usd"),
    ("trust.fct_unpriced_usage", "estimated_cost_usd", "estimated_cost_usd"),
]


@pytest.mark.parametrize(("relation", "column", "of"), SUMS)
def test_every_sum_is_the_fraction_sum_of_its_facts(
    marts: duckdb.DuckDBPyConnection, relation: str, column: str, of: str
) -> None:
    exact = sum((Fraction(act[of]) for act in odd_acts() if act[of] is not None), Fraction(0))
    if of == "effective_cost_usd":
        exact += MILLION * Fraction(TINY)
    assert Fraction(one(marts, f"select sum({column}) from {relation}")) == exact


@pytest.mark.parametrize(
    ("tree", "node", "column"),
    [("owner", "acme", "consolidated"), ("customer", "customers", "consolidated")],
)
def test_the_root_of_each_tree_holds_the_fraction_sum(
    marts: duckdb.DuckDBPyConnection, tree: str, node: str, column: str
) -> None:
    exact = sum((Fraction(act["effective_cost_usd"] or 0) for act in odd_acts()), Fraction(0))
    found = one(
        marts,
        f"""select sum({column}_effective_cost_usd) from spend.fct_entity_spend_daily
        where tree = '{tree}' and entity_key = '{node}'""",
    )
    assert Fraction(found) == exact + MILLION * Fraction(TINY)


@pytest.mark.parametrize(
    ("relation", "column"),
    [
        ("spend.fct_spend_daily", "effective_cost_usd"),
        ("trust.fct_coverage_daily", "effective_cost_usd"),
    ],
)
def test_a_million_rows_of_four_ten_millionths_are_forty_cents(
    marts: duckdb.DuckDBPyConnection, relation: str, column: str
) -> None:
    query = f"select sum({column}), count(distinct usage_on) from {relation}"
    found = marts.execute(f"{query} where source_instance = 'tiny'").fetchone()
    assert found == (Decimal("0.40"), 2)


def one(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_an_amount_times_a_ratio_is_the_product_rounded_half_away_from_zero(tmp_path: Path) -> None:
    chance = random.Random(20260902)
    pairs = [
        # A half at the fifteenth place, both signs; one below and one above; over the narrow way.
        (Decimal("0.000000000000001"), Decimal("0.5")),
        (Decimal("-0.000000000000001"), Decimal("0.5")),
        (Decimal("0.000000000000001"), Decimal("0.499999")),
        (Decimal("999.999999999999999"), Decimal("999.999999")),
        (Decimal("-999.999999999999999"), Decimal("1.000001")),
        (Decimal(1000), Decimal("0.000001")),
        (Decimal("123456789.000000500000001"), Decimal("1.5")),
        (Decimal(0), Decimal("1.2")),
    ]
    for _ in range(20_000):
        digits = chance.randrange(1, 21)
        amount = Decimal(chance.randrange(-(10**digits), 10**digits)).scaleb(-15)
        pairs.append((amount, Decimal(chance.randrange(10 ** chance.randrange(1, 10))).scaleb(-6)))
    given = pa.table(
        {
            "amount": pa.array([a for a, _ in pairs], pa.decimal128(38, 15)),
            "ratio": pa.array([r for _, r in pairs], pa.decimal128(9, 6)),
        }
    )
    product = compiled_inline("{{ money_times_ratio('amount', 'ratio') }}", home=tmp_path)
    with duckdb.connect() as connection:
        connection.register("given", given)
        made = connection.execute(
            f"select cast({product} as decimal(38, 15)) from given"
        ).fetchall()
    exact = Context(prec=60, rounding=ROUND_HALF_UP)
    place = Decimal("0.000000000000001")
    wanted = [exact.quantize(exact.multiply(a, r), place) for a, r in pairs]
    assert [row[0] for row in made] == wanted
