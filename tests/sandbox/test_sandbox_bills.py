"""The simulated bills, asked by clients of their own: protocol, pages, and exact money."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest
import requests

from sandbox.anthropic_bill import ADMIN_KEY as ANTHROPIC_KEY
from sandbox.company import CUR_BUCKET
from sandbox.openai_bill import ADMIN_KEY as OPENAI_KEY
from sandbox.openai_bill_rows import Books
from sandbox.s3 import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from sandbox.server import Sandbox
from sandbox.state import State
from sandbox.vendor import Grounds
from sandbox.world import build_world

AS_OF = datetime(2026, 11, 3, 18, tzinfo=UTC)
CANARY = "canary-project-name"
DAY = 86_400
# Ten days, half of them of another month.
START = int(datetime(2026, 10, 24, tzinfo=UTC).timestamp())


@pytest.fixture(scope="module")
def vendors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Simulated vendors with 2,000 events in ten days, over the end of a month."""
    home: Path = tmp_path_factory.mktemp("home")
    with Sandbox(home=home, as_of=AS_OF, events=2_000, days=10, canary=CANARY) as running:
        yield running


def counts(vendors: Sandbox, name: str) -> dict[str, Any]:
    return requests.get(vendors.control_url, timeout=10).json()[name]


def openai(vendors: Sandbox, path: str, *, key: str = OPENAI_KEY, **query: Any) -> Any:
    return requests.get(
        f"{vendors.environment()['OPENAI_BILL_MAIN_BASE_URL']}{path}",
        params={"start_time": START, "end_time": START + 11 * DAY, **query},
        headers={"Authorization": f"Bearer {key}"} if key else {},
        timeout=10,
    )


def anthropic(vendors: Sandbox, path: str, *, key: str = ANTHROPIC_KEY, **query: Any) -> Any:
    bounds = {"starting_at": "2026-10-24T00:00:00Z", "ending_at": "2026-11-04T00:00:00Z"}
    return requests.get(
        f"{vendors.environment()['ANTHROPIC_BILL_MAIN_BASE_URL']}/v1/organizations{path}",
        params={**bounds, **query},
        headers={"x-api-key": key, "anthropic-version": "2023-06-01"},
        timeout=10,
    )


def every_page(ask: Any, vendors: Sandbox, path: str, **query: Any) -> list[dict[str, Any]]:
    """The buckets of all pages, numbers with every digit."""
    buckets: list[dict[str, Any]] = []
    page: dict[str, str] = {}
    while True:
        answer = ask(vendors, path, **query, **page)
        assert answer.status_code == 200, answer.text
        body = json.loads(answer.text, parse_float=Decimal)
        buckets += body["data"]
        if not body["has_more"]:
            return buckets
        page = {"page": body["next_page"]}


def test_openais_costs_page_through_to_the_bill(vendors: Sandbox) -> None:
    by = ["project_id", "line_item", "api_key_id"]
    buckets = every_page(openai, vendors, "/costs", limit=3, **{"group_by[]": by})
    assert [bucket["start_time"] for bucket in buckets] == [START + n * DAY for n in range(10)]
    lines = [line for bucket in buckets for line in bucket["results"]]
    told = counts(vendors, "openaibill")
    assert sum(line["amount"]["value"] for line in lines) == Decimal(told["billed_usd"])
    direct = [line for line in lines if line["project_id"] == "proj_direct"]
    assert sum(line["amount"]["value"] for line in direct) == Decimal(told["direct_usd"])
    # Days 24 to 2 cost a cent a search; seats are paid on the first.
    first = date(2026, 10, 24).toordinal()
    searches = sum(20 + (first + n) % 7 for n in range(10))
    assert Decimal(told["other_usd"]) == searches * Decimal("0.01") + 500
    assert {line["project_name"] for line in lines} == {CANARY}


