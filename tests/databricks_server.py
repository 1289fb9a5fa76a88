"""A SQL warehouse on loopback that answers from recorded results of the system tables."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from scripted_server import Answer, Asked, ScriptedServer, scripted_server

from ingestion.databricks import databricks_source
from ingestion.pipeline import pipeline_for, run_source

FIXTURES = Path(__file__).parent / "fixtures" / "databricks"
INSTANCE = "databricks-main"
NOW = datetime(2026, 11, 20, 12, 32, tzinfo=UTC)
TOKEN = "dapi-test-token"
SECRET = "dose-test-secret"
TABLES = {
    "system.ai_gateway.usage": "ai_gateway_usage_statement.json",
    "system.ai_gateway.external_model_spend": "external_model_spend_statement.json",
    "system.serving.endpoint_usage": "endpoint_usage_statement.json",
    "system.serving.served_entities": "served_entities_statement.json",
    "system.billing.usage": "billing_usage_statement.json",
    "system.billing.list_prices": "list_prices_statement.json",
}
_STATEMENTS = "/api/2.0/sql/statements"
_SELECT = re.compile(r"SELECT (?P<what>.+?) FROM (?P<table>[a-z_.]+)(?: WHERE (?P<where>.+?))?$")
_BOUND = re.compile(r"([a-z_]+) (>=|<) (?:TIMESTAMP|DATE) '([^']+)'")
Cells = list[Any]


@dataclass
class Table:
    """Columns as a manifest tells them, and rows as cells: texts or null."""

    columns: list[dict[str, Any]]
    rows: list[Cells]

    def named(self, row: Cells) -> dict[str, Any]:
        """The cells by column."""
        return {each["name"]: cell for each, cell in zip(self.columns, row, strict=True)}

    def add(self, row: Cells, **changes: Any) -> None:
        """A copy of a row with other cells."""
        self.rows.append(list((self.named(row) | changes).values()))

    def change(self, number: int, **changes: Any) -> None:
        """Other cells in a row."""
        self.rows[number] = list((self.named(self.rows[number]) | changes).values())


@dataclass
class WarehouseServer:
    """Tables by name, and what is told of the statements over them."""

    tables: dict[str, Table]
    script: ScriptedServer = field(init=False)
    chunk_rows: int = 3
    pending_polls: int = 0
    statements: dict[str, tuple[str, str]] = field(default_factory=dict)
    polls: dict[str, int] = field(default_factory=dict)
    results: dict[str, tuple[list[Any], list[Cells]] | None] = field(default_factory=dict)
    rewrite: Any = None

    def answer(self, asked: Asked) -> Answer:
        """One answer, as the API gives it."""
        if asked.path.startswith("/storage/"):
            assert "authorization" not in asked.headers
            _, _, statement_id, index = asked.path.split("/")
            return Answer(self.chunk(statement_id, int(index))["data_array"])
        if asked.path == "/oidc/v1/token":
            return Answer({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600})
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Answer({"error_code": 401, "message": "Credential was not sent"}, status=401)
        if asked.path == _STATEMENTS:
            body = asked.json()
            statement_id = f"01ef-{len(self.statements):04}"
            self.statements[statement_id] = (body["statement"], body["disposition"])
            self.polls[statement_id] = self.pending_polls
            # A result is what was there when the statement ran.
            self.results[statement_id] = self._run(body["statement"])
            return Answer(self._told(statement_id))
        statement_id, _, rest = asked.path.removeprefix(f"{_STATEMENTS}/").partition("/")
        if rest == "cancel":
            return Answer({})
        if rest:
            return Answer(self._rewritten(self.result(statement_id, int(rest.split("/")[-1]))))
        return Answer(self._told(statement_id))

    def _told(self, statement_id: str) -> Any:
        left = self.polls[statement_id]
        self.polls[statement_id] -= 1
        if left > 0:
            state = "PENDING" if left == self.pending_polls else "RUNNING"
            return {"statement_id": statement_id, "status": {"state": state}}
        found = self.results[statement_id]
        if found is None:
            failed = json.loads((FIXTURES / "statement_failed.json").read_text(encoding="utf-8"))
            return failed | {"statement_id": statement_id}
        columns, rows = found
        count = max(1, -(-len(rows) // self.chunk_rows))
        return self._rewritten(
            {
                "statement_id": statement_id,
                "status": {"state": "SUCCEEDED"},
                "manifest": {
                    "format": "JSON_ARRAY",
                    "schema": {"column_count": len(columns), "columns": columns},
                    "total_chunk_count": count,
                    "total_row_count": len(rows),
                    "truncated": False,
                },
                "result": self.result(statement_id, 0),
            }
        )

    def _rewritten(self, told: Any) -> Any:
        return self.rewrite(told) if self.rewrite else told

    def result(self, statement_id: str, index: int) -> Any:
        """A chunk as the statement's disposition wants it: itself, or where it lies."""
        chunk = self.chunk(statement_id, index)
        if self.statements[statement_id][1] == "INLINE":
            return chunk
        del chunk["data_array"]
        link = f"{self.script.url}/storage/{statement_id}/{index}?X-Amz-Signature=abc"
        return {"external_links": [chunk | {"external_link": link}]}

    def chunk(self, statement_id: str, index: int) -> dict[str, Any]:
        """The rows of a chunk, and which one comes next."""
        found = self.results[statement_id]
        assert found is not None
        rows, size = found[1], self.chunk_rows
        part = rows[index * size : (index + 1) * size]
        chunk = {"chunk_index": index, "row_offset": index * size, "row_count": len(part)}
        if len(rows) > (index + 1) * size:
            chunk["next_chunk_index"] = index + 1
        return chunk | {"data_array": part}

    def _run(self, text: str) -> tuple[list[Any], list[Cells]] | None:
        """Columns and rows a statement asks for; None where its table is missing."""
        if text.startswith("DESCRIBE TABLE "):
            table = self.tables.get(text.removeprefix("DESCRIBE TABLE "))
            if table is None:
                return None
            names = ("col_name", "data_type", "comment")
            columns = [{"name": name, "type_name": "STRING"} for name in names]
            return columns, [[each["name"], each["type_text"], None] for each in table.columns]
        text, _, order = text.partition(" ORDER BY ")
        match = _SELECT.fullmatch(text)
        assert match, text
        table = self.tables[match["table"]]
        rows = [table.named(row) for row in table.rows]
        for column, sign, bound in _BOUND.findall(match["where"] or ""):
            rows = [row for row in rows if (_time(row[column]) >= _time(bound)) == (sign == ">=")]
        if match["what"].startswith("MIN("):
            column = match["what"][4 : match["what"].index(")")]
            first = min((row[column] for row in rows), default=None)
            return [{"name": "first_at", "type_name": "TIMESTAMP"}], [[first]]
        rows.sort(key=lambda row: [str(row.get(name)) for name in order.split(", ")])
        wanted = match["what"].split(", ")
        columns = [next(c for c in table.columns if c["name"] == name) for name in wanted]
        return columns, [[row[name] for name in wanted] for row in rows]


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def recorded(name: str) -> Table:
    """A system table as its recorded statement tells it, all chunks of it."""
    told = json.loads((FIXTURES / TABLES[name]).read_text(encoding="utf-8"))
    rows = told["result"]["data_array"]
    if "next_chunk_index" in told["result"]:
        chunk = FIXTURES / TABLES[name].replace("statement", "chunk_1")
        rows = rows + json.loads(chunk.read_text(encoding="utf-8"))["data_array"]
    return Table(told["manifest"]["schema"]["columns"], rows)


@contextmanager
def warehouse_server() -> Iterator[WarehouseServer]:
    """A running warehouse over the recorded tables."""
    server = WarehouseServer({name: recorded(name) for name in TABLES})
    with scripted_server(server.answer) as script:
        server.script = script
        yield server


def load_databricks(
    home: Path,
    url: str,
    *,
    now: datetime = NOW,
    deep_reread: bool = False,
    disposition: str = "EXTERNAL_LINKS",
    only: Sequence[str] = (),
    **login: str | None,
) -> None:
    """One run of the source, or of some of its resources: each costs a load three tables."""
    known = {"token": TOKEN, "client_id": None, "client_secret": None} | login
    source = databricks_source(
        host=url,
        warehouse_id="abcdef0123456789",
        disposition=disposition,  # type: ignore[arg-type]
        instance=INSTANCE,
        now=now,
        deep_reread=deep_reread,
        history=timedelta(days=30),
        **known,
    )
    if only:
        suffixes = ("", "__rejected", "__reads")
        source = source.with_resources(*(name + end for name in only for end in suffixes))
    run_source(pipeline_for("databricks", instance=INSTANCE, home=home), source)
