"""Invocation logs are read object by object from S3, each once, without a word of their bodies."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from raw_loads import BEDROCK, FIXTURES, NOW, cursor_of, load_invocations, loaded, refusal, tied

from ingestion.bedrock import MAX_OBJECT_BYTES
from sandbox.s3 import SECRET_ACCESS_KEY, BucketServer

TABLE = "raw_bedrock.invocations"
LOGS = "bedrock/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1"
DELIVERED = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def bucket() -> Iterator[BucketServer]:
    """An S3 server with an empty log bucket."""
    with BucketServer(port=0) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A warehouse nothing was loaded into."""
    return tmp_path / "home"


def line(request: str, **fields: Any) -> bytes:
    """An invocation that counts 100 tokens in and 10 out."""
    record = {
        "timestamp": "2026-11-23T06:29:00Z",
        "accountId": "123456789012",
        "region": "us-east-1",
        "requestId": request,
        "operation": "Converse",
        "modelId": "amazon.nova-lite-v1:0",
        "input": {"inputTokenCount": 100},
        "output": {"outputTokenCount": 10},
        **fields,
    }
    return orjson.dumps(record)


def deliver(
    bucket: BucketServer, name: str, *lines: bytes, at: datetime = DELIVERED, folder: str = ""
) -> str:
    """One log object in the folder of its hour; the name of the object."""
    key = f"{LOGS}/{at:%Y/%m/%d/%H}/{folder}{name}.json.gz"
    bucket.put(key, body=gzip.compress(b"\n".join(lines)), last_modified=at)
    return key


def deliver_fixture(bucket: BucketServer) -> None:
    root = FIXTURES / "bedrock" / "s3"
    for path in sorted(root.rglob("*")):
        if path.is_file():
            key = path.relative_to(root).as_posix()
            bucket.put(key, body=path.read_bytes(), last_modified=DELIVERED)


def requests(home: Path) -> list[str]:
    return list(loaded(home, "request_id", table=TABLE))


def state_of(home: Path) -> dict[str, Any]:
    return cursor_of(home, "bedrock", BEDROCK)


def refused(home: Path, url: str) -> str:
    """Why the run failed; the warehouse holds what it held, the cursor stands where it stood."""
    before = state_of(home), requests(home), tied(home, table=TABLE)
    with pytest.raises(PipelineStepFailed) as failed:
        load_invocations(home, url)
    assert SECRET_ACCESS_KEY not in str(failed.value)
    assert (state_of(home), requests(home), tied(home, table=TABLE)) == before
    return refusal(failed)


def test_the_log_objects_of_the_real_layout_are_read_and_nothing_beside_them(
    bucket: BucketServer, home: Path
) -> None:
    deliver_fixture(bucket)
    # Two log objects, one body above 100 kB under data/, and the check of the permission.
    assert bucket.count() == 4
    load_invocations(home, bucket.url)
    assert tied(home, table=TABLE) == (6, 6, 0)
    ends = [request[9:13] for request in requests(home)]
    assert ends == ["0001", "0001", "0002", "0003", "0004", "0005"]
    counts = loaded(
        home,
        "substr(request_id, 10, 4), input_token_count, cache_read_input_token_count, "
        "cache_write_input_token_count, cache_write_5m_token_count, output_token_count, "
        "latency_ms, first_byte_latency_ms, error_code, richness",
        table=TABLE,
    )
    assert counts == [
        # Two deliveries: the leaner one lacks the lifetime, the latency and the metadata.
        ("0001", 300, 8000, 5000, 5000, 420, 2410, None, None, 15),
        ("0001", 300, 8000, 5000, None, 420, None, None, None, 12),
        ("0002", 48, None, None, None, 210, 1800, 402, None, 12),
        ("0003", 512, None, None, None, None, None, None, None, 8),
        ("0004", 91000, None, None, None, 3900, None, None, None, 10),
        ("0005", None, None, None, None, None, None, None, "ThrottlingException", 8),
    ]


def test_an_empty_bucket_makes_the_tables(bucket: BucketServer, home: Path) -> None:
    bucket.put(f"{LOGS}/amazon-bedrock-logs-permission-check", body=b"", last_modified=DELIVERED)
    load_invocations(home, bucket.url)
    assert tied(home, table=TABLE) == (0, 0, 0)
    assert state_of(home) == {}


