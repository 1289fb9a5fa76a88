"""The simulated Resource Consumption API answers a plain client as samples of the real one show."""

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
import requests

from sandbox.server import Sandbox


@pytest.fixture
def key(sandbox: Sandbox) -> dict[str, Any]:
    return dict(json.loads(sandbox.environment()["SAP_JOULE_MAIN_SERVICE_KEY"]))


@pytest.fixture
def token(key: dict[str, Any]) -> str:
    uaa = key["uaa"]
    answer = requests.post(
        f"{uaa['url']}/oauth/token",
        auth=(uaa["clientid"], uaa["clientsecret"]),
        data={"grant_type": "client_credentials"},
        timeout=10,
    )
    assert answer.json()["expires_in"] == 43199
    return str(answer.json()["access_token"])


def report(key: dict[str, Any], token: str, path: str, **params: str) -> requests.Response:
    return requests.get(
        f"{key['target_url']}/reports/v1/{path}",
        headers={"Authorization": f"Bearer {token}"},
        params=params,
        timeout=10,
    )


def counts(sandbox: Sandbox) -> dict[str, Any]:
    return dict(requests.get(sandbox.control_url, timeout=10).json()["sapjoule"])


def month(key: dict[str, Any], token: str, path: str) -> list[dict[str, Any]]:
    # The test world lies within November.
    answer = report(key, token, path, fromDate="202611", toDate="202611")
    return list(answer.json()["content"])


def test_a_month_ties_to_the_counts(sandbox: Sandbox, key: dict[str, Any], token: str) -> None:
    rows = month(key, token, "monthlyUsage")
    told = counts(sandbox)
    assert len(rows) == told["rows"]
    for measure in ("input_tokens", "output_tokens", "ai_units", "genai_token_capacity_units"):
        usage = [Decimal(str(row["usage"])) for row in rows if row["measureId"] == measure]
        assert sum(usage) == Decimal(told[measure]) > 0
    names = ("subaccountId", "application", "serviceId", "plan", "measureId")
    keys = Counter(tuple(row[name] for name in names) for row in rows)
    assert set(keys.values()) == {1}
    assert report(key, token, "monthlyUsage", fromDate="202609", toDate="202609").json() == {
        "content": []
    }


def test_days_sum_to_the_month(key: dict[str, Any], token: str) -> None:
    params = {"fromDate": "20261101", "toDate": "20261130", "periodPerspective": "DAY"}
    answer = report(key, token, "subaccountUsage", subaccountId="team-search", **params)
    days = sum(row["usage"] for row in answer.json()["content"])
    of_month = [
        row["usage"]
        for row in month(key, token, "monthlyUsage")
        if (row["subaccountId"], row["measureId"]) == ("team-search", "input_tokens")
    ]
    assert days == sum(of_month) > 0


def test_totals_are_restated_and_costs_billed(
    sandbox: Sandbox, key: dict[str, Any], token: str
) -> None:
    before = month(key, token, "monthlySubaccountsCost")
    assert {row["estimated"] for row in before} == {True}
    assert {type(row["usage"]) for row in before} == {str}
    steer = f"{sandbox.control_url}/sap_joule"
    requests.post(f"{steer}/statements", json={"month": "202611"}, timeout=10)
    after = month(key, token, "monthlySubaccountsCost")
    assert {row["estimated"] for row in after} == {False}
    assert sum(row["cost"] for row in after) < sum(row["cost"] for row in before)

    def units() -> list[float]:
        rows = month(key, token, "monthlyUsage")
        return [
            row["usage"]
            for row in rows
            if (row["subaccountId"], row["measureId"]) == ("team-search", "ai_units")
        ]

    assert len(units()) == 1
    body: dict[str, Any] = {"id": "202611/team-search/ai_units/", "usage": 0.5}
    requests.post(f"{steer}/totals", json=body, timeout=10)
    assert units() == [0.5]
    requests.post(f"{steer}/totals", json={**body, "usage": None}, timeout=10)
    assert units() == []


def test_refusals(key: dict[str, Any], token: str) -> None:
    wrong = requests.post(f"{key['uaa']['url']}/oauth/token", auth=("a", "b"), timeout=10)
    assert (wrong.status_code, wrong.json()["error"]) == (401, "unauthorized")
    assert report(key, "other", "monthlyUsage").status_code == 401
    assert report(key, token, "monthlyUsage", fromDate="2026-11").status_code == 400
    long = report(key, token, "monthlyUsage", fromDate="202601", toDate="202611")
    assert (long.status_code, long.headers["Retry-After"]) == (429, "1")
    [contract] = report(key, token, "cloudCreditsDetails", viewPhases="ALL").json()["contracts"]
    assert contract["phases"][0]["phaseUpdates"][0]["balance"] == 38211.4
