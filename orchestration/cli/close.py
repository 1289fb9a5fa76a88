"""`meterhouse close`: a month's statement is frozen, or shown."""

import csv
import getpass
import sys
from pathlib import Path

import click
import duckdb

from orchestration import settings
from orchestration.ops.closing import (
    STATEMENT_COLUMNS,
    CloseRefused,
    close_period,
    open_before,
    statement_lines,
)
from orchestration.ops.store import open_store
from orchestration.warehouse import building_marts, published_marts, writer_lock


@click.command()
@click.argument("period")
@click.option("--statement", is_flag=True, help="Only write the month's statement as CSV.")
@click.option("--to", type=click.Path(path_type=Path), help="Where to (default: exports/).")
@click.option("--by", default=None, help="Who closes it (default: the user of this machine).")
def close(period: str, statement: bool, to: Path | None, by: str | None) -> None:
    """Close the books of PERIOD, for example 2026-10: its statement never changes again.

    Months before it that are open close with it, in order. What changes of them later is booked in
    the first open month (spend.fct_corrections).
    """
    path = settings.marts_path()
    if not path.exists():
        raise click.ClickException("nothing has been published yet: run a pass first")
    if statement:
        file = to or settings.home() / "exports" / f"statement_{period}.csv"
        with published_marts(path) as marts:
            click.echo(f"{write_statement(marts, period, to=file)} line(s) in {file}")
        return
    # Not between the steps of a pass: it would publish the month as if it were open still.
    with writer_lock(settings.home()), published_marts(path) as marts:
        _refuse_between_steps(marts)
        engine = open_store(settings.ops_url())
        try:
            done = [
                close_period(engine, marts, each, by=by or getpass.getuser(), now=settings.now())
                for each in (*open_before(engine, marts, period), period)
            ]
        except CloseRefused as refused:
            click.echo(f"Not closed: {refused}.", err=True)
            sys.exit(2)
        finally:
            engine.dispose()
    for each in done:
        click.echo(
            f"{each.period} is closed: {each.lines} line(s), {each.effective_cost_usd:,.2f} USD,"
            f" as snapshot {each.snapshot_id} shows it (sha256 {each.totals_sha256[:12]})."
        )


def _refuse_between_steps(marts: duckdb.DuckDBPyConnection) -> None:
    """Refuses while marts are built that are not published; the caller holds the writer lock."""
    path = building_marts(settings.home())
    if not path.exists():
        return
    snapshot = "select max(snapshot_id) from core.published_snapshot"
    with duckdb.connect(str(path), read_only=True) as building:
        built = building.execute(snapshot).fetchone()
    if built != marts.execute(snapshot).fetchone():
        click.echo(
            "Not closed: a pass has built newer marts and not published them yet;"
            " close when it has.",
            err=True,
        )
        sys.exit(2)


def write_statement(marts: duckdb.DuckDBPyConnection, period: str, *, to: Path) -> int:
    """Writes a month's statement as CSV, the same bytes for the same lines; the line count."""
    lines = statement_lines(marts, period)
    to.parent.mkdir(parents=True, exist_ok=True)
    with to.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["period", *STATEMENT_COLUMNS], lineterminator="\n")
        writer.writeheader()
        # A name that begins like a formula would be one in a spreadsheet.
        writer.writerows(
            {"period": period} | {k: _cell(v) for k, v in line.items()} for line in lines
        )
    return len(lines)


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
