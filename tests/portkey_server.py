"""A Portkey control plane over given rows: exports, the cost graph, keys, policies; one key."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from portkey_policies import POLICIES, UsagePolicies, refusal
from raw_loads import FIXTURES
from scripted_server import Answer, Asked, ScriptedServer, scripted_server

from ingestion.pipeline import pipeline_for, run_source
from ingestion.portkey import portkey_source

PORTKEY = "portkey-main"
API_KEY = "pk-canary-91d2"
PAGES = FIXTURES / "portkey"
READ_AT = datetime.fromisoformat("2026-11-20T12:00:30+00:00")


@dataclass
class PortkeyServer:
    """What it holds and how it behaves; `script` tells what it was asked."""

    lines: list[str] = field(default_factory=list)
    keys: list[Any] = field(default_factory=list)
    graph: Any = None
    has_key_api: bool = True
    # None: the plan has no policies, and they are refused.
    policies: UsagePolicies | None = field(default_factory=UsagePolicies)
    polls: int = 0
    # How every job ends.
    status: str = "success"
    cap: int = 50_000
    ignores_filter: bool = False
    # Cuts or replaces what is downloaded.
    rewrite: Any = None
    # Rows that come in between a job's creation and its start.
    late: list[str] = field(default_factory=list)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    polled: dict[str, int] = field(default_factory=dict)
    script: ScriptedServer = field(default_factory=lambda: ScriptedServer(answer=Answer))

    @property
    def url(self) -> str:
        """Its base address."""
        return self.script.url

    def exports(self) -> list[tuple[str, str, int]]:
        """The windows and pages of which exports were started."""
        return [
            (filters["time_of_generation_min"], filters["time_of_generation_max"], page)
            for filters in self.jobs.values()
            if filters.get("started")
            for page in [filters["current_page"]]
        ]

    def answer(self, asked: Asked) -> Answer:
        """The answer to one request."""
        if asked.path.startswith("/files/"):
            assert "x-portkey-api-key" not in asked.headers
            return Answer(self._file(asked.path.removeprefix("/files/")))
        if asked.headers.get("x-portkey-api-key") != API_KEY:
            return Answer({"success": False, "data": {"message": "Unauthorised"}}, status=401)
        if asked.path == "/logs/exports":
            return Answer(self._create(asked.json()))
        if asked.path == "/analytics/graphs/cost":
            return Answer(self._graph(asked))
        if asked.path == "/api-keys":
            if not self.has_key_api:
                return refusal(403)
            size, page = int(asked.query["page_size"]), int(asked.query["current_page"])
            data = self.keys[page * size :][:size]
            return Answer({"object": "list", "total": len(self.keys), "data": data})
        if asked.path.startswith("/api-keys/"):
            return self._key(asked)
        if asked.path.startswith(POLICIES):
            return self.policies.answer(asked) if self.policies is not None else refusal(403)
        _, _, _, job, *verb = asked.path.split("/")
        if verb == ["start"]:
            self.jobs[job]["started"] = True
            self.lines += self.late
            self.late = []
            return Answer({"message": "Export started", "object": "export"})
        if verb == ["download"]:
            return Answer({"signed_url": f"{self.url}/files/{job}?sig=synthetic"})
        self.polled[job] = self.polled.get(job, 0) + 1
        status = self.status if self.polled[job] > self.polls else "in_progress"
        return Answer({"id": job, "status": status, "object": "export"})

    def _key(self, asked: Asked) -> Answer:
        found = [key for key in self.keys if key["id"] == asked.path.rpartition("/")[2]]
        if not found:
            return refusal(404)
        if asked.method == "GET":
            return Answer(found[0])
        found[0].update(asked.json())
        return Answer({})

    def _create(self, body: dict[str, Any]) -> Any:
        assert not {"request", "response"} & set(body["requested_data"])
        job = f"job-{len(self.jobs) + 1}"
        self.jobs[job] = body["filters"]
        return {"id": job, "total": len(self._page(body["filters"])), "object": "export"}

    def _page(self, filters: dict[str, Any]) -> list[str]:
        first, last = filters["time_of_generation_min"], filters["time_of_generation_max"]
        found = [line for line in self.lines if self.ignores_filter or _lies(line, first, last)]
        start = filters["current_page"] * self.cap
        return found[start:][: self.cap]

    def _file(self, job: str) -> str | bytes:
        body = "".join(line + "\n" for line in self._page(self.jobs[job]))
        return self.rewrite(body) if self.rewrite else body

    def _graph(self, asked: Asked) -> Any:
        if self.graph is not None:
            return self.graph
        first, last = asked.query["time_of_generation_min"], asked.query["time_of_generation_max"]
        costs = [_cost(line) for line in self.lines if _lies(line, first, last)]
        return {"summary": {"total": sum(costs), "avg": 0}, "data_points": []}


def _cost(line: str) -> float:
    """What a row cost in cents, if it is one whose cost can be summed."""
    try:
        cost = json.loads(line)["cost"]
    except (ValueError, TypeError, KeyError):
        return 0
    return cost if isinstance(cost, int | float) and 0 <= cost < 1e9 else 0


def _lies(line: str, first: str, last: str) -> bool:
    """Whether a row lies between two times; what has no time stands in its fixture's hour."""
    try:
        at = json.loads(line)["created_at"]
        datetime.fromisoformat(at)
    except (ValueError, TypeError, KeyError):
        at = "misfiled"
    if at == "misfiled" or '"other-day"' in line:
        at = "2026-11-20T09:14:02.113Z"
    return first <= at <= last


def lines_of(name: str) -> list[str]:
    """The lines of a fixture."""
    return (PAGES / name).read_text(encoding="utf-8").splitlines()


def row(id: str, at: str, **fields: Any) -> str:
    """A row of an export: 100 tokens in, 10 out, for 0.0021 cents."""
    return json.dumps(
        {
            "id": id, "trace_id": f"trace-{id}", "created_at": at, "is_success": True,
            "ai_org": "openai", "ai_model": "gpt-4o-mini", "req_units": 100, "res_units": 10,
            "total_units": 110, "request_url": "https://api.openai.com/v1/chat/completions",
            "cost": 0.0021, "cost_currency": "USD", "response_time": 900,
            "response_status_code": 200, "mode": "single", "config": None, "prompt_slug": None,
            "metadata": {}, **fields,
        }
    )  # fmt: skip


@contextmanager
def portkey_server(**facts: Any) -> Iterator[PortkeyServer]:
    """A running control plane."""
    server = PortkeyServer(**facts)
    with scripted_server(server.answer) as script:
        server.script = script
        yield server


def load_portkey(
    home: Path,
    url: str,
    *,
    now: datetime = READ_AT,
    deep_reread: bool = False,
    history: timedelta = timedelta(hours=4),
    api_key: str = API_KEY,
    cost_unit: str = "cents",
    instance: str = PORTKEY,
) -> None:
    """One run of the Portkey source."""
    source = portkey_source(
        workspace_slug="ws-main",
        workspace_id=None,
        cost_unit=cost_unit,
        base_url=url,
        api_key=api_key,
        instance=instance,
        now=now,
        deep_reread=deep_reread,
        history=history,
    )
    run_source(pipeline_for("portkey", instance=instance, home=home), source)
