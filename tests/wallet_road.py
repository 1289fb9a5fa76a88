"""The whole road of wallets over use made by hand: config, models, ledger, mirror, marts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import Engine
from staged_warehouse import build
from written_config import write_config

from ingestion.config_loader import load_config
from ingestion.config_tables import config_source
from ingestion.declared_tables import declare_tables
from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from orchestration.governance.wallet_facts import read_wallets
from orchestration.governance.wallet_keeping import keep_ledger
from orchestration.ops.decisions import land_decisions
from orchestration.ops.mirror import ops_source

COLUMNS = {
    "bucket_start_at": "timestamp",
    "entity_key": "varchar",
    "customer_key": "varchar",
    "application_key": "varchar",
    "feature_key": "varchar",
    "source_instance": "varchar",
    "model_id": "varchar",
    "raw_key_alias": "varchar",
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
    "stg_config__entity_owners",
    "stg_config__entity_cost_centers",
    "staging.decisions",
    "int_org__nodes",
    "int_org__edges",
    "int_org__expanded",
    "int_org__paths",
    "int_org__responsibilities",
    "dim_entity_owners",
    "dim_wallets",
    "dim_wallet_features",
    "dim_wallet_entries",
    "int_wallets__chains",
    "fct_wallet_usage",
    "fct_wallet_drivers",
    "published_snapshot",
    "int_closing__books",
)
OPS_MODELS = (
    "stg_ops__wallet_postings",
    "fct_wallet_ledger",
    "fct_wallet_balances",
    "fct_wallet_members",
    "assert_wallet_use_is_drawn_or_owed",
    "assert_wallet_balances_are_whole",
)


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


class Road:
    """A home whose use is made by hand, walked pass by pass."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self.home, config = folder / "home", folder / "config"
        config.mkdir()
        write_config(config, files)
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
