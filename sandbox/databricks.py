"""Databricks' SQL Statement Execution API over the system tables of the demo company.

The vendor's own paths, since its SDK takes a host without one: statements that are PENDING and
RUNNING before they succeed, results in chunks or behind signed addresses, a failure told in a 200,
tokens by client credentials.
"""

import base64
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.databricks_columns import BILLING, COLUMNS, ENDPOINT, GATEWAY, KEYS, SPEND
from sandbox.databricks_rows import rows_of_the_world
from sandbox.databricks_store import Cells, StatementError, Store
from sandbox.proxy_http import json_response
from sandbox.vendor import Grounds, JsonObject

TOKEN = "dapi-sandbox-databricks"
# A token of another purpose: it signs in, and may not run SQL.
UNSCOPED_TOKEN = "dapi-sandbox-other"
CLIENT_ID = "sandbox-service-principal"
CLIENT_SECRET = "dose-sandbox-databricks"
WAREHOUSE_ID = "5a1db0c000000001"
CHUNK_ROWS = 200
INLINE_BYTES = 25 << 20
_ACCESS_TOKEN = "eyJ-sandbox-databricks"
_ROWS, _DROPPED = "databricks_rows", "databricks_dropped"
_STATEMENTS = "/api/2.0/sql/statements"


class Databricks:
    """One workspace with one SQL warehouse."""

    def __init__(self, grounds: Grounds) -> None:
        self._state = grounds.state
        self._store = Store(COLUMNS)
        self._statements: dict[str, JsonObject] = {}
        for name, rows in rows_of_the_world(grounds).items():
            self._store.put(name, rows)
        for added in grounds.state.recorded(_ROWS):
            self._store.put(added["table"], added["rows"], key=KEYS[added["table"]])
        for name in grounds.state.all(_DROPPED):
            self._store.drop(name)

    def routes(self) -> list[Route]:
        """The API's endpoints, the storage behind it, and what steers both."""
        one = f"{_STATEMENTS}/{{id}}"
        return [
            Route("/.well-known/databricks-config", self._discovery),
            Route("/oidc/.well-known/oauth-authorization-server", self._discovery),
            Route("/oidc/v1/token", self._token, methods=["POST"]),
            Route(_STATEMENTS, self._submit, methods=["POST"]),
            Route(one, self._poll),
            Route(f"{one}/cancel", self._cancel, methods=["POST"]),
            Route(f"{one}/result/chunks/{{index:int}}", self._chunk),
            Route("/databricks/storage/{id}/{index:int}", self._stored),
            Route("/_world/databricks/rows", self._add, methods=["POST"]),
            Route("/_world/databricks/drop", self._drop, methods=["POST"]),
        ]

    def environment(self, url: str) -> dict[str, str]:
        """How the platform signs in: as a service principal."""
        return {
            "DATABRICKS_MAIN_HOST": url,
            "DATABRICKS_MAIN_CLIENT_ID": CLIENT_ID,
            "DATABRICKS_MAIN_CLIENT_SECRET": CLIENT_SECRET,
        }

    def counts(self) -> dict[str, int | str]:
        """Calls, tokens, dollars and billed units, as the tables hold them."""
        counts: dict[str, int | str] = {}
        for name, table, measure in (
            ("invocations", GATEWAY, "count(*)"),
            ("input_tokens", GATEWAY, "sum(input_tokens)"),
            ("output_tokens", GATEWAY, "sum(output_tokens)"),
            ("failed_invocations", GATEWAY, "count(*) filter (status_code >= 400)"),
            ("spend_records", SPEND, "count(*)"),
            ("spend_usd", SPEND, "sum(usage_quantity)"),
            ("requests", ENDPOINT, "count(*)"),
            (
                "requests_told_twice",
                ENDPOINT,
                "count(*) filter (databricks_request_id in "
                "(select request_id from vendor.ai_gateway.usage))",
            ),
            ("request_input_tokens", ENDPOINT, "sum(input_token_count)"),
            ("request_output_tokens", ENDPOINT, "sum(output_token_count)"),
            (
                "billed_records",
                BILLING,
                "count(*) filter (billing_origin_product = 'MODEL_SERVING')",
            ),
            (
                "billed_dbu",
                BILLING,
                "sum(usage_quantity) filter (billing_origin_product = 'MODEL_SERVING')",
            ),
        ):
            if self._store.has(table):
                counts[name] = self._store.measure(table, measure)
        return counts

    async def _discovery(self, request: Request) -> Response:
        """Where the SDK finds the token endpoint."""
        base = str(request.base_url).rstrip("/")
        return json_response(
            {
                "oidc_endpoint": f"{base}/oidc",
                "token_endpoint": f"{base}/oidc/v1/token",
                "authorization_endpoint": f"{base}/oidc/v1/authorize",
            }
        )

    async def _token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        pair = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {pair}":
            told = {
                "error": "invalid_client",
                "error_description": "Client authentication failed",
            }
            return json_response(told, status=401)
        if form.get("grant_type") != ["client_credentials"] or form.get("scope") != ["all-apis"]:
            told = {"error": "invalid_request", "error_description": "grant_type or scope"}
            return json_response(told, status=400)
        return json_response(
            {
                "access_token": _ACCESS_TOKEN,
                "scope": "all-apis",
                "token_type": "Bearer",
                "expires_in": 3600,
            }
        )

    async def _submit(self, request: Request) -> Response:
        if refused := _refused(request):
            return refused
        body = orjson.loads(await request.body())
        if body.get("warehouse_id") != WAREHOUSE_ID:
            return _error(404, "NOT_FOUND", "SQL warehouse does not exist or was deleted")
        wait = str(body.get("wait_timeout", "10s")).removesuffix("s")
        if not wait.isdigit() or not (wait == "0" or 5 <= int(wait) <= 50):
            return _error(400, "INVALID_PARAMETER_VALUE", "wait_timeout: 0s or 5s to 50s")
        if body.get("format", "JSON_ARRAY") != "JSON_ARRAY":
            return _error(400, "INVALID_PARAMETER_VALUE", "the sandbox speaks JSON_ARRAY only")
        statement_id = f"01ef{len(self._statements):04x}-sandbox"
        self._statements[statement_id] = self._executed(
            body["statement"], disposition=body.get("disposition", "INLINE")
        )
        # Who does not wait sees the statement pending first and running next.
        self._statements[statement_id]["states"] = ["PENDING", "RUNNING"] if wait == "0" else []
        return self._told(statement_id, request)

    def _executed(self, statement: str, *, disposition: str) -> JsonObject:
        done: JsonObject = {"disposition": disposition}
        try:
            columns, rows = self._store.run(statement)
        except StatementError as error:
            return done | {"error": {"error_code": "BAD_REQUEST", "message": str(error)}}
        if disposition == "INLINE" and len(orjson.dumps(rows)) > INLINE_BYTES:
            message = "Inline byte limit exceeded"
            return done | {"error": {"error_code": "BAD_REQUEST", "message": message}}
        return done | {"columns": columns, "rows": rows}

    async def _poll(self, request: Request) -> Response:
        return _refused(request) or self._told(request.path_params["id"], request)

    def _told(self, statement_id: str, request: Request) -> Response:
        statement = self._statements.get(statement_id)
        if statement is None:
            return _error(404, "NOT_FOUND", f"The statement {statement_id} was not found")
        told: JsonObject = {"statement_id": statement_id}
        if statement["states"]:
            return json_response(told | {"status": {"state": statement["states"].pop(0)}})
        if "error" in statement:
            status = {"state": statement.get("state", "FAILED"), "error": statement["error"]}
            return json_response(told | {"status": status})
        rows, columns = statement["rows"], statement["columns"]
        chunks = [
            {"chunk_index": n, "row_offset": n * CHUNK_ROWS, "row_count": len(_part(rows, n))}
            for n in range(-(-len(rows) // CHUNK_ROWS))
        ]
        manifest = {
            "format": "JSON_ARRAY",
            "schema": {
                "column_count": len(columns),
                "columns": [
                    column | {"position": position} for position, column in enumerate(columns)
                ],
            },
            "chunks": chunks,
            "total_chunk_count": len(chunks),
            "total_row_count": len(rows),
            "total_byte_count": len(orjson.dumps(rows)),
            "truncated": False,
        }
        return json_response(
            told
            | {
                "status": {"state": "SUCCEEDED"},
                "manifest": manifest,
                "result": self._result(statement_id, 0, request) if rows else {},
            }
        )

    async def _chunk(self, request: Request) -> Response:
        statement = self._statements.get(request.path_params["id"])
        index = request.path_params["index"]
        if refused := _refused(request):
            return refused
        if statement is None or not _part(statement.get("rows", []), index):
            return _error(404, "NOT_FOUND", "The chunk was not found")
        return json_response(self._result(request.path_params["id"], index, request))

    def _result(self, statement_id: str, index: int, request: Request) -> JsonObject:
        """One chunk, with its rows or with the address they lie behind."""
        statement = self._statements[statement_id]
        part = _part(statement["rows"], index)
        chunk: JsonObject = {
            "chunk_index": index,
            "row_offset": index * CHUNK_ROWS,
            "row_count": len(part),
        }
        if _part(statement["rows"], index + 1):
            following = f"{_STATEMENTS}/{statement_id}/result/chunks/{index + 1}"
            chunk |= {"next_chunk_index": index + 1, "next_chunk_internal_link": following}
        if statement["disposition"] == "INLINE":
            return chunk | {"data_array": part}
        base = str(request.base_url).rstrip("/")
        link = f"{base}/databricks/storage/{statement_id}/{index}?X-Amz-Signature=sandbox"
        return {"external_links": [chunk | {"external_link": link, "byte_count": 0}]}

    async def _stored(self, request: Request) -> Response:
        """A chunk in the cloud's storage, which takes the signature and nothing else."""
        if "authorization" in request.headers:
            return Response("<Error><Code>InvalidArgument</Code></Error>", status_code=400)
        if request.query_params.get("X-Amz-Signature") != "sandbox":
            return Response("<Error><Code>AccessDenied</Code></Error>", status_code=403)
        statement = self._statements[request.path_params["id"]]
        return json_response(_part(statement["rows"], request.path_params["index"]))

    async def _cancel(self, request: Request) -> Response:
        if refused := _refused(request):
            return refused
        if statement := self._statements.get(request.path_params["id"]):
            error = {"error_code": "CANCELLED", "message": "The statement was cancelled"}
            statement |= {"states": [], "state": "CANCELED", "error": error}
        return json_response({})

    async def _add(self, request: Request) -> Response:
        """Rows come late, or replace those of their key: {table, rows}."""
        body = orjson.loads(await request.body())
        self._store.put(body["table"], body["rows"], key=KEYS[body["table"]])
        self._state.record(_ROWS, name=body["table"], body=body)
        return json_response({"added": len(body["rows"])})

    async def _drop(self, request: Request) -> Response:
        """A table is gone, as before its tracking is enabled: {table}."""
        name = orjson.loads(await request.body())["table"]
        self._store.drop(name)
        self._state.put(_DROPPED, id=name, body={})
        return json_response({"dropped": name})


def _part(rows: list[Cells], index: int) -> list[Cells]:
    return rows[index * CHUNK_ROWS : (index + 1) * CHUNK_ROWS]


def _refused(request: Request) -> Response | None:
    """The API's refusal of a token, or None."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token in (TOKEN, _ACCESS_TOKEN):
        return None
    if token == UNSCOPED_TOKEN:
        return _error(403, "PERMISSION_DENIED", "token does not have required scopes: sql")
    if token:
        return _error(403, "403", "Invalid access token.")
    return _error(401, "401", "Credential was not sent or was of an unsupported type.")


def _error(status: int, code: str, message: str) -> Response:
    told: dict[str, Any] = {"error_code": code, "message": message}
    return json_response(told, status=status)
