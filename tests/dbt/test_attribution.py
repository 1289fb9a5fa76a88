"""Usage finds its place in both trees, by rules that a person can read and suggestions."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import md5
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from listed_identifiers import LISTED_BY, listed_table
from staged_warehouse import build

from ingestion.config_loader import load_config
from ingestion.config_tables import config_source
from ingestion.declared_tables import declare_tables
from ingestion.pipeline import pipeline_for, run_source, warehouse_path

ROOT = Path(__file__).resolve().parents[2]
MODELS = [
    *(
        "path:models/staging/config",
        "staging.decisions",
        "path:models/intermediate/org",
        "int_prices__place_rules",
    ),
    *("int_prices__scopes", "int_prices__identity_scopes"),
    *(
        "int_usage__attributed",
        "dim_entity_owners",
        "dim_entities",
        "dim_customers",
        "dim_features",
    ),
    *("dim_source_identities", "int_inventory__identities", "fct_unattributed_usage"),
]
RAW = (
    "organization", "workspace", "team", "user", "customer", "agent", "application", "feature",
    "key_hash", "key_alias",
)  # fmt: skip
DATA_ROLE = "arn:aws:sts::123456789012:assumed-role/team-data-role/job-7"
MOVE = datetime(2026, 11, 2, tzinfo=UTC)
LATER = MOVE + timedelta(days=3)
LITELLM, BEDROCK = "litellm-main", "bedrock-main"

# name: (source instance, when, cost, raw identifiers, expected owner node, expected customer node)
Act = tuple[str, datetime, int, dict[str, str], str, str]
INTERNAL, NO_CUSTOMER, NOBODY = "customers-internal", "customers-unattributed", "acme-unattributed"
HEDY = {"user": "hedy@acme.example", "team": "team-search"}
ACTS: dict[str, Act] = {
    "user": (
        LITELLM,
        LATER,
        1,
        {"user": "ada@acme.example", "team": "team-search"},
        "user-ada",
        INTERNAL,
    ),
    "agent": (
        LITELLM,
        LATER,
        2,
        {"agent": "triage", "user": "linus@acme.example", "team": "team-support"},
        "agent-triage",
        INTERNAL,
    ),
    "team": (
        LITELLM,
        LATER,
        4,
        {"team": "team-sales", "customer": "northwind"},
        "team-sales",
        "cust-northwind",
    ),
    "unknown user": (
        LITELLM,
        LATER,
        8,
        {"user": "eve@acme.example", "team": "team-sales"},
        "team-sales",
        INTERNAL,
    ),
    "key": (LITELLM, LATER, 16, {"key_alias": "platform-ci"}, "team-platform", INTERNAL),
    "role": (BEDROCK, LATER, 32, {"user": DATA_ROLE}, "team-data", INTERNAL),
    "role and team": (
        BEDROCK,
        LATER,
        64,
        {"user": DATA_ROLE, "team": "team-support"},
        "team-support",
        INTERNAL,
    ),
    "strangers": (
        LITELLM,
        LATER,
        128,
        {"team": "team-contractors", "customer": "acquired-co"},
        NOBODY,
        NO_CUSTOMER,
    ),
    "wrong case": (LITELLM, LATER, 256, {"team": "Team-Search"}, NOBODY, INTERNAL),
    "nothing": (BEDROCK, LATER, 512, {}, NOBODY, INTERNAL),
    "source removed": (
        "litellm-old",
        LATER,
        1024,
        {"team": "team-sales", "customer": "x"},
        NOBODY,
        NO_CUSTOMER,
    ),
    "before the move": (LITELLM, MOVE - timedelta(minutes=15), 2048, HEDY, "user-hedy", INTERNAL),
    "at the move": (LITELLM, MOVE, 4096, HEDY, "user-hedy", INTERNAL),
}
SECOND_PASS: dict[str, Act] = {
    "known again": (LITELLM, LATER, 8192, ACTS["user"][3], "user-ada", INTERNAL),
    "new": (
        LITELLM,
        LATER,
        16384,
        {"user": "grace@acme.example", "feature": "chat"},
        "user-grace",
        INTERNAL,
    ),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo configuration landed by dlt, events made by hand, two passes built."""
    home = tmp_path_factory.mktemp("home")
    source = config_source(load_config(ROOT / "config"), extracted_at=LATER)
    run_source(pipeline_for("config", instance=None, home=home), source)
    declare_tables(home)
    with connected(home) as con:
        for schema in ("staging", "intermediate", "marts.core"):
            con.execute(f"create schema {schema}")
        con.execute("create table intermediate.int_usage__deduplicated as from events limit 0")
        con.execute("create table marts.core.fct_usage as select * from events limit 0")
        con.execute("create table staging.stg_run__current_pass (pass_id bigint, as_of timestamp)")
        con.execute(
            "create table intermediate.int_usage__touched_days (usage_on date, pass_id bigint)"
        )
        con.register("listed", listed_table(LITELLM))
        con.execute("create table intermediate.int_inventory__unioned as from listed")
    for number, acts in ((1, ACTS), (2, SECOND_PASS)):
        start_pass(home, number, acts)
        build(home, select=MODELS)
    return home


