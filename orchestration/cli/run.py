"""`meterhouse run`: one pass, in this process: load what is new, build, publish, act."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console

from ingestion.config_loader import ConfigError, load_config
from orchestration import settings
from orchestration.cli.instance import RunOutcome, prepare_instance, run_job
from orchestration.declared import declared_config
from orchestration.jobs import load_job_name
from orchestration.resources import has_credentials


@click.command()
def run() -> None:
    """One pass: load what is new, build, check, publish, evaluate, deliver, reconcile."""
    console = Console()
    outcomes = run_pass(console)
    try:
        load_config(settings.config_path())
    except ConfigError:
        sys.exit(2)
    sys.exit(0 if all(outcome.is_success for outcome in outcomes) else 1)


def run_pass(console: Console) -> list[RunOutcome]:
    """Every load on its own, so that one that fails fails alone, then the pass; all outcomes."""
    prepare_instance()
    with _shown(console, "Reading the definitions"):
        from orchestration.definitions import defs

    steps = [
        ("Checking and loading config/", "load_config_job"),
        ("Refreshing public model prices", "refresh_prices_job"),
        *((f"Loading {source.id}", load_job_name(source.id)) for source in _ready_sources()),
        ("Building models, publishing marts, evaluating budgets, acting", "pass_job"),
    ]
    outcomes = []
    for title, name in steps:
        with _shown(console, title) as say:
            outcome = run_job(defs, name)
            if not outcome.is_success:
                say(f"[red]failed[/red]: {outcome.error}")
        outcomes.append(outcome)
    return outcomes


def _ready_sources() -> list[Any]:
    """Enabled sources whose credentials are set."""
    config = declared_config()
    return [
        source
        for source in (config.sources if config else ())
        if source.enabled and has_credentials(source, os.environ)
    ]


@contextmanager
def _shown(console: Console, title: str) -> Iterator[Any]:
    """A line that lives while the work does, and stays with its seconds when it is done."""
    started = time.monotonic()
    notes: list[str] = []
    with console.status(f"{title} …"):
        yield notes.append
    seconds = time.monotonic() - started
    console.print(f"  {title} [dim]{seconds:.1f} s[/dim] {' '.join(notes)}")
