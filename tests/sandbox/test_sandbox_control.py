"""What steers the vendors: runaways, added rows and objects, counts, faults, webhook scripts."""

import gzip
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import boto3
import requests

from sandbox.company import key_by_alias
from sandbox.server import Sandbox

Ask = Callable[..., requests.Response]
RUNAWAY = {"agent": "coder", "from": "2026-11-23T18:00:00Z", "minutes": 60, "usd": 25}
LATER = {"start_date": "2026-11-23 18:00:00", "end_date": "2026-11-23 18:59:59"}


def world_of(ask: Ask) -> dict[str, Any]:
    return ask("GET", "/_world").json()


def test_a_runaway_spends_its_money_once_within_its_minutes(ask: Ask) -> None:
    before = world_of(ask)["litellm"]
    first = ask("POST", "/_world/runaway", json=RUNAWAY).json()
    again = ask("POST", "/_world/runaway", json=RUNAWAY).json()
    after = world_of(ask)["litellm"]
    rows = ask("GET", "/spend/logs/v2", params={**LATER, "page_size": 1000}).json()["data"]

    # The first call has 110,000 x 3 + 6,000 x 15 millionths; the last one crosses the sum.
    assert Decimal(25) <= Decimal(first["spend_usd"]) < Decimal("25.7")
    assert again == {"added": 0, "spend_usd": "0"}
    assert len(rows) == first["added"]
    assert sum(Decimal(repr(row["spend"])) for row in rows) == Decimal(first["spend_usd"])
    assert {row["api_key"] for row in rows} == {key_by_alias("agent-coder-key").hashed}
    assert {row["agent_id"] for row in rows} == {"coder"}
    assert min((row["startTime"], row["spend"]) for row in rows) == (
        "2026-11-23T18:00:00.000+00:00",
        0.42,
    )
    assert after["added_events"] - before["added_events"] == first["added"]
    assert Decimal(after["spend_usd"]) - Decimal(before["spend_usd"]) == Decimal(first["spend_usd"])


def test_a_runaway_of_nobody_is_refused(ask: Ask) -> None:
    answer = ask("POST", "/_world/runaway", json={**RUNAWAY, "agent": "nobody"})

    assert answer.status_code == 400


def test_added_rows_are_served_as_they_are_however_malformed(ask: Ask) -> None:
    rows = [
        {
            "request_id": "odd-1",
            "startTime": "2026-12-03T00:00:00+00:00",
            "prompt_tokens": "many",
            "spend": "NaN",
            "api_key": ["x"],
        },
        {
            "request_id": "odd-2",
            "startTime": "2026-12-03T00:00:01+00:00",
            "total_tokens": 2**63,
            "prompt_tokens": 2**63,
            "spend": True,
            "api_key": ["x"],
        },
    ]
    before = world_of(ask)["litellm"]
    added = ask("POST", "/_world/rows", json={"rows": rows})
    window = {"start_date": "2026-12-03", "end_date": "2026-12-03 00:00:01", "sort_order": "asc"}
    after = world_of(ask)["litellm"]

    assert added.json() == {"added": 2}
    assert ask("GET", "/spend/logs/v2", params=window).json()["data"] == rows
    assert after["prompt_tokens"] == before["prompt_tokens"]
    assert after["spend_usd"] == before["spend_usd"]


def test_an_added_object_has_the_time_it_was_given(ask: Ask, sandbox: Sandbox) -> None:
    ask(
        "POST",
        "/_world/objects",
        json={
            "key": "bedrock/odd.json.gz",
            "lines": [{"requestId": "r-1"}, '{"broken'],
            "last_modified": "2026-11-23T17:00:00Z",
        },
    )
    client = boto3.client(
        "s3",
        endpoint_url=sandbox.s3_url,
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )

    found = client.get_object(Bucket="acme-bedrock-logs", Key="bedrock/odd.json.gz")

    assert found["LastModified"].isoformat() == "2026-11-23T17:00:00+00:00"
    assert gzip.decompress(found["Body"].read()) == b'{"requestId":"r-1"}\n{"broken\n'


def test_faults_are_given_once_in_order_then_the_real_answer(ask: Ask) -> None:
    responses = [
        {"status": 429, "headers": {"Retry-After": "0"}},
        {"status": 200, "body": "<html>"},
        {"truncate_bytes": 20},
    ]
    ask("POST", "/_world/faults", json={"path": "/spend/logs/v2", "responses": responses})

    answers = [ask("GET", "/spend/logs/v2", params=LATER) for _ in range(4)]

    assert answers[0].status_code == 429
    assert answers[0].headers["Retry-After"] == "0"
    assert answers[1].text == "<html>"
    assert answers[2].content == answers[3].content[:20]
    assert "data" in answers[3].json()
    assert world_of(ask)["faults"] == {}


def test_changes_of_keys_are_listed_with_who_made_them(ask: Ask) -> None:
    key = key_by_alias("data-prod")
    ask(
        "POST",
        "/key/update",
        json={"key": key.raw, "max_budget": 12.5},
        headers={"litellm-changed-by": "meterhouse"},
    )

    assert ask("GET", "/_world/actions").json()[-1] == {
        "path": "/key/update",
        "target": key.hashed,
        "changes": {"max_budget": 12.5},
        "changed_by": "meterhouse",
    }


def test_counts_include_the_lines_and_objects_of_the_bucket(ask: Ask, sandbox: Sandbox) -> None:
    bedrock = world_of(ask)["bedrock"]

    assert bedrock["events"] == sandbox.world.bedrock.num_rows
    assert bedrock["lines"] == bedrock["events"] + 2
    assert bedrock["objects"] > 100


def test_a_webhook_is_kept_as_sent_and_accepted(ask: Ask, sandbox: Sandbox) -> None:
    answer = requests.post(
        f"{sandbox.webhook_url}/finops",
        data=b'{"type":"ping"}',
        headers={"webhook-id": "msg_1"},
        timeout=10,
    )
    kept = ask("GET", "/webhooks/finops").json()

    assert answer.status_code == 204
    assert kept[-1]["body"] == '{"type":"ping"}'
    assert kept[-1]["headers"]["webhook-id"] == "msg_1"
    assert ask("GET", "/webhooks/other").json() == []


def test_a_script_chooses_the_next_answers_of_an_inbox(ask: Ask, sandbox: Sandbox) -> None:
    ask("POST", "/webhooks/scripted/_script", json={"statuses": [500, 410]})

    statuses = [
        requests.post(f"{sandbox.webhook_url}/scripted", data=b"{}", timeout=10).status_code
        for _ in range(3)
    ]

    assert statuses == [500, 410, 204]
    assert [kept["answered"] for kept in ask("GET", "/webhooks/scripted").json()] == statuses
    refused = ask("POST", "/webhooks/scripted/_script", json={"statuses": "500"})
    assert refused.status_code == 400
