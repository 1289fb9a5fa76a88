"""A simulated Portkey: log exports as jobs, the cost graph, the API keys of one workspace.

Below `/portkey/v1` it asks for `x-portkey-api-key`; exports are fetched from a signed address,
which refuses that header as an object store does. What is asked for in `requested_data` is what a
row holds: `request` and `response` would bring content. No rate limit is documented.
"""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.portkey_logs import ORGANISATION, WORKSPACE, Logs, time_text
from sandbox.vendor import Grounds

JsonObject = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]
API_KEY = "pk-sandbox-reader"
EXPORT_ROWS = 50_000
_BASE = "/portkey/v1"
_FIELDS = {
    "id", "trace_id", "created_at", "request", "response", "is_success", "ai_org", "ai_model",
    "req_units", "res_units", "total_units", "request_url", "cost", "cost_currency",
    "response_time", "response_status_code", "mode", "config", "prompt_slug", "metadata",
}  # fmt: skip
_KEY, _PLAN = "portkey_key", "portkey_plan"
_NOT_ALLOWED = "You do not have enough permissions to execute this request"
# Of so many jobs one is still under way when it is first asked about.
_SLOW_ONE_IN = 25


class Portkey:
    """The control plane of one workspace."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds
        self._state = grounds.state
        self._logs = Logs(grounds)
        self._jobs: dict[str, JsonObject] = {}

    def routes(self) -> list[Route]:
        """Every endpoint, and the one that adds a late row."""
        job = f"{_BASE}/logs/exports/{{job}}"
        return [
            Route(f"{_BASE}/logs/exports", _answering(self._create), methods=["POST"]),
            Route(job, _answering(self._job)),
            Route(f"{job}/start", _answering(self._start), methods=["POST"]),
            Route(f"{job}/download", _answering(self._download)),
            Route("/portkey/files/{job}.jsonl", self._file),
            Route(f"{_BASE}/analytics/graphs/cost", _answering(self._cost)),
            Route(f"{_BASE}/api-keys", _answering(self._keys)),
            Route(f"{_BASE}/api-keys/{{key}}", _answering(self._key), methods=["GET", "PUT"]),
            Route("/_world/portkey/plan", self._plan, methods=["POST"]),
            Route("/_world/portkey/late", self._late, methods=["POST"]),
        ]

    def environment(self, url: str) -> dict[str, str]:
        """The variables the platform reaches it with."""
        return {
            "PORTKEY_MAIN_BASE_URL": f"{url}{_BASE}",
            "PORTKEY_MAIN_API_KEY": API_KEY,
            "PORTKEY_MAIN_ADMIN_KEY": API_KEY,
        }

    def counts(self) -> dict[str, int | str]:
        """Attempts, tokens and exact money."""
        return self._logs.counts()

    async def _create(self, request: Request) -> JsonObject:
        body = orjson.loads(await request.body())
        filters, fields = body.get("filters", {}), body.get("requested_data", [])
        if not fields or not set(fields) <= _FIELDS:
            raise _Refusal(400, "requested_data must name fields of a log")
        size, page = filters.get("page_size", EXPORT_ROWS), filters.get("current_page", 0)
        if not 0 < size <= EXPORT_ROWS:
            raise _Refusal(400, f"page_size must be at most {EXPORT_ROWS}")
        if filters.get("workspace_slug", WORKSPACE) != WORKSPACE:
            raise _Refusal(403, "You do not have access to this workspace")
        first = _moment(filters.get("time_of_generation_min"))
        last = _moment(filters.get("time_of_generation_max"))
        id = hashlib.md5(f"{len(self._jobs)}".encode(), usedforsecurity=False).hexdigest()
        self._jobs[id] = {
            "fields": fields,
            "rows": self._logs.between(first, last)[page * size :][:size],
            "filters": filters,
            "status": "draft",
            "polls_left": 1 if len(self._jobs) % _SLOW_ONE_IN == 0 else 0,
        }
        return {"id": id, "total": len(self._jobs[id]["rows"]), "object": "export"}

    async def _start(self, request: Request) -> JsonObject:
        self._known(request)["status"] = "in_progress"
        return {"message": "Export started", "object": "export"}

    async def _job(self, request: Request) -> JsonObject:
        job = self._known(request)
        if job["status"] == "in_progress":
            if job["polls_left"] == 0:
                job["status"] = "success"
            job["polls_left"] = max(0, job["polls_left"] - 1)
        return {
            "id": request.path_params["job"],
            "organisation_id": ORGANISATION,
            "workspace_id": WORKSPACE,
            "filters": job["filters"],
            "requested_data": job["fields"],
            "status": job["status"],
            "description": self._grounds.canary,
            "object": "export",
        }

    async def _download(self, request: Request) -> JsonObject:
        if self._known(request)["status"] != "success":
            raise _Refusal(400, "Export is not completed")
        id = request.path_params["job"]
        address = f"{request.base_url}portkey/files/{id}.jsonl?sig={_signature(id)}"
        return {"signed_url": address}

    async def _file(self, request: Request) -> Response:
        """The rows as JSON lines, to whoever holds the address and shows no key."""
        id = request.path_params["job"]
        if "x-portkey-api-key" in request.headers or "authorization" in request.headers:
            return Response("<Error><Code>InvalidArgument</Code></Error>", status_code=400)
        if request.query_params.get("sig") != _signature(id) or id not in self._jobs:
            return Response("<Error><Code>AccessDenied</Code></Error>", status_code=403)
        job = self._jobs[id]
        content = {"request": {"body": self._grounds.canary}}
        content["response"] = {"body": self._grounds.canary}
        lines = [
            orjson.dumps({field: (row | content)[field] for field in job["fields"]})
            for row in job["rows"]
        ]
        return Response(b"".join(line + b"\n" for line in lines))

    async def _cost(self, request: Request) -> JsonObject:
        query = request.query_params
        if query.get("workspace_slug") != WORKSPACE:
            raise _Refusal(400, "workspace_slug is required")
        first = _moment(query.get("time_of_generation_min"))
        last = _moment(query.get("time_of_generation_max"))
        hours: dict[datetime, list[Decimal]] = {}
        for row in self._logs.between(first, last):
            hour = _moment(row["created_at"]).replace(minute=0, second=0, microsecond=0)
            hours.setdefault(hour, []).append(Decimal(repr(row["cost"])))
        return {
            "summary": _total([cost for costs in hours.values() for cost in costs]),
            "data_points": [
                {"timestamp": time_text(hour), **_total(costs)} for hour, costs in hours.items()
            ],
            "object": "analytics-graph",
        }

    async def _keys(self, request: Request) -> JsonObject:
        self._require_key_api()
        size = int(request.query_params.get("page_size", "50"))
        page = int(request.query_params.get("current_page", "0"))
        keys = self._logs.api_keys()
        return {"object": "list", "total": len(keys), "data": keys[page * size :][:size]}

    async def _key(self, request: Request) -> JsonObject:
        self._require_key_api()
        for key in self._logs.api_keys():
            if key["id"] == request.path_params["key"]:
                if request.method == "PUT":
                    return self._update(key["id"], orjson.loads(await request.body()))
                return key | self._state.all(_KEY).get(key["id"], {})
        raise _Refusal(404, "API key not found")

    def _require_key_api(self) -> None:
        if self._state.get(_PLAN, id=WORKSPACE) == "developer":
            raise _Refusal(403, _NOT_ALLOWED)

    def _update(self, id: str, changes: JsonObject) -> JsonObject:
        if self._state.get(_PLAN, id=WORKSPACE) != "enterprise":
            raise _Refusal(403, _NOT_ALLOWED)
        if not changes.keys() <= {"rate_limits", "usage_limits"}:
            raise _Refusal(400, "Invalid request body")
        self._state.put(_KEY, id=id, body=(self._state.get(_KEY, id=id) or {}) | changes)
        return {}

    async def _plan(self, request: Request) -> Response:
        """Sets what is paid for: limits are set on `enterprise`, `developer` has no keys to see."""
        self._state.put(_PLAN, id=WORKSPACE, body=orjson.loads(await request.body())["plan"])
        return Response(b"{}", media_type="application/json")

    async def _late(self, request: Request) -> Response:
        """Adds a row `minutes` before the end of the world; other `fields` as they are given."""
        body = orjson.loads(await request.body())
        at = self._grounds.as_of - timedelta(minutes=int(body["minutes"]))
        return Response(orjson.dumps(self._logs.add(at, body.get("fields", {}))))

    def _known(self, request: Request) -> JsonObject:
        job = self._jobs.get(request.path_params["job"])
        if job is None:
            raise _Refusal(404, "Export not found")
        return job


class _Refusal(Exception):
    """An answer other than 200, in the control plane's own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _answering(handler: Callable[[Request], Awaitable[JsonObject]]) -> Handler:
    """The handler for whoever shows the key, its refusals told as Portkey tells them."""

    async def answer(request: Request) -> Response:
        try:
            if request.headers.get("x-portkey-api-key") != API_KEY:
                raise _Refusal(401, "Unauthorised Request")
            return Response(orjson.dumps(await handler(request)), media_type="application/json")
        except _Refusal as refusal:
            body = {"success": False, "data": {"message": str(refusal)}}
            return Response(
                orjson.dumps(body), status_code=refusal.status, media_type="application/json"
            )

    return answer


def _moment(text: str | None) -> datetime:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        raise _Refusal(400, "time_of_generation must be a date-time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _total(costs: list[Decimal]) -> JsonObject:
    """The sum and the mean in cents."""
    total = sum(costs, Decimal(0))
    return {"total": float(total), "avg": float(total / len(costs)) if costs else 0}


def _signature(id: str) -> str:
    return hashlib.sha256(f"signed {id}".encode()).hexdigest()[:16]
