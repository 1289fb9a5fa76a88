"""`meterhouse demo`: the whole road once over simulated vendors, and the spend report."""

import json
import os
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import requests
from rich.console import Console

from orchestration import settings
from orchestration.cli.collector import running_collector
from orchestration.cli.report import print_report
from orchestration.cli.run import run_pass
from orchestration.declared import read_config
from orchestration.ops import people
from orchestration.ops.store import open_store

SEED = 7
EVENTS = 200_000
RUNAWAY_AGENT = "coder"
# More than the agent's whole monthly budget, so that the demo ends the same on any day of a month.
RUNAWAY_USD = 2500
PASS_DISTANCE = timedelta(hours=1)
ARMED_GATEWAY = "litellm-main"
_PIPE_WIDTH = 120


@dataclass(frozen=True)
class Demo:
    """What is pinned once: the time the demo's world ends at, its size, and the replayed trace."""

    home: Path
    as_of: datetime
    events: int
    trace: Path | None
    is_complete: bool

    @property
    def second_pass_at(self) -> datetime:
        """An hour later, when the runaway agent has spent."""
        return self.as_of + PASS_DISTANCE


def known_or_new_demo(home: Path, *, now: datetime) -> Demo:
    """The demo pinned under the home, or a new one that ends now."""
    known = read_demo(home)
    if known is not None:
        return known
    trace = os.environ.get("METERHOUSE_SANDBOX_TRACE")
    as_of = now.astimezone(UTC).replace(second=0, microsecond=0)
    if (as_of + PASS_DISTANCE).month != as_of.month:
        as_of -= PASS_DISTANCE  # both passes fall into one budget period
    demo = Demo(
        home=home,
        as_of=as_of,
        events=int(os.environ.get("METERHOUSE_SANDBOX_EVENTS", EVENTS)),
        trace=Path(trace).resolve() if trace else None,
        is_complete=False,
    )
    _write(demo)
    return demo


def read_demo(home: Path) -> Demo | None:
    """The demo pinned under the home; None where there is none."""
    path = home / "demo.json"
    if not path.exists():
        return None
    pinned = json.loads(path.read_text(encoding="utf-8"))
    return Demo(
        home=home,
        as_of=datetime.fromisoformat(pinned["as_of"]),
        events=pinned["events"],
        trace=Path(pinned["trace"]) if pinned["trace"] else None,
        is_complete=pinned["is_complete"],
    )


def _write(demo: Demo) -> None:
    demo.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    pinned = {
        "as_of": demo.as_of.isoformat(),
        "events": demo.events,
        "trace": str(demo.trace) if demo.trace else None,
        "is_complete": demo.is_complete,
    }
    text = json.dumps(pinned, indent=2) + "\n"
    (demo.home / "demo.json").write_text(text, encoding="utf-8")


def demo_sandbox(demo: Demo) -> Any:
    """The simulated vendors of the demo, as a context manager."""
    # The sandbox is an extra: a platform that never runs the demo has no use for it.
    from sandbox.server import Sandbox

    return Sandbox(
        home=demo.home,
        as_of=demo.as_of,
        seed=SEED,
        events=demo.events,
        trace=demo.trace,
        canary=os.environ.get("METERHOUSE_SANDBOX_CANARY", ""),
    )


@click.command()
def demo() -> None:
    """The whole road once: vendors → events → cost → budgets → webhook → a blocked key."""
    # In a pipe there is no width to go by, and the tables are wide.
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    pinned = known_or_new_demo(settings.home(), now=settings.now())
    console.rule("[bold]Meterhouse demo")
    console.print(
        f"  as of {pinned.as_of:%Y-%m-%d %H:%M} UTC, everything under {pinned.home}\n",
        highlight=False,
    )
    with console.status("Starting the sandbox vendors …"):
        vendors = demo_sandbox(pinned)
        vendors.__enter__()
    try:
        os.environ.update(vendors.environment())
        _arm()
        if not _passes(console, pinned, vendors):
            raise SystemExit(1)
        print_report(console, marts=settings.marts_path(), vendors=vendors)
    finally:
        vendors.__exit__(None, None, None)


def _passes(console: Console, pinned: Demo, vendors: Any) -> bool:
    """Two passes the first time, then only the second again, which changes nothing."""
    if not pinned.is_complete:
        console.print("First pass: 45 days of history", style="bold")
        with console.status("Two applications push their usage to the collector …"):
            _push(pinned, vendors)
        if not _pass(console, pinned.as_of):
            return False
        requests.post(
            f"{vendors.control_url}/runaway",
            json={
                "agent": RUNAWAY_AGENT,
                "from": pinned.as_of.isoformat(),
                "minutes": 50,
                "usd": RUNAWAY_USD,
            },
            timeout=60,
        ).raise_for_status()
        console.print("\nAn hour later: agent-coder has run away. Second pass", style="bold")
    else:
        console.print("The demo has run before: one more pass over the same world", style="bold")
    if not _pass(console, pinned.second_pass_at):
        return False
    _write(replace(pinned, is_complete=True))
    return True


def _push(pinned: Demo, vendors: Any) -> None:
    """What nobody reads is pushed: events of one application, spans of another."""
    from sandbox.pusher import push

    os.environ["METERHOUSE_NOW"] = pinned.as_of.isoformat()
    config = read_config()
    with running_collector(settings.home(), config, os.environ) as url:
        push(
            url,
            os.environ["COLLECTOR_MAIN_PUSH_TOKEN"],
            vendors.grounds,
            traces_token=os.environ["OTEL_MAIN_PUSH_TOKEN"],
        )


def _pass(console: Console, at: datetime) -> bool:
    os.environ["METERHOUSE_NOW"] = at.isoformat()
    return all(outcome.is_success for outcome in run_pass(console))


def _arm() -> None:
    """The demo acts on its own sandbox: everywhere else a person arms a gateway."""
    engine = open_store(settings.ops_url())
    people.arm(engine, ARMED_GATEWAY, by="make demo", now=settings.now())
    engine.dispose()
