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
    b09_breach_to_block,
    b10_definitions,
    b11_webhooks,
)
from bench.measure import Figure, machine, versions
from bench.warehouse import make_warehouse

ROWS = 10_000_000
ALL = ("B1", "B2", "B3", "B4", "B8", "B9", "B10", "B11")
LATEST = Path(__file__).parent / "latest.json"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints the table and writes the JSON; never fails for a slow figure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="events of B1 (%(default)s)")
    parser.add_argument("--rounds", type=int, default=0, help="of each; 0: as many as it needs")
    parser.add_argument("--only", nargs="+", default=ALL, choices=ALL, help="benchmarks, by id")
    parser.add_argument("--out", type=Path, help=f"the JSON file; of all benchmarks: {LATEST}")
    given = parser.parse_args(arguments)
    out = given.out or (LATEST if given.only is ALL else None)
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    started, taken_on = time.perf_counter(), machine()
    home = Path(tempfile.mkdtemp(prefix="meterhouse-bench-"))
    try:
        figures = _measured(
            home, rows=given.rows, rounds=given.rounds, only=given.only, console=console
        )
    finally:
        shutil.rmtree(home, ignore_errors=True)
    seconds = time.perf_counter() - started
    console.print(_table(figures))
    for figure in figures:
        console.print(f"{figure.id}: {figure.note}", style="dim")
    if out:
        out.write_text(
            _json(figures, rows=given.rows, seconds=seconds, taken_on=taken_on), encoding="utf-8"
        )
    console.print(f"{seconds:.0f} s; {f'written to {out}' if out else 'not written'}")


def _measured(
    home: Path, *, rows: int, rounds: int, only: Sequence[str], console: Console
) -> list[Figure]:
    def room(name: str) -> Path:
        folder = home / name
        folder.mkdir()
        return folder

    figures: list[Figure] = []
    if {"B1", "B2"} & {*only}:
        console.print(f"Preparing {rows:,} events, three price snapshots and the price models ...")
        prices = room("prices")
        make_warehouse(prices, rows=rows)
        console.print("B1 pricing ...")
        priced = b01_pricing.measure(prices, rows=rows, rounds=rounds or b01_pricing.ROUNDS)
        figures += [priced] if "B1" in only else []
        if "B2" in only:
            console.print("B2 the peer ...")
            figures.append(b02_peer.measure(prices, priced=priced))
    if "B3" in only:
        console.print("B3 log records from object storage ...")
        logs, ours = b03_object_logs.ROWS, b03_object_logs.ROUNDS
        figures.append(
            b03_object_logs.measure(home / "logs", rows=min(rows, logs), rounds=rounds or ours)
        )
    if "B4" in only:
        console.print("B4 pages over HTTP ...")
        pages, ours = b04_paged_http.ROWS, b04_paged_http.ROUNDS
        figures += b04_paged_http.measure(
            home / "pages", rows=min(rows, pages), rounds=rounds or ours
        )
    if "B8" in only:
        console.print("B8 the collector ...")
        batches = min(b08_collector.BATCHES, max(10, rows // 10_000))
        ours = b08_collector.ROUNDS
        figures.append(
            b08_collector.measure(room("pushed"), rounds=rounds or ours, batches=batches)
        )
    if "B9" in only:
        console.print("B9 breach to block ...")
        stored = min(rows, b09_breach_to_block.ROWS)
        figures.append(b09_breach_to_block.measure(room("breach"), rows=stored))
    if "B10" in only:
        console.print("B10 loading the definitions ...")
        ours = b10_definitions.ROUNDS
        figures.append(b10_definitions.measure(room("definitions"), rounds=rounds or ours))
    if "B11" in only:
        console.print("B11 webhooks ...")
        messages = min(b11_webhooks.MESSAGES, max(200, rows // 100))
        ours = b11_webhooks.ROUNDS
        figures.append(
            b11_webhooks.measure(room("hooks"), rounds=rounds or ours, messages=messages)
        )
    return figures


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
