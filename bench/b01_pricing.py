"""B1: pricing events with the SQL of `int_usage__charged`, against scanning and summing its inputs.

dbt made the view, so what runs is the model's compiled SQL; an aggregate over every column that the
fact takes from it computes them all and writes nothing.
"""

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb

from bench.measure import Figure, in_fresh_process, middle, peak_megabytes

EVENTS = "intermediate.int_usage__attributed"
PRICED = "intermediate.int_usage__charged"
EXPECTED = 12.0
ROUNDS = 3
RUNS_A_ROUND = 2
# What the model reads of an event. The rest of the columns only passes through.
INPUTS_NOT_READ = {"usage_key", "usage_on", "identity_key"}
PRICED_COLUMNS = (
    "model_id",
    "price_status",
    "cost_basis",
    "is_costed",
    "is_price_backcast",
    "price_version_key",
    "price_rule_id",
    "sell_rule_id",
    "charged_usd",
    "margin_usd",
    "canonical_provider",
)


def measure(home: Path, *, rows: int, rounds: int) -> Figure:
    """The ratio of medians over interleaved fresh processes; peak memory of the pricing ones."""
    scans: list[float] = []
    priced: list[float] = []
    peaks: list[float] = []
    scan_peaks: list[float] = []
    answer: dict[str, Any] = {}
    for _ in range(rounds):
        answer = _worker(home, "scan", threads=2)
        scans += answer["seconds"]
        scan_peaks.append(answer["peak_mb"])
        answer = _worker(home, "price", threads=2)
        priced += answer["seconds"]
        peaks.append(answer["peak_mb"])
    one_core = _worker(home, "price", threads=1)
    statuses, large = _counts(home)
    return Figure(
        id="B1",
        what="price and charge events: dated prices, tiers, a contract, customers",
        reference="DuckDB scanning and summing the same columns",
        unit="s",
        measured=middle(priced),
        reference_measured=middle(scans),
        ratio=middle(priced) / middle(scans),
        expected=EXPECTED,
        is_upper_bound=True,
        rows=rows,
        peak_mb=max(peaks),
        note="a contract, rates of 100 customers and markups of 1,000; expected peak memory under "
        "1,000 MB",
        details={
            "events_per_second": round(rows / middle(priced)),
            "seconds_on_one_thread": middle(one_core["seconds"]),
            "events_per_second_on_one_thread": round(rows / middle(one_core["seconds"])),
            "reference_peak_mb": max(scan_peaks),
            "all_seconds": priced,
            "all_reference_seconds": scans,
            "events_by_price_status": statuses,
            "over_200k_input_tokens": large,
        },
    )


def _worker(home: Path, what: str, *, threads: int) -> dict[str, Any]:
    return in_fresh_process(
        ["-m", "bench.b01_pricing", str(home / "warehouse.duckdb"), what, str(threads)], environ={}
    )


def _counts(home: Path) -> tuple[dict[str, int], int]:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute(
            f"select price_status, count(*) from {PRICED} group by price_status"
        ).fetchall()
        stepped = connection.execute(
            f"select count(*) from {EVENTS} where total_input_tokens > 200000"
        ).fetchone()
    return dict(sorted(found)), stepped[0] if stepped else 0


def statement(connection: duckdb.DuckDBPyConnection, what: str) -> str:
    """One aggregate over every column of the events that pricing reads, or over all it makes."""
    table = EVENTS if what == "scan" else PRICED
    types = connection.execute(f"describe {table}").fetchall()
    columns = [
        (name, kind)
        for name, kind, *_ in types
        if (
            name not in INPUTS_NOT_READ
            if what == "scan"
            else name in PRICED_COLUMNS or (name.endswith("_cost_usd") and "reported" not in name)
        )
    ]
    return f"select {', '.join(_folded(columns))} from {table}"


def _folded(columns: Iterable[tuple[str, str]]) -> list[str]:
    folded = []
    for name, kind in columns:
        if kind == "VARCHAR":
            folded.append(f"sum(strlen({name}))")
        elif kind == "BOOLEAN":
            folded.append(f"count(*) filter ({name})")
        elif kind.startswith("TIMESTAMP"):
            folded.append(f"sum(epoch_us({name}))")
        else:
            folded.append(f"sum({name})")
    return folded


def _main(path: str, what: str, threads: int) -> None:
    settings: dict[str, Any] = {"threads": threads}
    settings["preserve_insertion_order"] = False
    with duckdb.connect(path, read_only=True, config=settings) as connection:
        query = statement(connection, what)
        connection.execute(query).fetchall()  # the first run reads the file
        seconds = []
        for _ in range(RUNS_A_ROUND):
            started = time.perf_counter()
            connection.execute(query).fetchall()
            seconds.append(time.perf_counter() - started)
    sys.stdout.write(json.dumps({"seconds": seconds, "peak_mb": peak_megabytes()}) + "\n")


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
