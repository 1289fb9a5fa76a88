"""AWS's bill is read period by period from its manifest, and only Bedrock's lines of it."""

import gzip
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bill_loads import EXPORT, csv_gz, cur_lines, deliver, load_aws_cur
from dlt.pipeline.exceptions import PipelineStepFailed
from raw_loads import cursor_of, loaded, refusal, rows_of, tied

from ingestion.aws_cur_records import csv_records
from ingestion.http import SourceError
from sandbox.aws_cur import parquet_file
from sandbox.s3 import SECRET_ACCESS_KEY, BucketServer

TABLE = "raw_aws_cur.line_items"
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def bucket() -> Iterator[BucketServer]:
    """An S3 server with an empty bucket for exports."""
    with BucketServer(port=0) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A warehouse nothing was loaded into."""
    return tmp_path / "home"


def line(name: str, cost: Any, *, day: str = "2026-11-20", **fields: Any) -> dict[str, Any]:
    """A line of Bedrock's that costs so much."""
    return cur_lines("cur2_rows.jsonl")[0] | {
        "identity_line_item_id": name,
        "line_item_usage_start_date": f"{day}T10:00:00Z",
        "line_item_usage_end_date": f"{day}T11:00:00Z",
        "line_item_unblended_cost": cost,
        **fields,
    }


def costs(home: Path) -> list[tuple[Any, ...]]:
    return loaded(home, "line_item_id, unblended_cost", table=TABLE)


EXPECTED = [
    ("USE1-Claude4.5Sonnet-cache-read-input-token-count", Decimal(8), Decimal("0.0024")),
    ("USE1-Claude4.5Sonnet-cache-write-input-token-count", Decimal(5), Decimal("0.01875")),
    ("USE1-Claude4.5Sonnet-input-tokens", Decimal("0.3"), Decimal("0.0009")),
    ("USE1-Claude4.5Sonnet-output-tokens", Decimal("0.42"), Decimal("0.0063")),
    ("USE1-Nova2.0Lite-input-tokens-flex", Decimal(12), Decimal("0.0018")),
]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_the_recorded_lines_read_alike_from_both_kinds_of_file(
    bucket: BucketServer, home: Path, kind: str
) -> None:
    lines = cur_lines("cur2_rows.jsonl")
    if kind == "parquet":
        deliver(bucket, "2026-11", ("a-00001.snappy.parquet", parquet_file(lines)), at=NOW)
    else:
        deliver(bucket, "2026-11", ("a-00001.csv.gz", csv_gz(lines)), at=NOW)
    load_aws_cur(home, bucket.url, now=NOW)
    assert tied(home, table=TABLE) == (5, 5, 0)
    columns = "usage_type, usage_amount, unblended_cost"
    assert loaded(home, columns, table=TABLE) == EXPECTED
    [facts] = rows_of(
        home,
        f"""select distinct usage_start_at at time zone 'UTC', pricing_unit, resource_tags, region,
            iam_principal, window_key from {TABLE}""",
    )
    assert facts == (
        datetime(2026, 11, 20, 10),  # noqa: DTZ001
        "1K tokens",
        '{"user_team":"support"}',
        "us-east-1",
        "arn:aws:sts::123456789012:assumed-role/app-support",
        "2026-11",
    )


def test_an_export_that_has_delivered_nothing_makes_the_tables(
    bucket: BucketServer, home: Path
) -> None:
    load_aws_cur(home, bucket.url, now=NOW)
    assert tied(home, table=TABLE) == (0, 0, 0)


def test_only_bedrocks_lines_are_read_and_those_that_do_not_fit_set_aside(
    bucket: BucketServer, home: Path
) -> None:
    lines = cur_lines("malformed.jsonl")
    bought = line("bought", "7", line_item_product_code="8xmarketplace")
    deliver(bucket, "2026-11", ("a.csv.gz", csv_gz([*lines, bought])), at=NOW)
    load_aws_cur(home, bucket.url, now=NOW, codes=["8xmarketplace"])
    assert tied(home, table=TABLE) == (6, 3, 3)
    assert costs(home) == [
        ("bought", Decimal(7)),
        ("credit", Decimal("-2.5")),
        ("good", Decimal("0.09")),
    ]
    rejected = rows_of(
        home,
        f"select column_name, reason, source_locator from {TABLE}__rejected order by all",
    )
    key = f"{EXPORT}/data/BILLING_PERIOD=2026-11/a.csv.gz"
    assert rejected == [
        ("line_item_id", "missing", f"{key} line 6"),
        ("unblended_cost", "not_an_amount", f"{key} line 4"),
        ("usage_start_at", "not_a_time_with_zone", f"{key} line 5"),
    ]


