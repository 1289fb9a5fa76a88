"""A blob export of a Langfuse project: its manifests and files in a bucket."""

import gzip
from datetime import UTC, datetime
from typing import Any

import orjson
from langfuse_project import PROJECT_ID

from sandbox.s3 import BucketServer

FOLDER = f"langfuse/{PROJECT_ID}"
_DELIVERED = datetime(2026, 11, 20, 13, tzinfo=UTC)


def exported(id: str, *, at: str = "2026-11-20 11:30:00.000", **fields: Any) -> dict[str, Any]:
    """A generation of 100 tokens in and 10 out, as a file tells it."""
    return {
        "id": id,
        "trace_id": "t-1",
        "start_time": at,
        "end_time": None,
        "project_id": PROJECT_ID,
        "parent_observation_id": None,
        "type": "GENERATION",
        "name": "call",
        "level": "DEFAULT",
        "updated_at": at,
        "metadata": {},
        "provided_model_name": "gpt-4.1-mini",
        "usage_details": {"input": 100, "output": 10, "total": 110},
        "cost_details": {"total": 0.001},
        "total_cost": 0.001,
        "tags": [],
        **fields,
    }


def manifest(name: str, *, rows: int, **fields: Any) -> dict[str, Any]:
    """The manifest of a window with one file, as the export writes it last of all."""
    return {
        "version": 1,
        "projectId": PROJECT_ID,
        "exportSource": "OBSERVATIONS_V2",
        "tables": ["scores", "observations_v2"],
        "files": [
            {
                "key": f"{FOLDER}/observations_v2/{name}.jsonl.gz",
                "table": "observations_v2",
                "format": "jsonl",
                "compressed": True,
                "rowCount": rows,
            },
            {"key": f"{FOLDER}/scores/{name}.jsonl.gz", "table": "scores", "format": "jsonl"},
        ],
        **fields,
    }


def deliver(bucket: BucketServer, name: str, rows: list[Any], **fields: Any) -> None:
    """One window of the export; a row of bytes stands in its file as it is."""
    lines = [row if isinstance(row, bytes) else orjson.dumps(row) for row in rows]
    put(bucket, f"{FOLDER}/observations_v2/{name}.jsonl.gz", gzip.compress(b"\n".join(lines)))
    told = manifest(name, rows=len(rows), **fields)
    put(bucket, f"{FOLDER}/manifests/{name}.json", orjson.dumps(told))


def put(bucket: BucketServer, key: str, body: bytes) -> None:
    """An object as it is."""
    bucket.put(key, body=body, last_modified=_DELIVERED)
