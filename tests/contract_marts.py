"""A file of published marts with the tables of the contracts, filled by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import yaml

MARTS = Path(__file__).resolve().parents[1] / "dbt_project" / "models" / "marts"
Row = Mapping[str, Any]


def publish(path: Path, tables: Mapping[str, Sequence[Row]]) -> None:
    """Makes each table, `<schema>.<model>`, with the columns and types of its contract."""
    with duckdb.connect(str(path)) as connection:
        for name, rows in tables.items():
            schema, model = name.split(".")
            columns = _contract(schema, model)
            connection.execute(f"create schema if not exists {schema}")
            types = ", ".join(f"{column} {kind}" for column, kind in columns.items())
            connection.execute(f"create table {name} ({types})")
            for row in rows:
                assert set(row) <= set(columns), set(row) - set(columns)
                places = ", ".join("?" for _ in row)
                connection.execute(
                    f"insert into {name} ({', '.join(row)}) values ({places})", list(row.values())
                )


def _contract(schema: str, model: str) -> dict[str, str]:
    for path in (MARTS / schema).glob("*.yml"):
        for declared in yaml.safe_load(path.read_text(encoding="utf-8")).get("models") or ():
            if declared["name"] == model:
                return {each["name"]: each["data_type"] for each in declared["columns"]}
    raise LookupError(f"no contract of {schema}.{model}")
