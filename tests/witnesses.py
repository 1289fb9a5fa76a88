"""Acts as several sources tell them, made by hand, for the models that choose which one costs."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from staged_warehouse import PROJECT, build

from ingestion.pipeline import warehouse_path

Act = dict[str, Any]
MODELS = (
    "int_usage__versions",
    "int_usage__touched_days",
    "int_usage__matched",
    "int_usage__deduplicated",
    "int_usage__attributed",
)
LAYERS = {
    "proxy": "gateway",
    "cloud": "provider_log",
    "tracer": "observability",
    "spans": "observability",
}
SYSTEMS = {"spans": "otel"}
ORDER = ("gateway", "provider_log", "observability", "saas")
_TYPES = {
    "occurred_at": "timestamp", "period_start_at": "timestamp", "period_end_at": "timestamp",
    "loaded_at": "timestamp", "usage_on": "date", "latency_ms": "bigint", "ttft_ms": "bigint",
    "attempt": "integer", "richness": "bigint", "quantity": "decimal(38, 15)",
    "reported_cost_usd": "decimal(38, 15)", "is_informational": "boolean",
    "is_gateway_cache_hit": "boolean", "is_removed": "boolean",
}  # fmt: skip


def _columns() -> dict[str, str]:
    """The columns of a standard event and of what its source gives besides, with their types."""
    macros = (PROJECT / "macros" / "standard_event_columns.sql").read_text(encoding="utf-8")
    names = dict.fromkeys(re.findall(r"'(\w+)'", macros.replace("'in'", "")))
    kinds = {name: "bigint" for name in names if name.endswith("_tokens")}
    return {name: kinds.get(name, _TYPES.get(name, "varchar")) for name in names}


COLUMNS = _columns()


def act(key: str, source: str, at: str, **said: Any) -> Act:
    """One act of 100 tokens of input and 10 of output at that time, except for what is said."""
    tokens = {name: 0 for name in COLUMNS if name.endswith("_tokens")}
    tokens |= {"input_tokens": 100, "output_tokens": 10, "total_mismatch_tokens": None}
    tokens |= {name: value for name, value in said.items() if name in tokens}
    outputs = ("output", "reasoning", "audio_output", "image_output")
    total_output = sum(tokens[f"{kind}_tokens"] for kind in outputs)
    total = sum(value or 0 for name, value in tokens.items() if not name.startswith("total_"))
    moment = datetime.fromisoformat(at)
    return {
        **tokens,
        "usage_key": key,
        "source": source,
        "source_instance": source,
        "source_record_id": key,
        "evidence_layer": LAYERS[source],
        "fidelity": "per_request",
        "occurred_at": moment,
        "usage_on": moment.date(),
        "status": "ok",
        "is_informational": False,
        "is_gateway_cache_hit": False,
        "is_removed": False,
        "identity_key": f"of {key}",
        "model_key": f"model of {source}",
        "richness": 0,
        "row_hash": "first",
        "source_locator": key,
        "total_input_tokens": total - total_output,
        "total_output_tokens": total_output,
        "total_tokens": total,
    } | said


class Witnesses:
    """Loads of hand-made acts into a home; `tell` is a pass over one more load."""

    def __init__(
        self,
        home: Path,
        *,
        order: Iterable[str] = ORDER,
        covered: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home
        self.pass_id = 0
        given = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        with self._open() as con:
            for schema in ("staging", "intermediate", "marts.core"):
                con.execute(f"create schema {schema}")
            for statement in (
                f"create table intermediate.int_usage__unioned ({given})",
                "create table intermediate.int_usage__loads"
                " (source varchar, load_id varchar, pass_id bigint)",
                "create table staging.stg_run__current_pass (pass_id bigint, as_of timestamp)",
                "create table staging.stg_config__versions as"
                " select 'a' as attribution_version, 'p' as pricing_version",
                "create table intermediate.int_prices__inputs_version as"
                " select 'i' as price_inputs_version",
                "create table staging.stg_bedrock__inference_profiles (load_id varchar)",
                "create table staging.stg_decisions__repricings"
                " (repricing_id varchar, from_at timestamp, to_at timestamp, is_undone boolean)",
                "create table staging.stg_decisions__identity_acceptances"
                " (acceptance_id varchar, target_key varchar)",
                "create table staging.stg_config__evidence_order (position bigint, name varchar)",
                "create table staging.stg_config__sources (source_instance varchar,"
                " system varchar, evidence_layer varchar, covered_by varchar,"
                " covered_keys_json varchar)",
                "create table intermediate.int_prices__identity_scopes (identity_key varchar,"
                " entity_key varchar, customer_key varchar, user_key varchar, agent_key varchar,"
                " application_key varchar, feature_key varchar, attributed_by varchar,"
                " customer_attributed_by varchar, buy_scope_number integer,"
                " sell_scope_number integer)",
                "create table staging.stg_config__entities"
                " (entity_key varchar, tree varchar, entity_type varchar)",
            ):
                con.execute(statement)
        self.declare(order=order, covered=covered)

    def declare(
        self,
        *,
        order: Iterable[str] = ORDER,
        covered: Mapping[str, str] | None = None,
        layers: Mapping[str, str] = LAYERS,
        version: str = "p",
    ) -> None:
        """What sources.yaml says, of these sources alone; another version touches every day."""
        with self._open() as con:
            con.execute("delete from staging.stg_config__evidence_order")
            con.execute("delete from staging.stg_config__sources")
            con.execute("update staging.stg_config__versions set pricing_version = ?", [version])
            for position, name in enumerate(order):
                con.execute(
                    "insert into staging.stg_config__evidence_order values (?, ?)", [position, name]
                )
            for source, layer in layers.items():
                con.execute(
                    "insert into staging.stg_config__sources values (?, ?, ?, ?, null)",
                    [source, SYSTEMS.get(source, source), layer, (covered or {}).get(source)],
                )

    def tell(self, *acts: Act) -> None:
        """One load with these acts, and a pass over it."""
        self.pass_id += 1
        load_id = f"{self.pass_id:04}"
        with self._open() as con:
            con.execute("delete from staging.stg_run__current_pass")
            con.execute(
                "insert into staging.stg_run__current_pass values (?, now())", [self.pass_id]
            )
            con.execute(
                "insert into intermediate.int_usage__loads values ('hand', ?, ?)",
                [load_id, self.pass_id],
            )
            for each in acts:
                row = each | {"load_id": load_id}
                names, marks = ", ".join(row), ", ".join("?" for _ in row)
                con.execute(
                    f"insert into intermediate.int_usage__unioned ({names}) values ({marks})",
                    list(row.values()),
                )
        self.build(*MODELS)

    def build(self, *models: str) -> None:
        """Builds these models over what was told."""
        build(self.home, select=models)

    def build_anew(self) -> None:
        """All models from the beginning, as if they had never been built."""
        with self._open() as con:
            for model in MODELS[:-1]:
                con.execute(f"drop table intermediate.{model}")
        self.build(*MODELS)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query over the warehouse."""
        with self._open() as con:
            return con.execute(query).fetchall()

    def costed(self) -> list[str]:
        """The acts that carry cost."""
        found = self.rows("select usage_key from intermediate.int_usage__attributed order by all")
        return [key for (key,) in found]

    def shadows(self) -> dict[str, tuple[str, str, str]]:
        """Of each act joined to another: which one carries, by which id, and why."""
        found = self.rows(
            "select usage_key, duplicate_of_usage_key, matched_by, carried_because"
            " from intermediate.int_usage__matched where usage_key is not null"
        )
        return {key: (carrier, by, why) for key, carrier, by, why in found}

    def contents(self) -> list[tuple[Any, ...]]:
        """What the models decided, but for the pass that did."""
        found = []
        for model in ("int_usage__deduplicated", "int_usage__matched"):
            found += self.rows(
                f"select * exclude (pass_id) from intermediate.{model}"
                " where usage_key is not null order by all"
            )
        return found

    def _open(self) -> duckdb.DuckDBPyConnection:
        self.home.mkdir(parents=True, exist_ok=True)
        con = duckdb.connect(str(warehouse_path(self.home)))
        con.execute(f"attach '{self.home / 'marts_build.duckdb'}' as marts")
        return con
