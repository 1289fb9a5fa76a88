"""Negotiated rates and selling, from rules to what an act costs and is charged: figures by hand.

Every case has a provider of its own, so that its rules are about nothing else. Each provider's
model `m` lists at 5 for input, 0.50 for cache reads and 25 for output, per million. The act is
816 input, 1,024 cache reads and 320 output: 0.00408 + 0.000512 + 0.008 = 0.012592.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from price_warehouse import EVENT_SCHEMA, PRICE_MODELS, event, make_upstream, rows_of
from staged_warehouse import build

from bench.warehouse import MODEL_KEY
from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from price_catalog.cost import Usage
from price_catalog.refresh import price_catalog_source

USAGE = Usage(input=816, cache_read=1024, output=320)
PROVIDERS = [f"p{number}" for number in range(1, 23)]
NOON = datetime(2026, 11, 22, 12)  # noqa: DTZ001 (the warehouse stores naive UTC)

# id, side, kind, scope, scope_key, feature, provider, meter, tier, priority, rate, factor, amount,
# on previous, from, to
RULES = """
('p1-contract', 'buy', 'discount', 'contract', 'k', null, 'p1', null, null, 0, null, 0.95, null, false, null, null),
('p1-resale', 'sell', 'cost_plus', 'customer', 'customers', null, 'p1', null, null, 0, null, 1.2, null, false, null, null),
('p2-contract', 'buy', 'discount', 'contract', 'k', null, 'p2', null, null, 0, null, 0.95, null, false, null, null),
('p2-customer', 'buy', 'multiplier', 'customer', 'northwind', null, 'p2', null, null, 0, null, 0.5, null, false, null, null),
('p3-acme', 'buy', 'discount', 'entity', 'acme', null, 'p3', null, null, 0, null, 0.8, null, false, null, null),
('p3-team', 'buy', 'discount', 'entity', 'team-a', null, 'p3', null, null, 0, null, 0.9, null, false, null, null),
('p4-input', 'buy', 'fixed_rate', 'installation', null, null, 'p4', 'input', null, 0, 0.000002, null, null, false, null, null),
('p5-input', 'buy', 'fixed_rate', 'installation', null, null, 'p5', 'input', null, 0, 0.000002, null, null, false, null, null),
('p5-on-top', 'buy', 'discount', 'customer', 'northwind', null, 'p5', null, null, 0, null, 0.9, null, true, null, null),
('p21-all', 'buy', 'fixed_rate', 'installation', null, null, 'p21', 'input', null, 0, 0.000002, null, null, false, null, null),
('p21-entity', 'buy', 'discount', 'entity', 'acme', null, 'p21', null, null, 0, null, 0.9, null, true, null, null),
('p21-on-top', 'buy', 'discount', 'customer', 'northwind', null, 'p21', null, null, 0, null, 0.5, null, true, null, null),
('p6-from-noon', 'buy', 'discount', 'installation', null, null, 'p6', null, null, 0, null, 0.5, null, false, '2026-11-22 12:00:00', null),
('p7-as-told', 'buy', 'passthrough_reported', 'entity', 'acme', null, 'p7', 'passthrough_reported', null, 0, null, null, null, false, null, null),
('p8-batch', 'buy', 'discount', 'installation', null, null, 'p8', null, 'batch', 0, null, 0.5, null, false, null, null),
('p9-output', 'sell', 'fixed_rate', 'customer', 'customers', null, 'p9', 'output', null, 0, 0.00004, null, null, false, null, null),
('p9-plus', 'sell', 'cost_plus_fixed', 'customer', 'customers', null, 'p9', 'cost_plus_fixed', null, 0, null, null, 0.001, false, null, null),
('p10-floor', 'sell', 'floor', 'customer', 'customers', null, 'p10', 'floor', null, 0, null, null, 0.02, false, null, null),
('p11-cap', 'sell', 'cap', 'customer', 'customers', null, 'p11', 'cap', null, 0, null, null, 0.01, false, null, null),
('p12-own', 'buy', 'fixed_rate', 'installation', null, null, 'p12', 'input', null, 0, 0.000001, null, null, false, null, null),
('p12-out', 'buy', 'fixed_rate', 'installation', null, null, 'p12', 'output', null, 0, 0.00001, null, null, false, null, null),
('p13-all', 'sell', 'cost_plus', 'installation', null, null, 'p13', null, null, 0, null, 1.2, null, false, null, null),
('p14-team', 'sell', 'cost_plus', 'entity', 'team-a', null, 'p14', null, null, 0, null, 1.1, null, false, null, null),
('p15-all', 'sell', 'cost_plus', 'customer', 'northwind', null, 'p15', null, null, 0, null, 1.2, null, false, null, null),
('p15-chat', 'sell', 'cost_plus', 'customer', 'northwind', 'chat', 'p15', null, null, 0, null, 1.5, null, false, null, null),
('p16-first', 'buy', 'discount', 'installation', null, null, 'p16', null, null, 5, null, 0.7, null, false, null, null),
('p16-customer', 'buy', 'discount', 'customer', 'northwind', null, 'p16', null, null, 0, null, 0.5, null, false, null, null),
('p17-conversation', 'buy', 'fixed_rate', 'installation', null, null, 'p17', 'conversations', null, 0, 2, null, null, false, null, null),
('p19-told', 'buy', 'passthrough_reported', 'installation', null, null, 'p19', 'passthrough_reported', null, 0, null, null, null, false, null, null),
('p19-customer', 'buy', 'multiplier', 'customer', 'northwind', null, 'p19', null, null, 0, null, 0.5, null, false, null, null),
('p20-floor', 'sell', 'floor', 'customer', 'customers', null, 'p20', 'floor', null, 0, null, null, 0.02, false, null, null),
('p22-contract', 'buy', 'discount', 'contract', 'k', null, 'p22', null, null, 0, null, 0.95, null, false, null, null),
('p22-input', 'sell', 'cost_plus', 'customer', 'customers', null, 'p22', 'input', null, 0, null, 1.2, null, false, null, null),
('p18-resale', 'sell', 'cost_plus', 'customer', 'customers', null, 'p18', null, null, 0, null, 1.2, null, false, null, null)
"""  # noqa: E501 (a table)

ORGANISATION = """
insert into intermediate.int_org__nodes values
    ('acme', 'owner', 'organisation'), ('team-a', 'owner', 'team'), ('ada', 'owner', 'user'),
    ('customers', 'customer', 'customer'), ('northwind', 'customer', 'customer'),
    ('customers-internal', 'customer', 'internal');
