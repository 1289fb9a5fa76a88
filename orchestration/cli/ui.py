"""`meterhouse ui`: the Dagster UI on loopback, over the demo where there is one."""

import os
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
def ui(port: int) -> None:
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
        dagster = Path(sys.executable).with_name("dagster")
        process = subprocess.Popen(
            [
                str(dagster),
                "dev",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--workspace",
                str(settings.PROJECT_ROOT / "workspace.yaml"),
                "--log-level",
                "warning",
            ],
            cwd=settings.PROJECT_ROOT,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        try:
            process.wait()
        except KeyboardInterrupt:
            process.wait()
