"""Batch jobs are read once each, at the time and model of the job; profiles name what ids hide."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from raw_loads import BEDROCK, FIXTURES, NOW, loaded, refusal, rows_of, tied, triple
from scripted_server import Answer, Asked, ScriptedServer, scripted_server
from staged_warehouse import Event, buckets, build, events_of

from ingestion.bedrock import bedrock_source
from ingestion.declared_tables import declare_tables
from ingestion.passes import begin_pass
from ingestion.pipeline import pipeline_for, run_source
from sandbox.company import BUCKET, REGION
from sandbox.s3 import ACCESS_KEY_ID, SECRET_ACCESS_KEY, BucketServer

JOB = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/job0000000001"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
CANARY = "canary-51f0-what-somebody-asked"


class Control:
    """Bedrock's control plane with one profile and the jobs it is given."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = [job(JOB)]
        self.denied: set[str] = set()

    def answer(self, asked: Asked) -> Answer:
        if asked.path in self.denied:
            body = {"message": "no"}
            return Answer(body, status=403, headers={"x-amzn-ErrorType": "AccessDeniedException"})
        if asked.path == "/inference-profiles":
            # Two pages, the second of which holds the profile.
            if "nextToken" not in asked.query:
                return Answer({"inferenceProfileSummaries": [], "nextToken": "2"})
            arns = [f"arn:aws:bedrock:{region}::foundation-model/{HAIKU}" for region in "ab"]
            return Answer({"inferenceProfileSummaries": [{
                "inferenceProfileName": "enrichment", "inferenceProfileArn": PROFILE,
                "inferenceProfileId": "a1b2c3d4e5f6", "status": "ACTIVE", "type": "APPLICATION",
                "models": [{"modelArn": arn} for arn in arns],
            }]})  # fmt: skip
        if asked.path == "/listTagsForResource":
            assert asked.json() == {"resourceARN": PROFILE}
            return Answer({"tags": [{"key": "team", "value": "team-data"}]})
        assert asked.path == "/model-invocation-jobs"
        return Answer({"invocationJobSummaries": self.jobs})


def job(arn: str, *, status: str = "Completed", model: str = PROFILE) -> dict[str, Any]:
    return {
        "jobArn": arn, "jobName": "enrich", "modelId": model, "roleArn": "arn:aws:iam::1:role/b",
        "status": status, "submitTime": "2026-11-22T01:00:00Z", "endTime": "2026-11-22T03:00:00Z",
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": f"s3://{BUCKET}/in/"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"s3://{BUCKET}/out/"}},
    }  # fmt: skip


@pytest.fixture(scope="module")
def bucket() -> Iterator[BucketServer]:
    """The bucket with the recorded output of two jobs."""
    output = (FIXTURES / "bedrock/batch/records.jsonl.out").read_bytes()
    manifest = (FIXTURES / "bedrock/batch/manifest.json.out").read_bytes()
    with BucketServer(port=0) as running:
        for name in ("job0000000001", "job0000000002"):
            for file, body in (("records.jsonl.out", output), ("manifest.json.out", manifest)):
                running.put(f"out/{name}/{file}", body=body, last_modified=NOW)
        bad = [{"recordId": "REC9", "modelInput": {"text": CANARY}, "modelOutput": {"usage": {
            "inputTokens": "many", "outputTokens": 5}}}, "no json"]  # fmt: skip
        text = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in bad)
        running.put("out/job0000000003/x.jsonl.out", body=text.encode(), last_modified=NOW)
        yield running


@pytest.fixture
def control() -> Iterator[tuple[Control, ScriptedServer]]:
    """A running control plane."""
    plane = Control()
    with scripted_server(plane.answer) as server:
        yield plane, server


def load(home: Path, *, s3: str, control_url: str, deep_reread: bool = False) -> None:
    source = bedrock_source(
        bucket=BUCKET,
        prefix="bedrock",
        account_id="123456789012",
        region=REGION,
        endpoint_url=s3,
        control_url=control_url,
        access_key_id=ACCESS_KEY_ID,
        secret_access_key=SECRET_ACCESS_KEY,
        instance=BEDROCK,
        now=NOW,
        deep_reread=deep_reread,
    )
    wanted = source.with_resources(*triple("batch_records"), *triple("inference_profiles"))
    run_source(pipeline_for("bedrock", instance=BEDROCK, home=home), wanted)


