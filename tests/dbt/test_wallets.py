"""From declared wallets and use to the marts that show them: config, models, ledger, mirror."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from ops_stores import opened_store
from sqlalchemy import Engine, insert
from staged_warehouse import build

from ingestion.config_loader import load_config
from ingestion.config_tables import config_source
from ingestion.declared_tables import declare_tables
from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from orchestration.governance.wallet_facts import read_wallets
from orchestration.governance.wallet_keeping import keep_ledger
from orchestration.ops.decisions import land_decisions
from orchestration.ops.mirror import ops_source
from orchestration.ops.store import writing
from orchestration.ops.tables import period_close

FILES = {
    "entities": """\
entities:
  - {id: acme, type: organisation}
  - {id: team-a, type: team, parent: acme}
  - {id: team-b, type: team, parent: acme}
  - {id: team-c, type: team, parent: acme}
  - id: hedy
    type: user
    parents:
      - {parent: team-c, valid_to_at: 2026-10-20T00:00:00Z}
      - {parent: team-a, valid_from_at: 2026-10-20T00:00:00Z}
""",
    "customers": "customers: [{id: cust-x}]\n",
    "features": "features: [{id: chat}]\n",
    "wallets": """\
wallets:
  - {id: shared, entity: acme, shared: true, valid_from_at: 2026-10-01T00:00:00Z}
  - {id: pot, entity: team-c, shared: true, features: [chat], valid_from_at: 2026-10-01T00:00:00Z}
  - {id: x, entity: cust-x, measure: charged, conversion_rate: 0.5,
     valid_from_at: 2026-10-01T00:00:00Z}
""",
    "wallet_entries": """\
wallet_entries:
  - {id: g1, wallet: shared, kind: grant, amount: 100, priority: 1,
     effective_at: 2026-10-01T00:00:00Z, expires_at: 2026-10-10T00:30:00Z}
  - {id: g2, wallet: shared, kind: grant, amount: 500, effective_at: 2026-10-01T00:00:00Z}
  - {id: p, wallet: pot, kind: grant, amount: 30, effective_at: 2026-10-01T00:00:00Z}
  - {id: c, wallet: x, kind: grant, amount: 10, effective_at: 2026-10-01T00:00:00Z}
""",
}
COLUMNS = {
    "bucket_start_at": "timestamp",
    "entity_key": "varchar",
    "customer_key": "varchar",
    "application_key": "varchar",
    "feature_key": "varchar",
    "source_instance": "varchar",
    "effective_cost_usd": "decimal(38,15)",
    "estimated_cost_usd": "decimal(38,15)",
    "charged_usd": "decimal(38,15)",
    "uncharged_cost_usd": "decimal(38,15)",
}
MODELS = (
    "stg_config__versions",
    "stg_config__wallets",
    "stg_config__wallet_limits",
    "stg_config__wallet_entries",
    "stg_config__entities",
    "stg_config__entity_parents",
    "staging.decisions",
    "int_org__nodes",
    "int_org__edges",
    "int_org__expanded",
    "int_org__paths",
    "dim_wallets",
    "dim_wallet_features",
    "dim_wallet_entries",
    "fct_wallet_usage",
    "published_snapshot",
)
OPS_MODELS = ("stg_ops__wallet_postings", "fct_wallet_ledger", "fct_wallet_balances",
              "fct_wallet_members", "assert_wallet_use_is_drawn_or_owed")  # fmt: skip


def used(on: str, entity: str, cost: str, **changes: Any) -> dict[str, Any]:
    """A quarter of an hour's use that nobody is charged for."""
    return {
        "bucket_start_at": on,
        "entity_key": entity,
        "customer_key": "customers-internal",
        "source_instance": "s",
        "effective_cost_usd": cost,
        "estimated_cost_usd": "0",
        "charged_usd": "0",
        "uncharged_cost_usd": cost,
    } | changes


OCTOBER = [
    used("2026-10-05 09:00", "team-a", "30"),
    used("2026-10-05 09:15", "team-a", "10"),
    # Priced 40, estimated 5; charged 12 for what is sold, 2 of it is not.
    used("2026-10-05 09:30", "team-b", "40", estimated_cost_usd="5", customer_key="cust-x",
         charged_usd="12", uncharged_cost_usd="2"),
    used("2026-10-10 00:15", "team-a", "8"),
    used("2026-10-10 00:30", "team-a", "9"),
    used("2026-10-12 10:00", "team-c", "25", feature_key="chat"),
    used("2026-10-12 10:00", "team-c", "4", feature_key="search"),
    used("2026-10-19 10:00", "hedy", "3", feature_key="chat"),
    used("2026-10-20 00:00", "hedy", "3", feature_key="chat"),
    used("2026-09-30 23:45", "team-a", "1000"),
]  # fmt: skip


