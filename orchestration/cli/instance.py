"""The Dagster instance under the home, and runs in this process."""

import os
import shutil
import socket
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg

from orchestration import settings

_HOST = socket.gethostname()
_HOST_TAG = "meterhouse/host"
_PID_TAG = "meterhouse/pid"
_LOOK_EVERY_SECONDS = 0.5
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


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


def run_job(
    definitions: dg.Definitions,
    name: str,
    *,
    say: Callable[[str], None] | None = None,
    run_config: Mapping[str, Any] | None = None,
) -> RunOutcome:
    """Runs a job here and now and says which step is under way, where somebody looks.

    What it prints goes to `logs/runs.log` under the home; its events go to the instance.
    """
    run_id = str(uuid4())
    log_path = settings.home() / "logs" / "runs.log"
    log_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (
        dg.DagsterInstance.get() as instance,
        log_path.open("a", encoding="utf-8") as log,
        warnings.catch_warnings(),
        redirect_stdout(log),
        redirect_stderr(log),
        _followed(instance, run_id, say) if say else nullcontext(),
    ):
        warnings.simplefilter("ignore")
        _bury_the_dead(instance)
        result = definitions.resolve_job_def(name).execute_in_process(
            instance=instance,
            run_id=run_id,
            run_config={**_QUIET, **(run_config or {})},
            tags={_HOST_TAG: _HOST, _PID_TAG: str(os.getpid())},
            raise_on_error=False,
        )
    return RunOutcome(
        job=name,
        is_success=result.success,
        error=None if result.success else _first_error(result),
    )


def _bury_the_dead(instance: dg.DagsterInstance) -> None:
    """Ends runs of this command that were killed: they would hold their pool's slot for ever.

    Runs of the daemon are looked after by run monitoring (dagster.yaml).
    """
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags={_HOST_TAG: _HOST})
    for run in instance.get_runs(filters):
        pid = int(run.tags[_PID_TAG])
        # Our own number on an earlier run is a number used again, as in every container.
        if pid == os.getpid() or not _is_alive(pid):
            instance.report_run_failed(run, "Its process was killed.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _followed(
    instance: dg.DagsterInstance, run_id: str, say: Callable[[str], None]
) -> Iterator[None]:
    """Says each new step, and how many assets of it are built, while the run goes on."""
    ended = threading.Event()
    of_interest = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.ASSET_MATERIALIZATION}

    def look() -> None:
        step, built, cursor = "", 0, None
        while not ended.wait(_LOOK_EVERY_SECONDS):
            # Only what came since the last look: a pass has thousands of events.
            seen = instance.get_records_for_run(run_id, cursor=cursor, of_type=of_interest)
            cursor = seen.cursor
            for entry in (record.event_log_entry for record in seen.records):
                if entry.step_key != step:
                    step, built = entry.step_key or "", 0
                built += entry.dagster_event_type == dg.DagsterEventType.ASSET_MATERIALIZATION
            if step:
                say(f"{step.replace('__', '/')}{f', {built} assets' if built > 1 else ''}")

    follower = threading.Thread(target=look, daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join()


def _first_error(result: dg.ExecuteInProcessResult) -> str:
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.user_failure_data and failure.user_failure_data.description:
                return failure.user_failure_data.description
            error = failure.error
            while error is not None and error.cause is not None:
                error = error.cause
            return f"{event.step_key}: {error.message.strip() if error else 'no message'}"
    return "failed before its first step"
