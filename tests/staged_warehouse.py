"""A warehouse with the staging views built by dbt over what the sources really loaded."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from ingestion.pipeline import warehouse_path

PROJECT = Path(__file__).resolve().parents[1] / "dbt_project"
Event = dict[str, Any]


# dbt parses a project anew for each value of METERHOUSE_HOME and each target: all homes of this
# process are built through one link into one target, one after the other.
_SHARED = tempfile.TemporaryDirectory(prefix="meterhouse-dbt-")
_TARGET = Path(_SHARED.name) / "target"


def build(home: Path, *, select: Sequence[str]) -> None:
    """Builds these models and runs the tests that stand on them alone."""
    _dbt(
        home,
        *("build", "--indirect-selection", "cautious", "--exclude-resource-type", "unit_test"),
        *("--select", *select),
    )


def compiled_models(home: Path, *, select: Sequence[str]) -> dict[str, str]:
    """The SQL of these models for a home in which nothing is built yet."""
    shutil.rmtree(_TARGET / "compiled", ignore_errors=True)
    _dbt(home, "compile", "--select", *select)
    found = (_TARGET / "compiled").rglob("*.sql")
    sql = {path.stem: path.read_text(encoding="utf-8") for path in found}
    return {name: sql[name] for name in select}


def compiled_inline(sql: str, *, home: Path) -> str:
    """What dbt makes of a piece of SQL with macros, for DuckDB."""
    return _dbt(home, "compile", "--inline", sql)


def _dbt(home: Path, command: str, *arguments: str) -> str:
    """What a dbt command that succeeds printed."""
    link = Path(_SHARED.name) / "home"
    link.unlink(missing_ok=True)
    link.symlink_to(home.resolve(), target_is_directory=True)
    options = (
        *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
        *("--target-path", str(_TARGET), "--log-path", str(_TARGET / "logs")),
    )
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("dbt")), "--quiet", command),
            *options,
            *arguments,
        ],
        env=os.environ | {"METERHOUSE_HOME": str(link), "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def events_of(home: Path, relation: str) -> list[Event]:
    """The rows of a relation by column name."""
    with duckdb.connect(str(warehouse_path(home)), read_only=True) as connection:
        cursor = connection.execute(f"select * from {relation}")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def buckets(event: Event) -> dict[str, int]:
    """The token buckets of an event that are not empty."""
    totals = {"total_tokens", "total_input_tokens", "total_output_tokens", "total_mismatch_tokens"}
    return {
        name.removesuffix("_tokens"): count
        for name, count in event.items()
        if name.endswith("_tokens") and name not in totals and count != 0
    }
