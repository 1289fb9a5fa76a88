"""Copies of the warehouse tables that `entities.yaml` imports, so that reading config/ opens none.

A pass makes them when it loads config/; the configuration is then what the copies say.
"""

from contextlib import suppress
from pathlib import Path

import duckdb
from pydantic import ValidationError

from ingestion.config_imports import Import
from ingestion.config_yaml import ConfigError, Problem, read_yaml
from ingestion.pipeline import warehouse_path

_UTC = "%Y-%m-%dT%H:%M:%S.%fZ"


def imported_tables(config: Path) -> list[tuple[str, Problem]]:
    """The tables that `entities.yaml` names, and what to say where one is not there.

    What is wrong with the file itself is for `load_config` to say.
    """
    try:
        document = read_yaml(config / "entities.yaml", shown_as="entities.yaml")
    except (ConfigError, OSError):
        return []
    imports = document.value.get("imports") if isinstance(document.value, dict) else None
    found = []
    for index, item in enumerate(imports if isinstance(imports, list) else ()):
        with suppress(ValidationError):
            table = Import.model_validate(item).table
            if table is not None:
                line = document.line(("imports", index))
                text = f"the warehouse has no table {table}"
                found.append((table, Problem("entities.yaml", line, text)))
    return found


def copy_tables(config: Path, *, home: Path, to: Path) -> None:
    """Writes each imported table to `<to>/<schema>.<table>.csv`; refuses one that is not there.

    The caller holds the warehouse.
    """
    for table, missing in imported_tables(config):
        to.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = to / f"{table}.new"
        try:
            with duckdb.connect(str(warehouse_path(home)), read_only=True) as connection:
                _told(connection.table(table)).write_csv(str(fresh), header=True)
        except (duckdb.CatalogException, duckdb.IOException):
            raise ConfigError([missing]) from None
        fresh.rename(to / f"{table}.csv")


def _told(table: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """The table with its times as config/ writes them, in UTC: so are those without a zone."""
    columns = []
    for name, kind in zip(table.columns, table.types, strict=True):
        column = f'"{name.replace(chr(34), chr(34) * 2)}"'
        if str(kind).startswith("TIMESTAMP"):
            at = f"{column} at time zone 'UTC'" if "TIME ZONE" in str(kind) else column
            column = f"strftime({at}, '{_UTC}') as {column}"
        columns.append(column)
    return table.project(", ".join(columns))
