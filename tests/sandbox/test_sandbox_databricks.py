"""Databricks as its own SDK sees it: statements, chunks, storage, refusals, signing in."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError, PermissionDenied
from databricks.sdk.service.sql import Disposition, StatementResponse, StatementState

from sandbox.databricks import (
    CLIENT_ID,
    CLIENT_SECRET,
    TOKEN,
    UNSCOPED_TOKEN,
    WAREHOUSE_ID,
)
from sandbox.server import Sandbox

Query = Callable[..., list[list[str | None]]]
GATEWAY = "system.ai_gateway.usage"


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> WorkspaceClient:
    return WorkspaceClient(host=sandbox.litellm_url, token=TOKEN)


@pytest.fixture(scope="module")
def query(client: WorkspaceClient) -> Query:
    """Every row of a statement, polled and followed chunk by chunk as the SDK's users do."""

    def ask(statement: str, *, disposition: Disposition = Disposition.INLINE) -> Any:
        answer = client.statement_execution.execute_statement(
            statement, WAREHOUSE_ID, wait_timeout="0s", disposition=disposition
        )
        states = [answer.status.state]
        while answer.status.state in (StatementState.PENDING, StatementState.RUNNING):
            answer = client.statement_execution.get_statement(answer.statement_id)
            states.append(answer.status.state)
        assert states == [StatementState.PENDING, StatementState.RUNNING, StatementState.SUCCEEDED]
        rows = list(_chunks(client, answer))
        assert len(rows) == answer.manifest.total_row_count
        return rows

    return ask


def _chunks(client: WorkspaceClient, answer: StatementResponse) -> Iterator[list[str | None]]:
    result = answer.result
    while True:
        for link in result.external_links or []:
            yield from requests.get(link.external_link, timeout=10).json()
        yield from result.data_array or []
        parts = result.external_links or [result]
        if parts[-1].next_chunk_index is None:
            return
        result = client.statement_execution.get_statement_result_chunk_n(
            answer.statement_id, parts[-1].next_chunk_index
        )


@pytest.fixture
def counts(sandbox: Sandbox) -> dict[str, Any]:
    return dict(requests.get(sandbox.control_url, timeout=10).json()["databricks"])


@pytest.mark.parametrize("disposition", [Disposition.INLINE, Disposition.EXTERNAL_LINKS])
def test_calls_are_paged_through_and_tie_to_the_world(
    query: Query, counts: dict[str, Any], disposition: Disposition
) -> None:
    rows = query(
        f"SELECT invocation_id, input_tokens, output_tokens, status_code FROM {GATEWAY} "
        "ORDER BY event_time, invocation_id",
        disposition=disposition,
    )
    assert len(rows) > 200, "one chunk"
    assert len({row[0] for row in rows}) == len(rows) == counts["invocations"]
    assert sum(int(row[1] or 0) for row in rows) == counts["input_tokens"]
    assert sum(int(row[2] or 0) for row in rows) == counts["output_tokens"]
    assert sum(int(row[3] or 0) >= 400 for row in rows) == counts["failed_invocations"]


def test_spend_and_bills_tie_to_the_world(query: Query, counts: dict[str, Any]) -> None:
    spend = query("SELECT usage_quantity FROM system.ai_gateway.external_model_spend")
    assert sum(Decimal(row[0] or 0) for row in spend) == Decimal(counts["spend_usd"])
    billed = query(
        "SELECT usage_quantity, record_type FROM system.billing.usage "
        "WHERE billing_origin_product = 'MODEL_SERVING'"
    )
    assert {row[1] for row in billed} == {"ORIGINAL", "RETRACTION", "RESTATEMENT"}
    assert sum(Decimal(row[0] or 0) for row in billed) == Decimal(counts["billed_dbu"])
    requested = query("SELECT databricks_request_id FROM system.serving.endpoint_usage")
    assert len(requested) == counts["requests"]
    [[twice]] = query(
        "SELECT COUNT(*) AS n FROM system.serving.endpoint_usage e "
        f"JOIN {GATEWAY} g ON e.databricks_request_id = g.request_id"
    )
    assert int(twice or 0) >= counts["requests_told_twice"] > 0


def test_the_dollars_are_what_the_providers_ask_for_the_calls(query: Query) -> None:
    # Cents per million of plain, read and written input, and of output.
    rates = {"claude-haiku-4-5": (100, 10, 125, 500), "gpt-5-mini": (25, Decimal("2.5"), 0, 200)}
    expected = Decimal(0)
    for model, plain, details, output in query(
        f"SELECT destination_model, input_tokens, token_details, output_tokens FROM {GATEWAY} "
        "WHERE destination_type = 'EXTERNAL_FOUNDATION_MODEL' AND input_tokens IS NOT NULL"
    ):
        if model in rates:
            split = json.loads(details or "{}")
            read = split["cache_read_input_tokens"]
            written = split["cache_creation_input_tokens"]
            into, cached, stored, out = rates[model]
            expected += into * (int(plain or 0) - read - written) + cached * read
            expected += stored * written + out * int(output or 0)
    [[spent]] = query("SELECT SUM(usage_quantity) AS n FROM system.ai_gateway.external_model_spend")
    assert Decimal(spent or 0) == expected * Decimal("0.00000001")


