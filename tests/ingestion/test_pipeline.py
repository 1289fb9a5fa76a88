"""A run that is killed and run again ends where a clean run ends, and content stays outside."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from raw_loads import NOW, cursor_of, load_invocations, load_spend_logs, loaded, rows_of, tied
from spend_log_server import SpendLogServer, call, spend_log_server

from ingestion.declared_tables import declare_tables
from ingestion.passes import begin_pass
from ingestion.pipeline import warehouse_path
from ingestion.systems import SYSTEMS
from sandbox.s3 import BucketServer
from sandbox.server import Sandbox

ROOT = Path(__file__).resolve().parents[2]
LOAD = """
import sys
from pathlib import Path
from raw_loads import load_spend_logs
load_spend_logs(Path(sys.argv[1]), sys.argv[2])
"""
# From the first page read to the last table of the load package, each counter dlt moves.
POINTS = [
    "extract_page:2",
    "dlt.extract:1",
    "dlt.normalize:1",
    "dlt.load:1",
    "dlt.load:3",
    "dlt.load:9",
]
CONTENT = "canary-content-71c9"
SECRET = "canary-secret-2b4e"


@pytest.fixture(scope="module")
def log() -> Iterator[SpendLogServer]:
    """A proxy with calls of three days, one of which does not fit."""
    rows = [
        call(number, at=f"2026-11-{day}T07:{number:02}:00Z")
        for day, first in (("21", 0), ("22", 20), ("23", 40))
        for number in range(first, first + 15)
    ]
    rows[44]["spend"] = "much"
    with spend_log_server(rows) as running:
        yield running


@pytest.fixture(scope="module")
def clean(log: SpendLogServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The warehouse of a run that nobody disturbed."""
    home = tmp_path_factory.mktemp("clean")
    load_spend_logs(home, log.url)
    return home


