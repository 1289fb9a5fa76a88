"""A platform under test: a home with its config and vendors, passes run as a user runs them.

Passes are child processes with an environment of their own. A home can be kept and put back, so
that many tests start from one history; its path and dbt's parsed project stay, which saves seconds.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
import yaml

from orchestration.ops import people
from orchestration.ops.store import open_store
from sandbox.server import Sandbox

ROOT = Path(__file__).resolve().parent.parent
CANARY = "canary-7f3e-what-somebody-asked"
MASTER_KEY = "sk-canary-master-5d1f"
AS_OF = datetime(2026, 11, 23, 18, tzinfo=UTC)
LATER = AS_OF + timedelta(hours=1)
EVENTS = 1_500
READ = ("litellm-main", "bedrock-main")
DAYS = 5
_PASS_SECONDS = 600
# Which load brought a row and which pass built it: two ways to the same facts may differ in these.
_PROVENANCE = {"pass_id", "snapshot_id", "load_id", "loaded_at", "source_locator"}


@dataclass
class Platform:
    """A home, its config, and the vendors it reads while they run."""

    home: Path
    config: Path
    sandbox: Sandbox | None = None
    more: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def vendors(self, **world: Any) -> Iterator[Sandbox]:
        """The simulated vendors over this home's sandbox state, as long as the block runs."""
        secrets = {"canary": CANARY, "master_key": MASTER_KEY}
        facts = {"as_of": AS_OF, "events": EVENTS, "days": DAYS, **secrets, **world}
        with Sandbox(home=self.home, **facts) as sandbox:
            self.sandbox = sandbox
            yield sandbox
        self.sandbox = None

    def environment(self, at: datetime, **more: str) -> dict[str, str]:
        """All that a pass at that time is told."""
        closed = "http://127.0.0.1:9"
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),  # the code beside these tests, wherever it is installed from
            "LANG": "C.UTF-8",
            # Nothing may be written outside METERHOUSE_HOME, nor leave this machine.
            "HOME": str(self.outside),
            "TMPDIR": str(self.outside),
            "HTTP_PROXY": closed,
            "HTTPS_PROXY": closed,
            "NO_PROXY": "127.0.0.1",
            "METERHOUSE_HOME": str(self.home),
            "METERHOUSE_CONFIG": str(self.config),
            "METERHOUSE_NOW": at.isoformat(),
            **(self.sandbox.environment() if self.sandbox else {}),
            **self.more,
            **more,
        }

    @property
    def outside(self) -> Path:
        """The user's home of every pass: not the platform's, so it must stay empty."""
        folder = self.home.with_name(f"{self.home.name}_outside")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def start(self, command: str, *, at: datetime, **more: str) -> subprocess.Popen[bytes]:
        """`meterhouse <command>` under way, leading a process group of its own."""
        with self._output.open("w", encoding="utf-8") as output:
            return subprocess.Popen(
                [str(Path(sys.executable).with_name("meterhouse")), *command.split()],
                cwd=self.outside,
                env=self.environment(at, **more),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, *, at: datetime, **more: str) -> str:
        """One pass that succeeds; what it printed."""
        code, output = self.finish(self.start("run", at=at, **more))
        assert code == 0, f"{output}\n{self.log()[-4000:]}"
        return output

    def crash(self, point: str, *, at: datetime) -> None:
        """A pass that is killed at a checkpoint, `name:n`, with all of its children."""
        code, output = self.finish(self.start("run", at=at, METERHOUSE_CRASH_AT=point))
        assert code == -signal.SIGKILL, f"the pass does not come by {point}\n{output}"

    def finish(self, process: subprocess.Popen[bytes]) -> tuple[int, str]:
        """Exit code and output, once the process and every child of it are gone."""
        try:
            code = process.wait(_PASS_SECONDS)
        finally:
            # The group outlives its leader where dbt does.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return code, self._output.read_text(encoding="utf-8")

    @property
    def _output(self) -> Path:
        return self.home.with_name(f"{self.home.name}_output.txt")

    def log(self) -> str:
        """What the runs wrote aside."""
        path = self.home / "logs" / "runs.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def arm(self, *, at: datetime) -> None:
        """Lets the platform write to its gateway."""
        engine = open_store(f"sqlite:///{self.home / 'ops.sqlite'}")
        people.arm(engine, "litellm-main", by="tests", now=at)
        engine.dispose()

    def keep(self, to: Path) -> None:
        """A copy of this home and its config; no pass and no vendor may be running."""
        shutil.copytree(self.home, to / "home")
        shutil.copytree(self.config, to / "config")

    def put_back(self, kept: Path) -> None:
        """This home as it was kept, but for dbt's parsed project."""
        self.home.mkdir(parents=True, exist_ok=True)
        keeps_dbt = (self.home / "dbt").exists()
        for path in self.home.iterdir():
            if path.name != "dbt":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in (kept / "home").iterdir():
            if path.is_dir() and not (path.name == "dbt" and keeps_dbt):
                shutil.copytree(path, self.home / path.name)
            elif path.is_file():
                shutil.copy2(path, self.home / path.name)
        shutil.rmtree(self.config, ignore_errors=True)
        shutil.copytree(kept / "config", self.config)

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the published marts."""
        with duckdb.connect(str(self.home / "marts.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def world(self) -> dict[str, Any]:
        """The vendors' own count."""
        return self.ask("GET", "/_world").json()

    def gateway_writes(self) -> list[dict[str, Any]]:
        """Every change made to a key, oldest first."""
        return self.ask("GET", "/_world/actions").json()

    def inbox(self) -> list[dict[str, Any]]:
        """Every webhook received, oldest first: its headers and its exact body."""
        return self.ask("GET", "/webhooks/finops").json()

    def ask(self, method: str, path: str, *, key: str = MASTER_KEY, **facts: Any) -> Any:
        """An answer of the proxy or its control interface."""
        assert self.sandbox is not None
        headers = {"Authorization": f"Bearer {key}", **facts.pop("headers", {})}
        url = self.sandbox.litellm_url + path
        return requests.request(method, url, headers=headers, timeout=30, **facts)

    def steer(self, what: str, **facts: Any) -> Any:
        """What the control interface answers to an order that it accepts."""
        answer = self.ask("POST", f"/_world/{what}", json=facts)
        assert answer.status_code == 200, answer.text
        return answer.json()


