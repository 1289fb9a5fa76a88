"""Dagster's event log with its files kept open is Dagster's own, file for file."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from orchestration.cli.instance import prepare_instance
from orchestration.event_log import OpenSqliteEventLog

KEY = dg.AssetKey("one")
MANY = 12  # runs: more than there are files kept open
ANOTHER_PROCESS = """
import dagster as dg
with dg.DagsterInstance.get() as instance:
    for number in range(20):
        instance.report_runless_asset_event(dg.AssetMaterialization("other"))
"""


@dg.asset(check_specs=[dg.AssetCheckSpec("whole", asset="one")])
def one() -> dg.MaterializeResult:
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)])


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """The instance of a fresh home."""
    monkeypatch.setenv("METERHOUSE_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    prepare_instance()
    with dg.DagsterInstance.get() as opened:
        yield opened


def files_open(folder: Path) -> int:
    """How many of the log's databases this process holds open."""
    held = {each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()}
    return sum(path.parent == folder and path.suffix == ".db" for path in held)


def test_what_it_writes_dagsters_own_storage_reads_and_the_other_way_round(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    assert isinstance(instance.event_log_storage, OpenSqliteEventLog)
    run_id = dg.materialize([one], instance=instance).run_id
    folder = tmp_path / "dagster" / "history" / "runs"
    own = SqliteEventLogStorage(str(folder))
    written = instance.event_log_storage.get_records_for_run(run_id).records
    assert [each.event_log_entry for each in own.get_records_for_run(run_id).records] == [
        each.event_log_entry for each in written
    ]
    assert own.has_asset_key(KEY)
    assert own.get_asset_check_summary_records([dg.AssetCheckKey(KEY, "whole")])


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are seen on Linux")
def test_no_more_files_stay_open_than_it_says_and_none_once_it_is_closed(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    folder = tmp_path / "dagster" / "history" / "runs"
    for _ in range(MANY):
        dg.materialize([one], instance=instance)
    assert len(list(folder.glob("*.db"))) == MANY + 1  # and the index
    assert 1 < files_open(folder) <= 8
    instance.event_log_storage.wipe()
    assert [path.name for path in folder.glob("*.db")] == ["index.db"]
    assert not instance.event_log_storage.has_asset_key(KEY)
    dg.materialize([one], instance=instance)
    assert instance.event_log_storage.has_asset_key(KEY)
    instance.event_log_storage.dispose()
    assert files_open(folder) == 0


def test_threads_and_processes_write_at_once_and_nothing_is_lost(
    instance: dg.DagsterInstance,
) -> None:
    def write() -> None:
        for _ in range(20):
            instance.report_runless_asset_event(dg.AssetMaterialization(KEY))

    other = subprocess.Popen([sys.executable, "-c", ANOTHER_PROCESS])
    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other.wait(60) == 0
    counts = {
        name: len(instance.fetch_materializations(dg.AssetKey(name), limit=100).records)
        for name in ("one", "other")
    }
    assert counts == {"one": 60, "other": 20}
