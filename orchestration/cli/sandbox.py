"""`meterhouse sandbox`: the demo's vendors alone, to point other tools at."""

import signal
import threading

import click
from rich.console import Console

from orchestration import settings
from orchestration.cli.demo import demo_sandbox, known_or_new_demo


@click.command()
def sandbox() -> None:
    """Run the simulated vendors on loopback until Ctrl-C, and print how to reach them."""
    console = Console()
    known = known_or_new_demo(settings.home(), now=settings.now())
    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with demo_sandbox(known) as vendors:
        for name, value in vendors.environment().items():
            console.print(f"export {name}={value}", soft_wrap=True, highlight=False)
        stop.wait()