def contents(home: Path) -> dict[str, object]:
    """What complete loads hold and what is remembered, without names of loads."""
    tables = "spend_logs", "spend_logs__rejected", "spend_logs__reads"
    columns = (
        "columns('^[a-z]')",
        "column_name, reason, record_sha256, source_locator",
        "rows_read_count, rows_loaded_count, rows_rejected_count, source_locator",
    )
    held: dict[str, object] = {
        table: loaded(home, f"{wanted}, source_instance", table=f"raw_litellm.{table}")
        for table, wanted in zip(tables, columns, strict=True)
    }
    return held | {"state": cursor_of(home, "litellm", "litellm-main")}


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_run_ends_as_a_clean_one_with_and_without_the_dlt_folder(
    log: SpendLogServer, clean: Path, tmp_path: Path, point: str
) -> None:
    home = tmp_path / "home"
    killed = subprocess.run(
        [sys.executable, "-c", LOAD, str(home), log.url],
        cwd=ROOT,
        env=os.environ
        | {"METERHOUSE_CRASH_AT": point, "PYTHONPATH": os.pathsep.join([str(ROOT), "tests"])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr[-2000:]
    bare = tmp_path / "bare"
    shutil.copytree(home, bare)
    shutil.rmtree(bare / "dlt")
    for warehouse in (home, bare):
        load_spend_logs(warehouse, log.url)
        assert tied(warehouse) == (45, 44, 1)
        assert contents(warehouse) == contents(clean)


def test_tables_of_every_system_are_declared_empty_and_again_without_a_trace(
    tmp_path: Path,
) -> None:
    for _ in range(2):
        declare_tables(tmp_path)
        for system, tables in SYSTEMS.items():
            for contract in tables.contracts:
                assert tied(tmp_path, table=f"raw_{system}.{contract.resource}") == (0, 0, 0)


def test_a_declared_table_takes_real_rows_and_keeps_its_types(
    log: SpendLogServer, tmp_path: Path
) -> None:
    declare_tables(tmp_path)
    types = """select table_name, column_name, data_type from information_schema.columns
        where table_name in ('spend_logs', 'spend_logs__rejected', 'spend_logs__reads')
        order by all"""
    before = rows_of(tmp_path, types)
    load_spend_logs(tmp_path, log.url)
    assert tied(tmp_path) == (45, 44, 1)
    assert rows_of(tmp_path, types) == before
    assert ("spend_logs", "spend", "DECIMAL(38,15)") in before
    assert ("spend_logs", "start_time", "TIMESTAMP WITH TIME ZONE") in before


def test_passes_are_numbered_from_one_and_keep_their_time(tmp_path: Path) -> None:
    first_at = datetime(2026, 11, 23, 8, tzinfo=UTC)
    for number in (1, 2, 3):
        assert begin_pass(tmp_path, as_of=first_at + timedelta(minutes=number)) == number
    passes = rows_of(tmp_path, "select pass_id, as_of from raw_run.passes order by pass_id")
    assert passes == [(n, first_at + timedelta(minutes=n)) for n in (1, 2, 3)]


def test_a_pass_is_numbered_above_what_others_know_of_a_home_that_was_lost(tmp_path: Path) -> None:
    at = datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert [begin_pass(tmp_path, as_of=at, above=above) for above in (900, 900, 5)] == [
        901,
        902,
        903,
    ]


def test_only_the_owner_may_read_the_home(log: SpendLogServer, tmp_path: Path) -> None:
    home = tmp_path / "home"
    load_spend_logs(home, log.url)
    assert home.stat().st_mode & 0o777 == 0o700


def test_no_content_and_no_secret_is_in_any_byte_under_the_home(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, vendors = tmp_path / "home", tmp_path / "vendors"
    row = call(
        1,
        messages=[{"role": "user", "content": CONTENT}],
        response={"choices": [{"message": {"content": CONTENT}}]},
        proxy_server_request={"body": CONTENT},
        api_base=f"https://{CONTENT}.example",
        requester_ip_address=CONTENT,
        prompt=CONTENT,
        metadata={
            "error_information": {"error_message": CONTENT, "traceback": CONTENT},
            "proxy_server_request": {"body": CONTENT},
            "requester_metadata": {"note": CONTENT},
            "spend_logs_metadata": {"feature": "chat", "note": CONTENT},
            "user_api_key_auth_metadata": {"token": CONTENT},
        },
        request_tags=["feature=chat", f"User-Agent: {CONTENT}"],
    )
    rows = [row, {**row, "request_id": "bad", "spend": CONTENT}, CONTENT]
    with Sandbox(home=vendors, as_of=NOW, events=200, days=2, canary=CONTENT) as sandbox:
        load_invocations(home, sandbox.s3_url)
        load_spend_logs(home, sandbox.litellm_url, api_key=sandbox.viewer_key)
    with spend_log_server([row]) as log:
        log.rewrite = lambda page: {**page, "data": rows, "total": 3} if page["data"] else page
        load_spend_logs(home, log.url)
        log.rewrite = lambda page: f"<html>{CONTENT}</html>"
        for api_key in ("sk-test-viewer-key", SECRET):
            with pytest.raises(PipelineStepFailed):
                load_spend_logs(home, log.url, api_key=api_key)
    _, kept, rejected = tied(home)
    assert kept > 50 and rejected == 2
    assert tied(home, table="raw_bedrock.invocations")[1] > 20
    files = [path for path in home.rglob("*") if path.is_file()]
    assert warehouse_path(home) in files
    needles = [CONTENT, SECRET, "sk-test-viewer-key", "sk-sandbox-viewer", "sandbox-secret-access"]
    for path in files:
        data = path.read_bytes()
        assert [needle for needle in needles if needle.encode() in data] == [], path
    told = capfd.readouterr()
    assert [needle for needle in needles if needle in told.out + told.err] == []


def test_two_systems_share_the_warehouse_and_not_their_cursors(
    log: SpendLogServer, tmp_path: Path
) -> None:
    load_spend_logs(tmp_path, log.url)
    before = cursor_of(tmp_path, "litellm", "litellm-main")
    with BucketServer(port=0) as bucket:
        load_invocations(tmp_path, bucket.url)
    assert cursor_of(tmp_path, "litellm", "litellm-main") == before
    assert cursor_of(tmp_path, "bedrock", "bedrock-main") == {}
