"""A client written from Portkey's documentation exports the whole log and ties to the world."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from sandbox.server import Sandbox

Portkey = Callable[..., requests.Response]
FIELDS = ["id", "trace_id", "created_at", "is_success", "ai_model", "req_units", "res_units"]
WHOLE = {
    "time_of_generation_min": "2026-11-13T00:00:00.000Z",
    "time_of_generation_max": "2026-11-24T00:00:00.000Z",
}


@pytest.fixture
def portkey(sandbox: Sandbox) -> Portkey:
    """Ask the control plane with its key, or with another one."""
    known = sandbox.environment()

    def send(method: str, path: str, *, key: str | None = None, **facts: Any) -> requests.Response:
        headers = {"x-portkey-api-key": known["PORTKEY_MAIN_API_KEY"] if key is None else key}
        url = known["PORTKEY_MAIN_BASE_URL"] + path
        return requests.request(method, url, headers=headers, timeout=10, **facts)

    return send


def exported(portkey: Portkey, *, fields: list[str] = FIELDS, **filters: Any) -> list[Any]:
    """The rows of one export, made as the documentation says."""
    body = {"filters": {**WHOLE, **filters}, "requested_data": fields}
    made = portkey("POST", "/logs/exports", json=body).json()
    path = f"/logs/exports/{made['id']}"
    assert portkey("GET", f"{path}/download").status_code == 400
    portkey("POST", f"{path}/start")
    statuses = [portkey("GET", path).json()["status"] for _ in range(2)]
    assert statuses[-1] == "success"
    address = portkey("GET", f"{path}/download").json()["signed_url"]
    lines = requests.get(address, timeout=10).text.splitlines()
    assert len(lines) == made["total"]
    return [json.loads(line) for line in lines]


def counts(sandbox: Sandbox) -> dict[str, Any]:
    return requests.get(sandbox.control_url, timeout=10).json()["portkey"]


def test_pages_of_an_export_hold_every_attempt_once(portkey: Portkey, sandbox: Sandbox) -> None:
    rows, page = [], 0
    fields = [*FIELDS, "cost"]
    while found := exported(portkey, fields=fields, page_size=50, current_page=page):
        rows += found
        page += 1
    told = counts(sandbox)
    assert len({row["id"] for row in rows}) == len(rows) == told["events"]
    # Ten days of 24 acts, some of which took two attempts.
    assert 200 < len(rows) < 300
    assert len({row["trace_id"] for row in rows}) < len(rows)
    assert sum(row["req_units"] for row in rows) == told["input_tokens"]
    assert sum(row["res_units"] for row in rows) == told["output_tokens"]
    cents = sum(Decimal(repr(row["cost"])) for row in rows)
    assert cents / 100 == Decimal(told["cost_usd"]) > 0
    assert max(row["created_at"] for row in rows) < "2026-11-23T18:00:00.000Z"


def test_the_signed_address_refuses_a_key_and_a_wrong_signature(portkey: Portkey) -> None:
    made = portkey("POST", "/logs/exports", json={"filters": WHOLE, "requested_data": ["id"]})
    path = f"/logs/exports/{made.json()['id']}"
    portkey("POST", f"{path}/start")
    portkey("GET", path)
    portkey("GET", path)
    address = portkey("GET", f"{path}/download").json()["signed_url"]
    keyed = {"x-portkey-api-key": "pk-any"}
    assert requests.get(address, headers=keyed, timeout=10).status_code == 400
    assert requests.get(address[:-1] + "~", timeout=10).status_code == 403


def test_costs_of_a_day_are_cents_and_add_up(portkey: Portkey, sandbox: Sandbox) -> None:
    asked = {"workspace_slug": "ws-main", **WHOLE}
    graph = portkey("GET", "/analytics/graphs/cost", params=asked).json()
    assert Decimal(repr(graph["summary"]["total"])) / 100 == Decimal(counts(sandbox)["cost_usd"])
    points = sum(Decimal(repr(point["total"])) for point in graph["data_points"])
    assert abs(points - Decimal(repr(graph["summary"]["total"]))) < Decimal("1e-9")


def test_keys_are_listed_by_pages_with_limits_in_dollars(portkey: Portkey) -> None:
    first = portkey("GET", "/api-keys", params={"page_size": 5, "current_page": 0}).json()
    rest = portkey("GET", "/api-keys", params={"page_size": 20, "current_page": 0}).json()
    assert (first["total"], len(first["data"]), len(rest["data"])) == (12, 5, 12)
    assert first["data"][0]["usage_limits"]["credit_limit"] == 50
    one = portkey("GET", f"/api-keys/{first['data'][4]['id']}").json()
    assert (one["name"], one["status"]) == ("platform-ci", "exhausted")


def test_refusals_are_told_in_its_own_words(portkey: Portkey) -> None:
    body = {"filters": WHOLE, "requested_data": ["id"]}
    wrong = portkey("POST", "/logs/exports", key="pk-other", json=body)
    assert (wrong.status_code, wrong.json()["success"]) == (401, False)
    for broken in (
        {**body, "requested_data": ["prompt"]},
        {**body, "filters": {**WHOLE, "page_size": 50_001}},
        {**body, "filters": {**WHOLE, "time_of_generation_min": "yesterday"}},
    ):
        assert portkey("POST", "/logs/exports", json=broken).status_code == 400
    assert portkey("GET", "/logs/exports/none").status_code == 404


def test_a_late_row_is_there_from_then_on_and_counted(portkey: Portkey, sandbox: Sandbox) -> None:
    before = counts(sandbox)
    late = {"minutes": 90, "fields": {"id": "late-1"}}
    for _ in range(2):
        requests.post(f"{sandbox.control_url}/portkey/late", json=late, timeout=10)
    after = counts(sandbox)
    assert after["events"] == before["events"] + 1
    # 0.0384 cents more.
    assert Decimal(after["cost_usd"]) - Decimal(before["cost_usd"]) == Decimal("0.000384")
    rows = exported(portkey)
    [found] = [row for row in rows if row["id"] == "late-1"]
    assert found["created_at"] == (sandbox.as_of - timedelta(minutes=90)).strftime(
        "%Y-%m-%dT%H:%M:%S.000Z"
    )