class Road:
    """A home whose use is made by hand, walked pass by pass."""

    def __init__(self, folder: Path) -> None:
        self.home, config = folder / "home", folder / "config"
        config.mkdir()
        for name, text in FILES.items():
            (config / f"{name}.yaml").write_text(text, encoding="utf-8")
        source = config_source(load_config(config), extracted_at=datetime(2026, 10, 1, tzinfo=UTC))
        run_source(pipeline_for("config", instance=None, home=self.home), source)
        declare_tables(self.home)
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        with duckdb.connect(str(warehouse_path(self.home))) as connection:
            for statement in (
                "create schema staging",
                "create schema intermediate",
                "create table staging.stg_run__current_pass (pass_id bigint, as_of timestamp)",
                f"create table intermediate.int_spend__quarter_hours ({columns})",
                "create table intermediate.int_org__identifiers_discovered (entity_key varchar,"
                " tree varchar, entity_type varchar, entity_name varchar, email varchar,"
                " parent_key varchar)",
            ):
                connection.execute(statement)

    def walk(
        self, engine: Engine, pass_id: int, as_of: datetime, uses: list[dict[str, Any]]
    ) -> None:
        with duckdb.connect(str(warehouse_path(self.home))) as connection:
            connection.execute("delete from staging.stg_run__current_pass")
            connection.execute(
                "insert into staging.stg_run__current_pass values (?, ?)",
                [pass_id, as_of.replace(tzinfo=None)],
            )
            connection.execute("delete from intermediate.int_spend__quarter_hours")
            for use in uses:
                connection.execute(
                    f"insert into intermediate.int_spend__quarter_hours ({', '.join(use)})"
                    f" values ({', '.join('?' for _ in use)})",
                    [*use.values()],
                )
        land_decisions(engine, self.home)
        build(self.home, select=MODELS)
        with duckdb.connect(str(self.home / "marts_build.duckdb"), read_only=True) as marts:
            keep_ledger(engine, marts, read_wallets(marts))
        run_source(pipeline_for("ops", instance=None, home=self.home), ops_source(lambda: engine))
        build(self.home, select=OPS_MODELS)

    def read(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.home / "marts_build.duckdb"), read_only=True) as marts:
            return marts.execute(query).fetchall()


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Road, Engine]]:
    folder = tmp_path_factory.mktemp("wallets")
    with opened_store(folder) as engine:
        made = Road(folder)
        made.walk(engine, 1, datetime(2026, 11, 2, tzinfo=UTC), OCTOBER)
        yield made, engine


BALANCES = """
    select wallet_id, granted_usd, adjusted_usd, used_usd, expired_usd, debt_usd,
        settled_balance_usd, ongoing_balance_usd, ongoing_balance_credits
    from wallets.fct_wallet_balances order by wallet_id
"""
LEDGER = """
    select strftime(occurred_at, '%m-%dT%H:%M'), member_key, posting_kind, grant_id, line_part_usd,
        line_total_usd
    from wallets.fct_wallet_ledger where posting_kind <> 'grant' and wallet_id = '{}'
    order by occurred_at, posting_id
"""
MEMBERS = """
    select member_key, drawn_usd, debt_usd from wallets.fct_wallet_members
    where wallet_id = '{}' order by member_key
"""


def test_the_road_from_use_to_balances(road: tuple[Road, Engine]) -> None:
    found = road[0].read(LEDGER.format("shared"))
    assert found == [
        ("10-05T09:00", "team-a", "use", "g1", 40, 40),
        ("10-05T09:00", "team-b", "use", "g1", 45, 45),
        ("10-10T00:15", "team-a", "use", "g1", 8, 8),
        ("10-10T00:30", None, "expiry", "g1", 7, 7),
        ("10-10T00:30", "team-a", "use", "g2", 9, 9),
        ("10-12T10:00", "team-c", "use", "g2", 4, 4),
        ("10-20T00:00", "hedy", "use", "g2", 3, 3),
    ]
    # The pot is for chat below team-c: Hedy's until she moved. The customer is charged 14, of 10.
    assert road[0].read(LEDGER.format("pot")) == [
        ("10-12T10:00", "team-c", "use", "p", 25, 25),
        ("10-19T10:00", "hedy", "use", "p", 3, 3),
    ]
    assert road[0].read(LEDGER.format("x")) == [
        ("10-05T09:00", "cust-x", "debt", None, 4, 14),
        ("10-05T09:00", "cust-x", "use", "c", 10, 14),
    ]
    assert road[0].read(BALANCES) == [
        ("pot", 30, 0, 28, 0, 0, 0, 2, None),
        ("shared", 600, 0, 109, 7, 0, 0, 484, None),
        ("x", 10, 0, 10, 0, 4, 0, 0, 0.0),
    ]
    assert road[0].read(MEMBERS.format("shared")) == [
        ("hedy", 3, 0),
        ("team-a", 57, 0),
        ("team-b", 45, 0),
        ("team-c", 4, 0),
    ]
    assert road[0].read(MEMBERS.format("x")) == [("cust-x", 10, 4)]


def test_after_the_close_the_marts_keep_october_and_date_what_changed(
    road: tuple[Road, Engine],
) -> None:
    made, engine = road
    before = made.read(LEDGER.format("shared"))
    with writing(engine) as connection:
        connection.execute(
            insert(period_close).values(
                period="2026-10",
                snapshot_id=1,
                closed_at=datetime(2026, 11, 6, tzinfo=UTC),
                by="ada",
                totals_json='{"lines": []}',
                totals_sha256="none",
            )
        )
    late = [{**use, "effective_cost_usd": "24"} if use is OCTOBER[0] else use for use in OCTOBER]
    late += [used("2026-10-06 09:00", "team-b", "5"), used("2026-11-03 09:00", "team-b", "10")]
    made.walk(engine, 2, datetime(2026, 11, 8, tzinfo=UTC), late)
    found = made.read(LEDGER.format("shared"))
    assert found[: len(before)] == before
    credit = "credit|correction|2026-10|2026-11-01T00:00|shared|team-a|shared"
    assert found[len(before) :] == [
        ("11-01T00:00", "team-a", "adjustment", credit, -6, -6),
        ("11-01T00:00", "team-b", "use", "g2", 5, 5),
        ("11-03T09:00", "team-b", "use", "g2", 10, 10),
    ]
    [_, shared, _] = made.read(BALANCES)
    assert shared == ("shared", 600, 6, 124, 7, 0, 484, 475, None)
    assert made.read(
        "select usage_period, drawn_usd from wallets.fct_wallet_members"
        " where wallet_id = 'shared' and member_key = 'team-b' order by 1"
    ) == [("2026-10", Decimal(50)), ("2026-11", Decimal(10))]
