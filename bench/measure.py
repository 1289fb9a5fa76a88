"""Figures and the means to take them: fresh processes, medians, the machine and its versions."""

import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("dagster", "dbt-core", "dbt-duckdb", "dlt", "duckdb", "genai-prices", "pyarrow")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row of the table: a ratio, and the absolute values it was taken from."""

    id: str
    what: str
    reference: str
    unit: str
    measured: float
    reference_measured: float
    ratio: float
    expected: float
    is_upper_bound: bool
    rows: int | None
    peak_mb: float | None
    note: str
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_as_expected(self) -> bool:
        """Whether the ratio is on the expected side; information, never an assertion."""
        return self.ratio <= self.expected if self.is_upper_bound else self.ratio >= self.expected


def in_fresh_process(arguments: Sequence[str], *, environ: Mapping[str, str]) -> dict[str, Any]:
    """What a fresh Python process wrote as JSON on the last line of its output."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environ, "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{arguments} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def peak_megabytes() -> float:
    """The most memory this process ever held (resident), in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux's ru_maxrss would start at what the parent held when it forked; this does not.
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts in bytes, others in KiB.
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def middle(values: Sequence[float]) -> float:
    """The median: one slow run of a busy machine does not decide."""
    return float(median(values))


def machine() -> dict[str, Any]:
    """Cores, memory and system the figures are taken on, and how busy others keep it now."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_gb": round(pages / 1024**3, 1),
        "load_average": list(os.getloadavg()),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    """Python and the packages that decide the figures."""
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }
