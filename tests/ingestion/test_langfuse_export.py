"""A blob export is read by its manifests, each window whole, each once."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from langfuse_export_files import FOLDER, deliver, exported, manifest, put
from langfuse_project import INSTANCE, PROJECTS, Project, langfuse_project, load_langfuse
from raw_loads import FIXTURES, NOW, cursor_of, loaded, refusal, rows_of, tied

from ingestion.langfuse_export import MAX_OBJECT_BYTES
from sandbox.company import BUCKET, REGION
from sandbox.s3 import ACCESS_KEY_ID, SECRET_ACCESS_KEY, BucketServer

TABLE = "raw_langfuse.blob_export"
CANARY = "CANARY-5d2e"


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    """The project whose keys are shown."""
    with langfuse_project() as running:
        yield running


@pytest.fixture
def bucket() -> Iterator[BucketServer]:
    """An S3 server with an empty bucket."""
    with BucketServer(port=0) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A warehouse nothing was loaded into."""
    return tmp_path / "home"


def load(home: Path, project: Project, bucket: BucketServer, **facts: Any) -> None:
    load_langfuse(
        home,
        project.url,
        resource="blob_export",
        prefix="/langfuse",
        bucket=BUCKET,
        region=REGION,
        endpoint_url=bucket.url,
        access_key_id=ACCESS_KEY_ID,
        secret_access_key=SECRET_ACCESS_KEY,
        **facts,
    )


def ids(home: Path) -> list[Any]:
    return loaded(home, "id", table=TABLE)


def refused(home: Path, project: Project, bucket: BucketServer) -> str:
    """Why the run failed."""
    with pytest.raises(PipelineStepFailed) as failed:
        load(home, project, bucket)
    assert SECRET_ACCESS_KEY not in str(failed.value)
    return refusal(failed)


def deliver_fixture(bucket: BucketServer, folder: str) -> None:
    """The recorded export, at the keys its manifest names: it was kept unzipped."""
    root = FIXTURES / "langfuse" / "blob_export"
    for path in sorted(root.rglob("*.json*")):
        key = path.relative_to(root).as_posix().replace(".jsonl", ".jsonl.gz")
        body = path.read_bytes().replace(b'"prj_demo_01/', f'"{folder}prj_demo_01/'.encode())
        put(bucket, folder + key, body)


def test_a_source_without_a_bucket_has_no_export(project: Project, home: Path) -> None:
    load_langfuse(home, project.url, resource=None)
    assert cursor_of(home, "langfuse", INSTANCE).keys() == {"cursors", "digests"}
    tables = rows_of(home, "select table_name from information_schema.tables")
    assert not {name for (name,) in tables if name.startswith("blob_export")}


def test_the_recorded_export_tells_what_the_api_tells(
    project: Project, bucket: BucketServer, home: Path
) -> None:
    deliver_fixture(bucket, "langfuse/")
    load(home, project, bucket)
    assert tied(home, table=TABLE) == (6, 6, 0)
    # One row starts just before its window, and ClickHouse's times have no zone: they are UTC.
    assert min(loaded(home, "start_time at time zone 'UTC'", table=TABLE)).isoformat() == (
        "2026-11-20T09:59:59.999999"
    )
    pages = [
        json.loads((FIXTURES / "langfuse" / f"v2_observations_page{n}.json").read_text())
        for n in (1, 2)
    ]
    told = {row["id"]: row["usageDetails"] for page in pages for row in page["data"]}
    export = dict(loaded(home, "id, usage_details", table=TABLE))
    assert {id: json.loads(usage or "{}") for id, usage in export.items()} == told
    assert loaded(home, "litellm_call_id", table=TABLE).count(None) == 5
    assert len(project.asked(PROJECTS)) > 0


def test_windows_are_read_once_and_again_only_by_the_deep_read(
    project: Project, bucket: BucketServer, home: Path
) -> None:
    deliver(bucket, "2026-11-20T11-00-00", [exported("a"), exported("on the bound")])
    for _ in range(2):
        load(home, project, bucket)
    deliver(bucket, "2026-11-20T12-00-00", [exported("on the bound"), exported("b")])
    load(home, project, bucket, now=NOW + timedelta(hours=1))
    # What starts on a bound stands in both windows; its key is one.
    assert ids(home) == ["a", "b", "on the bound", "on the bound"]
    deliver(bucket, "2026-11-20T11-00-00", [exported("a"), exported("exported anew")])
    load(home, project, bucket)
    load(home, project, bucket, deep_reread=True)
    load(home, project, bucket, deep_reread=True)
    assert tied(home, table=TABLE) == (6, 6, 0)
    assert ids(home)[2] == "b" and "exported anew" in ids(home)
    assert cursor_of(home, "langfuse", INSTANCE)["blob_export_cursor"] == "2026-11-20T12-00-00"