def test_openais_usage_is_the_calls_of_the_world_and_three_in_a_hundred_more(
    vendors: Sandbox,
) -> None:
    by = ["project_id", "api_key_id", "model"]
    found = {}
    for endpoint in ("completions", "embeddings", "web_search_calls", "images"):
        buckets = every_page(openai, vendors, f"/usage/{endpoint}", **{"group_by[]": by})
        found[endpoint] = [row for bucket in buckets[:10] for row in bucket["results"]]
    tokens = sum(
        row["input_tokens"] + row.get("output_tokens", 0)
        for endpoint in ("completions", "embeddings")
        for row in found[endpoint]
    )
    assert tokens == counts(vendors, "openaibill")["tokens"]
    calls = vendors.world.litellm.to_pylist()
    served = sum(
        call["prompt_tokens"] + call["completion_tokens"]
        for call in calls
        if call["provider"] == "openai"
        and call["status"] == "success"
        and call["cache_hit"] != "True"
        and call["start_ms"] < (START + 10 * DAY) * 1000
    )
    gateway = [
        row
        for endpoint in ("completions", "embeddings")
        for row in found[endpoint]
        if row["api_key_id"] == "key_gateway"
    ]
    assert served == sum(row["input_tokens"] + row.get("output_tokens", 0) for row in gateway)
    assert found["images"] == []
    assert all(row["num_requests"] >= 20 for row in found["web_search_calls"])


def test_buckets_of_any_width_hold_the_same(vendors: Sandbox) -> None:
    sums = [
        sum(
            row["input_tokens"]
            for bucket in every_page(openai, vendors, "/usage/completions", **width)
            for row in bucket["results"]
        )
        for width in (
            {"bucket_width": "1d"},
            {"bucket_width": "1h", "limit": 168},
            {"bucket_width": "1m", "limit": 1_440},
        )
    ]
    assert sums[0] > 0
    assert sums[1:] == sums[:1] * 2


def test_ungrouped_dimensions_are_null(vendors: Sandbox) -> None:
    [bucket] = openai(vendors, "/costs", end_time=START + DAY).json()["data"]
    [line] = bucket["results"]
    assert (line["line_item"], line["project_id"]) == (None, None)


@pytest.mark.parametrize(("hour", "is_told"), [(11, False), (12, True)])
def test_the_costs_of_yesterday_come_half_a_day_later(
    tmp_path: Path, hour: int, is_told: bool
) -> None:
    as_of = AS_OF.replace(hour=hour)
    world = build_world(seed=7, as_of=as_of, events=300, days=3)
    state = State(tmp_path / "state.sqlite")
    facts = {"state": state, "canary": "", "seed": 7, "days": 3}
    books = Books(Grounds(world=world, is_replay=False, **facts))
    yesterday = START + 9 * DAY
    assert books.billed_until_s() == yesterday + (DAY if is_told else 0)
    assert books.usage_rows("completions", DAY, yesterday, yesterday + DAY)
    # A replayed trace is a world of two systems: nobody bills it.
    replay = Books(Grounds(world=world, is_replay=True, **facts))
    assert replay.counts()["billed_usd"] == "0"
    assert replay.billed_until_s() == 0
    state.close()


def test_a_line_added_later_stands_on_its_day(vendors: Sandbox) -> None:
    before = Decimal(counts(vendors, "openaibill")["billed_usd"])
    for amount in ("3.10", "1.25"):
        body = {"day": "2026-10-25", "line_item": "adjustment", "amount": amount}
        url = f"{vendors.control_url}/openai_bill/lines"
        assert requests.post(url, json=body, timeout=10).status_code == 200
    assert Decimal(counts(vendors, "openaibill")["billed_usd"]) - before == Decimal("1.25")
    by = {"group_by[]": "line_item", "start_time": START + DAY, "end_time": START + 2 * DAY}
    [bucket] = openai(vendors, "/costs", **by).json()["data"]
    assert "adjustment" in {line["line_item"] for line in bucket["results"]}


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({"key": ""}, 401, "You didn't provide an API key."),
        ({"key": "sk-proj-x"}, 401, "Missing scopes: api.usage.read."),
        ({"key": "sk-admin-other"}, 401, "Incorrect API key provided"),
        ({"bucket_width": "1h"}, 400, "bucket_width"),
        ({"limit": 181}, 400, "limit must be between 1 and 180"),
        ({"group_by[]": "model"}, 400, "Invalid value for group_by: model"),
        ({"start_time": ""}, 400, "start_time"),
        ({"page": "page_nobody"}, 400, "Invalid value for page"),
    ],
)
def test_openai_refuses_in_its_own_words(
    vendors: Sandbox, query: dict[str, Any], status: int, said: str
) -> None:
    answer = openai(vendors, "/costs", **query)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]


