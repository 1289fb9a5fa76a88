"""Databricks' system tables in DuckDB, and statements over them in Databricks' own SQL.

A statement is parsed as Databricks', its catalogue renamed (DuckDB keeps the name `system` for
itself) and run; cells come back as the API tells them: texts or null, nested values as JSON.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import orjson
import sqlglot
from sqlglot import exp

Cells = list[str | None]
_CATALOG = "vendor"
_KINDS = {"BIGINT": "LONG", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP", "VARCHAR": "STRING"}


class StatementError(Exception):
    """A statement that fails, with the SQL error condition it fails with."""


class Store:
    """Tables by full name, their columns typed as Databricks declares them."""

    def __init__(self, tables: Mapping[str, Mapping[str, str]]) -> None:
        self._tables = {name: dict(columns) for name, columns in tables.items()}
        self._connection = duckdb.connect()
        self._connection.execute("set timezone = 'UTC'")
        self._connection.execute(f"attach ':memory:' as {_CATALOG}")
        for name, columns in self._tables.items():
            schema = name.split(".")[1]
            declared = ", ".join(f"{column} {_duck(kind)}" for column, kind in columns.items())
            self._connection.execute(f"create schema if not exists {_CATALOG}.{schema}")
            self._connection.execute(f"create table {_inner(name)} ({declared})")

    def put(self, name: str, rows: Sequence[Mapping[str, Any]], *, key: str | None = None) -> None:
        """Adds rows; where a key is named, those of a key that is there already are replaced."""
        columns = self._tables[name]
        values = ", ".join(
            f"cast(r -> '{column}' as {_duck(kind)})"
            if "<" in kind
            else f"cast(r ->> '{column}' as {_duck(kind)})"
            for column, kind in columns.items()
        )
        told = orjson.dumps(list(rows), default=str).decode()
        if key:
            keys = [str(row[key]) for row in rows]
            self._connection.execute(
                f"delete from {_inner(name)} where {key} in (select unnest(?))", [keys]
            )
        self._connection.execute(
            f"insert into {_inner(name)} select {values} "
            "from (select unnest(cast(cast(? as json) as json[])) as r)",
            [told],
        )

    def drop(self, name: str) -> None:
        """The table is gone, as before its tracking is enabled."""
        del self._tables[name]
        self._connection.execute(f"drop table {_inner(name)}")

    def has(self, name: str) -> bool:
        """Whether the table is there."""
        return name in self._tables

    def measure(self, name: str, measure: str) -> int | str:
        """An aggregate over a table in DuckDB's SQL; a sum of decimals as text."""
        found = self._connection.execute(f"select {measure} from {_inner(name)}").fetchall()
        value = found[0][0]
        return int(value or 0) if not isinstance(value, Decimal) else _plain(value)

    def run(self, statement: str) -> tuple[list[dict[str, str]], list[Cells]]:
        """Columns and cells of a statement's result."""
        try:
            tree = sqlglot.parse_one(statement, read="databricks")
        except sqlglot.ParseError:
            raise StatementError("[PARSE_SYNTAX_ERROR] Syntax error") from None
        declared: dict[str, str] = {}
        for table in tree.find_all(exp.Table):
            name = ".".join(part.name for part in table.parts)
            if name not in self._tables:
                raise StatementError(
                    f"[TABLE_OR_VIEW_NOT_FOUND] The table or view `{name}` cannot be found. "
                    "Verify the spelling and correctness of the schema and catalog."
                )
            declared |= self._tables[name]
            table.set("catalog", exp.to_identifier(_CATALOG))
        if isinstance(tree, exp.Describe):
            names = ("col_name", "data_type", "comment")
            kind = {"type_text": "STRING", "type_name": "STRING"}
            columns = [{"name": name} | kind for name in names]
            # A table's partitions are told below its columns.
            below = [["# Partition Information", "", ""], ["# col_name", "data_type", "comment"]]
            return columns, [[name, text.lower(), None] for name, text in declared.items()] + below
        try:
            found = self._connection.execute(tree.sql("duckdb"))
            rows = found.fetchall()
        except duckdb.BinderException:
            message = "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column cannot be resolved"
            raise StatementError(message) from None
        columns = []
        for name, kind, *_ in found.description:
            text = declared.get(name) or _KINDS.get(str(kind), str(kind))
            type_name = text.partition("<")[0].partition("(")[0].replace("BIGINT", "LONG")
            columns.append({"name": name, "type_text": text, "type_name": type_name})
        return columns, [[_cell(value) for value in row] for row in rows]


def _inner(name: str) -> str:
    _, schema, table = name.split(".")
    return f"{_CATALOG}.{schema}.{table}"


def _duck(kind: str) -> str:
    return exp.DataType.build(kind, dialect="databricks").sql("duckdb")


def _plain(value: Decimal) -> int | str:
    """A sum of integers is a wide one in DuckDB; a sum of decimals keeps its places."""
    return int(value) if value.as_tuple().exponent == 0 else format(value.normalize(), "f")


def _cell(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict | list):
        return orjson.dumps(value, default=str).decode()
    return str(value)
