"""The Bedrock log bucket: paths, times and lines as the real delivery writes them, over S3."""

import gzip
import json
import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from sandbox.bedrock_log import LOG_ROOT, PERMISSION_CHECK, invocation_line, leaner, log_objects
from sandbox.s3 import BucketServer
from sandbox.server import Sandbox
from sandbox.world import World, build_world

AS_OF = datetime(2026, 11, 23, 18, tzinfo=UTC)
PATH = re.compile(
    re.escape(LOG_ROOT) + r"/us-east-1/(\d{4}/\d\d/\d\d/\d\d)/(\d{8}T\d{9})Z_[0-9a-f]{16}\.json\.gz"
)


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(seed=7, as_of=AS_OF, events=12_000, days=10)


def lines_of(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(body).splitlines()]


def first_row(world: World, **wanted: Any) -> dict[str, Any]:
    rows = world.bedrock.to_pylist()
    return next(row for row in rows if all(row[name] == value for name, value in wanted.items()))


def test_the_bucket_is_read_as_the_real_one(sandbox: Sandbox) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=sandbox.s3_url,
        region_name="us-east-1",
        aws_access_key_id=sandbox.environment()["BEDROCK_MAIN_ACCESS_KEY_ID"],
        aws_secret_access_key=sandbox.environment()["BEDROCK_MAIN_SECRET_ACCESS_KEY"],
    )
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket="acme-bedrock-logs", Prefix="bedrock/", PaginationConfig={"PageSize": 50}
    )
    listed = {entry["Key"]: entry for page in pages for entry in page["Contents"]}
    logs = {key: entry for key, entry in listed.items() if PATH.fullmatch(key)}

    assert PERMISSION_CHECK in listed
    for key, entry in logs.items():
        found = PATH.fullmatch(key)
        assert found is not None
        assert entry["LastModified"] <= AS_OF
        assert f"{entry['LastModified']:%Y/%m/%d/%H}" == found[1]
        assert f"{entry['LastModified']:%Y%m%dT%H%M%S}" == found[2][:-3]
    requests = [
        line["requestId"]
        for key in logs
        for line in lines_of(client.get_object(Bucket="acme-bedrock-logs", Key=key)["Body"].read())
    ]
    assert len(requests) == sandbox.world.bedrock.num_rows + 2
    assert len(set(requests)) == sandbox.world.bedrock.num_rows


def test_an_object_holds_one_delivery_hour_and_not_too_many_lines(world: World) -> None:
    objects = list(log_objects(world.bedrock, canary="", redelivered=0))
    logs = [each for each in objects if PATH.fullmatch(each.key)]

    assert all(0 < each.lines <= 250 for each in logs)
    assert sum(each.lines for each in logs) == world.bedrock.num_rows
    assert len({each.key for each in objects}) == len(objects)
    assert any("/data/" in each.key for each in objects)


def test_two_lines_are_delivered_twice_the_second_time_without_bodies(world: World) -> None:
    objects = list(log_objects(world.bedrock, canary="", redelivered=2))
    lines = [line for each in objects if PATH.fullmatch(each.key) for line in lines_of(each.body)]
    times = Counter(line["requestId"] for line in lines)
    twice = [request_id for request_id, count in times.items() if count == 2]

    assert len(twice) == 2
    for request_id in twice:
        rich, lean = (line for line in lines if line["requestId"] == request_id)
        assert lean == leaner(rich)
        assert "outputBodyJson" not in lean["output"]
        assert lean["input"]["inputTokenCount"] == rich["input"]["inputTokenCount"]


def test_objects_of_the_same_world_are_the_same_bytes(world: World) -> None:
    first, second = (list(log_objects(world.bedrock, canary="", redelivered=2)) for _ in range(2))

    assert first == second


def test_a_converse_call_tells_cache_counts_and_lifetimes(world: World) -> None:
    row = {
        **first_row(world, operation="Converse", error_code=None, is_body_in_s3=False),
        "input_tokens": 300,
        "cache_read_tokens": 8_000,
        "cache_write_5m_tokens": 4_000,
        "cache_write_1h_tokens": 1_000,
        "output_tokens": 420,
    }

    line = invocation_line(row, canary="")

    assert line["input"]["inputTokenCount"] == 300
    assert line["input"]["cacheReadInputTokenCount"] == 8_000
    assert line["input"]["cacheWriteInputTokenCount"] == 5_000
    assert line["output"]["outputTokenCount"] == 420
    usage = line["output"]["outputBodyJson"]["usage"]
    assert usage["totalTokens"] == 13_720
    assert usage["cacheDetails"] == [
        {"inputTokens": 4_000, "ttl": "5m"},
        {"inputTokens": 1_000, "ttl": "1h"},
    ]


def test_a_throttled_call_has_an_error_and_no_counts(world: World) -> None:
    line = invocation_line(first_row(world, error_code="ThrottlingException"), canary="")

    assert line["errorCode"] == "ThrottlingException"
    assert "inputTokenCount" not in line["input"]
    assert "outputTokenCount" not in line["output"]


def test_an_embedding_has_no_output_count(world: World) -> None:
    line = invocation_line(first_row(world, is_embedding=True, error_code=None), canary="")

    assert line["modelId"] == "amazon.titan-embed-text-v2:0"
    assert "outputTokenCount" not in line["output"]


def test_a_stream_is_an_array_that_ends_with_its_metrics(world: World) -> None:
    row = first_row(
        world,
        operation="InvokeModelWithResponseStream",
        error_code=None,
        is_body_in_s3=False,
    )

    events = invocation_line(row, canary="")["output"]["outputBodyJson"]

    metrics = events[-1]["amazon-bedrock-invocationMetrics"]
    assert metrics["outputTokenCount"] == row["output_tokens"]


def test_the_caller_is_a_role_of_the_team_and_metadata_says_the_rest(world: World) -> None:
    row = first_row(world, team_id="team-data", has_metadata=True, user_email="sophie@acme.example")

    line = invocation_line(row, canary="")

    assert line["identity"]["arn"] == (
        "arn:aws:sts::123456789012:assumed-role/team-data-role/sophie@acme.example"
    )
    assert line["requestMetadata"]["team"] == "team-data"
    assert None not in line["requestMetadata"].values()
    assert "requestMetadata" not in invocation_line({**row, "has_metadata": False}, canary="")
    assert invocation_line({**row, "trace": "azure_code"}, canary="")["requestMetadata"] == {
        "trace": "azure_code"
    }


def test_the_canary_is_what_people_wrote(world: World) -> None:
    row = first_row(world, operation="ConverseStream", error_code=None, is_body_in_s3=False)

    line = invocation_line(row, canary="canary-1f0c")

    assert "canary-1f0c" in json.dumps(line["input"]["inputBodyJson"])
    assert "canary-1f0c" in json.dumps(line["output"]["outputBodyJson"])


def test_one_process_serves_one_bucket(sandbox: Sandbox) -> None:
    with pytest.raises(RuntimeError, match="another sandbox"), BucketServer(port=0):
        pass
