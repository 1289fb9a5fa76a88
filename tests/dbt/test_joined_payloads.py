"""One request as several vendors tell it, in their own recorded words: which rows are joined.

Of the payloads only the ids and times that make two of them one request are changed.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from collector_service import OTEL_TOKEN, collector, drain, event
from helicone_server import helicone_server, load_helicone, rows_of_page
from langfuse_project import langfuse_project, load_langfuse
from openrouter_account import Account, load_account, running
from portkey_server import load_portkey, portkey_server
from raw_loads import FIXTURES, NOW, load_invocations, load_spend_logs, rows_of
from spend_log_server import spend_log_server
from staged_warehouse import build

from ingestion.config_loader import load_config
from ingestion.config_tables import config_source
from ingestion.declared_tables import declare_tables
from ingestion.passes import begin_pass
from ingestion.pipeline import pipeline_for, run_source
from price_catalog.refresh import price_catalog_source
from sandbox.s3 import BucketServer

GENERATION = "gen-1795166042-SynAaaaaaaaaaaaaaaaa"
AT = datetime(2026, 11, 20, 9, 14, 2, 113_000, tzinfo=UTC)
SOURCES = """\
sources:
  - {id: litellm-main, system: litellm, evidence_layer: gateway, base_url_env: A, api_key_env: B}
  - {id: openrouter-main, system: openrouter, evidence_layer: gateway, base_url_env: A,
     management_key_env: B}
  - {id: portkey-main, system: portkey, evidence_layer: gateway, base_url_env: A, api_key_env: B,
     workspace_slug: ws-main}
  # A proxy here, though its system is a tracer elsewhere.
  - {id: helicone-main, system: helicone, evidence_layer: gateway, base_url_env: A, api_key_env: B}
  - {id: langfuse-main, system: langfuse, evidence_layer: observability, base_url_env: A,
     public_key_env: B, secret_key_env: C}
  - {id: bedrock-main, system: bedrock, evidence_layer: provider_log, bucket: acme-logs,
     prefix: bedrock, account_id: "123456789012", region: us-east-1}
  - {id: tracer, system: otel, evidence_layer: observability, push_token_env: A}
  - {id: app, system: collector, evidence_layer: observability, push_token_env: B}
"""
TREE = """\
entities:
  - {id: acme, type: organisation}
