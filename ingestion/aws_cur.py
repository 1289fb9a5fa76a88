"""AWS Cost and Usage Report 2.0: one row is one line item of an AWS bill that Bedrock caused.

Billed by: AWS, in the payer's currency; tax, credits and refunds are lines of their own. Lines of
other services are left where they are. They reconcile what was metered, never become its cost.
Auth: s3:ListBucket and s3:GetObject below the export's prefix.
Objects: a data export writes Parquet or gzipped CSV below `data/BILLING_PERIOD=YYYY-MM/`, then a
manifest that names the files. A refresh, at least daily, rewrites the whole period until the month
is closed, up to two weeks after its end: a period is one window, read whole and replaced whole.
Docs: docs.aws.amazon.com/cur/latest/userguide/dataexports-export-delivery.html
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import dlt
from dlt.extract import DltResource
from pydantic import StringConstraints

from ingestion.aws_cur_records import LINE_ITEMS, csv_records, parquet_records
from ingestion.batches import Batch
from ingestion.bill_days import HISTORY, first_day
from ingestion.checkpoints import checkpoint
from ingestion.config_types import EnvName, Text
from ingestion.http import SourceError, SourceUnavailable
from ingestion.json_text import decode_json
from ingestion.resources import rows_rejected_reads
from ingestion.restated import WindowRead, window_batches
from ingestion.s3 import client_config, error_code, listed
from ingestion.source_config import SourceConfig

MAX_OBJECT_BYTES = 1 << 30
# Everything AWS sells as Bedrock; Marketplace models come under codes of their own.
BEDROCK = "AmazonBedrock"


class AwsCurSource(SourceConfig):
    """The Bedrock lines of one AWS bill, read from the bucket of its data export."""

    system: Literal["aws_cur"]
    # Read once a day: a day missed is old.
    stale_after_hours: int = 54
    evidence_layer: Literal["invoice"] = "invoice"
    # The providers whose bill this is: what it bills beyond what was metered becomes a charge.
    owns: tuple[Text, ...] = ("aws_bedrock",)
    bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!_.*'()/-]*$")] = ""
    export_name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
    # Product codes of models bought through the Marketplace, beside what Bedrock itself sells.
    marketplace_codes: tuple[str, ...] = ()
    endpoint_url_env: EnvName | None = None
    access_key_id_env: EnvName | None = None
    secret_access_key_env: EnvName | None = None


@dlt.source(name="aws_cur", max_table_nesting=0)
def aws_cur_source(
    *,
    bucket: str,
    prefix: str,
    export_name: str,
    region: str,
    marketplace_codes: Sequence[str] = (),
    endpoint_url: str | None,
    access_key_id: str | None,
    secret_access_key: str | None,
    instance: str,
    now: datetime,
    deep_reread: bool = False,
    history: timedelta = HISTORY,
) -> Sequence[DltResource]:
    """Line items of one data export; without keys boto3's own chain is asked."""

    def batches() -> Iterator[Batch]:
        import boto3

        client = boto3.client(
            "s3",
            region_name=region,
            endpoint_url=endpoint_url or None,
            aws_access_key_id=access_key_id or None,
            aws_secret_access_key=secret_access_key or None,
            config=client_config(),
        )
        folder = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        export = _Export(client, bucket, f"{folder}{export_name}/", tuple(marketplace_codes))
        state = dlt.current.source_state()
        at = now.astimezone(UTC)
        first_on = first_day(
            now=at, cursor=state.get("cursor"), deep_reread=deep_reread, history=history
        )
        yield from window_batches(
            _windows(export, _months(first_on, at.date())),
            contract=LINE_ITEMS,
            source_instance=instance,
            extracted_at=at,
        )
        state["cursor"] = max(at.date().isoformat(), state.get("cursor", ""))

    return rows_rejected_reads(
        "line_items",
        batches,
        description="Bedrock's lines of the bill; key (line item, usage start, usage type) in a "
        "billing period; restated months.",
    )


@dataclass(frozen=True)
class _Export:
    client: Any
    bucket: str
    folder: str
    marketplace_codes: tuple[str, ...]


