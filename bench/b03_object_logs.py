"""B3: a million Bedrock log records from object storage into raw, against DuckDB reading the files.

Run as a module it is one side in a process of its own: `ours <home> <url>`, `theirs <home>`, or
`serve <folder>`, the object store both need.
"""

import gzip
import json
import logging
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import orjson
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from bench.measure import ROOT, Figure, in_fresh_process, middle, peak_megabytes
from ingestion.bedrock import bedrock_source
from ingestion.pipeline import pipeline_for, run_source, warehouse_path

ROWS = 1_000_000
ROUNDS = 3
EXPECTED_RATIO = 2.5
_LINES = 1_000
_BUCKET, _ACCOUNT, _REGION = "bench-logs", "123456789012", "us-east-1"
_NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def measure(home: Path, *, rows: int, rounds: int) -> Figure:
    """Median seconds of each side over fresh processes, taken in turn."""
    folder = home / "objects"
    folder.mkdir(parents=True)
    _write_objects(folder, rows=rows)
    ours, theirs = [], []
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.b03_object_logs", "serve", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        for number in range(rounds):
            run = home / f"run{number}"
            ours.append(
                in_fresh_process(["-m", "bench.b03_object_logs", "ours", str(run), url], environ={})
            )
            theirs.append(
                in_fresh_process(["-m", "bench.b03_object_logs", "theirs", str(home)], environ={})
            )
    finally:
        server.communicate("")
    found = {each["rows"] for each in [*ours, *theirs]}
    if found != {rows}:
        raise RuntimeError(f"B3 loaded {sorted(found)} rows instead of {rows}")
    measured = middle([each["seconds"] for each in ours])
    reference = middle([each["seconds"] for each in theirs])
    return Figure(
        id="B3",
        what=f"{rows:,} Bedrock log records, gzipped JSON lines in S3, to raw",
        reference="DuckDB create table as, from the same files on disk",
        unit="s",
        measured=measured,
        reference_measured=reference,
        ratio=measured / reference,
        expected=EXPECTED_RATIO,
        is_upper_bound=True,
        rows=rows,
        peak_mb=max(each["peak_mb"] for each in ours),
        note="Ours fetches from a stand-in of S3 on loopback, checks every value and hashes every "
        "row; DuckDB reads the files from disk and infers types, which favours it.",
        details={"rows_per_second": rows / measured},
    )


def _write_objects(folder: Path, *, rows: int) -> None:
    for start in range(0, rows, _LINES):
        lines = [orjson.dumps(_record(n)) for n in range(start, min(start + _LINES, rows))]
        body = gzip.compress(b"\n".join(lines) + b"\n", 3, mtime=0)
        (folder / f"{start:012d}.json.gz").write_bytes(body)


def _record(number: int) -> dict[str, object]:
    tokens = 100 + number % 900
    return {
        "timestamp": f"2026-11-20T{number % 12:02d}:{number % 60:02d}:{number % 59:02d}Z",
        "accountId": _ACCOUNT,
        "identity": {"arn": f"arn:aws:sts::{_ACCOUNT}:assumed-role/team-{number % 7}/app"},
        "region": _REGION,
        "requestId": f"00000000-0000-4000-8000-{number:012d}",
        "operation": "Converse",
        "modelId": "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "input": {
            "inputContentType": "application/json",
            "inputBodyJson": {"messages": [{"role": "user", "content": [{"text": "x" * 200}]}]},
            "inputTokenCount": tokens,
            "cacheReadInputTokenCount": tokens * 3,
            "cacheWriteInputTokenCount": 0,
        },
        "output": {
            "outputContentType": "application/json",
            "outputBodyJson": {
                "metrics": {"latencyMs": 900},
                "usage": {"inputTokens": tokens, "outputTokens": 50},
            },
            "outputTokenCount": 50,
        },
        "requestMetadata": {"team": f"team-{number % 7}", "feature": "chat"},
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
    }


def _serve(folder: Path) -> None:
    """The objects on a moto server, until standard input ends."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    store = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    store.create_bucket(_BUCKET, _REGION)
    root = f"AWSLogs/{_ACCOUNT}/BedrockModelInvocationLogs/{_REGION}/2026/11/20/10"
    for number, path in enumerate(sorted(folder.glob("*.gz"))):
        key = f"{root}/20261120T100000000Z_{number:016x}.json.gz"
        stored = store.put_object(_BUCKET, key, path.read_bytes())
        stored.last_modified = _NOW - timedelta(hours=1)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


def _ours(home: Path, url: str) -> dict[str, float]:
    source = bedrock_source(
        bucket=_BUCKET,
        prefix="",
        account_id=_ACCOUNT,
        region=_REGION,
        endpoint_url=url,
        access_key_id="bench",
        secret_access_key="bench",
        instance="bench",
        now=_NOW,
    )
    logs = source.with_resources("invocations", "invocations__rejected", "invocations__reads")
    started = time.perf_counter()
    run_source(pipeline_for("bedrock", instance="bench", home=home), logs)
    seconds = time.perf_counter() - started
    with duckdb.connect(str(warehouse_path(home)), read_only=True) as connection:
        row = connection.execute("select count(*) from raw_bedrock.invocations").fetchone()
    return {"seconds": seconds, "rows": row[0] if row else 0, "peak_mb": peak_megabytes()}


def _theirs(home: Path) -> dict[str, float]:
    database = home / "reference.duckdb"
    database.unlink(missing_ok=True)
    with duckdb.connect(str(database)) as connection:
        started = time.perf_counter()
        connection.execute(
            f"create table logs as from read_json('{home}/objects/*.json.gz', format='nd')"
        )
        connection.execute("checkpoint")
        seconds = time.perf_counter() - started
        row = connection.execute("select count(*) from logs").fetchone()
    return {"seconds": seconds, "rows": row[0] if row else 0, "peak_mb": peak_megabytes()}


if __name__ == "__main__":
    side, *arguments = sys.argv[1:]
    if side == "serve":
        _serve(Path(arguments[0]))
    else:
        done = (
            _ours(Path(arguments[0]), arguments[1])
            if side == "ours"
            else _theirs(Path(arguments[0]))
        )
        sys.stdout.write(json.dumps(done) + "\n")
