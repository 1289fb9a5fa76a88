"""AWS Bedrock: one row is one model invocation from the invocation logs in S3.

Billed by: AWS; the logs carry no cost. Only bedrock-runtime is logged, not the OpenAI-compatible
endpoint, not batch inference. Logging is off by default, per account and region.
Auth: s3:ListBucket and s3:GetObject on the log prefix.
Objects: gzip, one JSON record a line, write-once; the hour in the path is the hour of delivery,
minutes after the call. Cursor: LastModified. Rows are never restated, but a record may be
delivered twice: staging keeps the richer one.
Prompts and answers stand in the records: only numbers are picked, before anything is written.
Docs: docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html
"""

import io
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from gzip import GzipFile
from typing import Annotated, Any, Literal

import boto3
import dlt
from botocore.exceptions import BotoCoreError, ClientError
from dlt.extract import DltResource
from pydantic import StringConstraints

from ingestion.batches import Batch, batches_of
from ingestion.bedrock_control import (
    BATCH_RECORDS,
    INFERENCE_PROFILES,
    application_profiles,
    batch_records,
)
from ingestion.bedrock_records import INVOCATIONS
from ingestion.checkpoints import checkpoint
from ingestion.config_types import EnvName
from ingestion.http import SourceError
from ingestion.json_text import decode_json
from ingestion.resources import rows_rejected_reads
from ingestion.restated import SNAPSHOT, WindowRead, window_batches
from ingestion.s3 import client_config, error_code, listed
from ingestion.source_config import SourceConfig

BATCH_ROWS = 50_000
RECENT = timedelta(hours=1)
DEEP_REREAD = timedelta(days=3)
MAX_OBJECT_BYTES = 512 << 20
_READERS = 8
_CHUNK = 32


class BedrockSource(SourceConfig):
    """Bedrock's invocation logs of one account and region, read from their bucket."""

    system: Literal["bedrock"]
    bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!_.*'()/-]*$")] = ""
    account_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
    endpoint_url_env: EnvName | None = None
    control_url_env: EnvName | None = None
    access_key_id_env: EnvName | None = None
    secret_access_key_env: EnvName | None = None


@dlt.source(name="bedrock", max_table_nesting=0)
def bedrock_source(
    *,
    bucket: str,
    prefix: str,
    account_id: str,
    region: str,
    endpoint_url: str | None,
    control_url: str | None = None,
    access_key_id: str | None,
    secret_access_key: str | None,
    instance: str,
    now: datetime,
    deep_reread: bool = False,
) -> Sequence[DltResource]:
    """Invocations, batch records and profiles of one account and region.

    Without keys boto3's own chain is asked; the addresses are for stand-ins.
    """

    overlap = DEEP_REREAD if deep_reread else timedelta()

    def client(service: str, address: str | None) -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=address or None,
            aws_access_key_id=access_key_id or None,
            aws_secret_access_key=secret_access_key or None,
            config=client_config(max_pool_connections=_READERS),
        )

    def invocations() -> Iterator[Batch]:
        folder = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        logs = f"{folder}AWSLogs/{account_id}/BedrockModelInvocationLogs/{region}/"
        yield from _read(
            client("s3", endpoint_url),
            bucket=bucket,
            logs=logs,
            instance=instance,
            now=now,
            overlap=overlap,
        )

    def batches() -> Iterator[Batch]:
        yield from batches_of(
            batch_records(
                client("bedrock", control_url),
                client("s3", endpoint_url),
                now=now,
                deep_reread=deep_reread,
                account_id=account_id,
                region=region,
            ),
            contract=BATCH_RECORDS,
            source_instance=instance,
            extracted_at=now,
            batch_rows=BATCH_ROWS,
        )

    def profiles() -> Iterator[Batch]:
        found = application_profiles(client("bedrock", control_url))
        # What may not be asked any more stands as it was last told.
        yield from window_batches(
            [] if found is None else [WindowRead(SNAPSHOT, lambda: found)],
            contract=INFERENCE_PROFILES,
            source_instance=instance,
            extracted_at=now,
        )

    return (
        *rows_rejected_reads(
            "invocations",
            invocations,
            description="Model invocations; key (account, region, request id); "
            "cursor LastModified.",
        ),
        *rows_rejected_reads(
            "batch_records",
            batches,
            description="Records of ended batch jobs; key (job, record id); each job once.",
        ),
        *rows_rejected_reads(
            "inference_profiles",
            profiles,
            description="Application inference profiles, whole, whenever they changed.",
        ),
    )


