"""`python -m bench [--rows N]`: every benchmark, a table of ratios, and bench/latest.json."""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import (
    b01_pricing,
    b02_peer,
    b03_object_logs,
    b04_paged_http,
    b08_collector,
    b10_definitions,
    b11_webhooks,
)
from bench.measure import Figure, machine, versions
from bench.warehouse import make_warehouse

ROWS = 10_000_000
LATEST = Path(__file__).parent / "latest.json"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints the table and writes the JSON; never fails for a slow figure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="events of B1 (%(default)s)")
    parser.add_argument("--rounds", type=int, default=0, help="of each; 0: as many as it needs")
    parser.add_argument("--out", type=Path, default=LATEST, help="the JSON file (%(default)s)")
    given = parser.parse_args(arguments)
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    started, taken_on = time.perf_counter(), machine()
    home = Path(tempfile.mkdtemp(prefix="meterhouse-bench-"))
    try:
        figures = _measured(home, rows=given.rows, rounds=given.rounds, console=console)
    finally:
        shutil.rmtree(home)
    seconds = time.perf_counter() - started
    console.print(_table(figures))
    for figure in figures:
        console.print(f"{figure.id}: {figure.note}", style="dim")
    given.out.write_text(
        _json(figures, rows=given.rows, seconds=seconds, taken_on=taken_on), encoding="utf-8"
    )
    console.print(f"{seconds:.0f} s; written to {given.out}")


def _measured(home: Path, *, rows: int, rounds: int, console: Console) -> list[Figure]:
    console.print(f"Preparing {rows:,} events, three price snapshots and the price models ...")
    prices = home / "prices"
    prices.mkdir()
    make_warehouse(prices, rows=rows)
    console.print("B1 pricing ...")
    priced = b01_pricing.measure(prices, rows=rows, rounds=rounds or b01_pricing.ROUNDS)
    console.print("B2 the peer ...")
    peer = b02_peer.measure(prices, priced=priced)
    console.print("B3 log records from object storage ...")
    logs = b03_object_logs.measure(
        home / "logs",
        rows=min(rows, b03_object_logs.ROWS),
        rounds=rounds or b03_object_logs.ROUNDS,
    )
    console.print("B4 pages over HTTP ...")
    pages = b04_paged_http.measure(
        home / "pages",
        rows=min(rows, b04_paged_http.ROWS),
        rounds=rounds or b04_paged_http.ROUNDS,
    )
    console.print("B8 the collector ...")
    pushed = home / "pushed"
    pushed.mkdir()
    collected = b08_collector.measure(
        pushed,
        rounds=rounds or b08_collector.ROUNDS,
        batches=min(b08_collector.BATCHES, max(10, rows // 10_000)),
    )
    console.print("B10 loading the definitions ...")
    definitions = home / "definitions"
    definitions.mkdir()
    defined = b10_definitions.measure(definitions, rounds=rounds or b10_definitions.ROUNDS)
    console.print("B11 webhooks ...")
    hooks = home / "hooks"
    hooks.mkdir()
    told = b11_webhooks.measure(
        hooks,
        rounds=rounds or b11_webhooks.ROUNDS,
        messages=min(b11_webhooks.MESSAGES, max(200, rows // 100)),
    )
    return [
        priced,
        peer,
        logs,
        *pages,
        collected,
        defined,
        told,
    ]


def _table(figures: Sequence[Figure]) -> Table:
    table = Table(title="Ratios, each against its reference in the same run")
    for name in ("id", "what", "reference"):
        table.add_column(name)
    for name in ("reference", "measured", "ratio", "expected", "peak MB"):
        table.add_column(name, justify="right")
    table.add_column("for information")
    for figure in figures:
        table.add_row(
            figure.id,
            figure.what,
            figure.reference,
            _amount(figure.reference_measured, unit=figure.unit),
            _amount(figure.measured, unit=figure.unit),
            f"{figure.ratio:,.2f}",
            f"{'≤' if figure.is_upper_bound else '≥'} {figure.expected:g}",
            "" if figure.peak_mb is None else f"{figure.peak_mb:,.0f}",
            "as expected" if figure.is_as_expected else "outside",
        )
    return table


def _amount(value: float, *, unit: str) -> str:
    return f"{value:.2f} {unit}" if value < 1000 else f"{value:,.0f} {unit}"


def _json(figures: Sequence[Figure], *, rows: int, seconds: float, taken_on: dict[str, Any]) -> str:
    report = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": taken_on,
        "versions": versions(),
        "rows": rows,
        "seconds": round(seconds, 1),
        "figures": [
            {**asdict(figure), "is_as_expected": figure.is_as_expected} for figure in figures
        ],
    }
    return json.dumps(_rounded(report), indent=2, ensure_ascii=False) + "\n"


def _rounded(value: object) -> object:
    """Four decimals are more than a timing can say."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return value


if __name__ == "__main__":
    main()