def test_nothing_is_told_of_later_than_the_world(query: Query, sandbox: Sandbox) -> None:
    [[last]] = query(f"SELECT MAX(event_time) AS n FROM {GATEWAY}")
    [[spent]] = query("SELECT MAX(usage_end_time) AS n FROM system.ai_gateway.external_model_spend")
    end = sandbox.as_of.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert last is not None and last < end
    assert spent is not None and spent < end


def test_cells_are_texts_and_nested_ones_json(query: Query) -> None:
    [row] = query(
        f"SELECT event_time, status_code, token_details, request_tags FROM {GATEWAY} "
        "WHERE event_time >= TIMESTAMP '2026-11-14T00:00:00+00:00' AND status_code = 200 "
        "ORDER BY event_time LIMIT 1"
    )
    at, status, details, tags = row
    assert at is not None and at.endswith("Z") and status == "200"
    assert set(json.loads(details or "")) == {
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "output_reasoning_tokens",
    }
    assert "team" in json.loads(tags or "")
    described = query(f"DESCRIBE TABLE {GATEWAY}")
    assert ["invocation_id", "string", None] in described
    assert ["# Partition Information", "", ""] in described


def test_a_statement_that_fails_says_so_in_a_200(client: WorkspaceClient) -> None:
    for statement, condition in (
        ("SELECT 1 FROM system.ai_gateway.nothing", "[TABLE_OR_VIEW_NOT_FOUND]"),
        (f"SELECT nothing FROM {GATEWAY}", "[UNRESOLVED_COLUMN"),
    ):
        answer = client.statement_execution.execute_statement(statement, WAREHOUSE_ID)
        assert answer.status.state == StatementState.FAILED
        assert answer.status.error.message.startswith(condition)


def test_refusals_are_told_in_the_vendors_words(sandbox: Sandbox, client: WorkspaceClient) -> None:
    other = WorkspaceClient(host=sandbox.litellm_url, token=UNSCOPED_TOKEN)
    with pytest.raises(PermissionDenied, match="required scopes: sql"):
        other.statement_execution.execute_statement("SELECT 1", WAREHOUSE_ID)
    with pytest.raises(DatabricksError, match="wait_timeout"):
        client.statement_execution.execute_statement("SELECT 1", WAREHOUSE_ID, wait_timeout="51s")
    url = f"{sandbox.litellm_url}/api/2.0/sql/statements"
    assert requests.post(url, json={}, timeout=10).status_code == 401


def test_a_service_principal_signs_in_by_its_client_credentials(sandbox: Sandbox) -> None:
    principal = WorkspaceClient(
        host=sandbox.litellm_url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET
    )
    answer = principal.statement_execution.execute_statement(
        "SELECT COUNT(*) AS n FROM system.billing.list_prices", WAREHOUSE_ID
    )
    assert answer.result.data_array == [["1"]]
    refused = requests.post(
        f"{sandbox.litellm_url}/oidc/v1/token",
        auth=(CLIENT_ID, "wrong"),
        data={"grant_type": "client_credentials", "scope": "all-apis"},
        timeout=10,
    )
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


def test_storage_takes_the_signature_and_no_token(
    sandbox: Sandbox, client: WorkspaceClient
) -> None:
    answer = client.statement_execution.execute_statement(
        f"SELECT url FROM {GATEWAY}", WAREHOUSE_ID, disposition=Disposition.EXTERNAL_LINKS
    )
    link = answer.result.external_links[0].external_link
    with_token = requests.get(link, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    assert with_token.status_code == 400
    assert requests.get(link.partition("?")[0], timeout=10).status_code == 403


def test_late_rows_and_restated_ones_are_kept(sandbox: Sandbox, query: Query) -> None:
    [[before]] = query("SELECT COUNT(*) AS n FROM system.ai_gateway.external_model_spend")
    row = {
        "record_id": "spend-late", "account_id": "a", "workspace_id": "w",
        "usage_date": "2026-11-20", "usage_start_time": "2026-11-20T10:00:00Z",
        "usage_end_time": "2026-11-20T11:00:00Z", "usage_unit": "USD", "usage_quantity": "1.5",
        "usage_metadata": {"provider": "openai", "model": "gpt-5-mini"},
        "custom_tags": {"request_tags": {"team": "x"}},
    }  # fmt: skip
    for quantity in ("1.5", "0.5"):
        requests.post(
            f"{sandbox.control_url}/databricks/rows",
            json={
                "table": "system.ai_gateway.external_model_spend",
                "rows": [row | {"usage_quantity": quantity}],
            },
            timeout=10,
        )
    [[after]] = query("SELECT COUNT(*) AS n FROM system.ai_gateway.external_model_spend")
    assert int(after or 0) == int(before or 0) + 1
    assert query(
        "SELECT usage_quantity FROM system.ai_gateway.external_model_spend "
        "WHERE record_id = 'spend-late'"
    ) == [["0.500000000000000000"]]
