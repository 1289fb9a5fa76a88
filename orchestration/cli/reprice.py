"""`meterhouse reprice`: a window priced by what is known now; shown first, applied, taken back."""

import difflib
import getpass
import sys
from datetime import UTC, datetime
from decimal import Decimal

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, select

from orchestration import settings
from orchestration.ops.repricing import apply_repricing, undo_repricing
from orchestration.ops.store import open_store, reading
from orchestration.ops.tables import period_close
from orchestration.trial import Difference, try_repricing
from orchestration.warehouse import building_marts, published_marts

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--from", "from_on", type=_DAY, help="First day of the window (UTC).")
@click.option("--to", "to_on", type=_DAY, help="The day after its last (UTC).")
@click.option("--model", "price_key", help="One model, for example openai/gpt-4o (default: all).")
@click.option("--apply", "is_applied", is_flag=True, help="Do it, at the next pass.")
@click.option("--undo", "undone", metavar="ID", help="Take one back, at the next pass.")
@click.option("--by", default=None, help="Who decides it (default: the user of this machine).")
def reprice(
    from_on: datetime | None,
    to_on: datetime | None,
    price_key: str | None,
    is_applied: bool,
    undone: str | None,
    by: str | None,
) -> None:
    """Price a window by the rates known now, as if they had been true already.

    Without --apply nothing is written: the difference is worked out on a copy and shown by entity
    and model. Closed months keep their statement: their difference is booked in the open one.
    """
    engine = open_store(settings.ops_url())
    now = settings.now()
    who = by or getpass.getuser()
    try:
        if undone:
            if not undo_repricing(engine, undone, by=who, now=now):
                raise click.ClickException(f"no repricing {undone!r} is in force")
            click.echo(f"{undone} is taken back at the next pass.")
            return
        if from_on is None or to_on is None or from_on >= to_on:
            raise click.UsageError("give --from and a later --to, or --undo")
        if price_key is not None:
            _refuse_unknown(price_key)
        window = {
            "from_at": from_on.replace(tzinfo=UTC),
            "to_at": to_on.replace(tzinfo=UTC),
            "as_known_at": now,
            "price_key": price_key,
        }
        if is_applied:
            done = apply_repricing(engine, **window, by=who, now=now)
            click.echo(f"{done} takes effect at the next pass; undo it with --undo {done}.")
            return
        _preview(engine, window, now=now)
    finally:
        engine.dispose()


def _refuse_unknown(price_key: str) -> None:
    """Refuses a model without prices: its repricing would change nothing, and say so to nobody."""
    path = settings.marts_path()
    if not path.exists():
        raise click.ClickException("nothing has been published yet: run a pass first")
    with published_marts(path) as marts:
        rows = marts.execute("select distinct price_key from core.dim_prices").fetchall()
    known = [key for (key,) in rows]
    if price_key not in known:
        near = ", ".join(difflib.get_close_matches(price_key, sorted(known)))
        hint = f"; did you mean {near}?" if near else ""
        raise click.BadParameter(
            f"core.dim_prices has no prices of {price_key!r}{hint}", param_hint="--model"
        )


def _preview(engine: Engine, window: dict[str, object], *, now: datetime) -> None:
    home = settings.home()
    if not building_marts(home).exists():
        raise click.ClickException("nothing has been built yet: run a pass first")
    proposed = window | {
        "repricing_id": "proposed",
        "is_undone": False,
        "applied_at": now,
        "applied_by": "",
    }
    try:
        differences = try_repricing(engine, home, proposed=proposed, now=now)
    except RuntimeError as error:
        raise click.ClickException(
            f"the copy could not be built; run a pass first\n{error}"
        ) from error
    with reading(engine) as connection:
        closed = max(connection.scalars(select(period_close.c.period)), default="")
    if not differences:
        click.echo("Nothing would change.")
        return
    _show(differences, closed=closed)
    click.echo("Nothing was written; add --apply to do it.")


def _show(differences: list[Difference], *, closed: str) -> None:
    table = Table("month", "entity", "model", "difference USD", title="What repricing would change")
    for each in differences:
        booked = " (closed: a correction)" if each.period <= closed else ""
        model = each.model_id or "-"
        amount = f"{each.effective_cost_usd:+,.6f}"
        table.add_row(each.period + booked, each.entity_key, model, amount)
    total = sum((each.effective_cost_usd for each in differences), Decimal(0))
    table.add_section()
    table.add_row("", "", "all", f"{total:+,.6f}")
    Console(file=sys.stdout).print(table)