def connected(home: Path, acts: dict[str, Act] | None = None, number: int = 0) -> Any:
    connection = duckdb.connect(str(warehouse_path(home)))
    connection.execute(f"attach '{home / 'marts_build.duckdb'}' as marts")
    connection.register("events", events(acts or {}, number))
    return connection


def events(acts: dict[str, Act], pass_id: int) -> pa.Table:
    """The acts as rows of the standard event, with the places worked out by hand."""
    rows = []
    for name, (source, at, cost, raw, entity, customer) in acts.items():
        fields = {f"raw_{field}": raw.get(field) for field in RAW}
        rows.append(
            {"usage_key": name, "source_instance": source, **fields}
            | {
                "identity_key": identity_key(source, *fields.values()),
                "occurred_at": at.replace(tzinfo=None),
            }
            | {
                "usage_on": at.date(),
                "total_tokens": 10,
                "is_informational": False,
                "is_shadow": False,
                "pass_id": pass_id,
            }
            | {"expected_entity": entity, "expected_customer": customer}
            | {"effective_cost_usd": Decimal(cost), "estimated_cost_usd": None}
        )
    texts = ["usage_key", "source_instance", *(f"raw_{field}" for field in RAW), "identity_key"]
    schema = [(name, pa.string()) for name in (*texts, "expected_entity", "expected_customer")]
    schema += [("occurred_at", pa.timestamp("us")), ("usage_on", pa.date32())]
    schema += [
        ("total_tokens", pa.int64()),
        ("is_informational", pa.bool_()),
        ("is_shadow", pa.bool_()),
        ("pass_id", pa.int64()),
    ]
    schema += [(f"{kind}_cost_usd", pa.decimal128(38, 15)) for kind in ("effective", "estimated")]
    return pa.Table.from_pylist(rows, schema=pa.schema(schema))


def identity_key(*values: str | None) -> str:
    """The hash that the project's macro makes of the source and its identifiers."""
    return md5("|".join("|~" if v is None else v for v in values).encode()).hexdigest()


def start_pass(home: Path, number: int, acts: dict[str, Act]) -> None:
    with connected(home, acts, number) as con:
        con.execute("insert into intermediate.int_usage__deduplicated from events")
        con.execute("delete from staging.stg_run__current_pass")
        now = [number, LATER.replace(tzinfo=None)]
        con.execute("insert into staging.stg_run__current_pass values (?, ?)", now)
        con.execute(
            "insert into intermediate.int_usage__touched_days"
            " select distinct usage_on, pass_id from events"
        )
        # The mart reads the fact; its places are the hand-made ones.
        con.execute("drop table marts.core.fct_usage")
        con.execute(
            """create table marts.core.fct_usage as
            select *, expected_entity as entity_key, expected_customer as customer_key
            from intermediate.int_usage__deduplicated"""
        )