insert into intermediate.int_org__expanded
    select *, '1900-01-01'::timestamp, '9999-12-31'::timestamp from (values
    ('ada', 'ada', 'owner', 0), ('ada', 'team-a', 'owner', 1), ('ada', 'acme', 'owner', 2),
    ('northwind', 'northwind', 'customer', 0), ('northwind', 'customers', 'customer', 1),
    ('customers-internal', 'customers-internal', 'customer', 0),
    ('customers-internal', 'customers', 'customer', 1)) as given;
insert into intermediate.int_org__identity_matches
    (identity_key, entity_key, customer_key, feature_key) values
    ('ada for northwind', 'ada', 'northwind', null),
    ('ada for northwind in chat', 'ada', 'northwind', 'chat'),
    ('ada', 'ada', 'customers-internal', null);
insert into intermediate.int_org__identities values
    ('ada for northwind', 'repricing'), ('ada for northwind in chat', 'repricing'),
    ('ada', 'repricing');
insert into staging.stg_config__contract_sources values ('k', 'repricing');
create table staging.stg_config__entities as select * from (values
    ('acme-unattributed', 'owner', 'unattributed'),
    ('customers-unattributed', 'customer', 'unattributed')) as given(entity_key, tree, entity_type);
"""


def events() -> Iterator[dict[str, object]]:
    usual = {"model_served": "m", "occurred_at": NOON, "identity_key": "ada for northwind"}
    for provider in PROVIDERS:
        yield event(provider, USAGE, provider=provider, **usual)
    before = NOON.replace(hour=11, minute=59, second=59)
    yield event("p6 before", USAGE, provider="p6", **usual | {"occurred_at": before})
    told = {"reported_cost_usd": Decimal("0.009")}
    yield event("p7 told", USAGE, provider="p7", **usual, **told)
    yield event("p8 batch", USAGE, provider="p8", service_tier="batch", **usual)
    private = usual | {"model_served": "private"}
    yield event("p12 private", Usage(input=1000, output=100), provider="p12", **private)
    yield event("p12 cached", Usage(cache_read=1000), provider="p12", **private)
    yield event("p13 internal", USAGE, provider="p13", **usual | {"identity_key": "ada"})
    yield event("p14 internal", USAGE, provider="p14", **usual | {"identity_key": "ada"})
    chat = usual | {"identity_key": "ada for northwind in chat"}
    yield event("p15 chat", USAGE, provider="p15", **chat)
    held = usual | {"model_served": None, "unit": "conversations", "quantity": Decimal(3)}
    yield event("p17 held", Usage(), provider="p17", **held)
    yield event("p18 hit", USAGE, provider="p18", is_gateway_cache_hit=True, **usual)
    yield event("p19 told", USAGE, provider="p19", **usual, **told)
    many = usual | {"unit": "requests", "quantity": Decimal(3)}
    yield event("p20 three", USAGE, provider="p20", **many)
    given_back = usual | told | {"source_instance": "trusting", "reported_cost_usd": Decimal(-1)}
    yield event("p20 back", USAGE, provider="p20", **given_back)
    unknown = usual | {"model_served": "nobody-knows"}
    yield event("p18 unknown", USAGE, provider="p18", **unknown)


@pytest.fixture(scope="module")
def acts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """The acts above as priced and charged, by key."""
    home = tmp_path_factory.mktemp("home")
    rates = {
        "input_cost_per_token": 0.000005,
        "cache_read_input_token_cost": 0.0000005,
        "output_cost_per_token": 0.000025,
    }
    file = home / "prices.json"
    catalogue = {f"{p}/m": {"litellm_provider": p, **rates} for p in PROVIDERS}
    file.write_text(json.dumps(catalogue), encoding="utf-8")
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    pipeline = pipeline_for("price_catalog", instance=None, home=home)
    run_source(pipeline, price_catalog_source(url=file.as_uri(), observed_at=moment))
    given = list(events())
    with duckdb.connect(str(warehouse_path(home))) as connection:
        make_upstream(connection, given, [])
        connection.execute(ORGANISATION)
        connection.execute(
            f"""insert into staging.stg_config__price_rules
            select col0, col1, col2, col3, col4, col5, col6, null, col7, col8, col9, col10, col11,
                col12, col13, coalesce(col14::timestamp, '1900-01-01'),
                coalesce(col15::timestamp, '9999-12-31')
            from (values {RULES})"""
        )
        connection.execute("drop table intermediate.int_usage__attributed")
        schema = EVENT_SCHEMA.append(pa.field("identity_key", pa.string()))
        usage_events = pa.Table.from_pylist(given, schema=schema)
        connection.register("acts", usage_events.drop(["buy_scope_number", "sell_scope_number"]))
        connection.execute(
            f"""create table intermediate.int_usage__deduplicated as
            select *, {MODEL_KEY} as model_key, false as is_shadow from acts"""
        )
    build(home, select=[*PRICE_MODELS, "int_usage__attributed"])
    with duckdb.connect(str(warehouse_path(home))) as connection:
        rows = rows_of(connection, "select * from intermediate.int_usage__charged")
    return {str(row["usage_key"]): row for row in rows}


@pytest.mark.parametrize(
    ("key", "effective_cost_usd", "basis", "rules"),
    [
        ("p1", "0.0119624", "contracted", "p1-contract"),  # 0.012592 less 5 %
        ("p2", "0.006296", "contracted", "p2-customer"),  # a customer goes before a contract
        ("p3", "0.0113328", "contracted", "p3-team"),  # the nearest entity: less 10 %, not 20 %
        # 816 at 2 per million is 0.001632; 0.000512 and 0.008 stay at list.
        ("p4", "0.010144", "contracted", "p4-input"),
        # The customer's 10 % stands on the fixed rate of input, and on list for the rest.
        ("p5", "0.0091296", "contracted", "p5-on-top p5-input"),
        # Half of 90 % of the fixed rate of input, of list for the rest: from the top down.
        ("p21", "0.0045648", "contracted", "p21-on-top p21-entity p21-all"),
        ("p6 before", "0.012592", "list", None),
        ("p6", "0.006296", "contracted", "p6-from-noon"),
        ("p7", "0.012592", "list", "p7-as-told"),  # there is nothing to pass through
        ("p7 told", "0.009", "reported", "p7-as-told"),
        # The customer's own rate is the more specific rule: what the source says does not pass.
        ("p19 told", "0.006296", "contracted", "p19-customer"),
        ("p8", "0.012592", "list", None),
        # The price file states no batch rates: standard ones stand in, at half.
        ("p8 batch", "0.006296", "contracted", "p8-batch"),
        # 1,000 at 1 and 100 at 10 per million, of a model that no catalogue lists.
        ("p12 private", "0.002", "contracted", "p12-out p12-own"),
        ("p12 cached", None, None, "p12-out p12-own"),
        ("p16", "0.0088144", "contracted", "p16-first"),  # priority before scope: less 30 %
        ("p17 held", "6", "contracted", "p17-conversation"),
    ],
)
def test_the_most_specific_rule_makes_the_cost(
    acts: dict[str, dict[str, object]],
    key: str,
    effective_cost_usd: str | None,
    basis: str | None,
    rules: str | None,
) -> None:
    act = acts[key]
    expected = None if effective_cost_usd is None else Decimal(effective_cost_usd)
    assert act["effective_cost_usd"] == expected
    assert (act["cost_basis"], act["price_rule_id"]) == (basis, rules)


@pytest.mark.parametrize(
    ("key", "charged_usd", "margin_usd"),
    [
        ("p1", "0.01435488", "0.00239248"),  # 0.0119624 plus 20 %
        # 0.00408 * 1.2 + 0.000512 + 0.008, each less 5 %: what selling does not name is at cost.
        ("p22", "0.0127376", "0.0007752"),
        # Output sells at 40 per million: 0.0128; the rest at cost: 0.004592; a request costs 0.001.
        ("p9", "0.018392", "0.0058"),
        ("p10", "0.02", "0.007408"),
        ("p11", "0.01", "-0.002592"),
        ("p20 three", "0.06", "0.047408"),  # one row of three requests, 0.02 each at the least
        ("p20 back", "-1", "0"),  # what is given back has no floor
        ("p13", "0.0151104", "0.0025184"),
        ("p13 internal", None, None),  # what is sold to customers is not sold to ourselves
        ("p14 internal", "0.0138512", "0.0012592"),  # a charge-back to a team is
        ("p15", "0.0151104", "0.0025184"),
        ("p15 chat", "0.018888", "0.006296"),  # the feature's own markup
        ("p2", None, None),  # nothing sells it
        ("p18 hit", "0", "0"),  # answered from the gateway's cache: nobody charges us
        ("p18 unknown", None, None),
    ],
)
def test_a_customer_is_charged_by_the_terms_it_has(
    acts: dict[str, dict[str, object]],
    key: str,
    charged_usd: str | None,
    margin_usd: str | None,
) -> None:
    given = tuple(None if each is None else Decimal(each) for each in (charged_usd, margin_usd))
    assert (acts[key]["charged_usd"], acts[key]["margin_usd"]) == given


def test_what_lists_and_what_a_source_claims_stand_beside_the_cost(
    acts: dict[str, dict[str, object]],
) -> None:
    told = acts["p7 told"]
    assert told["list_cost_usd"] == told["contracted_cost_usd"] == Decimal("0.012592")
    assert told["reported_variance_usd"] == Decimal("-0.003592")
    assert acts["p1"]["list_cost_usd"] == Decimal("0.012592")
    assert acts["p12 private"]["list_cost_usd"] is None
    assert acts["p17 held"]["list_unit_cost_usd"] is None
