"""The Dagster instance under the home, and runs in this process."""

import logging
import os
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from orchestration import settings


@dataclass(frozen=True)
class RunOutcome:
    """How one run in this process ended; `error` is the first failure's own message."""

    job: str
    is_success: bool
    error: str | None


def prepare_instance() -> Path:
    """The Dagster home with its dagster.yaml: Postgres storage where a URL is set, else SQLite."""
    folder = settings.home() / "dagster"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = "dagster_postgres.yaml" if os.environ.get("METERHOUSE_DAGSTER_URL") else "dagster.yaml"
    shutil.copyfile(settings.PROJECT_ROOT / "orchestration" / name, folder / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(folder)
    os.environ["METERHOUSE_HOME"] = str(settings.home())
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    return folder


def run_job(definitions: dg.Definitions, name: str) -> RunOutcome:
    """Runs a job here and now; what it logs goes to the instance, not to the terminal."""
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with warnings.catch_warnings(), dg.DagsterInstance.get() as instance:
        warnings.simplefilter("ignore")
        result = definitions.resolve_job_def(name).execute_in_process(
            instance=instance, raise_on_error=False
        )
    return RunOutcome(
        job=name,
        is_success=result.success,
        error=None if result.success else _first_error(result),
    )


def _first_error(result: dg.ExecuteInProcessResult) -> str:
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            message = error.message.strip() if error else "no message"
            return f"{event.step_key}: {message}"
    return "failed before its first step"
