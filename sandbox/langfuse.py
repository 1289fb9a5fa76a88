"""A Langfuse project's public API: observations by cursor (v2) and by page (v1), traces, metrics.

`POST /_world/langfuse/observations` adds or restates observations, `POST /_world/langfuse/v2`
switches the v4 write mode, without which the v2 endpoints answer 404 as a deployment before it.
"""

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.langfuse_http import (
    PUBLIC_KEY,
    SECRET_KEY,
    Refusal,
    check_keys,
    csv,
    cursor_place,
    cursor_text,
    invalid,
    is_between,
    limited,
    moment,
    paged,
    whole_number,
)
from sandbox.langfuse_records import PROJECT_ID, Observations, place_of
from sandbox.langfuse_shapes import GROUPS, MEASURES, as_trace, as_v1, in_groups, measured
from sandbox.proxy_http import answering, json_body, json_response
from sandbox.vendor import Grounds, JsonObject, RateLimit

_PATH = "/langfuse/api/public"
_FILTERS = ("type", "userId", "sessionId", "traceId", "level", "name", "parentObservationId")
_NOT_GROUPABLE = {"id", "traceId", "userId", "sessionId", "parentObservationId"}
_NO_V2 = (
    "The observations v2 API is only available in a Langfuse v4 write mode. "
    "Learn more at: https://langfuse.com/docs/v4"
)
Handler = Callable[[Request], Awaitable[Response]]


