"""Loads of the two systems into a warehouse of their own, and what its raw tables hold then."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from spend_log_server import API_KEY

from ingestion.bedrock import bedrock_source
from ingestion.http import SourceError
from ingestion.litellm import litellm_source
from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from sandbox.company import BUCKET, REGION
from sandbox.s3 import ACCESS_KEY_ID, SECRET_ACCESS_KEY

FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
LITELLM, BEDROCK = "litellm-main", "bedrock-main"


def triple(resource: str) -> list[str]:
    """A resource with its rejected rows and its counts."""
    return [f"{resource}{suffix}" for suffix in ("", "__rejected", "__reads")]


def load_spend_logs(
    home: Path,
    url: str,
    *,
    now: datetime = NOW,
    deep_reread: bool = False,
    days: int = 4,
    api_key: str = API_KEY,
) -> None:
    """One run of the LiteLLM source that goes back a few days, without waiting between tries."""
    source = litellm_source(
        base_url=url,
        api_key=api_key,
        instance=LITELLM,
        now=now,
        deep_reread=deep_reread,
        history=timedelta(days=days),
        backoff_seconds=0.001,
    )
    usage = source.with_resources(*triple("spend_logs"))
    run_source(pipeline_for("litellm", instance=LITELLM, home=home), usage)


def load_invocations(
    home: Path, url: str, *, now: datetime = NOW, deep_reread: bool = False
) -> None:
    """One run of the Bedrock source over the bucket of an S3 server."""
    source = bedrock_source(
        bucket=BUCKET,
        prefix="bedrock",
        account_id="123456789012",
        region=REGION,
        endpoint_url=url,
        access_key_id=ACCESS_KEY_ID,
        secret_access_key=SECRET_ACCESS_KEY,
        instance=BEDROCK,
        now=now,
        deep_reread=deep_reread,
    )
    logs = source.with_resources(*triple("invocations"))
    run_source(pipeline_for("bedrock", instance=BEDROCK, home=home), logs)


def refusal(failed: pytest.ExceptionInfo[PipelineStepFailed]) -> str:
    """What the source said when it failed its run."""
    error: BaseException | None = failed.value
    while error is not None and not isinstance(error, SourceError):
        error = error.__cause__ or error.__context__
    assert error is not None, f"no SourceError behind {failed.value}"
    return str(error)


def rows_of(home: Path, query: str) -> list[tuple[Any, ...]]:
    """The answer of the warehouse to a query."""
    with duckdb.connect(str(warehouse_path(home)), read_only=True) as connection:
        return connection.execute(query).fetchall()


def loaded(home: Path, columns: str, *, table: str = "raw_litellm.spend_logs") -> list[Any]:
    """Columns of the rows of complete loads, in the order of the first; one column as values."""
    dataset = table.partition(".")[0]
    found = rows_of(
        home,
        f"""select {columns} from {table} as loaded
        where loaded._dlt_load_id in (select load_id from {dataset}._dlt_loads where status = 0)
        order by all""",
    )
    return found if "," in columns else [row[0] for row in found]


def tied(home: Path, *, table: str = "raw_litellm.spend_logs") -> tuple[int, int, int]:
    """Rows read, loaded and rejected, after checking that the counts are those of the tables."""
    dataset = table.partition(".")[0]
    complete = f"_dlt_load_id in (select load_id from {dataset}._dlt_loads where status = 0)"
    [[read, kept, rejected]] = rows_of(
        home,
        f"""select coalesce(sum(rows_read_count), 0), coalesce(sum(rows_loaded_count), 0),
            coalesce(sum(rows_rejected_count), 0)
        from {table}__reads where {complete}""",
    )
    [[rows]] = rows_of(home, f"select count(*) from {table} where {complete}")
    [[refused]] = rows_of(home, f"select count(*) from {table}__rejected where {complete}")
    assert (kept, rejected) == (rows, refused)
    assert read == kept + rejected
    return int(read), int(kept), int(rejected)


def cursor_of(home: Path, system: str, instance: str) -> dict[str, Any]:
    """What the source remembers in the warehouse: its cursor and what it has read."""
    pipeline = pipeline_for(system, instance=instance, home=home)
    pipeline.drop()
    pipeline.sync_destination()
    return dict(pipeline.state.get("sources", {}).get(system, {}))