def test_lines_that_do_not_fit_are_rejected_and_no_content_is_written(
    project: Project, bucket: BucketServer, home: Path
) -> None:
    rows = [
        exported("a", input=CANARY, output=CANARY, status_message=CANARY, prompt=CANARY),
        exported("b", usage_details={"input": CANARY}),
        exported("c", start_time="yesterday"),
        b'{"id": "' + CANARY.encode(),
        exported("d", usage_details={"input": "9007199254740993"}, metadata=CANARY),
        exported("parent", type="AGENT", name="planner"),
        exported("child", parent_observation_id="parent"),
    ]
    deliver(bucket, "2026-11-20T11-00-00", rows)
    load(home, project, bucket)
    assert tied(home, table=TABLE) == (7, 4, 3)
    assert loaded(home, "column_name, reason", table=f"{TABLE}__rejected") == [
        ("input_tokens", "not_an_integer"),
        ("start_time", "not_a_time_with_zone"),
        (None, "not_an_object"),
    ]
    assert loaded(home, "id, input_tokens, has_usage_below, agent_name", table=TABLE) == [
        ("a", 100, False, None),
        ("child", 100, False, "planner"),
        ("d", 9007199254740993, False, None),
        ("parent", 100, True, "planner"),
    ]
    told = [rows_of(home, f"select * from {name}") for name in (TABLE, f"{TABLE}__rejected")]
    assert CANARY not in repr(told)
    written = [path for path in home.rglob("*") if path.is_file()]
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []


def test_an_export_that_is_not_whole_fails_the_run(
    project: Project, bucket: BucketServer, home: Path
) -> None:
    name = "2026-11-20T11-00-00"
    key, file = f"{FOLDER}/manifests/{name}.json", f"{FOLDER}/observations_v2/{name}.jsonl.gz"

    def told(**fields: Any) -> bytes:
        return json.dumps(manifest(name, rows=1, **fields)).encode()

    outside = [{"table": "observations_v2", "format": "jsonl", "key": "other/x.jsonl"}]
    parquet = [{"table": "observations_v2", "format": "parquet", "key": f"{FOLDER}/x.parquet"}]
    wrong = {
        b"<html>": f"{BUCKET}/{key} is no manifest",
        told(version=2): f"{BUCKET}/{key} is no manifest of version 1",
        told(projectId="other"): f"{BUCKET}/{key} is not of the project the keys belong to",
        told(tables=["traces", "observations"]): f"{BUCKET}/{key} exports no observations_v2: "
        "choose OBSERVATIONS_V2 as its source",
        told(files=outside): "a manifest names a file outside of its project's folder",
        told(files=parquet): f"{BUCKET}/{FOLDER}/x.parquet is no JSONL: choose it as the export's "
        "format",
        told(): f"reading {BUCKET}/{file} failed: NoSuchKey",
    }
    for body, expected in wrong.items():
        put(bucket, key, body)
        assert refused(home, project, bucket) == f"langfuse: {expected}"
    put(bucket, file, b"\x1f\x8bbroken")
    assert refused(home, project, bucket).endswith("is not a whole gzip file")
    put(bucket, file, b'{"id":"a"}\n{"id":"b"}\n')
    assert refused(home, project, bucket).endswith("holds 2 rows of 1")
    deliver(bucket, name, [exported("mended")])
    load(home, project, bucket)
    assert ids(home) == ["mended"]
    assert MAX_OBJECT_BYTES == 512 << 20


def test_a_store_that_does_not_answer_fails_the_run(
    project: Project, home: Path, bucket: BucketServer
) -> None:
    with pytest.raises(PipelineStepFailed) as failed:
        load_langfuse(
            home, project.url, resource="blob_export", bucket="no-such-bucket", region=REGION,
            endpoint_url=bucket.url, access_key_id="x", secret_access_key="y",
        )  # fmt: skip
    assert refusal(failed) == "langfuse: listing no-such-bucket failed: NoSuchBucket"
