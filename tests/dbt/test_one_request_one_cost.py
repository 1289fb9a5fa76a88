"""The same request in LiteLLM, Langfuse and Bedrock, as each of them tells it, from read to mart.

A million tokens of input of nova-lite cost 0.06, a million read from the cache 0.015, and half a
million of output 0.12: together 0.195.
"""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import orjson
import pytest
from langfuse_project import langfuse_project, load_langfuse, observation
from raw_loads import NOW, load_invocations, load_spend_logs
from spend_log_server import call, spend_log_server
from staged_warehouse import build

from ingestion.config_loader import load_config
from ingestion.config_tables import config_source
from ingestion.declared_tables import declare_tables
from ingestion.passes import begin_pass
from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from price_catalog.refresh import price_catalog_source
from sandbox.s3 import BucketServer

CALL = "5f0c8a52-3a5e-4c57-9a39-9a6b0d1f2e11"
LOGS = "bedrock/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/23/07"
SOURCES = {
    "litellm-main": "system: litellm, evidence_layer: gateway, base_url_env: A, api_key_env: B",
    "langfuse-main": "system: langfuse, evidence_layer: observability, base_url_env: A,"
    " public_key_env: B, secret_key_env: C",
    "bedrock-main": "system: bedrock, evidence_layer: provider_log, cost_policy: reprice,"
    ' bucket: acme-logs, prefix: bedrock, account_id: "123456789012", region: us-east-1',
}
TREE = """\
entities:
  - {id: acme, type: organisation}
  - {id: team-search, type: team, parent: acme}
  - {id: ada, type: user, email: ada@acme.example, parent: team-search}
"""
IDENTITIES = """\
identities:
  - {field: raw_user, match: email}
  - {dimension: customer, field: raw_customer, match: same_id}
  - {dimension: feature, field: raw_feature, match: same_id}
"""


def declare(home: Path, folder: Path, names: list[str]) -> None:
    folder.mkdir()
    for file, text in {
        "entities": TREE,
        "identities": IDENTITIES,
        "customers": "customers:\n  - {id: northwind}\n",
        "features": "features:\n  - {id: chat}\n",
        "sources": "sources:\n"
        + "".join(f"  - {{id: {name}, {SOURCES[name]}}}\n" for name in names),
    }.items():
        (folder / f"{file}.yaml").write_text(text, encoding="utf-8")
    config = config_source(load_config(folder), extracted_at=NOW)
    run_source(pipeline_for("config", instance=None, home=home), config)


def load(home: Path, names: list[str]) -> None:
    """One run of each of these sources over a vendor that shows the request."""
    at = "2026-11-23T07:00:00.000"
    if "litellm-main" in names:
        row = call(
            1,
            at=f"{at}+00:00",
            litellm_call_id=CALL,
            request_id="chatcmpl-1",
            custom_llm_provider="bedrock",
            model="bedrock/amazon.nova-lite-v1:0",
            prompt_tokens=2_000_000,
            completion_tokens=500_000,
            total_tokens=2_500_000,
            spend=0.195,
            team_id="team-search",
        )
        with spend_log_server([row]) as proxy:
            load_spend_logs(home, proxy.url)
    told = observation(
        "f067aa0ba902b7f0",
        at=f"{at}Z",
        providedModelName="bedrock/amazon.nova-lite-v1:0",
        usageDetails={"input": 2_000_000, "output": 500_000, "total": 2_500_000},
        totalCost=0.25,
        userId="ada@acme.example",
        metadata={"litellm_call_id": CALL, "response_id": "chatcmpl-1", "customer": "northwind"},
    )
    with langfuse_project(told) as project:
        load_langfuse(home, project.url)
    invocation = {
        "timestamp": "2026-11-23T07:00:02Z",
        "accountId": "123456789012",
        "region": "us-east-1",
        "requestId": "9b1d2c3e-0000-4000-8000-000000000001",
        "operation": "Converse",
        "modelId": "amazon.nova-lite-v1:0",
        "identity": {"arn": "arn:aws:sts::123456789012:assumed-role/proxy/proxy"},
        "input": {"inputTokenCount": 1_000_000, "cacheReadInputTokenCount": 1_000_000},
        "output": {"outputTokenCount": 500_000},
        "requestMetadata": {"litellm_call_id": CALL, "feature": "chat"},
    }
    with BucketServer(port=0) as bucket:
        body = gzip.compress(orjson.dumps(invocation))
        bucket.put(f"{LOGS}/1.json.gz", body=body, last_modified=NOW)
        load_invocations(home, bucket.url)


def built(tmp_path: Path, names: list[str]) -> Iterator[duckdb.DuckDBPyConnection]:
    home = tmp_path / "home"
    home.mkdir()
    declare(home, tmp_path / "config", names)
    prices = price_catalog_source(url=None, observed_at=datetime(2026, 9, 1, tzinfo=UTC))
    run_source(pipeline_for("price_catalog", instance=None, home=home), prices)
    load(home, names)
    declare_tables(home)
    begin_pass(home, as_of=NOW)
    build(home, select=["+fct_duplicate_usage"])
    with duckdb.connect(str(warehouse_path(home))) as connection:
        connection.execute(f"attach '{home / 'marts_build.duckdb'}' as marts (read_only)")
        yield connection


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    yield from built(tmp_path_factory.mktemp("three"), list(SOURCES))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same without the gateway."""
    yield from built(tmp_path_factory.mktemp("two"), ["langfuse-main", "bedrock-main"])


FACTS = """
    select source, price_status, effective_cost_usd, total_tokens, cache_read_tokens,
        entity_key, customer_key, feature_key
    from marts.core.fct_usage
"""
SHADOWS = """
    select shadows.source, carriers.source, matched_by, carried_because,
        shadows.reported_cost_usd, shadows.reported_variance_usd
    from marts.trust.fct_duplicate_usage as shadows
    inner join marts.core.fct_usage as carriers
        on shadows.duplicate_of_usage_key = carriers.usage_key
    order by shadows.source
"""
PAID = Decimal("0.195")


def test_the_gateway_carries_it_once_with_what_the_others_know(
    three: duckdb.DuckDBPyConnection,
) -> None:
    # User and customer from the tracer, the feature and the cached part from the cloud's log.
    assert three.execute(FACTS).fetchall() == [
        ("litellm", "reported", PAID, 2_500_000, 1_000_000, "ada", "northwind", "chat")
    ]
    assert three.execute(SHADOWS).fetchall() == [
        ("bedrock", "litellm", "call id", "evidence order", None, None),
        ("langfuse", "litellm", "call id", "evidence order", Decimal("0.25"), Decimal("0.055")),
    ]


def test_without_the_gateway_the_cloud_carries_all_of_it(two: duckdb.DuckDBPyConnection) -> None:
    assert two.execute(FACTS).fetchall() == [
        ("bedrock", "priced", PAID, 2_500_000, 1_000_000, "ada", "northwind", "chat")
    ]
    assert two.execute(SHADOWS).fetchall() == [
        ("langfuse", "bedrock", "call id", "evidence order", Decimal("0.25"), Decimal("0.055"))
    ]