def test_anthropics_cents_page_through_to_the_bill(vendors: Sandbox) -> None:
    by = {"group_by[]": ["workspace_id", "description"]}
    buckets = every_page(anthropic, vendors, "/cost_report", limit=4, **by)
    # Today is not over.
    assert [bucket["starting_at"][:10] for bucket in buckets][::9] == ["2026-10-24", "2026-11-02"]
    lines = [line for bucket in buckets for line in bucket["results"]]
    assert {type(line["amount"]) for line in lines} == {str}
    told = counts(vendors, "anthropicbill")
    cents = sum(Decimal(line["amount"]) for line in lines)
    assert cents * Decimal("0.01") == Decimal(told["billed_usd"])
    direct = [line for line in lines if line["workspace_id"] is None]
    assert sum(Decimal(line["amount"]) for line in direct) == Decimal(told["direct_usd"]) * 100


def test_anthropics_tokens_are_disjoint_and_tie_out(vendors: Sandbox) -> None:
    by = {"group_by[]": ["workspace_id", "api_key_id", "model"]}
    buckets = every_page(anthropic, vendors, "/usage_report/messages", **by)
    tokens = sum(
        row["uncached_input_tokens"]
        + row["cache_read_input_tokens"]
        + sum(row["cache_creation"].values())
        + row["output_tokens"]
        for bucket in buckets[:10]
        for row in bucket["results"]
    )
    assert tokens == counts(vendors, "anthropicbill")["tokens"]


@pytest.mark.parametrize(
    ("path", "query", "status", "kind"),
    [
        ("/cost_report", {"key": "sk-ant-api-x"}, 401, "authentication_error"),
        ("/cost_report", {"bucket_width": "1h"}, 400, "invalid_request_error"),
        ("/cost_report", {"limit": 32}, 400, "invalid_request_error"),
        ("/cost_report", {"group_by[]": "model"}, 400, "invalid_request_error"),
        ("/usage_report/messages", {"starting_at": "soon"}, 400, "invalid_request_error"),
    ],
)
def test_anthropic_refuses_in_its_own_words(
    vendors: Sandbox, path: str, query: dict[str, Any], status: int, kind: str
) -> None:
    answer = anthropic(vendors, path, **query)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)


def test_awss_export_holds_the_bill_of_both_months(vendors: Sandbox) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=vendors.s3_url,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
    )

    def body(key: str) -> bytes:
        return client.get_object(Bucket=CUR_BUCKET, Key=key)["Body"].read()

    lines: list[dict[str, Any]] = []
    for month in ("2026-10", "2026-11"):
        folder = f"cur/acme-cur2/metadata/BILLING_PERIOD={month}"
        manifest = json.loads(body(f"{folder}/acme-cur2-Manifest.json"))
        [name] = manifest["dataFiles"]
        content = body(name.removeprefix(f"s3://{CUR_BUCKET}/"))
        if name.endswith(".parquet"):
            lines += pq.read_table(io.BytesIO(content)).to_pylist()
        else:
            text = gzip.decompress(content).decode()
            lines += list(csv.DictReader(io.StringIO(text)))
    ours = [line for line in lines if line["line_item_product_code"] == "AmazonBedrock"]
    assert len(lines) - len(ours) == 10
    total = sum(Decimal(str(line["line_item_unblended_cost"])) for line in ours)
    told = counts(vendors, "awscur")
    assert total == Decimal(told["billed_usd"])
    # Ten guardrail lines of 0.15 and the tax of November.
    assert Decimal(told["other_usd"]) == Decimal("3.40")
    ids = {(line["identity_line_item_id"], line["line_item_usage_type"]) for line in ours}
    assert len(ids) == len(ours)
