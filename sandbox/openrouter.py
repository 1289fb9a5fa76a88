"""OpenRouter's management API over the grounds: keys, activity, analytics, generations, credits.

Only the management key may ask (the list of models is public); the keys of the company call models
and get 403 here. What is set on a key is kept. `POST /_world/openrouter/late` adds a call to a day,
`…/restate` multiplies what the calls of a day, key and model cost (by 0: they never were).
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.openrouter_answers import (
    activity_rows,
    analytics_rows,
    generation_record,
    key_record,
    model_record,
    workspace_record,
)
from sandbox.openrouter_usage import (
    KEYS,
    LATE,
    OFFERS,
    RESTATED,
    WORKSPACES,
    Generation,
    Usage,
    key_by_name,
    late_at,
)
from sandbox.proxy_http import json_response
from sandbox.vendor import Grounds

JsonObject = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]

BASE = "/openrouter/api/v1"
MANAGEMENT_KEY = "sk-or-v1-sandbox-management"
PAGE_KEYS = 100
ACTIVITY_DAYS = 30
TOTAL_CREDITS = 5_000
_KEY = "openrouter_key"
_ACTION = "openrouter_action"
_SETTABLE = ("disabled", "include_byok_in_limit", "limit", "limit_reset", "name")
_RESETS = ("daily", "weekly", "monthly", None)


class OpenRouterError(Exception):
    """A refusal as OpenRouter words it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": status, "message": message}}


