"""OpenAI's organisation usage and costs, below /openai_bill: an admin key, day buckets, cursors.

Costs of a day come half a day after its end, so that a morning knows yesterday's usage and not what
it cost. `POST /_world/openai_bill/lines` adds or restates a line of a day.
"""

from datetime import UTC, datetime
from decimal import InvalidOperation
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.bill_pages import USAGE_LIMITS, WIDTHS, Asked, JsonObject, grouped, page_of
from sandbox.bills import add_line
from sandbox.openai_bill_rows import ADDED, COST_DIMENSIONS, DIMENSIONS, Books
from sandbox.proxy_http import json_body, json_response
from sandbox.vendor import Grounds, RateLimit

ADMIN_KEY = "sk-admin-sandbox"


class _Refused(Exception):
    def __init__(self, message: str, *, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class OpenAIBill:
    """The usage and costs of one OpenAI organisation."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds
        # None is documented: enough for a first read, and a limit all the same.
        self._limit = RateLimit(requests=600, seconds=60)
        self._books = Books(grounds)

    def routes(self) -> list[Route]:
        """The endpoints of the vendor, and our own that adds a line."""
        base = "/openai_bill/v1/organization"
        return [
            Route(f"{base}/usage/{{endpoint}}", self._usage),
            Route(f"{base}/costs", self._costs),
            Route("/_world/openai_bill/lines", self._add, methods=["POST"]),
        ]

    def environment(self, url: str) -> dict[str, str]:
        """The variables the platform reads the bill with."""
        return {
            "OPENAI_BILL_MAIN_BASE_URL": f"{url}/openai_bill/v1/organization",
            "OPENAI_BILL_MAIN_ADMIN_KEY": ADMIN_KEY,
        }

    def counts(self) -> dict[str, int | str]:
        """What the days cost that have a bill: through the gateway, past it, and other things."""
        return self._books.counts()

    async def _usage(self, request: Request) -> Response:
        endpoint = request.path_params["endpoint"]
        if endpoint not in DIMENSIONS:
            return json_response({"error": {"message": "Unknown request URL"}}, status=404)

        def answer() -> JsonObject:
            asked, by = self._asked(request, limits=USAGE_LIMITS, dimensions=DIMENSIONS[endpoint])

            def rows(start: int, end: int) -> list[JsonObject]:
                found = self._books.usage_rows(endpoint, WIDTHS[asked.width], start, end)
                amounts = [name for row in found[:1] for name in row if _is_count(row[name])]
                results = grouped(found, by=by, dimensions=DIMENSIONS[endpoint], amounts=amounts)
                return [{"object": f"organization.usage.{endpoint}.result", **r} for r in results]

            return _page(asked, last_s=int(self._grounds.as_of.timestamp()), rows=rows)

        return self._answering(request, answer)

    async def _costs(self, request: Request) -> Response:
        def answer() -> JsonObject:
            asked, by = self._asked(request, limits={"1d": (7, 180)}, dimensions=COST_DIMENSIONS)

            def rows(start: int, end: int) -> list[JsonObject]:
                lines = self._books.cost_lines(datetime.fromtimestamp(start, UTC).date())
                found = grouped(
                    lines, by=by, dimensions=COST_DIMENSIONS, amounts=("amount", "quantity")
                )
                return [self._books.cost_result(line) for line in found]

            return _page(asked, last_s=self._books.billed_until_s(), rows=rows)

        return self._answering(request, answer)

    async def _add(self, request: Request) -> Response:
        try:
            line = add_line(self._grounds.state, ADDED, await json_body(request))
        except (KeyError, ValueError, InvalidOperation) as error:
            return json_response({"error": {"message": f"lines: {error}"}}, status=400)
        return json_response(line)

    def _answering(self, request: Request, answer: Any) -> Response:
        """The answer, or the refusal as OpenAI words it."""
        try:
            self._authorise(request)
            wait = self._limit.wait()
            if wait is not None:
                error = {"message": "Rate limit reached", "type": "requests", "param": None}
                return json_response(
                    {"error": {**error, "code": "rate_limit_exceeded"}},
                    status=429,
                    headers={"Retry-After": str(wait)},
                )
            return json_response(answer())
        except _Refused as refused:
            error = {"message": str(refused), "type": "invalid_request_error", "param": None}
            return json_response({"error": {**error, "code": refused.code}}, status=refused.status)

    def _authorise(self, request: Request) -> None:
        key = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not key:
            raise _Refused("You didn't provide an API key.", status=401)
        if key.startswith("sk-proj-"):
            raise _Refused(
                "You have insufficient permissions for this operation. "
                "Missing scopes: api.usage.read.",
                status=401,
            )
        if key != ADMIN_KEY:
            raise _Refused(
                f"Incorrect API key provided: {key[:8]}***.", status=401, code="invalid_api_key"
            )

    def _asked(
        self,
        request: Request,
        *,
        limits: dict[str, tuple[int, int]],
        dimensions: tuple[str, ...],
    ) -> tuple[Asked, list[str]]:
        query = request.query_params
        width = query.get("bucket_width", "1d")
        if width not in limits:
            raise _Refused(f"Invalid value for bucket_width: one of {', '.join(limits)}")
        usual, most = limits[width]
        by = query.getlist("group_by[]") + query.getlist("group_by")
        wrong = [name for name in by if name not in dimensions]
        if wrong:
            raise _Refused(f"Invalid value for group_by: {wrong[0]}")
        numbers = {
            name: query.get(name, "" if name == "start_time" else str(default))
            for name, default in (
                ("start_time", 0),
                ("end_time", int(self._grounds.as_of.timestamp())),
                ("limit", usual),
            )
        }
        for name, text in numbers.items():
            if not text.isdecimal():
                raise _Refused(f"Missing or invalid parameter: {name}")
        limit = int(numbers["limit"])
        if not 1 <= limit <= most:
            raise _Refused(f"limit must be between 1 and {most} for bucket_width={width}")
        start, end = int(numbers["start_time"]), int(numbers["end_time"])
        return Asked(start, end, width, limit, query.get("page")), by


def _page(asked: Asked, *, last_s: int, rows: Any) -> JsonObject:
    page = page_of(asked, last_s=last_s, rows=rows)
    if page is None:
        raise _Refused("Invalid value for page")
    buckets = [
        {"object": "bucket", "start_time": start, "end_time": end, "results": results}
        for start, end, results in page["buckets"]
    ]
    return {
        "object": "page",
        "data": buckets,
        "has_more": page["has_more"],
        "next_page": page["next_page"],
    }


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