def tie(home: Path) -> tuple[int, int, int]:
    return tied(home, table="raw_bedrock.batch_records")


def test_a_job_is_read_once_and_a_new_one_when_it_has_ended(
    control: tuple[Control, ScriptedServer], bucket: BucketServer, tmp_path: Path
) -> None:
    plane, server = control
    running = JOB.replace("0001", "0002")
    plane.jobs.append(job(running, status="InProgress"))
    for _ in range(3):
        load(tmp_path, s3=bucket.url, control_url=server.url)
    assert tie(tmp_path) == (2, 2, 0)
    plane.jobs[1] = job(running)
    load(tmp_path, s3=bucket.url, control_url=server.url)
    assert tie(tmp_path) == (4, 4, 0)
    load(tmp_path, s3=bucket.url, control_url=server.url, deep_reread=True)
    assert tie(tmp_path) == (8, 8, 0)
    assert len(loaded(tmp_path, "profile_arn", table="raw_bedrock.inference_profiles")) == 1


def test_a_record_that_does_not_fit_is_set_aside_without_its_content(
    control: tuple[Control, ScriptedServer], bucket: BucketServer, tmp_path: Path
) -> None:
    plane, server = control
    plane.jobs = [job(JOB.replace("0001", "0003"))]
    load(tmp_path, s3=bucket.url, control_url=server.url)
    assert tie(tmp_path) == (2, 0, 2)
    query = "select column_name, reason from raw_bedrock.batch_records__rejected order by all"
    assert rows_of(tmp_path, query) == [("input_tokens", "not_an_integer"), (None, "not_an_object")]
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []


def test_what_the_role_may_not_ask_is_left_out(
    control: tuple[Control, ScriptedServer], bucket: BucketServer, tmp_path: Path
) -> None:
    plane, server = control
    plane.denied = {"/inference-profiles", "/model-invocation-jobs"}
    load(tmp_path, s3=bucket.url, control_url=server.url)
    assert tie(tmp_path) == (0, 0, 0)


def test_a_page_that_comes_again_fails_the_run(bucket: BucketServer, tmp_path: Path) -> None:
    endless = {"inferenceProfileSummaries": [], "invocationJobSummaries": [], "nextToken": "2"}
    with (
        scripted_server(lambda asked: Answer(endless)) as server,
        pytest.raises(PipelineStepFailed) as failed,
    ):
        load(tmp_path, s3=bucket.url, control_url=server.url)
    assert "repeats a page" in refusal(failed)


def test_batch_records_are_events_of_the_job_named_by_the_profile(
    control: tuple[Control, ScriptedServer], bucket: BucketServer, tmp_path: Path
) -> None:
    _, server = control
    load(tmp_path, s3=bucket.url, control_url=server.url)
    declare_tables(tmp_path)
    begin_pass(tmp_path, as_of=NOW)
    build(tmp_path, select=["path:models/staging/bedrock", "int_bedrock__usage_named"])
    served, refused = sorted(
        events_of(tmp_path, "intermediate.int_bedrock__usage_named"),
        key=lambda event: event["source_record_id"],
    )
    assert buckets(served) == {"input": 118, "output": 204}
    expected: Event = {
        "source": "bedrock",
        "source_record_id": f"123456789012:us-east-1:{JOB}:REC0001",
        "request_id": "msg_bdrk_01BATCH",
        "occurred_at": datetime(2026, 11, 22, 3),  # noqa: DTZ001
        "provider": "aws_bedrock",
        "model_served": PROFILE,
        "service_tier": "batch",
        "status": "ok",
        "reported_cost_usd": None,
        "raw_organization": "123456789012",
        "raw_team": "team-data",
    }
    assert {name: served[name] for name in expected} == expected
    assert (refused["status"], buckets(refused)) == ("error", {})
    [profile] = events_of(tmp_path, "staging.stg_bedrock__inference_profiles")
    assert (profile["profile_arn"], profile["model_id"]) == (PROFILE, HAIKU)
    assert served["loaded_at"] == NOW.astimezone(UTC).replace(tzinfo=None)
