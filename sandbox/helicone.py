"""A simulated Helicone: the query over its request log, and two ways to change what it logged.

Below `/helicone` it asks for a bearer key. A query it cannot answer is an `error` inside a 200.
Bodies may stand in a row: those of rows stored in ClickHouse come inline, whatever is asked for.
No rate limit is documented.
"""

from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.helicone_log import Log
from sandbox.vendor import Grounds

JsonObject = dict[str, Any]
API_KEY = "sk-helicone-sandbox-read"
MOST_ROWS = 1_000


class Helicone:
    """The API of one organisation."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds
        self._log = Log(grounds)

    def routes(self) -> list[Route]:
        """The query, and the one that adds a late request or changes one."""
        return [
            Route("/helicone/v1/request/query-clickhouse", self._query, methods=["POST"]),
            Route("/_world/helicone/requests", self._put, methods=["POST"]),
        ]

    def environment(self, url: str) -> dict[str, str]:
        """The variables the platform reaches it with."""
        return {"HELICONE_MAIN_BASE_URL": f"{url}/helicone", "HELICONE_MAIN_API_KEY": API_KEY}

    def counts(self) -> dict[str, int | str]:
        """Requests, tokens and exact money."""
        return self._log.counts()

    async def _query(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            return _json({"error": "Unauthorized: invalid API key"}, status=401)
        body = orjson.loads(await request.body())
        limit, offset = body.get("limit", 100), body.get("offset", 0)
        if not isinstance(limit, int) or not 0 <= limit <= MOST_ROWS:
            return _json({"data": None, "error": "invalid limit"})
        try:
            found = [row for row in self._log.rows() if _matches(row, body.get("filter", "all"))]
        except _BadFilter as refused:
            return _json({"data": None, "error": str(refused)})
        if body.get("sort", {}).get("created_at") == "desc":
            found.reverse()
        page = [row | self._content() for row in found[offset:][:limit]]
        return _json({"data": page, "error": None})

    def _content(self) -> JsonObject:
        canary = self._grounds.canary
        return {
            "request_body": {"messages": [{"role": "user", "content": canary}]},
            "response_body": {"choices": [{"message": {"content": canary}}]},
            "signed_body_url": f"https://bodies.helicone.example/{canary}",
        }

    async def _put(self, request: Request) -> Response:
        """Adds request `id`, `minutes` before the end of the world, or changes its `fields`."""
        body = orjson.loads(await request.body())
        row = self._log.put(
            body["id"], minutes=int(body.get("minutes", 0)), fields=body.get("fields", {})
        )
        return _json(row, status=404 if row is None else 200)


class _BadFilter(Exception):
    """A filter that Helicone does not know."""


def _matches(row: JsonObject, filter: Any) -> bool:
    """Whether a row passes a filter tree: `all`, a leaf, or two trees and an operator."""
    if filter == "all":
        return True
    if not isinstance(filter, dict):
        raise _BadFilter("invalid filter")
    if "operator" in filter:
        sides = (_matches(row, filter["left"]), _matches(row, filter["right"]))
        return all(sides) if filter["operator"] == "and" else any(sides)
    if "properties" in filter:
        return all(
            row["properties"].get(name) == condition["equals"]
            for name, condition in filter["properties"].items()
        )
    leaf = filter.get("request_response_rmt", {}).get("request_created_at")
    if not leaf:
        raise _BadFilter("invalid filter")
    at = datetime.fromisoformat(row["request_created_at"])
    return all(_holds(at, operator, bound) for operator, bound in leaf.items())


def _holds(at: datetime, operator: str, bound: str) -> bool:
    try:
        moment = datetime.fromisoformat(bound)
    except ValueError:
        raise _BadFilter("invalid date") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    outcomes = {"gte": at >= moment, "gt": at > moment, "lt": at < moment, "lte": at <= moment}
    if operator not in outcomes:
        raise _BadFilter("invalid operator")
    return outcomes[operator]


def _json(body: Any, *, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")