class OpenRouter:
    """One account with two workspaces."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds
        self._state = grounds.state
        self._usage = Usage(grounds)
        self._state.add(
            _KEY,
            documents={
                key.hashed: {
                    "name": key.name, "disabled": key.disabled, "limit": key.limit,
                    "limit_reset": key.limit_reset, "include_byok_in_limit": False,
                    "updated_at": None,
                }
                for key in KEYS
            },
        )  # fmt: skip

    def routes(self) -> list[Route]:
        """The public list of models, the management endpoints, and what steers them."""
        return [
            Route(f"{BASE}/models", _models),
            Route(f"{BASE}/activity", self._managed(self._activity)),
            Route(f"{BASE}/analytics/query", self._managed(self._analytics), methods=["POST"]),
            Route(f"{BASE}/workspaces", self._managed(self._workspaces)),
            Route(f"{BASE}/keys", self._managed(self._keys)),
            Route(f"{BASE}/keys/{{hash}}", self._managed(self._key), methods=["GET", "PATCH"]),
            Route(f"{BASE}/credits", self._managed(self._credits)),
            Route(f"{BASE}/generation", self._managed(self._generation)),
            Route("/_world/openrouter/late", self._late, methods=["POST"]),
            Route("/_world/openrouter/restate", self._restate, methods=["POST"]),
        ]

    def environment(self, url: str) -> dict[str, str]:
        """Address and management key."""
        return {
            "OPENROUTER_MAIN_BASE_URL": url + BASE,
            "OPENROUTER_MAIN_MANAGEMENT_KEY": MANAGEMENT_KEY,
            "OPENROUTER_MAIN_ADMIN_KEY": MANAGEMENT_KEY,
        }

    def counts(self) -> dict[str, int | str]:
        """All generations, and what activity tells of them: the completed days within reach."""
        made = self._usage.generations()
        told = list(self._told(made))
        rows = {(each.day, each.key.hashed, each.offer.endpoint_id) for each in told}
        return {
            "events": len(made),
            "spend_usd": str(sum((each.cost + each.upstream for each in made), Decimal(0))),
            "activity_rows": len(rows),
            "activity_requests": len(told),
            "activity_prompt_tokens": sum(each.prompt_tokens for each in told),
            "activity_cached_tokens": sum(each.cached_tokens for each in told),
            "activity_completion_tokens": sum(each.completion_tokens for each in told),
            "activity_reasoning_tokens": sum(each.reasoning_tokens for each in told),
            "activity_usage_usd": str(sum((each.cost for each in told), Decimal(0))),
            "activity_byok_usd": str(sum((each.upstream for each in told), Decimal(0))),
            "total_usage_usd": str(sum((each.cost for each in made), Decimal(0))),
            "keys": len(KEYS),
        }

    @property
    def _today(self) -> date:
        return self._grounds.as_of.astimezone(UTC).date()

    def _told(self, made: Iterable[Generation]) -> Iterable[Generation]:
        """Those of the last 30 completed days; today is never among them."""
        first = (self._today - timedelta(days=ACTIVITY_DAYS)).isoformat()
        return (each for each in made if first <= each.day < self._today.isoformat())

    def _managed(self, handler: Handler) -> Handler:
        """The handler for the management key alone, refusals told as OpenRouter tells them."""

        async def answer(request: Request) -> Response:
            raw = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
            try:
                if not raw:
                    raise OpenRouterError(401, "No cookie auth credentials found")
                if raw in {key.raw for key in KEYS}:
                    raise OpenRouterError(403, "Only management keys can perform this operation")
                if raw != MANAGEMENT_KEY:
                    raise OpenRouterError(401, "User not found.")
                return await handler(request)
            except OpenRouterError as error:
                return json_response(error.body, status=error.status)

        return answer

    async def _activity(self, request: Request) -> Response:
        query = request.query_params
        made = list(self._told(self._usage.generations()))
        if "date" in query:
            days = {(self._today - timedelta(days=n)).isoformat() for n in range(1, 31)}
            if query["date"] not in days:
                raise OpenRouterError(400, "Date must be within the last 30 (completed) UTC days")
            made = [each for each in made if each.day == query["date"]]
        if "api_key_hash" in query:
            if self._state.get(_KEY, id=query["api_key_hash"]) is None:
                raise OpenRouterError(404, "API key not found")
            made = [each for each in made if each.key.hashed == query["api_key_hash"]]
        if "workspace_id" in query:
            made = [each for each in made if each.key.workspace_id == query["workspace_id"]]
        rows = activity_rows(made, by_workspace=query.get("group_by") == "workspace")
        return json_response({"data": rows})

    async def _analytics(self, request: Request) -> Response:
        body = await _json(request)
        try:
            rows = analytics_rows(self._usage.generations(), body, names=self._names())
        except (KeyError, ValueError, TypeError) as error:
            raise OpenRouterError(400, f"Invalid analytics query: {error}") from error
        limit = int(body.get("limit", 1000))
        shown = rows[:limit]
        metadata = {
            "query_time_ms": 42,
            "row_count": len(shown),
            "truncated": len(rows) > limit,
        }
        data: JsonObject = {"data": shown, "metadata": metadata}
        if any(
            each["field"] == "api_key_id" and self._state.get(_KEY, id=each["value"]) is None
            for each in body.get("filters", [])
        ):
            data["warnings"] = ["api_key_id: key hash could not be resolved"]
        return json_response({"data": data})

    async def _workspaces(self, request: Request) -> Response:
        offset = _offset(request)
        records = [workspace_record(id, name) for id, name in WORKSPACES.items()]
        return json_response({"data": records[offset : offset + 100], "total_count": len(records)})

    async def _keys(self, request: Request) -> Response:
        query = request.query_params
        workspace = query.get("workspace_id", next(iter(WORKSPACES)))
        if workspace not in WORKSPACES:
            raise OpenRouterError(404, "Workspace not found")
        records = [
            record
            for record in self._records()
            if record["workspace_id"] == workspace
            and (not record["disabled"] or query.get("include_disabled") == "true")
        ]
        offset = _offset(request)
        # Newest first.
        return json_response({"data": records[::-1][offset : offset + PAGE_KEYS]})

    async def _key(self, request: Request) -> Response:
        hashed = request.path_params["hash"]
        stored = self._state.get(_KEY, id=hashed)
        if stored is None:
            raise OpenRouterError(404, "API key not found")
        if request.method == "PATCH":
            changes = await _json(request)
            unknown = changes.keys() - {*_SETTABLE, "workspace_id"}
            limit = changes.get("limit")
            if unknown or changes.get("limit_reset") not in _RESETS or not _is_limit(limit):
                raise OpenRouterError(400, "Invalid request body")
            changed = {name: changes[name] for name in _SETTABLE if name in changes}
            # Time stands still here, and each change is later than the one before.
            later = timedelta(milliseconds=len(self._state.recorded(_ACTION)))
            updated_at = (self._grounds.as_of + later).isoformat()
            updated = {"updated_at": updated_at} if changed else {}
            self._state.put(_KEY, id=hashed, body={**stored, **changed, **updated})
            self._state.record(_ACTION, name=hashed, body={"hash": hashed, "changes": changed})
        found = next(record for record in self._records() if record["hash"] == hashed)
        return json_response({"data": found})

    async def _credits(self, request: Request) -> Response:
        used = sum((each.cost for each in self._usage.generations()), Decimal(0))
        return json_response({"data": {"total_credits": TOTAL_CREDITS, "total_usage": float(used)}})

    async def _generation(self, request: Request) -> Response:
        wanted = request.query_params.get("id", "")
        for each in self._usage.generations():
            if each.id == wanted:
                return json_response({"data": generation_record(each, canary=self._grounds.canary)})
        raise OpenRouterError(404, f"Generation {wanted} not found")

    async def _late(self, request: Request) -> Response:
        body = await _json(request)
        is_known = body.get("key") in {key.name for key in KEYS} and body.get("model") in OFFERS
        if not is_known or late_at(body) > self._grounds.as_of:
            return json_response({"error": "late: key, model, a past date"}, status=400)
        self._state.record(LATE, name=body["key"], body=body)
        return json_response({"added": 1})

    async def _restate(self, request: Request) -> Response:
        body = await _json(request)
        key = key_by_name(str(body["key"]))
        self._state.put(
            RESTATED,
            id=f"{body['date']} {key.name} {body['model']}",
            body=str(Decimal(str(body["factor"]))),
        )
        return json_response({"restated": 1})

    def _names(self) -> dict[str, str]:
        return {hashed: stored["name"] for hashed, stored in self._state.all(_KEY).items()}

    def _records(self) -> list[JsonObject]:
        """Every key as it is listed, in the order they were made."""
        made: dict[str, list[Generation]] = defaultdict(list)
        for each in self._usage.generations():
            made[each.key.hashed].append(each)
        stored = self._state.all(_KEY)
        return [
            key_record(key, stored[key.hashed], made[key.hashed], as_of=self._grounds.as_of)
            for key in KEYS
        ]


async def _models(request: Request) -> Response:
    listed = [model_record(offer) for offer in OFFERS.values()]
    return json_response({"data": listed, "links": {"next": None}, "total_count": len(listed)})


def _is_limit(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value is None or (is_number and value >= 0)


def _offset(request: Request) -> int:
    text = request.query_params.get("offset", "0")
    if not text.isdecimal():
        raise OpenRouterError(400, "offset: expected a whole number")
    return int(text)


async def _json(request: Request) -> JsonObject:
    try:
        body = orjson.loads(await request.body() or b"{}")
    except orjson.JSONDecodeError as error:
        raise OpenRouterError(400, "Invalid JSON body") from error
    if not isinstance(body, dict):
        raise OpenRouterError(400, "Invalid request body")
    return body