"""


def recorded(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text(encoding="utf-8"))


def spans(name: str, ids: dict[str, str]) -> bytes:
    """A recorded trace at our time, with these ids in place of its own."""
    text = (FIXTURES / "otel" / f"{name}.json").read_text(encoding="utf-8")
    # From and to a time in tenths of a second; nanoseconds follow.
    tenths = int(AT.timestamp() * 10)
    times = {"17911908000": str(tenths), "17911908020": str(tenths + 20)}
    for recorded_text, put in (times | ids).items():
        assert recorded_text in text
        text = text.replace(recorded_text, put)
    return text.encode()


def load(home: Path) -> None:
    """One run of every source over vendors that tell the requests."""
    call = recorded("litellm/spend_logs_v2_page1.json")["data"][-1]
    calls = [
        call,
        call | {"litellm_call_id": "call-to-openrouter", "request_id": GENERATION,
                "custom_llm_provider": "openrouter"},
        call | {"litellm_call_id": "call-behind-portkey", "request_id": "chatcmpl-portkey"},
        call | {"litellm_call_id": "call-of-old-litellm", "request_id": "chatcmpl-old"},
    ]  # fmt: skip
    with spend_log_server(calls) as proxy:
        load_spend_logs(home, proxy.url)

    sdk, traced = recorded("langfuse/v2_observations_page1.json")["data"]
    old = sdk | {"id": "time-09-14-02-113000_chatcmpl-old", "startTime": AT.isoformat()}
    with langfuse_project(sdk, traced, old) as project:
        load_langfuse(home, project.url)

    [generation] = [
        each["data"]
        for each in recorded("openrouter/generation.json")
        if each["data"]["id"] == GENERATION
    ]
    with running(Account(generations={GENERATION: generation})) as server:
        load_account(home, server.url, only=["generations"], generation_ids=[GENERATION])

    plain, _, winner, *_ = (
        json.loads(line)
        for line in (FIXTURES / "portkey" / "log_export.jsonl").read_text("utf-8").splitlines()
    )
    plain["metadata"] |= {"litellm_call_id": "call-behind-portkey"}
    with portkey_server(lines=[json.dumps(each) for each in (plain, winner)]) as plane:
        load_portkey(home, plane.url)

    seen = rows_of_page("query_clickhouse_page1.json")[0]
    seen["properties"] |= {"litellm_call_id": traced["metadata"]["litellm_call_id"]}
    with helicone_server([seen]) as server:
        load_helicone(home, server.url)

    logs = FIXTURES / "bedrock" / "s3"
    with BucketServer(port=0) as bucket:
        for path in sorted(logs.rglob("*.json.gz")):
            place = path.relative_to(logs).as_posix()
            bucket.put(place, body=path.read_bytes(), last_modified=NOW)
        load_invocations(home, bucket.url)

    said = event("said", request_id=winner["id"]) | {"timestamp": AT.isoformat()}
    ids = {"0" * 31 + "1": sdk["traceId"].upper(), f'"{"0" * 15}1"': f'"{sdk["id"].upper()}"'}
    with collector(home) as service:
        service.post("/v1/events", [said]).raise_for_status()
        for body in (
            spans("traces_litellm_otel_v2", {"call-synthetic-8": call["litellm_call_id"]}),
            spans("traces_openrouter_broadcast", {"gen-synthetic-7": GENERATION}),
            spans("traces_semconv_1_41", ids),
        ):
            service.post("/v1/traces", body, token=OTEL_TOKEN).raise_for_status()
        drain(home)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("payloads")
    home, folder = place / "home", place / "config"
    home.mkdir()
    folder.mkdir()
    for name, text in {
        "sources": SOURCES,
        "entities": TREE,
        "customers": "customers: []\n",
    }.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    config = config_source(load_config(folder), extracted_at=NOW)
    run_source(pipeline_for("config", instance=None, home=home), config)
    prices = price_catalog_source(url=None, observed_at=datetime(2026, 9, 1, tzinfo=UTC))
    run_source(pipeline_for("price_catalog", instance=None, home=home), prices)
    load(home)
    declare_tables(home)
    begin_pass(home, as_of=NOW)
    build(home, select=["+int_usage__deduplicated"])
    return home


Joined = tuple[str, str, str]


@pytest.fixture(scope="module")
def joined(home: Path) -> dict[str, Joined]:
    """Of each act that carries no cost: the one that does, joined by which id, and why."""
    found = rows_of(
        home,
        """select acts.source || ' ' || acts.source_record_id,
            carriers.source || ' ' || carriers.source_record_id, matched_by, carried_because
        from intermediate.int_usage__matched as matched
        inner join intermediate.int_usage__deduplicated as acts
            on matched.usage_key = acts.usage_key
        inner join intermediate.int_usage__deduplicated as carriers
            on matched.duplicate_of_usage_key = carriers.usage_key""",
    )
    return {act: (carrier, by, why) for act, carrier, by, why in found}


def test_each_pair_of_payloads_is_joined_by_the_id_that_both_tell(
    joined: dict[str, Joined],
) -> None:
    sdk_span = "0af7651916cd43dd8448eb211c80319c:00f067aa0ba902b7"
    assert joined == {
        # As recorded: LiteLLM's id in a trace's metadata and in a request's; a property of a
        # Helicone whose source is declared a gateway says it too.
        "langfuse prj_demo_01:1f3c9d2ab4e5f607": (
            "helicone 018f3c2a-0001-7000-8000-000000000001",
            *("call id", "evidence order"),
        ),
        "bedrock 123456789012:us-east-1:7d1f7c2e-0001-4b6e-9a51-aaaaaaaa0001": (
            "helicone 018f3c2a-0001-7000-8000-000000000001",
            *("call id", "evidence order"),
        ),
        # An older LiteLLM puts the id of the answer into the observation's own.
        "langfuse prj_demo_01:time-09-14-02-113000_chatcmpl-old": (
            "litellm call-of-old-litellm",
            *("response id", "evidence order"),
        ),
        # The proxy's row, OpenRouter's broadcast and the generation looked up, which only informs.
        "openrouter gen-1795166042-SynAaaaaaaaaaaaaaaaa": (
            "litellm call-to-openrouter",
            *("response id", "usage"),
        ),
        "otel 00000000000000000000000000000006:0000000000000009": (
            "litellm call-to-openrouter",
            *("response id", "evidence order"),
        ),
        "otel 00000000000000000000000000000007:000000000000000a": (
            "litellm 9c0e4d52-0000-4000-8000-00000000a001",
            *("call id", "evidence order"),
        ),
        # One span that goes to Langfuse and to the collector, which may write its ids in capitals.
        f"otel {sdk_span}": (
            "langfuse prj_demo_01:00f067aa0ba902b7",
            *("trace and span", "source name"),
        ),
        # What the client told Portkey of the call; Portkey's own id in an application's event.
        "portkey 3d0c4e0e-aaaa-4bbb-8ccc-000000000001": (
            "litellm call-behind-portkey",
            *("call id", "source name"),
        ),
        "collector said": (
            "portkey 3d0c4e0e-aaaa-4bbb-8ccc-000000000003",
            *("request id", "evidence order"),
        ),
    }