# Small worlds spend little: history is beyond the first two budgets and far below the agents'.
BUDGETS = """\
  - {id: acme-monthly, entity: acme, period: month, amount: 10, mode: soft,
     thresholds: {info: 0.5, warning: 0.8, critical: 1.0}}
  - {id: ws-product-monthly, entity: ws-product, period: month, amount: 1, mode: soft,
     thresholds: {info: 0.5, warning: 0.8, critical: 1.0}}
  - {id: team-platform-monthly, entity: team-platform, period: month, amount: 200, mode: soft,
     thresholds: {info: 0.5, warning: 0.8, critical: 1.0}}
  - {id: agent-coder-monthly, entity: agent-coder, period: month, amount: 100, mode: hard,
     actions: [block], thresholds: {info: 0.5, warning: 0.8, critical: 1.0}}
  - {id: agent-researcher-monthly, entity: agent-researcher, period: month, amount: 100, mode: hard,
     actions: [block], thresholds: {info: 0.5, warning: 0.8, critical: 1.0}}
"""


def run_away(platform: Platform) -> None:
    """Two agents spend beyond their budgets in the hour after the first pass."""
    for agent in ("coder", "researcher"):
        start = {"from": AS_OF.isoformat()}
        platform.steer("runaway", agent=agent, minutes=50, usd=120, **start)


def write_budgets(config: Path, budgets: str) -> None:
    """Replaces the declared budgets."""
    (config / "budgets.yaml").write_text(f"budgets:\n{budgets}", encoding="utf-8")


def demo_config(to: Path, *, budgets: str) -> Path:
    """The demo company with other budgets (small worlds spend little) and its two large sources.

    What the other systems bring is proven where each is read: passes are many, and cost seconds.
    """
    shutil.copytree(ROOT / "config", to)
    write_budgets(to, budgets)
    declared = yaml.safe_load((to / "sources.yaml").read_text(encoding="utf-8"))
    kept = [source for source in declared["sources"] if source["id"] in READ]
    _write_list(to / "sources.yaml", "sources", kept)
    rules = yaml.safe_load((to / "identities.yaml").read_text(encoding="utf-8"))["identities"]
    named = [rule for rule in rules if rule.get("source", "*") in ("*", *READ)]
    _write_list(to / "identities.yaml", "identities", named)
    limited = yaml.safe_load((to / "enforcement.yaml").read_text(encoding="utf-8"))["gateways"]
    gateways = [gateway for gateway in limited if gateway["id"] in READ]
    _write_list(to / "enforcement.yaml", "gateways", gateways)
    # Charges stand beside usage and explain bills that are not read here; what is watched besides
    # budgets would be told between the messages that are counted.
    (to / "charges.yaml").unlink()
    (to / "alerts.yaml").unlink()
    return to


def _write_list(path: Path, section: str, items: list[dict[str, Any]]) -> None:
    """One item a line, so that a test can append to the file."""
    lines = [f"  - {json.dumps(item)}\n" for item in items]
    path.write_text(f"{section}:\n{''.join(lines)}", encoding="utf-8")


def canonical(database: Path, *, without: Iterable[str] = ()) -> dict[str, list[str]]:
    """Every row of every mart as sorted text, without where it came from."""
    with duckdb.connect(str(database), read_only=True) as connection:
        columns = connection.execute(
            "select table_schema || '.' || table_name, column_name "
            "from information_schema.columns order by all"
        ).fetchall()
        tables = sorted({table for table, _ in columns} - set(without))
        dump = {}
        for table in tables:
            kept = [name for owner, name in columns if owner == table and name not in _PROVENANCE]
            shown = ", ".join(f'"{name}"' for name in kept)
            rows = connection.execute(f"select {shown} from {table}").fetchall()
            dump[table] = sorted(map(repr, rows))
    return dump


def differences(found: Mapping[str, list[str]], expected: Mapping[str, list[str]]) -> list[str]:
    """The first few rows that only one side has, table by table; empty where both agree."""
    lines = [f"only one has {table}" for table in sorted(found.keys() ^ expected.keys())]
    for table in sorted(found.keys() & expected.keys()):
        left, right = found[table], expected[table]
        if left != right:
            extra, missing = sorted(set(left) - set(right)), sorted(set(right) - set(left))
            lines.append(f"{table}: {len(left)} rows, expected {len(right)}")
            lines += [f"  + {row}" for row in extra[:3]] + [f"  - {row}" for row in missing[:3]]
    return lines


def made_once(factory: pytest.TempPathFactory, name: str, *, make: Callable[[Path], None]) -> Path:
    """A folder that the first worker to ask makes and all others then find."""
    base = factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder = shared / name
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            fresh = shared / f"{name}.fresh"
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            make(fresh)
            fresh.rename(folder)
    return folder
