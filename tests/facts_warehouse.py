"""Priced acts made by hand, pass by pass, for the models that stand on them."""

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import yaml
from staged_warehouse import PROJECT, build

from ingestion.pipeline import warehouse_path

Act = dict[str, Any]
_MODELS = PROJECT / "models"


def priced_columns() -> dict[str, str]:
    """The columns core.fct_usage takes from int_usage__charged, with the types of its contract."""
    sql = (_MODELS / "marts" / "core" / "fct_usage.sql").read_text(encoding="utf-8")
    taken = dict.fromkeys(re.findall(r"\bpriced\.(\w+)", sql))
    types: dict[str, str] = {}
    for path in (_MODELS / "marts" / "core").glob("*.yml"):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", []):
            if model["name"] == "fct_usage":
                types = {each["name"]: each["data_type"] for each in model["columns"]}
    return {name: types.get(name, "varchar") for name in taken}


def act(usage_key: str, on: date, cost: str | None, **changes: Any) -> Act:
    """One priced act of 100 tokens, team-search at openai, except for what is changed."""
    return {
        "usage_key": usage_key,
        "usage_on": on,
        "occurred_at": datetime(on.year, on.month, on.day, 12),  # noqa: DTZ001
        "source": "litellm",
        "source_instance": "proxy",
        "entity_key": "team-search",
        "customer_key": "internal",
        "provider": "openai",
        "model_id": "openai/gpt-4o",
        "is_costed": True,
        "row_hash": "first",
        "cost_basis": "list",
        "effective_cost_usd": None if cost is None else Decimal(cost),
        "list_cost_usd": None if cost is None else Decimal(cost),
        **{name: 0 for name in priced_columns() if name.endswith("_tokens")},
        "input_tokens": 100,
        "total_tokens": 100,
    } | changes


class Facts:
    """Priced acts and touched days as tables of a home; `build` makes the models over them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._pass_id = 0
        columns = ", ".join(f"{name} {kind}" for name, kind in priced_columns().items())
        with self._open() as connection:
            for statement in (
                "create schema staging",
                "create schema intermediate",
                "create table staging.stg_run__current_pass (pass_id bigint, as_of timestamp)",
                f"create table intermediate.int_usage__charged ({columns})",
                "create table intermediate.int_usage__touched_days"
                " (usage_on date, reason varchar, pass_id bigint)",
                "create table intermediate.int_usage__versions"
                " (usage_key varchar, usage_on date, is_removed boolean)",
            ):
                connection.execute(statement)

    def put(
        self, acts: Sequence[Act], *, as_of: datetime, touched: Sequence[date], gone: str = ""
    ) -> int:
        """Begins the next pass: the acts as they are priced now, the days touched; its number."""
        self._pass_id += 1
        with self._open() as connection:
            connection.execute("delete from staging.stg_run__current_pass")
            connection.execute(
                "insert into staging.stg_run__current_pass values (?, ?)", [self._pass_id, as_of]
            )
            connection.execute("delete from intermediate.int_usage__charged")
            for each in acts:
                names = ", ".join(each)
                marks = ", ".join("?" for _ in each)
                connection.execute(
                    f"insert into intermediate.int_usage__charged ({names}) values ({marks})",
                    list(each.values()),
                )
            for day in touched:
                connection.execute(
                    "insert into intermediate.int_usage__touched_days values (?, 'usage', ?)",
                    [day, self._pass_id],
                )
                if gone:
                    connection.execute(
                        "insert into intermediate.int_usage__versions values (?, ?, true)",
                        [gone, day],
                    )
        return self._pass_id

    def build(self, *models: str) -> None:
        """Builds these models and their own tests."""
        build(self.home, select=models)

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query over warehouse and marts."""
        with self._open() as connection:
            marts = self.home / "marts_build.duckdb"
            connection.execute(f"attach '{marts}' as marts (read_only)")
            return connection.execute(query).fetchall()

    def _open(self) -> duckdb.DuckDBPyConnection:
        self.home.mkdir(parents=True, exist_ok=True)
        return duckdb.connect(str(warehouse_path(self.home)))
