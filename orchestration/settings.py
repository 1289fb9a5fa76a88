"""Where things lie and what time it is: the METERHOUSE_* environment, read only when asked."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DBT_PROJECT_DIR = PROJECT_ROOT / "dbt_project"


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder under which everything the program writes lies (METERHOUSE_HOME)."""
    return Path(environ.get("METERHOUSE_HOME", PROJECT_ROOT / "data")).resolve()


def config_path(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of the user's declarations (METERHOUSE_CONFIG)."""
    return Path(environ.get("METERHOUSE_CONFIG", PROJECT_ROOT / "config")).resolve()


def marts_path(environ: Mapping[str, str] = os.environ) -> Path:
    """The published, read-only marts."""
    return home(environ) / "marts.duckdb"


def ops_url(environ: Mapping[str, str] = os.environ) -> str:
    """SQLAlchemy URL of the operational store (METERHOUSE_OPS_URL; default: SQLite)."""
    return environ.get("METERHOUSE_OPS_URL") or f"sqlite:///{home(environ) / 'ops.sqlite'}"


def clocks_run(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether schedules and sensors start switched on (METERHOUSE_CLOCKS; the demo: off)."""
    return environ.get("METERHOUSE_CLOCKS", "on") != "off"


def now(environ: Mapping[str, str] = os.environ) -> datetime:
    """METERHOUSE_NOW (ISO 8601, with a zone) or the wall clock, in UTC."""
    pinned = environ.get("METERHOUSE_NOW")
    if not pinned:
        return datetime.now(UTC)
    moment = datetime.fromisoformat(pinned)
    if moment.tzinfo is None:
        raise ValueError(f"METERHOUSE_NOW needs a zone, for example 2026-11-23T12:00:00Z: {pinned}")
    return moment.astimezone(UTC)
