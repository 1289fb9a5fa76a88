"""`meterhouse run`: one pass, in this process: load what is new, build, publish, act."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from ingestion.config_loader import ConfigError
from ingestion.systems import is_read, missing_variables
from orchestration.cli.instance import RunOutcome, prepare_instance, run_job
from orchestration.declared import copy_imported_tables, declared_config, read_config
from orchestration.jobs import LOAD_COLLECTOR_JOB, full_refresh_config, load_job_name
from orchestration.jobs import load_config as load_run_config


@click.command()
@click.option(
    "--full-refresh",
    "is_full_refresh",
    is_flag=True,
    help="Build every model again from raw data, as an upgrade may ask.",
)
def run(is_full_refresh: bool) -> None:
    """One pass: load what is new, build, check, publish, evaluate, deliver, reconcile."""
    console = Console(file=sys.stdout)
    outcomes = run_pass(console, is_full_refresh=is_full_refresh)
    try:
        read_config()
    except ConfigError:
        sys.exit(2)
    sys.exit(0 if all(outcome.is_success for outcome in outcomes) else 1)


def run_pass(console: Console, *, is_full_refresh: bool = False) -> list[RunOutcome]:
    """Every load on its own, so that one that fails fails alone, then the pass; all outcomes."""
    prepare_instance()
    # config/ defines the loads, so its imports are read first; its own load tells what is wrong.
    with suppress(ConfigError):
        copy_imported_tables()
    with _shown(console, "Reading the definitions"):
        from orchestration.definitions import defs

    steps = [
        ("Checking and loading config/", "load_config_job", {}),
        ("Refreshing public model prices", "refresh_prices_job", {}),
        *(
            (
                f"Loading {source.id}",
                load_job_name(source.id),
                load_run_config(source, deep_reread=False),
            )
            for source in _ready_sources(console)
        ),
        ("Loading what was pushed", LOAD_COLLECTOR_JOB, {}),
        (
            "Building models, publishing, evaluating budgets, acting",
            "pass_job",
            full_refresh_config() if is_full_refresh else {},
        ),
    ]
    outcomes = []
    for title, name, run_config in steps:
        with _shown(console, title) as line:
            say = line.say if console.is_terminal else None
            outcome = run_job(defs, name, run_config=run_config, say=say)
            if not outcome.is_success:
                line.note(f"[bold red]failed[/]: {escape(outcome.error or '')}")
        outcomes.append(outcome)
    return outcomes


def _ready_sources(console: Console) -> list[Any]:
    """Enabled sources whose credentials are set; says which variables the others lack."""
    config = declared_config()
    ready = []
    for source in config.sources if config else ():
        missing = missing_variables(source, os.environ)
        if is_read(source) and missing:
            console.print(f"  Not read: {source.id}; set {', '.join(missing)}", style="yellow")
        elif is_read(source):
            ready.append(source)
    return ready


@dataclass
class _Line:
    """One line of progress: what is under way now, and what stays behind it."""

    title: str
    status: Status
    notes: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Shows what is under way."""
        self.status.update(f"{self.title} [dim]{escape(text)}[/]")

    def note(self, text: str) -> None:
        """Keeps a remark on the line."""
        self.notes.append(text)


@contextmanager
def _shown(console: Console, title: str) -> Iterator[_Line]:
    """A line that lives while the work does, and stays with its seconds when it is done."""
    started = time.monotonic()
    with console.status(title) as status:
        line = _Line(title, status)
        yield line
    seconds = time.monotonic() - started
    console.print(f"  {title} [dim]{seconds:.1f} s[/] {' '.join(line.notes)}", highlight=False)