@dataclass(frozen=True)
class _Manifest:
    key: str
    etag: str


def _months(first_on: date, last_on: date) -> list[str]:
    """The billing periods two days and those between them fall in."""
    count = (last_on.year - first_on.year) * 12 + last_on.month - first_on.month + 1
    months = (first_on.month - 1 + n for n in range(count))
    return [f"{first_on.year + month // 12}-{month % 12 + 1:02}" for month in months]


def _windows(export: _Export, months: Sequence[str]) -> Iterator[WindowRead]:
    """A window for each billing period that the export has delivered."""
    for month in months:
        manifest = _newest_manifest(export, month)
        if manifest is not None:
            yield WindowRead(
                month, lambda manifest=manifest, month=month: _read(export, month, manifest)
            )


def _read(export: _Export, month: str, manifest: _Manifest) -> list[tuple[str, Any]]:
    """Where each line of a period stands, and the line; a refresh under way fails the run."""
    rows: list[tuple[str, Any]] = []
    for key in _data_files(export, manifest):
        body = _get(export, key)
        records = parquet_records if key.endswith(".parquet") else csv_records
        rows += [
            (f"{key} line {number}", record)
            for number, record in records(io.BytesIO(body), place=f"{export.bucket}/{key}")
            if _is_ours(record, export)
        ]
        checkpoint("extract_page")
    if _newest_manifest(export, month) != manifest:
        raise SourceUnavailable(f"aws_cur: {month} was written anew while it was read")
    # The files of a refresh may cut the same lines differently: their order says nothing.
    return sorted(rows, key=lambda row: [str(value) for value in LINE_ITEMS.pick(row[1])])


def _is_ours(record: Any, export: _Export) -> bool:
    code = record.get("line_item_product_code")
    return isinstance(code, str) and (code.startswith(BEDROCK) or code in export.marketplace_codes)


def _newest_manifest(export: _Export, month: str) -> _Manifest | None:
    """The manifest of the latest refresh of a period; None where none was delivered."""

    folder = f"{export.folder}metadata/BILLING_PERIOD={month}/"
    items = listed(export.client, system="aws_cur", bucket=export.bucket, prefix=folder)
    found = [
        (item["LastModified"], item["Key"], item["ETag"])
        for item in items
        if item["Key"].endswith("Manifest.json")
    ]
    if not found:
        return None
    _, key, etag = max(found)
    return _Manifest(key, etag)


def _data_files(export: _Export, manifest: _Manifest) -> list[str]:
    """The keys of the files that a manifest names; all lie in the export's own bucket."""
    place = f"aws_cur: {export.bucket}/{manifest.key}"
    try:
        content = decode_json(_get(export, manifest.key))
    except ValueError:
        raise SourceError(f"{place} is not JSON") from None
    files = content.get("dataFiles") if isinstance(content, dict) else None
    if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
        raise SourceError(f"{place} names no data files")
    keys = []
    for name in files:
        url = urlsplit(name)
        key = url.path.removeprefix("/") if url.scheme == "s3" else name
        if url.scheme == "s3" and url.netloc != export.bucket:
            raise SourceError(f"{place} names a file of another bucket")
        if not key.startswith(export.folder) or not key.endswith((".parquet", ".csv.gz")):
            raise SourceError(f"{place} names a file that is no Parquet or gzipped CSV of its own")
        keys.append(key)
    return sorted(set(keys))


def _get(export: _Export, key: str) -> bytes:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = export.client.get_object(Bucket=export.bucket, Key=key)
        if answer["ContentLength"] > MAX_OBJECT_BYTES:
            raise SourceError(
                f"aws_cur: {export.bucket}/{key} is larger than {MAX_OBJECT_BYTES} bytes"
            )
        return answer["Body"].read()
    except (BotoCoreError, ClientError) as error:
        raise SourceError(
            f"aws_cur: reading {export.bucket}/{key} failed: {error_code(error)}"
        ) from None


CONTRACTS = (LINE_ITEMS,)
