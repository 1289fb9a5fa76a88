"""A client written from Helicone's documentation pages through the log and ties to the world."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import requests

from sandbox.server import Sandbox

Query = Callable[..., requests.Response]


@pytest.fixture
def query(sandbox: Sandbox) -> Query:
    """Ask the query endpoint with its key, or with another one."""
    known = sandbox.environment()

    def send(*, key: str | None = None, **body: Any) -> requests.Response:
        raw = known["HELICONE_MAIN_API_KEY"] if key is None else key
        return requests.post(
            known["HELICONE_MAIN_BASE_URL"] + "/v1/request/query-clickhouse",
            headers={"Authorization": f"Bearer {raw}"},
            json={"filter": "all", "offset": 0, "limit": 1_000, "includeInputs": False} | body,
            timeout=10,
        )

    return send


def counts(sandbox: Sandbox) -> dict[str, Any]:
    return requests.get(sandbox.control_url, timeout=10).json()["helicone"]


def put(sandbox: Sandbox, **body: Any) -> requests.Response:
    return requests.post(f"{sandbox.control_url}/helicone/requests", json=body, timeout=10)


def created(**bounds: str) -> dict[str, Any]:
    return {"request_response_rmt": {"request_created_at": bounds}}


def all_rows(query: Query) -> list[Any]:
    rows: list[Any] = []
    while page := query(offset=len(rows), limit=70, sort={"created_at": "asc"}).json()["data"]:
        rows += page
    return rows


def newest(rows: list[Any]) -> dict[str, Any]:
    """Each request once, as it was last changed."""
    found: dict[str, Any] = {}
    for row in sorted(rows, key=lambda row: row["updated_at"]):
        found[row["request_id"]] = row
    return found


def test_pages_hold_every_request_and_tie_to_the_world(query: Query, sandbox: Sandbox) -> None:
    rows = all_rows(query)
    told = counts(sandbox)
    requested = newest(rows)
    assert (len(rows), len(requested)) == (told["versions"], told["events"])
    # Ten days of 30 acts; a few are there in two versions.
    assert 250 < len(requested) < len(rows) < 350
    for column in ("prompt_tokens", "completion_tokens"):
        assert sum(row[column] for row in requested.values()) == told[column]
    cost = sum(Decimal(repr(row["cost"])) for row in requested.values())
    assert cost == Decimal(told["cost_usd"]) > 0
    assert max(row["updated_at"] for row in rows) <= "2026-11-23T18:00:00.000Z"
    assert [row["request_created_at"] for row in rows] == sorted(
        row["request_created_at"] for row in rows
    )


def test_slices_of_time_are_half_open_and_add_up(query: Query) -> None:
    rows = all_rows(query)
    cut = rows[100]["request_created_at"]
    before = query(filter=created(lt=cut)).json()["data"]
    after = query(filter=created(gte=cut)).json()["data"]
    assert len(before) + len(after) == len(rows)
    both = {"left": created(gte=cut), "operator": "and", "right": created(lt=cut)}
    assert query(filter=both).json()["data"] == []


def test_custom_models_hits_and_failures_cost_nothing(query: Query) -> None:
    rows = newest(all_rows(query)).values()
    custom = [row for row in rows if row["provider"] == "CUSTOM"]
    hits = [row for row in rows if row["cache_enabled"]]
    failed = [row for row in rows if row["response_status"] != 200]
    assert custom
    assert hits
    assert failed
    assert {row["cost"] for row in [*custom, *hits, *failed]} == {0}
    assert {bool(row["total_tokens"]) for row in hits} == {True, False}
    assert all(row["total_tokens"] for row in custom)
    assert not any(row["total_tokens"] for row in failed)


def test_properties_are_filtered_by(query: Query) -> None:
    found = query(filter={"properties": {"team": {"equals": "team-search"}}}).json()["data"]
    assert {row["properties"]["team"] for row in found} == {"team-search"}


def test_refusals_are_told_in_its_own_words(query: Query) -> None:
    assert query(key="sk-other").status_code == 401
    for broken in ({"limit": 1_001}, {"filter": {"request": {}}}, {"filter": created(near="x")}):
        answer = query(**broken)
        assert answer.status_code == 200
        assert answer.json()["data"] is None
        assert answer.json()["error"]


def test_a_late_request_and_a_changed_one_are_counted(query: Query, sandbox: Sandbox) -> None:
    before = counts(sandbox)
    for _ in range(2):
        assert put(sandbox, id="late-1", minutes=600).status_code == 200
    late = counts(sandbox)
    assert late["events"] == before["events"] + 1
    # 900 tokens in at 2 and 180 out at 8 USD a million are 0.0018 + 0.00144.
    assert Decimal(late["cost_usd"]) - Decimal(before["cost_usd"]) == Decimal("0.00324")
    put(sandbox, id="late-1", fields={"cost": 0.01})
    after = counts(sandbox)
    assert after["events"] == late["events"]
    assert Decimal(after["cost_usd"]) - Decimal(before["cost_usd"]) == Decimal("0.01")
    assert newest(all_rows(query))["late-1"]["request_created_at"] == "2026-11-23T08:00:00.000Z"
    assert put(sandbox, id="unknown", fields={}).status_code == 404