@pytest.fixture
def warehouse(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connected(home) as connection:
        yield connection


def test_every_act_is_where_it_belongs(warehouse: duckdb.DuckDBPyConnection) -> None:
    found = warehouse.execute(
        "select usage_key, entity_key, customer_key from intermediate.int_usage__attributed"
    ).fetchall()
    expected = {(name, act[4], act[5]) for name, act in (ACTS | SECOND_PASS).items()}
    assert sorted(found) == sorted(expected)


def test_user_agent_and_feature_are_known_beside_the_place(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    found = warehouse.execute(
        """select usage_key, user_key, agent_key, feature_key
        from intermediate.int_usage__attributed
        where usage_key in ('agent', 'team', 'new') order by usage_key"""
    ).fetchall()
    assert found == [
        ("agent", "user-linus", "agent-triage", None),
        ("new", "user-grace", None, "chat"),
        ("team", None, None, None),
    ]


def test_a_second_pass_adds_only_identities_it_had_not_seen(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    found = warehouse.execute(
        """select pass_id, count(identity_key), count(*) - count(identity_key)
        from intermediate.int_org__identities group by pass_id order by pass_id"""
    ).fetchall()
    # Two acts share Hedy's identity; each pass leaves its mark.
    assert found == [(1, 12, 1), (2, 1, 1)]


ROLLED_UP = """
    select expanded.ancestor_key, sum(acts.effective_cost_usd)
    from intermediate.int_usage__attributed as acts
    inner join intermediate.int_org__expanded as expanded
        on expanded.entity_key = acts.{place}
        and expanded.tree = '{tree}'
        and acts.occurred_at >= expanded.valid_from_at
        and acts.occurred_at < expanded.valid_to_at
    group by expanded.ancestor_key
"""


def test_a_parent_is_the_sum_of_its_children_once(warehouse: duckdb.DuckDBPyConnection) -> None:
    total = dict(warehouse.execute(ROLLED_UP.format(place="entity_key", tree="owner")).fetchall())
    assert total["acme"] == (everything := 2**15 - 1)
    # ada twice, and Hedy's quarter of an hour before she moved
    assert total["team-search"] == 1 + 8192 + 2048
    assert total["team-assist"] == 4096 + 16384
    assert total["ws-product"] == total["team-search"] + total["team-assist"] + 16
    assert total["ws-operations"] == 2 + 4 + 8 + 32 + 64
    assert total["acme-unattributed"] == 128 + 256 + 512 + 1024
    customers = dict(
        warehouse.execute(ROLLED_UP.format(place="customer_key", tree="customer")).fetchall()
    )
    assert customers == {
        "customers": everything,
        "cust-northwind": 4,
        "customers-unattributed": 128 + 1024,
        "customers-internal": everything - 4 - 128 - 1024,
    }


def test_what_no_rule_knows_is_listed_with_its_cost_and_a_suggestion(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    found = warehouse.execute(
        """select source_instance, dimension, field, field_value, request_count,
            effective_cost_usd, suggestion
        from marts.trust.fct_unattributed_usage order by effective_cost_usd, dimension"""
    ).fetchall()
    alike = "team-search (same name but for case and separators)"
    assert found == [
        (LITELLM, "customer", "raw_customer", "acquired-co", 1, 128, None),
        (LITELLM, "owner", "raw_team", "team-contractors", 1, 128, None),
        (LITELLM, "owner", "raw_team", "Team-Search", 1, 256, alike),
        (BEDROCK, "owner", None, None, 1, 512, None),
        ("litellm-old", "customer", None, None, 1, 1024, None),
        ("litellm-old", "owner", None, None, 1, 1024, None),
    ]


def test_what_is_listed_has_a_place_before_it_is_used(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    found = warehouse.execute(
        "select identity_kind, identifier, identity_name, team_identifier, user_identifier, "
        "entity_key from marts.core.dim_source_identities"
    ).fetchall()
    assert {row[:5]: row[5] for row in found} == LISTED_BY


def test_the_chart_shows_where_a_node_stands_now(warehouse: duckdb.DuckDBPyConnection) -> None:
    paths = dict(
        warehouse.execute("select entity_key, entity_path from marts.core.dim_entities").fetchall()
    )
    assert len(paths) == 44
    assert paths["user-hedy"] == "acme / ws-product / team-assist / user-hedy"
    assert paths["acme-unattributed"] == "acme / acme-unattributed"
    customers = warehouse.execute(
        "select count(*), count(parent_key) from marts.core.dim_customers"
    ).fetchone()
    assert customers == (11, 10)
