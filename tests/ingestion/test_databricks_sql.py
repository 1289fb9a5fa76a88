"""Statements are waited for, read whole or not at all, and their errors tell no content."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from databricks_server import FIXTURES, TOKEN, WarehouseServer, warehouse_server
from scripted_server import Answer

from ingestion import databricks_sql
from ingestion.databricks_sql import Disposition, Login, StatementFailed, Warehouse
from ingestion.http import SourceError

GATEWAY = "SELECT invocation_id FROM system.ai_gateway.usage ORDER BY invocation_id"
INVOCATIONS = ["inv-1", "inv-2", "inv-3a", "inv-3b", "inv-4"]
SECRET_TEXT = "canary-of-an-error-message"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.http.BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(databricks_sql, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def server() -> Iterator[WarehouseServer]:
    with warehouse_server() as running:
        yield running


def warehouse(
    server: WarehouseServer, *, disposition: Disposition = "INLINE", login: Login | None = None
) -> Warehouse:
    return Warehouse(
        host=server.script.url,
        warehouse_id="abcdef0123456789",
        login=login or Login(TOKEN, None, None),
        disposition=disposition,
    )


def refused(server: WarehouseServer, **facts: Any) -> str:
    with pytest.raises(SourceError) as failed:
        warehouse(server, **facts).rows(GATEWAY)
    assert TOKEN not in str(failed.value)
    assert SECRET_TEXT not in str(failed.value)
    return str(failed.value)


@pytest.mark.parametrize("disposition", ["INLINE", "EXTERNAL_LINKS"])
def test_a_result_is_followed_chunk_by_chunk(
    server: WarehouseServer, disposition: Disposition
) -> None:
    server.chunk_rows = 2
    rows = warehouse(server, disposition=disposition).rows(GATEWAY)
    assert [row["invocation_id"] for row in rows] == INVOCATIONS
    paths = [asked.path for asked in server.script.asked]
    assert paths.count("/api/2.0/sql/statements/01ef-0000/result/chunks/1") == 1
    assert paths.count("/api/2.0/sql/statements/01ef-0000/result/chunks/2") == 1
    # The server refuses a token where the rows lie: three chunks, three addresses.
    assert len([path for path in paths if path.startswith("/storage/")]) == (
        3 if disposition == "EXTERNAL_LINKS" else 0
    )


def test_an_empty_result_is_no_rows(server: WarehouseServer) -> None:
    server.tables["system.ai_gateway.usage"].rows.clear()
    assert warehouse(server).rows(GATEWAY) == []


def test_a_statement_is_asked_for_until_it_ends(server: WarehouseServer) -> None:
    server.pending_polls = 3
    assert len(warehouse(server).rows(GATEWAY)) == 5
    one = "/api/2.0/sql/statements/01ef-0000"
    paths = [asked.path for asked in server.script.asked[1:]]
    assert paths == [one, one, one, f"{one}/result/chunks/1"]
    [submitted] = [asked.json() for asked in server.script.asked[:1]]
    assert submitted["wait_timeout"] == "30s"
    assert submitted["on_wait_timeout"] == "CONTINUE"


def test_a_statement_that_does_not_end_is_cancelled(
    server: WarehouseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databricks_sql, "POLLS", 4)
    server.pending_polls = 100
    assert refused(server) == "databricks: a statement did not end within 4 polls"
    assert server.script.asked[-1].path == "/api/2.0/sql/statements/01ef-0000/cancel"
    assert len(server.script.asked) == 1 + 4 + 1


def test_cells_are_read_by_their_declared_types(server: WarehouseServer) -> None:
    columns = "status_code, latency_ms, token_details, request_tags, event_time, destination_name"
    rows = warehouse(server).rows(
        f"SELECT {columns} FROM system.ai_gateway.usage ORDER BY event_time"
    )
    assert rows[0] == {
        "status_code": 200,
        "latency_ms": 2100,
        "token_details": {
            "cache_read_input_tokens": 8000,
            "cache_creation_input_tokens": 5000,
            "output_reasoning_tokens": None,
        },
        "request_tags": {"customer_id": "cust_acme", "team": "support"},
        "event_time": "2026-11-20T10:00:00.000Z",
        "destination_name": "main.default.anthropic_key",
    }
    assert rows[4]["destination_name"] is None


def test_a_service_principal_fetches_a_token_first(server: WarehouseServer) -> None:
    login = Login(None, "principal", "dose-secret")
    reader = warehouse(server, login=login)
    assert len(reader.rows(GATEWAY)) == len(reader.rows(GATEWAY)) == 5
    first, *others = server.script.asked
    assert first.path == "/oidc/v1/token"
    assert first.body == b"grant_type=client_credentials&scope=all-apis"
    pair = base64.b64decode(first.headers["authorization"].removeprefix("Basic "))
    assert pair == b"principal:dose-secret"
    assert {asked.path for asked in others} & {"/oidc/v1/token"} == set()
    assert "dose-secret" not in repr(reader)


def test_an_old_token_is_fetched_anew(
    server: WarehouseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databricks_sql, "_TOKEN_SECONDS", -1)
    reader = warehouse(server, login=Login(None, "principal", "dose-secret"))
    reader.rows(GATEWAY)
    reader.rows(GATEWAY)
    assert [asked.path for asked in server.script.asked].count("/oidc/v1/token") == 4


def test_refused_credentials_say_what_is_missing(server: WarehouseServer) -> None:
    login = Login("dapi-wrong", None, None)
    assert refused(server, login=login) == "databricks: the token was refused"
    assert len(server.script.asked) == 1
    scope = (FIXTURES / "error_403_scope.json").read_text(encoding="utf-8")
    server.script.canned = [Answer(scope, status=403)]
    assert "needs scope sql" in refused(server)
    server.script.canned = [Answer({"error": "invalid_client"}, status=401)]
    principal = Login(None, "principal", "wrong")
    assert refused(server, login=principal) == "databricks: the client credentials were refused"


def test_a_busy_workspace_is_asked_again(server: WarehouseServer) -> None:
    busy = Answer({"error_code": "REQUEST_LIMIT_EXCEEDED"}, 429, {"Retry-After": "0"})
    server.script.canned = [busy, Answer({}, status=503)]
    assert len(warehouse(server).rows(GATEWAY)) == 5


def test_a_failure_in_a_200_tells_its_code_only(server: WarehouseServer) -> None:
    server.rewrite = lambda told: told
    server.script.canned = [
        Answer(
            {
                "statement_id": "01ef-1",
                "status": {
                    "state": "FAILED",
                    "error": {"error_code": "BAD_REQUEST", "message": SECRET_TEXT},
                },
            }
        )
    ]
    assert refused(server) == "databricks: a statement ended FAILED: BAD_REQUEST"
    del server.tables["system.ai_gateway.usage"]
    with pytest.raises(StatementFailed) as failed:
        warehouse(server).rows("DESCRIBE TABLE system.ai_gateway.usage")
    assert failed.value.is_missing_table


Change = Callable[[dict[str, Any]], Any]


def _manifest(**changes: Any) -> Change:
    return lambda told: told | {"manifest": told["manifest"] | changes}


def _result(**changes: Any) -> Change:
    return lambda told: told | {"result": told["result"] | changes}


@pytest.mark.parametrize(
    ("rewrite", "message"),
    [
        (_manifest(truncated=True), "a result is truncated"),
        (_manifest(total_row_count=6), "read 5 rows of a result of 6"),
        (_manifest(total_chunk_count=3), "the chunks of a result are not as many as it says"),
        (_manifest(schema={}), "a statement succeeded without a manifest"),
        (_result(row_count=4), "chunk 0 of a result is short"),
        (_result(next_chunk_index=0), "chunk 1 of a result is not the next one"),
        (_result(next_chunk_index=2), "chunk 1 of a result is not the next one"),
        (_result(chunk_index=1), "chunk 0 of a result was not answered"),
        (_result(next_chunk_index=None), "read 3 rows of a result of 5"),
        (_result(data_array={}), "a chunk of a result is not a list of rows"),
        (_result(data_array=[["a", "b"]] * 3), "a row does not have the manifest's columns"),
        (_result(external_links=["x"]), "a chunk of a result is not an object"),
        (lambda told: {"statement_id": "01ef-1", "status": {"state": "SUCCEEDED"}},
         "a statement succeeded without a manifest"),
        (lambda told: {"statement_id": "01ef-1", "status": {}},
         "a statement was answered without a known state"),
        (lambda told: {"statement_id": "../x", "status": {"state": "PENDING"}},
         "a statement was answered without an id"),
        (lambda told: ["not", "an", "object"], "statements was answered without an object"),
    ],
)  # fmt: skip
def test_what_is_not_whole_is_refused(
    server: WarehouseServer, rewrite: Change, message: str
) -> None:
    server.rewrite = lambda told: rewrite(told) if not isinstance(told, dict) or (
        "result" in told
    ) else told  # fmt: skip
    assert refused(server) == f"databricks: {message}"


def test_a_chunk_told_again_instead_of_the_next_is_refused(server: WarehouseServer) -> None:
    first: list[Any] = []

    def repeat(told: Any) -> Any:
        first[:] = first or [told["result"]]
        return told if "manifest" in told else first[0]

    server.rewrite = repeat
    assert refused(server) == "databricks: chunk 1 of a result was not answered"


@pytest.mark.parametrize(
    "body", ["<html>Sign in</html>", '{"statement_id": "01ef-1", "status": {"sta']
)
def test_a_body_that_is_not_json_is_refused(server: WarehouseServer, body: str) -> None:
    server.script.canned = [Answer(body)]
    assert "a body that is not JSON" in refused(server)
    server.chunk = lambda statement_id, index: {  # type: ignore[method-assign, assignment]
        "chunk_index": 0, "row_count": 5, "data_array": body,
    }  # fmt: skip
    assert "a chunk behind its address is not JSON" in refused(server, disposition="EXTERNAL_LINKS")
