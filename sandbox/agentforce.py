"""A Salesforce org with Data Cloud: sign-in, metadata, the Query Connect API and the older one.

Under `/agentforce`, as the org's My Domain; the tenant of the older API is `/agentforce/tenant`.
The vendor documents no rate limits of its queries, so there are none here.
"""

import secrets
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.agentforce_wallet import ADDED, PROCESSED, REFUNDED, Wallet, answer_query
from sandbox.proxy_http import Handler, answering, bad_request, json_body, json_response
from sandbox.vendor import Grounds, JsonObject

CLIENT_ID, CLIENT_SECRET = "3MVG9-sandbox-app", "sandbox-app-secret"
DATA_SPACE = "default"
_FIRST_CHUNK, _CHUNK = 40, 60
_KEPT_QUERIES = 200
_BASE = "/agentforce/services/data/v64.0/ssot"


class Refusal(Exception):
    """An answer in Salesforce's own words."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(str(status))
        self.status, self.body = status, body


class Agentforce:
    """One org: its app, its tokens and the results of its queries."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds
        self._wallet = Wallet(grounds)
        self._core_tokens: set[str] = set()
        self._tenant_tokens: set[str] = set()
        self._results: dict[str, tuple[list[str], list[list[Any]]]] = {}
        self._numbers = count(1)

    def routes(self) -> list[Route]:
        """Every endpoint of the org, and what steers it."""
        return [
            Route("/agentforce/services/oauth2/token", _said(self._sign_in), methods=["POST"]),
            Route("/agentforce/services/a360/token", _said(self._exchange), methods=["POST"]),
            Route(f"{_BASE}/metadata", _said(self._metadata)),
            Route(f"{_BASE}/query-sql", _said(self._submit), methods=["POST"]),
            Route(f"{_BASE}/query-sql/{{id:path}}/rows", _said(self._rows)),
            Route(f"{_BASE}/query-sql/{{id:path}}", _said(self._status)),
            Route("/agentforce/tenant/api/v1/metadata/", _said(self._tenant_metadata)),
            Route("/agentforce/tenant/api/v2/query", _said(self._tenant_query), methods=["POST"]),
            Route("/agentforce/tenant/api/v2/query/{batch}", _said(self._tenant_batch)),
            Route("/_world/agentforce/events", answering(self._add_event), methods=["POST"]),
            Route("/_world/agentforce/processed", answering(self._process), methods=["POST"]),
            Route("/_world/agentforce/refunds", answering(self._refund), methods=["POST"]),
        ]

    def environment(self, url: str) -> dict[str, str]:
        """The variables the platform reaches it with."""
        return {
            "AGENTFORCE_MAIN_MY_DOMAIN_URL": f"{url}/agentforce",
            "AGENTFORCE_MAIN_CLIENT_ID": CLIENT_ID,
            "AGENTFORCE_MAIN_CLIENT_SECRET": CLIENT_SECRET,
        }

    def counts(self) -> dict[str, int | str]:
        """Rows, units and tokens."""
        return self._wallet.counts()

    async def _sign_in(self, request: Request) -> Response:
        form = await _form(request)
        if form.get("grant_type") != "client_credentials":
            raise Refusal(400, {"error": "unsupported_grant_type"})
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise Refusal(
                400, {"error": "invalid_client", "error_description": "invalid client credentials"}
            )
        url = f"{request.url.scheme}://{request.url.netloc}/agentforce"
        return json_response(
            {
                "access_token": _issued(self._core_tokens),
                "scope": "cdp_query_api api",
                "instance_url": url,
                "token_type": "Bearer",
            }
        )

    async def _exchange(self, request: Request) -> Response:
        form = await _form(request)
        if form.get("subject_token") not in self._core_tokens:
            raise Refusal(400, {"error": "invalid_grant"})
        return json_response(
            {
                "access_token": _issued(self._tenant_tokens),
                # The real one is a bare host as well.
                "instance_url": f"{request.url.netloc}/agentforce/tenant",
                "token_type": "Bearer",
                "expires_in": 7200,
            }
        )

    async def _metadata(self, request: Request) -> Response:
        self._check(request, self._core_tokens)
        self._check_space(request)
        wanted = request.query_params.get("entityType")
        return json_response({"metadata": self._listed(wanted)})

    async def _tenant_metadata(self, request: Request) -> Response:
        self._check(request, self._tenant_tokens)
        return json_response({"metadata": self._listed(None)})

    def _listed(self, entity_type: str | None) -> list[JsonObject]:
        decoy = {"name": "ssot__Individual__dlm", "fields": [{"name": "ssot__Id__c"}]}
        return [decoy] + [
            {
                "name": name,
                "category": "Engagement",
                "fields": [{"name": column, "type": "STRING"} for column in table.columns],
            }
            for name, table in self._wallet.tables().items()
            if entity_type in (None, table.entity_type)
        ]

    async def _submit(self, request: Request) -> Response:
        self._check(request, self._core_tokens)
        self._check_space(request)
        number, (columns, rows) = next(self._numbers), await self._queried(request)
        id = f"q/{number}+{secrets.token_hex(4)}"
        self._keep(id, (columns, rows))
        # Every third query takes its time: nothing stands in the first answer.
        first = [] if number % 3 == 0 else rows[:_FIRST_CHUNK]
        state = "Running" if number % 3 == 0 else _state(first, rows)
        return json_response(
            {
                "data": first,
                "metadata": [{"name": name, "type": "Varchar"} for name in columns],
                "returnedRows": len(first),
                "status": _status(id, state, 0 if number % 3 == 0 else len(rows)),
            }
        )

    async def _status(self, request: Request) -> Response:
        self._check(request, self._core_tokens)
        id, (_, rows) = self._result(request)
        return json_response(_status(id, "Finished", len(rows)))

    async def _rows(self, request: Request) -> Response:
        self._check(request, self._core_tokens)
        _, (_, rows) = self._result(request)
        offset = int(request.query_params["offset"])
        limit = min(int(request.query_params["rowLimit"]), _CHUNK)
        chunk = rows[offset : offset + limit]
        return json_response({"data": chunk, "returnedRows": len(chunk)})

    async def _tenant_query(self, request: Request) -> Response:
        self._check(request, self._tenant_tokens)
        id = f"batch-{next(self._numbers)}"
        self._keep(id, await self._queried(request))
        return self._batch(id, 0)

    async def _tenant_batch(self, request: Request) -> Response:
        self._check(request, self._tenant_tokens)
        id, _, offset = request.path_params["batch"].rpartition(":")
        if id not in self._results:
            raise Refusal(404, {"error": "NOT_FOUND"})
        return self._batch(id, int(offset))

    def _batch(self, id: str, offset: int) -> Response:
        columns, rows = self._results[id]
        end = offset + _CHUNK
        is_done = end >= len(rows)
        return json_response(
            {
                "data": rows[offset:end],
                "rowCount": len(rows[offset:end]),
                "queryId": id,
                "nextBatchId": None if is_done else f"{id}:{end}",
                "done": is_done,
                "metadata": {name: {"placeInOrder": n} for n, name in enumerate(columns)},
            }
        )

    async def _queried(self, request: Request) -> tuple[list[str], list[list[Any]]]:
        body = await json_body(request)
        answer = answer_query(self._wallet.tables(), str(body.get("sql")))
        if answer is None:
            raise Refusal(400, [{"errorCode": "BAD_REQUEST", "message": "Failed to parse query"}])
        return answer

    def _keep(self, id: str, result: tuple[list[str], list[list[Any]]]) -> None:
        self._results[id] = result
        while len(self._results) > _KEPT_QUERIES:
            del self._results[next(iter(self._results))]

    def _result(self, request: Request) -> tuple[str, tuple[list[str], list[list[Any]]]]:
        # The server has undone the URL encoding of the id already.
        id = request.path_params["id"]
        if id not in self._results:
            raise Refusal(404, [{"errorCode": "NOT_FOUND", "message": "Query not found"}])
        return id, self._results[id]

    def _check(self, request: Request, tokens: set[str]) -> None:
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in tokens:
            raise Refusal(
                401,
                [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}],
            )

    def _check_space(self, request: Request) -> None:
        if request.query_params.get("dataspace") != DATA_SPACE:
            raise Refusal(
                403, [{"errorCode": "FORBIDDEN", "message": "No access to the data space"}]
            )

    async def _add_event(self, request: Request) -> Response:
        body = await json_body(request)
        self._add(ADDED, body)
        return json_response({"added": body["id"]})

    async def _refund(self, request: Request) -> Response:
        body = await json_body(request)
        self._add(REFUNDED, body)
        return json_response({"added": body["id"]})

    def _add(self, kind: str, body: JsonObject) -> None:
        if str(body.get("at")) > self._grounds.as_of.isoformat():
            raise bad_request("at lies after the end of the world", param="at")
        self._grounds.state.put(kind, id=str(body["id"]), body=body)

    async def _process(self, request: Request) -> Response:
        self._grounds.state.put(PROCESSED, id="all", body=True)
        return json_response({"processed": True})


def _said(handler: Handler) -> Handler:
    """The handler, its refusals told as Salesforce tells them."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Refusal as refusal:
            return json_response(refusal.body, status=refusal.status)

    return answer


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode()))


def _issued(tokens: set[str]) -> str:
    token = f"00D-{secrets.token_hex(16)}"
    tokens.add(token)
    return token


def _state(first: list[Any], rows: list[Any]) -> str:
    return "Finished" if len(first) == len(rows) else "ResultsProduced"


def _status(id: str, state: str, rows: int) -> JsonObject:
    return {
        "queryId": id,
        "completionStatus": state,
        "progress": 0.5 if state == "Running" else 1.0,
        "rowCount": rows,
        "chunkCount": -(-rows // _CHUNK),
    }
