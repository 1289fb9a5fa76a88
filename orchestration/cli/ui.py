"""`meterhouse ui`: the Dagster UI on loopback, over the demo where there is one."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console

from orchestration import settings
from orchestration.cli.demo import demo_sandbox, read_demo
from orchestration.cli.instance import prepare_instance


@click.command()
@click.option("--port", default=3000, show_default=True)
@click.option(
    "--read-only",
    "is_read_only",
    is_flag=True,
    help="For viewers: the same pages, where nothing can be started or changed; no schedule runs.",
)
def ui(port: int, is_read_only: bool) -> None:
    """Open the Dagster UI; over the demo its vendors run beside it and schedules are stopped."""
    console = Console()
    prepare_instance()
    with ExitStack() as stack:
        known = read_demo(settings.home())
        if known is not None:
            sandbox = stack.enter_context(demo_sandbox(known))
            os.environ.update(sandbox.environment())
            os.environ["METERHOUSE_NOW"] = known.second_pass_at.isoformat()
            os.environ["METERHOUSE_CLOCKS"] = "off"
        console.print(f"Dagster UI: http://127.0.0.1:{port}  (Ctrl-C ends it)")
        name = "dagster-webserver" if is_read_only else "dagster"
        process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name(name)),
                *(["--read-only"] if is_read_only else ["dev"]),
                *("--host", "127.0.0.1", "--port", str(port)),
                *("--workspace", str(settings.PROJECT_ROOT / "workspace.yaml")),
                *("--log-level", "warning"),
            ],
            cwd=settings.PROJECT_ROOT,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        try:
            process.wait()
        except KeyboardInterrupt:
            process.wait()
