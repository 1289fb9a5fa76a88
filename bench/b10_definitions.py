"""B10: loading the definitions, against importing the three libraries they stand on."""

import sys
from pathlib import Path

from bench.measure import Figure, in_fresh_process, middle

EXPECTED = 1.5
ROUNDS = 7
_TIMED = """
import json, sys, time
wall, cpu = time.perf_counter(), time.process_time()
import {names}
sys.stdout.write("\\n" + json.dumps(
    {{"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}}
))
"""
OURS = _TIMED.format(names="orchestration.definitions")
LIBRARIES = _TIMED.format(names="dagster, dagster_dbt, dagster_dlt")


def measure(home: Path, *, rounds: int) -> Figure:
    """The ratio of medians over interleaved fresh processes, the manifest being ready."""
    environ = {"METERHOUSE_HOME": str(home)}
    # The first load parses the project and compiles bytecode; it is not what every process pays.
    in_fresh_process(["-c", OURS], environ=environ)
    in_fresh_process(["-c", LIBRARIES], environ=environ)
    ours, libraries = [], []
    for _ in range(rounds):
        libraries.append(in_fresh_process(["-c", LIBRARIES], environ=environ))
        ours.append(in_fresh_process(["-c", OURS], environ=environ))
    seconds = middle([each["seconds"] for each in ours])
    reference = middle([each["seconds"] for each in libraries])
    cpu = middle([each["cpu_seconds"] for each in ours])
    return Figure(
        id="B10",
        what="importing orchestration.definitions in a fresh process",
        reference="importing dagster, dagster_dbt and dagster_dlt",
        unit="s",
        measured=seconds,
        reference_measured=reference,
        ratio=seconds / reference,
        expected=EXPECTED,
        is_upper_bound=True,
        rows=None,
        peak_mb=None,
        note=f"manifest ready; median of {rounds} interleaved; Python {sys.version_info.major}."
        f"{sys.version_info.minor}",
        details={
            "cpu_ratio": cpu / middle([each["cpu_seconds"] for each in libraries]),
            "all_seconds": [each["seconds"] for each in ours],
            "all_reference_seconds": [each["seconds"] for each in libraries],
        },
    )
