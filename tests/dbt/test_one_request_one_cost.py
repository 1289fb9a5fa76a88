"""The same request in LiteLLM, Langfuse and Bedrock, as each of them tells it, from read to mart;
then without the gateway, of which all that was read is still there.

A million tokens of input of nova-lite cost 0.06, a million read from the cache 0.015, and half a
million of output 0.12: together 0.195.
"""

import gzip
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

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

KEY = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"
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
    folder.mkdir(exist_ok=True)
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


def load(home: Path) -> None:
    """One run of each source over a vendor that shows the request."""
    at = "2026-11-23T07:00:00.000"
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
        api_key=KEY,
        metadata={"user_api_key_alias": "coder"},
    )
    with spend_log_server([row]) as proxy:
        load_spend_logs(home, proxy.url)
    traced = observation(
        "f067aa0ba902b7f0",
        at=f"{at}Z",
        providedModelName="bedrock/amazon.nova-lite-v1:0",
        usageDetails={"input": 2_000_000, "output": 500_000, "total": 2_500_000},
        totalCost=0.25,
        userId="ada@acme.example",
        metadata={"litellm_call_id": CALL, "response_id": "chatcmpl-1", "customer": "northwind"},
    )
    with langfuse_project(traced) as project:
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


FACTS = """
    select source, price_status, effective_cost_usd, total_tokens, cache_read_tokens,
        entity_key, customer_key, feature_key, raw_key_hash, raw_key_alias
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
Rows = list[tuple[Any, ...]]


def told(home: Path) -> tuple[Rows, Rows]:
    """What a pass over the home makes of the request: the facts and the shadows."""
    begin_pass(home, as_of=NOW)
    build(home, select=["+fct_duplicate_usage"])
    with duckdb.connect(str(warehouse_path(home))) as connection:
        connection.execute(f"attach '{home / 'marts_build.duckdb'}' as marts (read_only)")
        return connection.execute(FACTS).fetchall(), connection.execute(SHADOWS).fetchall()


@pytest.fixture(scope="module")
def passes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Rows, Rows]]:
    """A pass with all three sources; one after the gateway was taken out of sources.yaml."""
    place = tmp_path_factory.mktemp("one_request")
    home, folder = place / "home", place / "config"
    home.mkdir()
    declare(home, folder, list(SOURCES))
    prices = price_catalog_source(url=None, observed_at=datetime(2026, 9, 1, tzinfo=UTC))
    run_source(pipeline_for("price_catalog", instance=None, home=home), prices)
    load(home)
    declare_tables(home)
    with_gateway = told(home)
    declare(home, folder, ["langfuse-main", "bedrock-main"])
    return [with_gateway, told(home)]


def test_the_gateway_carries_it_once_with_what_the_others_know(
    passes: list[tuple[Rows, Rows]],
) -> None:
    facts, shadows = passes[0]
    # User and customer from the tracer, the feature and the cached part from the cloud's log.
    who = ("ada", "northwind", "chat", KEY, "coder")
    assert facts == [("litellm", "reported", PAID, 2_500_000, 1_000_000, *who)]
    assert shadows == [
        ("bedrock", "litellm", "call id", "evidence order", None, None),
        ("langfuse", "litellm", "call id", "evidence order", Decimal("0.25"), Decimal("0.055")),
    ]


def test_without_the_gateway_the_cloud_carries_all_of_it(passes: list[tuple[Rows, Rows]]) -> None:
    facts, shadows = passes[1]
    # The gateway's own id of the key is none of the cloud's; its name says whose the call was.
    who = ("ada", "northwind", "chat", None, "coder")
    assert facts == [("bedrock", "priced", PAID, 2_500_000, 1_000_000, *who)]
    assert shadows == [
        ("langfuse", "bedrock", "call id", "evidence order", Decimal("0.25"), Decimal("0.055")),
        ("litellm", "bedrock", "call id", "removed source", PAID, Decimal(0)),
    ]
