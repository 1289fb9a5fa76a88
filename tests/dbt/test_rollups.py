"""Both trees sum to the same total at every node, as they stood and as they stand."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from staged_warehouse import compiled_models

MODELS = ("int_org__expanded", "int_spend__entity_days", "fct_entity_spend_daily")
# node, parent, from, to (half-open); the warehouse stores naive UTC.
Edge = tuple[str, str, datetime, datetime]
# owner node, customer node, when, dollars
Act = tuple[str, str, datetime, int]
BEGINNING = datetime.fromisoformat("1900-01-01")
END = datetime.fromisoformat("9999-12-31")
MORNING = datetime.fromisoformat("2026-11-01")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The models as dbt compiles them."""
    return compiled_models(tmp_path_factory.mktemp("rollups"), select=MODELS)


@pytest.fixture(scope="module")
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(
            """
            attach ':memory:' as warehouse;
            attach ':memory:' as marts;
            create schema warehouse.intermediate;
            create schema warehouse.staging;
            create table warehouse.staging.stg_run__current_pass (pass_id bigint, as_of timestamp);
            create table warehouse.intermediate.int_org__nodes (entity_key varchar, tree varchar);
            create table warehouse.intermediate.int_org__edges (
                entity_key varchar, parent_key varchar, valid_from_at timestamp,
                valid_to_at timestamp);
            create table warehouse.intermediate.int_spend__quarter_hours (
                entity_key varchar, customer_key varchar, bucket_start_at timestamp,
                effective_cost_usd decimal(38, 15), usage_on date, requests_count bigint,
                unpriced_requests_count bigint, total_tokens bigint,
                estimated_cost_usd decimal(38, 15), pass_id bigint);
            """
        )
        yield connection


def rolled_up(
    connection: duckdb.DuckDBPyConnection,
    models: dict[str, str],
    *,
    trees: dict[str, list[Edge]],
    acts: list[Act],
    as_of: datetime,
) -> dict[str, tuple[int, int, int]]:
    """Of each node of the day: own, consolidated as it stood, consolidated as it stands."""
    connection.execute("begin")
    try:
        connection.execute(
            "insert into warehouse.staging.stg_run__current_pass values (1, ?)", [as_of]
        )
        for tree, edges in trees.items():
            nodes = sorted({name for edge in edges for name in edge[:2]})
            rows = [[node, tree] for node in nodes]
            insert(connection, "int_org__nodes", rows)
            insert(connection, "int_org__edges", [list(edge) for edge in edges])
        booked = [[*act, act[2].date(), 1, 0, 10, 0, 1] for act in acts]
        insert(connection, "int_spend__quarter_hours", booked)
        for name in MODELS[:2]:
            connection.execute(f"create table warehouse.intermediate.{name} as {models[name]}")
        found = connection.execute(
            "select entity_key, individual_effective_cost_usd, consolidated_effective_cost_usd,"
            " current_consolidated_effective_cost_usd, current_consolidated_requests_count * 10"
            f" - current_consolidated_tokens from ({models[MODELS[2]]})"
        ).fetchall()
    finally:
        connection.execute("rollback")
    assert {row[4] for row in found} <= {0}
    return {row[0]: (int(row[1]), int(row[2]), int(row[3])) for row in found}


def insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[list[Any]]) -> None:
    if rows:
        marks = ", ".join("?" for _ in rows[0])
        connection.executemany(f"insert into warehouse.intermediate.{table} values ({marks})", rows)


def ancestors(edges: list[Edge], node: str, at: datetime) -> list[str]:
    found = [node]
    while parents := [
        parent
        for child, parent, since, until in edges
        if child == found[-1] and since <= at < until
    ]:
        found += parents
    return found


def test_a_user_moved_mid_month_stays_where_it_was_and_stands_where_it_is(
    warehouse: duckdb.DuckDBPyConnection, models: dict[str, str]
) -> None:
    """Hedy spends 1 at Search, moves to Assist at 10:00 and spends 2 there; Ada 4 at Search."""
    move = MORNING + timedelta(hours=10)
    owners: list[Edge] = [
        ("search", "acme", BEGINNING, END),
        ("assist", "acme", BEGINNING, END),
        ("ada", "search", BEGINNING, END),
        ("hedy", "search", BEGINNING, move),
        ("hedy", "assist", move, END),
    ]
    acts: list[Act] = [
        ("hedy", "internal", move - timedelta(minutes=15), 1),
        ("hedy", "internal", move, 2),
        ("ada", "internal", move, 4),
    ]
    customers: list[Edge] = [("internal", "customers", BEGINNING, END)]
    trees = {"owner": owners, "customer": customers}
    moved = rolled_up(warehouse, models, trees=trees, acts=acts, as_of=END - timedelta(days=1))
    assert moved == {
        "acme": (0, 7, 7),
        "search": (0, 5, 4),
        "assist": (0, 2, 3),
        "ada": (4, 4, 4),
        "hedy": (3, 3, 3),
        "customers": (0, 7, 7),
        "internal": (7, 7, 7),
    }
    # As long as the move lies ahead the chart of now is the old one.
    before = rolled_up(warehouse, models, trees=trees, acts=acts, as_of=MORNING)
    assert (before["search"], before["assist"]) == ((0, 5, 7), (0, 2, 0))


@st.composite
def moving_tree(draw: st.DrawFn, prefix: str) -> list[Edge]:
    """A tree at every instant, whose nodes move at random quarter hours."""
    edges: list[Edge] = []
    for node in range(1, draw(st.integers(2, 10))):
        moves = sorted(draw(st.sets(clock(), max_size=3)))
        for since, until in zip([BEGINNING, *moves], [*moves, END], strict=True):
            # A parent with a lower number.
            above = draw(st.integers(0, node - 1))
            edges.append((f"{prefix}{node}", f"{prefix}{above}", since, until))
    return edges


def clock() -> st.SearchStrategy[datetime]:
    return st.integers(0, 40).map(lambda quarter: MORNING + timedelta(minutes=15 * quarter))


@settings(max_examples=200, deadline=None)
@given(data=st.data(), owners=moving_tree("o"), customers=moving_tree("c"), as_of=clock())
def test_at_every_node_own_and_children_are_the_whole_and_both_trees_sum_to_the_same(
    warehouse: duckdb.DuckDBPyConnection,
    models: dict[str, str],
    data: st.DataObject,
    owners: list[Edge],
    customers: list[Edge],
    as_of: datetime,
) -> None:
    def node(edges: list[Edge]) -> st.SearchStrategy[str]:
        return st.sampled_from(sorted({name for edge in edges for name in edge[:2]}))

    act = st.tuples(node(owners), node(customers), clock(), st.integers(0, 10**6))
    acts = data.draw(st.lists(act, max_size=15))
    found = rolled_up(
        warehouse, models, trees={"owner": owners, "customer": customers}, acts=acts, as_of=as_of
    )
    total = sum(cost for *_, cost in acts)
    for place, edges, root in ((0, owners, "o0"), (1, customers, "c0")):
        nodes = {name for edge in edges for name in edge[:2]}
        seen = {name: found.get(name, (0, 0, 0)) for name in nodes}
        for name, (own, was, now) in seen.items():
            assert own == sum(act[3] for act in acts if act[place] == name)
            assert was == sum(
                act[3] for act in acts if name in ancestors(edges, act[place], act[2])
            )
            children = {
                child
                for child, parent, since, until in edges
                if parent == name and since <= as_of < until
            }
            assert now == own + sum(seen[child][2] for child in children)
        assert seen[root][1] == seen[root][2] == total
        assert sum(own for own, _, _ in seen.values()) == total
