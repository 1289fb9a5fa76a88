"""A Salesforce org over tables of a test: signs in, lists its objects, answers queries."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from raw_loads import FIXTURES
from scripted_server import Answer, Asked, ScriptedServer, scripted_server

from ingestion.agentforce import agentforce_source
from ingestion.agentforce_query import QueryApi, sign_in
from ingestion.pipeline import pipeline_for, run_source
from sandbox.agentforce_wallet import Table, answer_query

AGENTFORCE = "agentforce-main"
NOW = datetime(2026, 10, 6, 2, tzinfo=UTC)
SECRET = "af-client-secret"
EVENTS = "TenantEnrichedUsageEvent__dll"
CALLS = "AiAgentGenerativeAiUsage_std__dlm"
DAYS = "TenantDailyEntitlementConsumption"
TRANSACTIONS = "TenantEntitlementTransaction"
SSOT = "/services/data/v64.0/ssot"
Rewrite = Callable[[Asked, Any], Any]


def table_of(*names: str) -> Table:
    """The rows of recorded answers under the first one's columns."""
    answers = [
        json.loads((FIXTURES / "agentforce" / f"{name}.json").read_text(encoding="utf-8"))
        for name in names
    ]
    columns = tuple(column["name"] for column in answers[0]["metadata"])
    rows = [dict(zip(columns, row, strict=True)) for answer in answers for row in answer["data"]]
    return Table(
        "DataLakeObject" if "eventtime__c" in columns else "DataModelObject", columns, rows
    )


def act(number: int, at: str, **fields: Any) -> dict[str, Any]:
    """A billable act like the first recorded one."""
    first = table_of("query_sql_enriched_usage_page1").rows[0]
    return {**first, "id__c": f"act-{number}", "eventtime__c": at, **fields}


def recorded() -> dict[str, Table]:
    """Every object as recorded from the vendor."""
    return {
        EVENTS: table_of("query_sql_enriched_usage_page1", "query_sql_enriched_usage_rows_offset3"),
        CALLS: table_of("query_sql_generative_ai_usage"),
        DAYS: table_of("daily_consumption_pull1"),
        TRANSACTIONS: table_of("entitlement_transactions"),
    }


@dataclass
class Org:
    """The org: what it holds, how it chunks, and what is made of its answers."""

    tables: dict[str, Table]
    chunk: int = 3
    rewrite: Rewrite | None = None
    results: dict[str, list[list[Any]]] = field(default_factory=dict)
    queries: list[str] = field(default_factory=list)
    script: ScriptedServer = field(
        default_factory=lambda: ScriptedServer(answer=lambda _: Answer())
    )

    @property
    def url(self) -> str:
        """Its My Domain."""
        return self.script.url

    def hold(self, *acts: dict[str, Any]) -> None:
        """These are the acts from now on."""
        table = self.tables[EVENTS]
        self.tables[EVENTS] = Table(table.entity_type, table.columns, list(acts))

    def answer(self, asked: Asked) -> Answer:
        """What the org says, as a test rewrites it."""
        body = self._said(asked)
        if isinstance(body, Answer):
            return body
        return Answer(self.rewrite(asked, body) if self.rewrite else body)

    def _said(self, asked: Asked) -> Any:
        if asked.path == "/services/oauth2/token":
            if SECRET not in asked.body.decode():
                return Answer({"error": "invalid_client"}, status=400)
            return {"access_token": "core-token", "instance_url": self.url}
        if asked.path == "/services/a360/token":
            return {"access_token": "tenant-token", "instance_url": self.url.split("//")[1]}
        if asked.path in (f"{SSOT}/metadata", "/api/v1/metadata/"):
            kind = asked.query.get("entityType")
            return {
                "metadata": [
                    {"name": name, "fields": [{"name": column} for column in table.columns]}
                    for name, table in self.tables.items()
                    if kind in (None, table.entity_type)
                ]
            }
        if asked.method == "POST":
            return self._query(asked)
        path = unquote(asked.path)
        if path.endswith("/rows"):
            rows = self.results[path.removeprefix(f"{SSOT}/query-sql/").removesuffix("/rows")]
            offset = int(asked.query["offset"])
            return {"data": rows[offset : offset + self.chunk], "returnedRows": self.chunk}
        if path.startswith(f"{SSOT}/query-sql/"):
            id = path.removeprefix(f"{SSOT}/query-sql/")
            return status(id, "Finished", len(self.results.get(id, [])))
        id, _, offset = path.removeprefix("/api/v2/query/").rpartition("@")
        return self._batch(id, int(offset))

    def _query(self, asked: Asked) -> Any:
        sql = asked.json()["sql"]
        self.queries.append(sql)
        answered = answer_query(self.tables, sql)
        assert answered is not None, sql
        columns, rows = answered
        id = f"q/{len(self.queries)}"
        self.results[id] = rows
        if asked.path == "/api/v2/query":
            return self._batch(id, 0)
        state = "Finished" if len(rows) <= self.chunk else "ResultsProduced"
        return {
            "data": rows[: self.chunk],
            "metadata": [{"name": name} for name in columns],
            "status": status(id, state, len(rows)),
        }

    def _batch(self, id: str, offset: int) -> Any:
        rows, end = self.results[id], offset + self.chunk
        done = end >= len(rows)
        return {
            "data": rows[offset:end],
            "done": done,
            "nextBatchId": None if done else f"{id}@{end}",
        }


def status(id: str, state: str, rows: int) -> dict[str, Any]:
    """How far a query is."""
    return {"queryId": id, "completionStatus": state, "rowCount": rows, "chunkCount": 1}


@contextmanager
def org_server(tables: dict[str, Table]) -> Iterator[Org]:
    """A running org that holds these tables."""
    org = Org(tables)
    with scripted_server(org.answer) as script:
        org.script = script
        yield org


def load_agentforce(
    home: Path,
    url: str,
    *,
    now: datetime = NOW,
    deep_reread: bool = False,
    days: int = 3,
    client_secret: str = SECRET,
    **options: Any,
) -> None:
    """One run of the source that goes back a few days."""
    source = agentforce_source(
        **{"data_space": "default", "query_api": "connect", "without": (), **options},
        my_domain_url=url,
        client_id="af-client",
        client_secret=client_secret,
        instance=AGENTFORCE,
        now=now,
        deep_reread=deep_reread,
        history=timedelta(days=days),
    )
    run_source(pipeline_for("agentforce", instance=AGENTFORCE, home=home), source)


def asked_directly(org: Org, *, api: QueryApi = "connect") -> list[Any]:
    """Rows of a query of the acts' ids, straight from the client."""
    client = sign_in(
        my_domain_url=org.url, client_id="af-client", client_secret=SECRET,
        data_space="default", api=api,
    )  # fmt: skip
    return list(client.rows(f'select "id__c" from "{EVENTS}"', columns=("id",)))
