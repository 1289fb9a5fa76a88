"""The simulated Data Cloud answers a plain client of its two APIs as the vendor documents them."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from sandbox.agentforce import CLIENT_ID, CLIENT_SECRET
from sandbox.agentforce_wallet import Wallet
from sandbox.server import Sandbox
from sandbox.state import State
from sandbox.vendor import Grounds

SSOT = "/services/data/v64.0/ssot"
UNITS = 'select "id__c", "carddefinitiondevelopername__c", "unitsconsumed__c" from "{}"'
EVENTS = "TenantEnrichedUsageEvent__dll"


@pytest.fixture
def base(sandbox: Sandbox) -> str:
    return f"{sandbox.litellm_url}/agentforce"


@pytest.fixture
def token(base: str) -> str:
    form = {
        "grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
    }  # fmt: skip
    answer = requests.post(f"{base}/services/oauth2/token", data=form, timeout=10).json()
    assert answer["instance_url"] == base
    return str(answer["access_token"])


def said(method: str, url: str, token: str, **facts: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.request(method, url, headers=headers, timeout=10, **facts)
    answer.raise_for_status()
    return answer.json()


def queried(base: str, token: str, sql: str) -> Iterator[list[Any]]:
    """Rows of a query, by the Connect API."""
    space = {"dataspace": "default"}
    first = said("POST", f"{base}{SSOT}/query-sql", token, json={"sql": sql}, params=space)
    status = first["status"]
    query = f"{base}{SSOT}/query-sql/{quote(status['queryId'], safe='')}"
    while status["completionStatus"] == "Running":
        status = said("GET", query, token, params={"waitTimeMs": 10_000})
    rows = list(first["data"])
    while len(rows) < status["rowCount"]:
        page = {"offset": len(rows), "rowLimit": 2_000, "omitSchema": "true"}
        rows += said("GET", f"{query}/rows", token, params=page)["data"]
    yield from rows


def units(rows: list[list[Any]], card: str) -> Decimal:
    return sum((Decimal(str(row[2])) for row in rows if row[1] == card), Decimal(0))


def counts(sandbox: Sandbox) -> dict[str, Any]:
    return dict(requests.get(sandbox.control_url, timeout=10).json()["agentforce"])


def test_both_apis_give_every_act_and_its_units(sandbox: Sandbox, base: str, token: str) -> None:
    told = counts(sandbox)
    rows = list(queried(base, token, UNITS.format(EVENTS)))
    assert len(rows) == len({row[0] for row in rows}) == told["events"] > 100
    assert units(rows, "FlexCredits") == Decimal(told["credits"]) > 0
    assert units(rows, "Conversations") == Decimal(told["conversations"]) > 0
    # Every third query runs for a while first: so did one of these.
    assert all(list(queried(base, token, UNITS.format(EVENTS))) == rows for _ in range(2))

    exchange = {
        "grant_type": "urn:salesforce:grant-type:external:cdp", "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }  # fmt: skip
    tenant = requests.post(f"{base}/services/a360/token", data=exchange, timeout=10).json()
    older, url = tenant["access_token"], f"http://{tenant['instance_url']}/api/v2/query"
    answer = said("POST", url, older, json={"sql": UNITS.format(EVENTS)})
    batches = answer["data"]
    while not answer["done"]:
        answer = said("GET", f"{url}/{answer['nextBatchId']}", older)
        batches += answer["data"]
    assert batches == rows


def test_tokens_tie_to_the_counts(sandbox: Sandbox, base: str, token: str) -> None:
    sql = (
        'select "std__PromptInputTokenCount__c", "std__PromptCompletionTokenCount__c", '
        '"std__UserId__c", "std__IsBillableIndicator__c", "std__Timestamp__c" '
        'from "std__AiAgentGenerativeAiUsageDmo__dlm"'
    )
    rows = list(queried(base, token, sql))
    told = counts(sandbox)
    assert len(rows) == told["model_calls"]
    assert sum(row[0] for row in rows) == told["input_tokens"]
    assert sum(row[1] for row in rows) == told["output_tokens"]
    assert {row[3] for row in rows if row[2] == "NOT_SET"} == {"false"}
    assert max(row[4] for row in rows) <= sandbox.as_of.strftime("%Y-%m-%dT%H:%M:%S.999Z")


def test_refusals_are_salesforces_own(base: str, token: str) -> None:
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": "no"}
    answer = requests.post(f"{base}/services/oauth2/token", data=form, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")
    url = f"{base}{SSOT}/query-sql?dataspace=default"
    answer = requests.post(url, json={"sql": UNITS.format(EVENTS)}, timeout=10)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.post(url, json={"sql": "drop table x"}, headers=headers, timeout=10)
    assert answer.status_code == 400
    other = {"dataspace": "other", "entityType": "DataLakeObject"}
    answer = requests.get(f"{base}{SSOT}/metadata", params=other, headers=headers, timeout=10)
    assert answer.status_code == 403


def test_a_late_act_a_refund_and_a_grown_total_can_be_had(
    sandbox: Sandbox, base: str, token: str
) -> None:
    before = counts(sandbox)
    days = 'select "unitsconsumed__c" from "TenantDailyEntitlementConsumption__dll"'
    total = sum(row[0] for row in queried(base, token, days))
    at = "2026-11-22T09:00:00.000Z"
    for what in ("events", "refunds"):
        body = {"id": f"late-{what}", "at": at, "units": 20}
        url = f"{sandbox.control_url}/agentforce/{what}"
        assert requests.post(url, json=body, timeout=10).status_code == 200
    requests.post(f"{sandbox.control_url}/agentforce/processed", timeout=10)
    after = counts(sandbox)
    assert after["events"] == before["events"] + 1
    assert after["transactions"] == before["transactions"] + 1
    assert Decimal(after["credits"]) == Decimal(before["credits"]) + 20
    grown = sum(row[0] for row in queried(base, token, days))
    assert grown > total
    assert Decimal(str(grown)) == Decimal(after["credits"]) + Decimal(after["conversations"])
    url = f"{sandbox.control_url}/agentforce/events"
    body = {"id": "too late", "at": "2026-11-23T18:00:01.000Z", "units": 20}
    assert requests.post(url, json=body, timeout=10).status_code == 400


def test_an_org_of_a_replayed_world_has_its_objects_and_no_rows(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    state = State(tmp_path / "state.sqlite")
    grounds = Grounds(world=sandbox.world, state=state, canary="", seed=1, days=3, is_replay=True)
    tables = Wallet(grounds).tables()
    state.close()
    assert {len(table.rows) for table in tables.values()} == {0}
    assert "eventime__c" in tables[EVENTS].columns
