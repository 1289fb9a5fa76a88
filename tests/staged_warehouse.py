"""A warehouse with the staging views built by dbt over what the sources really loaded."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from ingestion.pipeline import warehouse_path

PROJECT = Path(__file__).resolve().parents[1] / "dbt_project"
Event = dict[str, Any]


def build(home: Path, *, select: Sequence[str]) -> None:
    """Builds these models and runs the tests that stand on them alone.

    dbt parses a project anew for each value of METERHOUSE_HOME: homes beside one another are built
    through one link, one after the other.
    """
    link, target = home.with_name("dbt_home"), compiled(home).parent
    link.unlink(missing_ok=True)
    link.symlink_to(home, target_is_directory=True)
    command = [str(Path(sys.executable).with_name("dbt")), "--quiet", "build"]
    command += ["--indirect-selection", "cautious", "--exclude-resource-type", "unit_test"]
    command += ["--select", *select]
    for option, value in (
        ("--project-dir", PROJECT),
        ("--profiles-dir", PROJECT),
        ("--target-path", target),
        ("--log-path", target / "logs"),
    ):
        command += [option, str(value)]
    environment = os.environ | {"METERHOUSE_HOME": str(link), "DO_NOT_TRACK": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def compiled(home: Path) -> Path:
    """The SQL of the models as last built for a home."""
    return home.with_name("dbt_target") / "compiled"


def compiled_models(home: Path, *, select: Sequence[str]) -> dict[str, str]:
    """The SQL of these models for a home in which nothing is built yet."""
    _compile(home, "--select", *select)
    found = (home / "dbt_target" / "compiled").rglob("*.sql")
    sql = {path.stem: path.read_text(encoding="utf-8") for path in found}
    return {name: sql[name] for name in select}


def compiled_inline(sql: str, *, home: Path) -> str:
    """What dbt makes of a piece of SQL with macros, for DuckDB."""
    return _compile(home, "--inline", sql)


def _compile(home: Path, *arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("dbt")), "--quiet", "compile", *arguments]
    for option, value in (
        ("--project-dir", PROJECT),
        ("--profiles-dir", PROJECT),
        ("--target-path", home / "dbt_target"),
        ("--log-path", home / "dbt_target" / "logs"),
    ):
        command += [option, str(value)]
    environment = os.environ | {"METERHOUSE_HOME": str(home), "DO_NOT_TRACK": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
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
