"""Usage as LiteLLM and the collector really load it, delivered again at will.

Every event is loaded once; a delivery is a copy of its row under another load and another place.
The models that make acts of it run as dbt compiles them, for a first pass and for a later one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from collector_service import LITELLM_TOKEN, collector, drain
from raw_loads import load_spend_logs
from spend_log_server import spend_log_server
from staged_warehouse import compiled_models

from ingestion.declared_tables import declare_tables
from ingestion.pipeline import warehouse_path

Row = dict[str, Any]
_TABLES = ("raw_litellm.spend_logs", "raw_collector.events", "raw_collector.litellm_logs")
_STAGED = ("stg_litellm__spend_logs", "stg_collector__events", "stg_collector__litellm_logs")
_USAGE = (
    *("int_usage__unioned", "int_usage__versions"),
    *("int_usage__matched", "int_usage__deduplicated"),
)
_NEW_LOADS = "loads of this pass"
_RELATION = re.compile(r'"warehouse"\."(\w+)"\."(\w+)"')
# Tables that a home in which nothing is built lacks; without a load of its own for each system.
_CONFIG = """
    create table warehouse.staging.stg_run__current_pass (pass_id bigint);
    create table warehouse.staging.stg_config__evidence_order as
        select * from (values (1, 'gateway'), (2, 'observability')) as named (position, name);
    create table warehouse.staging.stg_config__sources as
        select *, cast(null as varchar) as covered_by, cast(null as varchar) as covered_keys_json
        from (values ('litellm-main', 'litellm', 'gateway'), ('app', 'collector', 'observability'))
            as declared (source_instance, system, evidence_layer);
"""


@dataclass(frozen=True)
class Delivery:
    """An event, by the number of its row, in a load that a pass takes up."""

    row: int
    load: int
    load_pass: int


class Redelivery:
    """What was loaded once, and the models over any deliveries of it."""

    def __init__(
        self, folder: Path, *, pulled: list[Row], pushed: list[Row], events: list[Row]
    ) -> None:
        home = folder / "loaded"
        home.mkdir()
        with collector(home) as service, spend_log_server(pulled) as log:
            load_spend_logs(home, log.url)
            service.post("/v1/events", events)
            service.post("/litellm", pushed, token=LITELLM_TOKEN)
            drain(home)
        declare_tables(home)
        self._sql = compiled_models(home, select=[*_STAGED, *_USAGE])
        self._later_versions = _compiled_versions_of_a_later_pass(folder / "later")
        self._connection = duckdb.connect()
        self._connection.execute(f"attach '{warehouse_path(home)}' as loaded (read_only)")
        self._connection.execute("attach ':memory:' as warehouse")
        self.rows = self._keep_rows()
        self._make_relations()

    def close(self) -> None:
        """Lets go of the loaded rows."""
        self._connection.close()

    def acts(self, deliveries: Sequence[Delivery]) -> list[Row]:
        """The acts after a pass over each pass's loads, but for what says where they came from."""
        con = self._connection
        con.execute("begin")
        try:
            for number, load_pass in enumerate(sorted({each.load_pass for each in deliveries})):
                arrived = [each for each in deliveries if each.load_pass == load_pass]
                loads = {f"{each.load:04}" for each in arrived}
                self._deliver(arrived)
                con.execute("delete from warehouse.staging.stg_run__current_pass")
                con.execute(
                    "insert into warehouse.staging.stg_run__current_pass values (?)", [number]
                )
                if number == 0:
                    self._make("int_usage__versions", "table")
                else:
                    named = "', '".join(sorted(loads))
                    later = self._later_versions.replace(_NEW_LOADS, named)
                    con.execute(f"insert into warehouse.intermediate.int_usage__versions {later}")
            self._make("int_usage__matched", "table")
            found = con.execute(
                "select * exclude (load_id, source_locator, loaded_at, pass_id)"
                f" from ({self._sql['int_usage__deduplicated']}) order by usage_key"
            )
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        finally:
            con.execute("rollback")

    def _deliver(self, arrived: Sequence[Delivery]) -> None:
        for place, each in enumerate(arrived):
            table, number = self.rows[each.row]
            load_id = f"{each.load:04}"
            self._connection.execute(
                f"insert into warehouse.{table} select * exclude (row_number) replace ("
                " ? as _dlt_load_id, ? as source_locator,"
                " extracted_at + to_minutes(?) as extracted_at)"
                f" from kept_{table.replace('.', '_')} where row_number = ?",
                [load_id, f"place {each.load_pass}-{place}", each.load, number],
            )
            schema = table.partition(".")[0]
            self._connection.execute(
                f"insert into warehouse.{schema}._dlt_loads select ?, 0"
                f" where ? not in (select load_id from warehouse.{schema}._dlt_loads)",
                [load_id, load_id],
            )

    def _keep_rows(self) -> list[tuple[str, int]]:
        """The table and the number of every row that was loaded."""
        con, found = self._connection, []
        for schema in ("staging", "intermediate", "raw_litellm", "raw_collector"):
            con.execute(f"create schema warehouse.{schema}")
        for table in _TABLES:
            kept = f"kept_{table.replace('.', '_')}"
            con.execute(
                f"create table {kept} as select row_number() over (order by row_hash)"
                f" as row_number, * from loaded.{table}"
            )
            con.execute(f"create table warehouse.{table} as from loaded.{table} limit 0")
            numbers = con.execute(f"select row_number from {kept} order by all").fetchall()
            found += [(table, number) for (number,) in numbers]
        return found

    def _make_relations(self) -> None:
        con = self._connection
        con.execute(_CONFIG)
        con.execute(
            "create table warehouse.raw_collector.inbox_events as"
            " from loaded.raw_collector.inbox_events limit 0;"
            " create table warehouse.raw_litellm._dlt_loads (load_id varchar, status bigint);"
            " create table warehouse.raw_collector._dlt_loads (load_id varchar, status bigint)"
        )
        for name in _STAGED:
            con.execute(f"create view warehouse.staging.{name} as {self._sql[name]}")
        for schema, name in sorted(set(_RELATION.findall(self._sql["int_usage__unioned"]))):
            if name not in _STAGED:  # a system that brings nothing here
                con.execute(
                    f"create table warehouse.{schema}.{name} as"
                    f" from warehouse.staging.{_STAGED[0]} limit 0"
                )
        self._make("int_usage__unioned", "view")

    def _make(self, name: str, kind: str) -> None:
        self._connection.execute(
            f"create {kind} warehouse.intermediate.{name} as {self._sql[name]}"
        )


def _compiled_versions_of_a_later_pass(home: Path) -> str:
    """The model as a pass compiles it that is not the first, its loads named `_NEW_LOADS`."""
    home.mkdir()
    with duckdb.connect(str(warehouse_path(home))) as connection:
        connection.execute(
            "create schema intermediate;"
            " create table intermediate.int_usage__versions (load_id varchar, pass_id bigint);"
            " create table intermediate.int_usage__loads (load_id varchar, pass_id bigint)"
        )
        connection.execute("insert into intermediate.int_usage__loads values (?, 1)", [_NEW_LOADS])
    (sql,) = compiled_models(home, select=["int_usage__versions"]).values()
    assert sql.count(_NEW_LOADS) == 1
    return sql