@dataclass(frozen=True)
class _Object:
    key: str
    modified_at: datetime


def _read(
    client: Any, *, bucket: str, logs: str, instance: str, now: datetime, overlap: timedelta
) -> Iterator[Batch]:
    """Batches from objects not read yet; then moves the cursor.

    LastModified has whole seconds: an object may appear in the second just read, so the keys of the
    last hour are remembered and that hour is listed again.
    """
    state = dlt.current.source_state()
    cursor = datetime.fromisoformat(state["cursor"]) if "cursor" in state else None
    already: set[str] = set(state.get("recent_keys", [])) if not overlap else set()
    since = cursor - max(RECENT, overlap) if cursor else None
    found = list(_list(client, bucket, logs, since=since, now=now))
    fresh = [item for item in found if item.key not in already]
    yield from batches_of(
        _records(client, bucket, fresh),
        contract=INVOCATIONS,
        source_instance=instance,
        extracted_at=now,
        batch_rows=BATCH_ROWS,
    )
    if found:
        # Objects may be deleted at the source: the newest one left can be older than the cursor.
        newest = max(item.modified_at for item in found)
        newest = max(newest, cursor or newest)
        state["cursor"] = newest.isoformat()
        state["recent_keys"] = sorted(
            item.key for item in found if item.modified_at >= newest - RECENT
        )


def _records(client: Any, bucket: str, items: Sequence[_Object]) -> Iterator[tuple[str, Any]]:
    """Where each record stands, and the record; a few objects are fetched ahead."""
    with ThreadPoolExecutor(_READERS) as readers:
        for start in range(0, len(items), _CHUNK):
            chunk = items[start : start + _CHUNK]
            contents = readers.map(lambda item: _lines(client, bucket, item.key), chunk)
            for item, lines in zip(chunk, contents, strict=True):
                for number, line in enumerate(lines, start=1):
                    yield f"{item.key} line {number}", _record(line)
                checkpoint("extract_page")


def _list(
    client: Any, bucket: str, logs: str, *, since: datetime | None, now: datetime
) -> Iterator[_Object]:
    """Log objects modified at or after `since`; later runs list only the days in question."""
    folders = [logs]
    if since is not None:
        days = (now.astimezone(UTC).date() - since.date()).days
        folders = [
            f"{logs}{(since.date() + timedelta(days=n)).strftime('%Y/%m/%d')}/"
            for n in range(-1, days + 2)
        ]
    for folder in folders:
        for item in listed(client, system="bedrock", bucket=bucket, prefix=folder):
            key, modified_at = item["Key"], item["LastModified"].astimezone(UTC)
            if not key.endswith(".json.gz") or "/data/" in key:
                continue
            if since is None or modified_at >= since:
                yield _Object(key, modified_at)


def _lines(client: Any, bucket: str, key: str) -> list[bytes]:
    """The lines of one log object; raises SourceError where it is not the gzip it should be."""
    try:
        answer = client.get_object(Bucket=bucket, Key=key)
        if answer["ContentLength"] > MAX_OBJECT_BYTES:
            raise SourceError(f"bedrock: {bucket}/{key} is larger than {MAX_OBJECT_BYTES} bytes")
        body = answer["Body"].read()
    except (BotoCoreError, ClientError) as error:
        raise SourceError(f"bedrock: reading {bucket}/{key} failed: {error_code(error)}") from None
    try:
        with GzipFile(fileobj=io.BytesIO(body)) as unzipped:
            text = unzipped.read(MAX_OBJECT_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise SourceError(f"bedrock: {bucket}/{key} is not a whole gzip file") from None
    if len(text) > MAX_OBJECT_BYTES:
        raise SourceError(f"bedrock: {bucket}/{key} holds more than {MAX_OBJECT_BYTES} bytes")
    return [line for line in text.splitlines() if line.strip()]


def _record(line: bytes) -> Any:
    """The record of a line; what is not JSON comes back as it is, and is rejected as no object."""
    try:
        return decode_json(line)
    except ValueError:
        return line.decode("utf-8", "replace")


CONTRACTS = (INVOCATIONS, BATCH_RECORDS, INFERENCE_PROFILES)
