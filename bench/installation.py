"""An installation as it is run, for a benchmark: config, stored events, and its processes.

A home under a temporary folder, the sandbox's proxy as the one source that is read, two that
are pushed to, and one budget an agent. Every clock is at its default.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import requests
import yaml

from bench.measure import ROOT
from orchestration.jobs import BUILD_OP, FAST_LANE_JOB
from sandbox.company import AGENTS

BUDGET_USD = 100
GATEWAY = "litellm-main"
EVENTS_SOURCE = "collector-main"
TOKEN = "bench-token"
HISTORY = timedelta(days=30)
_GIVE_UP_SECONDS = 1_800


@dataclass(frozen=True)
class Installation:
    """A home and what its processes are told."""

    home: Path
    environ: Mapping[str, str]

    def run(self, *command: str) -> float:
        """Seconds of a `meterhouse` command that succeeds."""
        started = time.perf_counter()
        done = subprocess.run(
            _meterhouse(*command),
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = f"{done.stdout[-4000:]}{done.stderr[-4000:]}"
            raise RuntimeError(f"meterhouse {' '.join(command)} failed:\n{said}")
        return time.perf_counter() - started

    @contextmanager
    def collector(self) -> Iterator[str]:
        """The collector, once it answers; its address."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        with self._process(_meterhouse("collector", "--port", str(port))):
            wait_until(lambda: requests.get(f"{url}/healthz", timeout=5).ok)
            yield url

    @contextmanager
    def daemon(self) -> Iterator[None]:
        """The Dagster daemon, once the fast lane that its first look begins is over."""
        daemon = str(Path(sys.executable).with_name("dagster-daemon"))
        with self._process([daemon, "run", "-w", str(ROOT / "workspace.yaml")]):
            wait_until(lambda: self._has_run(FAST_LANE_JOB))
            yield

    @contextmanager
    def rebuild(self) -> Iterator[None]:
        """`meterhouse run --full-refresh`, once it builds the models."""
        with self._process(_meterhouse("run", "--full-refresh")):
            wait_until(lambda: BUILD_OP in self._steps_under_way())
            yield

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """Its Dagster instance."""
        with (
            patch.dict(os.environ, METERHOUSE_HOME=self.environ["METERHOUSE_HOME"]),
            dg.DagsterInstance.from_config(self.environ["DAGSTER_HOME"]) as instance,
        ):
            yield instance

    @contextmanager
    def _process(self, command: list[str]) -> Iterator[None]:
        with (self.home / "bench.log").open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=self.environ, stdout=log, stderr=log, start_new_session=True
            )
            try:
                yield
            finally:
                process.terminate()
                process.wait()
                # Runs that the daemon began outlive it.
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def _has_run(self, job: str) -> bool:
        with self.instance() as instance:
            return any(run.is_finished for run in instance.get_runs(dg.RunsFilter(job_name=job)))

    def _steps_under_way(self) -> set[str]:
        filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
        with self.instance() as instance:
            return {
                entry.step_key or ""
                for run in instance.get_runs(filters)
                for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)
            }


def wait_until(is_so: Callable[[], bool]) -> None:
    """Asks again and again; raises TimeoutError where it never becomes so."""
    started = time.perf_counter()
    while True:
        with suppress(requests.ConnectionError):
            if is_so():
                return
        if time.perf_counter() - started > _GIVE_UP_SECONDS:
            raise TimeoutError("gave up waiting")
        time.sleep(0.2)


def install(folder: Path, *, vendors: Mapping[str, str]) -> Installation:
    """The installation in a folder, told where its vendors are."""
    config = folder / "config"
    shutil.copytree(ROOT / "config", config)
    (config / "alerts.yaml").unlink()
    (config / "charges.yaml").unlink()
    sources = yaml.safe_load((config / "sources.yaml").read_text(encoding="utf-8"))
    kept = {GATEWAY, EVENTS_SOURCE}
    sources["sources"] = [each for each in sources["sources"] if each["id"] in kept]
    for source in sources["sources"]:
        source["push_token_env"] = f"BENCH_{source['system'].upper()}_TOKEN"
    _write(config / "sources.yaml", sources)
    budgets = [
        {
            "id": f"agent-{agent.agent_id}",
            "entity": f"agent-{agent.agent_id}",
            "period": "lifetime",
            "amount": BUDGET_USD,
            "mode": "hard",
            "actions": ["block"],
            "thresholds": {"critical": 1.0},
        }
        for agent in AGENTS
    ]
    _write(config / "budgets.yaml", {"budgets": budgets})
    for name, section in (("enforcement", "gateways"), ("identities", "identities")):
        path = config / f"{name}.yaml"
        declared = yaml.safe_load(path.read_text(encoding="utf-8"))
        declared[section] = [
            each
            for each in declared[section]
            if each.get("source", each.get("id", "*")) in {"*", *kept}
        ]
        _write(path, declared)
    home = folder / "data"
    home.mkdir()
    return Installation(
        home,
        {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "DO_NOT_TRACK": "1",
            "METERHOUSE_HOME": str(home),
            "METERHOUSE_CONFIG": str(config),
            "DAGSTER_HOME": str(home / "dagster"),
            **vendors,
            "BENCH_COLLECTOR_TOKEN": f"{TOKEN}-events",
            "BENCH_LITELLM_TOKEN": TOKEN,
        },
    )


def store_events(installation: Installation, *, rows: int, until: datetime) -> None:
    """Leaves events in the inbox: of the last month, evenly, 50 customers and four models."""
    folder = installation.home / "inbox" / EVENTS_SOURCE
    folder.mkdir(parents=True)
    step = HISTORY / rows
    models = ("gpt-4o-mini", "gpt-4.1-mini", "claude-haiku-4-5", "claude-sonnet-4-5")
    with (folder / "history.ndjson").open("w", encoding="utf-8") as file:
        for number in range(rows):
            model = models[number % len(models)]
            event = {
                "event_id": f"stored-{number}",
                "event_name": "ai.usage",
                "external_customer_id": f"customer-{number % 50}",
                "timestamp": (until - timedelta(hours=1) - number * step).isoformat(),
                "properties": {
                    "provider": "openai" if model.startswith("gpt") else "anthropic",
                    "model": model,
                    "operation": "chat",
                    "input_tokens": 500 + number % 1_000,
                    "output_tokens": 50 + number % 300,
                },
            }
            file.write(json.dumps(event) + "\n")


def _write(path: Path, declared: Any) -> None:
    path.write_text(yaml.safe_dump(declared, sort_keys=False), encoding="utf-8")


def _meterhouse(*command: str) -> list[str]:
    return [sys.executable, "-c", "from orchestration.cli import main; main()", *command]