def test_every_page_of_the_listing_is_read(
    bucket: BucketServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    for number in range(5):
        deliver(bucket, f"object-{number}", line(f"r{number}"))
    load_invocations(home, bucket.url)
    assert requests(home) == ["r0", "r1", "r2", "r3", "r4"]


def test_more_objects_than_are_fetched_ahead_are_read(bucket: BucketServer, home: Path) -> None:
    for number in range(70):
        deliver(bucket, f"object-{number}", line(f"r{number:02}"))
    load_invocations(home, bucket.url)
    assert requests(home) == [f"r{number:02}" for number in range(70)]


# Objects and lines that are none


def test_a_line_that_does_not_fit_is_set_aside_with_its_reason_and_the_rest_loads(
    bucket: BucketServer, home: Path
) -> None:
    lines = (FIXTURES / "bedrock" / "malformed.jsonl").read_bytes().splitlines()
    key = deliver(bucket, "malformed", *lines, b"[" * 100_000)
    load_invocations(home, bucket.url)
    assert requests(home) == ["good-1", "good-2", "strange-ttl", "surrogate-metadata"]
    rejected = loaded(
        home, "source_locator, column_name, reason", table="raw_bedrock.invocations__rejected"
    )
    assert {
        int(locator.removeprefix(f"{key} line ")): (column, reason)
        for locator, column, reason in rejected
    } == {
        2: (None, "not_an_object"),
        3: ("input_token_count", "not_an_integer"),
        4: ("input_token_count", "not_an_integer"),
        5: ("output_token_count", "negative"),
        6: ("cache_read_input_token_count", "out_of_range"),
        7: ("request_id", "missing"),
        8: ("timestamp", "not_a_time_with_zone"),
        9: (None, "not_an_object"),
        12: ("region", "missing"),
        14: (None, "not_an_object"),
    }
    metadata = dict(loaded(home, "request_id, request_metadata", table=TABLE))
    assert metadata["surrogate-metadata"] == '{"team":"team-data"}'
    assert tied(home, table=TABLE) == (14, 4, 10)
    deliver(bucket, "next", line("next"), at=DELIVERED + MINUTE)
    load_invocations(home, bucket.url)
    assert tied(home, table=TABLE) == (15, 5, 10)


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(line("half") * 100)[:-20], gzip.compress(b"x")[:5]],
    ids=["no gzip", "truncated", "header only"],
)
def test_an_object_that_is_no_whole_gzip_fails_the_run(
    bucket: BucketServer, home: Path, body: bytes
) -> None:
    deliver(bucket, "good", line("good"))
    load_invocations(home, bucket.url)
    key = deliver(bucket, "broken", at=DELIVERED + MINUTE)
    bucket.put(key, body=body, last_modified=DELIVERED + MINUTE)
    assert refused(home, bucket.url) == f"bedrock: acme-bedrock-logs/{key} is not a whole gzip file"
    deliver(bucket, "broken", line("mended"), at=DELIVERED + MINUTE)
    load_invocations(home, bucket.url)
    assert requests(home) == ["good", "mended"]


def test_a_gzip_bomb_fails_the_run(bucket: BucketServer, home: Path) -> None:
    load_invocations(home, bucket.url)
    mebibytes = MAX_OBJECT_BYTES >> 20
    bomb = gzip.compress(bytes(1 << 20)) * (mebibytes + 1)
    assert len(bomb) < MAX_OBJECT_BYTES // 500
    key = deliver(bucket, "bomb")
    bucket.put(key, body=bomb, last_modified=DELIVERED)
    assert refused(home, bucket.url).endswith(f"{key} holds more than {MAX_OBJECT_BYTES} bytes")


def test_a_store_that_does_not_answer_fails_the_run(home: Path) -> None:
    with BucketServer(port=0) as bucket:
        load_invocations(home, bucket.url)
        url = bucket.url
    assert refused(home, url).startswith("bedrock: listing acme-bedrock-logs failed: ")


def test_names_of_objects_are_never_paths(bucket: BucketServer, home: Path, tmp_path: Path) -> None:
    for name in ("../../../../../../etc/x", "a\\..\\b", "per%cent", "with space"):
        deliver(bucket, name, line(name))
    load_invocations(home, bucket.url)
    assert tied(home, table=TABLE) == (4, 4, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


# Read again


def test_an_unchanged_bucket_appends_nothing(bucket: BucketServer, home: Path) -> None:
    deliver_fixture(bucket)
    for hours in range(3):
        load_invocations(home, bucket.url, now=NOW + timedelta(hours=hours))
    assert tied(home, table=TABLE) == (6, 6, 0)


def test_objects_of_the_second_last_read_are_not_lost(bucket: BucketServer, home: Path) -> None:
    deliver(bucket, "b", line("first"))
    load_invocations(home, bucket.url)
    deliver(bucket, "a", line("same second"))
    deliver(bucket, "c", line("minutes earlier"), at=DELIVERED - 20 * MINUTE)
    load_invocations(home, bucket.url)
    load_invocations(home, bucket.url)
    assert requests(home) == ["first", "minutes earlier", "same second"]
    assert state_of(home)["cursor"] == DELIVERED.isoformat()


def test_an_object_that_stayed_away_longer_is_found_by_the_deep_read(
    bucket: BucketServer, home: Path
) -> None:
    deliver(bucket, "b", line("first"))
    load_invocations(home, bucket.url)
    deliver(bucket, "late", line("late"), at=DELIVERED - timedelta(hours=30))
    load_invocations(home, bucket.url)
    assert requests(home) == ["first"]
    load_invocations(home, bucket.url, deep_reread=True)
    assert set(requests(home)) == {"first", "late"}


def test_objects_of_days_since_are_found_across_midnight(bucket: BucketServer, home: Path) -> None:
    evening = datetime(2026, 11, 30, 23, 59, 30, tzinfo=UTC)
    deliver(bucket, "a", line("before"), at=evening)
    load_invocations(home, bucket.url, now=evening + MINUTE)
    deliver(bucket, "b", line("after"), at=evening + MINUTE)
    deliver(bucket, "c", line("days later"), at=evening + timedelta(days=2))
    load_invocations(home, bucket.url, now=evening + timedelta(days=3))
    assert requests(home) == ["after", "before", "days later"]


def test_the_cursor_never_goes_back(home: Path) -> None:
    later = DELIVERED + 30 * MINUTE
    with BucketServer(port=0) as bucket:
        deliver(bucket, "a", line("early"), at=DELIVERED - 40 * MINUTE)
        deliver(bucket, "b", line("kept"))
        deliver(bucket, "c", line("deleted"), at=later)
        load_invocations(home, bucket.url)
    # The source's lifecycle rule has deleted the newest object.
    with BucketServer(port=0) as bucket:
        deliver(bucket, "a", line("early"), at=DELIVERED - 40 * MINUTE)
        deliver(bucket, "b", line("kept"))
        for _ in range(3):
            load_invocations(home, bucket.url)
    assert state_of(home)["cursor"] == later.isoformat()
    assert requests(home) == ["deleted", "early", "kept"]