def test_a_period_is_replaced_whole_and_an_unchanged_one_is_not_appended(
    bucket: BucketServer, home: Path
) -> None:
    october = line("closed", "5", day="2026-10-30")
    deliver(bucket, "2026-10", ("o.csv.gz", csv_gz([october])), at=NOW)
    first = [line("kept", "1"), line("gone", "2"), line("dearer", "3")]
    deliver(bucket, "2026-11", ("n.csv.gz", csv_gz(first)), at=NOW)
    load_aws_cur(home, bucket.url, now=NOW)
    # A refresh cuts the same lines into other files: nothing has changed.
    parts = [csv_gz(first[2:]), csv_gz(first[:2])]
    files = [(f"n-{number}.csv.gz", part) for number, part in enumerate(parts)]
    deliver(bucket, "2026-11", *files, at=NOW + HOUR, run="run-2/")
    for hours in (1, 2):
        load_aws_cur(home, bucket.url, now=NOW + hours * HOUR)
    assert tied(home, table=TABLE) == (4, 4, 0)
    second = [line("kept", "1"), line("dearer", "3.5")]
    body = parquet_file(second)
    deliver(bucket, "2026-11", ("n.snappy.parquet", body), at=NOW + 5 * HOUR, run="run-3/")
    load_aws_cur(home, bucket.url, now=NOW + 6 * HOUR)
    assert tied(home, table=TABLE) == (6, 6, 0)
    assert costs(home)[-2:] == [("kept", Decimal(1)), ("kept", Decimal(1))]
    readings = rows_of(
        home,
        f"select window_key, rows_read_count from {TABLE}__reads where window_key is not null"
        " order by extracted_at, window_key",
    )
    assert readings == [("2026-10", 1), ("2026-11", 3), ("2026-11", 2)]


def test_a_closed_month_is_read_again_by_the_deep_reread_alone(
    bucket: BucketServer, home: Path
) -> None:
    later = datetime(2026, 12, 20, 8, tzinfo=UTC)
    load_aws_cur(home, bucket.url, now=later)
    deliver(bucket, "2026-11", ("n.csv.gz", csv_gz([line("late", "1")])), at=later)
    load_aws_cur(home, bucket.url, now=later + HOUR)
    assert costs(home) == []
    load_aws_cur(home, bucket.url, now=later + HOUR, deep_reread=True)
    assert costs(home) == [("late", Decimal(1))]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"no gzip", "is not a whole gzipped CSV file"),
        (csv_gz([line("half", "1")] * 500)[:-30], "is not a whole gzipped CSV file"),
        (gzip.compress(b"identity_line_item_id,x\n1,2\n"), "has no column line_item_line_item_"),
        (gzip.compress(b""), "has no column identity_line_item_id"),
    ],
    ids=["no gzip", "truncated", "column gone", "empty"],
)
def test_a_file_that_is_none_is_refused(body: bytes, expected: str) -> None:
    with pytest.raises(SourceError, match=expected):
        list(csv_records(io.BytesIO(body), place="bucket/key"))


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (["s3://another/exports/acme-cur2/data/x.csv.gz"], "names a file of another bucket"),
        (["s3://acme-cost-exports/other/x.csv.gz"], "names a file that is no Parquet or gzipped"),
        (["s3://acme-cost-exports/exports/acme-cur2/gone.parquet"], "failed: NoSuchKey"),
        ([None], "names no data files"),
    ],
    ids=["another bucket", "another export", "a file that is gone", "no name"],
)
def test_a_manifest_that_leads_nowhere_fails_the_run_and_moves_nothing(
    bucket: BucketServer, home: Path, named: list[Any], expected: str
) -> None:
    deliver(bucket, "2026-11", at=NOW, named=named)
    with pytest.raises(PipelineStepFailed) as failed:
        load_aws_cur(home, bucket.url, now=NOW)
    assert expected in refusal(failed)
    assert SECRET_ACCESS_KEY not in str(failed.value)
    assert cursor_of(home, "aws_cur", "aws-cur") == {}
