"""A Langfuse project with the rows a test gives it, and one run of the source over it."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from raw_loads import NOW
from scripted_server import Answer, Asked, ScriptedServer, scripted_server

from ingestion.langfuse import langfuse_source
from ingestion.pipeline import pipeline_for, run_source

INSTANCE = "langfuse-main"
PUBLIC_KEY, SECRET_KEY = "pk-lf-test", "sk-lf-secret-canary"
PROJECT_ID = "prj_demo_01"
V2, V1 = "/api/public/v2/observations", "/api/public/observations"
TRACES, METRICS = "/api/public/traces", "/api/public/v2/metrics"
PROJECTS = "/api/public/projects"
TABLE = "raw_langfuse.observations"
_NO_V2 = {
    "message": "The observations v2 API is only available in a Langfuse v4 write mode.",
    "error": "LangfuseNotFoundError",
}


def observation(id: str, *, at: str = "2026-11-23T07:10:00.000Z", **fields: Any) -> dict[str, Any]:
    """A generation of 100 tokens in and 10 out, as v2 tells it."""
    return {
        "id": id,
        "traceId": "t-1",
        "startTime": at,
        "endTime": None,
        "projectId": PROJECT_ID,
        "parentObservationId": None,
        "type": "GENERATION",
        "name": "call",
        "level": "DEFAULT",
        "updatedAt": at,
        "metadata": {},
        "providedModelName": "gpt-4.1-mini",
        "usageDetails": {"input": 100, "output": 10, "total": 110},
        "costDetails": {"total": 0.001},
        "totalCost": 0.001,
        "tags": [],
        **fields,
    }


@dataclass
class Project:
    """The rows of a project, its traces and totals; `rewrite` changes an answer on its way."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    traces: list[dict[str, Any]] = field(default_factory=list)
    metrics: list[Any] = field(default_factory=list)
    page_rows: int = 1_000
    serves_v2: bool = True
    rewrite: Callable[[Asked, Any], Any] | None = None
    server: ScriptedServer | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        assert self.server is not None
        return self.server.url

    def asked(self, path: str) -> list[dict[str, str]]:
        """The queries that path was asked with."""
        assert self.server is not None
        return [asked.query for asked in self.server.asked if asked.path == path]

    def answer(self, asked: Asked) -> Answer:
        """What it answers, after the rewriting."""
        pair = base64.b64encode(f"{PUBLIC_KEY}:{SECRET_KEY}".encode()).decode()
        if asked.headers.get("authorization") != f"Basic {pair}":
            return Answer({"message": "Invalid credentials."}, status=401)
        body = self._body(asked)
        if body is None:
            return Answer(_NO_V2, status=404)
        changed = self.rewrite(asked, body) if self.rewrite else body
        return changed if isinstance(changed, Answer) else Answer(changed)

    def _body(self, asked: Asked) -> Any:
        if asked.path == V2 and self.serves_v2:
            return self._cursor_page(asked.query)
        if asked.path == METRICS and self.serves_v2:
            return {"data": self._metric_rows(asked.query)}
        if asked.path == V1:
            return self._numbered_page(self._between(asked.query), asked.query)
        if asked.path == TRACES:
            bounds = asked.query["fromTimestamp"], asked.query["toTimestamp"]
            found = [t for t in self.traces if bounds[0] <= t["timestamp"] < bounds[1]]
            return self._numbered_page(found, asked.query)
        if asked.path.startswith(TRACES):
            return next((t for t in self.traces if asked.path.endswith(t["id"])), None)
        if asked.path == PROJECTS:
            return {"data": [{"id": PROJECT_ID, "name": "demo"}]}
        return None

    def _between(self, query: dict[str, str]) -> list[dict[str, Any]]:
        first, before = _time(query["fromStartTime"]), _time(query["toStartTime"])
        found = [row for row in self.rows if first <= _time(row["startTime"]) < before]
        return sorted(found, key=lambda row: (row["startTime"], row["id"]), reverse=True)

    def _cursor_page(self, query: dict[str, str]) -> Any:
        found = self._between(query)
        if query.get("cursor", "").startswith("["):
            after = tuple(json.loads(query["cursor"]))
            found = [row for row in found if (row["startTime"], row["id"]) < after]
        page = found[: min(self.page_rows, int(query["limit"]))]
        is_last = len(page) == len(found)
        last = [] if is_last else [page[-1]["startTime"], page[-1]["id"]]
        return {"data": page, "meta": {} if is_last else {"cursor": json.dumps(last)}}

    def _numbered_page(self, found: list[Any], query: dict[str, str]) -> Any:
        page, limit = int(query["page"]), int(query["limit"])
        rows = found[(page - 1) * limit : page * limit]
        pages = -(-len(found) // limit)
        meta = {"page": page, "limit": limit, "totalItems": len(found), "totalPages": pages}
        return {"data": rows, "meta": meta}

    def _metric_rows(self, query: dict[str, str]) -> list[Any]:
        asked = json.loads(query["query"])
        first, before = _time(asked["fromTimestamp"]), _time(asked["toTimestamp"])
        found = [m for m in self.metrics if first <= _time(m["time_dimension"]) < before]
        return found[: asked["config"]["row_limit"]]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


@contextmanager
def langfuse_project(*rows: dict[str, Any]) -> Iterator[Project]:
    """A running project with these rows."""
    project = Project(rows=list(rows))
    with scripted_server(project.answer) as server:
        project.server = server
        yield project


def load_langfuse(
    home: Path,
    url: str,
    *,
    now: datetime = NOW,
    deep_reread: bool = False,
    days: int = 4,
    resource: str | None = "observations",
    **options: Any,
) -> None:
    """One run of one resource of the source, or of all (None), that goes back a few days."""
    keys = {"public_key": PUBLIC_KEY, "secret_key": SECRET_KEY, **options}
    source = langfuse_source(
        base_url=url,
        instance=INSTANCE,
        now=now,
        deep_reread=deep_reread,
        history=timedelta(days=days),
        **keys,
    )
    if resource is not None:
        source = source.with_resources(resource, f"{resource}__rejected", f"{resource}__reads")
    run_source(pipeline_for("langfuse", instance=INSTANCE, home=home), source)
