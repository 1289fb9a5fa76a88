"""Langfuse's blob export: files of observations in a bucket, each window named by a manifest.

The export picks by start time: what came in more than 20 minutes after its start, and every later
change, never appears there. So it fills the past, and the API is read besides; both give the same
key, and the row that was updated last counts. Bounds of a window are inclusive on both sides.
"""

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from gzip import GzipFile
from typing import Any

import dlt

from ingestion.batches import Batch
from ingestion.http import SourceError
from ingestion.json_text import decode_json, inside
from ingestion.langfuse_records import BLOB_EXPORT, from_export, without_content
from ingestion.langfuse_tree import place
from ingestion.restated import WindowRead, window_batches
from ingestion.s3 import client_config, error_code, listed

MAX_OBJECT_BYTES = 512 << 20
_GZIP = b"\x1f\x8b"
_TABLE = "observations_v2"
_CURSOR = "blob_export_cursor"
# Manifests are named after the end of their window, so that names sort as times do.
_NAME = "%Y-%m-%dT%H-%M-%S"


@dataclass(frozen=True)
class Bucket:
    """Where an export lies, and what it is read with; without keys boto3's own chain is asked."""

    name: str
    prefix: str
    region: str | None
    endpoint_url: str | None
    access_key_id: str | None
    secret_access_key: str | None


def export_batches(
    bucket: Bucket,
    *,
    project_id: str,
    instance: str,
    now: datetime,
    reread: timedelta,
    remembered: timedelta,
) -> Iterator[Batch]:
    """Batches of the manifests after the cursor less what is read again; then moves the cursor."""
    client = _client(bucket)
    prefix = bucket.prefix.strip("/")
    folder = f"{prefix}/{project_id}/" if prefix else f"{project_id}/"
    state = dlt.current.source_state()
    cursor = state.get(_CURSOR)
    after = _earlier(cursor, reread) if cursor else ""
    names = sorted(_manifests(client, bucket.name, f"{folder}manifests/", after))

    def window(name: str) -> WindowRead:
        key = f"{folder}manifests/{name}.json"
        return WindowRead(name, lambda: _read(client, bucket.name, key, folder, project_id))

    yield from window_batches(
        (window(name) for name in names),
        contract=BLOB_EXPORT,
        source_instance=instance,
        extracted_at=now,
    )
    if names:
        state[_CURSOR] = max(names[-1], cursor or "")
        kept = _earlier(state[_CURSOR], remembered)
        digests = state["digests"]
        digests[BLOB_EXPORT.resource] = {
            name: digest for name, digest in digests[BLOB_EXPORT.resource].items() if name > kept
        }


def _earlier(name: str, by: timedelta) -> str:
    return (datetime.strptime(name, _NAME) - by).strftime(_NAME)  # noqa: DTZ007


def _client(bucket: Bucket) -> Any:
    import boto3

    return boto3.client(
        "s3",
        region_name=bucket.region or None,
        endpoint_url=bucket.endpoint_url or None,
        aws_access_key_id=bucket.access_key_id or None,
        aws_secret_access_key=bucket.secret_access_key or None,
        config=client_config(),
    )


def _manifests(client: Any, bucket: str, folder: str, after: str) -> Iterator[str]:
    """The names of the manifests after that name; what is named otherwise is none."""

    start = {"StartAfter": f"{folder}{after}.json"} if after else {}
    for item in listed(client, system="langfuse", bucket=bucket, prefix=folder, **start):
        name = item["Key"].removeprefix(folder).removesuffix(".json")
        if item["Key"] == f"{folder}{name}.json" and _is_name(name):
            yield name


def _is_name(name: str) -> bool:
    try:
        datetime.strptime(name, _NAME)  # noqa: DTZ007
    except ValueError:
        return False
    return True


def _read(
    client: Any, bucket: str, key: str, folder: str, project_id: str
) -> list[tuple[str, Any]]:
    """Every observation a manifest names, told as v2 tells it, with object and line."""
    try:
        manifest = decode_json(_object(client, bucket, key))
    except ValueError:
        raise SourceError(f"langfuse: {bucket}/{key} is no manifest") from None
    files = inside(manifest, "files")
    if inside(manifest, "version") != 1 or not isinstance(files, list):
        raise SourceError(f"langfuse: {bucket}/{key} is no manifest of version 1")
    if manifest.get("projectId") != project_id:
        raise SourceError(f"langfuse: {bucket}/{key} is not of the project the keys belong to")
    if _TABLE not in (manifest.get("tables") or []):
        raise SourceError(
            f"langfuse: {bucket}/{key} exports no {_TABLE}: choose OBSERVATIONS_V2 as its source"
        )
    rows: list[tuple[str, Any]] = []
    for file in files:
        if inside(file, "table") == _TABLE:
            rows += _rows(client, bucket, file, folder)
    place([record for _, record in rows], around=())
    return rows


def _rows(client: Any, bucket: str, file: Any, folder: str) -> Iterator[tuple[str, Any]]:
    key, row_count = file.get("key"), file.get("rowCount")
    if not isinstance(key, str) or not key.startswith(folder):
        raise SourceError("langfuse: a manifest names a file outside of its project's folder")
    if file.get("format") != "jsonl":
        raise SourceError(f"langfuse: {bucket}/{key} is no JSONL: choose it as the export's format")
    lines = [line for line in _object(client, bucket, key).splitlines() if line.strip()]
    if isinstance(row_count, int) and len(lines) != row_count:
        raise SourceError(f"langfuse: {bucket}/{key} holds {len(lines)} rows of {row_count}")
    for number, line in enumerate(lines, start=1):
        yield f"{key} line {number}", _record(line)


def _record(line: bytes) -> Any:
    """The record of a line; what is not JSON is no object, and is rejected as that."""
    try:
        return without_content(from_export(decode_json(line)))
    except ValueError:
        return line.decode("utf-8", "replace")


def _object(client: Any, bucket: str, key: str) -> bytes:
    """The content of an object, unzipped where it is zipped, up to the cap."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = client.get_object(Bucket=bucket, Key=key)
        if answer["ContentLength"] > MAX_OBJECT_BYTES:
            raise SourceError(f"langfuse: {bucket}/{key} is larger than {MAX_OBJECT_BYTES} bytes")
        body: bytes = answer["Body"].read()
    except (BotoCoreError, ClientError) as error:
        raise SourceError(f"langfuse: reading {bucket}/{key} failed: {error_code(error)}") from None
    if not body.startswith(_GZIP):
        return body
    try:
        with GzipFile(fileobj=io.BytesIO(body)) as unzipped:
            content = unzipped.read(MAX_OBJECT_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise SourceError(f"langfuse: {bucket}/{key} is not a whole gzip file") from None
    if len(content) > MAX_OBJECT_BYTES:
        raise SourceError(f"langfuse: {bucket}/{key} holds more than {MAX_OBJECT_BYTES} bytes")
    return content
