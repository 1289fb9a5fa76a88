"""`meterhouse`: one module a command."""

import click

from orchestration.cli.accept import accept
from orchestration.cli.close import close
from orchestration.cli.collector import collector
from orchestration.cli.demo import demo
from orchestration.cli.doctor import doctor
from orchestration.cli.explain import explain
from orchestration.cli.init import init
from orchestration.cli.ops import ops
from orchestration.cli.plan import plan
from orchestration.cli.reprice import reprice
from orchestration.cli.run import run
from orchestration.cli.sandbox import sandbox
from orchestration.cli.ui import ui


@click.group()
def main() -> None:
    """The open AI-cost platform for data teams."""


_COMMANDS = (
    *(accept, close, collector, demo, doctor, explain, init, ops, plan, reprice, run, sandbox, ui),
)
for command in _COMMANDS:
    main.add_command(command)