class Langfuse:
    """One project of the demo company."""

    def __init__(self, grounds: Grounds) -> None:
        self._observations = Observations(grounds)
        self._state = grounds.state
        self._reads = RateLimit(requests=1_000, seconds=60)
        self._legacy_reads = RateLimit(requests=100, seconds=60)
        self._metrics_reads = RateLimit(requests=500, seconds=3_600)

    def routes(self) -> list[Route]:
        """The endpoints of the public API that are read, and the two that steer it."""
        reads, legacy = (self._reads, 1_000), (self._legacy_reads, 100)
        metrics = (self._metrics_reads, 500)
        return [
            Route(f"{_PATH}/v2/observations", self._answering(self._v2, *reads)),
            Route(f"{_PATH}/v2/metrics", self._answering(self._metrics, *metrics)),
            Route(f"{_PATH}/observations", self._answering(self._v1, *legacy)),
            Route(f"{_PATH}/traces", self._answering(self._traces, *legacy)),
            Route(f"{_PATH}/traces/{{id}}", self._answering(self._trace, *legacy)),
            Route(f"{_PATH}/projects", self._answering(self._projects, *reads)),
            Route("/_world/langfuse/observations", answering(self._add), methods=["POST"]),
            Route("/_world/langfuse/v2", answering(self._switch), methods=["POST"]),
        ]

    def environment(self, url: str) -> dict[str, str]:
        """Address and key pair of the project."""
        return {
            "LANGFUSE_MAIN_BASE_URL": f"{url}/langfuse",
            "LANGFUSE_MAIN_PUBLIC_KEY": PUBLIC_KEY,
            "LANGFUSE_MAIN_SECRET_KEY": SECRET_KEY,
        }

    def counts(self) -> dict[str, int | str]:
        """Observations, and tokens and cost of those that are not repeated by a parent."""
        return self._observations.counts()

    def _answering(self, handler: Handler, limit: RateLimit, points: int) -> Handler:
        """The handler behind key pair and rate limit, its refusals told as Langfuse tells them."""

        async def answer(request: Request) -> Response:
            try:
                check_keys(request)
                wait = limit.wait()
                if wait is not None:
                    return limited(wait, points=points)
                return await handler(request)
            except Refusal as refusal:
                return json_response(refusal.body, status=refusal.status)

        return answer

    async def _v2(self, request: Request) -> Response:
        self._check_v2(_NO_V2)
        query = request.query_params
        limit = whole_number(query.get("limit", "50"), "limit", low=1, high=1_000)
        groups = ["core", *csv(query.get("fields", "core,basic"))]
        if wrong := [group for group in groups if group not in GROUPS]:
            raise invalid("fields", f"Invalid field group: {wrong[0]}")
        found = self._found(request)
        if "cursor" in query:
            after = cursor_place(query["cursor"])
            found = [record for record in found if place_of(record) < after]
        page = found[:limit]
        meta = {"cursor": cursor_text(page[-1])} if len(found) > limit else {}
        expanded = set(csv(query.get("expandMetadata", "")))
        return json_response(
            {"data": [in_groups(each, groups, expanded=expanded) for each in page], "meta": meta}
        )

    async def _v1(self, request: Request) -> Response:
        shown = [as_v1(record) for record in self._found(request)]
        return paged(request, shown)

    async def _traces(self, request: Request) -> Response:
        query = request.query_params
        first_at = moment(query.get("fromTimestamp"), "fromTimestamp")
        before_at = moment(query.get("toTimestamp"), "toTimestamp")
        groups = set(csv(query.get("fields", "core,io,scores,observations,metrics")))
        traces = [
            as_trace(records, groups)
            for records in self._by_trace().values()
            if is_between(records[-1]["startTime"], first_at, before_at)
        ]
        return paged(request, sorted(traces, key=lambda trace: trace["timestamp"], reverse=True))

    async def _trace(self, request: Request) -> Response:
        records = self._by_trace().get(request.path_params["id"])
        if records is None:
            raise Refusal(404, "Trace not found within authorized project", "LangfuseNotFoundError")
        return json_response(as_trace(records, {"core", "io"}))

    async def _projects(self, request: Request) -> Response:
        organization = {"id": "org_acme", "name": "Acme"}
        project = {"id": PROJECT_ID, "name": "Agents", "organization": organization, "metadata": {}}
        return json_response({"data": [project]})

    async def _metrics(self, request: Request) -> Response:
        self._check_v2("v2 APIs are currently in beta and only available on Langfuse Cloud")
        try:
            query = json.loads(request.query_params.get("query", ""))
            fields = [each["field"] for each in query.get("dimensions", [])]
            measures = [(each["aggregation"], each["measure"]) for each in query["metrics"]]
        except (ValueError, KeyError, TypeError):
            raise invalid("query", "Invalid JSON") from None
        if wrong := _NOT_GROUPABLE & set(fields):
            raise Refusal(400, f"Dimension '{wrong.pop()}' is not supported", "InvalidRequestError")
        if fields != ["providedModelName"] or query.get("view") != "observations":
            raise invalid("query", "Invalid query")
        if any(measure not in MEASURES for _, measure in measures):
            raise invalid("metrics", "Invalid measure")
        first_at = moment(query.get("fromTimestamp"), "fromTimestamp")
        before_at = moment(query.get("toTimestamp"), "toTimestamp")
        grouped: dict[tuple[str, str | None], list[JsonObject]] = defaultdict(list)
        for record in self._observations.newest_first():
            if is_between(record["startTime"], first_at, before_at):
                grouped[record["startTime"][:10], record["providedModelName"]].append(record)
        rows = [
            {
                "providedModelName": model,
                "time_dimension": f"{day}T00:00:00.000Z",
                **{f"{how}_{name}": measured(name, records) for how, name in measures},
            }
            for (day, model), records in grouped.items()
        ]
        return json_response({"data": rows[: query.get("config", {}).get("row_limit", 100)]})

    async def _add(self, request: Request) -> Response:
        records = (await json_body(request)).get("observations", [])
        for record in records:
            self._observations.add(record)
        return json_response({"added": len(records)})

    async def _switch(self, request: Request) -> Response:
        is_on = bool((await json_body(request)).get("on", True))
        self._state.put("langfuse_v2", id="v2", body=is_on)
        return json_response({"on": is_on})

    def _check_v2(self, message: str) -> None:
        if self._state.get("langfuse_v2", id="v2") is False:
            raise Refusal(404, message, "LangfuseNotFoundError")

    def _found(self, request: Request) -> list[JsonObject]:
        """What the simple parameters ask for: from inclusive, to exclusive."""
        query = request.query_params
        first_at = moment(query.get("fromStartTime"), "fromStartTime")
        before_at = moment(query.get("toStartTime"), "toStartTime")
        wanted = {name: query[name] for name in _FILTERS if name in query}
        return [
            record
            for record in self._observations.newest_first()
            if is_between(record["startTime"], first_at, before_at)
            and all(record.get(name) == value for name, value in wanted.items())
        ]

    def _by_trace(self) -> dict[str, list[JsonObject]]:
        traces: dict[str, list[JsonObject]] = defaultdict(list)
        for record in self._observations.newest_first():
            if record["traceId"]:
                traces[record["traceId"]].append(record)
        return traces
